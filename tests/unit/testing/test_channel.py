from __future__ import annotations

from collections.abc import Iterator

import pytest

from pagecalls.testing.impair import CLEAR, Channel, Fate, Impairment, Kind, Traced
from pagecalls.testing.impair.channel import HOLD_S

NEVER, ALWAYS = 0.999, 0.0
"""Draws that lie above and below every share."""


def rtp(number: int, ssrc: int = 7, size: int = 80) -> bytes:
    return b"\x80\x6f" + number.to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big") + bytes(size - 12)


def channel(impairment: Impairment, *draws: float, trace: list[Traced] | None = None) -> Channel:
    """Chance is this sequence, four numbers a datagram (loss, jitter, reorder, duplicate), then nothing happens any more."""

    def sequence() -> Iterator[float]:
        yield from draws
        while True:
            yield NEVER

    numbers = sequence()
    return Channel(lambda _: lambda: next(numbers), impairment, trace.append if trace is not None else None)


def numbers(datagrams: list[bytes]) -> list[int]:
    return [int.from_bytes(each[2:4], "big") for each in datagrams]


HOLD_FIRST = (NEVER, NEVER, ALWAYS, NEVER)


def test_a_held_datagram_goes_after_so_many_others() -> None:
    held = channel(Impairment(reorder=0.1, reorder_depth=2), *HOLD_FIRST)
    for number in range(4):
        held.push(rtp(number), number * 0.02)
    assert numbers(held.take(0.06)) == [1, 2, 0, 3]
    assert held.figures.total.reordered == 1
    assert held.figures.streams[7].reordered == 1


def test_a_held_datagram_that_nothing_passes_goes_at_last() -> None:
    held = channel(Impairment(delay_ms=10, reorder=0.1), *HOLD_FIRST)
    held.push(rtp(0), 5.0)
    assert held.next_at == pytest.approx(5.0 + 0.010 + HOLD_S)
    assert held.take(5.1) == []
    assert numbers(held.take(5.2)) == [0]
    held.push(rtp(1), 6.0)
    assert numbers(held.take(7.0)) == [1]
    assert held.figures.total.reordered == 0


def test_a_copy_follows_its_original_and_is_no_disorder() -> None:
    doubled = channel(Impairment(duplicate=0.1, delay_ms=20), NEVER, NEVER, NEVER, ALWAYS)
    for number in range(2):
        doubled.push(rtp(number), 0.0)
    assert numbers(doubled.take(1.0)) == [0, 0, 1]
    total = doubled.figures.total
    assert (total.received, total.duplicated, total.forwarded, total.reordered) == (2, 1, 3, 0)


def test_the_copy_of_a_held_datagram_is_held_with_it() -> None:
    both = channel(Impairment(duplicate=0.1, reorder=0.1, reorder_depth=1), NEVER, NEVER, ALWAYS, ALWAYS)
    for number in range(3):
        both.push(rtp(number), 0.0)
    assert numbers(both.take(1.0)) == [1, 0, 0, 2]


def test_a_black_hole_swallows_every_kind_and_ends() -> None:
    dark = channel(Impairment(impairs=Kind.RTP))
    dark.blackhole(10.0)
    for datagram in (rtp(0), b"\x00\x01stun", b"\x16\xfe\xfd"):
        dark.push(datagram, 9.9)
    dark.push(rtp(1), 10.0)
    assert numbers(dark.take(10.0)) == [1]
    assert dark.figures.total.blackholed == 3
    assert dark.figures.of(Kind.RTP).blackholed == 1


def test_a_path_that_becomes_shorter_does_not_reorder() -> None:
    path = channel(Impairment(delay_ms=100))
    path.push(rtp(0), 0.0)
    path.impairment = CLEAR
    path.push(rtp(1), 0.01)
    assert path.take(0.05) == []
    assert numbers(path.take(0.1)) == [0, 1]


def test_a_full_queue_drops_what_comes_last() -> None:
    # 80 bytes take 10 ms. The third would wait 20 ms.
    narrow = channel(Impairment(rate_bps=64_000, queue_ms=15))
    for number in range(4):
        narrow.push(rtp(number), 0.0)
    assert numbers(narrow.take(0.019)) == [0]
    assert numbers(narrow.take(0.020)) == [1]
    assert narrow.figures.total.queue_dropped == 2
    narrow.push(rtp(4), 0.030)
    assert narrow.next_at == pytest.approx(0.040)


def test_what_is_too_big_does_not_pass() -> None:
    path = channel(Impairment(mtu_bytes=100))
    path.push(rtp(0, size=100), 0.0)
    path.push(rtp(1, size=101), 0.0)
    assert numbers(path.take(0.0)) == [0]
    assert path.figures.total.too_big == 1


def test_figures_by_stream_and_their_jitter() -> None:
    path = channel(Impairment(loss=0.1), NEVER, NEVER, NEVER, NEVER, ALWAYS)
    path.push(rtp(0, ssrc=1), 0.0)
    path.push(rtp(1, ssrc=1), 0.02)
    path.push(rtp(0, ssrc=2), 0.02)
    path.push(b"\x80\x6f\x00\x00", 0.02)  # too short to name a stream
    path.take(0.02)
    path.impairment = Impairment(delay_ms=16)
    path.push(rtp(2, ssrc=1), 0.04)
    path.take(0.056)
    first = path.figures.streams[1]
    assert (first.received, first.forwarded, first.lost) == (3, 2, 1)
    # Delays of 20 ms (nobody took it earlier) and then 16 ms; one sixteenth of the difference counts.
    assert first.jitter_ms == pytest.approx(4 / 16)
    assert set(path.figures.streams) == {1, 2}
    assert path.figures.of(Kind.RTP).received == 5


def test_every_decision_can_be_seen() -> None:
    seen: list[Traced] = []
    path = channel(Impairment(loss=0.1, delay_ms=5), ALWAYS, NEVER, NEVER, NEVER, trace=seen)
    path.push(rtp(40, ssrc=9), 1.0)
    path.push(rtp(41, ssrc=9), 2.0)
    path.push(b"\x00\x01stun", 2.0)
    assert seen == [
        Traced(Kind.RTP, 0, Fate.LOST, 1.0, None, 80, False, 9, 40),
        Traced(Kind.RTP, 1, Fate.PASSED, 2.0, 2.005, 80, False, 9, 41),
        Traced(Kind.STUN, 0, Fate.PASSED, 2.0, 2.005, 6, False, None, None),
    ]
