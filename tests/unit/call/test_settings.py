"""A change of a Page's call settings takes effect as a whole, and touches nothing that it does not name."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from pagecalls.call.settings import DEFAULT_SETTINGS, FLAGS, CallSettings, Hours, SettingsChange, changed, default_settings
from pagecalls.types import CallHours, Day, OpenHours, RingTarget

HOURS = CallHours("UTC", (OpenHours(Day.MONDAY, "0900", "1700"),))
OTHER_HOURS = CallHours("Europe/Berlin", (OpenHours(Day.SUNDAY, "1000", "1200"),))
SET = CallSettings(False, False, False, RingTarget.PARTNERS, HOURS)


def test_the_defaults() -> None:
    """Everything is on, always open, and the ring target is derived (9.1)."""
    assert CallSettings(True, True, True, None, None) == DEFAULT_SETTINGS == default_settings(is_calling_on=True)


def test_the_other_default() -> None:
    """Off until sound and video are set; the icon is on either way."""
    assert default_settings(is_calling_on=False) == CallSettings(False, True, False, None, None)


@pytest.mark.parametrize("before", [DEFAULT_SETTINGS, SET])
@pytest.mark.parametrize(
    ("change", "after"),
    [
        (SettingsChange(audio_enabled=False), {"audio_enabled": False}),
        (SettingsChange(icon_enabled=True), {"icon_enabled": True}),
        (SettingsChange(video_enabled=False), {"video_enabled": False}),
        (SettingsChange(ring_target=RingTarget.META), {"ring_target": RingTarget.META}),
        (SettingsChange(call_hours=OTHER_HOURS), {"call_hours": OTHER_HOURS}),
        (SettingsChange(call_hours=Hours.REMOVED), {"call_hours": None}),
        (SettingsChange(call_hours=CallHours("UTC", ())), {"call_hours": CallHours("UTC", ())}),
        (SettingsChange(True, False, True, RingTarget.META, OTHER_HOURS), None),
        (SettingsChange(), {}),
    ],
)
def test_a_change(before: CallSettings, change: SettingsChange, after: dict[str, object] | None) -> None:
    expected = CallSettings(True, False, True, RingTarget.META, OTHER_HOURS) if after is None else replace(before, **after)  # type: ignore[arg-type]
    assert changed(before, change) == expected


def test_an_empty_change() -> None:
    """Removing the hours is a change, switching something off is one; nothing is none."""
    assert SettingsChange().is_empty
    assert not SettingsChange(call_hours=Hours.REMOVED).is_empty
    assert not any(replace(SettingsChange(), **{name: False}).is_empty for name in FLAGS)  # type: ignore[arg-type]


def test_a_change_knows_every_setting() -> None:
    assert [each.name for each in fields(SettingsChange)] == [each.name for each in fields(CallSettings)]
    assert [each.name for each in fields(CallSettings) if each.type == "bool"] == list(FLAGS)
