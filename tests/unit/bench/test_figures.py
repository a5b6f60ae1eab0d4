"""Medians of several runs, and what the drivers of other servers write and read."""

from __future__ import annotations

import os
import time

import pytest

from bench.figure import Figure, cpu_ns, merged
from bench.load import Line, ip_to_number, number_to_ip
from bench.peer_sdp import Peer
from bench.rtpengine_server import Value, decode, encode

PEER = Peer(1000, "127.1.0.0", 4000, "abcd", "x" * 24, ":".join(["AB"] * 32))


def test_runs_become_medians_with_their_range() -> None:
    runs = [[Figure("packet", value, "us", note=note)] for value, note in ((3.0, ""), (1.0, "late"), (2.0, "late"))]
    assert merged(runs) == [Figure("packet", 2.0, "us", note="late", low=1.0, high=3.0)]
    assert merged(runs[:1]) == runs[0]


def test_a_figure_that_one_run_lacks_is_kept() -> None:
    runs = [[Figure("a", 1.0, "")], [Figure("a", 3.0, ""), Figure("engine: b", 5.0, "")]]
    found = merged(runs)
    assert [(figure.what, figure.value) for figure in found] == [("a", 2.0), ("engine: b", 5.0)]
    assert (found[1].subject, found[1].metric) == ("engine", "b")


def test_the_cpu_clock_of_a_process_is_its_own() -> None:
    before = time.process_time_ns()
    assert before <= cpu_ns(os.getpid()) <= time.process_time_ns()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"command": "ping"}, b"d7:command4:pinge"),
        ({"b": ["off", 3], "a": {}}, b"d1:ade1:bl3:offi3eee"),
        ("ä", b"2:\xc3\xa4"),
    ],
)
def test_bencode(value: Value, text: bytes) -> None:
    assert encode(value) == text
    assert decode(text) == value


def test_bencode_of_two_values_is_refused() -> None:
    with pytest.raises(ValueError, match="more than one"):
        decode(b"i1ei2e")


def test_a_peer_reads_where_the_server_listens() -> None:
    server = Peer(7, "192.0.2.9", 30_000, "efgh", "y" * 24, ":".join(["CD"] * 32))
    leg = PEER.leg(server.sdp())
    assert (leg.ufrag, leg.pwd, leg.own_ufrag, leg.own_pwd, leg.server) == ("efgh", "y" * 24, "abcd", "x" * 24, "192.0.2.9:30000")
    assert [stream.ssrc for stream in leg.streams] == [1000]


def test_a_server_without_candidates_is_refused() -> None:
    text = "\r\n".join(line for line in PEER.sdp().splitlines() if "candidate" not in line) + "\r\n"
    with pytest.raises(ValueError, match="no candidate"):
        PEER.leg(text)


def test_addresses_are_counted_on() -> None:
    assert number_to_ip(ip_to_number("127.1.0.0") + 300) == "127.1.1.44"
    assert Line("hello").failed == []
