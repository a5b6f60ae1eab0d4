from __future__ import annotations

import pytest

from pagecalls.sdp.description import parse
from pagecalls.sdp.negotiate import answer_first, append_tracks, render_answer, render_offer
from pagecalls.testing.impair import redirect_candidates
from tests.unit.sdp.samples import FAR, NAMES, TRANSPORT, text_of

RELAY = ("127.0.0.1", 51_000)


def candidates(sdp: str) -> list[str]:
    return [line for line in sdp.splitlines() if "candidate" in line]


def written() -> list[str]:
    """What the server writes for each real offer: the answer, and the offer that follows it."""
    texts = []
    for name in NAMES:
        connection = answer_first(parse(text_of(name)), tracks=(), transport=TRANSPORT, session_id=1, far=FAR)
        texts += [render_answer(connection), render_offer(append_tracks(connection, [FAR]))]
    return texts


def test_what_the_server_writes_names_the_relay_alone() -> None:
    for text in written():
        redirected = redirect_candidates(text, RELAY)
        named = [line.split(" ", 4)[4] for line in candidates(redirected) if line.startswith("a=candidate:")]
        assert named
        assert set(named) == {"127.0.0.1 51000 typ host"}
        for candidate in TRANSPORT.candidates:
            assert candidate.ip not in redirected
        parse(redirected)


def test_only_addresses_change() -> None:
    for text in written():
        redirected = redirect_candidates(text, RELAY)

        def rest(sdp: str) -> list[str]:
            return [line for line in sdp.split("\r\n") if not line.startswith(("a=candidate:", "c=", "m="))]

        assert rest(redirected) == rest(text)


def test_each_section_keeps_one_and_the_others_go() -> None:
    sdp = (
        "v=0\r\nc=IN IP4 192.0.2.1\r\n"
        "m=audio 40000 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 192.0.2.1\r\n"
        "a=candidate:1 1 TCP 9 192.0.2.1 40000 typ host tcptype passive\r\n"
        "a=candidate:2 1 UDP 8 192.0.2.1 40000 typ host generation 0\r\n"
        "a=candidate:3 1 udp 7 2001:db8::1 40000 typ host\r\n"
        "a=candidate:4 1 udp 6 198.51.100.4 9 typ srflx raddr 192.0.2.1 rport 40000\r\n"
        "a=end-of-candidates\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n"
    )
    assert redirect_candidates(sdp, ("::1", 5)) == (
        "v=0\r\nc=IN IP6 ::1\r\n"
        "m=audio 5 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP6 ::1\r\n"
        "a=candidate:2 1 UDP 8 ::1 5 typ host\r\n"
        "a=end-of-candidates\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n"
    )


def test_a_rejected_line_stays_rejected() -> None:
    sdp = "m=audio 9 RTP/SAVPF 0\na=candidate:2 1 udp 8 192.0.2.1 40000 typ host\nm=video 0 RTP/SAVPF 0\n"
    assert "m=video 0 " in redirect_candidates(sdp, RELAY)


@pytest.mark.parametrize("sdp", ["", "m=audio 9 RTP/SAVPF 0\r\na=candidate:1 1 tcp 9 192.0.2.1 4 typ host tcptype passive\r\n"])
def test_nothing_to_redirect(sdp: str) -> None:
    with pytest.raises(ValueError, match="no UDP host candidate"):
        redirect_candidates(sdp, RELAY)
