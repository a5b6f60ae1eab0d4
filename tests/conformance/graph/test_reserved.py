"""Reserved parameters: how one asks, and how the answer looks (graph-platform 3.3 and 3.4)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from pagecalls.store.base import PageSubscription
from tests.conformance.graph.world import APP, APP_TOKEN, OTHER_PAGE, PAGE, PAGE_TOKEN, PSID, World, error_of, facts

NODE = f"/v26.0/{PAGE.id}"
PERMISSION = f"{NODE}/messenger_call_permissions"


async def subscribed(world: World) -> None:
    await world.directory.subscribe_page(PageSubscription(APP.id, PAGE.id, ("calls", "feed")))


# --- method -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["delete", "DELETE", "Delete"])
async def test_method_in_query_and_body(world: World, word: str) -> None:
    path = f"{NODE}/subscribed_apps"
    for place in ("query", "body"):
        await subscribed(world)
        query, body = ({"method": word}, {}) if place == "query" else ({}, {"method": word})
        reply = await world.post(f"{path}?{urlencode(query)}", body)
        assert (reply.status, reply.json) == (200, {"success": True})
        assert (await world.get(path)).json == {"data": []}


async def test_method_get_on_post_reads(world: World) -> None:
    reply = await world.post(NODE, {"method": "get", "fields": "name"})
    assert (reply.status, reply.json) == (200, {"id": PAGE.id, "name": PAGE.name})
    assert "etag" in reply.headers


async def test_method_on_get_acts(world: World) -> None:
    reply = await world.get(f"{NODE}/calls", method="post", action="reject", call_id="c_1")
    assert reply.status == 200
    assert [name for name, _, _ in world.door.asked] == ["reject"]
    assert (await world.get(NODE, method="put")).json["id"] == PAGE.id


async def test_method_that_no_edge_has(world: World) -> None:
    for word in ("put", "dance"):
        reply = await world.post(f"{NODE}/calls", {"method": word, "action": "reject", "call_id": "c_1"})
        assert facts(reply) == (400, 100, 33)
        assert error_of(reply)["message"].startswith(f"Unsupported {word} request.")
    assert world.door.asked == []


async def test_head_is_get_without_its_body(world: World) -> None:
    """The server cuts the body off; what it would have been is in the headers."""
    head = await world.ask("HEAD", NODE, {"authorization": f"Bearer {PAGE_TOKEN}"})
    got = await world.get(NODE)
    assert (head.status, head.headers["etag"]) == (200, got.headers["etag"])
    assert facts(await world.ask("HEAD", f"{NODE}/calls", {"authorization": f"Bearer {PAGE_TOKEN}"})) == (400, 100, 33)


# --- fields -------------------------------------------------------------------------------------------------------------


async def test_fields_of_the_page(world: World) -> None:
    for fields in ("is_calling_eligible,name", '["is_calling_eligible","name"]'):
        reply = await world.get("/me", fields=fields)
        assert list(reply.json.items()) == [("id", PAGE.id), ("is_calling_eligible", True), ("name", PAGE.name)]
    assert (await world.get("/me", fields="access_token")).json == {"id": PAGE.id, "access_token": PAGE_TOKEN}
    assert (await world.get("/me", fields="id")).json == {"id": PAGE.id}


async def test_edges_among_the_fields(world: World) -> None:
    await subscribed(world)
    fields = f"name,subscribed_apps.limit(5){{subscribed_fields}},messenger_call_permissions.psid({PSID}){{permission{{status}}}}"
    assert (await world.get("/me", fields=fields)).json == {
        "id": PAGE.id,
        "name": PAGE.name,
        "subscribed_apps": {
            "data": [{"id": APP.id, "subscribed_fields": ["calls", "feed"]}],
            "paging": {"cursors": {"before": "OTAwMQ", "after": "OTAwMQ"}},
        },
        "messenger_call_permissions": {
            "data": [{"permission": {"status": "NO_PERMISSION"}}],
            "permission": {"status": "no_permission"},
        },
    }


async def test_an_edge_among_the_fields_asks_for_what_the_edge_asks(world: World) -> None:
    assert facts(await world.get("/me", fields="messenger_call_permissions")) == (400, 100, 9905010)
    assert facts(await world.get("/me", "EAAbare", fields="subscribed_apps")) == (403, 200, 9905003)


@pytest.mark.parametrize(
    ("path", "fields", "message"),
    [
        (NODE, "colour", "(#100) Tried accessing nonexisting field (colour) on node type (Page)"),
        (NODE, "calls", "(#100) Tried accessing nonexisting field (calls) on node type (Page)"),
        (NODE, "name{first}", "(#100) Tried accessing nonexisting field (first) on node type (name)"),
        (NODE, "subscribed_apps{x}", "(#100) Tried accessing nonexisting field (x) on node type (Application)"),
        (f"{NODE}/subscribed_apps", "x", "(#100) Tried accessing nonexisting field (x) on node type (Application)"),
        (PERMISSION, "permission{x}", "(#100) Tried accessing nonexisting field (x) on node type (Permission)"),
    ],
)
async def test_fields_that_do_not_exist(world: World, path: str, fields: str, message: str) -> None:
    reply = await world.get(path, fields=fields, psid=PSID)
    assert facts(reply) == (400, 100, 9905011)
    assert error_of(reply)["message"] == message


async def test_fields_that_nobody_can_read(world: World) -> None:
    reply = await world.get(NODE, fields="name,,id")
    assert facts(reply) == (400, 2500, None)
    assert error_of(reply)["message"] == "(#2500) Syntax error in fields: expected a name at character 5."


async def test_fields_of_edges(world: World) -> None:
    await subscribed(world)
    assert (await world.get(f"{NODE}/subscribed_apps", fields="name")).json == {"data": [{"id": APP.id, "name": "Desk"}]}
    reply = await world.get(PERMISSION, psid=PSID, fields="actions{action_name,limits{current_usage}}")
    actions: list[dict[str, Any]] = [
        {"action_name": "send_call_permission_request", "limits": [{"current_usage": 0}]},
        {"action_name": "start_call"},
    ]
    assert reply.json == {"data": [{"actions": actions}], "actions": actions}
    subscription = {"object": "page", "callback_url": "http://127.0.0.1:9/", "verify_token": "v", "fields": "calls"}
    assert (await world.post(f"/{APP.id}/subscriptions", subscription, APP_TOKEN)).status == 200
    reply = await world.get(f"/{APP.id}/subscriptions", APP_TOKEN, fields="object,fields{name}")
    assert reply.json == {"data": [{"object": "page", "fields": [{"name": "calls"}]}]}


async def test_fields_mean_nothing_where_one_acts(world: World) -> None:
    reply = await world.call({"action": "reject", "call_id": "c_1", "fields": "colour{"})
    assert (reply.status, list(reply.json)) == (200, ["success", "call_id"])


# --- several nodes at once ------------------------------------------------------------------------------------------------


async def test_ids(world: World) -> None:
    both = f"{PAGE.id},me,{PAGE.id}"
    reply = await world.get("/v26.0/", ids=both, fields="name")
    assert reply.json == {PAGE.id: {"id": PAGE.id, "name": PAGE.name}, "me": {"id": PAGE.id, "name": PAGE.name}}
    assert reply.headers["etag"]
    assert (await world.post("/", {"ids": PAGE.id, "method": "GET"})).json == {PAGE.id: {"id": PAGE.id, "name": PAGE.name}}


async def test_ids_that_cannot_be_read(world: World) -> None:
    assert facts(await world.get("/", ids=f"{PAGE.id},404404")) == (400, 100, 33)
    assert facts(await world.get("/", ids=f"{PAGE.id},{OTHER_PAGE.id}")) == (403, 200, 9905004)
    assert facts(await world.get("/", ids="teahouse")) == (404, 803, None)
    assert facts(await world.get("/", ids=",")) == (400, 100, 9905011)
    assert facts(await world.get("/", ids=",".join(map(str, range(51))))) == (400, 100, 9905011)
    assert facts(await world.get("/", "", ids=PAGE.id)) == (400, 104, None)


# --- how the answer looks -------------------------------------------------------------------------------------------------


async def test_pretty(world: World) -> None:
    assert (await world.get("/me")).content == f'{{"id":"{PAGE.id}","name":"{PAGE.name}"}}'.encode()
    for asked in ("1", "true"):
        reply = await world.get("/me", pretty=asked)
        assert reply.content == f'{{\n   "id": "{PAGE.id}",\n   "name": "{PAGE.name}"\n}}'.encode()
    refused = await world.post(f"{NODE}/calls", {"action": "dance", "pretty": 1})
    assert refused.content.startswith(b'{\n   "error": {\n      "message"')
    error_of(refused)


async def test_suppress_http_code(world: World) -> None:
    for path in (f"{NODE}/calls", "/v99.0/me", f"/{PAGE.id}/telephones"):
        reply = await world.post(f"{path}?suppress_http_code=1", {})
        assert reply.status == 200
        assert error_of(reply)["code"] in (100, 2500)
    reply = await world.post(f"{NODE}/calls", {"suppress_http_code": True})
    assert (reply.status, error_of(reply)["error_subcode"]) == (200, 9905010)


async def test_debug(world: World) -> None:
    body = (await world.get("/v3.0/me", debug="all")).json
    assert body["__debug__"] == {
        "messages": [
            {"message": "The call has been auto-upgraded to v20.0 as v3.0 has been deprecated.", "type": "warning"},
        ]
    }
    assert body["id"] == PAGE.id
    assert (await world.get("/v26.0/me", debug="all")).json["__debug__"] == {"messages": []}
    assert (await world.get("/me", debug="info")).json["__debug__"]["messages"][0]["type"] == "info"
    assert "__debug__" not in (await world.get("/me", debug="loud")).json
    call = await world.call({"action": "reject", "call_id": "c_1", "debug": "all"})
    assert list(call.json) == ["success", "call_id", "__debug__"]


async def test_paging_links_use_the_host_that_the_client_used(world: World) -> None:
    for object_ in ("instagram", "page", "user"):
        subscription = {"object": object_, "callback_url": "http://127.0.0.1:9/", "verify_token": "v", "fields": "calls"}
        assert (await world.post(f"/{APP.id}/subscriptions", subscription, APP_TOKEN)).status == 200
    target = f"/v26.0/{APP.id}/subscriptions?limit=2&access_token={quote(APP_TOKEN, safe='')}"
    body = (await world.ask("GET", target, {"host": "graph.facebook.com"})).json
    assert [entry["object"] for entry in body["data"]] == ["instagram", "page"]
    link = body["paging"]["next"]
    assert link.startswith(f"http://graph.facebook.com/v26.0/{APP.id}/subscriptions?")
    rest = (await world.ask("GET", link.removeprefix("http://graph.facebook.com"))).json
    assert [entry["object"] for entry in rest["data"]] == ["user"]
    assert "next" not in rest["paging"]
    assert set(rest["paging"]) == {"cursors", "previous"}


async def test_any_host_is_home(world: World) -> None:
    for host in ("graph.facebook.com", "graph-video.facebook.com", "graph.instagram.com", "evil.example"):
        headers = {"host": host, "authorization": f"Bearer {PAGE_TOKEN}"}
        assert (await world.ask("GET", "/v26.0/me", headers)).json["id"] == PAGE.id
