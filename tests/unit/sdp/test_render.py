"""Our descriptions, line by line: the example of messenger-calling 6.8, and what varies with the transport."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagecalls.sdp.connection import HostCandidate, MediaSettings
from pagecalls.sdp.description import parse
from pagecalls.sdp.negotiate import answer_first, show_tracks
from pagecalls.sdp.render import render_answer, render_offer
from tests.unit.sdp.samples import (
    FAR,
    FAR_AGAIN,
    FAR_CAMERA,
    FINGERPRINT,
    SESSION_ID,
    TRANSPORT,
    answered,
    lines,
    offer_of,
    reoffered,
    text_of,
)

SHARED = (
    "c=IN IP4 192.0.2.10",
    "a=rtcp:9 IN IP4 0.0.0.0",
    "a=candidate:1 1 udp 2122260224 192.0.2.10 40012 typ host",
    "a=candidate:2 1 udp 2122262784 2001:db8::10 40012 typ host",
    "a=candidate:3 1 tcp 1518280448 192.0.2.10 3478 typ host tcptype passive",
    "a=candidate:4 1 tcp 1518283008 2001:db8::10 3478 typ host tcptype passive",
    "a=end-of-candidates",
    "a=ice-ufrag:q7XcPn2b",
    "a=ice-pwd:Zk3v9TqLw8RfYb1MhXs5Ncd0",
    f"a=fingerprint:sha-256 {FINGERPRINT}",
    "a=setup:passive",
)
EXTENSIONS = (
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
)
CODECS = (
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 maxaveragebitrate=20000;maxplaybackrate=16000;minptime=10;usedtx=1;useinbandfec=1",
    "a=rtpmap:110 telephone-event/48000",
)
STREAM = "730155201:kT4vQw9LbX2mZp7R:DEFAULT"

ANSWER = lines(
    "v=0",
    "o=- 4611686018427387905 1 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    f"a=msid-semantic: WMS {STREAM}",
    "a=ice-lite",
    "m=audio 40012 UDP/TLS/RTP/SAVPF 111 110",
    *SHARED,
    "a=mid:0",
    *EXTENSIONS,
    "a=sendrecv",
    f"a=msid:{STREAM} 5120734419906211387",
    "a=rtcp-mux",
    *CODECS,
)
RENEGOTIATION = lines(
    "v=0",
    "o=- 4611686018427387905 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0 1",
    f"a=msid-semantic: WMS {STREAM}",
    "a=ice-lite",
    "m=audio 40012 UDP/TLS/RTP/SAVPF 111 110",
    *SHARED,
    "a=mid:0",
    *EXTENSIONS,
    "a=recvonly",
    "a=rtcp-mux",
    *CODECS,
    "m=audio 40012 UDP/TLS/RTP/SAVPF 111 110",
    *SHARED,
    "a=mid:1",
    *EXTENSIONS,
    "a=sendonly",
    f"a=msid:{STREAM} 8830174420915530021",
    "a=rtcp-mux",
    *CODECS,
    "a=ssrc:1379106125 cname:730155201:kT4vQw9LbX2mZp7R",
)

# The example's peer numbers as Chromium does; unlike Chromium it does not offer reduced-size RTCP.
PLAIN = text_of("chrome-156-audio").replace("a=rtcp-rsize\r\n", "")


def test_the_example_answer() -> None:
    assert render_answer(answered(PLAIN)) == ANSWER


def test_the_example_renegotiation() -> None:
    assert render_offer(reoffered(PLAIN)) == RENEGOTIATION


def test_chromium_itself_gets_reduced_size_rtcp_too() -> None:
    wanted = ANSWER.replace("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=rtcp-rsize\r\n")
    assert render_answer(answered(text_of("chrome-156-audio"))) == wanted


def test_a_refused_line_has_no_candidates_and_one_format() -> None:
    refused = offer_of("aiortc-1.16-video")
    settings = MediaSettings(video_enabled=False)
    answer = render_answer(
        answer_first(refused, tracks=(), transport=TRANSPORT, session_id=SESSION_ID, far=FAR, settings=settings)
    )
    assert answer.endswith(
        lines(
            "m=video 0 UDP/TLS/RTP/SAVPF 97",
            "c=IN IP4 0.0.0.0",
            "a=ice-ufrag:q7XcPn2b",
            "a=ice-pwd:Zk3v9TqLw8RfYb1MhXs5Ncd0",
            f"a=fingerprint:sha-256 {FINGERPRINT}",
            "a=setup:passive",
            "a=mid:1",
            "a=inactive",
            "a=rtcp-mux",
            "a=rtpmap:97 VP8/90000",
        )
    )


CAMERA = lines(
    "m=video 40012 UDP/TLS/RTP/SAVPF 96 97",
    *SHARED,
    "a=mid:3",
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
    "a=extmap:13 urn:3gpp:video-orientation",
    "a=sendonly",
    f"a=msid:{STREAM} 4409172216630955871",
    "a=rtcp-mux",
    "a=rtcp-rsize",
    "a=rtpmap:96 VP8/90000",
    "a=rtcp-fb:96 nack",
    "a=rtcp-fb:96 nack pli",
    "a=rtcp-fb:96 ccm fir",
    "a=rtcp-fb:96 goog-remb",
    "a=rtcp-fb:96 transport-cc",
    "a=rtpmap:97 rtx/90000",
    "a=fmtp:97 apt=96",
    "a=ssrc-group:FID 2001 2002",
    "a=ssrc:2001 cname:730155201:kT4vQw9LbX2mZp7R",
    "a=ssrc:2002 cname:730155201:kT4vQw9LbX2mZp7R",
)


def test_a_camera_on_its_line() -> None:
    offer = render_offer(show_tracks(answered(offer_of("chrome-156-video")), [FAR_AGAIN, FAR_CAMERA]))
    assert offer.endswith(CAMERA)


@pytest.mark.parametrize(
    ("candidates", "port", "address", "printed"),
    [
        pytest.param((), 9, "0.0.0.0", [], id="none"),
        pytest.param(
            (HostCandidate("udp", "2001:db8::1", 5000),),
            5000,
            "0.0.0.0",
            ["1 1 udp 2122262784 2001:db8::1 5000 typ host"],
            id="IPv6 only",
        ),
        pytest.param(
            (HostCandidate("tcp", "192.0.2.1", 3478), HostCandidate("udp", "2001:db8::1", 5000)),
            5000,
            "192.0.2.1",
            [
                "1 1 udp 2122262784 2001:db8::1 5000 typ host",
                "2 1 tcp 1518280448 192.0.2.1 3478 typ host tcptype passive",
            ],
            id="any order",
        ),
        pytest.param(
            (HostCandidate("udp", "192.0.2.1", 5000), HostCandidate("udp", "198.51.100.1", 5001)),
            5000,
            "192.0.2.1",
            ["1 1 udp 2122260224 192.0.2.1 5000 typ host", "2 1 udp 2122259968 198.51.100.1 5001 typ host"],
            id="two of a sort",
        ),
    ],
)
def test_candidates(candidates: tuple[HostCandidate, ...], port: int, address: str, printed: list[str]) -> None:
    connection = replace(answered(PLAIN), transport=replace(TRANSPORT, candidates=candidates))
    (section,) = parse(render_answer(connection)).media
    assert (section.port, section.connection) == (port, f"IN IP4 {address}")
    assert [str(candidate) for candidate in section.candidates] == printed
    assert section.has_all_candidates


def test_without_a_stream_the_semantic_line_is_bare() -> None:
    assert "a=msid-semantic: WMS\r\n" in render_answer(answered(PLAIN.replace("a=sendrecv", "a=sendonly")))


def test_a_stream_is_named_once() -> None:
    assert render_offer(reoffered(PLAIN)).count(f"a=msid-semantic: WMS {STREAM}\r\n") == 1


def test_firefox_gets_its_own_words_for_digits() -> None:
    answer = render_answer(answered(offer_of("firefox-153-audio")))
    assert "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n" in answer
    assert "m=audio 40012 UDP/TLS/RTP/SAVPF 109 101\r\n" in answer


def test_the_peers_protocol_is_repeated() -> None:
    answer = render_answer(answered(PLAIN.replace("UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF")))
    assert "m=audio 40012 TCP/TLS/RTP/SAVPF 111 110\r\n" in answer
