"""The consumers' devices that are connected here and now. A registry of sockets, nothing else: what rings on what is the call's
state."""

from __future__ import annotations

from collections.abc import Iterable

from pagecalls.switchboard.base import DeviceIdentity, DeviceLine
from pagecalls.types import DeviceId, PageId, Psid


class Devices:
    """Lines by device, and devices by consumer."""

    def __init__(self) -> None:
        self._lines: dict[DeviceId, tuple[DeviceIdentity, DeviceLine]] = {}

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

    def lines(self, device_ids: Iterable[DeviceId]) -> list[DeviceLine]:
        """The lines to those of `device_ids` that are connected."""
        return [line for device_id in sorted(device_ids) if (line := self.line(device_id)) is not None]

    def of(self, page_id: PageId, psid: Psid) -> list[tuple[DeviceIdentity, DeviceLine]]:
        """Every connected device of a consumer."""
        return [entry for entry in self._lines.values() if entry[0].page_id == page_id and entry[0].psid == psid]

    def close_all(self, code: int, reason: str) -> None:
        """Close every line; the server stops."""
        for _, line in list(self._lines.values()):
            line.close(code, reason)
