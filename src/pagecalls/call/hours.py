"""Call hours: what makes them valid, and whether a Page is open at a moment of its own zone's wall clock (messenger-calling 9.2).

Which zones there are, and what a moment is called in one of them, is told from outside: this file has no clock and no zones. So
it does not know of daylight saving time either. A time that the wall clock skips never comes, one that it shows twice counts
twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pagecalls.errors import SettingFault, UnusableSetting
from pagecalls.types import CallHours, Day, OpenHours

END_OF_DAY = "2359"
"""As a closing time it is midnight: nothing later can be written, and a Page that never closes must not close for a minute."""

_TIME = re.compile("([01][0-9]|2[0-3])[0-5][0-9]")


@dataclass(frozen=True, slots=True)
class AskedDay:
    """One entry of `weekly_operating_hours` as somebody wrote it. `name`: how texts of errors call it."""

    name: str
    day_of_week: str
    open_time: str
    close_time: str


def checked_week(entries: Iterable[AskedDay]) -> tuple[OpenHours, ...]:
    """The week that the entries describe, in their order. Raises `UnusableSetting` for the first that is wrong."""
    return tuple(_checked(entries))


def is_open(hours: CallHours, day: Day, time: str) -> bool:
    """Whether calls are taken on `day` at `time`, `HHMM`: the opening is included, the closing is not."""
    return any(
        each.day_of_week is day and each.open_time <= time and (time < each.close_time or each.close_time == END_OF_DAY)
        for each in hours.weekly
    )


def _checked(entries: Iterable[AskedDay]) -> Iterator[OpenHours]:
    seen: set[Day] = set()
    for entry in entries:
        day = _day(entry)
        if day in seen:
            raise UnusableSetting(f"{entry.name}[day_of_week]", SettingFault.DAY_TWICE)
        seen.add(day)
        for member in ("open_time", "close_time"):
            if _TIME.fullmatch(getattr(entry, member)) is None:
                raise UnusableSetting(f"{entry.name}[{member}]", SettingFault.TIME)
        if entry.close_time <= entry.open_time:
            raise UnusableSetting(f"{entry.name}[close_time]", SettingFault.CLOSES_TOO_EARLY)
        yield OpenHours(day, entry.open_time, entry.close_time)


def _day(entry: AskedDay) -> Day:
    try:
        return Day(entry.day_of_week.upper())
    except ValueError:
        raise UnusableSetting(f"{entry.name}[day_of_week]", SettingFault.DAY) from None
