"""Call hours follow the wall clock of their zone, also on the days on which it jumps.

The zones' transitions are written down here as numbers, so that the zone database is held against something else than itself: New
York and Berlin move by an hour, Lord Howe by half of one, Tokyo never, and Apia left out a whole Friday.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagecalls.call.hours import is_open
from pagecalls.switchboard.zones import wall_clock
from pagecalls.types import CallHours, Day, OpenHours

DAY_S = 86_400
MINUTE_S = 60


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@dataclass(frozen=True)
class Jump:
    """At `at` the clocks of `zone` go from `before` to `after` minutes east of UTC."""

    zone: str
    at: int
    before: int
    after: int

    def wall(self, now: float) -> datetime:
        """What a clock on the wall shows, by plain arithmetic."""
        offset = self.before if now < self.at else self.after
        return datetime.fromtimestamp(now, UTC) + timedelta(minutes=offset)


JUMPS = (
    Jump("America/New_York", at("2026-03-08T07:00"), -300, -240),
    Jump("America/New_York", at("2026-11-01T06:00"), -240, -300),
    Jump("Europe/Berlin", at("2026-03-29T01:00"), 60, 120),
    Jump("Europe/Berlin", at("2026-10-25T01:00"), 120, 60),
    Jump("Australia/Lord_Howe", at("2026-04-04T15:00"), 660, 630),
    Jump("Australia/Lord_Howe", at("2026-10-03T15:30"), 630, 660),
    Jump("Asia/Tokyo", at("2026-03-29T01:00"), 540, 540),
    Jump("UTC", at("2026-10-25T01:00"), 0, 0),
    Jump("Pacific/Apia", at("2011-12-30T10:00"), -600, 840),
)

TIMES = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02}{minute % 60:02}")


@st.composite
def weeks(draw: st.DrawFn) -> tuple[OpenHours, ...]:
    days = draw(st.lists(st.sampled_from(list(Day)), unique=True))
    spans = [sorted(draw(st.lists(TIMES, min_size=2, max_size=2, unique=True))) for _ in days]
    return tuple(OpenHours(day, opens, closes) for day, (opens, closes) in zip(days, spans, strict=True))


@given(jump=st.sampled_from(JUMPS), away=st.floats(-3 * DAY_S, 3 * DAY_S, allow_nan=False), week=weeks())
def test_open_is_what_the_wall_clock_says(jump: Jump, away: float, week: tuple[OpenHours, ...]) -> None:
    now = jump.at + away
    wall = jump.wall(now)
    minute = wall.hour * 60 + wall.minute
    expected = False
    for each in week:
        opens = int(each.open_time[:2]) * 60 + int(each.open_time[2:])
        closes = 1440 if each.close_time == "2359" else int(each.close_time[:2]) * 60 + int(each.close_time[2:])
        expected |= list(Day)[wall.weekday()] is each.day_of_week and opens <= minute < closes
    assert is_open(CallHours(jump.zone, week), *wall_clock(now, jump.zone)) is expected


@given(jump=st.sampled_from(JUMPS), away=st.integers(-3 * DAY_S, 3 * DAY_S))
def test_a_minute_has_one_name(jump: Jump, away: int) -> None:
    """The name changes with the minute, never within it."""
    now = jump.at + away
    begin = now - now % MINUTE_S
    assert wall_clock(begin, jump.zone) == wall_clock(now, jump.zone) == wall_clock(begin + 59.999, jump.zone)


def open_minutes(jump: Jump, day: Day, opens: str, closes: str, around_s: int = 2 * DAY_S) -> int:
    """For how many minutes around the jump the Page is open."""
    hours = CallHours(jump.zone, (OpenHours(day, opens, closes),))
    moments = range(jump.at - around_s, jump.at + around_s, MINUTE_S)
    return sum(is_open(hours, *wall_clock(now, jump.zone)) for now in moments)


@pytest.mark.parametrize(
    ("jump", "day", "opens", "closes", "minutes"),
    [
        # The clock skips 2:00 to 3:00: what lies in there never comes, what lies around it is an hour short.
        (JUMPS[0], Day.SUNDAY, "0200", "0245", 0),
        (JUMPS[0], Day.SUNDAY, "0130", "0330", 60),
        (JUMPS[2], Day.SUNDAY, "0200", "0300", 0),
        (JUMPS[2], Day.SUNDAY, "0000", "2359", 23 * 60),
        # It shows 1:00 to 2:00 twice (in Berlin 2:00 to 3:00): open twice, and the day is an hour longer.
        (JUMPS[1], Day.SUNDAY, "0115", "0145", 60),
        (JUMPS[3], Day.SUNDAY, "0230", "0300", 60),
        (JUMPS[3], Day.SUNDAY, "0000", "2359", 25 * 60),
        # Half an hour twice, half an hour left out.
        (JUMPS[4], Day.SUNDAY, "0130", "0200", 60),
        (JUMPS[5], Day.SUNDAY, "0200", "0230", 0),
        (JUMPS[5], Day.SUNDAY, "0145", "0245", 30),
        (JUMPS[6], Day.SUNDAY, "0200", "0300", 60),
        # The Friday that Apia never had, and the days around it.
        (JUMPS[8], Day.FRIDAY, "0000", "2359", 0),
        (JUMPS[8], Day.THURSDAY, "0000", "2359", 24 * 60),
        (JUMPS[8], Day.SATURDAY, "0000", "2359", 24 * 60),
    ],
)
def test_a_day_on_which_the_clock_jumps(jump: Jump, day: Day, opens: str, closes: str, minutes: int) -> None:
    assert open_minutes(jump, day, opens, closes) == minutes
