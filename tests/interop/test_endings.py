"""Ends of calls that carry media: who notices what, and that nothing stays behind (the `world` fixture counts legs)."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.base import DtlsState, Peer
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.firefox import Firefox
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Start, World, until

pytestmark = pytest.mark.asyncio(loop_scope="package")

T_BYE_S = 5.0
NOTICED_WITHIN_S = 5.0


async def until_closed(*peers: Peer) -> None:
    """The far end's close_notify has arrived at each."""

    async def closed() -> bool:
        return all([(await peer.stats()).dtls is DtlsState.CLOSED for peer in peers])

    await until(closed, NOTICED_WITHIN_S)


async def test_the_consumer_hangs_up(world: World, start: Start, chromium: Chromium) -> None:
    business, consumer = await start(chromium.peer(tone_hz=BUSINESS_HZ)), await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer)
    await call.hear(window_s=0.3)
    await world.device.request("call.hangup", call_id=call.id)
    assert (await world.ended(call, "Completed"))["duration"] >= 1
    assert (await world.device.expect("call.ended", call_id=call.id)).params["reason"] == "completed"
    await until_closed(business, consumer)


async def test_the_business_terminates(world: World, start: Start, firefox: Firefox) -> None:
    business, consumer = await start(firefox.peer(tone_hz=BUSINESS_HZ)), await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.business_calls(business, consumer)
    await call.hear(window_s=0.3)
    await world.app.call("terminate", call_id=call.id)
    assert (await world.ended(call, "Completed"))["duration"] >= 1
    assert (await world.device.expect("call.ended", call_id=call.id)).params["reason"] == "completed"
    await until_closed(business, consumer)


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
async def test_the_business_leaves_without_a_word(
    world: World, start: Start, chromium: Chromium, firefox: Firefox, browser: str
) -> None:
    """Its page closes the connection, which sends a close_notify; the call ends when nothing more came for T_bye."""
    page = chromium.peer(tone_hz=BUSINESS_HZ) if browser == "chromium" else firefox.peer(tone_hz=BUSINESS_HZ)
    business, consumer = await start(page), await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer)
    await call.hear(window_s=0.3)
    left_at = asyncio.get_running_loop().time()
    await business.close()
    assert (await world.ended(call, "Completed"))["duration"] >= 1
    assert asyncio.get_running_loop().time() - left_at >= T_BYE_S - 0.5
    assert await world.journal(call.id, "leg_bye") == [{"side": "business"}]
    assert (await world.device.expect("call.ended", call_id=call.id)).params["reason"] == "completed"
    await until_closed(consumer)


async def test_the_consumers_device_is_gone_with_its_leg(world: World, start: Start, chromium: Chromium) -> None:
    """Neither alone ends the call: the close_notify does once the socket is gone too."""
    business, consumer = await start(AiortcPeer(tone_hz=BUSINESS_HZ)), await start(chromium.peer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer)
    await call.hear(window_s=0.3)
    await world.device.close()
    await consumer.close()
    assert (await world.ended(call, "Completed"))["duration"] >= 1
    await until_closed(business)


def engine_of(server_pid: int) -> int:
    """The media engine: the server's only child."""
    (child,) = Path(f"/proc/{server_pid}/task/{server_pid}/children").read_text().split()
    return int(child)


async def test_the_engine_dies(own_world: World, start: Start) -> None:
    """Its call has failed at once; the next one works, on the same port."""
    world = own_world
    business, consumer = [await start(AiortcPeer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    call = await world.consumer_calls(business, consumer)
    await call.hear(window_s=0.3)
    first = engine_of(world.server.pid)
    os.kill(first, signal.SIGKILL)
    await world.ended(call, "Failed", timeout_s=2)
    told = await world.device.expect("call.ended", call_id=call.id)
    assert (told.params["reason"], told.params["status"]) == ("server_error", "Failed")

    await until_ready(world)
    assert engine_of(world.server.pid) != first
    business, consumer = [await start(AiortcPeer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    call = await world.consumer_calls(business, consumer)
    await call.check_sound()
    remote = (await call.business.stats()).selected_pair
    assert remote is not None
    assert remote.remote in world.dev.media.udp
    await world.hang_up(call)


async def until_ready(world: World) -> None:
    """The server has an engine again."""

    async def ready() -> bool:
        async with world.http.get(f"{world.dev.base_url}/_pagecalls/ready") as response:
            return response.status == 200

    await until(ready)
