"""`GET` and `POST pages/{id}/call_settings`: what is read can be written, by the rules of the Page's own edge."""

from __future__ import annotations

import pytest

from pagecalls.call.settings import CallSettings
from pagecalls.errors import CallingNotAllowed
from pagecalls.types import CallHours, Day, OpenHours, RingTarget
from tests.unit.control.support import PAGE, Desk, refused

PATH = f"/_pagecalls/pages/{PAGE.id}/call_settings"
SHOWN = {
    "audio_enabled": True,
    "icon_enabled": True,
    "video_enabled": True,
    "ring_target": "META",
    "call_hours": None,
}
MONDAY = {"day_of_week": "MONDAY", "open_time": "0900", "close_time": "1700"}
HOURS = {"timezone_id": "Asia/Tokyo", "weekly": [MONDAY]}


async def test_reading() -> None:
    reply = await Desk().ask("GET", PATH)
    assert (reply.status, reply.json) == (200, SHOWN)


async def test_changing() -> None:
    """The answer has all that holds then, and lets the webhooks go."""
    desk = Desk()
    reply = await desk.ask("POST", PATH, {"video_enabled": False, "ring_target": "PARTNERS", "call_hours": HOURS})
    assert reply.json == {**SHOWN, "video_enabled": False, "ring_target": "PARTNERS", "call_hours": HOURS}
    week = (OpenHours(Day.MONDAY, "0900", "1700"),)
    assert desk.settings == CallSettings(True, True, False, RingTarget.PARTNERS, CallHours("Asia/Tokyo", week))
    assert desk.released == [PAGE.id]
    assert (await desk.ask("POST", PATH, reply.json)).json == reply.json
    assert (await desk.ask("POST", PATH, {"call_hours": None})).json["call_hours"] is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "no setting is given"),
        ({"audio_enabled": None}, "no setting is given"),
        ({"audio_enabled": "yes"}, "$.audio_enabled"),
        ({"colour": "blue"}, "colour"),
        ({"ring_target": "BOTH"}, "$.ring_target"),
        ({"call_hours": {**HOURS, "timezone_id": "Nowhere"}}, "call_hours.timezone_id"),
        ({"call_hours": {**HOURS, "weekly": [MONDAY, MONDAY]}}, "call_hours.weekly[1][day_of_week]"),
        ({"call_hours": {**HOURS, "weekly": [{**MONDAY, "open_time": "9:00"}]}}, "call_hours.weekly[0][open_time]"),
        ({"call_hours": {**HOURS, "weekly": [{**MONDAY, "day_of_week": "MONTAG"}]}}, "$.call_hours.weekly[0].day_of_week"),
        ({"call_hours": {"timezone_id": "UTC", "weekly": "always"}}, "$.call_hours.weekly"),
        ({"call_hours": {"timezone_id": "UTC"}}, "weekly"),
    ],
)
async def test_what_is_refused(body: dict[str, object], said: str) -> None:
    desk = Desk()
    reply = await desk.ask("POST", PATH, body)
    assert refused(reply) == (400, "bad_request")
    assert said in reply.json["error"]["message"]
    assert "(#" not in reply.json["error"]["message"]
    assert (desk.settings, desk.released) == (Desk().settings, [])


async def test_a_page_that_is_not_eligible() -> None:
    desk = Desk()
    desk.settings_fault = CallingNotAllowed()
    reply = await desk.ask("POST", PATH, {"audio_enabled": False})
    assert refused(reply) == (400, "bad_request")
    assert reply.json["error"]["message"] == "Calling is not open to this Page."


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_such_page(method: str) -> None:
    body = {"audio_enabled": False} if method == "POST" else None
    assert refused(await Desk().ask(method, "/_pagecalls/pages/404/call_settings", body)) == (404, "not_found")


async def test_without_the_admin_token() -> None:
    assert refused(await Desk().ask("GET", PATH, authorization=""))[0] == 401
