"""Removes what is over: ended calls, webhooks that are done with, what has expired (decision 61).

Owns how long each is kept and in which portions it goes; what belongs to a row, and what is still owed, the store knows. A
portion is one unit of work of `SLICE` rows among those of calls, with a rest after it, so that no call waits for more than a few
milliseconds. Runs on the injected clock; what a stop or a kill interrupts, the next run takes up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from pagecalls.call.limits import DAY_S
from pagecalls.clock import Clock
from pagecalls.store.base import Past, Room, Store
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.timers import Timers

log = logging.getLogger("pagecalls.upkeep")

FIRST_S = 30.0
EVERY_S = 300.0
SLICE = 50
"""Rows of one unit of work."""
REST_S = 0.02
"""Real seconds between two units of work: the store's thread is the calls' for most of the time."""
RAN_OUT_S = 30.0 * DAY_S
"""What has expired is kept for this long, so that whoever still shows it is told that it has expired."""

MESSAGES_S = 30.0 * DAY_S
"""How long messages and permission requests are kept; a request's own buttons work for seven days (messenger-calling 8.3)."""


CALLS_S = 2.0 * DAY_S
"""How long ended calls are kept at least. Their ends are owed for 36 hours at most (graph-platform 7.7); if calls went earlier,
those whose receiver is dead would stand at the head of the index, and each portion would walk past all of them."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long is kept what is over, seconds, and how many webhooks that are done with at most."""

    calls_s: float = 7.0 * DAY_S
    """Not below `CALLS_S`."""
    outbox_s: float = 7.0 * DAY_S
    outbox_rows: int = 100_000
    ran_out_s: float = RAN_OUT_S
    messages_s: float = MESSAGES_S

    @classmethod
    def of(cls, days: int, rows: int) -> Retention:
        """As the operator sets it."""
        return cls(calls_s=max(CALLS_S, days * DAY_S), outbox_s=days * DAY_S, outbox_rows=rows)

    def ages(self) -> Iterator[tuple[Past, float]]:
        """How old each kind may become, seconds. Webhooks come first: what they owe keeps calls."""
        yield Past.OUTBOX, self.outbox_s
        yield Past.CALLS, self.calls_s
        for past in (Past.CONSUMER_TOKENS, Past.TOKENS, Past.CALL_BUTTONS):
            yield past, self.ran_out_s
        yield Past.MESSAGES, self.messages_s
        yield Past.PERMISSION_REQUESTS, self.messages_s


class Busy(Protocol):
    """What the upkeep needs of `Calls`."""

    store: Store
    clock: Clock
    timers: Timers
    journal: Journal
    is_closed: bool


class Upkeep:
    """One for each server. `removed`, `room` and `longest_s` are for whoever shows metrics; written here only."""

    def __init__(self, calls: Busy, retention: Retention) -> None:
        self._calls = calls
        self._retention = retention
        self._task: asyncio.Task[None] | None = None
        self.removed: Counter[Past] = Counter()
        self.room = Room(0, 0)
        """As of the last run."""
        self.longest_s = 0.0
        """The longest that a portion took, with its wait and its commit."""

    async def start(self) -> None:
        """Run soon, and then again and again."""
        self.room = await self._calls.store.read(lambda tx: tx.room())
        self._at(FIRST_S)

    async def stop(self) -> None:
        """End after the portion under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def idle(self) -> None:
        """Return when no run is under way."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _at(self, seconds: float) -> None:
        self._calls.timers.once(self._calls.clock.now() + seconds, self._begin)

    async def _begin(self) -> None:
        # Beside the timers: they are there for calls, and a run may take a while.
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._guarded(), name="upkeep")
        self._at(EVERY_S)

    async def _guarded(self) -> None:
        try:
            await self.run()
        except Exception:
            log.exception("what is over could not be removed; the next run is in %.0f s", EVERY_S)

    async def run(self) -> Counter[Past]:
        """Remove all that is over now; returns how many rows of each kind."""
        calls, gone = self._calls, Counter[Past]()
        now = calls.clock.now()
        for past, age_s in self._retention.ages():
            gone[past] += await self._forget(past, now - age_s)
        settled = await calls.store.read(lambda tx: tx.settled_outbox())
        gone[Past.OUTBOX] += await self._forget(Past.OUTBOX, now, max(0, settled - self._retention.outbox_rows))
        self.room = await calls.store.read(lambda tx: tx.room())
        if counts := {past.value: count for past, count in gone.items() if count}:
            calls.journal.note("upkeep", None, file_bytes=self.room.file_bytes, free_bytes=self.room.free_bytes, **counts)
        return gone

    async def _forget(self, past: Past, before: float, most: int | None = None) -> int:
        """In portions, until nothing is left, `most` are gone, or the server stops."""
        gone = 0
        while not self._calls.is_closed:
            portion = SLICE if most is None else min(SLICE, most - gone)
            count = await self._portion(past, before, portion) if portion else 0
            gone += count
            if count < SLICE:
                break
            await asyncio.sleep(REST_S)
        return gone

    async def _portion(self, past: Past, before: float, limit: int) -> int:
        began = time.monotonic()
        count = await self._calls.store.write(lambda tx: tx.forget(past, before, limit))
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        self.removed[past] += count
        return count
