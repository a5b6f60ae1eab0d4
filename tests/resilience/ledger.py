"""What the server said it did, and what it told the business: the two must agree once everything has ended.

Knows calls by id and events by name; no process, no socket. A request that was under way when its server was killed may have
happened or not, so only what was acknowledged is written down. What must hold of each call that anybody has heard of:

- its end is told: at least one `terminate`, and if it is told again, in the same octets;
- `connect` comes first, and comes if the start of the call or its acceptance was acknowledged;
- a call that was hung up has ended `Completed`, unless its engine was killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Entry:
    """One call. `webhooks` are event, octets and time of each, in the order of their coming."""

    is_started: bool = False
    is_accepted: bool = False
    is_hung_up: bool = False
    may_fail: bool = False
    webhooks: list[tuple[str, bytes, float]] = field(default_factory=list)
    status: str | None = None

    def first(self, event: str) -> float | None:
        """When that event came first."""
        return next((at for name, _, at in self.webhooks if name == event), None)


class Ledger:
    """All calls of a world."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.repeated = 0
        """Webhooks that came again."""
        self._news = asyncio.Condition()

    def started(self, call_id: str) -> None:
        """The caller was told that the call exists."""
        self._entry(call_id).is_started = True

    def accepted(self, call_id: str) -> None:
        """The business was told that it has the call."""
        self._entry(call_id).is_accepted = True

    def hung_up(self, call_id: str) -> None:
        """Whoever hung up was told that the call is over."""
        self._entry(call_id).is_hung_up = True

    def excuse_open(self) -> None:
        """The engine was killed: what has not ended yet may fail."""
        for entry in self.entries.values():
            entry.may_fail = entry.may_fail or entry.status is None

    async def told(self, item: Json, octets: bytes, at: float) -> None:
        """A webhook came."""
        entry, event = self._entry(item["id"]), str(item["event"])
        self.repeated += any((event, octets) == (name, known) for name, known, _ in entry.webhooks)
        entry.webhooks.append((event, octets, at))
        if event == "terminate":
            entry.status = str(item["status"])
        async with self._news:
            self._news.notify_all()

    async def expect(self, call_id: str, event: str, within_s: float) -> float:
        """When that event came, now or later. Raises `TimeoutError`."""
        entry = self._entry(call_id)
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: entry.first(event) is not None), within_s)
            except TimeoutError:
                came = [name for name, _, _ in entry.webhooks]
                raise TimeoutError(f"{call_id}: no {event} within {within_s} s; these came: {came}") from None
        return entry.first(event) or 0.0

    async def all_ended(self, but: set[str], within_s: float) -> None:
        """Every call but these has its `terminate`. Raises `TimeoutError` with those that have none."""
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: not self.open() - but), within_s)
            except TimeoutError:
                raise TimeoutError(f"no terminate within {within_s} s: {self.open() - but}") from None

    def open(self) -> set[str]:
        """Calls whose end was not told."""
        return {call_id for call_id, entry in self.entries.items() if entry.first("terminate") is None}

    def faults(self, but: set[str]) -> list[str]:
        """What does not agree, of all calls but these."""
        return [
            f"{call_id}: {fault}" for call_id, entry in self.entries.items() if call_id not in but for fault in _faults_of(entry)
        ]

    def close_books(self) -> int:
        """Forget the calls that have ended; returns how many."""
        ended = self.entries.keys() - self.open()
        for call_id in ended:
            del self.entries[call_id]
        return len(ended)

    def _entry(self, call_id: str) -> Entry:
        return self.entries.setdefault(call_id, Entry())


def _faults_of(entry: Entry) -> Iterator[str]:
    names = [name for name, _, _ in entry.webhooks]
    if "terminate" not in names:
        yield f"its end was never told, only {names}"
    if (entry.is_started or entry.is_accepted) and "connect" not in names:
        yield f"acknowledged, but its connect never came, only {names}"
    elif names[:1] != ["connect"] and names:
        yield f"its first webhook was no connect: {names}"
    if len({octets for name, octets, _ in entry.webhooks if name == "terminate"}) > 1:
        yield "its end was told in two ways"
    if entry.is_hung_up and not entry.may_fail and entry.status not in (None, "Completed"):
        yield f"hung up, but it ended {entry.status}"
