"""Pictures as cells: the moving pattern that a peer sends, and what a seen one says.

A picture is a grid of black and white cells, large enough to survive any codec at any rate. It carries which picture it is,
the number of the frame, and whether it claps, each beside its complement: a torn or wrong picture is noticed, and a frozen one
too, as its frame number stands still. Knows nothing of WebRTC. The page of a browser draws and samples the same grid
(`page/picture.js`); what the cells mean is read here alone.
"""

from __future__ import annotations

from dataclasses import dataclass

COLUMNS, ROWS = 8, 4
FRAMES_PER_S = 12
CLAP_S = 0.6
"""So long a clap lasts: the tone is away and the picture shows it."""
DARKEST_WHITE, BRIGHTEST_BLACK = 150, 100
"""Luma. Between them a cell is unreadable."""

_PICTURES, _FRAMES = 16, 256


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: `picture` is 0..15 and names who sends what, `number` counts frames and begins again after 255."""

    picture: int
    number: int
    is_clap: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """In pixels."""

    width: int
    height: int


CAMERA_SIZE, SCREEN_SIZE = Size(160, 120), Size(320, 240)


def cells_of(frame: Frame) -> str:
    """The grid row by row, `1` for white: number and complement of the picture, the frame, its complement, the clap."""
    picture, number = frame.picture % _PICTURES, frame.number % _FRAMES
    clap = "11110000" if frame.is_clap else "00001111"
    return f"{picture:04b}{picture ^ 0xF:04b}{number:08b}{number ^ 0xFF:08b}{clap}"


def frame_of(cells: str) -> Frame | None:
    """The frame that these cells show; None for anything that `cells_of` does not make."""
    if len(cells) != COLUMNS * ROWS or cells.strip("01"):
        return None
    frame = Frame(picture=int(cells[:4], 2), number=int(cells[8:16], 2), is_clap=cells[24] == "1")
    return frame if cells_of(frame) == cells else None


def luma_of(cells: str, size: Size) -> bytes:
    """The picture's luma plane, one byte a pixel and no padding."""
    cell_width, cell_height = size.width // COLUMNS, size.height // ROWS
    rows = (cells[start : start + COLUMNS] for start in range(0, COLUMNS * ROWS, COLUMNS))
    return b"".join(b"".join((b"\xeb" if cell == "1" else b"\x10") * cell_width for cell in row) * cell_height for row in rows)


def cells_in(luma: bytes | memoryview, size: Size, stride: int) -> str:
    """The grid as it is seen in a luma plane of `stride` bytes a row: `?` where a cell's middle is neither black nor white."""
    xs = [(2 * column + 1) * size.width // (2 * COLUMNS) for column in range(COLUMNS)]
    ys = [(2 * row + 1) * size.height // (2 * ROWS) for row in range(ROWS)]
    return "".join(_cell(luma[y * stride + x]) for y in ys for x in xs)


def _cell(luma: int) -> str:
    if luma >= DARKEST_WHITE:
        return "1"
    return "0" if luma <= BRIGHTEST_BLACK else "?"
