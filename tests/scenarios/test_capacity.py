"""An engine that is full: the error says that it will pass, and nothing is left behind; the next call goes through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp, GraphRefused
from pagecalls.demo.device import DeviceRefused
from pagecalls.media.fake import FakeEngine
from pagecalls.media.protocol import LegCreate

from .conftest import AIORTC, World, a_world, offered


@pytest.fixture
async def small(tmp_path: Path, app: BusinessApp) -> AsyncIterator[World]:
    """A world whose engine takes one call."""
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock, capacity=1)) as world:
        yield world


async def test_one_call_too_many_from_the_business(small: World) -> None:
    device = await small.device()
    call_id = await small.start_call(device)
    other = await small.session()
    body = {"psid": other["psid"], "page_id": small.page_id, "ttl_s": 3600}
    await small.admin("POST", "/_pagecalls/permissions", body)
    await small.device(other["access_token"])
    with pytest.raises(GraphRefused) as refused:
        await small.app.call("connect", to=other["psid"], session=offered(AIORTC))
    assert refused.value.status == 503
    assert refused.value.error["code"] == 2
    assert refused.value.error["is_transient"] is True
    await device.request("call.hangup", call_id=call_id)
    connected = await small.app.call("connect", to=other["psid"], session=offered(AIORTC))
    await small.app.call("terminate", call_id=connected["call_id"])
    assert await small.is_clean()


async def test_one_call_too_many_from_a_consumer(small: World) -> None:
    first = await small.device()
    call_id = await small.start_call(first)
    other = await small.session()
    second = await small.device(other["access_token"])
    with pytest.raises(DeviceRefused) as refused:
        await small.start_call(second)
    assert refused.value.data["code"] == 2
    assert refused.value.data["is_transient"] is True
    await first.request("call.hangup", call_id=call_id)
    await second.request("call.hangup", call_id=await small.start_call(second))
    assert await small.is_clean()


async def test_an_accept_that_finds_no_room_can_be_tried_again(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    world.engine.refuse_next(LegCreate, "full")
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    assert (refused.value.status, refused.value.error["code"], refused.value.error["is_transient"]) == (503, 2, True)
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    await world.up(call_id)
    await device.expect("call.connected", call_id=call_id)
