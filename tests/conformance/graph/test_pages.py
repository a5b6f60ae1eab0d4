"""`GET /{page_id}` (messenger-calling 1)."""

from __future__ import annotations

import pytest

from tests.conformance.graph.world import OTHER_PAGE, OTHER_PAGE_TOKEN, PAGE, PAGE_TOKEN, World, error_of, facts


async def test_id_and_name_by_default(world: World) -> None:
    for path in (f"/v26.0/{PAGE.id}", "/me"):
        assert (await world.get(path)).json == {"id": "1001", "name": "Tea House"}


@pytest.mark.parametrize(
    "fields",
    ["access_token,is_calling_eligible", '["access_token","is_calling_eligible"]', "id, access_token ,is_calling_eligible"],
)
async def test_fields(world: World, fields: str) -> None:
    assert (await world.get("/me", fields=fields)).json == {"id": "1001", "access_token": PAGE_TOKEN, "is_calling_eligible": True}
    reply = await world.get(f"/{OTHER_PAGE.id}", OTHER_PAGE_TOKEN, fields=fields)
    assert reply.json == {"id": "1002", "access_token": OTHER_PAGE_TOKEN, "is_calling_eligible": False}


async def test_an_unknown_field(world: World) -> None:
    reply = await world.get("/me", fields="name,colour")
    assert facts(reply) == (400, 100, 9905011)
    assert error_of(reply)["message"] == "(#100) Tried accessing nonexisting field (colour) on node type (Page)"
