"""The tracks that aiortc peers send."""

from __future__ import annotations

import asyncio

import pytest

from pagecalls.demo.peers.aiortc_tracks import PictureTrack
from pagecalls.demo.peers.picture import SCREEN_SIZE


async def test_a_later_track_goes_on_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    started, stamps = loop.time(), list[int]()
    for after_s in (0.0, 7.0):
        monkeypatch.setattr(loop, "time", lambda at=started + after_s: at)
        frame = await PictureTrack(1, SCREEN_SIZE).recv()
        assert frame.pts is not None
        stamps.append(frame.pts)
    assert stamps[1] - stamps[0] == pytest.approx(7 * 90_000, abs=1)
