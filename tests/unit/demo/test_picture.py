"""Pictures survive what a codec does to them, and say so when they did not."""

from __future__ import annotations

import pytest

from pagecalls.demo.peers.picture import CAMERA_SIZE, SCREEN_SIZE, Frame, Size, cells_in, cells_of, frame_of, luma_of


@pytest.mark.parametrize("size", [CAMERA_SIZE, SCREEN_SIZE])
@pytest.mark.parametrize("frame", [Frame(0, 0), Frame(15, 255), Frame(5, 129), Frame(10, 77, is_clap=True)])
def test_what_is_drawn_is_read(frame: Frame, size: Size) -> None:
    luma = luma_of(cells_of(frame), size)
    assert len(luma) == size.width * size.height
    assert frame_of(cells_in(luma, size, size.width)) == frame


def test_rows_of_a_plane_may_be_padded() -> None:
    frame, stride = Frame(3, 200), CAMERA_SIZE.width + 32
    luma = luma_of(cells_of(frame), CAMERA_SIZE)
    padded = b"".join(luma[at : at + CAMERA_SIZE.width] + b"\x7f" * 32 for at in range(0, len(luma), CAMERA_SIZE.width))
    assert frame_of(cells_in(padded, CAMERA_SIZE, stride)) == frame


def test_frames_and_pictures_begin_again() -> None:
    assert frame_of(cells_of(Frame(16, 256))) == Frame(0, 0)


@pytest.mark.parametrize("at", range(32))
def test_one_wrong_cell_is_noticed(at: int) -> None:
    cells = cells_of(Frame(6, 99))
    for wrong in ("10"[int(cells[at])], "?"):
        assert frame_of(cells[:at] + wrong + cells[at + 1 :]) is None


@pytest.mark.parametrize("cells", ["", "0" * 32, "1" * 32, "01" * 8])
def test_what_is_no_picture_is_none(cells: str) -> None:
    assert frame_of(cells) is None


def test_a_grey_picture_is_none() -> None:
    cells = cells_in(bytes([125]) * CAMERA_SIZE.width * CAMERA_SIZE.height, CAMERA_SIZE, CAMERA_SIZE.width)
    assert cells == "?" * 32
    assert frame_of(cells) is None
