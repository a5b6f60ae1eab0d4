"""Meta's Python SDK sends batches (graph-platform 6), and a call goes on from what they answer."""

from __future__ import annotations

import pytest

from tests.interop.sdk import Sdk, rung, took
from tests.interop.world import Start, World, offered

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_batch(own_world: World, sdk: Sdk, start: Start) -> None:
    """Every member has its own answer: an action that works, a reading, one that is refused."""
    world = own_world
    call = await rung(world, start)
    create, read = sdk.page.create_call, sdk.page.get_messenger_call_permissions
    accept = {"action": "ACCEPT", "platform": "MESSENGER", "call_id": call.id, "session": offered(await call.business.offer())}
    accepted, permission, refused = await sdk.batch(
        (create, accept),
        (read, {"psid": world.psid}),
        (create, {"action": "TERMINATE", "call_id": "c_unknown"}),
    )
    assert accepted["success"] is True
    assert permission["data"][0]["permission"]["status"] == "NO_PERMISSION"
    assert (refused["error"]["code"], refused["error"]["error_subcode"]) == (2018390, 9901001)
    await took(world, call, accepted)
    (ended,) = await sdk.batch((create, {"action": "TERMINATE", "call_id": call.id}))
    assert ended == {"success": True, "call_id": call.id}
    await world.ended(call, "Completed")
