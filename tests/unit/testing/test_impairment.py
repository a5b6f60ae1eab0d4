from __future__ import annotations

from typing import Any

import pytest

from pagecalls.testing.impair import Impairment


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"loss": 5}, "loss is a share from 0 to 1, not 5"),
        ({"reorder": -0.1}, "reorder is a share from 0 to 1, not -0.1"),
        ({"duplicate": float("nan")}, "duplicate is a share from 0 to 1, not nan"),
        ({"delay_ms": -1}, "delay_ms is a time from 0, not -1"),
        ({"jitter_ms": float("inf")}, "jitter_ms is a time from 0, not inf"),
        ({"rate_bps": 0}, "rate_bps must be above 0, not 0"),
        ({"mtu_bytes": -5}, "mtu_bytes must be above 0, not -5"),
        ({"reorder_depth": 0}, "reorder_depth is a number of datagrams from 1, not 0"),
        ({"loss_burst": 0.5}, "loss_burst is a mean number of datagrams from 1, not 0.5"),
        ({"loss": 0.8, "loss_burst": 2}, "a loss of 0.8 needs bursts of 4 or more datagrams, not 2"),
        ({"loss": 1, "loss_burst": 9}, "a loss of 1 needs bursts of inf or more datagrams, not 9"),
    ],
)
def test_what_cannot_be(knobs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        Impairment(**knobs)


def test_a_burst_ends_by_itself_and_begins_by_chance() -> None:
    bursts = Impairment(loss=0.2, loss_burst=4)
    assert [bursts.loses(draw, was_lost=True) for draw in (0.24, 0.26)] == [False, True]
    # 0.2 / (4 * 0.8): so often a burst begins after a datagram that passed.
    assert [bursts.loses(draw, was_lost=False) for draw in (0.06, 0.07)] == [True, False]


def test_the_ends_of_the_range() -> None:
    assert not Impairment(loss=0).loses(0.0, was_lost=False)
    assert Impairment(loss=1).loses(0.999, was_lost=False)
    assert not Impairment(loss=0, loss_burst=5).loses(0.0, was_lost=False)


def test_jitter_is_never_negative_and_its_median_lies_below_its_mean() -> None:
    path = Impairment(delay_ms=40, jitter_ms=10)
    assert path.waits_s(0.0) == pytest.approx(0.040)
    assert path.waits_s(0.5) == pytest.approx(0.0469, abs=0.0001)
    assert path.waits_s(1 - 2**-53) < 0.5
