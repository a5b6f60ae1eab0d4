"""A Page's call settings as values (messenger-calling 9): their shape, their defaults, a change of them and what makes it invalid.

Who may change them, where they are kept and which zones there are is unknown here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RingTarget(StrEnum):
    """Who is rung by a consumer's call: the built-in console or the subscribed apps."""

    META = "META"
    PARTNERS = "PARTNERS"


class Day(StrEnum):
    """Days as the contract writes them, in the order of ISO 8601."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


@dataclass(frozen=True, slots=True)
class OpenHours:
    """One day's hours, `HHMM` each, the opening included and the closing not."""

    day_of_week: Day
    open_time: str
    close_time: str


@dataclass(frozen=True, slots=True)
class CallHours:
    """When a Page takes calls: in the zone `timezone_id` (IANA), on the days named, each at most once; none is always closed."""

    timezone_id: str
    weekly: tuple[OpenHours, ...] = ()


@dataclass(frozen=True, slots=True)
class CallSettings:
    """Everything that `messenger_call_settings` holds. `ring_target` `None`: derived (ruling 13). `call_hours` `None`: always
    open."""

    audio_enabled: bool = True
    icon_enabled: bool = True
    video_enabled: bool = True
    ring_target: RingTarget | None = None
    call_hours: CallHours | None = None


def default_settings(*, is_calling_on: bool) -> CallSettings:
    """What holds for a Page that never set anything. A live Page was seen with calling off until audio and video were set (9.1)."""
    return CallSettings(audio_enabled=is_calling_on, video_enabled=is_calling_on)
