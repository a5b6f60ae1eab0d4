"""Which zones there are. What their wall clocks show is held in tests/property/test_call_hours.py."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from pagecalls.switchboard.zones import is_zone, names, wall_clock


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Australia/Lord_Howe", "Etc/GMT+8"])
def test_zones(name: str) -> None:
    assert is_zone(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "Europe", "europe/berlin", "Europe/Berlin ", "Europe/Nowhere", "../UTC", "/etc/localtime", "posix/UTC",
     "right/UTC", "localtime", "zone.tab", "tzdata.zi", "U\0TC", "\ud800", "x" * 10_000],
)  # fmt: skip
def test_no_zones(name: str) -> None:
    """Neither folders nor other files of the database, and nothing outside it."""
    assert not is_zone(name)


def test_every_zone_can_be_used() -> None:
    """A name that was let in must not fail when a call comes."""
    assert len(names()) > 400
    for name in names():
        assert wall_clock(1_790_000_000, name)
        assert ZoneInfo(name).key == name
