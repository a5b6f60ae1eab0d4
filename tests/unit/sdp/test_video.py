"""Video codecs: identity, choice, and what a line says of its codec (messenger-calling 6.4)."""

from __future__ import annotations

import pytest

from pagecalls.sdp import video as codecs
from pagecalls.sdp.connection import FarSide, LineCodec
from pagecalls.sdp.description import MediaSection, parse
from tests.unit.sdp.samples import audio, offer_of, small_offer, video

BASIC = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"


def h264(pt: int, profile: str, mode: int = 1) -> LineCodec:
    return LineCodec("h264/90000", pt, f"level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={profile}")


VP8, VP9, AV1 = LineCodec("vp8/90000", 96), LineCodec("vp9/90000", 98, "profile-id=0"), LineCodec("av1/90000", 45, "profile=0")
H265 = LineCodec("h265/90000", 49, "level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST")
PLAIN, PREFERRED, MAIN = h264(102, "42001f"), h264(108, "42e01f"), h264(116, "4d001f")


def section(*more: str, listed: str = "96 VP8") -> MediaSection:
    return parse(small_offer(audio("0"), video("1", *more, codecs=listed), bundle="0 1")).media[1]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        pytest.param([VP9, PREFERRED, VP8], VP8, id="VP8 first"),
        pytest.param([VP9, PLAIN, PREFERRED], PREFERRED, id="then the preferred H264"),
        pytest.param([MAIN, PLAIN], MAIN, id="then the peer's order"),
        pytest.param([h264(1, "42e01f", 0), h264(2, "42e02a")], h264(2, "42e02a"), id="the level does not matter"),
        pytest.param([VP9, AV1, H265], None, id="never one that only a known far side can allow"),
        pytest.param([h264(1, "xyz")], None, id="not a profile that makes no sense"),
        pytest.param([], None, id="nothing"),
    ],
)
def test_the_choice_while_the_far_side_is_unknown(offered: list[LineCodec], chosen: LineCodec | None) -> None:
    assert codecs.choose(offered, None) == chosen


@pytest.mark.parametrize(
    ("offered", "far", "chosen"),
    [
        pytest.param([VP9, VP8], (VP8, VP9), VP9, id="the peer's order counts"),
        pytest.param([AV1, VP9, VP8], (VP8, VP9), VP9, id="among what both have"),
        pytest.param([VP8, H265], (H265,), H265, id="any codec that the far side listed"),
        pytest.param([PLAIN, PREFERRED], (PLAIN, PREFERRED), PREFERRED, id="the preferred H264 among both"),
        pytest.param([PLAIN, PREFERRED], (PLAIN,), PLAIN, id="unless the far side lacks it"),
        pytest.param([PLAIN], (PREFERRED,), None, id="another profile is another codec"),
        pytest.param([h264(1, "42e01f", 0)], (PREFERRED,), None, id="so is another mode"),
        pytest.param([LineCodec("vp9/90000", 98)], (VP9,), LineCodec("vp9/90000", 98), id="profile 0 goes without saying"),
        pytest.param([LineCodec("vp9/90000", 100, "profile-id=2")], (VP9,), None, id="profile 2 is another codec"),
        pytest.param([LineCodec("av1/90000", 45, "level-idx=5;profile=0;tier=0")], (AV1,), AV1, id="levels of AV1 differ freely"),
        pytest.param([VP8], (), None, id="a far side that listed nothing of ours"),
    ],
)
def test_the_choice_once_it_is_known(offered: list[LineCodec], far: tuple[LineCodec, ...], chosen: LineCodec | None) -> None:
    found = codecs.choose(offered, FarSide(far))
    assert (found and (found.key, found.pt)) == (chosen and (chosen.key, chosen.pt))


def test_a_codec_in_use_stays_while_both_sides_have_it() -> None:
    offered, far = [VP9, VP8], FarSide((VP8, VP9))
    assert codecs.choose(offered, far, kept=VP8) == VP8
    assert codecs.choose(offered, FarSide((VP9,)), kept=VP8) == VP9
    assert codecs.choose([VP9], far, kept=VP8) == VP9
    assert codecs.choose([LineCodec("vp8/90000", 120)], None, kept=VP8) == LineCodec("vp8/90000", 120)


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("42e01f", "constrained baseline"),
        ("42C00D", "constrained baseline"),
        ("4de01f", "constrained baseline"),
        ("58c01f", "constrained baseline"),
        ("42001f", "baseline"),
        ("58801f", "baseline"),
        ("4d001f", "main"),
        ("64001f", "high"),
        ("640c1f", "constrained high"),
        ("f4001f", "predictive high 4:4:4"),
    ],
)
def test_profiles_of_h264(profile: str, name: str) -> None:
    assert codecs.identity("h264/90000", f"profile-level-id={profile};packetization-mode=1") == ("h264/90000", name, "1")


@pytest.mark.parametrize("profile", ["", "42e0", "42e01f00", "zzzzzz", "42 e0 ", "99001f", "4200ff1"])
def test_profiles_that_make_no_sense(profile: str) -> None:
    assert codecs.identity("h264/90000", f"profile-level-id={profile}") is None


def test_h264_without_parameters_is_the_basic_profile_in_single_packets() -> None:
    assert codecs.identity("h264/90000", "") == ("h264/90000", "constrained baseline", "0")


@pytest.mark.parametrize("key", ["red/90000", "ulpfec/90000", "rtx/90000", "av1x/90000", "opus/48000/2", "vp8/48000"])
def test_other_codecs_are_not_carried(key: str) -> None:
    assert codecs.identity(key, "") is None
    assert codecs.usable([LineCodec(key, 96)]) == []


@pytest.mark.parametrize(("pt", "is_usable"), [(35, True), (63, True), (64, False), (95, False), (96, True)])
def test_numbers_that_look_like_rtcp_are_passed_over(pt: int, is_usable: bool) -> None:
    assert bool(codecs.usable([LineCodec("vp8/90000", pt)])) is is_usable


@pytest.mark.parametrize(
    ("key", "offered", "ours"),
    [
        ("vp8/90000", "max-fs=12288;max-fr=60", ""),
        ("vp9/90000", "max-fs=12288;max-fr=60", ""),
        ("vp9/90000", "profile-id=0", "profile-id=0"),
        ("av1/90000", "level-idx=5; profile=0 ;tier=0;x=1", "level-idx=5;profile=0;tier=0"),
        ("h265/90000", H265.fmtp, H265.fmtp),
        ("h264/90000", "profile-level-id=42e01f;packetization-mode=1", BASIC),
        ("h264/90000", "Packetization-Mode=1;profile-level-id=42001f;sprop-parameter-sets=a", BASIC.replace("42e01f", "42001f")),
        ("h264/90000", "", "level-asymmetry-allowed=1;packetization-mode=0"),
    ],
)
def test_what_a_line_says_of_its_codec(key: str, offered: str, ours: str) -> None:
    assert codecs.line_fmtp(key, offered) == ours


def test_what_chromium_lists() -> None:
    found = {codec.pt: codec for codec in codecs.listed(offer_of("chrome-156-video").media[1])}
    assert found[96] == LineCodec("vp8/90000", 96, "", codecs.FEEDBACK, 97)
    assert found[108] == LineCodec("h264/90000", 108, BASIC, codecs.FEEDBACK, 109)
    assert (found[97], found[118], found[120]) == (
        LineCodec("rtx/90000", 97),
        LineCodec("red/90000", 118),
        LineCodec("ulpfec/90000", 120),
    )


def test_what_firefox_and_aiortc_list() -> None:
    firefox = codecs.usable(codecs.listed(offer_of("firefox-153-video").media[1]))
    assert [(codec.key, codec.pt, codec.rtx_pt) for codec in firefox] == [
        ("vp8/90000", 120, 124),
        ("vp9/90000", 121, 125),
        ("av1/90000", 99, 100),
    ]
    aiortc = codecs.usable(codecs.listed(offer_of("aiortc-1.16-video").media[1]))
    assert [(codec.pt, codec.rtx_pt) for codec in aiortc] == [(97, 98), (99, 100), (101, 102)]
    assert {codec.feedback for codec in aiortc} == {("nack", "nack pli", "goog-remb")}


def test_feedback_for_all_counts_for_each() -> None:
    feedback = ("a=rtcp-fb:* nack", "a=rtcp-fb:96 ccm fir", "a=rtcp-fb:96 ccm tmmbr", "a=rtcp-fb:98 nack pli")
    line = section(*feedback, listed="96 VP8 98 VP9")
    assert [codec.feedback for codec in codecs.listed(line)] == [("nack", "ccm fir"), ("nack", "nack pli")]


@pytest.mark.parametrize(
    ("fmtp", "rtx_pt"),
    [
        ("apt=96", 97),
        ("apt=96;rtx-time=3000", 97),
        ("rtx-time=3000; apt=96", 97),
        ("apt=98", None),
        ("apt=", None),
        ("apt=²", None),
    ],
)
def test_repeats_belong_to_what_they_repeat(fmtp: str, rtx_pt: int | None) -> None:
    assert codecs.listed(section(f"a=fmtp:97 {fmtp}", listed="96 VP8 97 rtx"))[0].rtx_pt == rtx_pt


def test_repeats_under_a_number_that_looks_like_rtcp_are_none() -> None:
    assert codecs.listed(section("a=fmtp:70 apt=96", listed="96 VP8 70 rtx"))[0].rtx_pt is None


def test_repeats_are_agreed_unless_the_far_side_is_known_to_lack_them() -> None:
    assert codecs.has_repeats(None, VP8)
    assert codecs.has_repeats(FarSide((LineCodec("vp8/90000", 100, rtx_pt=101),)), VP8)
    assert not codecs.has_repeats(FarSide((VP8,)), VP8)
    assert not codecs.has_repeats(FarSide((VP9,)), VP8)


def test_a_far_side_that_is_not_known_is_given_the_benefit_of_the_doubt() -> None:
    assert codecs.has_codec(None, AV1)
    assert codecs.has_codec(FarSide((AV1,)), AV1)
    assert not codecs.has_codec(FarSide((VP8,)), AV1)
