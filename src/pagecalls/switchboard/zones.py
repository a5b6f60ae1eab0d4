"""The zones of the IANA database, and what a moment is called on the wall clock of one.

Names come from the `tzdata` package and not from the machine, so that every server takes the same ones. Transitions are those of
the machine's own database where it has one: it may be newer.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from pagecalls.types import Day

_DAYS = tuple(Day)


@cache
def names() -> frozenset[str]:
    """Every zone, as the database spells it."""
    return frozenset(files("tzdata").joinpath("zones").read_text("ascii").split())


def is_zone(name: str) -> bool:
    """Whether there is a zone of that name. Letters are compared exactly."""
    return name in names()


def wall_clock(now: float, zone: str) -> tuple[Day, str]:
    """The day and the time, `HHMM`, that a clock on a wall in `zone` shows at `now`, Unix seconds; summer time included."""
    local = datetime.fromtimestamp(now, ZoneInfo(zone))
    return _DAYS[local.weekday()], f"{local:%H%M}"
