"""The API process: start-up, and CPU per `accept` and per `media_update`, by themselves and with everything that they cause.

The `media_update` is the business's next offer, in which it has applied ours and turns a camera on. Each request is measured with
the real engine: HTTP, token, SDP both ways, one durable transaction, four engine commands and the notification to the consumer's
device. Two servers take turns, so that both see the same machine: one goes on to what follows the response, the other
(`accept_server.py`) ends with it. Calls ring before the clock starts.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from bench.figure import Figure, cpu_ns, cpu_s
from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice
from pagecalls.dev import DevFile

SDP = Path(__file__).parent.parent / "tests" / "data" / "sdp"
OFFER = (SDP / "chrome-156-audio-offer.sdp").read_text()
SESSION = {"sdp_type": "offer", "sdp": OFFER}
CREDENTIALS = ("a=ice-ufrag", "a=ice-pwd", "a=fingerprint")
STARTS = 5
CALLS = 200
ROUND = 10
REST_S = 0.03
IDLE_NS = 50_000
"""Less CPU than this within `REST_S` is no work of a call: the smallest step of one takes more."""
SERVE = "pagecalls.cli"
ALONE = "bench.accept_server"


@asynccontextmanager
async def server(
    folder: Path, webhook: str | None = None, module: str = SERVE, more: Sequence[str] = ()
) -> AsyncIterator[tuple[int, DevFile]]:
    """`pagecalls serve`, run as `module` with `more` options, in a process of its own; its pid and what it printed."""
    options = ["--port", "0", "--udp-port", "0", "--data-dir", str(folder), "--json", *more]
    if webhook is not None:
        options += ["--webhook", webhook]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, "serve", *options, stdout=asyncio.subprocess.PIPE
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
    """CPU of the API process per request: medians of rounds, in which each server accepts `ROUND` calls one after the other, and
    then takes an update of each."""
    async with accepting(ALONE) as alone, accepting(SERVE) as whole:
        os.kill(alone.pid, signal.SIGUSR1)
        await at_rest(alone.pid)
        rounds = [
            (await alone.accept_ms(), await whole.accept_ms(), await alone.update_ms(), await whole.update_ms())
            for _ in range(CALLS // ROUND)
        ]
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    accept, update = (f"{name}, API process ({CALLS} calls)" for name in ("accept", "media_update with a camera"))
    return [
        Figure(f"{accept}: up to the response", medians[0], "ms CPU", "1", digits=2),
        Figure(f"{accept}: with all that follows", medians[1], "ms CPU", digits=2),
        Figure(f"{update}: up to the response", medians[2], "ms CPU", "1", digits=2),
        Figure(f"{update}: with all that follows", medians[3], "ms CPU", digits=2),
    ]


def camera_offer() -> str:
    """The business's next offer: its own line, our line as it received it, and a camera."""
    head, _, sound = OFFER.partition("m=audio")
    _, _, camera = (SDP / "chrome-156-video-offer.sdp").read_text().partition("m=video")
    own = [line for line in sound.splitlines() if line.startswith(CREDENTIALS)]
    ours = [line for line in sound.splitlines() if not line.startswith(("a=msid", "a=ssrc", "a=candidate"))]
    lines = [
        *head.replace("BUNDLE 0", "BUNDLE 0 1 2").splitlines(),
        *f"m=audio{sound}".splitlines(),
        *f"m=audio{chr(10).join(ours)}".replace("a=mid:0", "a=mid:1").replace("a=sendrecv", "a=recvonly").splitlines(),
        *(line for line in f"m=video{camera}".replace("a=mid:1", "a=mid:2").splitlines() if not line.startswith(CREDENTIALS)),
        *own,
    ]
    return "".join(f"{line}\r\n" for line in lines)


@dataclass(slots=True)
class Accepting:
    """A server with ringing calls, and the business that accepts them; `accepted` are the calls of its last round."""

    pid: int
    business: BusinessApp
    ringing: list[str]
    accepted: list[str] = field(default_factory=list)

    async def accept_ms(self) -> float:
        """Accept `ROUND` calls; CPU milliseconds for each, until the process is at rest again."""
        self.accepted, self.ringing = self.ringing[:ROUND], self.ringing[ROUND:]
        return await self._each_ms("accept", SESSION)

    async def update_ms(self) -> float:
        """Turn a camera on in each of those; the same."""
        return await self._each_ms("media_update", {"sdp_type": "offer", "sdp": camera_offer()})

    async def _each_ms(self, action: str, session: dict[str, str]) -> float:
        before = cpu_ns(self.pid)
        for call_id in self.accepted:
            await self.business.call(action, call_id=call_id, session=session)
        return (await at_rest(self.pid) - before) / ROUND / 1e6


@asynccontextmanager
async def accepting(module: str) -> AsyncIterator[Accepting]:
    """A server of its own, run as `module`, in which `CALLS` calls ring and nothing happens."""
    async with AsyncExitStack() as stack:
        business = BusinessApp()
        await business.start()
        stack.push_async_callback(business.close)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        pid, dev = await stack.enter_async_context(server(Path(folder), business.url, module))
        business.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret, dev.verify_token)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        ringing = []
        for _ in range(CALLS):
            device = await _device(http, dev)
            stack.push_async_callback(device.close)
            ringing.append((await device.request("call.start", page_id=dev.page.id, session=SESSION))["call_id"])
        for call_id in ringing:
            await business.expect("connect", call_id)
        await at_rest(pid)
        yield Accepting(pid, business, ringing)


async def at_rest(pid: int) -> int:
    """Wait until the process has done next to nothing for `REST_S`; its CPU clock then, nanoseconds."""
    last = cpu_ns(pid)
    while True:
        await asyncio.sleep(REST_S)
        now = cpu_ns(pid)
        if now - last < IDLE_NS:
            return now
        last = now


async def _device(http: aiohttp.ClientSession, dev: DevFile) -> ConsumerDevice:
    body = {"page_id": dev.page.id}
    async with http.post(dev.base_url + "/consumer/v1/sessions", json=body) as response:
        session: dict[str, Any] = await response.json()
    device = ConsumerDevice()
    await device.connect(dev.base_url, session["access_token"])
    return device
