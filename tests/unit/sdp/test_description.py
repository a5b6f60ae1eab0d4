"""Real offers, field by field and back; inheritance; and the ways in which a text is no description."""

from __future__ import annotations

import pytest

from pagecalls.errors import MalformedSdp
from pagecalls.sdp.description import (
    Attribute,
    Candidate,
    Direction,
    Extmap,
    Fingerprint,
    Format,
    Group,
    MediaSection,
    Msid,
    Origin,
    Setup,
    SsrcAttribute,
    SsrcGroup,
    parse,
    serialize,
)
from tests.unit.sdp.samples import CREDENTIALS, HEAD, NAMES, audio, lines, offer_of, small_offer, text_of, video

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
TWCC_URI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
SEND_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_is_the_same_description(name: str) -> None:
    offer = offer_of(name)
    assert parse(serialize(offer)) == offer


@pytest.mark.parametrize("name", ["aiortc-1.16-audio", "chrome-156-audio", "chrome-156-video", "chrome-156-screen"])
def test_where_nothing_is_inherited_no_line_is_lost(name: str) -> None:
    assert sorted(serialize(offer_of(name)).split("\r\n")) == sorted(text_of(name).split("\r\n"))


@pytest.mark.parametrize("name", ["firefox-153-audio", "firefox-153-video"])
def test_inherited_lines_move_below_the_m_lines(name: str) -> None:
    assert set(serialize(offer_of(name)).split("\r\n")) == set(text_of(name).split("\r\n"))


def test_chromium_audio() -> None:
    offer = offer_of("chrome-156-audio")
    assert offer.origin == Origin("-", "434681236185787278", "2")
    assert offer.groups == (Group("BUNDLE", ("0",)),)
    assert offer.others == (
        Attribute("extmap-allow-mixed"),
        Attribute("msid-semantic", " WMS 3fbb0757-75e8-4dde-91ee-137c60a24745"),
    )
    msid = Msid("3fbb0757-75e8-4dde-91ee-137c60a24745", "607b06d1-e4dc-44ee-84fb-129b92d441c2")
    assert offer.media == (
        MediaSection(
            media="audio",
            port=54983,
            protocol="UDP/TLS/RTP/SAVPF",
            format_tokens=("111", "63", "9", "0", "8", "13", "110", "126"),
            connection="IN IP4 192.0.2.2",
            mid="0",
            direction=Direction.SENDRECV,
            rtcp="9 IN IP4 0.0.0.0",
            candidate_texts=(
                "3865695311 1 udp 2122194687 192.0.2.2 54983 typ host generation 0 network-id 1",
                "3776690431 1 udp 2122265343 fd00::2 33998 typ host generation 0 network-id 2",
                "2561029847 1 tcp 1518214911 192.0.2.2 9 typ host tcptype active generation 0 network-id 1",
                "2681494119 1 tcp 1518285567 fd00::2 9 typ host tcptype active generation 0 network-id 2",
            ),
            ufrag="266u",
            pwd="XYdVlTFcwgt5DzSZ+tjGFOFE",
            fingerprints=(
                Fingerprint(
                    "sha-256",
                    "86:6D:C8:A6:7F:11:86:C4:7A:3C:C4:47:3C:79:D7:C3:1B:E9:D3:4B:2C:24:61:89:A7:10:1D:04:47:D1:7F:AF",
                ),
            ),
            setup=Setup.ACTPASS,
            extmaps=(Extmap(1, LEVEL_URI), Extmap(2, SEND_TIME_URI), Extmap(3, TWCC_URI), Extmap(4, MID_URI)),
            msids=(msid,),
            has_rtcp_mux=True,
            has_rtcp_rsize=True,
            formats=(
                Format(111, "opus/48000/2", "opus/48000/2", ("minptime=10;useinbandfec=1",), ("transport-cc",)),
                Format(63, "red/48000/2", "red/48000/2", ("111/111",)),
                Format(9, "G722/8000", "g722/8000"),
                Format(0, "PCMU/8000", "pcmu/8000"),
                Format(8, "PCMA/8000", "pcma/8000"),
                Format(13, "CN/8000", "cn/8000"),
                Format(110, "telephone-event/48000", "telephone-event/48000"),
                Format(126, "telephone-event/8000", "telephone-event/8000"),
            ),
            ssrcs=(SsrcAttribute(432553824, "cname", "tm8SeZWzGTljh17X"), SsrcAttribute(432553824, "msid", str(msid))),
            others=(Attribute("ice-options", "trickle"), Attribute("rtcp-xr", "rcvr-rtt=all")),
        ),
    )
    assert offer.media[0].candidates[2] == Candidate(
        "2561029847", 1, "tcp", 1518214911, "192.0.2.2", 9, "host", ("tcptype", "active", "generation", "0", "network-id", "1")
    )


def test_firefox_audio() -> None:
    offer = offer_of("firefox-153-audio")
    assert offer.origin.username == "mozilla...THIS_IS_SDPARTA-99.0"
    assert Attribute("ice-options", "trickle") in offer.others
    (section,) = offer.media
    # The fingerprint stands at session level alone, the direction at both.
    assert [print_.algorithm for print_ in section.fingerprints] == ["sha-256"]
    assert (section.direction, section.setup, section.ufrag) == (Direction.SENDRECV, Setup.ACTPASS, "da62907c")
    assert section.has_all_candidates
    assert [candidate.component for candidate in section.candidates] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert section.extmaps[1] == Extmap(2, "urn:ietf:params:rtp-hdrext:csrc-audio-level", Direction.RECVONLY)
    assert section.msid == Msid("{fb0f167c-e6a3-4469-98cb-002fdaa776aa}", "{3f04e678-a132-4dc9-96db-4ffa99c52451}")
    assert section.formats[0].fmtp == ("maxplaybackrate=48000;stereo=1;useinbandfec=1",)
    assert section.formats[1] == Format(9, "G722/8000/1", "g722/8000", (), ("transport-cc",))
    assert section.formats[-1] == Format(101, "telephone-event/8000", "telephone-event/8000", ("0-15",))
    assert section.media_ssrcs == (2491814895,)
    assert not section.has_rtcp_rsize


def test_aiortc_audio() -> None:
    (section,) = offer_of("aiortc-1.16-audio").media
    assert [print_.algorithm for print_ in section.fingerprints] == ["sha-256", "sha-384", "sha-512"]
    assert section.extmaps == (Extmap(1, MID_URI), Extmap(2, LEVEL_URI))
    assert [fmt.key for fmt in section.formats] == ["opus/48000/2", "g722/8000", "pcmu/8000", "pcma/8000"]
    assert section.media_ssrcs == (1044906085,)


@pytest.mark.parametrize("name", ["chrome-156-video", "firefox-153-video", "aiortc-1.16-video"])
def test_video_lines_are_understood_too(name: str) -> None:
    sound, picture = offer_of(name).media
    assert (sound.media, picture.media) == ("audio", "video")
    vp8 = picture.formats[0]
    assert vp8.key == "vp8/90000"
    assert {"nack", "nack pli", "goog-remb"} <= set(vp8.feedback)
    assert picture.formats[1].key == "rtx/90000"
    # The second source only repeats the first.
    assert picture.ssrc_groups[0].semantics == "FID"
    assert picture.media_ssrcs == (picture.ssrc_groups[0].ssrcs[0],)


def test_chromium_screen_has_four_lines_in_order() -> None:
    offer = offer_of("chrome-156-screen")
    assert [(section.media, section.mid) for section in offer.media] == [
        ("audio", "0"),
        ("video", "1"),
        ("video", "2"),
        ("audio", "3"),
    ]
    assert len({section.msid for section in offer.media}) == 4
    assert len({section.ufrag for section in offer.media}) == 1
    assert offer.bundles == (Group("BUNDLE", ("0", "1", "2", "3")),)


def test_session_values_hold_for_every_line_that_has_none() -> None:
    text = lines(
        *HEAD,
        *CREDENTIALS,
        "a=recvonly",
        "a=extmap:1 urn:x",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=ice-ufrag:other",
        "a=ice-pwd:othersothersothersothers",
        "a=fingerprint:sha-384 AA",
        "a=setup:active",
        "a=sendonly",
    )
    first, second = parse(text).media
    assert (first.ufrag, first.pwd, first.setup) == ("abcd", "abcdefghijklmnopqrstuv", Setup.ACTPASS)
    assert (first.direction, first.extmaps) == (Direction.RECVONLY, (Extmap(1, "urn:x"),))
    assert (second.ufrag, second.pwd, second.setup) == ("other", "othersothersothersothers", Setup.ACTIVE)
    assert (second.direction, second.extmaps) == (Direction.SENDONLY, (Extmap(1, "urn:x"),))
    assert [print_.algorithm for print_ in second.fingerprints] == ["sha-384"]


def test_without_any_direction_a_line_goes_both_ways() -> None:
    (section,) = parse(lines(*HEAD, "m=audio 9 UDP/TLS/RTP/SAVPF 111")).media
    assert section.direction is Direction.SENDRECV


def test_lines_without_a_mid_are_numbered_around_those_that_have_one() -> None:
    plain = ("m=audio 9 UDP/TLS/RTP/SAVPF 111",)
    text = small_offer(plain, audio("0"), plain, audio("2"), plain)
    assert [section.mid for section in parse(text).media] == ["1", "0", "3", "2", "4"]


def test_the_track_is_taken_from_the_source_where_there_is_no_msid_line() -> None:
    (section,) = parse(small_offer(audio("0", "a=ssrc:7 cname:c", "a=ssrc:7 msid:s t"))).media
    assert section.msid == Msid("s", "t")
    (none,) = parse(small_offer(audio("0", "a=ssrc:7 cname:c", "a=ssrc:7 msid:"))).media
    assert none.msid is None


def test_bundle_only_lines_are_in_use() -> None:
    text = small_offer(audio("0"), video("1", "a=bundle-only"), video("2")).replace("m=video 9", "m=video 0")
    first, second, third = parse(text).media
    assert (first.is_live, second.is_live, third.is_live) == (True, True, False)


def test_simulcast_and_unknown_attributes_are_kept() -> None:
    extra = ("a=rid:hi send", "a=simulcast:send hi", "a=x-unheard-of:1:2")
    (_, section) = parse(small_offer(audio("0"), video("1", *extra))).media
    assert [f"a={attribute}" for attribute in section.others] == list(extra)


def test_a_candidate_of_an_unknown_form_is_passed_over() -> None:
    candidates = ("a=candidate:1 1 quic", "a=candidate:1 1 UDP 1 192.0.2.1 9 typ host")
    (section,) = parse(small_offer(audio("0", *candidates))).media
    assert section.candidates == (Candidate("1", 1, "udp", 1, "192.0.2.1", 9, "host"),)
    assert [f"a=candidate:{text}" for text in section.candidate_texts] == list(candidates)


def test_groups_of_sources() -> None:
    (section,) = parse(small_offer(audio("0", "a=ssrc-group:FID 1 2", "a=ssrc:1 cname:c", "a=ssrc:2 cname:c"))).media
    assert (section.ssrc_groups, section.media_ssrcs) == ((SsrcGroup("FID", (1, 2)),), (1,))
    assert section.repeat_ssrcs == (2,)


def test_only_the_first_layer_of_a_simulcast_counts() -> None:
    groups = ("a=ssrc-group:SIM 1 2", "a=ssrc-group:FID 1 3", "a=ssrc-group:FID 2 4", "a=ssrc-group:FEC-FR 1 5")
    (section,) = parse(small_offer(audio("0", *groups, *(f"a=ssrc:{ssrc} cname:c" for ssrc in range(1, 6))))).media
    assert (section.media_ssrcs, section.repeat_ssrcs) == ((1,), (3,))


def test_a_group_of_one_or_of_nothing_repeats_nothing() -> None:
    (section,) = parse(small_offer(audio("0", "a=ssrc-group:FID 1", "a=ssrc-group:FID", "a=ssrc:1 cname:c"))).media
    assert (section.media_ssrcs, section.repeat_ssrcs) == ((1,), ())


def test_session_lines() -> None:
    offer = parse(lines("v=0", "o=a 1 2 IN IP6 ::1", "s=", "i=title", "c=IN IP4 192.0.2.1", "b=AS:1", "t=1 2"))
    assert (offer.origin, offer.name, offer.timing) == (Origin("a", "1", "2", "IN IP6 ::1"), "-", "1 2")
    assert (offer.connection, offer.other_lines) == ("IN IP4 192.0.2.1", (("i", "title"), ("b", "AS:1")))
    assert parse(serialize(offer)) == offer


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 0),
        ("\r\n\r\n", 0),
        ("hello", 1),
        ("v=1\r\n", 1),
        ("o=- 1 1 IN IP4 0.0.0.0\r\n", 1),
        ("v=0\r\ns=-\r\n", 1),
        ("v=0\r\no=- 1 1\r\n", 2),
        ("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nv=0\r\n", 3),
        (lines(*HEAD, "m=audio 9 UDP/TLS/RTP/SAVPF 111", "s=again"), 6),
        (lines(*HEAD, "m=audio"), 5),
        (lines(*HEAD, "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=rtpmap:111 opus"), 6),
        (lines(*HEAD, "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=ssrc:x"), 6),
        (lines(*HEAD, "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:"), 6),
        (lines(*HEAD, "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:a b"), 6),
        (lines(*HEAD, "a=setup:never"), 5),
        (lines(*HEAD, *audio("0"), *audio("0")), 5 + len(audio("0"))),
        (lines(*HEAD, *["m=audio 9 UDP/TLS/RTP/SAVPF 111"] * 17), 21),
    ],
)
def test_what_is_no_description_is_refused_by_line(text: str, line: int) -> None:
    with pytest.raises(MalformedSdp) as error:
        parse(text)
    assert error.value.line == line


def test_sixteen_lines_are_read() -> None:
    assert len(parse(lines(*HEAD, *["m=audio 9 UDP/TLS/RTP/SAVPF 111"] * 16)).media) == 16


def test_the_line_number_is_no_part_of_equality() -> None:
    first, second = parse(small_offer(audio("0"))), parse("\n" + small_offer(audio("0")))
    assert first == second
    assert [first.media[0].line, second.media[0].line] == [5, 6]
