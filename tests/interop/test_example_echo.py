"""The examples as a reader runs them: the echo in a process of its own beside `pagecalls serve`, called by a foreign peer and by
the quickstart."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from pagecalls.demo.device import ConsumerDevice
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.serving import end, serving
from pagecalls.dev import DevFile
from tests.interop.world import CONSUMER_HZ, WAIT_S, Json, Start, check_tone, offered, until

pytestmark = pytest.mark.asyncio(loop_scope="package")

EXAMPLES = Path(__file__).parents[2] / "examples"
ECHO, QUICKSTART = EXAMPLES / "echo_business" / "echo_business.py", EXAMPLES / "quickstart" / "ring.py"

RING_WITHIN_S = 30.0
TONE_DBFS = -18


@pytest_asyncio.fixture(loop_scope="package")
async def echo(tmp_path: Path) -> AsyncIterator[tuple[DevFile, asyncio.subprocess.Process]]:
    """The server and the example, each told of the other's address."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    async with serving(tmp_path, f"http://127.0.0.1:{port}/webhook") as served:
        example = await asyncio.create_subprocess_exec(
            *(sys.executable, "-u", str(ECHO), str(tmp_path / "dev.json"), str(port)), stdout=asyncio.subprocess.PIPE
        )
        try:
            await until(lambda: answers(f"http://127.0.0.1:{port}/webhook"))
            yield served.dev, example
        finally:
            await end(example)


async def answers(url: str) -> bool:
    """Whether somebody listens there."""
    try:
        async with aiohttp.ClientSession() as http, http.get(url):
            return True
    except aiohttp.ClientConnectionError:
        return False


async def test_a_caller_hears_its_own_tone(
    echo: tuple[DevFile, asyncio.subprocess.Process], start: Start, chromium: Chromium
) -> None:
    dev, example = echo
    consumer = await start(chromium.peer(tone_hz=CONSUMER_HZ))
    device = ConsumerDevice()
    await device.connect(dev.base_url, dev.consumer.access_token)
    try:
        started: Json = await device.request("call.start", page_id=dev.page.id, session=offered(await consumer.offer()))
        call_id = started["call_id"]
        await consumer.apply_answer(started["session"]["sdp_response"]["sdp"])
        told = await device.expect("call.accepted", call_id=call_id)
        await consumer.apply_renegotiation(told.params["session"]["sdp_renegotiation"]["sdp"])
        await device.expect("call.connected", call_id=call_id)
        await consumer.hear(window_s=1.0, timeout_s=WAIT_S)
        check_tone(await consumer.hear(window_s=1.0, timeout_s=WAIT_S), CONSUMER_HZ)
        assert await printed(example, f"answered {call_id}")
        await device.request("call.hangup", call_id=call_id)
        assert await printed(example, f"ended {call_id} Completed")
    finally:
        await device.close()


async def printed(example: asyncio.subprocess.Process, words: str) -> bool:
    """Whether the example's output comes to a line with these words."""
    assert example.stdout is not None
    async with asyncio.timeout(WAIT_S):
        async for line in example.stdout:
            if words in line.decode():
                return True
    return False


async def test_the_quickstart_hears_the_echo(echo: tuple[DevFile, asyncio.subprocess.Process], tmp_path: Path) -> None:
    command = (sys.executable, str(QUICKSTART), str(tmp_path / "dev.json"))
    ring = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    async with asyncio.timeout(RING_WITHIN_S):
        output = (await ring.communicate())[0].decode()
    assert ring.returncode == 0, output
    level = re.search(r"comes back at (-\d+) dBFS", output)
    assert level is not None, output
    assert int(level[1]) == pytest.approx(TONE_DBFS, abs=3), output
