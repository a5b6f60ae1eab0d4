"""What is understood at which level, and what is kept as it came."""

from __future__ import annotations

import pytest

from pagecalls.sdp.attributes import Attribute, Direction, Format, Group, Setup
from pagecalls.sdp.draft import MediaDraft, SessionDraft
from pagecalls.sdp.grammar import Unreadable


def media(*attributes: str, line: str = "audio 9 UDP/TLS/RTP/SAVPF 111 0") -> MediaDraft:
    draft = MediaDraft(5, line)
    for attribute in attributes:
        draft.add_attribute(attribute)
    return draft


def test_the_session_level_has_groups_and_ice_lite() -> None:
    draft = SessionDraft(1)
    draft.add_attribute("group:BUNDLE 0")
    draft.add_attribute("ice-lite")
    assert (draft.groups, draft.is_ice_lite, draft.others) == ([Group("BUNDLE", ("0",))], True, [])


def test_an_m_line_has_neither() -> None:
    draft = media("group:BUNDLE 0", "ice-lite")
    assert draft.others == [Attribute("group", "BUNDLE 0"), Attribute("ice-lite")]


def test_the_session_level_keeps_what_belongs_to_m_lines() -> None:
    draft = SessionDraft(1)
    draft.add_attribute("mid:0")
    draft.add_attribute("rtcp-mux")
    assert draft.others == [Attribute("mid", "0"), Attribute("rtcp-mux")]


@pytest.mark.parametrize("draft", [SessionDraft(1), MediaDraft(5, "audio 9 UDP/TLS/RTP/SAVPF 111")], ids=["session", "media"])
def test_both_levels_have_the_transport(draft: SessionDraft | MediaDraft) -> None:
    for attribute in ("ice-ufrag:u", "ice-pwd:p", "fingerprint:sha-256 AA", "setup:active", "recvonly", "extmap:1 urn:x"):
        draft.add_attribute(attribute)
    assert (draft.ufrag, draft.pwd, draft.setup, draft.direction) == ("u", "p", Setup.ACTIVE, Direction.RECVONLY)
    assert (len(draft.fingerprints), len(draft.extmaps), draft.others) == (1, 1, [])


def test_the_last_of_two_single_values_wins() -> None:
    assert media("setup:active", "setup:passive", "mid:a", "mid:b").mid == "b"


def test_fmtp_may_stand_before_rtpmap() -> None:
    draft = media("fmtp:111 minptime=10", "rtpmap:111 opus/48000/2", "rtcp-fb:111 transport-cc")
    assert draft.formats == (
        Format(111, "opus/48000/2", "opus/48000/2", ("minptime=10",), ("transport-cc",)),
        Format(0, "", "pcmu/8000"),
    )


def test_feedback_for_all_stands_once() -> None:
    draft = media("rtcp-fb:* nack", "rtcp-fb:111 transport-cc")
    assert draft.feedback_for_all == ["nack"]
    assert [fmt.feedback for fmt in draft.formats] == [("transport-cc",), ()]


def test_words_on_payload_types_that_the_line_does_not_list_are_kept_unread() -> None:
    draft = media("rtpmap:112 x/8000", "fmtp:112 a=1", "rtcp-fb:112 nack")
    assert [attribute.name for attribute in draft.others] == ["rtpmap", "fmtp", "rtcp-fb"]
    assert [fmt.key for fmt in draft.formats] == ["", "pcmu/8000"]


def test_a_line_without_rtp_has_no_payload_types() -> None:
    draft = media("fmtp:5000 x", "sctp-port:5000", "rtcp-fb:* x", line="application 9 UDP/DTLS/SCTP webrtc-datachannel")
    assert (draft.pts, draft.formats, len(draft.others)) == ({}, (), 3)


@pytest.mark.parametrize(
    "line",
    [
        "audio 9 UDP/TLS/RTP/SAVPF",
        "audio x UDP/TLS/RTP/SAVPF 111",
        "audio 65536 UDP/TLS/RTP/SAVPF 111",
        "audio 9/0 UDP/TLS/RTP/SAVPF 111",
        "audio 9 UDP/TLS/RTP/SAVPF opus",
        "audio 9 UDP/TLS/RTP/SAVPF 128",
        "au/dio 9 UDP/TLS/RTP/SAVPF 111",
        "",
    ],
)
def test_m_lines_that_cannot_be_read(line: str) -> None:
    with pytest.raises(Unreadable):
        MediaDraft(5, line)


@pytest.mark.parametrize("letter", ["v", "o", "s", "t"])
def test_session_lines_do_not_stand_below_an_m_line(letter: str) -> None:
    with pytest.raises(Unreadable):
        media().add_line(letter, "0")


def test_other_lines_are_kept() -> None:
    draft = media()
    for letter, value in (("i", "title"), ("c", "IN IP4 192.0.2.1"), ("b", "AS:64"), ("c", "IN IP4 192.0.2.2")):
        draft.add_line(letter, value)
    assert draft.connection == "IN IP4 192.0.2.1"
    assert draft.other_lines == [("i", "title"), ("b", "AS:64"), ("c", "IN IP4 192.0.2.2")]
