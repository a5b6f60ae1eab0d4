"""SIGTERM from the moment at which the server says that it is there: an orderly stop."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from pagecalls.clock import SystemClock
from pagecalls.media.fake import FakeEngine
from pagecalls.server import listen, running, serve_until_stopped
from pagecalls.settings import Settings


async def test_a_signal_that_follows_the_ready_line_at_once_stops_in_order(tmp_path: Path) -> None:
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path / "data")
    told = []

    def on_ready() -> None:
        told.append(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL)
        if told[0]:
            os.kill(os.getpid(), signal.SIGTERM)

    clock = SystemClock()
    with listen(settings) as listener:
        async with running(settings, listener, FakeEngine(clock), clock) as server:
            await serve_until_stopped(server, listener, on_ready)
            assert server.is_stopping
    assert told == [True]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
