"""Our offers: which line each far track gets, in which numbers, and what stands on the rest (messenger-calling 6.5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagecalls.sdp.connection import Connection, Direction, FarSide, FarTrack, Line, LineCodec
from pagecalls.sdp.description import MAX_MEDIA_SECTIONS, MediaSection, SsrcGroup, parse
from pagecalls.sdp.negotiate import answer_next, render_offer, show_tracks
from pagecalls.sdp.video import FEEDBACK
from pagecalls.types import MediaKind, TrackLabel
from tests.unit.sdp.invariants import check_offer_of_ours
from tests.unit.sdp.peer import Peer
from tests.unit.sdp.samples import (
    ALL_FAR,
    FAR_AGAIN,
    FAR_CAMERA,
    FAR_SCREEN,
    FAR_SCREEN_SOUND,
    NAMES,
    answered,
    audio,
    offer_of,
    reoffered,
    small_offer,
    video,
)

SOUND, PICTURE = TrackLabel.DEFAULT_AUDIO, TrackLabel.DEFAULT_VIDEO
CAMERA_H264 = replace(FAR_CAMERA, codec=LineCodec("h264/90000", 96, "packetization-mode=1;profile-level-id=42e034", (), 97))
CAMERA_AV1 = replace(FAR_CAMERA, codec=LineCodec("av1/90000", 45))


def shown(before: Connection, *tracks: FarTrack, far_side: FarSide | None = None) -> Connection:
    after = show_tracks(before, tracks, far_side=far_side)
    check_offer_of_ours(before, after)
    return after


def section(connection: Connection, mid: str) -> MediaSection:
    return next(each for each in parse(render_offer(connection)).media if each.mid == mid)


def extensions(line: MediaSection) -> dict[str, int]:
    names = {"mid": "sdes:mid", "twcc": "transport-wide-cc", "rot": "orientation", "ctype": "content-type"}
    return {name: extmap.id for extmap in line.extmaps for name, part in names.items() if part in extmap.uri}


@pytest.mark.parametrize("name", NAMES)
def test_four_tracks_have_a_line_each_behind_all_others(name: str) -> None:
    before = answered(offer_of(name))
    after = shown(before, *ALL_FAR)
    ours = after.lines[len(before.lines) :]
    assert [line.far_label for line in ours] == [track.label for track in ALL_FAR]
    assert {line.direction for line in ours} == {Direction.SENDONLY}
    assert [line.mid for line in ours] == [str(before.highest_mid + 1 + index) for index in range(4)]
    described = parse(render_offer(after)).media[len(before.lines) :]
    assert [str(each.msid) for each in described] == [track.msid for track in ALL_FAR]
    assert [source.value for each in described for source in each.ssrcs][:1] == [FAR_AGAIN.cname]


def test_the_streams_of_camera_and_screen_are_named_once_each() -> None:
    offer = render_offer(shown(answered(offer_of("chrome-156-audio")), *ALL_FAR))
    assert f"a=msid-semantic: WMS {FAR_AGAIN.stream_id} {FAR_SCREEN.stream_id}\r\n" in offer


def test_a_camera_in_the_numbers_of_chromium() -> None:
    line = section(shown(answered(offer_of("chrome-156-video")), FAR_AGAIN, FAR_CAMERA), "3")
    assert (line.media, line.format_tokens, line.direction) == ("video", ("96", "97"), Direction.SENDONLY)
    assert line.formats[0].feedback == FEEDBACK
    assert extensions(line) == {"mid": 4, "twcc": 3, "rot": 13, "ctype": 6}
    assert line.ssrc_groups == (SsrcGroup("FID", (2001, 2002)),)
    assert [(source.ssrc, source.value) for source in line.ssrcs] == [(2001, FAR_CAMERA.cname), (2002, FAR_CAMERA.cname)]


def test_a_camera_in_the_codec_that_the_far_side_sends() -> None:
    line = section(shown(answered(offer_of("chrome-156-video")), CAMERA_H264), "2")
    assert line.format_tokens == ("108", "109")
    assert line.formats[0].fmtp == ("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",)
    line = section(shown(answered(offer_of("aiortc-1.16-video")), CAMERA_H264), "2")
    assert line.format_tokens == ("101", "102")
    # It has no transport-wide numbers, no fir, and nothing to tell of orientation.
    assert line.formats[0].feedback == ("nack", "nack pli", "goog-remb")
    assert extensions(line) == {"mid": 1}


@pytest.mark.parametrize(
    ("track", "has_repeats"),
    [
        pytest.param(FAR_CAMERA, True, id="both have them"),
        pytest.param(replace(FAR_CAMERA, rtx_ssrc=None), False, id="no source for them"),
        pytest.param(replace(FAR_CAMERA, codec=LineCodec("vp8/90000", 96)), False, id="the sender has none"),
    ],
)
def test_repeats_are_offered_where_both_sides_have_them(track: FarTrack, has_repeats: bool) -> None:
    after = shown(answered(offer_of("chrome-156-video")), track)
    line = section(after, "2")
    assert (len(line.format_tokens), bool(line.ssrc_groups), len(line.ssrcs)) == ((2, True, 2) if has_repeats else (1, False, 1))
    assert after.line("2").far_rtx_ssrc == (2002 if has_repeats else None)


def test_repeats_are_not_offered_to_a_peer_without() -> None:
    before = answered(small_offer(audio("0"), video("1"), bundle="0 1"))
    assert section(shown(before, FAR_CAMERA), "2").format_tokens == ("96",)


# --- a peer that never offered video ----------------------------------------------------------------------------------


def test_a_peer_without_video_gets_numbers_of_ours() -> None:
    after = shown(answered(offer_of("chrome-156-audio")), FAR_AGAIN, FAR_CAMERA)
    line = section(after, "2")
    assert (line.format_tokens, line.formats[0].key, line.formats[0].feedback) == (("127",), "vp8/90000", FEEDBACK)
    # 1 to 4 are taken; two of them by what we want, for the audio line of this peer lists transport-wide numbers.
    assert extensions(line) == {"mid": 4, "twcc": 3, "ctype": 6, "rot": 13}
    assert not line.ssrc_groups
    assert after.numbered == (LineCodec("vp8/90000", 127, "", FEEDBACK),)


def test_what_it_lacks_gets_the_first_free_ids() -> None:
    line = section(shown(answered(offer_of("aiortc-1.16-audio")), FAR_CAMERA), "1")
    assert extensions(line) == {"mid": 1, "twcc": 3, "ctype": 6, "rot": 13}
    without = section(shown(answered(small_offer(audio("0"))), FAR_CAMERA), "1")
    assert extensions(without) == {"twcc": 1, "ctype": 6, "rot": 13}


def test_the_numbers_are_in_none_of_its_descriptions() -> None:
    text = small_offer(audio("0", "a=rtpmap:127 red/48000/2", "a=rtpmap:125 x/8000"))
    text = text.replace("SAVPF 111", "SAVPF 111 127 126 125")
    assert section(shown(answered(text), FAR_CAMERA), "1").format_tokens == ("124",)


def test_a_number_of_ours_never_changes_its_codec() -> None:
    first = shown(answered(offer_of("chrome-156-audio")), FAR_CAMERA)
    second = shown(first, CAMERA_H264, FAR_SCREEN)
    third = shown(second, FAR_CAMERA, replace(FAR_SCREEN, codec=CAMERA_H264.codec))
    numbers = [[(line.far_label, line.codecs[0].pt, line.codecs[0].key) for line in each.lines[1:]] for each in (second, third)]
    camera, screen = TrackLabel.DEFAULT_VIDEO, TrackLabel.SCREEN_VIDEO
    assert numbers == [
        [(camera, 125, "h264/90000"), (screen, 127, "vp8/90000")],
        [(camera, 127, "vp8/90000"), (screen, 125, "h264/90000")],
    ]


def test_vp8_is_what_a_track_without_a_known_codec_is_offered_in() -> None:
    camera = replace(FAR_CAMERA, codec=None)
    assert section(shown(answered(offer_of("chrome-156-audio")), camera), "1").formats[0].key == "vp8/90000"
    assert section(shown(answered(offer_of("firefox-153-video")), camera), "2").format_tokens == ("120",)


def test_without_a_free_number_there_is_no_line() -> None:
    taken = " ".join(map(str, range(96, 128)))
    before = answered(small_offer(audio("0")).replace("SAVPF 111", f"SAVPF {taken}"))
    assert len(shown(before, FAR_AGAIN, FAR_CAMERA).lines) == 2


# --- codecs that one side lacks ---------------------------------------------------------------------------------------


def test_a_codec_that_the_peer_lacks_gets_an_inactive_line() -> None:
    after = shown(answered(offer_of("aiortc-1.16-video")), FAR_AGAIN, CAMERA_AV1)
    line = after.line("3")
    assert (line.direction, line.far_label, line.far_ssrc, line.codecs[0].key) == (Direction.INACTIVE, PICTURE, None, "vp8/90000")
    assert not section(after, "3").ssrcs
    assert after.far_line(PICTURE) is None
    # The line is there for a track that the peer can read.
    again = shown(after, FAR_AGAIN, CAMERA_H264)
    assert [each.mid for each in again.lines] == [each.mid for each in after.lines]
    assert again.far_line(PICTURE) == again.line("3")


def test_a_peer_whose_video_we_do_not_carry_gets_no_line_for_video() -> None:
    before = answered(small_offer(audio("0"), video("1", codecs="96 H263"), bundle="0 1"))
    assert before.line("1").is_rejected
    assert len(shown(before, FAR_AGAIN, FAR_CAMERA).lines) == 3


def test_the_peers_own_video_stops_when_the_far_side_cannot_read_it() -> None:
    before = answered(offer_of("chrome-156-video"))
    assert before.line("1").direction is Direction.RECVONLY
    after = shown(before, FAR_AGAIN, far_side=FarSide((LineCodec("h264/90000", 96),)))
    assert [line.direction for line in after.lines] == [Direction.RECVONLY, Direction.INACTIVE, Direction.SENDONLY]
    assert [track.label for track in after.peer_tracks()] == [SOUND]
    again = shown(before, FAR_AGAIN, far_side=FarSide((LineCodec("vp8/90000", 120),)))
    assert again.line("1").direction is Direction.RECVONLY


# --- tracks that come and go ------------------------------------------------------------------------------------------


def test_a_track_that_ends_leaves_its_line_to_the_next_of_its_label() -> None:
    with_camera = shown(answered(offer_of("chrome-156-video")), FAR_AGAIN, FAR_CAMERA)
    without = shown(with_camera, FAR_AGAIN)
    line = section(without, "3")
    assert (line.port != 0, line.direction, line.ssrcs, line.msids) == (True, Direction.INACTIVE, (), ())
    screen = shown(without, FAR_AGAIN, FAR_SCREEN)
    assert [each.far_label for each in screen.lines[2:]] == [SOUND, PICTURE, TrackLabel.SCREEN_VIDEO]
    fresh = replace(FAR_CAMERA, track_id="9", ssrc=5, rtx_ssrc=6)
    again = shown(screen, FAR_AGAIN, FAR_SCREEN, fresh)
    assert len(again.lines) == len(screen.lines)
    assert (again.line("3").far_msid, again.line("3").far_ssrc, again.line("3").far_rtx_ssrc) == (fresh.msid, 5, 6)


def test_offers_are_cumulative_and_tracks_that_stay_do_not_move() -> None:
    before = shown(answered(offer_of("firefox-153-audio")), FAR_AGAIN)
    after = shown(before, FAR_AGAIN, FAR_SCREEN_SOUND)
    assert after.lines[:2] == before.lines
    assert after.session_version == 3


def test_nothing_to_show_is_an_offer_too() -> None:
    after = shown(answered(offer_of("chrome-156-audio")))
    assert [line.direction for line in after.lines] == [Direction.RECVONLY]


def test_a_label_stands_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        show_tracks(answered(offer_of("chrome-156-audio")), [FAR_AGAIN, FAR_AGAIN])


def test_no_description_grows_past_what_is_read() -> None:
    mids = [str(number) for number in range(MAX_MEDIA_SECTIONS - 1)]
    before = answered(small_offer(*map(audio, mids), bundle=" ".join(mids)))
    assert len(shown(before, *ALL_FAR).lines) == MAX_MEDIA_SECTIONS


# --- where the peer sends as well (ruling 21) -------------------------------------------------------------------------


def shared(kind: str, far: FarTrack, codecs: str = "96 VP8") -> Connection:
    """A connection on whose line 1 (or 2) both the far track and one of the peer's are."""
    peer = Peer(codecs)
    peer.add("audio")
    if kind == "video":
        peer.add("video")
    first = shown(answered(peer.offer()), far)
    peer.take(parse(render_offer(first)))
    if kind == "video":
        peer.remove("1")
        peer.of("1").track = "camera"
    peer.add(kind)
    return answer_next(first, peer.offer(), tracks=()).connection


@pytest.mark.parametrize(("kind", "far"), [("audio", FAR_AGAIN), ("video", FAR_CAMERA)])
def test_a_shared_line_stays_so(kind: str, far: FarTrack) -> None:
    before = shared(kind, far)
    line = before.lines[-1]
    assert (line.direction, line.far_ssrc, line.peer_label is not None) == (Direction.SENDRECV, far.ssrc, True)
    again = shown(before, far)
    assert again.lines[-1] == line
    without = shown(before)
    assert (without.lines[-1].direction, without.lines[-1].far_ssrc) == (Direction.RECVONLY, None)
    fresh = replace(far, track_id="9", ssrc=5)
    assert shown(without, fresh).far_line(far.label) == replace(line, far_msid=fresh.msid, far_ssrc=5)


def test_a_track_in_another_codec_leaves_the_shared_line() -> None:
    before = shared("video", FAR_CAMERA, "96 VP8 98 VP9")
    after = shown(before, replace(FAR_CAMERA, codec=LineCodec("vp9/90000", 98), ssrc=5))
    assert [(line.direction, line.codecs[0].pt) for line in after.lines[2:]] == [
        (Direction.RECVONLY, 96),
        (Direction.SENDONLY, 98),
    ]
    # The newer line is the label's from now on.
    assert len(shown(after, FAR_CAMERA).lines) == len(after.lines)


def test_lines_of_other_kinds_are_left_alone() -> None:
    data = ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:1")
    before = answered(small_offer(audio("0"), data, bundle="0 1"))
    after = shown(before, *ALL_FAR)
    assert after.lines[1] == before.lines[1] == replace(before.lines[1], is_rejected=True)
    assert after.lines[3].kind is MediaKind.VIDEO


def test_the_offer_to_chromium_value_by_value() -> None:
    connection = reoffered(offer_of("chrome-156-audio"))
    first, second = connection.lines
    assert second == Line(
        mid="1",
        media="audio",
        kind=MediaKind.AUDIO,
        protocol="UDP/TLS/RTP/SAVPF",
        direction=Direction.SENDONLY,
        is_ours=True,
        is_offered=False,
        since=2,
        codecs=first.codecs,
        ext=first.ext,
        rtcp_rsize=True,
        far_label=SOUND,
        far_msid=FAR_AGAIN.msid,
        far_ssrc=FAR_AGAIN.ssrc,
    )


def test_an_id_that_was_given_another_meaning_later_is_not_used_for_the_first() -> None:
    mid, rot = "urn:ietf:params:rtp-hdrext:sdes:mid", "urn:3gpp:video-orientation"
    before = answered(
        small_offer(audio("0", f"a=extmap:4 {mid}"), video("1", f"a=extmap:4 {rot}", f"a=extmap:5 {mid}"), bundle="0 1")
    )
    after = shown(before, FAR_AGAIN, FAR_CAMERA)
    assert [line.ext for line in after.lines] == [(("mid", 4),), (), (("mid", 4),), (("mid", 4),)]
