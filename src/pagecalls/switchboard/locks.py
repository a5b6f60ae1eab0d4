"""One lock per consumer and Page.

A call belongs to one consumer of one Page and they have at most one live call, so this lock serialises everything that happens
to a call: API actions, device requests, timers and media events (messenger-calling 2). Waiters are served in the order of their
coming.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pagecalls.types import PageId, Psid


class StillHeld(Exception):
    """Somebody else had the lock for all the time that there was."""


class Locks:
    """Locks that exist only while somebody holds or awaits them."""

    def __init__(self) -> None:
        self._locks: dict[tuple[PageId, Psid], tuple[asyncio.Lock, int]] = {}

    @property
    def count(self) -> int:
        """Locks that are held or awaited."""
        return len(self._locks)

    @asynccontextmanager
    async def hold(self, page_id: PageId, psid: Psid, patience_s: float | None = None) -> AsyncIterator[None]:
        """Hold the pair's lock for the length of the block. Raises `StillHeld` if it cannot be had in `patience_s`, real time."""
        key = (page_id, psid)
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            try:
                async with asyncio.timeout(patience_s):
                    await lock.acquire()
            except TimeoutError:
                raise StillHeld from None
            try:
                yield
            finally:
                lock.release()
        finally:
            lock, users = self._locks[key]
            if users == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, users - 1)
