"""What a direction did, in numbers: by kind of datagram, by RTP stream, and how long datagrams took.

Owns counters and their sums. Decides nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, fields, replace

from pagecalls.testing.impair.packets import Kind

MAX_STREAMS = 256
"""More SSRCs than this are counted by kind only: a relay may see noise."""

_BUCKETS_PER_E = 20  # a step of 5 %: so exact are the quantiles


@dataclass(slots=True)
class Counts:
    """Datagrams. `received` and `duplicated` came in; `forwarded`, the four ways to be dropped and `waiting` say what became of
    them. `reordered` left after one that had come later. Bytes are UDP payload."""

    received: int = 0
    received_bytes: int = 0
    duplicated: int = 0
    forwarded: int = 0
    forwarded_bytes: int = 0
    lost: int = 0
    blackholed: int = 0
    queue_dropped: int = 0
    too_big: int = 0
    reordered: int = 0

    @property
    def dropped(self) -> int:
        """In any of the four ways; copies included."""
        return self.lost + self.blackholed + self.queue_dropped + self.too_big

    @property
    def waiting(self) -> int:
        """Still under way, or gone with a flow that was closed."""
        return self.received + self.duplicated - self.forwarded - self.dropped

    def add(self, other: Counts) -> None:
        """Sum up what is counted."""
        for entry in fields(Counts):
            setattr(self, entry.name, getattr(self, entry.name) + getattr(other, entry.name))


@dataclass(slots=True)
class StreamCounts(Counts):
    """One RTP stream. `jitter_ms`: the interarrival jitter (RFC 3550 6.4.1) that the relay alone put into it so far."""

    jitter_ms: float = 0.0
    last_delay_s: float | None = None

    def note_delay(self, delay_s: float) -> None:
        """A datagram of this stream left after `delay_s`."""
        if self.last_delay_s is not None:
            self.jitter_ms += (abs(delay_s - self.last_delay_s) * 1000 - self.jitter_ms) / 16
        self.last_delay_s = delay_s


@dataclass(slots=True)
class Delays:
    """How long forwarded datagrams stayed in the relay. Quantiles are right within 5 %."""

    count: int = 0
    sum_s: float = 0.0
    buckets: Counter[int] = field(default_factory=Counter)

    def note(self, delay_s: float) -> None:
        """One datagram."""
        self.count += 1
        self.sum_s += delay_s
        self.buckets[int(math.log1p(delay_s * 1e6) * _BUCKETS_PER_E)] += 1

    def add(self, other: Delays) -> None:
        """Sum up."""
        self.count += other.count
        self.sum_s += other.sum_s
        self.buckets.update(other.buckets)

    @property
    def mean_ms(self) -> float:
        """0.0 before the first datagram."""
        return self.sum_s / self.count * 1000 if self.count else 0.0

    def quantile_ms(self, share: float) -> float:
        """The delay that this share of datagrams did not exceed; 0.0 before the first one."""
        left = math.ceil(self.count * share)
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return math.expm1((bucket + 0.5) / _BUCKETS_PER_E) / 1000 if bucket else 0.0
        return 0.0


@dataclass(slots=True)
class Figures:
    """All of a direction. `streams` by SSRC."""

    kinds: dict[Kind, Counts] = field(default_factory=dict)
    streams: dict[int, StreamCounts] = field(default_factory=dict)
    delays: Delays = field(default_factory=Delays)

    def of(self, kinds: Kind) -> Counts:
        """The sum over these kinds."""
        total = Counts()
        for kind, counts in self.kinds.items():
            if kind in kinds:
                total.add(counts)
        return total

    @property
    def total(self) -> Counts:
        """The sum over everything."""
        return self.of(Kind.ANY)

    def stream(self, ssrc: int) -> StreamCounts | None:
        """The counters of this SSRC, new ones included; `None` when there are too many."""
        counts = self.streams.get(ssrc)
        if counts is None and len(self.streams) < MAX_STREAMS:
            counts = self.streams[ssrc] = StreamCounts()
        return counts

    def add(self, other: Figures) -> None:
        """Sum up. A stream that is in both keeps the jitter that is in `other`, the later one."""
        for kind, counts in other.kinds.items():
            self.kinds.setdefault(kind, Counts()).add(counts)
        for ssrc, counts in other.streams.items():
            before = self.streams.get(ssrc)
            after = self.streams[ssrc] = replace(counts)
            if before is not None:
                after.add(before)
        self.delays.add(other.delays)
