"""How long processes had no processor, moment by moment: what a busy machine does to sound, told apart from what a program does.

Owns the measure and nothing else. A kill and an attack hold their limits to it alike: a time of so many milliseconds is too long
by what it has beyond the limit and beyond the longest wait in any stretch of time as long as itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.resilience.processes import waited_s

LOOK_S = 0.02


class Waiting:
    """What some processes have waited, all their threads together. `looks`: seconds of any clock, and waited so far."""

    def __init__(self, pids: Sequence[int], looks: Sequence[tuple[float, float]] = ()) -> None:
        self._pids = pids
        self._looks = list(looks)

    def look(self) -> None:
        """Note how it stands."""
        self._looks.append((time.monotonic(), sum(waited_s(pid) for pid in self._pids)))

    def total_ms(self) -> float:
        """From the first look to the last."""
        return 1e3 * (self._looks[-1][1] - self._looks[0][1])

    def most_within_ms(self, ms: float) -> float:
        """The longest wait in any stretch of time of that length, which begins and ends with a look, so that it may be longer."""
        most, first = 0.0, 0
        for at_s, waited in self._looks:
            while first + 1 < len(self._looks) and at_s - self._looks[first + 1][0] >= ms / 1e3:
                first += 1
            most = max(most, waited - self._looks[first][1])
        return 1e3 * most


@asynccontextmanager
async def watched(pids: Sequence[int]) -> AsyncIterator[Waiting]:
    """Look again and again until the way out, and there a last time."""
    waiting = Waiting(pids)
    waiting.look()

    async def watch() -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            waiting.look()

    watcher = asyncio.create_task(watch())
    try:
        yield waiting
        waiting.look()
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
