"""Answers, offers of ours, and what an answer of the peer proves."""

from __future__ import annotations

import pytest

from pagecalls.errors import ConnectionFault, UnusableConnection
from pagecalls.sdp.connection import Connection, Direction, FarTrack, Line, LineCodec, MediaSettings, PeerTransport, Setup
from pagecalls.sdp.description import Description, parse, serialize
from pagecalls.sdp.negotiate import MAX_NAMED_SSRCS, answer_first, append_tracks, read_answer, render_answer, render_offer
from pagecalls.types import MediaKind, Track, TrackLabel, TrackStatus
from tests.unit.sdp.invariants import check_answer, check_offer_of_ours
from tests.unit.sdp.samples import (
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
    assert (111, "opus/48000/2") in connection.seen_pts
    assert (13, "cn/8000") in connection.seen_pts


def test_firefox_keeps_its_braces_and_its_numbers() -> None:
    line = answered(offer_of("firefox-153-audio")).audio_line
    assert line.peer_msid == "{fb0f167c-e6a3-4469-98cb-002fdaa776aa} {3f04e678-a132-4dc9-96db-4ffa99c52451}"
    assert [codec.pt for codec in line.codecs] == [109, 101]
    assert not line.rtcp_rsize


def test_aiortc_brings_three_fingerprints() -> None:
    peer = answered(offer_of("aiortc-1.16-audio")).peer
    assert [algorithm for algorithm, _ in peer.fingerprints] == ["sha-256", "sha-384", "sha-512"]


@pytest.mark.parametrize("name", ["chrome-156-video", "firefox-153-video", "aiortc-1.16-video"])
@pytest.mark.parametrize("is_enabled", [False, True])
def test_video_is_refused_and_sound_goes_on(name: str, is_enabled: bool) -> None:
    offer = offer_of(name)
    settings = MediaSettings(video_enabled=is_enabled)
    connection = answer_first(offer, tracks=(), transport=TRANSPORT, session_id=1, far=FAR, settings=settings)
    check_answer(offer, connection)
    answer = parse(render_answer(connection))
    assert [section.port for section in answer.media] == [40012, 0]
    assert answer.media[1].direction is Direction.INACTIVE
    assert [group.mids for group in answer.bundles] == [("0",)]
    assert [track.label for track in connection.peer_tracks()] == [TrackLabel.DEFAULT_AUDIO]


def test_screen_sound_is_received_and_nothing_is_sent_there() -> None:
    connection = answered(offer_of("chrome-156-screen"))
    directions = [(line.mid, line.is_rejected, line.direction) for line in connection.lines]
    assert directions == [
        ("0", False, Direction.SENDRECV),
        ("1", True, Direction.INACTIVE),
        ("2", True, Direction.INACTIVE),
        ("3", False, Direction.RECVONLY),
    ]
    assert [track.label for track in connection.peer_tracks()] == [TrackLabel.DEFAULT_AUDIO, TrackLabel.SCREEN_AUDIO]
    assert connection.line("3").far_msid == ""


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
    connection = answer_first(offer, tracks=[track], transport=TRANSPORT, session_id=1, far=FAR)
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
    picture = tuple(line.replace("abcd", "wxyz", 1) if line.startswith("a=ice-ufrag") else line for line in video("1"))
    assert answered(small_offer(audio("0"), picture, bundle="1 0")).peer.ufrag == "abcd"


# --- our offers -------------------------------------------------------------------------------------------------------


def test_the_offer_to_chromium() -> None:
    connection = reoffered(offer_of("chrome-156-audio"))
    first, second = connection.lines
    assert connection.session_version == 2
    # The A-stream goes on there, though the line does not say so any more (messenger-calling 6.6).
    assert (first.direction, first.far_label, first.far_msid) == (Direction.RECVONLY, TrackLabel.DEFAULT_AUDIO, FAR.msid)
    assert second == Line(
        mid="1",
        media="audio",
        kind=MediaKind.AUDIO,
        protocol="UDP/TLS/RTP/SAVPF",
        direction=Direction.SENDONLY,
        is_ours=True,
        codecs=first.codecs,
        ext=first.ext,
        rtcp_rsize=True,
        far_label=TrackLabel.DEFAULT_AUDIO,
        far_msid=FAR_AGAIN.msid,
        far_ssrc=FAR_AGAIN.ssrc,
    )


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
    connection = append_tracks(answered(offer), [FAR_AGAIN])
    check_offer_of_ours(answered(offer), connection)
    assert [line.direction for line in connection.lines] == [ours, Direction.SENDONLY]


def test_offers_are_cumulative() -> None:
    first = reoffered(offer_of("firefox-153-audio"))
    screen = FarTrack(TrackLabel.SCREEN_AUDIO, "730155201:kT4vQw9LbX2mZp7R:SCREEN", "77", 99)
    second = append_tracks(first, [screen])
    check_offer_of_ours(first, second)
    assert second.lines[:2] == first.lines
    assert [(line.mid, line.direction, line.far_ssrc) for line in second.lines[1:]] == [
        ("1", Direction.SENDONLY, FAR_AGAIN.ssrc),
        ("2", Direction.SENDONLY, 99),
    ]
    assert second.session_version == 3


def test_several_tracks_at_once_have_a_line_each() -> None:
    screen = FarTrack(TrackLabel.SCREEN_AUDIO, "730155201:kT4vQw9LbX2mZp7R:SCREEN", "77", 99)
    connection = append_tracks(answered(offer_of("chrome-156-audio")), [FAR_AGAIN, screen])
    assert [(line.mid, line.far_label) for line in connection.lines[1:]] == [
        ("1", TrackLabel.DEFAULT_AUDIO),
        ("2", TrackLabel.SCREEN_AUDIO),
    ]


def test_the_numbering_is_that_of_a_line_we_took() -> None:
    old = ("m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0", "a=rtcp-mux", "a=rtpmap:0 PCMU/8000")
    connection = reoffered(small_offer(old, audio("1"), bundle="0 1"))
    assert [codec.key for codec in connection.line("2").codecs] == ["opus/48000/2"]
    with pytest.raises(ValueError, match="no video line"):
        append_tracks(answered(offer_of("chrome-156-video")), [FarTrack(TrackLabel.DEFAULT_VIDEO, "s:x:DEFAULT", "1", 2)])


def test_a_label_is_offered_once_and_only_on_a_known_kind() -> None:
    connection = reoffered(offer_of("chrome-156-audio"))
    with pytest.raises(ValueError, match="already"):
        append_tracks(connection, [FAR_AGAIN])
    with pytest.raises(ValueError, match="no video line"):
        append_tracks(connection, [FarTrack(TrackLabel.DEFAULT_VIDEO, "s:x:DEFAULT", "1", 2)])


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
