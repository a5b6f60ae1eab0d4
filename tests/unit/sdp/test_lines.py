"""What first and later answers share: one line accepted or refused, mids, extension ids."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagecalls.sdp.codecs import Terms
from pagecalls.sdp.connection import Direction, Line, LineCodec
from pagecalls.sdp.description import parse
from pagecalls.sdp.lines import MAX_NAMED_SSRCS, answered, highest_mid, one_id_each, rejected
from pagecalls.sdp.tracks import LabelledLine
from pagecalls.types import TrackLabel
from tests.unit.sdp.samples import audio, small_offer, video

VP8 = LineCodec("vp8/90000", 96, rtx_pt=97)
TERMS = Terms((VP8,), ())
CAMERA = LabelledLine(TrackLabel.DEFAULT_VIDEO)
SECTION = parse(small_offer(audio("0"), video("1"), bundle="0 1")).media[1]


def test_a_line_is_received_if_it_sends_has_a_label_and_a_reader() -> None:
    assert answered(SECTION, TERMS, CAMERA).direction is Direction.RECVONLY
    assert answered(SECTION, TERMS, None).direction is Direction.INACTIVE
    assert answered(SECTION, replace(TERMS, is_wanted=False), CAMERA).direction is Direction.INACTIVE
    silent = replace(SECTION, direction=Direction.RECVONLY)
    assert answered(silent, TERMS, CAMERA).direction is Direction.INACTIVE


def test_sources_of_repeats_are_kept_only_with_repeats() -> None:
    lines = ("a=ssrc-group:FID 1 2", "a=ssrc:1 cname:c", "a=ssrc:2 cname:c")
    section = parse(small_offer(audio("0"), video("1", *lines), bundle="0 1")).media[1]
    assert answered(section, TERMS, CAMERA).peer_rtx_ssrcs == (2,)
    plain = answered(section, Terms((replace(VP8, rtx_pt=None),), ()), CAMERA)
    assert (plain.peer_ssrcs, plain.peer_rtx_ssrcs) == ((1,), ())


def test_repeats_are_kept_up_to_a_number() -> None:
    groups = [f"a=ssrc-group:FID {ssrc} {ssrc + 100}" for ssrc in range(1, 50)]
    sources = [f"a=ssrc:{ssrc} cname:c" for ssrc in range(1, 50)]
    section = parse(small_offer(audio("0"), video("1", *groups, *sources), bundle="0 1")).media[1]
    assert len(answered(section, TERMS, CAMERA).peer_rtx_ssrcs) == MAX_NAMED_SSRCS


def test_a_refused_line_repeats_one_format_by_name() -> None:
    line = rejected(SECTION)
    assert (line.is_rejected, line.rejected_format, line.codecs) == (True, "96", (LineCodec("vp8/90000", 96),))


@pytest.mark.parametrize(
    ("mids", "before", "highest"),
    [
        ([], -1, -1),
        (["0", "7", "3"], -1, 7),
        (["audio", "x1", "٣", ""], -1, -1),
        (["2"], 5, 5),
        (["1" * 16, "007"], -1, 7),
    ],
)
def test_the_highest_mid(mids: list[str], before: int, highest: int) -> None:
    assert highest_mid(mids, before) == highest


def test_the_a_stream_goes_where_it_is_put() -> None:
    line = answered(SECTION, TERMS, CAMERA, "stream track")
    assert (line.direction, line.far_label, line.far_msid) == (Direction.SENDRECV, TrackLabel.DEFAULT_AUDIO, "stream track")
    assert answered(SECTION, TERMS, None, "stream track").direction is Direction.SENDONLY


def line_with(*ext: tuple[str, int]) -> Line:
    return replace(answered(SECTION, TERMS, CAMERA), ext=ext)


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        pytest.param((("mid", 4), ("rot", 13)), (("mid", 4), ("rot", 13)), id="nothing in the way"),
        pytest.param((("mid", 5),), (), id="another id for the same"),
        pytest.param((("rot", 4), ("ctype", 6)), (("ctype", 6),), id="the same id for another"),
    ],
)
def test_one_id_for_each_extension(second: tuple[tuple[str, int], ...], kept: tuple[tuple[str, int], ...]) -> None:
    lines = one_id_each([line_with(("mid", 4)), line_with(*second)])
    assert [line.ext for line in lines] == [(("mid", 4),), kept]
