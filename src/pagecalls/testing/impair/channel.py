"""One direction of one flow: datagrams and the time go in, the datagrams that are due come out.

Pure: no socket, no clock, and chance is handed in. Everything that chance decides about a datagram depends on its place among
the datagrams of its kind and on nothing else. Each takes the same number of draws, whatever is switched on. So the same seed
and the same datagrams give the same losses, however the machine was loaded, and one knob does not change what another does.
What depends on the time is said where it is: the bounded queue, the black hole, and how long a held datagram waits at most.

A datagram goes through these in turn: black hole, loss, size, duplication, bottleneck, delay, reordering.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from heapq import heappop, heappush

from pagecalls.testing.impair.figures import Counts, Figures, StreamCounts
from pagecalls.testing.impair.impairment import CLEAR, Impairment
from pagecalls.testing.impair.packets import Kind, classify, rtp_source

HOLD_S = 0.1
"""A datagram that is held back goes on after this time even if nothing has passed it."""

Draw = Callable[[], float]
"""A random number from 0 up to 1, as `random.Random.random`."""


_UNTOUCHED = Impairment()
"""What kinds meet that are not to be impaired. They also overtake those that are."""


class Fate(Enum):
    """What was decided about a datagram when it came."""

    PASSED = auto()
    HELD = auto()
    LOST = auto()
    BLACKHOLED = auto()
    QUEUE_DROPPED = auto()
    TOO_BIG = auto()


@dataclass(frozen=True, slots=True)
class Traced:
    """One decision, for who wants to see all of them.

    `number` counts the datagrams of this kind from 0; a copy has the number of its original. `due_at` is when it is to leave, on
    the clock that the channel is given; `None` for a datagram that does not. `ssrc` and `sequence` are those of RTP.
    """

    kind: Kind
    number: int
    fate: Fate
    at: float
    due_at: float | None
    size: int
    is_copy: bool
    ssrc: int | None
    sequence: int | None


@dataclass(slots=True)
class _Lane:
    """One kind: its draws, and where in its sequence we are."""

    draw: Draw
    counts: Counts
    number: int = -1
    was_lost: bool = False
    highest_out: int = -1


@dataclass(slots=True)
class _Parcel:
    """A datagram under way. `passers` are still to pass it before it goes on; `due_at` may move after it was queued."""

    datagram: bytes
    lane: _Lane
    stream: StreamCounts | None
    number: int
    at: float
    is_copy: bool
    due_at: float = 0.0
    passers: int = 0
    is_gone: bool = False


@dataclass(slots=True)
class _Draws:
    """All chance for one datagram."""

    loss: float
    jitter: float
    reorder: float
    duplicate: float


@dataclass(slots=True)
class Channel:
    """`draws` makes the chance of a kind when its first datagram comes. `trace` sees every decision, `leaves` every datagram that
    is due, copies too, and when it was taken."""

    draws: Callable[[Kind], Draw]
    impairment: Impairment = CLEAR
    trace: Callable[[Traced], None] | None = None
    leaves: Callable[[bytes, float], None] | None = None
    figures: Figures = field(default_factory=Figures)
    in_flight: int = 0
    _lanes: dict[Kind, _Lane] = field(default_factory=dict)
    _heap: list[tuple[float, int, _Parcel]] = field(default_factory=list)
    _held: list[_Parcel] = field(default_factory=list)
    _pushed: int = 0
    _free_at: float = 0.0
    _last_due: float = 0.0
    _dark_until: float = 0.0

    def blackhole(self, until: float) -> None:
        """Swallow everything, of every kind, that comes before this time."""
        self._dark_until = until

    def push(self, datagram: bytes, now: float) -> None:
        """A datagram has come. `now` never goes back."""
        kind = classify(datagram)
        lane = self._lanes.get(kind) or self._open_lane(kind)
        lane.number += 1
        draws = _Draws(lane.draw(), lane.draw(), lane.draw(), lane.draw())
        source = rtp_source(datagram) if kind is Kind.RTP else None
        parcel = _Parcel(datagram, lane, self.figures.stream(source[0]) if source else None, lane.number, now, False)
        _count(parcel, "received")
        rules = self.impairment if kind in self.impairment.impairs else _UNTOUCHED
        copies = self._admit(parcel, rules, draws, now)
        if not isinstance(copies, Fate):
            for each in copies:
                fate, due_at = self._schedule(each, rules, draws, now)
                self._tell(kind, each, fate, due_at, source)
            return
        self._tell(kind, parcel, copies, None, source)

    def take(self, now: float, slack_s: float = 0.0) -> list[bytes]:
        """The datagrams that are due by `now`, or so soon after it that no timer would be worth its while."""
        out: list[bytes] = []
        heap, until = self._heap, now + slack_s
        while heap and heap[0][0] <= until:
            due_at, _, parcel = heappop(heap)
            if parcel.is_gone or due_at != parcel.due_at:
                continue
            parcel.is_gone = True
            self.in_flight -= 1
            self._leave(parcel, now)
            out.append(parcel.datagram)
            if self.leaves is not None:
                self.leaves(parcel.datagram, now)
        return out

    @property
    def next_at(self) -> float | None:
        """When `take` has something again; `None` while nothing is under way."""
        while self._heap and (self._heap[0][2].is_gone or self._heap[0][0] != self._heap[0][2].due_at):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    # --- one datagram -------------------------------------------------------------------------------------------------

    def _admit(self, parcel: _Parcel, rules: Impairment, draws: _Draws, now: float) -> list[_Parcel] | Fate:
        """It and its copy, or how it ended."""
        lane = parcel.lane
        lane.was_lost = rules.loses(draws.loss, lane.was_lost)
        if now < self._dark_until:
            _count(parcel, "blackholed")
            return Fate.BLACKHOLED
        if lane.was_lost:
            _count(parcel, "lost")
            return Fate.LOST
        if rules.mtu_bytes is not None and len(parcel.datagram) > rules.mtu_bytes:
            _count(parcel, "too_big")
            return Fate.TOO_BIG
        if draws.duplicate >= rules.duplicate:
            return [parcel]
        _count(parcel, "duplicated")
        copy = _Parcel(parcel.datagram, lane, parcel.stream, parcel.number, now, True)
        return [parcel, copy]

    def _schedule(self, parcel: _Parcel, rules: Impairment, draws: _Draws, now: float) -> tuple[Fate, float | None]:
        """What is to become of it, and when it is to leave."""
        ready_at = self._through_bottleneck(len(parcel.datagram), rules, now)
        if ready_at is None:
            _count(parcel, "queue_dropped")
            return Fate.QUEUE_DROPPED, None
        self.in_flight += 1
        due_at = ready_at + rules.waits_s(draws.jitter)
        if rules is not _UNTOUCHED:
            if not rules.jitter_reorders:
                due_at = max(due_at, self._last_due)
            if draws.reorder < rules.reorder:
                parcel.passers = rules.reorder_depth
                self._held.append(parcel)
                self._due(parcel, due_at + HOLD_S)
                return Fate.HELD, parcel.due_at
            self._last_due = max(due_at, self._last_due)
        self._due(parcel, due_at)
        if self._held and not parcel.is_copy:
            self._pass_held(due_at)
        return Fate.PASSED, due_at

    def _through_bottleneck(self, size: int, rules: Impairment, now: float) -> float | None:
        """When its last bit is through; `None` if the queue before it is too long."""
        if rules.rate_bps is None:
            return now
        begins_at = max(now, self._free_at)
        if (begins_at - now) * 1000 > rules.queue_ms:
            return None
        self._free_at = begins_at + size * 8 / rules.rate_bps
        return self._free_at

    def _pass_held(self, due_at: float) -> None:
        """A datagram goes at `due_at`; those that it was the last to pass follow it."""
        for parcel in self._held:
            parcel.passers -= 1
            if parcel.passers == 0 and not parcel.is_gone:
                self._due(parcel, max(due_at, parcel.due_at - HOLD_S))
        self._held = [parcel for parcel in self._held if parcel.passers > 0 and not parcel.is_gone]

    def _due(self, parcel: _Parcel, due_at: float) -> None:
        """Put it into the heap; an earlier place of it there becomes void."""
        self._pushed += 1  # keeps equal times in the order of their coming
        parcel.due_at = due_at
        heappush(self._heap, (due_at, self._pushed, parcel))

    def _leave(self, parcel: _Parcel, now: float) -> None:
        lane, stream = parcel.lane, parcel.stream
        delay_s = max(0.0, now - parcel.at)
        self.figures.delays.note(delay_s)
        if stream is not None and not parcel.is_copy:
            stream.note_delay(delay_s)
        _count(parcel, "forwarded")
        if parcel.number > lane.highest_out:
            lane.highest_out = parcel.number
        elif parcel.number < lane.highest_out and not parcel.is_copy:
            _count(parcel, "reordered")

    def _open_lane(self, kind: Kind) -> _Lane:
        counts = self.figures.kinds.setdefault(kind, Counts())
        lane = self._lanes[kind] = _Lane(self.draws(kind), counts)
        return lane

    def _tell(self, kind: Kind, parcel: _Parcel, fate: Fate, due_at: float | None, source: tuple[int, int] | None) -> None:
        if self.trace is None:
            return
        ssrc, sequence = source or (None, None)
        size = len(parcel.datagram)
        self.trace(Traced(kind, parcel.number, fate, parcel.at, due_at, size, parcel.is_copy, ssrc, sequence))


def _count(parcel: _Parcel, what: str) -> None:
    """Count it for its kind and, if it is RTP, for its stream."""
    for counts in (parcel.lane.counts, parcel.stream):
        if counts is None:
            continue
        setattr(counts, what, getattr(counts, what) + 1)
        if what in ("received", "forwarded"):
            name = f"{what}_bytes"
            setattr(counts, name, getattr(counts, name) + len(parcel.datagram))
