"""What happened, for people: a bounded list of facts that the console, the demo and the log read.

The journal decides nothing and nothing depends on it. Secrets and SDP texts never enter it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TypedDict

from pagecalls.clock import Clock

log = logging.getLogger("pagecalls.journal")

JournalValue = str | int | float | bool | None | list[str]


class JournalEntry(TypedDict):
    """One fact. `seq` counts from 1; `at` is Unix seconds; `facts` depend on `kind`."""

    seq: int
    at: float
    kind: str
    call_id: str | None
    facts: dict[str, JournalValue]


class Journal:
    """The last `capacity` facts."""

    def __init__(self, clock: Clock, capacity: int = 10_000) -> None:
        self._clock = clock
        self._entries: deque[JournalEntry] = deque(maxlen=capacity)
        self._seq = 0
        self._news = asyncio.Event()
        self._is_closed = False

    def note(self, kind: str, call_id: str | None = None, **facts: JournalValue) -> None:
        """Write a fact down."""
        self._seq += 1
        self._entries.append({"seq": self._seq, "at": self._clock.now(), "kind": kind, "call_id": call_id, "facts": facts})
        if log.isEnabledFor(logging.INFO):
            words = "".join(f" {name}={'-' if value is None else value}" for name, value in facts.items())
            about = {"call_id": call_id, "page_id": facts.get("page_id"), "app_id": facts.get("app_id")}
            log.info("%s %s%s", kind, call_id or "-", words, extra=about)
        self._news.set()
        self._news = asyncio.Event()

    def close(self) -> None:
        """Nobody waits for facts any more: the server ends."""
        self._is_closed = True
        self._news.set()

    async def after(self, seq: int, wait_s: float) -> list[JournalEntry]:
        """Facts with a number above `seq`; waits up to `wait_s` real seconds if there are none yet."""
        if self._seq <= seq and wait_s > 0 and not self._is_closed:
            try:
                await asyncio.wait_for(self._news.wait(), wait_s)
            except TimeoutError:
                return []
        return [entry for entry in self._entries if entry["seq"] > seq]
