"""The typed client's batches against a whole server (graph-platform 6)."""

from __future__ import annotations

from pagecalls.client import (
    Accepted,
    AcceptRequest,
    Ended,
    Permission,
    PermissionRequest,
    TerminateRequest,
)
from pagecalls.client import errors as e

from .conftest import AIORTC, CHROMIUM, World
from .page_client import Business


async def test_each_member_has_its_result_or_its_error(world: World, business: Business) -> None:
    call_id = await world.start_call(await world.device())
    accepted, permission, unknown, refused = await business.batch(
        AcceptRequest(call_id=call_id, sdp=AIORTC),
        PermissionRequest(psid=world.psid),
        TerminateRequest(call_id="c_unknown"),
        AcceptRequest(call_id=call_id, sdp=CHROMIUM),
    )
    assert isinstance(accepted, Accepted)
    assert accepted.renegotiation is not None
    assert isinstance(permission, Permission)
    assert not permission.is_held
    assert isinstance(unknown, e.UnknownCall)
    assert unknown.fbtrace_id
    assert isinstance(refused, e.AlreadyConnected)
    await world.up(call_id)
    assert await business.batch(TerminateRequest(call_id=call_id)) == [Ended(call_id)]
    await world.app.expect("terminate", call_id)


async def test_members_run_in_order_for_one_call(world: World, business: Business) -> None:
    call_id = await world.start_call(await world.device())
    accepted, ended = await business.batch(AcceptRequest(call_id=call_id, sdp=AIORTC), TerminateRequest(call_id=call_id))
    assert isinstance(accepted, Accepted)
    assert ended == Ended(call_id)
    await world.app.expect("terminate", call_id)
    assert await world.is_clean()
