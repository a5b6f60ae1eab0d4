"""A Graph batch on a whole server: calls change, and their webhooks leave when the array is out."""

from __future__ import annotations

import json
from typing import Any

from .conftest import AIORTC, World, offered


async def batch(world: World, members: list[dict[str, Any]]) -> list[Any]:
    params = {"access_token": world.app.token}
    async with world.http.post(f"{world.base_url}/v26.0/", params=params, data={"batch": json.dumps(members)}) as response:
        assert response.status == 200
        entries: list[Any] = await response.json()
        return entries


async def test_one_call_accepted_and_ended_in_one_request(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    path = f"{world.page_id}/calls"
    accept = {"action": "accept", "call_id": call_id, "session": offered(AIORTC)}
    entries = await batch(
        world,
        [
            {"method": "POST", "relative_url": path, "name": "accepted", "body": accept},
            {"method": "POST", "relative_url": path, "body": "action=terminate&call_id={result=accepted:$.call_id}"},
            {"method": "POST", "relative_url": path, "body": f"action=accept&call_id={call_id}&sdp=v%3D0"},
            {"relative_url": "me"},
        ],
    )
    assert [entry["code"] for entry in entries] == [200, 200, 400, 200]
    accepted, _, late, _ = (json.loads(entry["body"]) for entry in entries)
    assert accepted["session"]["sdp_renegotiation"]["sdp_type"] == "offer"
    assert (late["error"]["code"], late["error"]["error_subcode"]) == (2018396, 9901302)
    ended = await world.app.expect("terminate", call_id)
    assert ended.item["status"] == "Completed"
    await device.expect("call.ended", call_id=call_id)
    assert world.app.events(call_id) == ["connect", "terminate"]
    assert await world.is_clean()
