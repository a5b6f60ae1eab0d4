"""A Page's call settings as values, and how they are read from a body and written into one (messenger-calling 7.7, 9.1, 9.2).

Values alone: what is asked with them stands in `requests.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeVar

from pagecalls.client.members import Json, JsonObject, Members, WrongShape
from pagecalls.types import CallHours, Day, OpenHours, RingTarget

Word = TypeVar("Word", bound=StrEnum)


class AlwaysOpen(Enum):
    """In place of hours, in a change: there are none any more."""

    ALWAYS_OPEN = "always_open"


ALWAYS_OPEN = AlwaysOpen.ALWAYS_OPEN


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What holds for a Page. `None`: the server did not say, as when `fields` left it out; of `call_hours` also: always open.

    The server's value of the same name is another: it knows every flag, and `None` means something else there.
    """

    audio_enabled: bool | None
    icon_enabled: bool | None
    video_enabled: bool | None
    ring_target: RingTarget | None
    call_hours: CallHours | None


def call_settings(body: Members) -> CallSettings:
    """The answer of `messenger_call_settings`: the entry of `data`, or its members bare. Raises `WrongShape`."""
    entries = body.objects("data")
    entry = entries[0] if entries else body
    routing = entry.object("call_routing")
    return _settings(entry, None if routing is None else _word(routing, "ring_target", RingTarget))


def told_settings(item: Members) -> CallSettings:
    """`call_settings` of the webhook, where the ring target stands bare. Raises `WrongShape`."""
    return _settings(item, _word(item, "call_routing", RingTarget) if "call_routing" in item else None)


def hours_object(hours: CallHours) -> JsonObject:
    """`call_hours`, as it is written."""
    week: list[Json] = [
        {"day_of_week": each.day_of_week.value, "open_time": each.open_time, "close_time": each.close_time}
        for each in hours.weekly
    ]
    return {"timezone_id": hours.timezone_id, "weekly_operating_hours": week}


def _settings(members: Members, ring_target: RingTarget | None) -> CallSettings:
    hours = members.object("call_hours")
    return CallSettings(
        audio_enabled=members.flag("audio_enabled"),
        icon_enabled=members.flag("icon_enabled"),
        video_enabled=members.flag("video_enabled"),
        ring_target=ring_target,
        call_hours=None if hours is None else _hours(hours),
    )


def _hours(members: Members) -> CallHours:
    week = tuple(
        OpenHours(_word(each, "day_of_week", Day), each.required_text("open_time"), each.required_text("close_time"))
        for each in members.objects("weekly_operating_hours")
    )
    return CallHours(members.required_text("timezone_id"), week)


def _word(members: Members, name: str, words: type[Word]) -> Word:
    text = members.required_text(name)
    try:
        return words(text.upper())
    except ValueError:
        raise WrongShape(f"{name} is {text[:40]!r}") from None
