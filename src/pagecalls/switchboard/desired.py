"""What the engine is to do, as it follows from a call's media facts: each leg's full desired state, and the routing table. Pure.

The engine makes it so and decides nothing. A revision counts up whenever something changes, so that the engine can tell old from
new; `revised` sees to that, and nobody else counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from pagecalls.media import protocol
from pagecalls.sdp.codecs import EVENTS
from pagecalls.sdp.connection import HostCandidate, Line, Transport
from pagecalls.switchboard.media import LABELS, CallMedia, Leg, far_lines, peer_lines
from pagecalls.types import MediaKind, Side, TrackLabel, TrackStatus

SOUND = TrackLabel.DEFAULT_AUDIO.value
T_CONN_MS = 20_000


def transport(created: protocol.LegCreateOk, fingerprint: protocol.Fingerprint) -> Transport:
    """What the engine said of a new leg, in the words of `sdp`."""
    candidates = tuple(HostCandidate(candidate.proto, candidate.ip, candidate.port) for candidate in created.candidates)
    return Transport(created.ufrag, created.pwd, fingerprint.value, candidates)


def revised(before: CallMedia | None, media: CallMedia) -> CallMedia:
    """The same facts, with the revision of all that differs from `before` one higher."""
    if before is None:
        return media
    is_rerouted = before.is_through is not media.is_through or (
        _is_renegotiated(before, media) and list(_routes(before)) != list(_routes(media))
    )
    return replace(
        media,
        business=_revised_leg(before, media, Side.BUSINESS),
        consumer=_revised_leg(before, media, Side.CONSUMER),
        route_rev=before.route_rev + is_rerouted,
    )


def _revised_leg(before: CallMedia, media: CallMedia, side: Side) -> Leg | None:
    """The leg of `media`. What it does changes with the call too: its timers run from the moment media may pass."""
    old, new = before.leg(side), media.leg(side)
    if old is None or new is None or old.id != new.id:
        return new
    is_changed = old != new or before.is_through is not media.is_through
    return replace(new, rev=old.rev + 1) if is_changed else new


def _is_renegotiated(before: CallMedia, media: CallMedia) -> bool:
    """Whether a connection has changed, which routes depend on: most changes are to what runs on a leg."""
    pairs = ((before.business, media.business), (before.consumer, media.consumer))
    return any(old is not new and (old is None or new is None or old.connection is not new.connection) for old, new in pairs)


def leg_state(media: CallMedia, side: Side) -> protocol.LegApply:
    """The full desired state of the leg of `side`."""
    leg = media.leg(side)
    if leg is None:
        raise LookupError(side)
    peer, lines = leg.connection.peer, peer_lines(leg.connection)
    return protocol.LegApply(
        leg=leg.id,
        rev=leg.rev,
        remote=protocol.Remote(
            ufrag=peer.ufrag,
            pwd=peer.pwd,
            fingerprints=[protocol.Fingerprint(alg=_hash(alg), value=value) for alg, value in peer.fingerprints],
        ),
        timers=protocol.Timers(conn_ms=T_CONN_MS if media.is_through else None),
        recv=[_recv(lines[label], label) for label in LABELS if label in lines],
        send=list(_sent(media, leg, side)),
    )


def routing(call: str, media: CallMedia) -> protocol.CallRoute:
    """The routing table: every track both ways, each unless its sender disabled it or its receiver holds the call."""
    return protocol.CallRoute(call=call, rev=media.route_rev, routes=list(_routes(media)))


def _routes(media: CallMedia) -> Iterator[protocol.Route]:
    for side in Side:
        sender, receiver = media.leg(side), media.leg(side.other)
        if sender is None or receiver is None or not media.is_through:
            continue
        # Sound always has a place on a leg; everything else has one once it was offered.
        places = {TrackLabel.DEFAULT_AUDIO, *far_lines(receiver.connection)}
        lines = peer_lines(sender.connection)
        for label in LABELS:
            if label in lines and label in places:
                yield protocol.Route(
                    from_=protocol.TrackRef(leg=sender.id, track=label.value),
                    to=protocol.TrackRef(leg=receiver.id, track=label.value),
                    on=lines[label].peer_status is TrackStatus.ENABLED and receiver.hears(label),
                )


def _sent(media: CallMedia, leg: Leg, side: Side) -> Iterator[protocol.SendTrack]:
    """The far side's tracks on this leg, sound first."""
    lines = far_lines(leg.connection)
    for label in LABELS:
        offered = lines.get(label)
        line = leg.connection.audio_line if label is TrackLabel.DEFAULT_AUDIO else offered
        if line is None:
            continue
        yield protocol.SendTrack(
            track=label.value,
            kind=_kind(label),
            cname=media.stream(side.other, label).rpartition(":")[0],
            # Digits go to the business alone: what it sends of them is ignored (messenger-calling 10).
            codecs=[codec for codec in _codecs(line) if side is Side.BUSINESS or codec.key not in EVENTS],
            ext=_extensions(line),
            fb=_feedback(line),
            outputs=list(_outputs(leg, label, offered)),
        )


def _outputs(leg: Leg, label: TrackLabel, offered: Line | None) -> Iterator[protocol.Output]:
    """Copy A for sound, unless the peer does not receive on its own line; the offered stream once it was handed over."""
    a_line = leg.connection.a_line
    if label is TrackLabel.DEFAULT_AUDIO and leg.is_a_on and a_line is not None:
        yield protocol.Output(ssrc=leg.a_ssrc, mid=a_line.mid)
    if offered is not None and offered.far_ssrc is not None and leg.runs(offered):
        yield protocol.Output(ssrc=offered.far_ssrc, mid=offered.mid, rtx_ssrc=offered.far_rtx_ssrc)


def _recv(line: Line, label: TrackLabel) -> protocol.RecvTrack:
    return protocol.RecvTrack(
        track=label.value,
        mid=line.mid,
        kind=_kind(label),
        ssrcs=list(line.peer_ssrcs),
        rtx_ssrcs=list(line.peer_rtx_ssrcs),
        codecs=_codecs(line),
        ext=_extensions(line),
        fb=_feedback(line),
    )


def _kind(label: TrackLabel) -> Literal["audio", "video"]:
    return "audio" if label.kind is MediaKind.AUDIO else "video"


def _codecs(line: Line) -> list[protocol.Codec]:
    return [protocol.Codec(key=codec.key, pt=codec.pt, rtx_pt=codec.rtx_pt) for codec in line.codecs]


def _feedback(line: Line) -> list[str]:
    return list(line.codecs[0].feedback) if line.codecs else []


def _extensions(line: Line) -> protocol.Extensions:
    ids = dict(line.ext)
    return protocol.Extensions(
        mid=ids.get("mid"), level=ids.get("level"), twcc=ids.get("twcc"), rot=ids.get("rot"), ctype=ids.get("ctype")
    )


def _hash(alg: str) -> protocol.HashName:
    return protocol.HASH_NAMES[alg]
