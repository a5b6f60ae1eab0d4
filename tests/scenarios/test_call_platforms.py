"""`platform` on a Page is the call's own or none, for each action (ruling 6). What Instagram changes: `test_platforms.py`."""

from __future__ import annotations

from typing import Any

import pytest

from pagecalls.demo.business import GraphRefused

from .conftest import AIORTC, CHROMIUM, World, offered

VALUE = (400, 100, 9905011)


async def act(world: World, action: str, **members: Any) -> dict[str, Any]:
    """An action without a platform unless the test gives one."""
    return await world.app.post(f"/v26.0/{world.page_id}/calls", {"action": action, **members})


async def refusal(world: World, action: str, **members: Any) -> tuple[int, int, int]:
    with pytest.raises(GraphRefused) as refused:
        await act(world, action, **members)
    error = refused.value.error
    return refused.value.status, error["code"], error["error_subcode"]


@pytest.mark.parametrize("action", ["accept", "reject", "terminate", "media_update"])
async def test_a_platform_that_is_not_the_calls(world: World, action: str) -> None:
    call_id = await world.start_call(await world.device())
    session = {"session": offered(AIORTC)}
    for other in ("instagram", "WhatsApp"):
        assert await refusal(world, action, call_id=call_id, platform=other, **session) == VALUE
    await act(world, "accept", call_id=call_id, **session)
    assert world.app.events(call_id) in ([], ["connect"])
    await act(world, "terminate", call_id=call_id, platform="Messenger")


async def test_a_platform_that_is_not_the_consumers(world: World) -> None:
    await world.grant()
    session = offered(CHROMIUM)
    for other in ("whatsapp", "instagram"):
        assert await refusal(world, "connect", to=world.psid, session=session, platform=other) == VALUE
    assert await world.is_clean()
    await act(world, "connect", to=world.psid, session=session, platform="messenger")
