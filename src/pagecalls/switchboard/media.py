"""The media facts of one call, and the desired state of its legs that follows from them. Pure.

A leg's sound goes out as the two copies of messenger-calling 6.6: A on the peer's own audio line from the first moment, B on
the line of the renegotiation offer once that was handed over. Here stands which of them runs; the engine only makes it so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pagecalls.media import protocol
from pagecalls.sdp.connection import Connection, HostCandidate, Line, Transport
from pagecalls.types import LegId, MediaKind, Side, TrackLabel, TrackStatus

SOUND = TrackLabel.DEFAULT_AUDIO.value
T_CONN_MS = 20_000


@dataclass(frozen=True, slots=True)
class Leg:
    """One peer. `a_ssrc` is never signalled; B's stands in the connection's appended line."""

    id: LegId
    connection: Connection
    a_ssrc: int
    rev: int = 1
    is_a_on: bool = True
    is_b_on: bool = False

    @property
    def b_line(self) -> Line | None:
        """The appended line that carries the far side's sound."""
        return next((line for line in self.connection.lines if line.is_ours and line.far_label is TrackLabel.DEFAULT_AUDIO), None)

    @property
    def ssrcs(self) -> frozenset[int]:
        """Every source in use on this leg, the peer's and ours."""
        lines = self.connection.lines
        ours = {line.far_ssrc for line in lines if line.far_ssrc is not None} | {self.a_ssrc}
        return frozenset(ours.union(*(line.peer_ssrcs for line in lines)))


@dataclass(frozen=True, slots=True)
class AcceptReply:
    """What accept answered, kept for its replay (messenger-calling 2.3)."""

    answer: str
    renegotiation: str | None


@dataclass(frozen=True, slots=True)
class CallMedia:
    """`streams`: the stream id under which each side is shown to the other. `is_through`: both accepted, sound may pass."""

    node: str
    business_stream: str
    consumer_stream: str
    business: Leg | None = None
    consumer: Leg | None = None
    route_rev: int = 0
    is_through: bool = False
    accept_reply: AcceptReply | None = None

    def leg(self, side: Side) -> Leg | None:
        """The leg of `side`, if it has one yet."""
        return self.business if side is Side.BUSINESS else self.consumer

    def with_leg(self, side: Side, leg: Leg) -> CallMedia:
        """The same facts with another leg of `side`."""
        return replace(self, business=leg) if side is Side.BUSINESS else replace(self, consumer=leg)

    def stream(self, side: Side) -> str:
        """The stream id under which `side` is shown to the other side."""
        return self.business_stream if side is Side.BUSINESS else self.consumer_stream


def with_copies(media: CallMedia, sides: Iterable[Side], *, is_b_on: bool, is_a_on: bool | None = None) -> CallMedia:
    """The same facts with other copies running to `sides`; A stays as it is if nothing is said of it.

    A side without an offer of ours has no copy B, and stays as it is. Equal to `media` if nothing changes.
    """
    for side in sides:
        leg = media.leg(side)
        if leg is None or leg.b_line is None:
            continue
        changed = replace(leg, is_b_on=is_b_on, is_a_on=leg.is_a_on if is_a_on is None else is_a_on)
        if changed != leg:
            media = media.with_leg(side, replace(changed, rev=leg.rev + 1))
    return media


def transport(created: protocol.LegCreateOk, fingerprint: protocol.Fingerprint) -> Transport:
    """What the engine said of a new leg, in the words of `sdp`."""
    candidates = tuple(HostCandidate(candidate.proto, candidate.ip, candidate.port) for candidate in created.candidates)
    return Transport(created.ufrag, created.pwd, fingerprint.value, candidates)


def leg_state(media: CallMedia, side: Side) -> protocol.LegApply:
    """The full desired state of the leg of `side`."""
    leg = media.leg(side)
    if leg is None:
        raise LookupError(side)
    peer = leg.connection.peer
    return protocol.LegApply(
        leg=leg.id,
        rev=leg.rev,
        remote=protocol.Remote(
            ufrag=peer.ufrag,
            pwd=peer.pwd,
            fingerprints=[protocol.Fingerprint(alg=_hash(alg), value=value) for alg, value in peer.fingerprints],
        ),
        timers=protocol.Timers(conn_ms=T_CONN_MS if media.is_through else None),
        recv=[
            _recv(line, line.peer_label) for line in leg.connection.lines if line.peer_label is not None and not line.is_rejected
        ],
        send=[_sound(leg, media.stream(side.other))],
    )


def routing(call: str, media: CallMedia) -> protocol.CallRoute:
    """The routing table: sound both ways, each direction unless its sender disabled the track."""
    routes = []
    for side in Side:
        sender, receiver = media.leg(side), media.leg(side.other)
        if sender is None or receiver is None or not media.is_through:
            continue
        tracks = [line for line in sender.connection.lines if line.peer_label is TrackLabel.DEFAULT_AUDIO]
        routes += [
            protocol.Route(
                from_=protocol.TrackRef(leg=sender.id, track=SOUND),
                to=protocol.TrackRef(leg=receiver.id, track=SOUND),
                on=line.peer_status is TrackStatus.ENABLED,
            )
            for line in tracks
        ]
    return protocol.CallRoute(call=call, rev=media.route_rev, routes=routes)


def _recv(line: Line, label: TrackLabel) -> protocol.RecvTrack:
    return protocol.RecvTrack(
        track=label.value,
        mid=line.mid,
        kind="audio" if label.kind is MediaKind.AUDIO else "video",
        ssrcs=list(line.peer_ssrcs),
        codecs=_codecs(line),
        ext=_extensions(line),
    )


def _sound(leg: Leg, stream_id: str) -> protocol.SendTrack:
    line = leg.connection.audio_line
    # A peer that does not receive on its own line gets no copy A there.
    outputs = [protocol.Output(ssrc=leg.a_ssrc, mid=line.mid)] if leg.is_a_on and line.far_label is not None else []
    b_line = leg.b_line
    if leg.is_b_on and b_line is not None and b_line.far_ssrc is not None:
        outputs.append(protocol.Output(ssrc=b_line.far_ssrc, mid=b_line.mid))
    return protocol.SendTrack(
        track=SOUND,
        kind="audio",
        cname=stream_id.rpartition(":")[0],
        codecs=_codecs(line),
        ext=_extensions(line),
        outputs=outputs,
    )


def _codecs(line: Line) -> list[protocol.Codec]:
    return [protocol.Codec(key=codec.key, pt=codec.pt) for codec in line.codecs]


def _extensions(line: Line) -> protocol.Extensions:
    ids = dict(line.ext)
    return protocol.Extensions(mid=ids.get("mid"), level=ids.get("level"))


def _hash(alg: str) -> protocol.HashName:
    return protocol.HASH_NAMES[alg]
