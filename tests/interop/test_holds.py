"""A browser puts its call on hold and takes it back: both ends hear and see each other as before."""

from __future__ import annotations

import asyncio

import pytest

from pagecalls.demo.peers.base import Peer, Source
from pagecalls.demo.peers.browser_page import BrowserPeer
from pagecalls.demo.peers.chromium import Chromium
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Start, World

pytestmark = pytest.mark.asyncio(loop_scope="package")

B_CAMERA, C_CAMERA = 1, 2


@pytest.mark.parametrize("sends", [True, False], ids=["sendonly", "inactive"])
@pytest.mark.parametrize("holder", ["business", "consumer"])
async def test_a_call_is_held_and_resumed(world: World, start: Start, chromium: Chromium, holder: str, sends: bool) -> None:
    """Twice, with a picture on both ends; the engine refuses nothing, and an ICE restart afterwards goes through."""
    business, consumer = [await start(chromium.peer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    await business.send_picture(Source.CAMERA, B_CAMERA)
    await consumer.send_picture(Source.CAMERA, C_CAMERA)
    call = await world.business_calls(business, consumer)
    await both_come(business, consumer)
    held, updates = (business, world.updates(call)[0]) if holder == "business" else (consumer, world.updates(call)[1])
    far, far_updates = (consumer, world.updates(call)[1]) if holder == "business" else (business, world.updates(call)[0])
    for _ in range(2):
        await held.hold(sends=sends)
        await updates.change()
        if not sends:
            await far_updates.take()
        await comes_to_rest(held)
        if sends:
            assert (await hears(far)).is_tone(BUSINESS_HZ if holder == "business" else CONSUMER_HZ)
        await held.resume()
        await updates.change()
        if not sends:
            await far_updates.take()
        await both_come(business, consumer)
    assert await updates.try_change(restarts_ice=True)
    await both_come(business, consumer)
    assert await world.journal(call.id, "engine_refused") == []
    await world.hang_up(call)


async def hears(peer: Peer):  # type: ignore[no-untyped-def]
    return await peer.hear(window_s=0.5)


async def both_come(business: BrowserPeer, consumer: BrowserPeer) -> None:
    at_business, at_consumer = await asyncio.gather(hears(business), hears(consumer))
    assert at_business.is_tone(CONSUMER_HZ), at_business
    assert at_consumer.is_tone(BUSINESS_HZ), at_consumer
    seen = await asyncio.gather(business.see(C_CAMERA), consumer.see(B_CAMERA))
    assert seen[0].shows(C_CAMERA), seen[0]
    assert seen[1].shows(B_CAMERA), seen[1]


async def comes_to_rest(peer: BrowserPeer) -> None:
    """Nothing is heard any more."""
    async with asyncio.timeout(10):
        while (await peer.hear(window_s=0.5, timeout_s=0.5)).audible:
            pass
