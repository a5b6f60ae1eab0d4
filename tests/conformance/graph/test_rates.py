"""Throttling, its errors and the usage headers (graph-platform 5 and 8, E_APP_RATE)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from pagecalls.graph.limits import GraphLimits, Limit
from tests.asgi_client import Reply
from tests.conformance.graph.people import ROBOT_TOKEN, people
from tests.conformance.graph.world import (
    APP,
    APP_TOKEN,
    OTHER_PAGE,
    PAGE,
    PAGE_TOKEN,
    PSID,
    SYSTEM_TOKEN,
    USER_TOKEN,
    World,
    error_of,
    facts,
)

TWO = Limit(2, 60.0)
NODE = f"/v26.0/{PAGE.id}"


@pytest_asyncio.fixture
async def limited() -> AsyncIterator[World]:
    world = await World.open(limits=GraphLimits(app=TWO, page=TWO))
    yield world
    await world.store.close()


def usage(reply: Reply, name: str) -> Any:
    return json.loads(reply.headers[name])


async def test_an_app_is_refused_with_403(limited: World) -> None:
    path = f"/v26.0/{APP.id}/subscriptions"
    for _ in range(2):
        assert (await limited.get(path, APP_TOKEN)).status == 200
    reply = await limited.get(path, APP_TOKEN)
    assert facts(reply) == (403, 4, None)
    assert error_of(reply)["message"] == "(#4) Application request limit reached"
    assert error_of(reply)["is_transient"] is True
    assert usage(reply, "x-app-usage") == {"call_count": 100, "total_cputime": 0, "total_time": 0}
    assert reply.headers["www-authenticate"].startswith('OAuth "Facebook Platform" "invalid_request" "(#4) ')
    limited.clock.advance(62)
    assert (await limited.get(path, APP_TOKEN)).status == 200


@pytest.mark.parametrize(
    ("edge", "query", "code"),
    [
        ("", {}, 80001),
        ("/subscribed_apps", {}, 80001),
        ("/messenger_call_permissions", {"psid": PSID}, 80006),
        ("/messenger_call_permissions", {"psid": PSID, "platform": "Instagram"}, 80002),
    ],
)
async def test_a_page_is_refused_in_its_use_case(limited: World, edge: str, query: dict[str, str], code: int) -> None:
    for _ in range(2):
        assert (await limited.get(NODE + edge, **query)).status == 200
    reply = await limited.get(NODE + edge, **query)
    assert facts(reply) == (400, code, None)
    (entry,) = usage(reply, "x-business-use-case-usage")[PAGE.id]
    assert entry["type"] == {80001: "pages", 80002: "instagram", 80006: "messenger"}[code]
    assert (entry["call_count"], entry["estimated_time_to_regain_access"]) == (100, 2)
    other = "/messenger_call_permissions" if code == 80001 else ""
    assert (await limited.get(NODE + other, psid=PSID)).status == 200


async def test_calls_are_throttled_but_never_their_end(limited: World) -> None:
    for _ in range(5):
        for action in ("reject", "TERMINATE"):
            assert (await limited.call({"action": action, "call_id": "c_1"})).status == 200
    refused = await limited.call({"action": "accept", "call_id": "c_1", "sdp": "v=0"})
    assert facts(refused) == (400, 80006, None)
    assert (await limited.call({"action": "terminate", "call_id": "c_1"})).status == 200
    assert {name for name, _, _ in limited.door.asked} == {"reject", "terminate"}


async def test_only_an_end_of_a_call_is_let_through(limited: World) -> None:
    """The word alone, on another edge, opens no door."""
    for _ in range(2):
        await limited.get(NODE, action="terminate")
    assert facts(await limited.get(NODE, action="terminate")) == (400, 80001, None)


async def test_failures_count_too(limited: World) -> None:
    for _ in range(2):
        assert facts(await limited.call({"action": "dance"})) == (400, 100, 9905011)
    assert facts(await limited.call({"action": "dance"})) == (400, 80006, None)


async def test_the_place_in_the_order_of_checks(limited: World) -> None:
    """After token and proof, before the node (graph-platform 4.1)."""
    for _ in range(2):
        await limited.get(NODE)
    assert facts(await limited.get("/v26.0/404404")) == (400, 80001, None)
    assert facts(await limited.get("/v26.0/404404", appsecret_proof="x")) == (400, 100, 9905002)
    assert facts(await limited.get("/v26.0/404404/telephones")) == (400, 2500, 9905005)


async def test_every_request_of_a_batch_counts_and_the_batch_does_not(limited: World) -> None:
    members = [{"relative_url": f"me?fields=name&number={number}"} for number in range(3)]
    reply = await limited.post("/", {"batch": members})
    assert sorted(entry["code"] for entry in reply.json) == [200, 200, 400]
    assert "x-business-use-case-usage" not in reply.headers
    assert facts(await limited.get("/me")) == (400, 80001, None)


async def test_tokens_for_a_secret_are_an_apps_requests(limited: World) -> None:
    """Those with a wrong secret are nobody's, so that a stranger cannot use the app's up."""
    client = {"client_id": APP.id, "grant_type": "client_credentials"}
    for _ in range(3):
        assert facts(await limited.post("/oauth/access_token", {**client, "client_secret": "x"}, "")) == (400, 1, None)
    for share in (50, 100):
        reply = await limited.post("/oauth/access_token", {**client, "client_secret": APP.secret}, "")
        assert (reply.status, usage(reply, "x-app-usage")["call_count"]) == (200, share)
    reply = await limited.post("/oauth/access_token", {**client, "client_secret": APP.secret}, "")
    assert facts(reply) == (403, 4, None)
    assert facts(await limited.get(f"/v26.0/{APP.id}/subscriptions", APP_TOKEN)) == (403, 4, None)


async def test_a_system_user_spends_what_the_page_has(limited: World) -> None:
    """Their token counts as the Page's (ruling 16), and so do their requests."""
    await limited.store.write(people)
    for _ in range(2):
        reply = await limited.get(NODE, ROBOT_TOKEN)
        assert (reply.status, "x-business-use-case-usage" in reply.headers) == (200, True)
    assert facts(await limited.get(NODE, ROBOT_TOKEN)) == (400, 80001, None)
    assert facts(await limited.get(NODE)) == (400, 80001, None)
    reply = await limited.get(f"/v26.0/{OTHER_PAGE.id}", ROBOT_TOKEN)
    assert (facts(reply), "x-app-usage" in reply.headers) == ((403, 210, None), True)


async def test_users_and_pages_asked_by_others() -> None:
    world = await World.open(limits=GraphLimits(user=TWO))
    for _ in range(2):
        assert facts(await world.get(NODE, USER_TOKEN)) == (403, 210, None)
    assert facts(await world.get(NODE, USER_TOKEN)) == (400, 17, None)
    await world.store.close()
    world = await World.open(limits=GraphLimits(page_by_others=TWO))
    for _ in range(2):
        assert facts(await world.get(NODE, USER_TOKEN)) == (403, 210, None)
    reply = await world.get(NODE, USER_TOKEN)
    assert facts(reply) == (400, 32, None)
    assert usage(reply, "x-page-usage")["call_count"] == 100
    assert (await world.get(NODE)).status == 200
    await world.store.close()


@pytest.mark.parametrize(
    ("path", "token", "names"),
    [
        (NODE, PAGE_TOKEN, ["x-business-use-case-usage"]),
        (NODE, SYSTEM_TOKEN, ["x-business-use-case-usage"]),
        (NODE, USER_TOKEN, ["x-app-usage", "x-page-usage"]),
        (f"/{APP.id}/subscriptions", APP_TOKEN, ["x-app-usage"]),
        (NODE, "", []),
        (NODE, "garbage", []),
    ],
)
async def test_who_is_told_what(world: World, path: str, token: str, names: list[str]) -> None:
    reply = await world.get(path, token)
    assert [name for name in reply.headers if name.endswith("-usage")] == names


async def test_without_limits_everything_goes(world: World) -> None:
    for _ in range(100):
        assert (await world.get(NODE)).status == 200
    (entry,) = usage(await world.get(NODE), "x-business-use-case-usage")[PAGE.id]
    assert (entry["call_count"], entry["estimated_time_to_regain_access"]) == (0, 0)
