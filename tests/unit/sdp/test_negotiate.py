"""Answers, offers of ours, and what an answer of the peer proves."""

from __future__ import annotations

import pytest

from pagecalls.errors import ConnectionFault, UnusableConnection
from pagecalls.sdp.connection import Connection, Direction, FarSide, Line, LineCodec, MediaSettings, PeerTransport, Setup
from pagecalls.sdp.description import Description, parse, serialize
from pagecalls.sdp.lines import MAX_NAMED_SSRCS
from pagecalls.sdp.negotiate import answer_first, read_answer, render_answer, render_offer, show_tracks
from pagecalls.types import MediaKind, Track, TrackLabel, TrackStatus
from tests.unit.sdp.invariants import check_answer, check_offer_of_ours
from tests.unit.sdp.samples import (
    ALL_FAR,
    FAR,
    FAR_AGAIN,
    NAMES,
    SESSION_ID,
    TRANSPORT,
    answered,
    audio,
    lines,
    offer_of,
    reoffered,
    small_offer,
    text_of,
    video,
)

OPUS_FMTP = MediaSettings().opus_fmtp


@pytest.mark.parametrize("name", NAMES)
def test_real_offers_are_answered_and_renegotiated(name: str) -> None:
    offer = offer_of(name)
    first = answered(offer)
    check_answer(offer, first)
    check_offer_of_ours(first, reoffered(offer))


def test_the_answer_to_chromium() -> None:
    connection = answered(offer_of("chrome-156-audio"))
    assert connection.lines == (
        Line(
            mid="0",
            media="audio",
            kind=MediaKind.AUDIO,
            protocol="UDP/TLS/RTP/SAVPF",
            direction=Direction.SENDRECV,
            codecs=(LineCodec("opus/48000/2", 111, OPUS_FMTP), LineCodec("telephone-event/48000", 110)),
            ext=(("level", 1), ("mid", 4)),
            rtcp_rsize=True,
            peer_label=TrackLabel.DEFAULT_AUDIO,
            peer_msid="3fbb0757-75e8-4dde-91ee-137c60a24745 607b06d1-e4dc-44ee-84fb-129b92d441c2",
            peer_ssrcs=(432553824,),
            far_label=TrackLabel.DEFAULT_AUDIO,
            far_msid=FAR.msid,
        ),
    )
    assert (connection.session_id, connection.session_version, connection.role) == (SESSION_ID, 1, Setup.PASSIVE)
    assert connection.bundle
    fingerprint = "86:6D:C8:A6:7F:11:86:C4:7A:3C:C4:47:3C:79:D7:C3:1B:E9:D3:4B:2C:24:61:89:A7:10:1D:04:47:D1:7F:AF"
    assert connection.peer == PeerTransport("266u", "XYdVlTFcwgt5DzSZ+tjGFOFE", (("sha-256", fingerprint),))
    assert LineCodec("opus/48000/2", 111) in connection.listed
    assert LineCodec("cn/8000", 13) in connection.listed
    assert (connection.highest_mid, connection.sound_msid) == (0, FAR.msid)


def test_firefox_keeps_its_braces_and_its_numbers() -> None:
    line = answered(offer_of("firefox-153-audio")).audio_line
    assert line.peer_msid == "{fb0f167c-e6a3-4469-98cb-002fdaa776aa} {3f04e678-a132-4dc9-96db-4ffa99c52451}"
    assert [codec.pt for codec in line.codecs] == [109, 101]
    assert not line.rtcp_rsize


def test_aiortc_brings_three_fingerprints() -> None:
    peer = answered(offer_of("aiortc-1.16-audio")).peer
    assert [algorithm for algorithm, _ in peer.fingerprints] == ["sha-256", "sha-384", "sha-512"]


VIDEO_NAMES = ["chrome-156-video", "firefox-153-video", "aiortc-1.16-video"]
NO_VIDEO = MediaSettings(video_enabled=False)


@pytest.mark.parametrize("name", VIDEO_NAMES)
def test_a_page_without_video_refuses_it_and_sound_goes_on(name: str) -> None:
    offer = offer_of(name)
    connection = answer_first(offer, tracks=(), transport=TRANSPORT, session_id=1, far=FAR, settings=NO_VIDEO)
    check_answer(offer, connection)
    answer = parse(render_answer(connection))
    assert [section.port for section in answer.media] == [40012, 0]
    assert answer.media[1].direction is Direction.INACTIVE
    assert [group.mids for group in answer.bundles] == [("0",)]
    assert [track.label for track in connection.peer_tracks()] == [TrackLabel.DEFAULT_AUDIO]
    # What it listed still tells the far side what it has.
    assert connection.has_video_listed


@pytest.mark.parametrize(
    ("name", "pts"),
    [("chrome-156-video", ("96", "97")), ("firefox-153-video", ("120", "124")), ("aiortc-1.16-video", ("97", "98"))],
)
def test_video_is_received_in_one_codec(name: str, pts: tuple[str, ...]) -> None:
    offer = offer_of(name)
    connection = answered(offer)
    check_answer(offer, connection)
    picture = parse(render_answer(connection)).media[1]
    assert (picture.port, picture.direction, picture.format_tokens) == (40012, Direction.RECVONLY, pts)
    assert [(fmt.encoding, fmt.fmtp) for fmt in picture.formats] == [("VP8/90000", ()), ("rtx/90000", (f"apt={pts[0]}",))]
    assert not picture.msids
    assert [track.label for track in connection.peer_tracks()] == [TrackLabel.DEFAULT_AUDIO, TrackLabel.DEFAULT_VIDEO]


def test_the_video_line_of_chromium_value_by_value() -> None:
    line = answered(offer_of("chrome-156-video")).line("1")
    assert (line.codecs, line.ext) == (
        (LineCodec("vp8/90000", 96, "", ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"), 97),),
        (("twcc", 3), ("mid", 4), ("ctype", 6), ("rot", 13)),
    )
    assert (line.peer_ssrcs, line.peer_rtx_ssrcs) == ((3388157712,), (2273333834,))


def test_the_codec_is_one_that_a_known_far_side_has() -> None:
    offer = offer_of("chrome-156-video")
    far_side = FarSide((LineCodec("h264/90000", 126, "packetization-mode=1;profile-level-id=42e034"), LineCodec("vp9/90000", 98)))
    connection = answer_first(offer, tracks=(), transport=TRANSPORT, session_id=1, far=FAR, far_side=far_side)
    check_answer(offer, connection)
    assert (connection.line("1").codecs[0].pt, connection.line("1").codecs[0].rtx_pt) == (108, None)


def test_video_that_a_known_far_side_cannot_read_is_refused() -> None:
    offer = offer_of("firefox-153-video")
    far_side = FarSide((LineCodec("h264/90000", 126),))
    connection = answer_first(offer, tracks=(), transport=TRANSPORT, session_id=1, far=FAR, far_side=far_side)
    check_answer(offer, connection)
    assert [line.is_rejected for line in connection.lines] == [False, True]


def test_simulcast_is_passed_over_and_its_first_layer_taken() -> None:
    rid = ("a=rid:0 send", "a=rid:1 send", "a=simulcast:send 0;1", "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id")
    groups = ("a=ssrc-group:SIM 1 2", "a=ssrc-group:FID 1 11", "a=ssrc-group:FID 2 12")
    layers = (*groups, *(f"a=ssrc:{ssrc} cname:c" for ssrc in (1, 11, 2, 12)))
    repeats = ("a=fmtp:97 apt=96",)
    offer = parse(small_offer(audio("0"), video("1", *rid, *layers, *repeats, codecs="96 VP8 97 rtx"), bundle="0 1"))
    connection = answered(offer)
    check_answer(offer, connection)
    assert (connection.line("1").peer_ssrcs, connection.line("1").peer_rtx_ssrcs) == ((1,), (11,))
    assert "rid" not in render_answer(connection)
    assert "simulcast" not in render_answer(connection)


def test_screens_are_received_and_nothing_is_sent_there() -> None:
    connection = answered(offer_of("chrome-156-screen"))
    assert [line.direction for line in connection.lines] == [Direction.SENDRECV, *[Direction.RECVONLY] * 3]
    assert [track.label for track in connection.peer_tracks()] == [
        TrackLabel.DEFAULT_AUDIO,
        TrackLabel.DEFAULT_VIDEO,
        TrackLabel.SCREEN_VIDEO,
        TrackLabel.SCREEN_AUDIO,
    ]
    assert connection.line("3").far_msid == ""


def test_one_extension_has_one_id_across_the_bundle() -> None:
    mid, level = "urn:ietf:params:rtp-hdrext:sdes:mid", "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    first, second = (f"a=extmap:4 {mid}", f"a=extmap:1 {level}"), (f"a=extmap:1 {mid}", f"a=extmap:2 {level}")
    connection = answered(small_offer(audio("0", *first), audio("1", *second), bundle="0 1"))
    assert [line.ext for line in connection.lines] == [(("level", 1), ("mid", 4)), ()]
    twcc = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    picture = video("1", f"a=extmap:4 {twcc}", "a=rtcp-fb:96 transport-cc")
    line = answered(small_offer(audio("0", *first), picture, bundle="0 1")).line("1")
    assert (line.ext, line.codecs[0].feedback) == ((), ())


def test_a_third_sound_line_is_taken_and_stays_silent() -> None:
    connection = answered(small_offer(audio("0"), audio("1"), audio("2"), bundle="0 1 2"))
    assert [line.direction for line in connection.lines] == [Direction.SENDRECV, Direction.RECVONLY, Direction.INACTIVE]
    assert not connection.line("2").is_rejected


def test_a_data_line_is_refused_and_repeated() -> None:
    data = ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:2", "a=sctp-port:5000")
    offer = parse(small_offer(audio("0"), data, bundle="0 2"))
    connection = answered(offer)
    check_answer(offer, connection)
    assert "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n" in render_answer(connection)
    assert connection.line("2").kind is None
    # Mids of refused lines are used up all the same.
    assert reoffered(offer).lines[-1].mid == "3"


def test_sound_lines_without_opus_and_refused_ones_are_refused() -> None:
    old = ("m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:1", "a=rtcp-mux", "a=sendrecv")
    offer = parse(small_offer(audio("0"), old, audio("2"), bundle="0 1 2"))
    connection = answered(offer)
    check_answer(offer, connection)
    assert [line.is_rejected for line in connection.lines] == [False, True, False]
    assert connection.line("1").rejected_format == "0"


@pytest.mark.parametrize(
    ("offered", "ours", "has_far"),
    [
        ("sendrecv", Direction.SENDRECV, True),
        ("sendonly", Direction.RECVONLY, False),
        ("recvonly", Direction.SENDONLY, True),
        ("inactive", Direction.INACTIVE, False),
    ],
)
def test_the_first_line_mirrors_what_is_offered(offered: str, ours: Direction, has_far: bool) -> None:
    offer = parse(small_offer(audio("0", direction=offered)))
    connection = answered(offer)
    check_answer(offer, connection)
    line = connection.audio_line
    assert (line.direction, bool(line.far_msid), line.far_label is not None) == (ours, has_far, has_far)
    assert (line.peer_label is not None) is ours.receives
    assert ("a=msid:" in render_answer(connection)) is has_far


def test_an_offer_without_a_group_is_answered_without() -> None:
    connection = answered(small_offer(audio("0")))
    assert not connection.bundle
    assert "BUNDLE" not in render_answer(connection)
    # Our own offer has two lines on one transport, so it needs the group.
    assert "a=group:BUNDLE 0 1\r\n" in render_offer(reoffered(small_offer(audio("0"))))


def test_an_offer_without_a_mid_is_answered_by_number() -> None:
    text = small_offer(audio("0")).replace("a=mid:0\r\n", "")
    assert [line.mid for line in reoffered(text).lines] == ["0", "1"]


def test_tracks_name_the_lines() -> None:
    offer = offer_of("chrome-156-audio")
    track = Track("607b06d1-e4dc-44ee-84fb-129b92d441c2", TrackLabel.DEFAULT_AUDIO, TrackStatus.DISABLED)
    connection = answer_first(offer, tracks=[track], transport=TRANSPORT, session_id=1, far=FAR)
    line = connection.audio_line
    assert (line.peer_label, line.peer_status, line.peer_alias) == (TrackLabel.DEFAULT_AUDIO, TrackStatus.DISABLED, "")
    # A disabled track is still received; it only goes no further (messenger-calling 5.3).
    assert line.direction is Direction.SENDRECV


def test_an_alias_is_remembered() -> None:
    track = Track("fresh", TrackLabel.DEFAULT_AUDIO)
    connection = answer_first(offer_of("chrome-156-audio"), tracks=[track], transport=TRANSPORT, session_id=1, far=FAR)
    assert connection.peer_tracks() == (track,)


def test_a_track_on_a_refused_line_is_no_error_and_no_track() -> None:
    offer = offer_of("chrome-156-video")
    track = Track("370380c2-3bd3-4035-917f-b4ccc923079c", TrackLabel.DEFAULT_VIDEO)
    connection = answer_first(offer, tracks=[track], transport=TRANSPORT, session_id=1, far=FAR, settings=NO_VIDEO)
    assert [each.label for each in connection.peer_tracks()] == [TrackLabel.DEFAULT_AUDIO]


@pytest.mark.parametrize(
    ("tracks", "fault"),
    [
        ([Track("nobody", TrackLabel.SCREEN_AUDIO)], ConnectionFault.UNKNOWN_MSID),
        ([Track("607b06d1-e4dc-44ee-84fb-129b92d441c2", TrackLabel.DEFAULT_VIDEO)], ConnectionFault.LABEL_MISFIT),
        ([Track(str(number), TrackLabel.DEFAULT_AUDIO) for number in range(5)], ConnectionFault.TOO_MANY_TRACKS),
    ],
)
def test_tracks_that_do_not_fit(tracks: list[Track], fault: ConnectionFault) -> None:
    with pytest.raises(UnusableConnection) as error:
        answer_first(offer_of("chrome-156-audio"), tracks=tracks, transport=TRANSPORT, session_id=1, far=FAR)
    assert error.value.fault is fault


def test_an_offer_that_was_not_judged_still_ends_in_a_typed_error() -> None:
    with pytest.raises(UnusableConnection) as error:
        answered(small_offer(video("0")))
    assert error.value.fault is ConnectionFault.NO_OPUS
    with pytest.raises(UnusableConnection) as error:
        answered(small_offer(audio("0")).replace("a=ice-ufrag:abcd\r\n", ""))
    assert error.value.fault is ConnectionFault.NO_CREDENTIALS


def test_sources_are_kept_up_to_a_number() -> None:
    many = [f"a=ssrc:{number} cname:c" for number in range(1, 100)]
    assert answered(small_offer(audio("0", *many))).audio_line.peer_ssrcs == tuple(range(1, MAX_NAMED_SSRCS + 1))


def test_the_transport_comes_from_the_first_taken_line_of_the_group() -> None:
    other = tuple(line.replace("abcd", "wxyz", 1) if line.startswith("a=ice-ufrag") else line for line in audio("1"))
    assert answered(small_offer(audio("0"), other, bundle="1 0")).peer.ufrag == "wxyz"
    refused = tuple(line.replace("ufrag:abcd", "ufrag:wxyz") for line in video("1", codecs="96 H263"))
    assert answered(small_offer(audio("0"), refused, bundle="1 0")).peer.ufrag == "abcd"


# --- our offers -------------------------------------------------------------------------------------------------------


def test_after_our_offer_the_a_stream_goes_on_though_its_line_does_not_say_so() -> None:
    connection = reoffered(offer_of("chrome-156-audio"))
    first = connection.line("0")
    assert connection.session_version == 2
    assert (first.direction, first.far_label, first.far_msid) == (Direction.RECVONLY, TrackLabel.DEFAULT_AUDIO, FAR.msid)
    assert connection.a_line == first
    assert connection.far_line(TrackLabel.DEFAULT_AUDIO) == connection.line("1")


@pytest.mark.parametrize(
    ("mids", "appended"),
    [
        (["0"], "1"),
        (["7"], "8"),
        (["audio"], "0"),
        (["audio", "3"], "4"),
        (["5", "2"], "6"),
        (["999999999999999"], "1000000000000000"),
        (["1" * 16], "0"),
        (["007"], "8"),
    ],
)
def test_the_new_mid_is_above_every_number_in_use(mids: list[str], appended: str) -> None:
    offer = small_offer(*(audio(mid) for mid in mids), bundle=" ".join(mids))
    assert reoffered(offer).lines[-1].mid == appended


@pytest.mark.parametrize(
    ("offered", "ours"),
    [
        ("sendrecv", Direction.RECVONLY),
        ("sendonly", Direction.RECVONLY),
        ("recvonly", Direction.INACTIVE),
        ("inactive", Direction.INACTIVE),
    ],
)
def test_on_offered_lines_we_only_receive(offered: str, ours: Direction) -> None:
    offer = parse(small_offer(audio("0", direction=offered)))
    connection = show_tracks(answered(offer), [FAR_AGAIN])
    check_offer_of_ours(answered(offer), connection)
    assert [line.direction for line in connection.lines] == [ours, Direction.SENDONLY]


def test_the_numbering_is_that_of_a_line_we_took() -> None:
    old = ("m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0", "a=rtcp-mux", "a=rtpmap:0 PCMU/8000")
    connection = reoffered(small_offer(old, audio("1"), bundle="0 1"))
    assert [codec.key for codec in connection.line("2").codecs] == ["opus/48000/2"]


# --- answers of the peer ----------------------------------------------------------------------------------------------


def peer_answer(connection: Connection, *directions: str) -> Description:
    """What a peer would answer to our offer, with these directions."""
    answer = parse(render_offer(connection))
    text = serialize(answer).replace("a=setup:passive", "a=setup:active")
    head, *sections = text.split("m=")
    ours = [line.direction.value for line in connection.lines]
    turned = [s.replace(f"a={old}\r\n", f"a={new}\r\n") for s, old, new in zip(sections, ours, directions, strict=True)]
    return parse("m=".join([head, *turned]))


@pytest.mark.parametrize(
    ("direction", "proof"),
    [("recvonly", {"1"}), ("sendrecv", {"1"}), ("inactive", set()), ("sendonly", set())],
)
def test_an_answer_that_receives_on_our_line_is_a_proof(direction: str, proof: set[str]) -> None:
    connection = reoffered(offer_of("chrome-156-audio"))
    assert read_answer(connection, peer_answer(connection, "sendonly", direction)) == proof


def test_receiving_on_its_own_line_proves_nothing() -> None:
    connection = reoffered(offer_of("chrome-156-audio"))
    assert read_answer(connection, peer_answer(connection, "sendrecv", "inactive")) == frozenset()


def test_an_answer_that_refuses_our_line_proves_nothing() -> None:
    connection = reoffered(offer_of("chrome-156-audio"))
    text = serialize(peer_answer(connection, "sendonly", "recvonly"))
    head, own, ours = text.split("m=")
    refused = parse("m=".join([head, own, ours.replace("audio 40012", "audio 0")]))
    assert read_answer(connection, refused) == frozenset()


def test_an_answer_proves_each_line_by_itself() -> None:
    connection = show_tracks(answered(offer_of("chrome-156-audio")), ALL_FAR)
    directions = ("sendonly", "recvonly", "inactive", "recvonly", "sendrecv")
    assert read_answer(connection, peer_answer(connection, *directions)) == {"1", "3", "4"}
    # What we do not send, nobody can be hearing.
    silent = show_tracks(connection, ALL_FAR[:2])
    assert read_answer(silent, peer_answer(silent, "sendonly", "recvonly", "recvonly", "recvonly", "recvonly")) == {"1", "2"}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lines("v=0", "o=- 1 1 IN IP4 0.0.0.0"), id="no lines"),
        pytest.param(small_offer(audio("0")), id="to the answer before"),
        pytest.param(small_offer(audio("1"), audio("0")), id="other order"),
        pytest.param(small_offer(audio("0"), audio("1"), audio("2")), id="more lines"),
        pytest.param(text_of("chrome-156-video").replace("a=mid:1", "a=mid:9"), id="other mids"),
    ],
)
def test_an_answer_to_something_else_proves_nothing(answer: str) -> None:
    assert read_answer(reoffered(offer_of("chrome-156-audio")), parse(answer)) == frozenset()
