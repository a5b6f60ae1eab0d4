"""Who may have a request in flight now: a bound for all, and a fair share for each app.

An app has a few places that are its own, and more from a common stock, up to its share. So receivers that take their time,
however many there are, use up the stock and never the places of the others. Knows neither rows nor requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pagecalls.types import AppId


@dataclass(slots=True)
class _Share:
    used: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Places:
    """Places for requests in flight: `own` for each app whatever the others do, `common` for all, `per_app` at most."""

    def __init__(self, *, per_app: int, own: int, common: int) -> None:
        self._per_app = per_app
        self._own = min(own, per_app)
        self._common = common
        self._shares: dict[AppId, _Share] = {}

    @asynccontextmanager
    async def place(self, app_id: AppId) -> AsyncIterator[None]:
        """Wait for a place, in the order of asking within the app, and have it for the length of the block."""
        share = self._shares.setdefault(app_id, _Share())
        if share.waiting or not self._take(share):
            await self._wait(app_id, share)
        try:
            yield
        finally:
            self._give_back(share)
            self._hand_on(app_id, share)

    async def _wait(self, app_id: AppId, share: _Share) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        share.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._give_back(share)
            elif turn in share.waiting:
                share.waiting.remove(turn)
            self._hand_on(app_id, share)
            raise

    def _take(self, share: _Share) -> bool:
        if share.used >= self._per_app or (share.used >= self._own and self._common <= 0):
            return False
        self._common -= share.used >= self._own
        share.used += 1
        return True

    def _give_back(self, share: _Share) -> None:
        share.used -= 1
        self._common += share.used >= self._own

    def _hand_on(self, app_id: AppId, own: _Share) -> None:
        """A place is free: the app's own waiters come first, then those of the others, each app in turn."""
        self._serve(own, at_most=self._per_app)
        hungry = [share for share in self._shares.values() if share.waiting]
        while hungry and self._common > 0:
            hungry = [share for share in hungry if self._serve(share, at_most=1) and share.waiting]
        if not own.used and not own.waiting and self._shares.get(app_id) is own:
            del self._shares[app_id]

    def _serve(self, share: _Share, at_most: int) -> int:
        served = 0
        while share.waiting and served < at_most:
            if not share.waiting[0].cancelled():
                if not self._take(share):
                    break
                served += 1
                share.waiting[0].set_result(None)
            share.waiting.popleft()
        return served
