"""One media codec for each m-line, the digits, and the header extensions."""

from __future__ import annotations

import pytest

from pagecalls.sdp.codecs import Terms, line_terms, media_kind, note_extensions, note_listed, opus_format
from pagecalls.sdp.connection import FarSide, LineCodec, MediaSettings
from pagecalls.sdp.description import MediaSection, parse
from pagecalls.sdp.video import FEEDBACK
from pagecalls.types import MediaKind
from tests.unit.sdp.samples import audio, offer_of, small_offer, video

SETTINGS = MediaSettings(opus_fmtp="usedtx=1")
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


def terms_of(line: MediaSection, far_side: FarSide | None = None) -> Terms:
    terms = line_terms(line, SETTINGS, far_side)
    assert terms is not None
    return terms


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
    assert terms_of(offer_of(name).media[0]).codecs == codecs


def test_digits_at_48_khz_win_whatever_the_order() -> None:
    line = section("a=rtpmap:101 telephone-event/8000", "a=rtpmap:102 telephone-event/48000", pts="101 111 102")
    assert [codec.pt for codec in terms_of(line).codecs] == [111, 102]


def test_digits_at_another_clock_are_left_out() -> None:
    line = section("a=rtpmap:101 telephone-event/16000", pts="111 101")
    assert [codec.pt for codec in terms_of(line).codecs] == [111]


@pytest.mark.parametrize("encoding", ["opus/48000", "opus/48000/1", "opus/24000/2", "multiopus/48000/2"])
def test_only_opus_at_48_khz_with_two_channels_is_opus(encoding: str) -> None:
    text = small_offer(audio("0")).replace("opus/48000/2", encoding)
    assert opus_format(parse(text).media[0]) is None


def test_the_name_may_be_written_in_any_case() -> None:
    text = small_offer(audio("0")).replace("opus/48000/2", "OPUS/48000/2")
    assert terms_of(parse(text).media[0]).codecs == (LineCodec("opus/48000/2", 111, "usedtx=1"),)


@pytest.mark.parametrize(("pt", "is_usable"), [(63, True), (64, False), (72, False), (95, False), (96, True)])
def test_numbers_that_look_like_rtcp_are_passed_over(pt: int, is_usable: bool) -> None:
    text = small_offer(audio("0")).replace("111", str(pt))
    assert (opus_format(parse(text).media[0]) is not None) is is_usable


def test_the_first_of_two_opus_numbers_is_taken() -> None:
    line = section("a=rtpmap:112 opus/48000/2", pts="112 111")
    assert terms_of(line).codecs[0].pt == 112


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
    assert terms_of(offer_of(name).media[0]).ext == extensions


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
    assert terms_of(section(*extmaps)).ext == extensions


def test_a_mid_too_long_for_the_extension_does_without() -> None:
    assert terms_of(section(f"a=extmap:3 {MID}", mid="m" * 16)).ext == (("mid", 3),)
    assert terms_of(section(f"a=extmap:3 {MID}", mid="m" * 17)).ext == ()


def test_listed_numbers() -> None:
    listed = note_listed(offer_of("firefox-153-audio"))
    assert [(codec.pt, codec.key) for codec in listed] == [
        (109, "opus/48000/2"),
        (9, "g722/8000"),
        (0, "pcmu/8000"),
        (8, "pcma/8000"),
        (101, "telephone-event/8000"),
    ]


def test_the_later_word_holds() -> None:
    first = note_listed(parse(small_offer(audio("0"))))
    second = note_listed(parse(small_offer(audio("0")).replace("opus/48000/2", "x/8000")), first)
    assert second == (LineCodec("x/8000", 111),)
    assert note_listed(parse(small_offer(video("0"))), first) == (LineCodec("opus/48000/2", 111), LineCodec("vp8/90000", 96))


def test_a_number_without_a_name_is_taken_all_the_same() -> None:
    assert LineCodec("", 127) in note_listed(parse(small_offer(audio("0")).replace("SAVPF 111", "SAVPF 111 127")))


def test_listed_extensions_have_our_names_or_none() -> None:
    assert note_extensions(offer_of("chrome-156-audio")) == (("level", 1), ("", 2), ("twcc", 3), ("mid", 4))
    # Firefox offers one for one way alone.
    assert note_extensions(offer_of("firefox-153-audio")) == (("level", 1), ("", 2), ("mid", 3), ("twcc", 7))
    earlier = (("level", 1), ("mid", 2))
    assert note_extensions(parse(small_offer(audio("0", f"a=extmap:2 {LEVEL}"))), earlier) == (("level", 1), ("level", 2))


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        (
            "chrome-156-video",
            Terms((LineCodec("vp8/90000", 96, "", FEEDBACK, 97),), (("twcc", 3), ("mid", 4), ("ctype", 6), ("rot", 13))),
        ),
        ("firefox-153-video", Terms((LineCodec("vp8/90000", 120, "", FEEDBACK, 124),), (("mid", 3), ("twcc", 7)))),
        ("aiortc-1.16-video", Terms((LineCodec("vp8/90000", 97, "", ("nack", "nack pli", "goog-remb"), 98),), (("mid", 1),))),
    ],
)
def test_video_of_real_clients(name: str, terms: Terms) -> None:
    assert terms_of(offer_of(name).media[1]) == terms


TWCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


@pytest.mark.parametrize(
    ("more", "has_both"),
    [
        pytest.param(("a=rtcp-fb:96 transport-cc", f"a=extmap:3 {TWCC}"), True, id="both"),
        pytest.param(("a=rtcp-fb:96 transport-cc",), False, id="feedback without numbers"),
        pytest.param((f"a=extmap:3 {TWCC}",), False, id="numbers without feedback"),
        pytest.param(("a=rtcp-fb:96 transport-cc", f"a=extmap:15 {TWCC}"), False, id="numbers out of reach"),
    ],
)
def test_transport_wide_feedback_needs_its_numbers(more: tuple[str, ...], has_both: bool) -> None:
    terms = terms_of(parse(small_offer(audio("0"), video("1", *more), bundle="0 1")).media[1])
    assert (terms.codecs[0].feedback, terms.ext) == ((("transport-cc",), (("twcc", 3),)) if has_both else ((), ()))


def test_sound_has_no_transport_wide_feedback() -> None:
    line = section(f"a=extmap:3 {TWCC}", "a=rtcp-fb:111 transport-cc")
    assert (terms_of(line).ext, terms_of(line).codecs[0].feedback) == ((), ())


def test_repeats_are_answered_unless_the_far_side_lacks_them() -> None:
    line = offer_of("chrome-156-video").media[1]
    with_repeats, without = LineCodec("vp8/90000", 100, rtx_pt=101), LineCodec("vp8/90000", 100)
    assert terms_of(line, FarSide((with_repeats,))).codecs[0].rtx_pt == 97
    assert terms_of(line, FarSide((without,))).codecs[0].rtx_pt is None


def test_a_line_whose_codecs_the_far_side_lacks_has_no_terms() -> None:
    line = offer_of("firefox-153-video").media[1]
    assert line_terms(line, SETTINGS, FarSide((LineCodec("h264/90000", 96),))) is None
    assert terms_of(line, FarSide((LineCodec("vp9/90000", 96),))).codecs[0].pt == 121
