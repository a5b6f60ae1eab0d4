"""`GET messenger_call_permissions` (messenger-calling 8.1)."""

from __future__ import annotations

from dataclasses import replace

from pagecalls.call.settings import CallSettings
from tests.conformance.graph.world import PAGE, PSID, World, error_of, facts

PATH = f"/v26.0/{PAGE.id}/messenger_call_permissions"


async def test_with_permission(world: World) -> None:
    expires_at = int(await world.permissions.grant(PAGE.id, PSID, 604_800))
    reply = await world.get(PATH, psid=PSID, summary="true")
    permission = {"expiration_time": expires_at}
    limit = {"time_period": "PT24H", "max_allowed": 2, "current_usage": 0}
    assert reply.status == 200
    assert reply.json == {
        "data": [
            {
                "permission": {"status": "HAS_PERMISSION", **permission},
                "actions": [
                    {"action_name": "send_call_permission_request", "can_perform": False, "limits": [limit]},
                    {"action_name": "start_call", "can_perform": True},
                ],
            }
        ],
        "permission": {"status": "has_permission", **permission},
        "actions": [
            {
                "action_name": "send_call_permission_request",
                "can_perform": False,
                "can_perform_action": False,
                "limits": [{**limit, "max_allowed_per_user": 2}],
            },
            {"action_name": "start_call", "can_perform": True, "can_perform_action": True},
        ],
    }


async def test_without_permission(world: World) -> None:
    body = (await world.get(PATH, psid=PSID)).json
    assert body["permission"] == {"status": "no_permission"}
    assert body["data"][0]["permission"] == {"status": "NO_PERMISSION"}
    assert [action["can_perform"] for action in body["actions"]] == [True, False]
    assert [action["can_perform"] for action in body["data"][0]["actions"]] == [True, False]


async def test_an_expired_permission_is_none(world: World) -> None:
    await world.permissions.grant(PAGE.id, PSID, 60)
    world.clock.advance(61)
    assert (await world.get(PATH, psid=PSID)).json["permission"] == {"status": "no_permission"}


async def test_errors(world: World) -> None:
    reply = await world.get(PATH)
    assert facts(reply) == (400, 100, 9905010)
    assert error_of(reply)["message"] == "(#100) The parameter psid is required."
    reply = await world.get(PATH, psid="404")
    assert facts(reply) == (400, 100, 2018001)
    assert error_of(reply)["message"] == "(#100) No matching user found"


async def test_while_calling_is_off(world: World) -> None:
    await world.permissions.grant(PAGE.id, PSID, 60)
    await world.store.write(lambda tx: tx.put_call_settings(PAGE.id, CallSettings(audio_enabled=False)))
    assert facts(await world.get(PATH, psid=PSID)) == (403, 2018389, 1893056)
    assert facts(await world.get(PATH, psid="404")) == (403, 2018389, 1893056)
    assert facts(await world.get(PATH)) == (400, 100, 9905010)


async def test_a_page_that_takes_no_calls_may_not_call(world: World) -> None:
    await world.permissions.grant(PAGE.id, PSID, 60)
    await world.store.write(lambda tx: tx.put_page(replace(PAGE, is_calling_eligible=False)))
    body = (await world.get(PATH, psid=PSID)).json
    assert body["permission"]["status"] == "has_permission"
    assert [action["can_perform"] for action in body["actions"]] == [False, False]
