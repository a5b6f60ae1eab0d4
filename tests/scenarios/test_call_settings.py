"""What a Page's call settings do to real calls (messenger-calling 9.3), and how a change of them is told (7.7)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pagecalls.cli import main
from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp, GraphRefused, Received
from pagecalls.demo.device import ConsumerDevice, DeviceRefused
from pagecalls.media.fake import FakeEngine
from pagecalls.settings import CallingDefault
from pagecalls.store.base import CallButton, Page
from pagecalls.types import PageId, Psid
from tests.unit.sdp.peer import Peer

from .conftest import AIORTC, CHROMIUM, World, a_world, offered
from .talk import Talk, sections, text, track

DAY_S = 86_400
ALL_DAY = {"open_time": "0000", "close_time": "2359"}


class StandingClock(SystemClock):
    """A clock that stands at a moment until it is moved."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self._stands_at = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()

    def now(self) -> float:
        return self._stands_at

    def advance(self, seconds: float) -> None:
        self._stands_at += seconds


async def settings(world: World, **members: object) -> None:
    answer = await world.app.post(f"/v26.0/{world.page_id}/messenger_call_settings", members)
    assert answer == {"success": True, "result": "success"}


async def read(world: World) -> dict[str, Any]:
    return await world.app.get(f"/v26.0/{world.page_id}/messenger_call_settings")


def hours(zone: str, **days: tuple[str, str]) -> dict[str, object]:
    week = [{"day_of_week": day, "open_time": opens, "close_time": closes} for day, (opens, closes) in days.items()]
    return {"timezone_id": zone, "weekly_operating_hours": week}


CLOSED = hours("UTC")


def calls_told(world: World) -> list[Received]:
    """The webhooks of calls."""
    return [each for each in world.app.received if each.event != "call_settings_update"]


async def not_offered(world: World, device: ConsumerDevice) -> str:
    """Why a call is not taken: a JSON-RPC error with the reason beside the Graph members, no call, no webhook."""
    before = len(calls_told(world))
    with pytest.raises(DeviceRefused) as refused:
        await world.start_call(device)
    data = refused.value.data
    assert (data["code"], data["type"]) == (2018389, "OAuthException")
    await world.settle()
    assert len(calls_told(world)) == before
    return str(data["reason"])


async def refused(world: World, action: str, **members: Any) -> tuple[int, int, int | None]:
    with pytest.raises(GraphRefused) as caught:
        await world.app.call(action, **members)
    return caught.value.status, caught.value.error["code"], caught.value.error.get("error_subcode")


async def permission_refused(world: World) -> tuple[int, int, int | None]:
    with pytest.raises(GraphRefused) as caught:
        await world.app.get(f"/v26.0/{world.page_id}/messenger_call_permissions?psid={world.psid}")
    return caught.value.status, caught.value.error["code"], caught.value.error.get("error_subcode")


async def taken(world: World, device: ConsumerDevice) -> None:
    """A call is taken, and over again."""
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    await device.request("call.hangup", call_id=call_id)
    await world.app.expect("terminate", call_id)


async def add_button(world: World, ttl_s: float) -> None:
    expires_at = world.server.clock.now() + ttl_s
    button = CallButton("m_1", PageId(world.page_id), Psid(world.psid), "Call us", expires_at)
    await world.server.calls.store.write(lambda tx: tx.add_call_button(button))


# --- the icon ---------------------------------------------------------------------------------------------------------


async def test_without_the_icon_only_a_live_button_starts_a_call(world: World) -> None:
    device = await world.device()
    await settings(world, icon_enabled=False)
    assert await not_offered(world, device) == "calling_disabled"
    await add_button(world, DAY_S)
    await taken(world, device)
    await world.advance(DAY_S)
    assert await not_offered(world, device) == "calling_disabled"
    await settings(world, icon_enabled=True)
    await taken(world, device)
    assert await world.is_clean()


async def test_the_icon_is_nothing_to_the_business(world: World) -> None:
    await settings(world, icon_enabled=False)
    await world.grant()
    connected = await world.app.call("connect", to=world.psid, session=offered(CHROMIUM))
    await world.app.call("terminate", call_id=connected["call_id"])


# --- hours ------------------------------------------------------------------------------------------------------------


async def test_outside_of_the_hours_nobody_gets_through(world: World) -> None:
    """Not by a button either; the business may call as ever."""
    device = await world.device()
    await settings(world, call_hours=CLOSED)
    assert await not_offered(world, device) == "outside_call_hours"
    await add_button(world, DAY_S)
    assert await not_offered(world, device) == "outside_call_hours"
    await world.grant()
    connected = await world.app.call("connect", to=world.psid, session=offered(CHROMIUM))
    await world.app.call("terminate", call_id=connected["call_id"])
    await settings(world, call_hours=None)
    await taken(world, device)


async def test_what_is_off_is_told_before_what_is_closed(world: World) -> None:
    device = await world.device()
    await settings(world, call_hours=CLOSED, icon_enabled=False)
    assert await not_offered(world, device) == "calling_disabled"


async def open_at(world: World, device: ConsumerDevice, minutes: Sequence[int]) -> list[bool]:
    """Whether a call is taken, now and after each of these minutes."""
    answers = []
    for step in (0, *minutes):
        await world.advance(step * 60)
        try:
            call_id = await world.start_call(device)
        except DeviceRefused as error:
            answers.append(error.data["reason"] != "outside_call_hours")
        else:
            await device.request("call.hangup", call_id=call_id)
            answers.append(True)
    return answers


@pytest.mark.parametrize(
    ("now", "opening", "minutes", "expected"),
    [
        # 1:59 in New York; a minute later it is 3:00. What lay between never came.
        ("2026-03-08T06:59", hours("America/New_York", SUNDAY=("0200", "0300")), [1, 1], [False, False, False]),
        ("2026-03-08T06:59", hours("America/New_York", SUNDAY=("0200", "0301")), [1, 1], [False, True, False]),
        # 1:59 comes twice, with all that lies before it.
        ("2026-11-01T05:59", hours("America/New_York", SUNDAY=("0130", "0200")), [1, 29, 1], [True, False, False, True]),
        # 1:59 in Lord Howe, then 1:30; in spring 1:59, then 2:30.
        ("2026-04-04T14:59", hours("Australia/Lord_Howe", SUNDAY=("0130", "0200")), [1, 29, 1], [True, True, True, False]),
        ("2026-10-03T15:29", hours("Australia/Lord_Howe", SUNDAY=("0200", "0230")), [1], [False, False]),
        # No summer time: 23:59 on Saturday, then Sunday. The end of a day is not a minute early.
        ("2026-03-28T14:59", hours("Asia/Tokyo", SATURDAY=("0000", "2359")), [1], [True, False]),
        ("2026-03-28T14:59", hours("Asia/Tokyo", SUNDAY=("0000", "0001")), [1, 1], [False, True, False]),
        # Thursday 23:59 in Apia, then Saturday.
        ("2011-12-30T09:59", hours("Pacific/Apia", FRIDAY=("0000", "2359")), [1], [False, False]),
        ("2011-12-30T09:59", hours("Pacific/Apia", SATURDAY=("0000", "2359")), [1], [False, True]),
    ],
)  # fmt: skip
async def test_hours_follow_the_clock_on_the_wall(
    tmp_path: Path, app: BusinessApp, now: str, opening: dict[str, object], minutes: list[int], expected: list[bool]
) -> None:
    """On the days on which it jumps."""
    clock = StandingClock(now)
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        device = await world.device()
        await settings(world, call_hours=opening)
        assert await open_at(world, device, minutes) == expected


async def test_a_call_outlives_the_closing_time(tmp_path: Path, app: BusinessApp) -> None:
    """Hours are judged at the tap: a ringing call may still be accepted, and what was said may go on."""
    clock = StandingClock("2026-06-01T16:59:50")
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        await settings(world, call_hours=hours("UTC", MONDAY=("0900", "1700")))
        device = await world.device()
        call_id = await world.start_call(device)
        await world.advance(20)
        await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
        await world.up(call_id)
        await world.advance(3600)
        await device.request("call.dtmf", call_id=call_id, digits="1")
        await device.request("call.hangup", call_id=call_id)
        assert (await world.app.expect("terminate", call_id)).item["status"] == "Completed"
        assert await not_offered(world, device) == "outside_call_hours"


# --- routing ----------------------------------------------------------------------------------------------------------


async def test_a_page_that_rings_elsewhere_tells_no_app(world: World) -> None:
    """`META`: the call rings out, no app hears of it, none may touch it."""
    await settings(world, call_routing={"ring_target": "META"})
    await world.app.expect("call_settings_update")
    device = await world.device()
    call_id = await world.start_call(device)
    offer = offered(AIORTC)
    assert await refused(world, "accept", call_id=call_id, session=offer) == (403, 2018394, 9901203)
    assert await refused(world, "reject", call_id=call_id) == (403, 2018394, 9901203)
    assert await refused(world, "terminate", call_id=call_id) == (403, 2018394, 9901203)
    await world.advance(60)
    assert (await device.expect("call.ended", call_id=call_id)).params["reason"] == "not_answered"
    await world.settle()
    assert world.app.events(call_id) == []
    assert "call.ringing" not in [each.method for each in device.received]
    assert await world.is_clean()


async def test_routing_is_nothing_to_the_business(world: World) -> None:
    """`META`: none, always possible."""
    await settings(world, call_routing={"ring_target": "META"})
    await world.grant()
    device = await world.device()
    connected = await world.app.call("connect", to=world.psid, session=offered(CHROMIUM))
    await world.app.expect("call_status", connected["call_id"], call_status="ringing")
    await world.app.call("terminate", call_id=connected["call_id"])
    await device.expect("call.ended")


async def test_partners_are_the_subscribed_apps(world: World) -> None:
    second = await world.second_app()
    await settings(world, call_routing={"ring_target": "PARTNERS"})
    await second.post(f"/v26.0/{world.page_id}/subscribed_apps", {"subscribed_fields": ["messages"]})
    device = await world.device()
    await taken(world, device)
    assert second.received == []


async def test_a_target_that_nobody_set_follows_the_subscriptions(world: World) -> None:
    """Ruling 13; deriving it sends nothing."""
    device = await world.device()
    await taken(world, device)
    await unsubscribe(world)
    assert (await read(world))["call_routing"] == {"ring_target": "META"}
    call_id = await world.start_call(device)
    await device.request("call.hangup", call_id=call_id)
    await world.settle()
    assert world.app.events(call_id) == []
    await world.app.post(f"/v26.0/{world.page_id}/subscribed_apps", {"subscribed_fields": ["calls", "call_settings_update"]})
    await taken(world, device)
    assert "call_settings_update" not in [each.event for each in world.app.received]


async def unsubscribe(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.app.token}"}
    async with world.http.delete(f"{world.base_url}/v26.0/{world.page_id}/subscribed_apps", headers=headers) as response:
        assert response.status == 200


# --- sound ------------------------------------------------------------------------------------------------------------


async def test_without_sound_nobody_calls_anybody(world: World) -> None:
    """E_CALLING_OFF comes before the person is looked up (1.4), and before the permission."""
    await world.grant()
    device = await world.device()
    await settings(world, audio_enabled=False)
    assert await not_offered(world, device) == "calling_disabled"
    await add_button(world, DAY_S)
    assert await not_offered(world, device) == "calling_disabled"
    for to in (world.psid, "404"):
        assert await refused(world, "connect", to=to, session=offered(CHROMIUM)) == (403, 2018389, 1893056)
    assert await permission_refused(world) == (403, 2018389, 1893056)
    await settings(world, audio_enabled=True)
    await taken(world, device)
    assert await world.is_clean()


async def test_calls_go_on_when_calling_is_switched_off(world: World) -> None:
    """Row 36: one that rings is accepted, one that is up changes its media; both end as always."""
    talk = await Talk.begun(world)
    await settings(world, audio_enabled=False, icon_enabled=False, call_hours=CLOSED, call_routing={"ring_target": "META"})
    await talk.business_offers()
    await talk.device.request("call.hangup", call_id=talk.call_id)
    assert (await world.app.expect("terminate", talk.call_id)).item["status"] == "Completed"

    await settings(world, audio_enabled=True, icon_enabled=True, call_hours=None, call_routing={"ring_target": "PARTNERS"})
    ringing = await world.start_call(talk.device)
    await settings(world, audio_enabled=False, call_routing={"ring_target": "META"})
    await world.app.call("accept", call_id=ringing, session=offered(AIORTC))
    await world.app.call("terminate", call_id=ringing)
    assert await world.is_clean()


async def test_calls_go_on_when_the_app_is_unsubscribed_or_the_permission_ends(world: World) -> None:
    """Row 36, its other two causes."""
    await world.grant(600)
    device = await world.device()
    connected = await world.app.call("connect", to=world.psid, session=offered(CHROMIUM))
    call_id = connected["call_id"]
    await device.expect("call.incoming", call_id=call_id)
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.up(call_id)
    await unsubscribe(world)
    await world.advance(601)
    update = await world.app.call("media_update", call_id=call_id, session=offered(CHROMIUM))
    assert update["session"]["sdp_response"]
    await world.app.call("terminate", call_id=call_id)
    assert (await device.expect("call.ended", call_id=call_id)).params["reason"] == "completed"


async def test_a_device_picks_up_although_calling_was_switched_off(world: World) -> None:
    """It taps while the Page's own call rings on it: that is no new call (3.3)."""
    await world.grant()
    device = await world.device()
    connected = await world.app.call("connect", to=world.psid, session=offered(CHROMIUM))
    await device.expect("call.incoming", call_id=connected["call_id"])
    await settings(world, audio_enabled=False)
    assert await world.start_call(device) == connected["call_id"]
    await world.app.expect("call_status", connected["call_id"], call_status="accepted")


# --- pictures ---------------------------------------------------------------------------------------------------------


def with_video() -> Peer:
    peer = Peer()
    peer.add("audio")
    peer.add("video")
    return peer


REFUSED_VIDEO = [("0", "audio", "sendrecv"), ("1", "video", "off")]
VIDEO_OFF = (400, 2018391, 9901113)


async def test_without_pictures_every_first_answer_refuses_them(world: World) -> None:
    """Port 0 for the line, on both legs, whoever calls; sound is there."""
    await settings(world, video_enabled=False)
    device = await world.device()
    started = await device.request("call.start", page_id=world.page_id, session=text(with_video().offer()))
    assert sections(started["session"]["sdp_response"]["sdp"]) == REFUSED_VIDEO
    await world.app.expect("connect", started["call_id"])
    accepted = await world.app.call("accept", call_id=started["call_id"], session=text(with_video().offer()))
    assert sections(accepted["sdp"]) == REFUSED_VIDEO
    await world.app.call("terminate", call_id=started["call_id"])

    await world.grant()
    connected = await world.app.call("connect", to=world.psid, session=text(with_video().offer()))
    assert sections(connected["sdp"]) == REFUSED_VIDEO
    assert (await device.expect("call.incoming", call_id=connected["call_id"])).params["video"] is False
    picked_up = await device.request("call.accept", call_id=connected["call_id"], session=text(with_video().offer()))
    assert sections(picked_up["session"]["sdp_response"]["sdp"]) == REFUSED_VIDEO
    await world.app.call("terminate", call_id=connected["call_id"])


async def test_a_device_that_calls_back_is_answered_without_pictures(world: World) -> None:
    await world.grant()
    device = await world.device()
    connected = await world.app.call("connect", to=world.psid, session=text(with_video().offer()))
    await device.expect("call.incoming", call_id=connected["call_id"])
    await settings(world, video_enabled=False)
    started = await device.request("call.start", page_id=world.page_id, session=text(with_video().offer()))
    assert started["call_id"] == connected["call_id"]
    assert sections(started["session"]["sdp_response"]["sdp"]) == REFUSED_VIDEO


async def test_pictures_that_come_later_are_refused_to_either_side(world: World) -> None:
    """9901113; nothing is changed, the call goes on. With pictures on again they may come."""
    talk = await Talk.begun(world)
    await settings(world, video_enabled=False)
    talk.business.peer.add("video")
    with pytest.raises(GraphRefused) as caught:
        await talk.business_asks(session=text(talk.business.peer.offer()), **talk.business.next())
    error = caught.value.error
    assert (caught.value.status, error["code"], error["error_subcode"]) == VIDEO_OFF
    talk.consumer.peer.add("video")
    with pytest.raises(DeviceRefused) as answered:
        await talk.device_asks(session=text(talk.consumer.peer.offer()), **talk.consumer.next())
    assert (answered.value.data["code"], answered.value.data["error_subcode"]) == VIDEO_OFF[1:]
    await settings(world, video_enabled=True)
    await talk.business_offers()
    told = await talk.notice(talk.consumer.version + 1)
    assert ("video", "sendonly") in [each[1:] for each in sections(told["session"]["sdp_renegotiation"]["sdp"])]


async def test_a_call_that_has_pictures_keeps_them(world: World) -> None:
    """What runs is not cut: the camera's line is answered as before, and can be paused and go on."""
    talk = await Talk.begun(world)
    name = talk.business.peer.add("video")
    answer = await talk.business_offers()
    shown = [media for _, media, way in sections(answer["sdp"]) if way != "off"]
    await settings(world, video_enabled=False)
    again = await talk.business_offers()
    assert [media for _, media, way in sections(again["sdp"]) if way != "off"] == shown
    assert "video" in shown
    for status in ("disabled", "enabled"):
        assert (await talk.business_asks(tracks=[track(name, "default_video", status)]))["success"] is True
    talk.business.peer.add("video")
    with pytest.raises(GraphRefused):
        await talk.business_asks(session=text(talk.business.peer.offer()), **talk.business.next())


# --- business-initiated calling -----------------------------------------------------------------------------------------


async def test_a_page_that_may_not_call(world: World) -> None:
    """E_BIZ_CALL_OFF on connect and on the permission; consumers call as ever."""
    await world.grant()
    found = await world.server.calls.store.read(lambda tx: tx.page(PageId(world.page_id)))
    assert isinstance(found, Page)
    page = replace(found, may_call_consumers=False)
    await world.server.calls.store.write(lambda tx: tx.put_page(page))
    for to in (world.psid, "404"):
        assert await refused(world, "connect", to=to, session=offered(CHROMIUM)) == (403, 10, 9902002)
    assert await permission_refused(world) == (403, 10, 9902002)
    await taken(world, await world.device())
    await settings(world, audio_enabled=False)
    assert await refused(world, "connect", to=world.psid, session=offered(CHROMIUM)) == (403, 2018389, 1893056)


# --- telling ----------------------------------------------------------------------------------------------------------


async def test_the_webhook_has_all_settings(world: World) -> None:
    """7.7: signed, one event and one entry, the ring target bare, no hours while there are none."""
    await settings(world, icon_enabled=False)
    first = (await world.app.expect("call_settings_update")).body
    assert first == {
        "object": "page",
        "entry": [
            {
                "id": world.page_id,
                "time": first["entry"][0]["time"],
                "call_settings": {
                    "audio_enabled": True,
                    "icon_enabled": False,
                    "video_enabled": True,
                    "call_routing": "PARTNERS",
                },
            }
        ],
    }
    opening = hours("Europe/Berlin", MONDAY=("0900", "1700"), FRIDAY=("0000", "2359"))
    await settings(world, call_hours=opening)
    second = await world.app.expect("call_settings_update", where=lambda each: "call_hours" in each.item["call_settings"])
    assert second.item["call_settings"]["call_hours"] == opening
    assert abs(second.item["time"] - world.server.clock.now()) < 60


async def test_a_change_is_told_after_the_one_before_it(world: World) -> None:
    """First attempts keep the order of the changes: the next one waits for a 2xx, or 3 s (7.1), as events of a call do."""
    world.app.status = 500
    await settings(world, icon_enabled=False)
    await world.settle()
    world.app.status = 200
    await settings(world, video_enabled=False)
    await world.settle()
    assert world.app.received == []
    await world.advance(3)
    (first,) = world.app.received
    assert first.item["call_settings"]["video_enabled"] is False


async def test_only_apps_with_the_field_are_told(world: World) -> None:
    second = await world.second_app()
    await settings(world, audio_enabled=True)
    await world.app.expect("call_settings_update")
    await world.settle()
    assert second.received == []


async def test_the_operator_changes_settings_too(world: World) -> None:
    """By the same rules, told in the same way; what is read there can be written there."""
    path = f"/_pagecalls/pages/{world.page_id}/call_settings"
    found = await world.admin("GET", path)
    assert found == {
        "audio_enabled": True,
        "icon_enabled": True,
        "video_enabled": True,
        "ring_target": "PARTNERS",
        "call_hours": None,
    }
    opening = {"timezone_id": "UTC", "weekly": [{"day_of_week": "MONDAY", "open_time": "0900", "close_time": "1700"}]}
    after = await world.admin("POST", path, {"audio_enabled": False, "call_hours": opening})
    assert after == {**found, "audio_enabled": False, "call_hours": opening}
    told = (await world.app.expect("call_settings_update")).item["call_settings"]
    assert (told["audio_enabled"], told["call_hours"]) == (False, hours("UTC", MONDAY=("0900", "1700")))
    assert await world.admin("POST", path, found) == found
    assert (await read(world))["audio_enabled"] is True


async def command(world: World, *line: str) -> Result:
    """`pagecalls page settings` on the server's data directory."""
    env = {"PAGECALLS_DATA_DIR": str(world.folder), "PAGECALLS_URL": None, "PAGECALLS_ADMIN_TOKEN": None}
    return await asyncio.to_thread(CliRunner().invoke, main, ("page", "settings", *line), env=env)


async def test_the_operators_command(world: World) -> None:
    """It shows, changes what is named and shows what holds then; the apps are told."""
    shown = await command(
        world, world.page_id, "--no-video", "--zone", "Asia/Tokyo", "--open", "mon=0900-1700", "--open", "SUNDAY=0000-2359"
    )
    assert shown.exit_code == 0, shown.output
    lines = [line.split() for line in shown.output.splitlines()]
    assert lines == [
        ["Audio", "yes"], ["Video", "no"], ["Icon", "yes"], ["Rings", "PARTNERS"], ["Hours", "Asia/Tokyo"],
        ["Monday", "0900-1700"], ["Sunday", "0000-2359"],
    ]  # fmt: skip
    told = (await world.app.expect("call_settings_update")).item["call_settings"]
    assert told["call_hours"] == hours("Asia/Tokyo", MONDAY=("0900", "1700"), SUNDAY=("0000", "2359"))
    again = await command(world, world.page_id, "--always-open", "--ring", "meta", "--json")
    assert json.loads(again.output) == {
        "audio_enabled": True,
        "icon_enabled": True,
        "video_enabled": False,
        "ring_target": "META",
        "call_hours": None,
    }
    assert json.loads((await command(world, world.page_id, "--json")).output) == json.loads(again.output)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("--zone", "Mars"), "no zone of the IANA database"),
        (("--zone", "UTC", "--open", "MONDAY=0900-0800"), "later than open_time"),
        (("--zone", "UTC", "--open", "MONTAG=0900-1700"), "is not like MONDAY=0900-1700"),
        (("--zone", "UTC", "--open", "S=0900-1700"), "is not like MONDAY=0900-1700"),
        (("--open", "MONDAY=0900-1700"), "--zone"),
        (("--zone", "UTC", "--always-open"), "--always-open"),
    ],
)
async def test_what_the_operators_command_refuses(world: World, line: tuple[str, ...], said: str) -> None:
    result = await command(world, world.page_id, *line)
    assert result.exit_code != 0
    assert said in result.output
    assert "call_hours" not in await read(world)


async def test_settings_survive_a_restart(tmp_path: Path, app: BusinessApp) -> None:
    opening = hours("Australia/Lord_Howe", SUNDAY=("0200", "0230"))
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        await settings(world, video_enabled=False, call_routing={"ring_target": "META"}, call_hours=opening)
        before = await read(world)
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        assert await read(world) == before
        assert (before["video_enabled"], before["call_hours"]) == (False, opening)


# --- the default, and clients that are known ------------------------------------------------------------------------------


@pytest.fixture
async def off(tmp_path: Path, app: BusinessApp) -> AsyncIterator[World]:
    """A server whose Pages begin with calling off."""
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock), calling_default=CallingDefault.OFF) as world:
        yield world


async def test_calling_is_off_until_it_is_set(off: World) -> None:
    """As a live Page was seen (9.1), and as client T sets it: the three flags, then the target; it reads bare `call_routing`."""
    device = await off.device()
    found = await read(off)
    assert (found["audio_enabled"], found["icon_enabled"], found["video_enabled"]) == (False, True, False)
    assert await not_offered(off, device) == "calling_disabled"
    assert await permission_refused(off) == (403, 2018389, 1893056)
    await settings(off, icon_enabled=True)
    assert await not_offered(off, device) == "calling_disabled"
    await settings(off, audio_enabled=True, video_enabled=True, icon_enabled=True)
    await settings(off, ring_target="PARTNERS")
    assert (await read(off))["call_routing"] == {"ring_target": "PARTNERS"}
    await taken(off, device)
    started = await device.request("call.start", page_id=off.page_id, session=text(with_video().offer()))
    assert sections(started["session"]["sdp_response"]["sdp"])[1][2] != "off"


async def test_pictures_are_off_by_that_default_too(off: World) -> None:
    """While only sound was set: what was never set keeps the default."""
    device = await off.device()
    await settings(off, audio_enabled=True)
    started = await device.request("call.start", page_id=off.page_id, session=text(with_video().offer()))
    assert sections(started["session"]["sdp_response"]["sdp"]) == REFUSED_VIDEO


async def test_a_client_of_an_older_version_in_a_form(world: World) -> None:
    """Client W: the header, v21.0; the answer says `result` and nothing else is needed."""
    headers = {"Authorization": f"Bearer {world.app.token}"}
    form = {"call_routing": '{"ring_target":"PARTNERS"}', "audio_enabled": "true"}
    url = f"{world.base_url}/v21.0/me/messenger_call_settings"
    async with world.http.post(url, data=form, headers=headers) as response:
        assert (response.status, (await response.json())["result"]) == (200, "success")
