"""What counts as a stream that was disturbed, and what a busy machine excuses."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest

from tests.load_peers import HeardSource, Latency, LoadPeer, LoadPeers, PeerStats, SentStream
from tests.resilience import hearing
from tests.resilience.hearing import Sound, Stream, caught_up, check_none_missing, check_sound, streams_of
from tests.resilience.waiting import Waiting

FINE = HeardSource(
    ssrc=7,
    pt=111,
    packets=1_000,
    lost=0,
    holes=0,
    reordered=0,
    longest_gap_ms=25.0,
    sender="bob",
    latency_us=Latency(300, 900, 4_000),
)
FINE_STREAM = Stream("ann", "bob", 1_000, FINE)
CALM = Waiting((), [(0.0, 0.0), (10.0, 0.0)])


def among_others(stream: Stream) -> list[Stream]:
    """So that it is a small part of all."""
    return [FINE_STREAM] * 199 + [stream]


def with_source(sent: int = 1_000, **changes: object) -> Stream:
    """The fine stream with another source."""
    return Stream("ann", "bob", sent, msgspec.structs.replace(FINE, **changes))


def test_fine_streams_pass() -> None:
    check_sound([FINE_STREAM] * 200, CALM)
    check_none_missing([FINE_STREAM] * 200)


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (with_source(packets=994, lost=6), "too much lost"),
        (with_source(longest_gap_ms=251.0), "longest gap"),
        (with_source(latency_us=Latency(300, 61_000, 70_000)), "99 of 100"),
        (with_source(latency_us=Latency(300, 900, 251_000)), "slowest packet"),
    ],
)
def test_one_stream_of_two_hundred_is_seen(stream: Stream, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        check_sound(among_others(stream), CALM)


def test_a_little_lost_of_each_stream_is_too_much_in_all() -> None:
    some = with_source(packets=998, lost=2)
    check_sound(among_others(some), CALM)
    with pytest.raises(AssertionError, match="400 packets lost of 200000"):
        check_sound([some] * 200, CALM)
    with pytest.raises(AssertionError, match="400 packets lost of 200000"):
        check_none_missing([some] * 200)


@pytest.mark.parametrize("packets", [994, 1_001])
def test_what_leaves_no_hole_is_missing_at_the_end(packets: int) -> None:
    with pytest.raises(AssertionError, match="1 of 200 streams miss packets"):
        check_none_missing(among_others(with_source(packets=packets)))


def test_a_wait_excuses_what_is_not_longer_than_it() -> None:
    """300 ms of waiting at one time and none else: a gap of 500 ms is excused, one of 2 s is not."""
    waiting = Waiting((), [(0.0, 0.0), (5.0, 0.0), (5.3, 0.3), (20.0, 0.3)])
    check_sound([with_source(longest_gap_ms=500.0)], waiting)
    with pytest.raises(AssertionError, match="300 ms of it without a processor"):
        check_sound([with_source(longest_gap_ms=2_000.0)], waiting)


def test_the_longest_wait_is_of_one_stretch_of_time() -> None:
    """A wait here and a wait there are not one."""
    waiting = Waiting((), [(tenth / 10, 0.05 * (tenth // 10)) for tenth in range(101)])
    assert waiting.total_ms() == pytest.approx(500)
    assert waiting.most_within_ms(100) == pytest.approx(50)
    assert waiting.most_within_ms(900) == pytest.approx(50)
    assert waiting.most_within_ms(2_000) == pytest.approx(100)
    assert waiting.most_within_ms(60_000) == pytest.approx(500)


def test_the_worst_stream_is_told() -> None:
    late = with_source(packets=997, lost=3, latency_us=Latency(1, 2_000, 3_000), longest_gap_ms=99.0)
    sound = Sound.of(among_others(late))
    assert (sound.packets, sound.lost, sound.most_lost) == (200_000, 3, 3)
    assert (sound.gap_ms, sound.late_ms, sound.p99_ms, sound.median_p99_ms) == (99.0, 4.0, 2.0, 0.9)


def stats_of(sent: int, *heard: HeardSource, state: str = "up") -> PeerStats:
    """Of a peer that sends one stream."""
    return PeerStats(state, 1.0, [SentStream(7, 111, True, sent)], list(heard), 1, 0, 0, 0)


class Told:
    """A load that says one thing after the other, and then the last again."""

    def __init__(self, *answers: dict[str, PeerStats]) -> None:
        self._answers = list(answers)

    async def stats(self) -> dict[str, PeerStats]:
        """The next."""
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Named:
    """A peer that is a name."""

    def __init__(self, name: str) -> None:
        self.name = name


PAIR = (cast("LoadPeer", Named("ann")), cast("LoadPeer", Named("bob")))


def both(bobs_sent: int, source: HeardSource) -> dict[str, PeerStats]:
    """Ann hears this of bob, who hears her well."""
    return {"ann": stats_of(1_000, source), "bob": stats_of(bobs_sent, msgspec.structs.replace(FINE, ssrc=8, sender="ann"))}


async def test_a_stream_is_waited_for_until_it_has_what_was_sent() -> None:
    late, there = both(1_003, FINE), both(1_010, msgspec.structs.replace(FINE, packets=1_007, lost=1))
    streams = await caught_up(cast("LoadPeers", Told(late, late, there)), [PAIR])
    assert {(each.listener, each.sent, each.source.packets) for each in streams} == {("ann", 1_010, 1_007), ("bob", 1_000, 1_000)}


async def test_a_silent_stream_is_seen_whatever_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost of it, and no packet was late; a BYE is no excuse, and another copy that goes on is none."""
    monkeypatch.setattr(hearing, "CAUGHT_UP_WITHIN_S", 0.0)
    silent = msgspec.structs.replace(FINE, packets=0, latency_us=None, bye_at=1.0)
    other = msgspec.structs.replace(FINE, ssrc=9)
    stats = both(1_000, silent) | {"ann": stats_of(1_000, silent, other)}
    with pytest.raises(AssertionError, match="1 of 3 streams do not go on"):
        await caught_up(cast("LoadPeers", Told(stats)), [PAIR])


@pytest.mark.parametrize(
    "ann", [stats_of(1_000), stats_of(1_000, FINE, state="closed"), stats_of(1_000, msgspec.structs.replace(FINE, sender="eve"))]
)
def test_a_peer_that_is_gone_or_never_heard_the_other_is_seen(ann: PeerStats) -> None:
    with pytest.raises(AssertionError, match="ann is"):
        streams_of(both(1_000, FINE) | {"ann": ann}, [PAIR])
