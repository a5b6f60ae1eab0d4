"""The consumers' devices that are connected here and now, and what those missed that are away for a moment.

A registry of sockets, nothing else: what rings on what is the call's state. A call that lives is given back from there; that one
is over is kept here, in memory and for as long as a device may take to come back.
"""

from __future__ import annotations

from collections.abc import Iterable

from pagecalls.call.limits import AWAY_S
from pagecalls.switchboard.base import DeviceIdentity, DeviceLine, Ended
from pagecalls.types import DeviceId, PageId, Psid

MOST_MISSED = 10_000
"""Devices for which an end is kept; beyond that the oldest is dropped."""


class Devices:
    """Lines by device, and devices by consumer."""

    def __init__(self) -> None:
        self._lines: dict[DeviceId, tuple[DeviceIdentity, DeviceLine]] = {}
        self._missed: dict[DeviceId, tuple[float, Ended]] = {}
        """Until when an end is kept, the oldest first. One is enough: a device that is away gets into no further call."""

    def add(self, device: DeviceIdentity, line: DeviceLine) -> None:
        """Take a line; an older line of the same device is closed."""
        old = self._lines.get(device.device_id)
        self._lines[device.device_id] = (device, line)
        if old is not None:
            old[1].close(4001, "this device has connected again")

    def remove(self, device: DeviceIdentity, line: DeviceLine) -> bool:
        """Forget the line. False if the device has a newer one."""
        current = self._lines.get(device.device_id)
        if current is None or current[1] is not line:
            return False
        del self._lines[device.device_id]
        return True

    def line(self, device_id: DeviceId | None) -> DeviceLine | None:
        """The line to a device, if it is connected."""
        found = self._lines.get(device_id) if device_id is not None else None
        return found[1] if found else None

    def ended(self, device_ids: Iterable[DeviceId], ended: Ended, now: float) -> None:
        """Tell each of `device_ids` that its call is over, at once or when it is back."""
        for device_id in sorted(device_ids):
            line = self.line(device_id)
            if line is None or not line.ended(ended):
                self._missed.pop(device_id, None)
                self._make_room(now)
                self._missed[device_id] = (now + AWAY_S, ended)

    def catch_up(self, device_id: DeviceId, line: DeviceLine, now: float) -> None:
        """The device is back: tell it of the end that it missed."""
        missed = self._missed.pop(device_id, None)
        if missed is not None and now <= missed[0]:
            line.ended(missed[1])

    def _make_room(self, now: float) -> None:
        while self._missed and (len(self._missed) >= MOST_MISSED or next(iter(self._missed.values()))[0] < now):
            del self._missed[next(iter(self._missed))]

    def of(self, page_id: PageId, psid: Psid) -> list[tuple[DeviceIdentity, DeviceLine]]:
        """Every connected device of a consumer."""
        return [entry for entry in self._lines.values() if entry[0].page_id == page_id and entry[0].psid == psid]

    def close_all(self, code: int, reason: str) -> None:
        """Close every line; the server stops."""
        for _, line in list(self._lines.values()):
            line.close(code, reason)
