"""Calls on two workers of one engine: each worker has a media port of its own, and both legs of a call are at the same one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Call, Start, World, a_server, a_world

pytestmark = pytest.mark.asyncio(loop_scope="package")

OTHER_BUSINESS_HZ, OTHER_CONSUMER_HZ = 740, 1200


async def a_call(world: World, start: Start, business_hz: int, consumer_hz: int) -> Call:
    business, consumer = [await start(AiortcPeer(tone_hz=hz)) for hz in (business_hz, consumer_hz)]
    return await world.consumer_calls(business, consumer)


async def port_of(call: Call) -> int:
    """Where both peers of a call send to."""
    pairs = [(await peer.stats()).selected_pair for peer in (call.business, call.consumer)]
    (port,) = {int(pair.remote.rpartition(":")[2]) for pair in pairs if pair is not None}
    return port


async def test_two_calls_at_once_are_heard_at_two_workers(tmp_path: Path, start: Start) -> None:
    async with a_server(tmp_path / "data", workers=2) as server, a_world(*server) as world, a_world(*server) as another:
        one = await a_call(world, start, BUSINESS_HZ, CONSUMER_HZ)
        other = await a_call(another, start, OTHER_BUSINESS_HZ, OTHER_CONSUMER_HZ)
        told = {int(place.rpartition(":")[2]) for place in world.dev.media.udp}
        assert {await port_of(one), await port_of(other)} == told
        assert len(told) == 2
        (at_business, at_consumer), (at_other_business, at_other_consumer) = await asyncio.gather(one.hear(), other.hear())
        assert at_business.is_tone(CONSUMER_HZ), at_business
        assert at_consumer.is_tone(BUSINESS_HZ), at_consumer
        assert at_other_business.is_tone(OTHER_CONSUMER_HZ), at_other_business
        assert at_other_consumer.is_tone(OTHER_BUSINESS_HZ), at_other_consumer
        await world.hang_up(one)
        # The call at the other worker goes on, and the next one comes to the worker that is free.
        third = await a_call(world, start, BUSINESS_HZ, CONSUMER_HZ)
        assert {await port_of(third), await port_of(other)} == told
        await asyncio.gather(third.check_sound(), other.hear())
        for each, of in ((third, world), (other, another)):
            await of.hang_up(each)
