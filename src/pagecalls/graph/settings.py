"""`GET` and `POST /{page_id}/messenger_call_settings` (messenger-calling 9.1 and 9.2)."""

from __future__ import annotations

from pagecalls.call.hours import AskedDay, checked_week
from pagecalls.call.settings import FLAGS, Hours, SettingsChange
from pagecalls.errors import MissingParameter, SettingFault, UnusableSetting
from pagecalls.graph.params import Params
from pagecalls.graph.schemas import SETTINGS_STORED, settings_body
from pagecalls.graph.selection import Shape
from pagecalls.graph.visit import Answer, PageVisit
from pagecalls.switchboard.zones import is_zone
from pagecalls.types import CallHours, RingTarget

_DAY = Shape("OperatingHours", dict.fromkeys(("day_of_week", "open_time", "close_time")))
MESSENGER_CALL_SETTINGS = Shape(
    "MessengerCallSettings",
    {
        **dict.fromkeys(FLAGS),
        "call_routing": Shape("CallRouting", {"ring_target": None}),
        "call_hours": Shape("CallHours", {"timezone_id": None, "weekly_operating_hours": _DAY}),
    },
)


async def read_settings(visit: PageVisit) -> Answer:
    """What holds for the Page now, derived or set."""
    return Answer(settings_body(await visit.services.settings.read(visit.page.id)))


async def change_settings(visit: PageVisit) -> Answer:
    """Store any subset of the settings, all or nothing. The apps are told after the answer."""
    change = settings_change(visit.params)
    _, release = await visit.services.settings.change(visit.page.id, change, visit.caller.app_id)
    return Answer(SETTINGS_STORED, release)


def settings_change(params: Params) -> SettingsChange:
    """What a request asks for. Raises `MissingParameter`, `InvalidValue`, `UnusableSetting`."""
    audio, icon, video = (params.flag(name) for name in FLAGS)
    change = SettingsChange(audio, icon, video, _ring_target(params), _call_hours(params))
    if change.is_empty:
        raise UnusableSetting("messenger_call_settings", SettingFault.NOTHING_GIVEN)
    return change


def _ring_target(params: Params) -> RingTarget | None:
    """`call_routing`, or its one member alone: one client writes that at the top."""
    routing = params.object("call_routing")
    text = params.text("ring_target") if routing is None else routing.required_text("ring_target")
    if text is None:
        return None
    try:
        return RingTarget(text.upper())
    except ValueError:
        raise UnusableSetting("call_routing[ring_target]", SettingFault.RING_TARGET) from None


def _call_hours(params: Params) -> CallHours | Hours:
    """`null` takes the hours away; in a form it is the JSON text of it. An empty text says nothing, as everywhere."""
    if "call_hours" not in params.values or params.values["call_hours"] == "":
        return Hours.KEPT
    hours = params.object("call_hours")
    if hours is None:
        return Hours.REMOVED
    zone = hours.required_text("timezone_id")
    if not is_zone(zone):
        raise UnusableSetting(hours.name("timezone_id"), SettingFault.ZONE)
    entries = hours.objects("weekly_operating_hours")
    if entries is None:
        raise MissingParameter(hours.name("weekly_operating_hours"))
    return CallHours(zone, checked_week(_asked(entry) for entry in entries))


def _asked(entry: Params) -> AskedDay:
    day, opens, closes = (entry.required_text(name) for name in ("day_of_week", "open_time", "close_time"))
    return AskedDay(entry.path, day, opens, closes)
