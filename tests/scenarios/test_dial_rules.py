"""When a consumer may not be called although the permission is there (ruling 19): both rules are off unless they are chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp, GraphRefused
from pagecalls.media.fake import FakeEngine

from .conftest import CHROMIUM, World, a_world, offered


async def dial(world: World) -> str:
    return str((await world.app.call("connect", to=world.psid, session=offered(CHROMIUM)))["call_id"])


async def refused(world: World) -> tuple[int, int, int, bool]:
    with pytest.raises(GraphRefused) as caught:
        await dial(world)
    error = caught.value.error
    return caught.value.status, error["code"], error["error_subcode"], error["is_transient"]


async def may_call(world: World) -> bool:
    headers = {"Authorization": f"Bearer {world.app.token}"}
    url = f"{world.base_url}/{world.page_id}/messenger_call_permissions?psid={world.psid}"
    async with world.http.get(url, headers=headers) as response:
        actions = {each["action_name"]: each["can_perform"] for each in (await response.json())["actions"]}
    return bool(actions["start_call"])


async def test_calls_to_one_person_in_a_day(tmp_path: Path, app: BusinessApp) -> None:
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock), call_rate_per_consumer_24h=2) as world:
        await world.grant()
        for _ in range(2):
            assert await may_call(world)
            call_id = await dial(world)
            assert (await refused(world))[:3] == (400, 551, 9901206)
            await world.app.call("terminate", call_id=call_id)
        assert not await may_call(world)
        assert await refused(world) == (400, 613, 9901207, True)
        device = await world.device()
        inbound = await world.start_call(device)
        await world.app.call("reject", call_id=inbound)
        assert (await refused(world))[1] == 613
        await world.advance(24 * 3600 + 1)
        assert await may_call(world)
        await world.app.call("terminate", call_id=await dial(world))


async def test_somebody_without_a_device(tmp_path: Path, app: BusinessApp) -> None:
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock), strict_reach=True) as world:
        await world.grant()
        assert await refused(world) == (400, 551, 1545041, False)
        device = await world.device()
        await world.app.call("terminate", call_id=await dial(world))
        await device.expect("call.ended")
        assert await world.is_clean()


async def test_by_default_anybody_may_be_rung_any_number_of_times(world: World) -> None:
    await world.grant()
    for _ in range(5):
        await world.app.call("terminate", call_id=await dial(world))
    assert await may_call(world)
