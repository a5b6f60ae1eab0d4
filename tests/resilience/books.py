"""What a server acknowledged, held against its database and against what the receivers got. Pure but for reading the database.

Only what was acknowledged is written down. A request that was under way when the server was killed has happened or not; its call
is known by its webhooks and by its row.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from pagecalls.call.states import EndReason
from pagecalls.types import Direction
from tests.resilience.ledger import MEDIA, PICK_UP, name_of, rank_of
from tests.resilience.receivers import Arrival, Receiver

ANYTHING = object()
"""A value that was asked for and that only the server knows."""


class Act(Enum):
    """What somebody was told is done."""

    STARTED = "started"
    ACCEPTED = "accepted"
    PICKED_UP = "picked up"
    UPDATED_BUSINESS = "business's media updated"
    UPDATED_CONSUMER = "consumer's media updated"
    ENDED = "ended"


@dataclass(slots=True)
class Books:
    """Acts by call, with the version of an update and the app that accepted; facts by name, as they were acknowledged last."""

    acts: dict[str, list[tuple[Act, Any]]] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)

    def note(self, call_id: str, act: Act, what: Any = None) -> None:
        """It was acknowledged."""
        self.acts.setdefault(call_id, []).append((act, what))

    def fact(self, name: str) -> Fact:
        """What is known of a stored fact."""
        return self.facts.setdefault(name, Fact())


@dataclass(slots=True)
class Fact:
    """A value that is set again and again: what was acknowledged last, and what was asked for since."""

    acknowledged: Any = None
    asked: list[Any] = field(default_factory=list)

    def done(self, value: Any) -> None:
        """The server says that it is so."""
        self.acknowledged = value
        self.asked.clear()

    def may_be(self, value: Any) -> bool:
        """Whether the database may hold that."""
        return value == self.acknowledged or value in self.asked or ANYTHING in self.asked


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the outbox."""

    id: int
    app_id: str
    event_id: str
    call_id: str
    kind: str
    hold: str
    attempts: int
    body: bytes

    @property
    def name(self) -> str:
        """The event as the ledger names it."""
        return name_of(json.loads(self.body)["entry"][0]["calls"][0])


@dataclass(frozen=True, slots=True)
class Stored:
    """What a database holds since row number `since` of its calls and outbox."""

    calls: Mapping[str, Mapping[str, Any]]
    """Bodies of the calls, by id; `is_live` beside them."""
    rows: tuple[Row, ...]
    last_call: int
    last_row: int

    @classmethod
    def read(cls, path: Path, last_call: int, last_row: int) -> Stored:
        """Beside the server."""
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA query_only = ON")
            calls = database.execute("SELECT number, id, is_live, body FROM calls WHERE number > ?", (last_call,)).fetchall()
            rows = database.execute(
                "SELECT id, app_id, event_id, coalesce(call_id, ''), kind, hold, attempts, body FROM outbox"
                " WHERE id > ? ORDER BY id",
                (last_row,),
            ).fetchall()
        found = {call_id: {**json.loads(body), "is_live": bool(is_live)} for _, call_id, is_live, body in calls}
        numbers = [number for number, *_ in calls]
        return cls(
            found, tuple(Row(*row) for row in rows), max([last_call, *numbers]), max([last_row, *(row[0] for row in rows)])
        )


def faults_of_acts(books: Books, stored: Stored) -> Iterator[str]:
    """Acknowledged and not in the database."""
    for call_id, acts in books.acts.items():
        call = stored.calls.get(call_id)
        if call is None:
            yield f"{call_id}: {[act.value for act, _ in acts]}, and the database has never heard of it"
            continue
        yield from (
            f"{call_id}: {act.value} {what}, and the database says {call}" for act, what in acts if not _holds(call, act, what)
        )


def _holds(call: Mapping[str, Any], act: Act, what: Any) -> bool:
    match act:
        case Act.STARTED:
            return True
        case Act.ACCEPTED:
            return bool(call["owner"] == what and call["accepted"])
        case Act.PICKED_UP:
            return bool(call["device"])
        case Act.UPDATED_BUSINESS:
            return bool(call["business"]["current"] >= what)
        case Act.UPDATED_CONSUMER:
            return bool(call["consumer"]["current"] >= what)
        case Act.ENDED:
            return not call["is_live"] and call["ended_at"] is not None and not EndReason(call["end_reason"]).is_failure


def faults_of_webhooks(books: Books, stored: Stored, receivers: Mapping[str, Receiver]) -> Iterator[str]:
    """Of all calls of the database: never written, lost, invented, changed or out of order."""
    for app_id, receiver in receivers.items():
        rows = [row for row in stored.rows if row.app_id == app_id and row.call_id]
        yield from _faults_of_rows(rows, receiver.arrivals)
        yield from _faults_of_calls(books, stored.calls, app_id, rows)
        yield from _faults_of_order(rows, receiver.arrivals)
        yield from _faults_of_others([row for row in stored.rows if row.app_id == app_id and not row.call_id], receiver.others)
        if receiver.forged:
            yield f"{app_id}: {receiver.forged} requests with a wrong signature"


def _faults_of_rows(rows: Iterable[Row], arrivals: Mapping[str, Arrival]) -> Iterator[str]:
    known = {row.event_id: row for row in rows}
    for row in known.values():
        octets = arrivals[row.event_id].octets if row.event_id in arrivals else []
        if row.hold not in ("delivered", "dropped"):
            yield f"row {row.id}, {row.kind} of {row.call_id}, is still {row.hold}"
        elif row.hold == "delivered" and not octets:
            yield f"row {row.id}, {row.kind} of {row.call_id}, counts as delivered and never came"
        elif row.hold == "dropped" and (row.kind == "terminate" or not row.attempts):
            yield f"row {row.id}, {row.kind} of {row.call_id}, was dropped after {row.attempts} attempts"
        if any(each != row.body for each in octets):
            yield f"row {row.id}, {row.kind} of {row.call_id}, came in other octets"
    yield from (f"{event_id}, {arrivals[event_id].event}, came from nowhere" for event_id in arrivals.keys() - known.keys())


def _faults_of_calls(books: Books, calls: Mapping[str, Mapping[str, Any]], app_id: str, rows: Iterable[Row]) -> Iterator[str]:
    """Each app has the beginning and the end; the owner has all between, as the call and the acts ask for it."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.call_id, []).append(row.name)
    for call_id, call in calls.items():
        told = names.get(call_id, [])
        between = [name for name in told if name not in ("connect", "terminate")]
        if told != ["connect", *between, "terminate"] or between != sorted(set(between), key=rank_of):
            yield f"{call_id}: its webhooks are {told}"
        elif call["owner"] != app_id:
            yield from [f"{call_id} is not {app_id}'s, and its webhooks are {told}"] if between else []
        else:
            yield from (f"{call_id}: {fault}: {told}" for fault in _faults_of_owner(call, books.acts.get(call_id, []), between))


def _faults_of_owner(call: Mapping[str, Any], acts: Sequence[tuple[Act, Any]], between: Sequence[str]) -> Iterator[str]:
    is_picked_up = call["direction"] == Direction.BUSINESS_INITIATED and call["device"] is not None
    has_rung = is_picked_up or (call["direction"] == Direction.BUSINESS_INITIATED and bool(call["ringing"]))
    for name, must_be in zip(PICK_UP, (has_rung, is_picked_up), strict=True):
        if (name in between) is not must_be:
            yield f"{name} is {'missing' if must_be else 'wrong'}"
    versions = [int(name.split()[1]) for name in between if name.startswith(MEDIA)]
    changes = is_picked_up + sum(act is Act.UPDATED_CONSUMER for act, _ in acts)
    if not changes <= len(versions) <= call["business"]["current"]:
        yield f"the consumer's media was to be told {changes} times at least"
    if versions and versions[-1] > call["business"]["current"]:
        yield f"there is no version {versions[-1]}"


def _faults_of_order(rows: Iterable[Row], arrivals: Mapping[str, Arrival]) -> Iterator[str]:
    came: dict[str, list[str]] = {}
    for event_id, arrival in arrivals.items():
        came.setdefault(arrival.call_id, []).append(event_id)
    written: dict[str, list[str]] = {}
    for row in rows:
        if row.event_id in arrivals:
            written.setdefault(row.call_id, []).append(row.event_id)
    yield from (f"{call_id}: its webhooks came out of order" for call_id in written if written[call_id] != came.get(call_id))


def _faults_of_others(rows: Sequence[Row], came: Counter[bytes]) -> Iterator[str]:
    written = Counter(row.body for row in rows)
    for row in rows:
        if row.hold != "delivered":
            yield f"row {row.id}, {row.kind}, is {row.hold}"
        elif came[row.body] < written[row.body]:
            yield f"row {row.id}, {row.kind}, counts as delivered and never came"
    yield from (f"{body!r} came from nowhere" for body in came.keys() - written.keys())


def faults_of_facts(books: Books, values: Mapping[str, Any]) -> Iterator[str]:
    """Facts whose value in the database is neither the acknowledged one nor one that was asked for since."""
    for name, fact in books.facts.items():
        if not fact.may_be(values.get(name)):
            yield f"{name} is {values.get(name)}, acknowledged was {fact.acknowledged}, asked for since {fact.asked}"


def live(path: Path) -> set[str]:
    """Ids of the calls that the database holds for live."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA query_only = ON")
        return {str(row[0]) for row in database.execute("SELECT id FROM calls WHERE is_live = 1")}


def integrity(path: Path) -> list[str]:
    """What SQLite finds wrong with the file: pages, indexes, the uniqueness of live calls, references."""
    with closing(sqlite3.connect(path)) as database:
        try:
            found = [str(row[0]) for row in database.execute("PRAGMA integrity_check")]
            strays = [f"stray row of {row[0]}" for row in database.execute("PRAGMA foreign_key_check")]
        except sqlite3.DatabaseError as error:
            return [str(error)]
    return [each for each in found if each != "ok"] + strays
