"""Our offers: what each side is shown of the other, as the state machine's effects ask for it.

A label's track has one name for as long as the call lasts; its source is new whenever it starts again, as a source that has ended
may not come back. Owns which tracks are shown and where the texts go; how a description shows them is the business of `sdp/`, and
what runs of it that of `media.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pagecalls.call import effects as do
from pagecalls.sdp.connection import Connection, FarTrack, Line
from pagecalls.sdp.negotiate import render_offer
from pagecalls.sdp.offers import show_tracks
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.media import LABELS, CallMedia, Leg, Reply, far_lines, peer_lines
from pagecalls.types import MediaKind, Side, Track, TrackLabel, TrackStatus


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer of ours, with the version that it has on its peer connection, and what takes it there."""

    version: int
    sdp: str
    by: do.Carrier


Offers = dict[Side, Offer]
"""What one step offers, by side."""

Sources = dict[TrackLabel, Line]
"""A side's tracks, each with the line on which it comes."""

View = tuple[tuple[TrackLabel, TrackStatus, str], ...]
"""What the other side can notice of a side's tracks: label, status and codec."""


def view_of(connection: Connection) -> View:
    """What the other side can notice of this peer's tracks. The source behind a track is none of its business (row 26)."""
    lines = peer_lines(connection)
    return tuple((label, lines[label].peer_status, lines[label].codecs[0].key) for label in LABELS if label in lines)


def has_video(leg: Leg | None) -> bool:
    """Whether the peer of this leg shows something."""
    return leg is not None and any(
        label.kind is MediaKind.VIDEO and status is TrackStatus.ENABLED for label, status, _ in view_of(leg.connection)
    )


def shown_tracks(media: CallMedia, side: Side) -> tuple[Track, ...]:
    """The tracks of the other side, under the names by which `side` was offered them."""
    near, far = media.leg(side), media.leg(side.other)
    if near is None or far is None:
        return ()
    names = dict(near.names)
    return tuple(Track(names[label], label, status) for label, status, _ in view_of(far.connection) if label in names)


def unreadable(before: CallMedia, media: CallMedia, side: Side) -> tuple[TrackLabel, ...]:
    """The other side's tracks that `side` lacks the codec for (6.4): those that our offers from `before` to `media` stopped at
    their sender, and those that `side` cannot be shown."""
    near, far, far_before = media.leg(side), media.leg(side.other), before.leg(side.other)
    if near is None or far is None or far_before is None:
        return ()
    was = peer_lines(far_before.connection)
    pictures = [label for label in was if label.kind is MediaKind.VIDEO and _is_live(label, was[label])]
    if not pictures:
        return ()
    shown, now = far_lines(near.connection), peer_lines(far.connection)
    dark = {line.far_label for line in near.connection.lines if line.is_dark}
    return tuple(label for label in pictures if label not in {*shown, *dark} or label not in now)


def make_offers(media: CallMedia, effects: Iterable[do.Effect], ids: Ids) -> tuple[CallMedia, Offers]:
    """Do what `effects` say of media: show a side the other's tracks, let media through."""
    offers: Offers = {}
    for effect in effects:
        match effect:
            case do.OfferFarTracks(side, version, by):
                media, sdp = _offer(media, side, version, by, ids)
                offers[side] = Offer(version, sdp, by)
            case do.StartMedia():
                media = replace(media, is_through=True)
            case _:
                pass
    return media, offers


def _offer(media: CallMedia, side: Side, version: int, by: do.Carrier, ids: Ids) -> tuple[CallMedia, str]:
    leg, far = media.leg(side), media.leg(side.other)
    if leg is None or far is None:
        raise LookupError(side)
    sources = peer_lines(far.connection)
    names = _names(media, leg, sources, side, ids)
    tracks = tuple(_far_tracks(leg, sources, names, ids))
    connection = show_tracks(leg.connection, tracks, far_side=far.connection.as_far_side())
    sdp = render_offer(connection)
    replies = leg.replies
    if by is do.Carrier.RESPONSE and replies:
        *earlier, reply = replies
        replies = (*earlier, Reply(reply.digest, reply.answer, sdp, version))
    return media.with_leg(side, leg.offering(connection, version, names.items(), replies)), sdp


def _names(media: CallMedia, leg: Leg, sources: Sources, side: Side, ids: Ids) -> dict[TrackLabel, str]:
    """A name for every track that the far side has, or has had."""
    names = dict(leg.names)
    for label in (TrackLabel.DEFAULT_AUDIO, *sources):
        if label not in names:
            names[label] = f"{media.stream(side.other, label)} {ids.track_id()}"
    return names


def _far_tracks(leg: Leg, sources: Sources, names: dict[TrackLabel, str], ids: Ids) -> Iterator[FarTrack]:
    """What is to be live on `leg` now."""
    shown, taken = far_lines(leg.connection), leg.ssrcs
    for label in LABELS:
        source, line = sources.get(label), shown.get(label)
        if not _is_live(label, source):
            continue
        ssrc, rtx_ssrc = (line.far_ssrc, line.far_rtx_ssrc) if line is not None else (None, None)
        if ssrc is None:
            ssrc = ids.ssrc(taken)
            rtx_ssrc = ids.ssrc(taken | {ssrc}) if label.kind is MediaKind.VIDEO else None
            taken |= {ssrc} if rtx_ssrc is None else {ssrc, rtx_ssrc}
        stream_id, _, track_id = names[label].partition(" ")
        codec = source.codecs[0] if source is not None and label.kind is MediaKind.VIDEO else None
        yield FarTrack(label, stream_id, track_id, ssrc, rtx_ssrc, codec)


def _is_live(label: TrackLabel, source: Line | None) -> bool:
    """Sound is offered whether or not any comes, muted sound stays, video that is off does not (messenger-calling 6.5)."""
    if label is TrackLabel.DEFAULT_AUDIO:
        return True
    return source is not None and (label.kind is MediaKind.AUDIO or source.peer_status is TrackStatus.ENABLED)
