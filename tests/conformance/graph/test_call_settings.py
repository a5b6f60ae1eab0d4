"""`GET` and `POST messenger_call_settings` (messenger-calling 9.1 and 9.2)."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from pagecalls.call.settings import CallSettings, SettingsChange
from pagecalls.store.base import AppSubscription, Hold, PageSubscription, WebhookKind
from pagecalls.types import RingTarget
from tests.asgi_client import Reply
from tests.conformance.graph.world import (
    APP,
    BARE_TOKEN,
    OTHER_APP,
    OTHER_PAGE,
    OTHER_PAGE_TOKEN,
    PAGE,
    PAGE_TOKEN,
    World,
    error_of,
    facts,
)
from tests.contract.store_samples import ready_rows

PATH = f"/v26.0/{PAGE.id}/messenger_call_settings"
DEFAULTS = {
    "audio_enabled": True,
    "icon_enabled": True,
    "video_enabled": True,
    "call_routing": {"ring_target": "META"},
}
MONDAY = {"day_of_week": "MONDAY", "open_time": "0900", "close_time": "1700"}
HOURS = {"timezone_id": "Europe/Berlin", "weekly_operating_hours": [MONDAY]}
STORED = {"success": True, "result": "success"}


async def subscribe(world: World, app: str = APP.id, *fields: str) -> None:
    """At both levels, to `fields`, by default to `calls` alone."""
    named = fields or ("calls",)

    def work(tx: Any) -> None:
        tx.put_page_subscription(PageSubscription(app, PAGE.id, named))  # type: ignore[arg-type]
        tx.put_app_subscription(AppSubscription(app, "page", "http://127.0.0.1:1/", "verify", named))  # type: ignore[arg-type]

    await world.store.write(work)


async def stored(world: World) -> CallSettings | None:
    return await world.store.read(lambda tx: tx.call_settings(PAGE.id))


async def change(world: World, **members: object) -> None:
    reply = await world.post(PATH, members)
    assert (reply.status, reply.json) == (200, STORED)


async def current(world: World) -> dict[str, Any]:
    """The bare members, after checking that `data` has the same."""
    body: dict[str, Any] = (await world.get(PATH)).json
    (entry,) = body.pop("data")
    assert entry == body
    return body


# --- reading ------------------------------------------------------------------------------------------------------------


async def test_the_defaults(world: World) -> None:
    """Once in `data` and once bare; hours that are not set are left out."""
    reply = await world.get(PATH, summary="true")
    assert reply.status == 200
    assert reply.json == {**DEFAULTS, "data": [DEFAULTS]}


async def test_everything_set(world: World) -> None:
    await subscribe(world)
    routing = {"ring_target": "PARTNERS"}
    members = {"audio_enabled": True, "icon_enabled": False, "video_enabled": False, "call_routing": routing, "call_hours": HOURS}
    await change(world, **members)
    assert await current(world) == members


async def test_the_ring_target_is_derived_until_it_is_set(world: World) -> None:
    """Ruling 13: any app with `calls` on the Page makes it `PARTNERS`."""
    assert (await current(world))["call_routing"] == {"ring_target": "META"}
    await subscribe(world, APP.id, "call_settings_update")
    assert (await current(world))["call_routing"] == {"ring_target": "META"}
    await world.store.write(lambda tx: tx.put_page_subscription(PageSubscription(OTHER_APP.id, PAGE.id, ("calls",))))
    assert (await current(world))["call_routing"] == {"ring_target": "PARTNERS"}
    assert await world.store.read(ready_rows) == []
    await change(world, call_routing={"ring_target": "META"})
    assert (await current(world))["call_routing"] == {"ring_target": "META"}


async def test_another_change_leaves_the_ring_target_derived(world: World) -> None:
    await change(world, icon_enabled=False)
    await subscribe(world)
    assert (await current(world))["call_routing"] == {"ring_target": "PARTNERS"}


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ("audio_enabled", {"audio_enabled": True}),
        ("video_enabled,call_hours", {"video_enabled": True, "call_hours": HOURS}),
        ('["call_routing","icon_enabled"]', {"call_routing": {"ring_target": "META"}, "icon_enabled": True}),
        ("call_hours{timezone_id}", {"call_hours": {"timezone_id": "Europe/Berlin"}}),
        (
            "call_hours{weekly_operating_hours{day_of_week}}",
            {"call_hours": {"weekly_operating_hours": [{"day_of_week": "MONDAY"}]}},
        ),
    ],
)
async def test_fields(world: World, fields: str, kept: dict[str, object]) -> None:
    await change(world, call_hours=HOURS)
    assert (await world.get(PATH, fields=fields)).json == {"data": [kept], **kept}


async def test_asking_for_hours_that_are_not_set(world: World) -> None:
    assert (await world.get(PATH, fields="call_hours")).json == {"data": [{}]}


@pytest.mark.parametrize("fields", ["colour", "audio_enabled,colour", "call_hours{colour}", "call_routing{ring_target,colour}"])
async def test_unknown_fields(world: World, fields: str) -> None:
    assert facts(await world.get(PATH, fields=fields)) == (400, 100, 9905011)


async def test_it_can_be_read_through_the_page(world: World) -> None:
    body = (await world.get(f"/v26.0/{PAGE.id}", fields="name,messenger_call_settings{audio_enabled}")).json
    assert body["messenger_call_settings"] == {"data": [{"audio_enabled": True}], "audio_enabled": True}


async def test_me_and_every_version(world: World) -> None:
    for path in ("/me", "/v20.0/me", f"/v23.0/{PAGE.id}"):
        assert (await world.get(f"{path}/messenger_call_settings/")).json["audio_enabled"] is True


# --- writing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "after"),
    [
        ({"audio_enabled": False}, {"audio_enabled": False}),
        ({"icon_enabled": False}, {"icon_enabled": False}),
        ({"video_enabled": False}, {"video_enabled": False}),
        ({"video_enabled": "FALSE", "icon_enabled": 0}, {"video_enabled": False, "icon_enabled": False}),
        ({"call_routing": {"ring_target": "meta"}}, {}),
        ({"call_hours": HOURS}, {"call_hours": HOURS}),
        (
            {"call_hours": {"timezone_id": "UTC", "weekly_operating_hours": []}},
            {"call_hours": {"timezone_id": "UTC", "weekly_operating_hours": []}},
        ),
        ({"audio_enabled": True, "colour": "blue", "host": "example"}, {}),
    ],
)
async def test_any_subset(world: World, members: dict[str, object], after: dict[str, object]) -> None:
    await change(world, **members)
    assert await current(world) == DEFAULTS | after


async def test_hours_replace_all_earlier_hours_and_null_removes_them(world: World) -> None:
    await change(world, call_hours=HOURS)
    sunday = {**HOURS, "weekly_operating_hours": [{**MONDAY, "day_of_week": "sunday", "open_time": "0000", "close_time": 2359}]}
    await change(world, call_hours=sunday)
    days = (await current(world))["call_hours"]["weekly_operating_hours"]
    assert days == [{"day_of_week": "SUNDAY", "open_time": "0000", "close_time": "2359"}]
    await change(world, icon_enabled=True)
    assert "call_hours" in await current(world)
    await change(world, call_hours=None)
    assert "call_hours" not in await current(world)


FORMS = [
    {"audio_enabled": "false", "call_hours": json.dumps(HOURS), "call_routing": '{"ring_target":"META"}'},
    {
        "audio_enabled": "0",
        "call_hours[timezone_id]": "Europe/Berlin",
        "call_hours[weekly_operating_hours][0][day_of_week]": "MONDAY",
        "call_hours[weekly_operating_hours][0][open_time]": "0900",
        "call_hours[weekly_operating_hours][0][close_time]": "1700",
        "call_routing[ring_target]": "META",
    },
]


async def send_form(world: World, form: dict[str, str]) -> Reply:
    headers = {"authorization": f"Bearer {PAGE_TOKEN}", "content-type": "application/x-www-form-urlencoded"}
    return await world.ask("POST", PATH, headers, urlencode(form).encode())


@pytest.mark.parametrize("form", FORMS)
async def test_forms(world: World, form: dict[str, str]) -> None:
    """Nested values are JSON text, as the SDK sends them, or bracketed keys."""
    assert (await send_form(world, form)).json == STORED
    assert await current(world) == {**DEFAULTS, "audio_enabled": False, "call_hours": HOURS}


async def test_a_form_takes_the_hours_away_with_the_text_null(world: World) -> None:
    """An empty text says nothing, as everywhere."""
    await change(world, call_hours=HOURS)
    assert facts(await send_form(world, {"call_hours": ""})) == (400, 100, 9903008)
    assert "call_hours" in await current(world)
    assert (await send_form(world, {"call_hours": "null"})).json == STORED
    assert "call_hours" not in await current(world)


async def test_json_text_inside_json_and_the_query(world: World) -> None:
    await change(world, call_hours=json.dumps(HOURS))
    assert (await current(world))["call_hours"] == HOURS
    reply = await world.ask("POST", f"{PATH}?icon_enabled=false", {"authorization": f"Bearer {PAGE_TOKEN}"})
    assert reply.json == STORED
    assert (await current(world))["icon_enabled"] is False


async def test_a_ring_target_that_stands_alone(world: World) -> None:
    """One client sets it without `call_routing` around it."""
    await change(world, audio_enabled=True, video_enabled=True, icon_enabled=True)
    await subscribe(world)
    await change(world, ring_target="PARTNERS")
    assert (await stored(world)) == CallSettings(ring_target=RingTarget.PARTNERS)


# --- refusals -----------------------------------------------------------------------------------------------------------


def hours(**members: object) -> dict[str, object]:
    return {"call_hours": {**HOURS, **members}}


def days(*changes: dict[str, object]) -> dict[str, object]:
    return hours(weekly_operating_hours=[{**MONDAY, **each} for each in changes])


REFUSALS: list[tuple[dict[str, object], int, str]] = [
    ({}, 9903008, "messenger_call_settings"),
    ({"colour": "blue", "audio_enabled": None}, 9903008, "messenger_call_settings"),
    ({"call_routing": {"ring_target": "BOTH"}}, 9903006, "call_routing[ring_target]"),
    ({"call_routing": {"ring_target": "PARTNERS"}}, 9903007, "call_routing[ring_target]"),
    (hours(timezone_id="Europe/Nowhere"), 9903001, "call_hours[timezone_id]"),
    (hours(timezone_id="+01:00"), 9903001, "call_hours[timezone_id]"),
    (hours(timezone_id="europe/berlin"), 9903001, "call_hours[timezone_id]"),
    (hours(weekly_operating_hours=MONDAY), 9905011, "call_hours[weekly_operating_hours]"),
    (hours(weekly_operating_hours="MONDAY"), 9905011, "call_hours[weekly_operating_hours]"),
    (hours(weekly_operating_hours=["MONDAY"]), 9905011, "call_hours[weekly_operating_hours][0]"),
    (days({"day_of_week": "MONTAG"}), 9903005, "call_hours[weekly_operating_hours][0][day_of_week]"),
    (days({"open_time": "9:00"}), 9903002, "call_hours[weekly_operating_hours][0][open_time]"),
    (days({"open_time": 900}), 9903002, "call_hours[weekly_operating_hours][0][open_time]"),
    (days({"close_time": "2400"}), 9903002, "call_hours[weekly_operating_hours][0][close_time]"),
    (days({"close_time": "0900"}), 9903003, "call_hours[weekly_operating_hours][0][close_time]"),
    (days({"close_time": "0859"}), 9903003, "call_hours[weekly_operating_hours][0][close_time]"),
    (days({}, {}), 9903004, "call_hours[weekly_operating_hours][1][day_of_week]"),
    ({"audio_enabled": "perhaps"}, 9905011, "audio_enabled"),
    ({"video_enabled": {}}, 9905011, "video_enabled"),
    ({"call_routing": "PARTNERS"}, 9905011, "call_routing"),
    ({"call_routing": {}}, 9905010, "call_routing[ring_target]"),
    ({"call_hours": []}, 9905011, "call_hours"),
    ({"call_hours": {"weekly_operating_hours": []}}, 9905010, "call_hours[timezone_id]"),
    ({"call_hours": {"timezone_id": "UTC"}}, 9905010, "call_hours[weekly_operating_hours]"),
    (days({"day_of_week": None}), 9905010, "call_hours[weekly_operating_hours][0][day_of_week]"),
]


@pytest.mark.parametrize(("members", "subcode", "named"), REFUSALS)
async def test_what_is_refused_changes_nothing(world: World, members: dict[str, object], subcode: int, named: str) -> None:
    """Together with a setting that would be taken: all or nothing. The text names the parameter."""
    await subscribe(world, OTHER_APP.id)
    other = {} if subcode == 9903008 else {"icon_enabled": False}
    reply = await world.post(PATH, {**other, **members})
    assert facts(reply) == (400, 100, subcode)
    assert f" {named} " in error_of(reply)["message"]
    assert await stored(world) is None
    await world.calls.settled()
    assert await world.store.read(ready_rows) == []


async def test_partners_needs_the_calling_app_on_the_page(world: World) -> None:
    """Subscribed to `calls`, and that app itself; what other fields it has does not matter."""
    for app, fields in ((OTHER_APP.id, ("calls",)), (APP.id, ("messages", "call_settings_update"))):
        await subscribe(world, app, *fields)
        assert facts(await world.post(PATH, {"call_routing": {"ring_target": "PARTNERS"}})) == (400, 100, 9903007)
    await subscribe(world, APP.id, "messages", "calls")
    await change(world, call_routing={"ring_target": "PARTNERS"})


async def test_a_page_that_is_not_eligible(world: World) -> None:
    """It may be read. Its parameters are looked at first (1.4)."""
    path = f"/v26.0/{OTHER_PAGE.id}/messenger_call_settings"
    assert (await world.get(path, OTHER_PAGE_TOKEN)).json["audio_enabled"] is True
    assert facts(await world.post(path, {"audio_enabled": True}, OTHER_PAGE_TOKEN)) == (403, 2018389, None)
    assert facts(await world.post(path, {}, OTHER_PAGE_TOKEN)) == (400, 100, 9903008)


async def test_rights(world: World) -> None:
    """Either permission will do (1.2); another Page's token does not."""
    for reply in (await world.get(PATH, BARE_TOKEN), await world.post(PATH, {"audio_enabled": True}, BARE_TOKEN)):
        assert facts(reply) == (403, 200, 9905003)
        assert "pages_messaging" in error_of(reply)["message"]
    assert facts(await world.get(PATH, OTHER_PAGE_TOKEN)) == (403, 200, 9905004)
    assert facts(await world.post(PATH, {"audio_enabled": True}, OTHER_PAGE_TOKEN)) == (403, 200, 9905004)
    assert facts(await world.delete(PATH)) == (400, 100, 33)


@pytest.mark.parametrize("scope", ["pages_messaging", "pages_manage_metadata"])
async def test_one_permission_is_enough(world: World, scope: str) -> None:
    await world.allow(BARE_TOKEN, scope)
    assert (await world.get(PATH, BARE_TOKEN)).status == 200
    assert (await world.post(PATH, {"audio_enabled": True}, BARE_TOKEN)).json == STORED


# --- what follows -------------------------------------------------------------------------------------------------------


async def test_the_webhook_is_written_with_the_change_and_leaves_after_the_response(world: World) -> None:
    """One row for each app that has the field; ruling 18."""
    await subscribe(world, APP.id, "calls", "call_settings_update")
    await subscribe(world, OTHER_APP.id, "calls")
    _, release = await world.services.settings.change(PAGE.id, SettingsChange(icon_enabled=False), APP.id)
    row = await world.store.read(lambda tx: tx.outbox_row(1))
    assert row is not None
    assert (row.app_id, row.object, row.call_id, row.kind, row.hold) == (
        APP.id,
        "page",
        None,
        WebhookKind.CALL_SETTINGS_UPDATE,
        Hold.HELD,
    )
    release()
    await world.calls.settled()
    (ready,) = await world.store.read(ready_rows)
    assert (ready.id, ready.body) == (1, row.body)
    await change(world, icon_enabled=False)
    await world.calls.settled()
    assert [each.id for each in await world.store.read(ready_rows)] == [1, 2]


async def test_every_accepted_write_is_told_even_if_it_changes_nothing(world: World) -> None:
    """Whoever waits for the confirmation gets it (decision 60)."""
    await subscribe(world, APP.id, "call_settings_update")
    for _ in range(2):
        await change(world, audio_enabled=True)
    await world.calls.settled()
    rows = await world.store.read(ready_rows)
    assert [json.loads(row.body)["entry"][0]["call_settings"]["audio_enabled"] for row in rows] == [True, True]
    assert len({row.event_id for row in rows}) == 2


async def test_concurrent_writes_are_never_mixed(world: World) -> None:
    """Each writes all settings; what stands in the end is one of them, whole, and it is the one that was told last."""
    await subscribe(world, APP.id, "call_settings_update")
    zones = ["UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York"]

    def whole(index: int) -> dict[str, object]:
        flags = {name: bool(index & bit) for bit, name in ((1, "audio_enabled"), (2, "icon_enabled"), (4, "video_enabled"))}
        week = [{**MONDAY, "open_time": f"{index:02}00"}]
        return {**flags, "call_hours": {"timezone_id": zones[index % 4], "weekly_operating_hours": week}}

    await asyncio.gather(*(change(world, **whole(index)) for index in range(8)))
    found = await current(world)
    del found["call_routing"]
    assert found in [whole(index) for index in range(8)]
    await world.calls.settled()
    last = (await world.store.read(ready_rows))[-1]
    told = json.loads(last.body)["entry"][0]["call_settings"]
    assert {name: told[name] for name in found} == found


async def test_concurrent_writes_of_different_settings_are_all_kept(world: World) -> None:
    await asyncio.gather(
        change(world, audio_enabled=False),
        change(world, icon_enabled=False),
        change(world, call_hours=HOURS),
        change(world, video_enabled=False),
    )
    flags = dict.fromkeys(("audio_enabled", "icon_enabled", "video_enabled"), False)
    assert await current(world) == {**DEFAULTS, **flags, "call_hours": HOURS}


async def test_permissions_are_not_read_while_calling_is_off(world: World) -> None:
    """messenger-calling 8.1 and 9.3."""
    path = f"/v26.0/{PAGE.id}/messenger_call_permissions"
    await change(world, audio_enabled=False)
    assert facts(await world.get(path, psid="2002")) == (403, 2018389, 1893056)
    assert facts(await world.get(path)) == (400, 100, 9905010)
    await change(world, audio_enabled=True)
    assert (await world.get(path, psid="2002")).status == 200
