"""`POST business_messaging_feature_status` (messenger-calling 8.5)."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.conformance.graph.world import (
    BARE_TOKEN,
    OTHER_PAGE,
    OTHER_PAGE_TOKEN,
    PAGE,
    PAGE_TOKEN,
    USER_TOKEN,
    World,
    error_of,
    facts,
)

PATH = f"/v26.0/{PAGE.id}/business_messaging_feature_status"
CALLING = {"feature": "messenger_api_calling"}


async def test_open_and_closed_pages(world: World) -> None:
    reply = await world.post(PATH, {"features": [CALLING]})
    assert (reply.status, reply.json) == (200, {"data": [{"feature": "messenger_api_calling", "status": "ENABLED"}]})
    closed = f"/v26.0/{OTHER_PAGE.id}/business_messaging_feature_status"
    reply = await world.post(closed, {"features": [CALLING]}, OTHER_PAGE_TOKEN)
    assert reply.json == {"data": [{"feature": "messenger_api_calling", "status": "DISABLED"}]}


async def test_one_entry_for_each_feature_in_order(world: World) -> None:
    asked = [{"feature": "teleport"}, {"feature": "MESSENGER_API_CALLING"}, {"feature": "teleport"}, CALLING]
    entries = (await world.post(PATH, {"features": asked})).json["data"]
    assert [entry["feature"] for entry in entries] == [each["feature"] for each in asked]
    assert [entry["status"] for entry in entries] == ["DISABLED", "ENABLED", "DISABLED", "ENABLED"]


async def test_as_a_form(world: World) -> None:
    form = {"features": '[{"feature":"messenger_api_calling"}]', "access_token": PAGE_TOKEN}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    reply = await world.ask("POST", PATH, headers, urlencode(form).encode())
    assert reply.json["data"][0]["status"] == "ENABLED"


@pytest.mark.parametrize("body", [{}, {"features": []}, {"features": "[]"}, {"features": None}])
async def test_nothing_asked(world: World, body: object) -> None:
    reply = await world.post(PATH, body)
    assert facts(reply) == (400, 100, 9905010)
    assert error_of(reply)["message"] == "(#100) The parameter features is required."


async def test_a_feature_without_a_name(world: World) -> None:
    reply = await world.post(PATH, {"features": [CALLING, {}]})
    assert facts(reply) == (400, 100, 9905010)
    assert "features[1][feature]" in error_of(reply)["message"]
    for features in ("x", 7, ["x"], [7], {"feature": "messenger_api_calling"}):
        assert facts(await world.post(PATH, {"features": features})) == (400, 100, 9905011)


async def test_who_may_ask(world: World) -> None:
    assert facts(await world.post(PATH, {"features": [CALLING]}, BARE_TOKEN)) == (403, 200, 9905003)
    assert facts(await world.post(PATH, {"features": [CALLING]}, USER_TOKEN)) == (403, 210, None)
    assert facts(await world.get(PATH)) == (400, 100, 33)
