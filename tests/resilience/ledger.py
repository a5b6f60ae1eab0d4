"""What the server said it did, and what it told the business: the two must agree once everything has ended.

Knows calls by id and events by name; no process, no socket. A request that was under way when its server was killed may have
happened or not, so only what was acknowledged is written down. What must hold of each call that anybody has heard of:

- its end is told, and comes last; `connect` comes first, and comes if the start of the call or its acceptance was acknowledged;
- if a device picked up, `ringing`, `accepted` and the consumer's media are told; each acknowledged change of the consumer's media
  is told; in this order;
- what is told again is told in the same octets;
- a call that was hung up has ended `Completed`, unless its engine was killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

PICK_UP = ("call_status ringing", "call_status accepted")
"""What is told of a call that a device picked up, beside the consumer's media."""
MEDIA = "media_update"
_RANKS = {name: rank for rank, name in enumerate(("connect", *PICK_UP, MEDIA, "terminate"))}


@dataclass(slots=True)
class Entry:
    """One call. `webhooks` are name (`name_of`), octets and time of each, in the order of their coming; `changes` counts the
    consumer's acknowledged changes of media that the business can notice."""

    is_started: bool = False
    is_accepted: bool = False
    is_picked_up: bool = False
    changes: int = 0
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

    def picked_up(self, call_id: str) -> None:
        """The consumer's device was told that it has the call."""
        self._entry(call_id).is_picked_up = True

    def changed(self, call_id: str) -> None:
        """The consumer's device was told that its media has changed; the business can notice it."""
        self._entry(call_id).changes += 1

    def hung_up(self, call_id: str) -> None:
        """Whoever hung up was told that the call is over."""
        self._entry(call_id).is_hung_up = True

    def excuse_open(self) -> None:
        """The engine was killed: what has not ended yet may fail."""
        for entry in self.entries.values():
            entry.may_fail = entry.may_fail or entry.status is None

    async def told(self, item: Json, octets: bytes, at: float) -> None:
        """A webhook came."""
        entry, event = self._entry(item["id"]), name_of(item)
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


def name_of(item: Json) -> str:
    """An event with what tells it from others of its kind in the same call: `call_status ringing`, `media_update 2`."""
    event = str(item["event"])
    match event:
        case "call_status":
            return f"{event} {item['call_status']}"
        case "media_update":
            return f"{event} {item['session']['version']}"
        case _:
            return event


def rank_of(name: str) -> tuple[int, int]:
    """Where an event stands in the order of a call's events. Raises `KeyError` for an event that no call has."""
    event, _, version = name.partition(" ")
    return (_RANKS[MEDIA], int(version)) if event == MEDIA else (_RANKS[name], 0)


def _faults_of(entry: Entry) -> Iterator[str]:
    octets: dict[str, set[bytes]] = {}
    for name, body, _ in entry.webhooks:
        octets.setdefault(name, set()).add(body)
    names = list(octets)
    if "terminate" not in names:
        yield f"its end was never told, only {names}"
    if (entry.is_started or entry.is_accepted or entry.is_picked_up) and "connect" not in names:
        yield f"acknowledged, but its connect never came, only {names}"
    elif names[:1] != ["connect"] and names:
        yield f"its first webhook was no connect: {names}"
    elif names != sorted(names, key=rank_of):
        yield f"its webhooks came out of order: {names}"
    if entry.is_picked_up and not set(PICK_UP) <= set(names):
        yield f"picked up, but only these came: {names}"
    updates, changes = [name for name in names if name.startswith(MEDIA)], entry.changes + entry.is_picked_up
    if len(updates) < changes:
        yield f"the consumer's media was to be told {changes} times, but only these came: {names}"
    yield from (f"its {name} was told in {len(each)} ways" for name, each in octets.items() if len(each) > 1)
    if entry.is_hung_up and not entry.may_fail and entry.status not in (None, "Completed"):
        yield f"hung up, but it ended {entry.status}"
