"""Later offers of the peer: which lines they go on with, what they prove, and every direction of the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagecalls.errors import ConnectionFault, UnusableConnection
from pagecalls.sdp.connection import Connection, Direction, FarSide, LineCodec, MediaSettings, NextAnswer
from pagecalls.sdp.description import Description, parse
from pagecalls.sdp.negotiate import answer_first, answer_next, is_ice_restart, render_answer, render_offer, show_tracks
from pagecalls.types import Track, TrackLabel, TrackStatus
from tests.unit.sdp.invariants import check_next_answer
from tests.unit.sdp.peer import Peer
from tests.unit.sdp.samples import (
    FAR,
    FAR_AGAIN,
    FAR_CAMERA,
    FAR_SCREEN_SOUND,
    SESSION_ID,
    TRANSPORT,
    answered,
    audio,
    offer_of,
    reoffered,
    small_offer,
    text_of,
    video,
)

SOUND, PICTURE = TrackLabel.DEFAULT_AUDIO, TrackLabel.DEFAULT_VIDEO
SCREEN_SOUND, SCREEN_PICTURE = TrackLabel.SCREEN_AUDIO, TrackLabel.SCREEN_VIDEO
SENDRECV, SENDONLY, RECVONLY, INACTIVE = Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY, Direction.INACTIVE


def next_answer(
    before: Connection,
    offer: Description | str,
    *tracks: Track,
    is_a_on: bool = True,
    far_side: FarSide | None = None,
) -> NextAnswer:
    offer = parse(offer) if isinstance(offer, str) else offer
    found = answer_next(before, offer, tracks=tracks, is_a_on=is_a_on, far_side=far_side)
    check_next_answer(before, offer, found)
    return found


def directions(connection: Connection) -> list[Direction | None]:
    """What stands on each line, `None` for port 0."""
    return [None if line.is_rejected else line.direction for line in connection.lines]


def in_call(*kinds: str, video_codecs: str = "") -> tuple[Peer, Connection]:
    """A peer with these tracks, answered."""
    peer = Peer(video_codecs) if video_codecs else Peer()
    for kind in kinds:
        peer.add(kind)
    return peer, answered(peer.offer())


def offered(peer: Peer, before: Connection, *tracks: object, is_applied: bool = True) -> Connection:
    """Our offer of the far side's sound, and of `tracks`, which the peer applies or never sees."""
    after = show_tracks(before, [FAR_AGAIN, *tracks])  # type: ignore[list-item]
    if is_applied:
        peer.take(parse(render_offer(after)))
    return after


# --- which line is which ----------------------------------------------------------------------------------------------


def test_a_new_line_is_added_behind_all_others() -> None:
    peer, before = in_call("audio")
    before = offered(peer, before)
    peer.add("video")
    found = next_answer(before, peer.offer())
    assert directions(found.connection) == [RECVONLY, SENDONLY, RECVONLY]
    assert [line.mid for line in found.connection.lines] == ["0", "1", "2"]
    assert [track.label for track in found.connection.peer_tracks()] == [SOUND, PICTURE]
    assert not found.withdrawn
    assert found.confirmed == {"1"}


@pytest.mark.parametrize(
    "offer",
    [
        pytest.param(small_offer(audio("0")), id="one is missing"),
        pytest.param(small_offer(video("1"), audio("0"), bundle="0 1"), id="they changed places"),
        pytest.param(small_offer(audio("0"), video("2"), bundle="0 2"), id="another mid"),
        pytest.param(small_offer(audio("0"), audio("1"), bundle="0 1"), id="another kind"),
        pytest.param(small_offer(audio("0"), audio("2"), video("1"), bundle="0 1 2"), id="a new one between"),
    ],
)
def test_lines_of_its_own_are_kept(offer: str) -> None:
    before = answered(small_offer(audio("0"), video("1"), bundle="0 1"))
    with pytest.raises(UnusableConnection) as error:
        answer_next(before, parse(offer), tracks=())
    assert error.value.fault is ConnectionFault.LINES_CHANGED


def test_an_appended_line_that_the_peer_offered_is_kept_too() -> None:
    peer, before = in_call("audio")
    before = offered(peer, before)
    after = next_answer(before, peer.offer()).connection
    with pytest.raises(UnusableConnection) as error:
        answer_next(after, parse(small_offer(audio("0"))), tracks=())
    assert error.value.fault is ConnectionFault.LINES_CHANGED


def test_a_line_that_the_peer_stops_is_refused_and_may_be_used_anew() -> None:
    peer, before = in_call("audio", "video")
    peer.stop("1")
    stopped = next_answer(before, peer.offer()).connection
    peer.apply(parse(render_answer(stopped)))
    assert directions(stopped) == [SENDRECV, None]
    assert [track.label for track in stopped.peer_tracks()] == [SOUND]
    again = next_answer(stopped, peer.offer()).connection
    peer.add("video")
    reused = next_answer(again, peer.offer()).connection
    assert [line.mid for line in reused.lines] == ["0", "2"]
    assert directions(reused) == [SENDRECV, RECVONLY]
    assert [track.label for track in reused.peer_tracks()] == [SOUND, PICTURE]


def test_a_refused_line_may_be_offered_again_under_its_mid() -> None:
    offer = parse(small_offer(audio("0"), video("1"), bundle="0 1"))
    before = answer_first(
        offer, tracks=(), transport=TRANSPORT, session_id=SESSION_ID, far=FAR, settings=MediaSettings(video_enabled=False)
    )
    assert directions(before) == [SENDRECV, None]
    assert directions(next_answer(before, offer).connection) == [SENDRECV, RECVONLY]


def test_an_appended_line_that_the_peer_stops_carries_nothing_any_more() -> None:
    peer, before = in_call("audio")
    before = offered(peer, before)
    peer.stop("1")
    found = next_answer(before, peer.offer())
    assert directions(found.connection) == [SENDRECV, None]
    assert (found.withdrawn, found.confirmed) == ((), frozenset())
    again = show_tracks(found.connection, [FAR_AGAIN])
    assert [(line.mid, line.is_rejected) for line in again.lines] == [("0", False), ("1", True), ("2", False)]


# --- an offer of ours that was never applied (ruling 15) --------------------------------------------------------------


def test_a_missing_line_proves_that_our_offer_was_not_applied() -> None:
    peer, before = in_call("audio")
    before = offered(peer, before, is_applied=False)
    found = next_answer(before, peer.offer(), is_a_on=False)
    assert [line.mid for line in found.withdrawn] == ["1"]
    assert found.withdrawn[0].far_ssrc == FAR_AGAIN.ssrc
    # The A-stream goes on, or resumes.
    assert directions(found.connection) == [SENDRECV]
    assert found.connection.line("0").far_msid == FAR.msid


def test_a_new_camera_on_the_very_mid_of_the_appended_line() -> None:
    peer, before = in_call("audio")
    before = offered(peer, before, FAR_CAMERA, is_applied=False)
    assert [line.mid for line in before.lines] == ["0", "1", "2"]
    peer.add("video")
    found = next_answer(before, peer.offer(), is_a_on=False)
    assert [line.mid for line in found.withdrawn] == ["1", "2"]
    assert directions(found.connection) == [SENDRECV, RECVONLY]
    assert not any(line.is_ours for line in found.connection.lines)
    # Fresh mids: a withdrawn one never means anything else.
    again = show_tracks(found.connection, [replace(FAR_AGAIN, ssrc=7), replace(FAR_CAMERA, ssrc=8, rtx_ssrc=9)])
    assert [line.mid for line in again.lines] == ["0", "1", "3", "4"]
    assert again.line("4").codecs[0].pt == 96


def test_a_second_sound_that_only_sends_on_the_mid_of_the_appended_line() -> None:
    peer, before = in_call("audio")
    before = offered(peer, before, is_applied=False)
    peer.add("audio")
    peer.of("1").receives = False
    found = next_answer(before, peer.offer())
    assert [line.mid for line in found.withdrawn] == ["1"]
    assert directions(found.connection) == [SENDRECV, RECVONLY]


def test_what_was_appended_later_was_not_applied_either() -> None:
    peer, before = in_call("audio")
    first = offered(peer, before)
    second = show_tracks(first, [FAR_AGAIN, FAR_CAMERA])
    third = show_tracks(second, [FAR_AGAIN, FAR_CAMERA, FAR_SCREEN_SOUND])
    peer.add("audio")
    peer.add("audio")
    # Line 1 is known to the peer and takes its second sound; line 2 is a new one, where we had put the camera.
    found = next_answer(third, peer.offer())
    assert [line.mid for line in found.withdrawn] == ["2", "3"]
    assert found.confirmed == {"1"}
    assert directions(found.connection) == [RECVONLY, SENDRECV, INACTIVE]


def test_lines_of_one_offer_stand_or_fall_together() -> None:
    _, before = in_call("audio")
    before = show_tracks(before, [FAR_AGAIN, FAR_CAMERA])
    offer = small_offer(audio("0"), audio("1", "a=msid:s second"), bundle="0 1")
    found = next_answer(before, offer)
    assert [line.mid for line in found.withdrawn] == ["1", "2"]
    assert directions(found.connection) == [SENDRECV, RECVONLY]


# --- directions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "is_a_on", "is_b_offered", "ours"),
    [
        ("sendrecv", True, False, SENDRECV),
        ("sendrecv", False, False, RECVONLY),
        ("recvonly", True, False, SENDONLY),
        ("recvonly", False, False, INACTIVE),
        ("sendonly", True, False, RECVONLY),
        ("inactive", True, False, INACTIVE),
        # Once the peer receives on B's line, A is over.
        ("sendrecv", True, True, RECVONLY),
        ("recvonly", True, True, INACTIVE),
    ],
)
def test_its_own_sound(direction: str, is_a_on: bool, is_b_offered: bool, ours: Direction) -> None:
    before = answered(small_offer(audio("0")))
    lines = [audio("0", direction=direction)]
    if is_b_offered:
        before = show_tracks(before, [FAR_AGAIN])
        lines.append(audio("1", direction="recvonly"))
    found = next_answer(before, small_offer(*lines, bundle="0 1"), is_a_on=is_a_on)
    assert found.connection.line("0").direction is ours


def test_the_a_stream_goes_on_while_the_peer_does_not_receive_b() -> None:
    before = reoffered(small_offer(audio("0")))
    offer = small_offer(audio("0"), audio("1", direction="inactive"), bundle="0 1")
    found = next_answer(before, offer)
    assert directions(found.connection) == [SENDRECV, INACTIVE]
    assert found.confirmed == frozenset()
    assert directions(next_answer(before, offer, is_a_on=False).connection) == [RECVONLY, INACTIVE]
    # It may receive it later, with the same source.
    later = next_answer(found.connection, small_offer(audio("0"), audio("1", direction="recvonly"), bundle="0 1"))
    assert directions(later.connection) == [RECVONLY, SENDONLY]
    assert later.confirmed == {"1"}
    assert later.connection.line("1").far_ssrc == FAR_AGAIN.ssrc


def test_sound_that_is_received_again_is_not_named_this_once() -> None:
    """A peer that knows no MID needs the source."""
    mid = "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid"
    nothing = frozenset[str]()
    for more, resumed in (((mid,), frozenset({"1"})), ((), nothing)):
        connection = reoffered(small_offer(audio("0", *more)))
        named = []
        for direction in ("inactive", "recvonly", "recvonly"):
            offer = small_offer(audio("0", *more), audio("1", *more, direction=direction), bundle="0 1")
            found = next_answer(connection, offer)
            connection = found.connection
            section = parse(render_answer(connection, found.resumed)).media[1]
            named.append((found.resumed, section.direction, [source.ssrc for source in section.ssrcs]))
        assert named == [
            (nothing, INACTIVE, []),
            (resumed, SENDONLY, [] if resumed else [FAR_AGAIN.ssrc]),
            (nothing, SENDONLY, [FAR_AGAIN.ssrc]),
        ]


def test_a_picture_that_is_received_again_is_to_be_offered_anew() -> None:
    peer, before = in_call("audio", "video")
    before = offered(peer, before, FAR_CAMERA)
    known = next_answer(before, peer.offer()).connection
    peer.of("3").receives = False
    held = next_answer(known, peer.offer())
    line = held.connection.line("3")
    assert (line.direction, line.far_msid, line.far_ssrc, line.is_dark, held.is_lit) == (
        INACTIVE,
        FAR_CAMERA.msid,
        None,
        True,
        False,
    )
    still = next_answer(held.connection, peer.offer())
    assert (still.connection.line("3").is_dark, still.is_lit) == (True, False)
    peer.of("3").receives = True
    lit = next_answer(still.connection, peer.offer())
    assert (lit.connection.line("3").direction, lit.connection.line("3").is_dark, lit.is_lit) == (INACTIVE, False, True)
    # Only once; and never for a picture that the far side has taken away.
    assert not next_answer(lit.connection, peer.offer()).is_lit
    assert not next_answer(show_tracks(still.connection, [FAR_AGAIN]), peer.offer()).is_lit


def test_the_a_stream_pauses_with_its_line() -> None:
    before = answered(small_offer(audio("0", direction="sendonly")))
    assert before.a_line is None
    resumed = next_answer(before, small_offer(audio("0"))).connection
    assert (directions(resumed), resumed.a_line) == ([SENDRECV], resumed.line("0"))
    assert resumed.line("0").far_msid == FAR.msid
    held = next_answer(resumed, small_offer(audio("0", direction="sendonly"))).connection
    assert (directions(held), held.a_line) == ([RECVONLY], None)


def test_the_a_stream_moves_when_its_line_is_stopped() -> None:
    before = answered(small_offer(audio("0")))
    stopped = tuple(line.replace("audio 9", "audio 0") for line in audio("0"))
    found = next_answer(before, small_offer(stopped, audio("1"), bundle="1"))
    assert directions(found.connection) == [None, SENDRECV]
    assert found.connection.a_line == found.connection.line("1")
    assert found.connection.line("1").far_msid == FAR.msid


@pytest.mark.parametrize(
    ("direction", "ours", "is_confirmed"),
    [
        ("recvonly", SENDONLY, True),
        ("sendrecv", SENDRECV, True),
        ("inactive", INACTIVE, False),
    ],
)
def test_an_appended_line(direction: str, ours: Direction, is_confirmed: bool) -> None:
    before = reoffered(small_offer(audio("0")))
    found = next_answer(before, small_offer(audio("0"), audio("1", direction=direction), bundle="0 1"))
    line = found.connection.line("1")
    assert (line.direction, bool(found.confirmed)) == (ours, is_confirmed)
    assert (line.far_msid, line.far_ssrc, line.is_ours) == (FAR_AGAIN.msid, FAR_AGAIN.ssrc, True)
    answer = parse(render_answer(found.connection)).media[1]
    assert [source.ssrc for source in answer.ssrcs] == ([FAR_AGAIN.ssrc] if ours.sends else [])
    assert str(answer.msid) == FAR_AGAIN.msid or not ours.sends


def test_a_confirmed_line_on_which_the_peer_only_sends_from_now_on() -> None:
    before = reoffered(small_offer(audio("0")))
    known = next_answer(before, small_offer(audio("0"), audio("1", direction="recvonly"), bundle="0 1")).connection
    found = next_answer(known, small_offer(audio("0"), audio("1", direction="sendonly"), bundle="0 1"))
    assert directions(found.connection)[1] is RECVONLY
    assert found.connection.far_line(SOUND) is None


def test_an_inactive_line_of_ours_stays_inactive_whatever_the_peer_would_like() -> None:
    before = reoffered(small_offer(audio("0")))
    silent = show_tracks(before, [])
    found = next_answer(silent, small_offer(audio("0"), audio("1", direction="recvonly"), bundle="0 1"))
    assert directions(found.connection)[1] is INACTIVE
    assert (found.connection.line("1").far_label, found.confirmed) == (SOUND, frozenset())


@pytest.mark.parametrize(
    ("direction", "ours"), [("sendrecv", RECVONLY), ("sendonly", RECVONLY), ("recvonly", INACTIVE), ("inactive", INACTIVE)]
)
def test_new_video(direction: str, ours: Direction) -> None:
    before = answered(small_offer(audio("0")))
    found = next_answer(before, small_offer(audio("0"), video("1", direction=direction), bundle="0 1"))
    assert directions(found.connection)[1] is ours


def test_a_third_line_of_a_kind_is_inactive_until_a_label_is_free() -> None:
    peer, before = in_call("audio", "video", "video", "video")
    assert directions(before) == [SENDRECV, RECVONLY, RECVONLY, INACTIVE]
    peer.stop("1")
    found = next_answer(before, peer.offer())
    assert directions(found.connection) == [SENDRECV, None, RECVONLY, RECVONLY]
    labels = {line.mid: line.peer_label for line in found.connection.lines[1:]}
    assert labels == {"1": None, "2": SCREEN_PICTURE, "3": PICTURE}


# --- the line that both use (ruling 21) -------------------------------------------------------------------------------


def test_a_plain_add_track_reuses_the_appended_line() -> None:
    peer, before = in_call("audio")
    before = offered(peer, before)
    name = peer.add("audio")
    assert peer.of("1").track == name
    found = next_answer(before, peer.offer(), Track(name, SCREEN_SOUND))
    line = found.connection.line("1")
    assert (line.direction, line.far_msid, line.far_ssrc) == (SENDRECV, FAR_AGAIN.msid, FAR_AGAIN.ssrc)
    assert (line.peer_label, line.peer_msid) == (SCREEN_SOUND, f"stream {name}")
    assert found.confirmed == {"1"}
    # The next offer of ours keeps it; then the peer's track ends, and ours goes on.
    again = show_tracks(found.connection, [FAR_AGAIN])
    assert again.line("1") == line
    peer.remove("1")
    after = next_answer(again, peer.offer()).connection
    assert (after.line("1").direction, after.line("1").far_ssrc) == (SENDONLY, FAR_AGAIN.ssrc)
    assert [track.label for track in after.peer_tracks()] == [SOUND]


def test_a_camera_on_the_appended_line_of_ours_keeps_the_codec_of_what_we_send() -> None:
    peer, before = in_call("audio", "video", video_codecs="96 VP8 98 VP9")
    peer.remove("1")
    before = next_answer(before, peer.offer()).connection
    camera = replace(FAR_CAMERA, codec=LineCodec("vp9/90000", 120))
    before = offered(peer, before, camera)
    peer.of("1").track = "first"
    peer.add("video")
    found = next_answer(before, peer.offer())
    line = found.connection.line("3")
    assert (line.direction, line.codecs[0].key, line.far_ssrc) == (SENDRECV, "vp9/90000", camera.ssrc)


# --- codecs and numbers -----------------------------------------------------------------------------------------------


def test_a_later_numbering_holds_for_its_lines() -> None:
    before = reoffered(small_offer(audio("0", "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid")))
    other = small_offer(
        audio("0", "a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:mid"),
        audio("1", "a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:mid", direction="recvonly"),
        bundle="0 1",
    ).replace("111", "96")
    connection = next_answer(before, other).connection
    assert [(line.codecs[0].pt, line.ext) for line in connection.lines] == [(96, (("mid", 5),))] * 2
    assert show_tracks(connection, [FAR_AGAIN, FAR_SCREEN_SOUND]).lines[2].codecs == connection.lines[0].codecs
    assert {codec.pt for codec in connection.listed} == {96, 111}


def test_a_codec_in_use_stays_though_another_would_be_chosen_now() -> None:
    peer, before = in_call("audio", "video", video_codecs="98 VP9 96 VP8")
    assert before.line("1").codecs[0].key == "vp8/90000"
    both = FarSide((LineCodec("vp9/90000", 98), LineCodec("vp8/90000", 96)))
    found = next_answer(before, peer.offer(), far_side=both)
    assert found.connection.line("1").codecs[0].key == "vp8/90000"


def test_a_codec_that_the_far_side_lacks_gives_way_or_falls_silent() -> None:
    peer, before = in_call("audio", "video", video_codecs="96 VP8 98 VP9")
    other = next_answer(before, peer.offer(), far_side=FarSide((LineCodec("vp9/90000", 98),))).connection
    assert (directions(other)[1], other.line("1").codecs[0].key) == (RECVONLY, "vp9/90000")
    none = next_answer(before, peer.offer(), far_side=FarSide((LineCodec("av1/90000", 98),))).connection
    assert (directions(none)[1], none.line("1").codecs[0].key) == (INACTIVE, "vp8/90000")
    # A new line for it is refused.
    peer.add("video")
    found = next_answer(none, peer.offer(), far_side=FarSide((LineCodec("av1/90000", 98),))).connection
    assert directions(found) == [SENDRECV, INACTIVE, None]


def test_a_line_of_ours_falls_silent_when_the_peer_drops_its_codec() -> None:
    before = show_tracks(answered(small_offer(audio("0"), video("1"), bundle="0 1")), [FAR_AGAIN, FAR_CAMERA])
    offer = small_offer(
        audio("0"),
        video("1"),
        audio("2", direction="recvonly"),
        video("3", "a=fmtp:98 packetization-mode=1;profile-level-id=42e01f", direction="recvonly", codecs="98 H264"),
        bundle="0 1 2 3",
    )
    connection = next_answer(before, offer).connection
    assert directions(connection)[3] is INACTIVE
    assert (connection.line("3").codecs[0].key, connection.line("3").far_ssrc) == ("h264/90000", None)


def test_repeats_of_ours_need_the_peers_number() -> None:
    peer, before = in_call("audio", "video")
    before = offered(peer, before, FAR_CAMERA)
    kept = next_answer(before, peer.offer()).connection.line("3")
    assert (kept.far_rtx_ssrc, kept.codecs[0].rtx_pt) == (FAR_CAMERA.rtx_ssrc, 97)
    peer.video_codecs = "96 VP8"
    plain = next_answer(before, peer.offer()).connection.line("3")
    assert (plain.far_ssrc, plain.far_rtx_ssrc, plain.codecs[0].rtx_pt) == (FAR_CAMERA.ssrc, None, None)
    # Without repeats on our side its answer has none, though it offers them.
    peer, before = in_call("audio", "video")
    before = offered(peer, before, replace(FAR_CAMERA, rtx_ssrc=None))
    assert next_answer(before, peer.offer()).connection.line("3").codecs[0].rtx_pt is None


def test_what_the_peer_lists_later_counts_for_the_other_side() -> None:
    peer, before = in_call("audio")
    assert before.as_far_side() is None
    peer.add("video")
    far_side = next_answer(before, peer.offer()).connection.as_far_side()
    assert far_side is not None
    assert [(codec.key, codec.pt, codec.rtx_pt) for codec in far_side.codecs] == [("vp8/90000", 96, 97), ("vp9/90000", 98, None)]


def test_numbers_of_ours_are_kept_by_a_peer_that_applied_them() -> None:
    peer, before = in_call("audio")
    before = offered(peer, before, FAR_CAMERA)
    peer.video_codecs = "127 VP8 98 VP9"
    found = next_answer(before, peer.offer())
    assert found.connection.line("2").codecs[0].pt == 127
    assert found.confirmed == {"1", "2"}


# --- tracks -----------------------------------------------------------------------------------------------------------


def test_tracks_that_are_not_listed_keep_label_and_status() -> None:
    peer = Peer()
    sound, screen = peer.add("audio"), peer.add("video")
    tracks = [Track(sound, SOUND, TrackStatus.DISABLED), Track(screen, SCREEN_PICTURE)]
    before = answer_first(peer.offer(), tracks=tracks, transport=TRANSPORT, session_id=SESSION_ID, far=FAR)
    camera = peer.add("video")
    connection = next_answer(before, peer.offer(), Track(camera, PICTURE, TrackStatus.DISABLED)).connection
    assert connection.peer_tracks() == (
        Track(f"stream {sound}", SOUND, TrackStatus.DISABLED),
        Track(f"stream {screen}", SCREEN_PICTURE, TrackStatus.ENABLED),
        Track(f"stream {camera}", PICTURE, TrackStatus.DISABLED),
    )


def test_a_known_name_counts_after_those_of_the_offer() -> None:
    peer = Peer()
    peer.add("audio")
    before = answer_first(peer.offer(), tracks=[Track("mic", SOUND)], transport=TRANSPORT, session_id=SESSION_ID, far=FAR)
    connection = next_answer(before, peer.offer(), Track("mic", SOUND, TrackStatus.DISABLED)).connection
    assert connection.peer_tracks() == (Track("mic", SOUND, TrackStatus.DISABLED),)
    # Listed under its name in the offer, it keeps the other one too.
    listed = next_answer(connection, peer.offer(), Track("track1", SOUND)).connection
    assert listed.peer_tracks() == (Track("mic", SOUND, TrackStatus.ENABLED),)


def test_a_name_that_was_given_up_still_finds_its_line() -> None:
    peer, before = in_call("audio")
    peer.of("0").track = "other"
    connection = next_answer(before, peer.offer(), Track("track1", SOUND, TrackStatus.DISABLED)).connection
    assert connection.peer_tracks() == (Track("track1", SOUND, TrackStatus.DISABLED),)


def test_a_fresh_name_is_an_alias_of_the_line_with_its_label() -> None:
    peer, before = in_call("audio", "audio")
    connection = next_answer(before, peer.offer(), Track("fresh", SOUND, TrackStatus.DISABLED)).connection
    assert [(track.msid, track.status) for track in connection.peer_tracks()] == [
        ("fresh", TrackStatus.DISABLED),
        ("stream track2", TrackStatus.ENABLED),
    ]


def test_a_track_with_another_name_is_enabled_on_its_line() -> None:
    peer = Peer()
    name = peer.add("audio")
    before = answer_first(
        peer.offer(), tracks=[Track(name, SOUND, TrackStatus.DISABLED)], transport=TRANSPORT, session_id=SESSION_ID, far=FAR
    )
    peer.of("0").track = "other"
    assert next_answer(before, peer.offer()).connection.peer_tracks() == (Track("stream other", SOUND),)


def test_a_silent_line_keeps_its_label_while_nobody_wants_it() -> None:
    peer, before = in_call("audio", "video", "video")
    peer.remove("2")
    silent = next_answer(before, peer.offer()).connection
    assert silent.line("2").peer_label is SCREEN_PICTURE
    assert [track.label for track in silent.peer_tracks()] == [SOUND, PICTURE]
    peer.add("video")
    again = next_answer(silent, peer.offer()).connection
    assert again.line("2").peer_label is SCREEN_PICTURE
    # Another line that asks for the label gets it.
    peer.remove("2")
    silent = next_answer(again, peer.offer()).connection
    offer = parse(render_text(peer, video("3", "a=msid:stream new")))
    taken = next_answer(silent, offer, Track("new", SCREEN_PICTURE)).connection
    assert (taken.line("2").peer_label, taken.line("3").peer_label) == (None, SCREEN_PICTURE)


def render_text(peer: Peer, *more: tuple[str, ...]) -> str:
    """The peer's lines with more behind them."""
    mids = [each.mid for each in peer.transceivers] + [line[6:] for each in more for line in each if line.startswith("a=mid:")]
    return small_offer(*peer.sections(), *more, bundle=" ".join(mids))


@pytest.mark.parametrize(
    ("track", "fault"),
    [
        (Track("nobody", SCREEN_SOUND), ConnectionFault.UNKNOWN_MSID),
        (Track("track1", PICTURE), ConnectionFault.LABEL_MISFIT),
        (Track("track2", SOUND), ConnectionFault.LABEL_MISFIT),
    ],
)
def test_tracks_that_do_not_fit(track: Track, fault: ConnectionFault) -> None:
    peer, before = in_call("audio", "audio")
    with pytest.raises(UnusableConnection) as error:
        answer_next(before, peer.offer(), tracks=[track])
    assert error.value.fault is fault


# --- ICE restart ------------------------------------------------------------------------------------------------------


def test_new_credentials_are_an_ice_restart() -> None:
    peer, before = in_call("audio", "video")
    assert not is_ice_restart(before, peer.offer())
    peer.restart_ice("wxyz")
    offer = peer.offer()
    assert is_ice_restart(before, offer)
    fresh = replace(TRANSPORT, ufrag="newUfrag", pwd="p" * 24)
    found = answer_next(before, offer, tracks=(), transport=fresh)
    check_next_answer(before, offer, found)
    assert (found.connection.peer.ufrag, found.connection.transport) == ("wxyz", fresh)
    assert not is_ice_restart(found.connection, offer)
    assert render_answer(found.connection).count("a=ice-ufrag:newUfrag\r\n") == 2


def test_without_a_restart_nothing_of_the_transport_changes() -> None:
    peer, before = in_call("audio")
    after = next_answer(before, peer.offer()).connection
    assert (after.transport, after.peer) == (before.transport, before.peer)


# --- a Page without video ---------------------------------------------------------------------------------------------


def test_a_page_without_video_takes_no_new_video() -> None:
    peer, before = in_call("audio")
    peer.add("video")
    with pytest.raises(UnusableConnection) as error:
        answer_next(before, peer.offer(), tracks=(), settings=MediaSettings(video_enabled=False))
    assert error.value.fault is ConnectionFault.VIDEO_OFF


def test_it_repeats_the_refusal_of_its_first_answer() -> None:
    settings = MediaSettings(video_enabled=False)
    offer = offer_of("aiortc-1.16-video")
    before = answer_first(offer, tracks=(), transport=TRANSPORT, session_id=SESSION_ID, far=FAR, settings=settings)
    found = answer_next(before, offer, tracks=(), settings=settings)
    assert directions(found.connection) == [SENDRECV, None]


def test_video_that_runs_goes_on_when_the_page_ends_it() -> None:
    peer, before = in_call("audio", "video")
    found = answer_next(before, peer.offer(), tracks=(), settings=MediaSettings(video_enabled=False))
    assert directions(found.connection) == [SENDRECV, RECVONLY]


# --- real descriptions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chrome-156", "firefox-153", "aiortc-1.16"])
def test_a_browser_turns_its_camera_on(name: str) -> None:
    """Its offer with sound and picture after one with sound alone, in which our offer never was applied."""
    audio_text, video_text = text_of(f"{name}-audio"), text_of(f"{name}-video")
    before = reoffered(audio_text)
    offer = parse(video_text)
    found = next_answer(before, offer)
    assert [line.mid for line in found.withdrawn] == ["1"]
    assert directions(found.connection) == [SENDRECV, RECVONLY]
    assert found.connection.line("1").peer_label is PICTURE
