"""`GET messenger_call_permissions` (messenger-calling 8.1)."""

from __future__ import annotations

from pagecalls.store.base import Consumer, Transaction
from pagecalls.types import Platform
from tests.conformance.graph.world import OTHER_PAGE, OTHER_PAGE_TOKEN, PAGE, PSID, World, error_of, facts

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


async def test_a_page_that_is_not_eligible_may_call_nobody(world: World) -> None:
    """It may read what it has, and is told that `connect` would not be let through."""

    def known(tx: Transaction) -> None:
        tx.put_consumer(Consumer(PSID, OTHER_PAGE.id, Platform.MESSENGER, "Ada"))
        tx.put_permission(OTHER_PAGE.id, PSID, world.clock.now() + 60)

    await world.store.write(known)
    body = (await world.get(f"/v26.0/{OTHER_PAGE.id}/messenger_call_permissions", OTHER_PAGE_TOKEN, psid=PSID)).json
    assert body["permission"]["status"] == "has_permission"
    assert body["actions"][1] == {"action_name": "start_call", "can_perform": False, "can_perform_action": False}
