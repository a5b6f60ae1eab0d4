"""Growth is seen, and what stays the same is none."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.resilience.growth import check_growth, grown, growth
from tests.resilience.processes import Footprint

SAME = Footprint(10, 80_000)


def test_the_first_footprint_and_one_odd_one_are_no_growth() -> None:
    found = growth([Footprint(1, 1_000), *[SAME] * 10, Footprint(99, 999_000)])
    assert found == Footprint(0, 0)
    check_growth("server", found)


@pytest.mark.parametrize("each_time", [Footprint(1, 0), Footprint(0, 400)])
def test_a_little_more_each_time_is_seen(each_time: Footprint) -> None:
    rounds = [Footprint(10 + number * each_time.descriptors, 80_000 + number * each_time.rss_kib) for number in range(12)]
    with pytest.raises(AssertionError, match="the server has grown"):
        check_growth("server", growth(rounds))


def test_two_moments_are_compared() -> None:
    check_growth("engine", grown(SAME, Footprint(9, 80_500)))
    with pytest.raises(AssertionError, match="4 descriptors"):
        check_growth("engine", grown(SAME, Footprint(14, 80_000)))


def test_a_connection_counts_once_its_other_end_is_closed(tmp_path: Path) -> None:
    before = Footprint.of(os.getpid()).descriptors
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        assert Footprint.of(os.getpid()).descriptors == before + 1
        theirs.close()
        assert ours.recv(1) == b""
        assert Footprint.of(os.getpid()).descriptors == before + 2
        ours.close()
    with (tmp_path / "file").open("w"):
        assert Footprint.of(os.getpid()).descriptors == before + 1
