"""The media facts of one call: what each leg's connection says, and which of our streams run on it. Pure.

Everything that a leg's peer is sent of the far side comes in offers of ours, and nobody tells whether an offer was applied. So a
stream that an offer names starts when the offer was handed over, and a sign of the peer may come later or never
(messenger-calling 6.6). Sound alone goes out from the first moment too, as copy A on the peer's own line, until the peer was seen
to play copy B, the stream of our offer. Here stands what was offered, handed over and confirmed; what the engine makes of it is
in `desired.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pagecalls.sdp.connection import Connection, Line
from pagecalls.types import LegId, Side, TrackLabel

NEVER = -1
"""No version of a connection: nothing was offered yet, or nothing handed over."""

LABELS = tuple(TrackLabel)
"""In the order in which tracks are listed everywhere: sound first."""

SCREEN = (TrackLabel.SCREEN_AUDIO, TrackLabel.SCREEN_VIDEO)


def peer_lines(connection: Connection) -> dict[TrackLabel, Line]:
    """The tracks that the peer sends, each with its line."""
    return {line.peer_label: line for line in connection.lines if line.carries_peer and line.peer_label is not None}


def far_lines(connection: Connection) -> dict[TrackLabel, Line]:
    """The far side's tracks that have a source of their own, each with its line. It keeps it while the peer does not receive."""
    return {line.far_label: line for line in connection.lines if line.far_ssrc is not None and line.far_label is not None}


@dataclass(frozen=True, slots=True)
class Shown:
    """A stream that an offer of ours names by its source. `since`: the version of the first offer that did."""

    ssrc: int
    since: int
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request was answered, for its repeats. `digest` tells the request, as in `AcceptRequested` and `MediaChanged`."""

    digest: str
    answer: str | None
    renegotiation: str | None
    version: int


@dataclass(frozen=True, slots=True)
class Leg:
    """One peer. `a_ssrc` is copy A's source, which is never signalled.

    `offered` and `handed` are versions of its connection (messenger-calling 4.1): of our last offer, and of the last one that is
    known to be in the peer's hands. `shown` are the streams of our last offer. `replies`: that to its first request, and that to
    its last. `names`: under which `<stream> <track>` the far side's tracks were offered, of each label the last; it stays theirs.
    """

    id: LegId
    connection: Connection
    a_ssrc: int
    rev: int = 1
    is_a_on: bool = True
    offered: int = NEVER
    handed: int = NEVER
    shown: tuple[Shown, ...] = ()
    replies: tuple[Reply, ...] = ()
    names: tuple[tuple[TrackLabel, str], ...] = ()

    @property
    def b_line(self) -> Line | None:
        """The line of our offer that carries the far side's sound: copy B."""
        return self.connection.far_line(TrackLabel.DEFAULT_AUDIO)

    @property
    def is_b_on(self) -> bool:
        """Whether copy B runs."""
        line = self.b_line
        return line is not None and self.runs(line)

    @property
    def is_owed(self) -> bool:
        """Whether the peer may not have our last offer."""
        return self.handed < self.offered

    @property
    def ssrcs(self) -> frozenset[int]:
        """Every source in use on this leg, the peer's and ours."""
        lines = self.connection.lines
        ours = {ssrc for line in lines for ssrc in (line.far_ssrc, line.far_rtx_ssrc) if ssrc is not None} | {self.a_ssrc}
        return frozenset(ours.union(*((*line.peer_ssrcs, *line.peer_rtx_ssrcs) for line in lines)))

    def runs(self, line: Line) -> bool:
        """Whether the stream of this line of our offer was handed over, so that it runs."""
        return any(shown.ssrc == line.far_ssrc and shown.since <= self.handed for shown in self.shown)

    def connected(self, connection: Connection) -> Leg:
        """With another state of the connection; streams whose source it no longer has are gone."""
        named = {line.far_ssrc for line in connection.lines}
        return replace(self, connection=connection, shown=tuple(shown for shown in self.shown if shown.ssrc in named))

    def offering(
        self, connection: Connection, version: int, names: Iterable[tuple[TrackLabel, str]], replies: tuple[Reply, ...]
    ) -> Leg:
        """With a connection that was made for an offer of ours: its new streams wait until that is handed over. `names` are those
        of this offer and all before it; `replies` hold the offer if a reply carries it."""
        named = [line.far_ssrc for line in connection.lines if line.far_ssrc is not None and line.carries_far]
        known = {shown.ssrc: shown for shown in self.shown}
        kept = [shown for shown in self.shown if shown.ssrc in named]
        new = [Shown(ssrc, version) for ssrc in named if ssrc not in known]
        return replace(self, connection=connection, shown=(*kept, *new), offered=version, names=tuple(names), replies=replies)

    def handed_over(self, version: int) -> Leg:
        """Our offer of that version is in the peer's hands (6.6, 3). Each offer holds all that those before it held."""
        return replace(self, handed=max(self.handed, min(version, self.offered)))

    def confirmed(self, ssrcs: frozenset[int]) -> Leg:
        """The peer was seen to receive these streams: so it has their offers, and copy A stops once it plays copy B (6.6, 4)."""
        seen = [shown for shown in self.shown if shown.ssrc in ssrcs]
        if not seen:
            return self
        leg = self.handed_over(max(shown.since for shown in seen))
        line = self.b_line
        is_b_seen = line is not None and line.far_ssrc in ssrcs
        shown = tuple(replace(one, is_confirmed=one.is_confirmed or one.ssrc in ssrcs) for one in self.shown)
        return replace(leg, shown=shown, is_a_on=self.is_a_on and not is_b_seen)

    def hears(self, label: TrackLabel) -> bool:
        """Whether the peer receives this track, or has no line for it yet: not where it holds the call."""
        line = far_lines(self.connection).get(label)
        is_a_heard = label is TrackLabel.DEFAULT_AUDIO and self.is_a_on and self.connection.a_line is not None
        return line is None or line.carries_far or is_a_heard

    def unconfirmed(self) -> tuple[TrackLabel, ...]:
        """The far side's tracks that run on this leg's offered lines without any sign of the peer."""
        running = {shown.ssrc for shown in self.shown if shown.since <= self.handed and not shown.is_confirmed}
        lines = self.connection.lines
        return tuple(
            line.far_label for line in lines if line.carries_far and line.far_ssrc in running and line.far_label is not None
        )

    def replied(self, reply: Reply) -> Leg:
        """With the reply to its newest request."""
        return replace(self, replies=(*self.replies[:1], reply))

    def reply_to(self, digest: str) -> Reply | None:
        """What that request was answered, if it was the first or the last."""
        return next((reply for reply in reversed(self.replies) if reply.digest == digest), None)


@dataclass(frozen=True, slots=True)
class CallMedia:
    """`streams`: the stream id under which each side is shown to the other. `is_through`: both accepted, media may pass."""

    node: str
    business_stream: str
    consumer_stream: str
    business: Leg | None = None
    consumer: Leg | None = None
    route_rev: int = 0
    is_through: bool = False

    def leg(self, side: Side) -> Leg | None:
        """The leg of `side`, if it has one yet."""
        return self.business if side is Side.BUSINESS else self.consumer

    def with_leg(self, side: Side, leg: Leg) -> CallMedia:
        """The same facts with another leg of `side`."""
        return replace(self, business=leg) if side is Side.BUSINESS else replace(self, consumer=leg)

    def stream(self, side: Side, label: TrackLabel = TrackLabel.DEFAULT_AUDIO) -> str:
        """The stream id under which a track of `side` is shown to the other side (messenger-calling 5.4)."""
        default = self.business_stream if side is Side.BUSINESS else self.consumer_stream
        return f"{default.rpartition(':')[0]}:SCREEN" if label in SCREEN else default
