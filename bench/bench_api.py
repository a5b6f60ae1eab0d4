"""The API process: start-up, and CPU per accept with everything in it.

`accept` is measured on a server of its own with the real engine: HTTP, token, SDP both ways, one durable transaction, four engine
commands and the notification to the consumer's device, which is also sent by this process. Calls ring before the clock starts.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from bench.figure import Figure, cpu_s
from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice
from pagecalls.dev import DevFile

OFFER = (Path(__file__).parent.parent / "tests" / "data" / "sdp" / "chrome-156-audio-offer.sdp").read_text()
SESSION = {"sdp_type": "offer", "sdp": OFFER}
STARTS = 5
CALLS = 200


@asynccontextmanager
async def server(folder: Path, webhook: str | None = None) -> AsyncIterator[tuple[int, DevFile]]:
    """`pagecalls serve` in a process of its own; its pid and what it printed."""
    options = ["--port", "0", "--udp-port", "0", "--data-dir", str(folder), "--json"]
    if webhook is not None:
        options += ["--webhook", webhook]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pagecalls.cli", "serve", *options, stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no standard output")
        yield process.pid, msgspec.json.decode(await process.stdout.readline(), type=DevFile)
    finally:
        process.terminate()
        await process.wait()


async def start_figures() -> list[Figure]:
    """Seconds from the command to its ready line, and its CPU up to there."""
    wall, cpu = [], []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            begin = time.monotonic()
            async with server(Path(folder)) as (pid, _dev):
                wall.append(time.monotonic() - begin)
                cpu.append(cpu_s(pid))
    return [
        Figure("pagecalls serve, start to ready (wall)", statistics.median(wall), "s", "1", digits=2),
        Figure("pagecalls serve, start to ready (CPU)", statistics.median(cpu), "s", digits=2),
    ]


async def accept_figures() -> list[Figure]:
    """CPU of the API process per accept."""
    app = BusinessApp()
    await app.start()
    with tempfile.TemporaryDirectory() as folder:
        async with server(Path(folder), app.url) as (pid, dev), aiohttp.ClientSession() as http:
            app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret, dev.verify_token)
            devices = [await _device(http, dev) for _ in range(CALLS)]
            call_ids = []
            for device in devices:
                started = await device.request("call.start", page_id=dev.page.id, session=SESSION)
                call_ids.append(started["call_id"])
            for call_id in call_ids:
                await app.expect("connect", call_id)
            before = cpu_s(pid)
            for call_id in call_ids:
                await app.call("accept", call_id=call_id, session=SESSION)
            spent = cpu_s(pid) - before
            for device in devices:
                await device.close()
    await app.close()
    return [Figure(f"accept, API process, all in ({CALLS} calls)", spent / CALLS * 1000, "ms CPU", "1", digits=2)]


async def _device(http: aiohttp.ClientSession, dev: DevFile) -> ConsumerDevice:
    body = {"page_id": dev.page.id}
    async with http.post(dev.base_url + "/consumer/v1/sessions", json=body) as response:
        session: dict[str, Any] = await response.json()
    device = ConsumerDevice()
    await device.connect(dev.base_url, session["access_token"])
    return device
