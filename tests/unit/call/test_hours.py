"""Call hours: which are valid, and when they say open (messenger-calling 9.2)."""

from __future__ import annotations

import pytest

from pagecalls.call.hours import AskedDay, checked_week, is_open
from pagecalls.errors import SettingFault, UnusableSetting
from pagecalls.types import CallHours, Day, OpenHours


def asked(day: str = "MONDAY", opens: str = "0900", closes: str = "1700", name: str = "week[0]") -> AskedDay:
    return AskedDay(name, day, opens, closes)


def open_on(opens: str, closes: str) -> CallHours:
    return CallHours("UTC", (OpenHours(Day.MONDAY, opens, closes),))


def test_a_week_keeps_its_order() -> None:
    week = checked_week([asked("friday"), asked("Monday", "0000", "2359")])
    assert week == (OpenHours(Day.FRIDAY, "0900", "1700"), OpenHours(Day.MONDAY, "0000", "2359"))
    assert checked_week([]) == ()


def test_every_day_once_is_a_week() -> None:
    assert [each.day_of_week for each in checked_week(asked(day) for day in Day)] == list(Day)


@pytest.mark.parametrize("time", ["2400", "0960", "900", "09000", "9:00", "", "-100", "٠٩٠٠", "090a", "0900\n", " 900"])
@pytest.mark.parametrize("member", ["open_time", "close_time"])
def test_what_is_no_time(time: str, member: str) -> None:
    entry = asked(opens=time) if member == "open_time" else asked(closes=time)
    with pytest.raises(UnusableSetting) as refused:
        checked_week([entry])
    assert (refused.value.setting, refused.value.fault) == (f"week[0][{member}]", SettingFault.TIME)


@pytest.mark.parametrize(
    ("entries", "setting", "fault"),
    [
        ([asked("MONTAG")], "week[0][day_of_week]", SettingFault.DAY),
        ([asked(opens="1700", closes="0900")], "week[0][close_time]", SettingFault.CLOSES_TOO_EARLY),
        ([asked(opens="0900", closes="0900")], "week[0][close_time]", SettingFault.CLOSES_TOO_EARLY),
        ([asked(), asked("TUESDAY"), asked("monday", name="week[2]")], "week[2][day_of_week]", SettingFault.DAY_TWICE),
    ],
)
def test_what_is_no_week(entries: list[AskedDay], setting: str, fault: SettingFault) -> None:
    with pytest.raises(UnusableSetting) as refused:
        checked_week(entries)
    assert (refused.value.setting, refused.value.fault) == (setting, fault)


@pytest.mark.parametrize(
    ("time", "expected"), [("0859", False), ("0900", True), ("1659", True), ("1700", False), ("0000", False), ("2359", False)]
)
def test_the_opening_is_included_and_the_closing_is_not(time: str, expected: bool) -> None:
    assert is_open(open_on("0900", "1700"), Day.MONDAY, time) is expected


def test_2359_is_the_end_of_the_day() -> None:
    """Nothing later can be written; closing at 2358 is another thing."""
    assert is_open(open_on("0000", "2359"), Day.MONDAY, "2359")
    assert not is_open(open_on("0000", "2358"), Day.MONDAY, "2358")
    assert not is_open(open_on("0000", "2358"), Day.MONDAY, "2359")


def test_days_that_are_not_named_are_closed() -> None:
    assert not is_open(open_on("0000", "2359"), Day.TUESDAY, "1200")
    assert not any(is_open(CallHours("UTC", ()), day, "1200") for day in Day)
