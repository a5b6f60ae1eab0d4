"""Paths and versions (graph-platform 1, rulings 3, 4 and 16)."""

from __future__ import annotations

import pytest

from tests.conformance.graph.world import (
    APP,
    APP_TOKEN,
    OTHER_PAGE,
    OTHER_PAGE_TOKEN,
    PAGE,
    PAGE_TOKEN,
    STRICT_APP,
    STRICT_TOKEN,
    USER_TOKEN,
    World,
    error_of,
    facts,
    proof,
)


@pytest.mark.parametrize("version", [f"v{major}.0" for major in range(20, 27)])
async def test_each_version_of_the_reference_is_served_as_itself(world: World, version: str) -> None:
    reply = await world.get(f"/{version}/{PAGE.id}")
    assert reply.status == 200
    assert reply.headers["facebook-api-version"] == version
    assert "x-ad-api-version-warning" not in reply.headers


@pytest.mark.parametrize("version", ["v1.0", "v2.0", "v2.12", "v3.3", "v4.0", "v19.0"])
async def test_an_expired_version_is_served_as_the_oldest_with_a_warning(world: World, version: str) -> None:
    reply = await world.get(f"/{version}/{PAGE.id}")
    assert reply.status == 200
    assert reply.headers["facebook-api-version"] == "v20.0"
    assert reply.headers["x-ad-api-version-warning"] == (
        f"The call has been auto-upgraded to v20.0 as {version} has been deprecated."
    )


async def test_without_a_version_the_apps_own_is_served(world: World) -> None:
    assert (await world.get(f"/{PAGE.id}")).headers["facebook-api-version"] == "v26.0"
    reply = await world.get(f"/{PAGE.id}", STRICT_TOKEN, appsecret_proof=proof(STRICT_APP.secret, STRICT_TOKEN))
    assert reply.status == 200
    assert reply.headers["facebook-api-version"] == "v23.0"


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        (f"/v99.0/{PAGE.id}/calls", f"/{PAGE.id}/calls"),
        (f"/v26/{PAGE.id}/calls", f"/{PAGE.id}/calls"),
        (f"/v26.0.0/{PAGE.id}", f"/{PAGE.id}"),
        ("/v2.13/me", "/me"),
        (f"/v26.0/{PAGE.id}/telephones", "/telephones"),
        (f"/{PAGE.id}/telephones/now", "/telephones/now"),
        (f"/v26.0/{PAGE.id}/calls/c_1", "/c_1"),
        ("/v26.0/", "/"),
        ("/", "/"),
    ],
)
@pytest.mark.parametrize("token", [PAGE_TOKEN, ""])
async def test_an_unknown_version_or_edge_needs_no_token_to_be_unknown(world: World, path: str, rest: str, token: str) -> None:
    reply = await world.post(path, {"action": "accept"}, token)
    assert facts(reply) == (400, 2500, 9905005)
    assert error_of(reply)["message"] == f"Unknown path components: {rest}"


@pytest.mark.parametrize(
    "path",
    [
        f"//v26.0/{PAGE.id}",
        f"/v26.0//{PAGE.id}/",
        f"/v26.0/{PAGE.id}/",
        "/v26.0/%31%30%301",
        "/v26.0/me",
        "/me/",
    ],
)
async def test_slashes_escapes_and_me_lead_to_the_same_page(world: World, path: str) -> None:
    reply = await world.get(path)
    assert (reply.status, reply.json) == (200, {"id": PAGE.id, "name": PAGE.name})


async def test_me_is_the_page_of_the_token(world: World) -> None:
    assert (await world.get("/me", OTHER_PAGE_TOKEN)).json["id"] == OTHER_PAGE.id
    reply = await world.post("/v26.0/me/calls", {"action": "reject", "call_id": "c_1"})
    assert reply.status == 200
    assert world.door.asked[0][1].page_id == PAGE.id


async def test_me_needs_a_token_that_is_somebody(world: World) -> None:
    for token in ("", APP_TOKEN):
        reply = await world.get("/me", token)
        assert facts(reply) == (400, 2500, None)
        assert error_of(reply)["message"] == "An active access token must be used to query information about the current user."
    assert facts(await world.get("/me/messenger_call_permissions", USER_TOKEN, psid="1")) == (403, 210, None)


@pytest.mark.parametrize("node", ["404404", APP.id])
async def test_an_id_that_is_no_page(world: World, node: str) -> None:
    reply = await world.post(f"/v26.0/{node}/calls", {"action": "reject", "call_id": "c_1"})
    assert facts(reply) == (400, 100, 33)
    error = error_of(reply)
    assert error["type"] == "GraphMethodException"
    assert error["message"] == (
        f"Unsupported post request. Object with ID '{node}' does not exist, cannot be loaded due to missing permissions, "
        "or does not support this operation."
    )
    assert "www-authenticate" not in reply.headers


async def test_an_alias_that_does_not_exist(world: World) -> None:
    reply = await world.get("/v26.0/teahouse/messenger_call_permissions", psid="1")
    assert facts(reply) == (404, 803, None)
    assert error_of(reply)["message"] == "(#803) Some of the aliases you requested do not exist: teahouse"


@pytest.mark.parametrize(
    ("method", "edge"),
    [
        ("GET", "/calls"),
        ("DELETE", "/calls"),
        ("PUT", "/calls"),
        ("POST", "/messenger_call_permissions"),
        ("PATCH", "/subscribed_apps"),
        ("POST", ""),
    ],
)
async def test_a_verb_that_the_edge_does_not_have(world: World, method: str, edge: str) -> None:
    reply = await world.ask(method, f"/v26.0/{PAGE.id}{edge}", {"authorization": f"Bearer {PAGE_TOKEN}"})
    assert facts(reply) == (400, 100, 33)
    assert error_of(reply)["message"].startswith(f"Unsupported {method.lower()} request. Object with ID '{PAGE.id}'")


async def test_crash_reports_of_the_sdk_are_swallowed_without_a_token(world: World) -> None:
    reply = await world.ask("POST", "/v26.0/9001/instruments", body=b"bizsdk_crash_report=%7B%7D")
    assert (reply.status, reply.json) == (200, {"success": True})


async def test_a_websocket_on_a_graph_path_is_closed(world: World) -> None:
    sent = []

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    await world.app({"type": "websocket", "path": "/me", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_metrics_hear_of_every_answer(world: World) -> None:
    await world.call({"action": "REJECT", "call_id": "c_1"})
    await world.call({"action": "dance"})
    await world.get("/v26.0/1001/telephones")
    await world.get("/me")
    assert world.seen == [("calls", "reject", 200), ("calls", "", 400), ("unknown", "", 400), ("node", "", 200)]
