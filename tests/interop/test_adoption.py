"""A call whose server is killed, or hands over: its sound goes on, and the next server has the call."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice
from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.base import Peer
from pagecalls.demo.serving import Served, serving
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Start, World, check_tone

pytestmark = pytest.mark.asyncio(loop_scope="package")

PACKETS_PER_S = 50
WATCH_S = 4.0
LONGEST_GAP_S = 0.25
"""Far below the time in which no server is there, far above what a busy machine adds to the 20 ms between two packets."""


async def connected(server: Served, app: BusinessApp, http: aiohttp.ClientSession, psid: str, token: str) -> World:
    dev = server.dev
    app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret, dev.verify_token)
    device = ConsumerDevice()
    await device.connect(dev.base_url, token)
    return World(server, app, http, device, psid)


async def longest_gap_s(peer: Peer, for_s: float) -> float:
    """The longest time in which the count of received packets stood still, to the 10 ms."""
    loop = asyncio.get_running_loop()
    until, since, count, longest = loop.time() + for_s, loop.time(), -1, 0.0
    while loop.time() < until:
        received = (await peer.stats()).packets_received
        if received != count:
            count, since = received, loop.time()
        longest = max(longest, loop.time() - since)
        await asyncio.sleep(0.01)
    return longest


@pytest.mark.parametrize(
    ("number", "options"), [(signal.SIGKILL, []), (signal.SIGTERM, ["--on-stop", "hand_over"])], ids=["killed", "handed over"]
)
async def test_sound_goes_on_while_one_server_follows_another(
    tmp_path: Path, start: Start, number: signal.Signals, options: list[str]
) -> None:
    """As a service manager restarts it: the signal goes to the server's process alone."""
    app = BusinessApp()
    await app.start()
    business, consumer = [await start(AiortcPeer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    async with aiohttp.ClientSession() as http:
        async with serving(tmp_path / "data", app.url, options) as first:
            body = {"page_id": first.dev.page.id}
            async with http.post(f"{first.dev.base_url}/consumer/v1/sessions", json=body) as response:
                session = await response.json()
            world = await connected(first, app, http, session["psid"], session["access_token"])
            call = await world.consumer_calls(business, consumer)
            await call.check_sound()
            before = [(await peer.stats()).packets_lost for peer in (business, consumer)]
            gaps = asyncio.gather(*(longest_gap_s(peer, WATCH_S) for peer in (business, consumer)))
            os.kill(first.pid, number)
            await world.device.close()
        async with serving(tmp_path / "data", app.url) as second:
            world = await connected(second, app, http, session["psid"], session["access_token"])
            resumed = await world.device.expect("call.resumed", call_id=call.id)
            assert resumed.params["state"] == "ACTIVE"
            for gap_s in await gaps:
                assert gap_s < LONGEST_GAP_S
            at_business, at_consumer = await call.hear()
            check_tone(at_business, CONSUMER_HZ)
            check_tone(at_consumer, BUSINESS_HZ)
            assert [(await peer.stats()).packets_lost for peer in (business, consumer)] == before
            await world.hang_up(call)
            assert await world.legs() == 0
            await world.device.close()
    await app.close()
