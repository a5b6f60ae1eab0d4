"""What the peers of calls hear of each other, stream by stream, held against what was sent.

Owns the promise that kills and attacks share: every stream goes on, misses next to nothing and is never late or silent for long.
Knows peers in pairs; not what is done to them meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.load_peers import HeardSource, LoadPeer, LoadPeers, PeerStats
from tests.resilience.figures import percentile
from tests.resilience.waiting import Waiting

Pair = tuple[LoadPeer, LoadPeer]

LOSS = 0.001
"""Share of all packets that may be missing."""
STREAM_LOSS = 5
"""Packets that one stream may miss: a tenth of a second."""
UNDER_WAY = 2
"""Packets of a stream that may be on their way at any moment, one in 20 ms."""
LONGEST_MS = 250.0
"""Without a packet, and for any packet on its way, besides the time in which engine and peers had no processor."""
SLOW_MS = 60.0
"""For 99 of 100 packets of each stream, besides the same: a receiver's buffer takes that up."""
CAUGHT_UP_WITHIN_S = 10.0
LOOK_S = 0.02
TOLD = 5
"""Faults that a failure names."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What one peer received of another since the mark, one copy of it, and how many packets the other had sent."""

    listener: str
    speaker: str
    sent: int
    source: HeardSource

    @property
    def is_caught_up(self) -> bool:
        """Whether each packet has come or was overtaken, but for those under way."""
        return self.behind <= UNDER_WAY

    @property
    def behind(self) -> int:
        """Packets that have neither come nor been overtaken."""
        return self.missing - self.source.lost

    @property
    def missing(self) -> int:
        """Packets that have not come, whyever."""
        return self.sent - self.source.packets

    def __str__(self) -> str:
        source = self.source
        counts = f"{source.packets} of {self.sent} packets, {source.lost} lost, the longest gap {source.longest_gap_ms:.0f} ms"
        return f"{self.listener} of {self.speaker} ({source.ssrc:x}): {counts}"


@dataclass(frozen=True, slots=True)
class Sound:
    """All streams together: the packets sent (once for each copy), those lost; the worst stream in each respect, and the median
    stream's 99th percentile of the time under way."""

    packets: int
    lost: int
    most_lost: int
    gap_ms: float
    late_ms: float
    p99_ms: float
    median_p99_ms: float

    @classmethod
    def of(cls, streams: Sequence[Stream]) -> Sound:
        """Of at least one."""
        p99s = [p99_ms(stream) for stream in streams]
        return cls(
            packets=sum(stream.sent for stream in streams),
            lost=sum(stream.source.lost for stream in streams),
            most_lost=max(stream.source.lost for stream in streams),
            gap_ms=max(stream.source.longest_gap_ms for stream in streams),
            late_ms=max(late_ms(stream) for stream in streams),
            p99_ms=max(p99s),
            median_p99_ms=percentile(p99s, 0.5),
        )


def late_ms(stream: Stream) -> float:
    """How long the slowest packet was under way; 0 without packets."""
    return 0.0 if stream.source.latency_us is None else stream.source.latency_us.max / 1e3


def p99_ms(stream: Stream) -> float:
    """What 99 of 100 packets did not take longer than."""
    return 0.0 if stream.source.latency_us is None else stream.source.latency_us.p99 / 1e3


def streams_of(stats: dict[str, PeerStats], pairs: Iterable[Pair]) -> list[Stream]:
    """Both ways of each pair. Each source that ever came must go on, whether or not it said BYE.

    Raises `AssertionError` if a peer is not up or has never heard the other.
    """
    streams = []
    for pair in pairs:
        for listener, speaker in (pair, pair[::-1]):
            told, sent = stats[listener.name], stats[speaker.name].packets_sent
            found = told.heard_from(speaker.name)
            if told.state != "up" or not found:
                raise AssertionError(f"{listener.name} is {told.state} and hears {len(found)} sources")
            streams += [Stream(listener.name, speaker.name, sent, source) for source in found]
    return streams


async def caught_up(load: LoadPeers, pairs: Sequence[Pair]) -> list[Stream]:
    """What each stream was at a moment at which all that had been sent had come, or was overtaken; each has its own moment.

    Raises `AssertionError` if a stream never gets there: it is silent, or late without end.
    """
    done: dict[tuple[str, int], Stream] = {}
    deadline = asyncio.get_running_loop().time() + CAUGHT_UP_WITHIN_S
    while True:
        streams = streams_of(await load.stats(), pairs)
        done |= {(each.listener, each.source.ssrc): each for each in streams if each.is_caught_up}
        behind = [each for each in streams if (each.listener, each.source.ssrc) not in done]
        if not behind:
            return list(done.values())
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(listed(f"{len(behind)} of {len(streams)} streams do not go on", map(str, behind)))
        await asyncio.sleep(LOOK_S)


async def ended(load: LoadPeers, pairs: Sequence[Pair]) -> list[Stream]:
    """Stop what all peers send, and wait until the last packet of it has come, or as many as that are missing for good."""
    for peer in (peer for pair in pairs for peer in pair):
        await peer.send(on=False)
    deadline = asyncio.get_running_loop().time() + CAUGHT_UP_WITHIN_S
    while True:
        streams = streams_of(await load.stats(), pairs)
        if not any(each.behind for each in streams) or asyncio.get_running_loop().time() > deadline:
            return streams
        await asyncio.sleep(LOOK_S)


def check_none_missing(streams: Sequence[Stream]) -> None:
    """As many packets came as were sent, but for very few of any stream. Raises `AssertionError`."""
    wrong = [stream for stream in streams if not 0 <= stream.missing <= STREAM_LOSS]
    if wrong:
        raise AssertionError(listed(f"{len(wrong)} of {len(streams)} streams miss packets", map(str, wrong)))
    _check_loss(sum(stream.missing for stream in streams), streams)


def check_sound(streams: Sequence[Stream], waiting: Waiting) -> None:
    """No stream lost much, was late, or silent for long. Raises `AssertionError`."""
    faults = [fault for stream in streams for fault in _faults(stream, waiting)]
    if faults:
        raise AssertionError(listed(f"{len(faults)} faults in {len(streams)} streams", faults))
    _check_loss(sum(stream.source.lost for stream in streams), streams)


def _faults(stream: Stream, waiting: Waiting) -> list[str]:
    measured = {
        "longest gap": (stream.source.longest_gap_ms, LONGEST_MS),
        "slowest packet": (late_ms(stream), LONGEST_MS),
        "99 of 100 packets": (p99_ms(stream), SLOW_MS),
    }
    waits = {what: waiting.most_within_ms(ms) for what, (ms, _) in measured.items()}
    found = [
        f"{what} {ms:.0f} ms, {waits[what]:.0f} ms of it without a processor; {stream}"
        for what, (ms, most) in measured.items()
        if ms > most + waits[what]
    ]
    return found + ([f"too much lost; {stream}"] if stream.source.lost > STREAM_LOSS else [])


def _check_loss(lost: int, streams: Sequence[Stream]) -> None:
    packets = sum(stream.sent for stream in streams)
    if lost > LOSS * packets:
        raise AssertionError(f"{lost} packets lost of {packets}")


def listed(what: str, each: Iterable[str]) -> str:
    """With the first few of them."""
    return "\n  ".join([what, *list(each)[:TOLD]])
