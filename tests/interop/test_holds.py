"""A side puts its call on hold and takes it back: both ends hear and see each other as before."""

from __future__ import annotations

import asyncio

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.base import Peer, Source
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.firefox import Firefox
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Start, World, check_still

pytestmark = pytest.mark.asyncio(loop_scope="package")

B_CAMERA, C_CAMERA = 1, 2
TIMES = 2


@pytest.mark.parametrize("sends", [True, False], ids=["sendonly", "inactive"])
async def test_the_business_holds_its_call(world: World, start: Start, chromium: Chromium, sends: bool) -> None:
    """The engine refuses nothing, and an ICE restart afterwards goes through."""
    business, consumer = [await start(chromium.peer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    await hold_and_resume(world, business, consumer, sends=sends)


@pytest.mark.parametrize("kind", ["firefox", "aiortc"])
async def test_other_stacks_hold_their_calls(world: World, start: Start, chromium: Chromium, firefox: Firefox, kind: str) -> None:
    """aiortc learns the source of a line once: held sound goes on with it."""
    holder = firefox.peer(tone_hz=BUSINESS_HZ) if kind == "firefox" else AiortcPeer(tone_hz=BUSINESS_HZ)
    business, consumer = await start(holder), await start(chromium.peer(tone_hz=CONSUMER_HZ))
    await hold_and_resume(world, business, consumer, sends=False, restarts_ice=kind == "firefox")


@pytest.mark.parametrize("sends", [True, False], ids=["sendonly", "inactive"])
async def test_a_device_holds_its_call(world: World, start: Start, chromium: Chromium, sends: bool) -> None:
    business, consumer = [await start(chromium.peer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    await hold_and_resume(world, business, consumer, sends=sends, is_devices=True)


async def hold_and_resume(
    world: World, business: Peer, consumer: Peer, *, sends: bool, is_devices: bool = False, restarts_ice: bool = True
) -> None:
    """A call with pictures is held by the business, or with `is_devices` by the consumer, and resumed, `TIMES` times."""
    await business.send_picture(Source.CAMERA, B_CAMERA)
    await consumer.send_picture(Source.CAMERA, C_CAMERA)
    call = await world.business_calls(business, consumer)
    await check_both_come(business, consumer)
    at_business, at_consumer = world.updates(call)
    holder, mine, others = (consumer, at_consumer, at_business) if is_devices else (business, at_business, at_consumer)
    for _ in range(TIMES):
        for hold in (True, False):
            await (holder.hold(sends=sends) if hold else holder.resume())
            await mine.change()
            if not sends:
                await others.take()
            if hold:
                await check_still(holder)
                await check_silent(holder)
        await check_both_come(business, consumer)
    if restarts_ice:
        assert await mine.try_change(restarts_ice=True)
        await check_both_come(business, consumer)
    assert await world.journal(call.id, "engine_refused") == []
    assert await world.journal(call.id, "no_common_codec") == []
    await world.hang_up(call)


async def check_both_come(business: Peer, consumer: Peer) -> None:
    """Each end hears and sees the other."""
    at_business, at_consumer = await asyncio.gather(business.hear(), consumer.hear())
    assert at_business.is_tone(CONSUMER_HZ), at_business
    assert at_consumer.is_tone(BUSINESS_HZ), at_consumer
    seen_by_business, seen_by_consumer = await asyncio.gather(business.see(C_CAMERA), consumer.see(B_CAMERA))
    assert seen_by_business.shows(C_CAMERA), seen_by_business
    assert seen_by_consumer.shows(B_CAMERA), seen_by_consumer


async def check_silent(peer: Peer) -> None:
    """As soon as what was on its way is played, nothing is heard any more."""
    async with asyncio.timeout(10):
        while (await peer.hear(window_s=0.5, timeout_s=0.5)).audible:
            pass
