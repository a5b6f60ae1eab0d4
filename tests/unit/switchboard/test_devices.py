"""Ends of calls for devices that are away: kept for a while, told once, and not too many."""

from __future__ import annotations

import pytest

from pagecalls.call.limits import AWAY_S
from pagecalls.call.states import EndReason
from pagecalls.consumer.line import Line
from pagecalls.switchboard import devices as module
from pagecalls.switchboard.base import DeviceIdentity, Ended
from pagecalls.switchboard.devices import Devices
from pagecalls.types import CallId, DeviceId, PageId, Platform, Psid

NOW = 1_000.0


class Heard(Line):
    """A line that says what it was told."""

    def __init__(self, *, is_up: bool = True) -> None:
        self.calls: list[str] = []
        self.is_up = is_up

    def ended(self, ended: Ended) -> bool:
        if self.is_up:
            self.calls.append(ended.call_id)
        return self.is_up


def device(name: str) -> DeviceIdentity:
    return DeviceIdentity(DeviceId(name), Psid("2"), PageId("1"), Platform.MESSENGER, "Ada")


def ended(call_id: str) -> Ended:
    return Ended(CallId(call_id), EndReason.COMPLETED, False, None)


def back(devices: Devices, name: str, now: float) -> list[str]:
    """What the device is told when it is back."""
    line = Heard()
    devices.catch_up(DeviceId(name), line, now)
    return line.calls


def test_who_is_connected_is_told_at_once_and_who_is_away_once_when_it_is_back() -> None:
    devices, here = Devices(), Heard()
    devices.add(device("here"), here)
    devices.ended({DeviceId("here"), DeviceId("away")}, ended("c"), NOW)
    assert here.calls == ["c"]
    assert back(devices, "here", NOW) == []
    assert back(devices, "away", NOW + AWAY_S) == ["c"]
    assert back(devices, "away", NOW + AWAY_S) == []


def test_a_line_that_took_nothing_more_is_as_good_as_none() -> None:
    devices = Devices()
    devices.add(device("d"), Heard(is_up=False))
    devices.ended({DeviceId("d")}, ended("c"), NOW)
    assert back(devices, "d", NOW) == ["c"]


def test_an_end_is_dropped_after_its_time() -> None:
    devices = Devices()
    devices.ended({DeviceId("d")}, ended("c"), NOW)
    assert back(devices, "d", NOW + AWAY_S + 0.1) == []


def test_what_nobody_asks_for_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = Devices()
    monkeypatch.setattr(module, "MOST_MISSED", 2)
    for number in range(3):
        devices.ended({DeviceId(f"d{number}")}, ended(f"c{number}"), NOW + number)
    devices.ended({DeviceId("d2")}, ended("newer"), NOW + 3)
    assert back(devices, "d0", NOW + 3) == []
    assert back(devices, "d1", NOW + 3) == ["c1"]
    assert back(devices, "d2", NOW + 3) == ["newer"]
