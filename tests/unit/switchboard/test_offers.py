"""What each side is shown of the other, and under which names and sources."""

from __future__ import annotations

import random
from dataclasses import replace

from pagecalls.call.effects import Carrier, OfferFarTracks, StartMedia
from pagecalls.sdp.connection import FarTrack, HostCandidate, Transport
from pagecalls.sdp.negotiate import answer_first
from pagecalls.sdp.tracks import set_tracks
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.media import CallMedia, Leg, Reply
from pagecalls.switchboard.offers import has_video, make_offers, shown_tracks, unreadable, view_of
from pagecalls.types import LegId, Side, Track, TrackLabel, TrackStatus
from tests.unit.sdp.peer import Peer

AUDIO, VIDEO, SCREEN = TrackLabel.DEFAULT_AUDIO, TrackLabel.DEFAULT_VIDEO, TrackLabel.SCREEN_VIDEO
ON, OFF = TrackStatus.ENABLED, TrackStatus.DISABLED
TRANSPORT = Transport("ufragufr", "p" * 24, "AA:BB", (HostCandidate("udp", "127.0.0.1", 40000),))
B, C = Side.BUSINESS, Side.CONSUMER


def leg(name: str, *kinds: str, codecs: str = "") -> Leg:
    peer = Peer(codecs) if codecs else Peer()
    for kind in kinds:
        peer.add(kind)
    far = FarTrack(AUDIO, "1:abc:DEFAULT", "77", 0)
    connection = answer_first(peer.offer(), tracks=(), transport=TRANSPORT, session_id=1, far=far)
    return Leg(LegId(name), connection, a_ssrc=1000)


def call(business: Leg, consumer: Leg) -> CallMedia:
    return CallMedia("node", "1:abc:DEFAULT", "2:def:DEFAULT", business, consumer)


def offered(media: CallMedia, side: Side, version: int = 1, by: Carrier = Carrier.UPDATE) -> tuple[CallMedia, Leg]:
    media, offers = make_offers(media, (OfferFarTracks(side, version, by),), Ids(random.Random(version)))
    assert (offers[side].version, offers[side].by) == (version, by)
    changed = media.leg(side)
    assert changed is not None
    return media, changed


def switched(media: CallMedia, side: Side, label: TrackLabel, status: TrackStatus) -> CallMedia:
    before = media.leg(side)
    assert before is not None
    line = before.connection.peer_line(label)
    assert line is not None
    return media.with_leg(side, before.connected(set_tracks(before.connection, [Track(line.peer_msid, label, status)])))


def test_the_other_side_sees_label_status_and_codec() -> None:
    business = leg("b", "audio", "video")
    assert view_of(business.connection) == ((AUDIO, ON, "opus/48000/2"), (VIDEO, ON, "vp8/90000"))
    assert has_video(business)
    assert not has_video(switched(call(business, business), B, VIDEO, OFF).business)
    assert not has_video(leg("b", "audio"))
    assert not has_video(None)


def test_all_that_is_live_is_shown_on_lines_of_its_own() -> None:
    media, consumer = offered(call(leg("b", "audio", "video", "video"), leg("k", "audio")), C)
    lines = {label: consumer.connection.far_line(label) for label in (AUDIO, VIDEO, SCREEN)}
    assert None not in lines.values()
    assert len({line.far_ssrc for line in lines.values() if line is not None}) == 3
    assert [(track.label, track.status) for track in shown_tracks(media, C)] == [(AUDIO, ON), (VIDEO, ON), (SCREEN, ON)]
    assert [track.msid.split(" ")[0] for track in shown_tracks(media, C)] == ["1:abc:DEFAULT", "1:abc:DEFAULT", "1:abc:SCREEN"]


def test_what_is_shown_already_stays_as_it_is() -> None:
    media, before = offered(call(leg("b", "audio", "video"), leg("k", "audio")), C, 1)
    _, after = offered(media, C, 2)
    assert [(line.far_msid, line.far_ssrc) for line in after.connection.lines] == [
        (line.far_msid, line.far_ssrc) for line in before.connection.lines
    ]
    assert (after.offered, [shown.since for shown in after.shown]) == (2, [1, 1])


def test_a_track_that_comes_back_has_its_name_and_another_source() -> None:
    media, first = offered(call(leg("b", "audio", "video"), leg("k", "audio")), C, 1)
    media, off = offered(switched(media, B, VIDEO, OFF), C, 2)
    assert off.connection.far_line(VIDEO) is None
    assert shown_tracks(media, C)[1] == Track(dict(first.names)[VIDEO], VIDEO, OFF)
    _, again = offered(switched(media, B, VIDEO, ON), C, 3)
    old, new = first.connection.far_line(VIDEO), again.connection.far_line(VIDEO)
    assert old is not None
    assert new is not None
    assert (new.mid, new.far_msid) == (old.mid, old.far_msid)
    assert new.far_ssrc != old.far_ssrc
    assert [shown.since for shown in again.shown] == [1, 3]


def test_muted_sound_stays_where_it_is() -> None:
    media, before = offered(call(leg("b", "audio"), leg("k", "audio")), C, 1)
    _, after = offered(switched(media, B, AUDIO, OFF), C, 2)
    assert after.connection.lines == before.connection.lines


def test_an_offer_in_a_response_is_kept_with_it() -> None:
    consumer = leg("k", "audio").replied(Reply("digest", "v=0 answer", None, 0))
    media, changed = offered(call(leg("b", "audio"), consumer), C, 3, Carrier.RESPONSE)
    (reply,) = changed.replies
    assert (reply.answer, reply.version) == ("v=0 answer", 3)
    assert reply.renegotiation is not None
    _, by_notice = offered(media, C, 4)
    assert by_notice.replies == changed.replies


def test_a_side_without_the_codec_is_named() -> None:
    asked = call(leg("b", "audio", "video", codecs="96 VP8"), leg("k", "audio", "video", codecs="96 VP9"))
    shown, changed = offered(asked, C)
    assert changed.connection.far_line(VIDEO) is None
    assert unreadable(asked, shown, C) == (VIDEO,)
    alike = call(leg("b", "audio", "video"), leg("k", "audio"))
    assert unreadable(alike, offered(alike, C)[0], C) == ()


def test_media_is_let_through() -> None:
    media = call(leg("b", "audio"), leg("k", "audio"))
    assert make_offers(media, (StartMedia(),), Ids(random.Random(1))) == (replace(media, is_through=True), {})
