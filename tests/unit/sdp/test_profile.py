"""Every rule of messenger-calling 6.1: what breaks it, and what must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pagecalls.errors import ConnectionFault, MalformedSdp, UnusableConnection
from pagecalls.sdp.connection import PeerTransport
from pagecalls.sdp.description import parse
from pagecalls.sdp.profile import PROTOCOLS, RULES, check_offer, media_lines, peer_transport, transport_line
from tests.unit.sdp.samples import CREDENTIALS, FINGERPRINT, NAMES, audio, lines, offer_of, small_offer, text_of, video

DATA = ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:data", *CREDENTIALS)


@pytest.mark.parametrize("name", NAMES)
def test_real_offers_hold(name: str) -> None:
    check_offer(offer_of(name))


SMALL = small_offer(audio("0"))
BUNDLED = small_offer(audio("0"), video("1"), bundle="0 1")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SMALL, id="one line without BUNDLE, port 9, no candidates, no sources"),
        pytest.param(BUNDLED, id="two lines"),
        pytest.param(SMALL.replace("actpass", "active"), id="setup active"),
        pytest.param(SMALL.replace("a=mid:0\r\n", ""), id="no mid"),
        pytest.param(SMALL.replace("sha-256", "SHA-256"), id="algorithm in capitals"),
        pytest.param(SMALL.replace(FINGERPRINT, FINGERPRINT.lower()), id="digest in small letters"),
        pytest.param(SMALL.replace("a=mid:0", "a=ice-options:trickle ice2"), id="ice options"),
        pytest.param(small_offer(audio("0"), DATA), id="data channel beside it, in no group and without rtcp-mux"),
        pytest.param(small_offer(audio("0"), video("1")).replace("m=video 9", "m=video 0"), id="refused line outside the group"),
        pytest.param(
            BUNDLED.replace("m=video 9", "m=video 0").replace("a=mid:1", "a=mid:1\r\na=bundle-only"), id="bundle-only line"
        ),
        pytest.param(
            small_offer(audio("0"), video("1"), bundle="1 0 2").replace("a=rtcp-mux", "a=rtcp-mux\r\na=x-new"),
            id="group in another order, with a mid that is not there",
        ),
    ],
)
def test_what_must_be_let_through(text: str) -> None:
    check_offer(parse(text))


def without(text: str, start: str) -> str:
    """The text without the lines that start so."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(start))


CHROME = text_of("chrome-156-audio")


@pytest.mark.parametrize(
    ("text", "fault", "detail"),
    [
        pytest.param(lines("v=0", "o=- 1 2 IN IP4 0.0.0.0"), ConnectionFault.NO_OPUS, "", id="no m-line"),
        pytest.param(small_offer(video("0")), ConnectionFault.NO_OPUS, "", id="video only"),
        pytest.param(small_offer(DATA), ConnectionFault.NO_OPUS, "", id="data only"),
        pytest.param(SMALL.replace("m=audio 9", "m=audio 0"), ConnectionFault.NO_OPUS, "", id="refused by the offerer"),
        pytest.param(without(CHROME, "a=rtpmap:111"), ConnectionFault.NO_OPUS, "", id="Opus has no name"),
        pytest.param(CHROME.replace("SAVPF 111", "SAVPF"), ConnectionFault.NO_OPUS, "", id="Opus is not listed"),
        pytest.param(without(BUNDLED, "a=group"), ConnectionFault.NO_BUNDLE, "", id="no group"),
        pytest.param(BUNDLED.replace("BUNDLE 0 1", "BUNDLE 0"), ConnectionFault.NO_BUNDLE, "", id="group leaves one out"),
        pytest.param(BUNDLED.replace("BUNDLE", "LS"), ConnectionFault.NO_BUNDLE, "", id="group of another kind"),
        pytest.param(without(CHROME, "a=rtcp-mux"), ConnectionFault.NO_RTCP_MUX, "mid 0", id="no mux"),
        pytest.param(
            small_offer(audio("0"), tuple(line for line in video("1") if line != "a=rtcp-mux"), bundle="0 1"),
            ConnectionFault.NO_RTCP_MUX,
            "mid 1",
            id="no mux on the second line",
        ),
        pytest.param(without(CHROME, "a=ice-ufrag"), ConnectionFault.NO_CREDENTIALS, "ice-ufrag", id="no ufrag"),
        pytest.param(without(CHROME, "a=ice-pwd"), ConnectionFault.NO_CREDENTIALS, "ice-pwd", id="no pwd"),
        pytest.param(without(CHROME, "a=fingerprint"), ConnectionFault.NO_CREDENTIALS, "fingerprint", id="no fingerprint"),
        pytest.param(CHROME.replace("266u", "266"), ConnectionFault.NO_CREDENTIALS, "ice-ufrag", id="ufrag too short"),
        pytest.param(CHROME.replace("266u", "u" * 257), ConnectionFault.NO_CREDENTIALS, "ice-ufrag", id="ufrag too long"),
        pytest.param(CHROME.replace("266u", "26:6u"), ConnectionFault.NO_CREDENTIALS, "ice-ufrag", id="ufrag with a colon"),
        pytest.param(SMALL.replace("qrstuv", "qrstu"), ConnectionFault.NO_CREDENTIALS, "ice-pwd", id="pwd too short"),
        pytest.param(SMALL.replace("qrstuv", "qr tuv"), ConnectionFault.NO_CREDENTIALS, "ice-pwd", id="pwd with a space"),
        pytest.param(SMALL.replace("sha-256", "sha-1"), ConnectionFault.NO_CREDENTIALS, "fingerprint", id="sha-1 alone"),
        pytest.param(SMALL.replace("sha-256", "sha-384"), ConnectionFault.NO_CREDENTIALS, "fingerprint", id="wrong length"),
        pytest.param(SMALL.replace("12:34", "1G:34"), ConnectionFault.NO_CREDENTIALS, "fingerprint", id="no hex"),
        pytest.param(CHROME.replace("actpass", "passive"), ConnectionFault.DTLS_ROLE, "setup:passive", id="passive"),
        pytest.param(CHROME.replace("actpass", "holdconn"), ConnectionFault.DTLS_ROLE, "setup:holdconn", id="holdconn"),
        pytest.param(without(CHROME, "a=setup"), ConnectionFault.DTLS_ROLE, "setup", id="no setup"),
    ],
)
def test_what_breaks_a_rule(text: str, fault: ConnectionFault, detail: str) -> None:
    with pytest.raises(UnusableConnection) as error:
        check_offer(parse(text))
    assert (error.value.fault, error.value.detail) == (fault, detail)


def test_each_fault_has_one_rule_with_a_reason() -> None:
    assert len({rule.fault for rule in RULES}) == len(RULES) == 5
    assert all(rule.reason for rule in RULES)


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_protocols_that_are_let_through(protocol: str) -> None:
    check_offer(parse(SMALL.replace("UDP/TLS/RTP/SAVPF", protocol)))


@pytest.mark.parametrize("protocol", ["RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVP", "UDP/DTLS/SCTP", "udp"])
def test_other_protocols_are_refused_at_their_line(protocol: str) -> None:
    with pytest.raises(MalformedSdp) as error:
        check_offer(parse(SMALL.replace("UDP/TLS/RTP/SAVPF", protocol)))
    assert error.value.line == 5


def test_data_lines_are_not_judged() -> None:
    assert [section.mid for section in media_lines(parse(small_offer(audio("0"), DATA, video("1"))))] == ["0", "1"]


def test_the_first_taken_line_of_the_group_has_the_transport() -> None:
    offer = parse(small_offer(audio("0"), audio("1"), audio("2"), bundle="2 1 0"))
    first, second, third = offer.media
    assert transport_line(offer, [first, second, third]) is third
    assert transport_line(offer, [first, second]) is second
    assert transport_line(offer, []) is None


def test_a_line_without_credentials_stands_back() -> None:
    bare = ("m=audio 0 UDP/TLS/RTP/SAVPF 111", "a=mid:1", "a=bundle-only", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2")
    offer = parse(small_offer(audio("0"), bare, bundle="1 0"))
    assert transport_line(offer, list(offer.media)) is offer.media[0]
    check_offer(offer)


def test_every_trusted_fingerprint_counts_and_sha_1_does_not() -> None:
    extra = ("a=fingerprint:sha-1 " + ":".join(["AA"] * 20), "a=fingerprint:sha-512 " + ":".join(["aa"] * 64))
    (section,) = parse(small_offer(audio("0", *extra))).media
    assert peer_transport(section) == PeerTransport(
        "abcd", "abcdefghijklmnopqrstuv", (("sha-256", FINGERPRINT), ("sha-512", ":".join(["AA"] * 64)))
    )


def test_the_documentation_gives_each_rule_and_its_reason() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sdp.md").read_text()
    for rule in RULES:
        assert f"| {rule.fault.name}, " in page
        assert f"| {rule.reason} |" in page
