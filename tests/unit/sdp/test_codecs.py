"""One media codec for each m-line, the digits, and the header extensions."""

from __future__ import annotations

import pytest

from pagecalls.sdp.codecs import carried, line_codecs, line_extensions, listed_pts, media_format, media_kind
from pagecalls.sdp.connection import LineCodec, MediaSettings
from pagecalls.sdp.description import MediaSection, parse
from pagecalls.types import MediaKind
from tests.unit.sdp.samples import audio, offer_of, small_offer, video

SETTINGS = MediaSettings(opus_fmtp="usedtx=1")
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


def section(*more: str, pts: str = "111", mid: str = "0") -> MediaSection:
    text = small_offer(audio(mid, *more)).replace("SAVPF 111", f"SAVPF {pts}")
    return parse(text).media[0]


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("chrome-156-audio", (LineCodec("opus/48000/2", 111, "usedtx=1"), LineCodec("telephone-event/48000", 110))),
        ("firefox-153-audio", (LineCodec("opus/48000/2", 109, "usedtx=1"), LineCodec("telephone-event/8000", 101, "0-15"))),
        ("aiortc-1.16-audio", (LineCodec("opus/48000/2", 96, "usedtx=1"),)),
    ],
)
def test_clients_keep_their_numbers(name: str, codecs: tuple[LineCodec, ...]) -> None:
    assert line_codecs(offer_of(name).media[0], SETTINGS) == codecs


def test_digits_at_48_khz_win_whatever_the_order() -> None:
    line = section("a=rtpmap:101 telephone-event/8000", "a=rtpmap:102 telephone-event/48000", pts="101 111 102")
    assert [codec.pt for codec in line_codecs(line, SETTINGS)] == [111, 102]


def test_digits_at_another_clock_are_left_out() -> None:
    line = section("a=rtpmap:101 telephone-event/16000", pts="111 101")
    assert [codec.pt for codec in line_codecs(line, SETTINGS)] == [111]


@pytest.mark.parametrize("encoding", ["opus/48000", "opus/48000/1", "opus/24000/2", "multiopus/48000/2"])
def test_only_opus_at_48_khz_with_two_channels_is_opus(encoding: str) -> None:
    text = small_offer(audio("0")).replace("opus/48000/2", encoding)
    assert media_format(parse(text).media[0]) is None


def test_the_name_may_be_written_in_any_case() -> None:
    text = small_offer(audio("0")).replace("opus/48000/2", "OPUS/48000/2")
    assert line_codecs(parse(text).media[0], SETTINGS) == (LineCodec("opus/48000/2", 111, "usedtx=1"),)


@pytest.mark.parametrize(("pt", "is_usable"), [(63, True), (64, False), (72, False), (95, False), (96, True)])
def test_numbers_that_look_like_rtcp_are_passed_over(pt: int, is_usable: bool) -> None:
    text = small_offer(audio("0")).replace("111", str(pt))
    assert (media_format(parse(text).media[0]) is not None) is is_usable


def test_the_first_of_two_opus_numbers_is_taken() -> None:
    line = section("a=rtpmap:112 opus/48000/2", pts="112 111")
    assert line_codecs(line, SETTINGS)[0].pt == 112


def test_no_video_codec_is_carried() -> None:
    assert carried(MediaKind.VIDEO) == ()
    assert line_codecs(offer_of("chrome-156-video").media[1], MediaSettings(video_enabled=True)) == ()


def test_kinds() -> None:
    offer = parse(small_offer(audio("0"), video("1"), ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel",)))
    assert [media_kind(each) for each in offer.media] == [MediaKind.AUDIO, MediaKind.VIDEO, None]


@pytest.mark.parametrize(
    ("name", "extensions"),
    [
        ("chrome-156-audio", (("level", 1), ("mid", 4))),
        ("firefox-153-audio", (("level", 1), ("mid", 3))),
        ("aiortc-1.16-audio", (("mid", 1), ("level", 2))),
    ],
)
def test_extensions_keep_their_numbers(name: str, extensions: tuple[tuple[str, int], ...]) -> None:
    assert line_extensions(offer_of(name).media[0]) == extensions


@pytest.mark.parametrize(
    ("extmaps", "extensions"),
    [
        ((), ()),
        ((f"a=extmap:3/sendrecv {MID}",), (("mid", 3),)),
        ((f"a=extmap:3/recvonly {MID}", f"a=extmap:1/sendonly {LEVEL}"), ()),
        ((f"a=extmap:15 {MID}", f"a=extmap:14 {LEVEL}"), (("level", 14),)),
        ((f"a=extmap:20 {MID}", f"a=extmap:5 {MID}"), (("mid", 5),)),
        ((f"a=extmap:1 {LEVEL}", f"a=extmap:1 {MID}"), (("level", 1),)),
    ],
)
def test_extensions_must_be_usable(extmaps: tuple[str, ...], extensions: tuple[tuple[str, int], ...]) -> None:
    assert line_extensions(section(*extmaps)) == extensions


def test_a_mid_too_long_for_the_extension_does_without() -> None:
    assert line_extensions(section(f"a=extmap:3 {MID}", mid="m" * 16)) == (("mid", 3),)
    assert line_extensions(section(f"a=extmap:3 {MID}", mid="m" * 17)) == ()


def test_listed_numbers() -> None:
    assert listed_pts(offer_of("firefox-153-audio")) == (
        (0, "pcmu/8000"),
        (8, "pcma/8000"),
        (9, "g722/8000"),
        (101, "telephone-event/8000"),
        (109, "opus/48000/2"),
    )
