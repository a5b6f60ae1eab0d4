"""A Page's call settings, as the operator reads and changes them: the same service as behind the Page's own edge."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct, UnsetType

from pagecalls.call.hours import AskedDay, checked_week
from pagecalls.call.settings import CallSettings, Hours, SettingsChange
from pagecalls.control.base import ControlParts, ControlRequest, Refusal, Refused, decode
from pagecalls.errors import CallingNotAllowed, SettingFault, UnknownObject, UnusableSetting
from pagecalls.http import Response, nothing
from pagecalls.switchboard.base import Release
from pagecalls.switchboard.registers import NoSuch
from pagecalls.switchboard.zones import is_zone
from pagecalls.types import CallHours, PageId, RingTarget


class SettingsRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST pages/{id}/call_settings`: any subset of what `GET` shows. `call_hours` `null` takes the hours away."""

    audio_enabled: bool | None = None
    icon_enabled: bool | None = None
    video_enabled: bool | None = None
    ring_target: RingTarget | None = None
    call_hours: CallHours | UnsetType | None = UNSET


async def read_call_settings(parts: ControlParts, request: ControlRequest) -> Response:
    """What holds for the Page now."""
    page_id = PageId(request.named["id"])
    try:
        return _shown(await parts.settings.read(page_id))
    except UnknownObject:
        raise NoSuch("Page", page_id) from None


async def change_call_settings(parts: ControlParts, request: ControlRequest) -> Response:
    """Store the change, all or nothing; what holds then. The apps are told after the answer."""
    page_id = PageId(request.named["id"])
    try:
        change = _change(decode(request.body, SettingsRequest))
        settings, release = await parts.settings.change(page_id, change, None)
    except UnknownObject:
        raise NoSuch("Page", page_id) from None
    except (UnusableSetting, CallingNotAllowed) as error:
        raise Refused(Refusal.BAD_REQUEST, str(error).partition(") ")[2]) from None
    return _shown(settings, release)


def _change(asked: SettingsRequest) -> SettingsChange:
    flags = (asked.audio_enabled, asked.icon_enabled, asked.video_enabled)
    change = SettingsChange(*flags, asked.ring_target, _hours(asked.call_hours))
    if change.is_empty:
        raise UnusableSetting("call_settings", SettingFault.NOTHING_GIVEN)
    return change


def _hours(asked: CallHours | UnsetType | None) -> CallHours | Hours:
    if isinstance(asked, UnsetType):
        return Hours.KEPT
    if asked is None:
        return Hours.REMOVED
    if not is_zone(asked.timezone_id):
        raise UnusableSetting("call_hours.timezone_id", SettingFault.ZONE)
    week = (
        AskedDay(f"call_hours.weekly[{index}]", each.day_of_week, each.open_time, each.close_time)
        for index, each in enumerate(asked.weekly)
    )
    return CallHours(asked.timezone_id, checked_week(week))


def _shown(settings: CallSettings, release: Release = nothing) -> Response:
    return Response(200, msgspec.json.encode(settings), release=release)
