"""What an aiortc peer sends: an endless tone and moving pictures, each frame made when it is due."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
from array import array

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from pagecalls.demo.peers.picture import FRAMES_PER_S, Frame, Size, cells_in, cells_of, luma_of
from pagecalls.demo.peers.tone import sine

_RATE_HZ = 48000
_CHANNELS = 2
_FRAME_SAMPLES = 960  # 20 ms
_CLOCK_HZ = 90000
_GREY = b"\x80"


class ToneTrack(MediaStreamTrack):
    """An endless sine at 48 kHz, a frame each 20 ms. Stereo, as turning mono into Opus' stereo would cost 3 dB."""

    kind = "audio"

    def __init__(self, tone_hz: int, amplitude: float) -> None:
        super().__init__()
        mono = sine(tone_hz, rate_hz=_RATE_HZ, duration_s=1.0, amplitude=amplitude)
        self._second = array("h", [sample for sample in mono for _ in range(_CHANNELS)]).tobytes()
        self._sent = 0
        self._started_at: float | None = None
        self.muted = False
        self.claps = False

    async def recv(self) -> AudioFrame:
        """The next frame, when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._started_at is None:
            self._started_at = loop.time()
        due = self._started_at + self._sent * _FRAME_SAMPLES / _RATE_HZ
        await asyncio.sleep(max(0.0, due - loop.time()))
        frame = self._frame()
        self._sent += 1
        return frame

    def clap(self, on: bool) -> None:
        """Silence, or the tone again."""
        self.claps = on

    def _frame(self) -> AudioFrame:
        size = _FRAME_SAMPLES * _CHANNELS * 2
        start = self._sent * size % len(self._second)
        frame = AudioFrame(format="s16", layout="stereo", samples=_FRAME_SAMPLES)
        frame.planes[0].update(bytes(size) if self.muted or self.claps else self._second[start : start + size])
        frame.pts = self._sent * _FRAME_SAMPLES
        frame.sample_rate = _RATE_HZ
        frame.time_base = fractions.Fraction(1, _RATE_HZ)
        return frame


class PictureTrack(MediaStreamTrack):
    """Picture `picture`, moving. It may be changed at any time, as a camera is: track, clock and frame numbers go on."""

    kind = "video"

    def __init__(self, picture: int, size: Size) -> None:
        super().__init__()
        self.picture = picture
        self._size = size
        self._claps = False
        self._number = 0
        self._due: float | None = None
        self._hurry = asyncio.Event()

    def clap(self, on: bool) -> None:
        """Mark the picture or take the mark away: with a frame at once, not only when the next is due."""
        self._claps = on
        self._hurry.set()

    async def recv(self) -> VideoFrame:
        """The next frame, when it is due. After a pause the frames that were not asked for are left out."""
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._due is None:
            self._due = now
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._due - now)):
                await self._hurry.wait()
        self._hurry.clear()
        now = loop.time()
        if now >= self._due:  # else it was hurried, and the next one comes when it would have come
            self._due = max(self._due + 1 / FRAMES_PER_S, now)
        self._number += 1
        # One clock for all tracks: aiortc keeps a line's encoder, which refuses a frame from before its first.
        return self._frame(round(now * _CLOCK_HZ))

    def _frame(self, pts: int) -> VideoFrame:
        cells = cells_of(Frame(picture=self.picture, number=self._number, is_clap=self._claps))
        frame = VideoFrame(self._size.width, self._size.height, "yuv420p")
        frame.planes[0].update(luma_of(cells, self._size))
        for plane in frame.planes[1:]:
            plane.update(_GREY * plane.buffer_size)
        frame.pts = pts
        frame.time_base = fractions.Fraction(1, _CLOCK_HZ)
        return frame


def cells_shown(frame: VideoFrame) -> str:
    """The grid in a decoded frame."""
    plane = frame.planes[0]
    return cells_in(memoryview(plane), Size(frame.width, frame.height), plane.line_size)
