"""How a server stops: the drain, its end, and what clients meet meanwhile. And an engine that is lost, or on its way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pagecalls.call.events import MediaLost, ServerStopping
from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp, GraphRefused
from pagecalls.demo.device import DeviceRefused
from pagecalls.media.fake import FakeEngine
from pagecalls.media.protocol import LegApply, LegCreate
from pagecalls.types import CallId

from .conftest import AIORTC, CHROMIUM, World, a_world, offered

DRAIN_S = 300


@pytest.fixture
async def patient(tmp_path: Path, app: BusinessApp) -> AsyncIterator[World]:
    """A server that waits for its calls."""
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock), drain_s=DRAIN_S) as world:
        yield world
        world.server.ask_to_stop()


async def ready(world: World) -> tuple[int, str]:
    async with world.http.get(f"{world.base_url}/_pagecalls/ready") as response:
        return response.status, await response.text()


async def refused_as_busy(world: World) -> None:
    """New calls from both sides meet the contract's transient error, and leave nothing."""
    other = await world.session()
    device = await world.device(other["access_token"])
    with pytest.raises(DeviceRefused) as by_device:
        await world.start_call(device)
    assert by_device.value.data["code"] == 2
    await world.admin("POST", "/_pagecalls/permissions", {"psid": other["psid"], "page_id": world.page_id, "ttl_s": 60})
    with pytest.raises(GraphRefused) as by_app:
        await world.app.call("connect", to=other["psid"], session=offered(CHROMIUM))
    assert (by_app.value.status, by_app.value.error["code"]) == (503, 2)


# --- the drain ------------------------------------------------------------------------------------------------------------


async def test_live_calls_go_on_and_the_last_one_ends_the_server(patient: World) -> None:
    device = await patient.device()
    call_id = await patient.start_call(device)
    patient.server.ask_to_stop()
    await patient.settle()
    assert await ready(patient) == (503, '{"status":"not ready","reason":"draining"}')
    await refused_as_busy(patient)
    assert patient.engine.calls == [call_id]
    await patient.app.call("accept", call_id=call_id, session=offered(AIORTC))
    await patient.up(call_id)
    await device.expect("call.connected", call_id=call_id)
    assert not patient.serving.done()
    await patient.app.call("terminate", call_id=call_id)
    assert (await patient.app.expect("terminate", call_id)).item["status"] == "Completed"
    await patient.serving


async def test_without_calls_there_is_nothing_to_wait_for(patient: World) -> None:
    device = await patient.device()
    call_id = await patient.start_call(device)
    await device.request("call.hangup", call_id=call_id)
    patient.server.ask_to_stop()
    await patient.serving


async def test_a_drain_that_takes_too_long_fails_what_is_left(patient: World) -> None:
    device = await patient.device()
    call_id = await patient.connected(device)
    patient.server.ask_to_stop()
    await patient.settle()
    await patient.server.advance(DRAIN_S - 1)
    await patient.settle()
    assert not patient.serving.done()
    await patient.server.advance(1.1)
    await patient.serving
    assert (await patient.app.expect("terminate", call_id)).item["status"] == "Failed"
    assert (await device.expect("call.ended", call_id=call_id)).params["reason"] == "server_error"


async def test_a_second_signal_does_not_wait(patient: World) -> None:
    call_id = await patient.connected(await patient.device())
    patient.server.ask_to_stop()
    await patient.settle()
    assert not patient.serving.done()
    patient.server.ask_to_stop()
    await patient.serving
    assert (await patient.app.expect("terminate", call_id)).item["status"] == "Failed"


async def test_by_default_a_stop_does_not_wait(world: World) -> None:
    call_id = await world.connected(await world.device())
    world.server.ask_to_stop()
    await world.serving
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Failed"


async def test_a_call_that_is_just_being_opened_is_ended_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its request came in time, and it is stored after the stop has ended all others."""
    calls = world.server.calls
    create, end_all = calls.legs.create_call, calls.end_all
    is_opened, may_go_on = asyncio.Event(), asyncio.Event()

    async def slow_create(call_id: CallId) -> None:
        is_opened.set()
        await may_go_on.wait()
        await create(call_id)

    async def end_all_first(event: MediaLost | ServerStopping) -> None:
        await end_all(event)
        may_go_on.set()

    monkeypatch.setattr(calls.legs, "create_call", slow_create)
    monkeypatch.setattr(calls, "end_all", end_all_first)
    starting = asyncio.create_task(world.start_call(await world.device()))
    await is_opened.wait()
    world.server.ask_to_stop()
    call_id = await starting
    await world.serving
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Failed"
    assert await world.is_clean()


# --- the engine -----------------------------------------------------------------------------------------------------------


async def test_an_engine_that_drains_takes_no_new_call_and_keeps_the_old(world: World) -> None:
    call_id = await world.connected(await world.device())
    world.engine.drain()
    await refused_as_busy(world)
    assert world.engine.calls == [call_id]
    assert await ready(world) == (503, '{"status":"not ready","reason":"media engine draining"}')
    await world.app.call("terminate", call_id=call_id)
    world.engine.die()
    world.engine.come_back()
    assert (await ready(world))[0] == 200


async def test_an_event_that_cannot_be_handled_takes_no_other_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a fault of ours")

    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    with monkeypatch.context() as broken:
        broken.setattr(world.server.calls.legs, "told_figures", fail)
        await world.advance(5)
    assert "an event of the engine could not be handled" in caplog.text
    await world.up(call_id)
    await device.expect("call.connected", call_id=call_id)


@pytest.mark.parametrize("kind", [LegCreate, LegApply])
async def test_an_engine_lost_in_the_middle_of_a_start_leaves_no_call(
    world: World, kind: type[LegCreate] | type[LegApply]
) -> None:
    """Before the commit the start is refused; after it the call has failed, though the loss itself was told too early for it."""
    device = await world.device()
    world.engine.refuse_next(kind, "gone")
    if kind is LegCreate:
        with pytest.raises(DeviceRefused):
            await world.start_call(device)
    else:
        call_id = await world.start_call(device)
        assert (await world.app.expect("terminate", call_id)).item["status"] == "Failed"
    assert await world.is_clean()


async def test_all_calls_of_a_lost_engine_fail_together(world: World) -> None:
    calls = []
    for _ in range(12):
        device = await world.device((await world.session())["access_token"])
        calls.append(await world.start_call(device))
    world.engine.die()
    for call_id in calls:
        assert (await world.app.expect("terminate", call_id, 2)).item["status"] == "Failed"
    with pytest.raises(DeviceRefused):
        await world.start_call(world.devices[0])
    world.engine.come_back()
    await world.start_call(world.devices[0])
