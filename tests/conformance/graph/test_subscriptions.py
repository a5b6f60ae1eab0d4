"""Webhook subscriptions at both levels (graph-platform 7.2 to 7.4, messenger-calling 7.8)."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest

from tests.conformance.graph.world import (
    APP,
    APP_TOKEN,
    OTHER_APP,
    PAGE,
    PAGE_TOKEN,
    USER_TOKEN,
    World,
    error_of,
    facts,
)

ON_PAGE = f"/v26.0/{PAGE.id}/subscribed_apps"
ON_APP = f"/v26.0/{APP.id}/subscriptions"
HOOK = "https://desk.example/hook?key=1"
ENTRY = {"object": "page", "callback_url": HOOK, "verify_token": "vt", "fields": "calls"}


async def page_fields(world: World) -> object:
    data = (await world.get(ON_PAGE)).json["data"]
    return data[0]["subscribed_fields"] if data else None


# --- on a Page ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [["calls", "messages"], '["calls","messages"]', "calls,messages", " calls , messages ,"])
async def test_subscribing_replaces_the_list(world: World, fields: object) -> None:
    await world.post(ON_PAGE, {"subscribed_fields": "feed"})
    reply = await world.post(ON_PAGE, {"subscribed_fields": fields})
    assert (reply.status, reply.json) == (200, {"success": True})
    assert (await world.get(ON_PAGE, summary="true")).json == {
        "data": [{"id": APP.id, "name": APP.name, "link": "", "category": "Business", "subscribed_fields": ["calls", "messages"]}]
    }


async def test_fields_in_the_query(world: World) -> None:
    query = urlencode({"subscribed_fields": "calls", "access_token": PAGE_TOKEN})
    assert (await world.ask("POST", f"{ON_PAGE}?{query}")).json == {"success": True}
    assert await page_fields(world) == ["calls"]


@pytest.mark.parametrize("body", [{}, {"subscribed_fields": ""}, {"subscribed_fields": []}, {"subscribed_fields": ","}])
async def test_at_least_one_field(world: World, body: object) -> None:
    reply = await world.post(ON_PAGE, body)
    assert facts(reply) == (400, 100, 9905010)
    assert error_of(reply)["message"] == "(#100) The parameter subscribed_fields is required."


@pytest.mark.parametrize("fields", [["calls", "telephones"], ["calls", 7], {"calls": 1}, "[calls", True])
async def test_names_that_the_platform_does_not_know(world: World, fields: object) -> None:
    assert facts(await world.post(ON_PAGE, {"subscribed_fields": fields})) == (400, 100, 9905011)
    assert await page_fields(world) is None


async def test_a_field_that_is_none_is_told_which_there_are(world: World) -> None:
    reply = await world.post(ON_PAGE, {"subscribed_fields": "calls,telephones"})
    said = error_of(reply)["message"]
    assert said.startswith("(#100) Param subscribed_fields[1] must be one of {AFFILIATION, ")
    assert all(f", {name}, " in said for name in ("CALLS", "CALL_PERMISSION_REPLY", "CALL_SETTINGS_UPDATE"))
    assert said.endswith('} - got "telephones".')


@pytest.mark.parametrize("token", [PAGE_TOKEN, APP_TOKEN])
async def test_unsubscribing_with_either_token(world: World, token: str) -> None:
    await world.post(ON_PAGE, {"subscribed_fields": "calls"})
    assert (await world.delete(ON_PAGE, token)).json == {"success": True}
    assert await page_fields(world) is None
    assert (await world.delete(ON_PAGE, token)).json == {"success": True}


async def test_an_app_token_takes_away_only_its_own(world: World) -> None:
    await world.post(ON_PAGE, {"subscribed_fields": "calls"})
    await world.delete(ON_PAGE, f"{OTHER_APP.id}|{OTHER_APP.secret}")
    assert await page_fields(world) == ["calls"]


# --- of an app ----------------------------------------------------------------------------------------------------------


async def test_an_app_subscribes_after_its_callback_was_verified(world: World) -> None:
    reply = await world.post(ON_APP, ENTRY, APP_TOKEN)
    assert (reply.status, reply.json) == (200, {"success": True})
    assert world.verifier.asked == [(HOOK, "vt")]
    assert (await world.get(ON_APP, APP_TOKEN)).json == {
        "data": [{"object": "page", "callback_url": HOOK, "active": True, "fields": [{"name": "calls", "version": "v26.0"}]}]
    }


async def test_a_repeat_replaces_the_callback_and_adds_fields(world: World) -> None:
    await world.post(ON_APP, ENTRY, APP_TOKEN)
    await world.post(
        ON_APP, {**ENTRY, "callback_url": "http://127.0.0.1:9/", "fields": ["messages", "made_up_field_9"]}, APP_TOKEN
    )
    (entry,) = (await world.get(ON_APP, APP_TOKEN)).json["data"]
    assert entry["callback_url"] == "http://127.0.0.1:9/"
    assert [field["name"] for field in entry["fields"]] == ["calls", "messages", "made_up_field_9"]


@pytest.mark.parametrize("value", [True, False, "false", "1"])
async def test_events_have_their_values_whatever_is_asked_for(world: World, value: object) -> None:
    """`include_values` leaves out the values of `changes[]`; what is sent here sits in `calls[]` or on the entry itself."""
    before = (await world.post(ON_APP, ENTRY, APP_TOKEN), (await world.get(ON_APP, APP_TOKEN)).json)
    assert (await world.post(ON_APP, {**ENTRY, "include_values": value}, APP_TOKEN)).json == {"success": True}
    assert (await world.get(ON_APP, APP_TOKEN)).json == before[1]


async def test_a_callback_that_fails_leaves_the_old_one(world: World) -> None:
    await world.post(ON_APP, ENTRY, APP_TOKEN)
    world.verifier.refuses = True
    reply = await world.post(ON_APP, {**ENTRY, "callback_url": "https://elsewhere.example/"}, APP_TOKEN)
    assert facts(reply) == (400, 2200, None)
    assert error_of(reply)["message"].startswith("(#2200) Callback verification failed with the following errors: ")
    assert (await world.get(ON_APP, APP_TOKEN)).json["data"][0]["callback_url"] == HOOK


async def test_the_parameter_in_the_query_beats_a_session_header(world: World) -> None:
    """One client sends the app token in the query beside the header of its session (graph-platform 2.1)."""
    query = urlencode({**ENTRY, "fields": "calls,messages", "access_token": APP_TOKEN})
    reply = await world.ask("POST", f"{ON_APP}?{query}", {"authorization": f"Bearer {USER_TOKEN}"})
    assert reply.json == {"success": True}


async def test_app_stands_for_the_tokens_app(world: World) -> None:
    assert (await world.post("/app/subscriptions", ENTRY, APP_TOKEN)).json == {"success": True}
    assert len((await world.get(ON_APP, APP_TOKEN)).json["data"]) == 1


async def test_unsubscribing_fields_objects_and_all(world: World) -> None:
    for object_ in ("page", "instagram", "user"):
        await world.post(ON_APP, {**ENTRY, "object": object_, "fields": "calls,messages"}, APP_TOKEN)

    async def left() -> dict[str, list[str]]:
        data = (await world.get(ON_APP, APP_TOKEN)).json["data"]
        return {entry["object"]: [field["name"] for field in entry["fields"]] for entry in data}

    assert (await world.delete(ON_APP, APP_TOKEN, object="PAGE", fields="messages")).json == {"success": True}
    assert await left() == {"page": ["calls"], "instagram": ["calls", "messages"], "user": ["calls", "messages"]}
    await world.delete(ON_APP, APP_TOKEN, object="instagram")
    assert await left() == {"page": ["calls"], "user": ["calls", "messages"]}
    await world.delete(ON_APP, APP_TOKEN)
    assert await left() == {}


@pytest.mark.parametrize("name", ["object", "callback_url", "verify_token", "fields"])
async def test_what_is_required(world: World, name: str) -> None:
    reply = await world.post(ON_APP, {key: value for key, value in ENTRY.items() if key != name}, APP_TOKEN)
    assert facts(reply) == (400, 100, 9905010)
    assert world.verifier.asked == []


@pytest.mark.parametrize(
    "change",
    [
        {"object": "telephone"},
        {"callback_url": "ftp://desk.example/"},
        {"callback_url": "desk.example/hook"},
        {"callback_url": "https:///hook"},
        {"callback_url": "https://[::1/hook"},
        {"callback_url": "https://desk.example:0/"},
        {"callback_url": "https://desk.example:99999/"},
        {"callback_url": "https://desk.example/a b"},
        {"callback_url": "https://desk.example/\r\nx: y"},
        {"callback_url": "https://desk.example/" + "a" * 2048},
        {"fields": ["calls", "Not-A-Name"]},
        {"fields": ["x" * 101]},
        {"include_values": "perhaps"},
    ],
)
async def test_values_that_are_not_allowed(world: World, change: dict[str, object]) -> None:
    assert facts(await world.post(ON_APP, {**ENTRY, **change}, APP_TOKEN)) == (400, 100, 9905011)
    assert world.verifier.asked == []


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("token", [PAGE_TOKEN, USER_TOKEN])
async def test_only_the_apps_own_token_will_do(world: World, method: str, token: str) -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    reply = await world.ask(method, ON_APP, headers, json.dumps(ENTRY).encode())
    assert facts(reply) == (400, 15, None)
    assert error_of(reply)["message"] == "(#15) This method must be called with an app access_token."


async def test_another_apps_node_is_not_there(world: World) -> None:
    for node in (OTHER_APP.id, PAGE.id, "404"):
        assert facts(await world.get(f"/{node}/subscriptions", APP_TOKEN)) == (400, 100, 33)
    assert facts(await world.get("/desk/subscriptions", APP_TOKEN)) == (404, 803, None)
    assert facts(await world.ask("PUT", f"{ON_APP}?access_token={quote(APP_TOKEN)}")) == (400, 100, 33)
