"""What the operator's services need of the server that runs: a person's call ended, a device's socket closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pagecalls.call.events import ServerStopping
from pagecalls.switchboard.base import TOKEN_GONE
from pagecalls.switchboard.calls import Calls, decoded
from pagecalls.types import DeviceId, PageId, Psid


class LivePresence:
    """Implements `people.Presence` over the calls and the devices of this process."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    @asynccontextmanager
    async def alone_with(self, page_id: PageId, psid: Psid) -> AsyncIterator[None]:
        """Under the pair's lock. A live call ends as it does when the server stops."""
        calls = self._calls
        async with calls.locks.hold(page_id, psid):
            record = await calls.store.read(lambda tx: tx.live_call(page_id, psid))
            if record is not None:
                await calls.step(decoded(record), ServerStopping())
            yield

    def close_device(self, device_id: DeviceId) -> None:
        """After what waits for it, such as the end of its call."""
        line = self._calls.devices.line(device_id)
        if line is not None:
            line.close(TOKEN_GONE, "this token is no longer good")
