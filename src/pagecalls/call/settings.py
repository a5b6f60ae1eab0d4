"""A Page's call settings as values (messenger-calling 9): their shape, their defaults, and a change of them.

Who may change them, where they are kept and what makes hours valid (`hours.py`) is unknown here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from pagecalls.types import CallHours, RingTarget


@dataclass(frozen=True, slots=True)
class CallSettings:
    """Everything that `messenger_call_settings` holds. `ring_target` `None`: derived (ruling 13). `call_hours` `None`: always
    open. The client's value of the same name is another: in an answer any member may be missing, here none is."""

    audio_enabled: bool = True
    icon_enabled: bool = True
    video_enabled: bool = True
    ring_target: RingTarget | None = None
    call_hours: CallHours | None = None


DEFAULT_SETTINGS = CallSettings()
"""What holds for a Page that never set anything, unless the operator says otherwise."""


class Hours(Enum):
    """What a change does with the call hours when it brings no new ones."""

    KEPT = "kept"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """Any subset of the settings; `None` and `Hours.KEPT` leave what stands. New hours replace all earlier ones (9.2)."""

    audio_enabled: bool | None = None
    icon_enabled: bool | None = None
    video_enabled: bool | None = None
    ring_target: RingTarget | None = None
    call_hours: CallHours | Hours = Hours.KEPT

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing at all."""
        return self == SettingsChange()


def changed(settings: CallSettings, change: SettingsChange) -> CallSettings:
    """The settings after the change: as a whole, or not at all."""
    flags = {name: value for name in FLAGS if (value := getattr(change, name)) is not None}
    if change.ring_target is not None:
        settings = replace(settings, ring_target=change.ring_target)
    match change.call_hours:
        case CallHours() as hours:
            settings = replace(settings, call_hours=hours)
        case Hours.REMOVED:
            settings = replace(settings, call_hours=None)
        case Hours.KEPT:
            pass
    return replace(settings, **flags)


FLAGS = ("audio_enabled", "icon_enabled", "video_enabled")
"""The settings that are on or off."""


def default_settings(*, is_calling_on: bool) -> CallSettings:
    """What holds where nothing was set: a live Page was seen with calling off until sound and video were set (9.1)."""
    return CallSettings(audio_enabled=is_calling_on, video_enabled=is_calling_on)
