"""The one owner of deadlines but the engine's (ruling 17).

Deadlines of calls are data of the call and survive a restart; `once` is for waits that do not need to. All of them run on the
injected clock: `advance` returns when everything due by then has been handled.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable

from pagecalls.call.model import Call
from pagecalls.clock import Clock
from pagecalls.types import CallId

log = logging.getLogger("pagecalls.timers")

Due = Callable[[CallId], Awaitable[None]]
Once = Callable[[], Awaitable[None]]

LONGEST_NAP_S = 3600.0


class Timers:
    """A heap of what is due when, and the task that waits for it."""

    def __init__(self, clock: Clock, on_due: Due) -> None:
        self._clock = clock
        self._on_due = on_due
        self._heap: list[tuple[float, int, CallId | Once]] = []
        self._of_call: dict[CallId, float] = {}
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._run_lock = asyncio.Lock()
        """Who comes second waits for what the first has taken from the heap and is still at (ruling 17)."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to wait."""
        self._task = asyncio.create_task(self._run(), name="timers")

    async def stop(self) -> None:
        """Stop waiting. What is still due stays in the store."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def schedule(self, call: Call) -> None:
        """Take over the call's next deadline, replacing an earlier one."""
        at = call.next_deadline if call.state.is_live else None
        if self._of_call.get(call.id) == at:
            return
        if at is None:
            self._of_call.pop(call.id, None)
            return
        self._of_call[call.id] = at
        self._push(at, call.id)

    def once(self, at: float, what: Once) -> None:
        """Run `what` when the clock reaches `at`, unless the server stops before."""
        self._push(at, what)

    async def run_due(self) -> None:
        """Handle everything due now, in order of time, and what that makes due in turn."""
        async with self._run_lock:
            while self._heap and self._heap[0][0] <= self._clock.now():
                at, _, what = heapq.heappop(self._heap)
                if isinstance(what, str):
                    if self._of_call.get(what) != at:
                        continue  # the deadline was moved or dropped
                    del self._of_call[what]
                    await self._guard(self._on_due(what))
                else:
                    await self._guard(what())

    def _push(self, at: float, what: CallId | Once) -> None:
        heapq.heappush(self._heap, (at, next(self._order), what))
        self._wake.set()

    async def _guard(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            # One call's fault must not stop the clock of all others.
            log.exception("a deadline could not be handled")

    async def _run(self) -> None:
        while True:
            await self.run_due()
            self._wake.clear()
            nap_s = min(LONGEST_NAP_S, self._heap[0][0] - self._clock.now()) if self._heap else LONGEST_NAP_S
            try:
                await asyncio.wait_for(self._wake.wait(), max(0.0, nap_s))
            except TimeoutError:
                continue
