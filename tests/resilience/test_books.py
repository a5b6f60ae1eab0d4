"""The books find what they are there to find."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pagecalls.store.sqlite import SqliteStore
from pagecalls.types import Direction
from tests.contract.store_samples import seed
from tests.resilience.books import (
    ANYTHING,
    Act,
    Books,
    Row,
    Stored,
    faults_of_acts,
    faults_of_facts,
    faults_of_webhooks,
    integrity,
)
from tests.resilience.receivers import Arrival, Receiver

CALL: Mapping[str, Any] = {
    "direction": Direction.USER_INITIATED.value,
    "owner": "a",
    "ringing": [],
    "accepted": {"digest": "d"},
    "device": None,
    "business": {"current": 2},
    "consumer": {"current": 1},
    "is_live": False,
    "ended_at": 1.0,
    "end_reason": "completed",
}


def body_of(event: str, **members: object) -> bytes:
    return json.dumps({"entry": [{"calls": [{"event": event, **members}]}]}).encode()


def row_of(number: int, event: str, **members: object) -> Row:
    return Row(number, "a", f"e{number}", "c", event, "delivered", 1, body_of(event, **members))


CONNECT = row_of(1, "connect")
RINGING = row_of(2, "call_status", call_status="ringing")
ACCEPTED = row_of(3, "call_status", call_status="accepted")
FIRST = row_of(4, "media_update", session={"version": 1})
SECOND = row_of(5, "media_update", session={"version": 2})
TERMINATE = row_of(9, "terminate")


def stored(*rows: Row, **changed: Any) -> Stored:
    return Stored({"c": {**CALL, **changed}}, rows, 1, 2)


def came(*events: tuple[str, str, bytes]) -> dict[str, Receiver]:
    receiver = Receiver()
    for event_id, event, octets in events:
        receiver.arrivals.setdefault(event_id, Arrival(event, "c")).octets.append(octets)
    return {"a": receiver}


BOTH = (("e1", "connect", CONNECT.body), ("e9", "terminate", TERMINATE.body))


def test_what_is_as_it_should_be_has_no_fault() -> None:
    books = Books()
    for act, what in ((Act.STARTED, None), (Act.ACCEPTED, "a"), (Act.UPDATED_BUSINESS, 2), (Act.ENDED, None)):
        books.note("c", act, what)
    assert list(faults_of_acts(books, stored())) == []
    again = came(*BOTH, BOTH[1])
    assert list(faults_of_webhooks(Books(), stored(CONNECT, TERMINATE), again)) == []
    assert again["a"].repeated == 1


@pytest.mark.parametrize(
    ("act", "what", "changed"),
    [
        (Act.ACCEPTED, "b", {}),
        (Act.ACCEPTED, "a", {"accepted": None}),
        (Act.PICKED_UP, None, {}),
        (Act.UPDATED_BUSINESS, 3, {}),
        (Act.UPDATED_CONSUMER, 2, {}),
        (Act.ENDED, None, {"is_live": True}),
        (Act.ENDED, None, {"end_reason": "server_error"}),
    ],
)
def test_an_act_that_is_not_stored(act: Act, what: Any, changed: dict[str, Any]) -> None:
    books = Books()
    books.note("c", act, what)
    assert len(list(faults_of_acts(books, stored(**changed)))) == 1


def test_a_call_that_is_not_stored() -> None:
    books = Books()
    books.note("lost", Act.STARTED)
    assert "never heard" in next(faults_of_acts(books, stored()))


@pytest.mark.parametrize(
    ("rows", "events", "fault"),
    [
        ((CONNECT, TERMINATE), BOTH[:1], "never came"),
        ((CONNECT, replace(TERMINATE, hold="ready")), BOTH, "still ready"),
        ((CONNECT, replace(TERMINATE, hold="dropped")), BOTH, "was dropped"),
        ((replace(CONNECT, hold="dropped", attempts=0), TERMINATE), BOTH, "was dropped"),
        ((CONNECT, TERMINATE), (*BOTH, ("e9", "terminate", b"other")), "other octets"),
        ((CONNECT, TERMINATE), (*BOTH, ("e3", "terminate", b"x")), "from nowhere"),
        ((CONNECT,), BOTH[:1], "its webhooks are"),
        ((CONNECT, TERMINATE), BOTH[::-1], "out of order"),
    ],
)
def test_a_webhook_that_is_lost_changed_invented_or_early(
    rows: tuple[Row, ...], events: tuple[tuple[str, str, bytes], ...], fault: str
) -> None:
    assert any(fault in each for each in faults_of_webhooks(Books(), stored(*rows), came(*events)))


PICKED_UP = {"direction": Direction.BUSINESS_INITIATED.value, "device": "d"}


@pytest.mark.parametrize(
    ("call", "acts", "between", "fault"),
    [
        ({}, [], (), None),
        ({}, [Act.UPDATED_CONSUMER], (FIRST,), None),
        ({}, [Act.UPDATED_CONSUMER], (), "told 1 times"),
        ({}, [Act.UPDATED_CONSUMER] * 2, (FIRST,), "told 2 times"),
        ({}, [], (RINGING,), "ringing is wrong"),
        ({}, [], (SECOND, FIRST), "its webhooks are"),
        ({}, [], (FIRST, replace(FIRST, event_id="e5")), "its webhooks are"),
        ({"business": {"current": 1}}, [], (SECOND,), "no version 2"),
        (PICKED_UP, [], (RINGING, ACCEPTED, FIRST), None),
        (PICKED_UP, [], (ACCEPTED, FIRST), "ringing is missing"),
        (PICKED_UP, [], (RINGING, FIRST), "accepted is missing"),
        (PICKED_UP, [], (RINGING, ACCEPTED), "told 1 times"),
        (PICKED_UP, [Act.UPDATED_CONSUMER], (RINGING, ACCEPTED, FIRST), "told 2 times"),
        (PICKED_UP, [], (ACCEPTED, RINGING, FIRST), "its webhooks are"),
        (PICKED_UP | {"device": None, "ringing": ["d"]}, [], (RINGING,), None),
        (PICKED_UP | {"device": None, "ringing": ["d"]}, [], (), "ringing is missing"),
        ({"owner": "b"}, [], (FIRST,), "not a's"),
    ],
)
def test_what_was_never_written_between_the_beginning_and_the_end(
    call: dict[str, Any], acts: list[Act], between: tuple[Row, ...], fault: str | None
) -> None:
    books, rows = Books(), (CONNECT, *between, TERMINATE)
    for act in acts:
        books.note("c", act, 1)
    arrivals = came(*((row.event_id, row.kind, row.body) for row in rows))
    found = list(faults_of_webhooks(books, stored(*rows, **call), arrivals))
    assert [each for each in found if fault is None or fault not in each] == []
    assert bool(found) is (fault is not None)


def test_webhooks_without_a_call_are_counted_by_their_octets() -> None:
    row = Row(3, "a", "e3", "", "call_settings_update", "delivered", 1, b"settings")
    receivers = came(*BOTH)
    assert any("never came" in each for each in faults_of_webhooks(Books(), stored(CONNECT, TERMINATE, row), receivers))
    receivers["a"].others[b"settings"] += 2
    assert list(faults_of_webhooks(Books(), stored(CONNECT, TERMINATE, row, replace(row, id=4)), receivers)) == []
    receivers["a"].others[b"other"] += 1
    assert any("from nowhere" in each for each in faults_of_webhooks(Books(), stored(CONNECT, TERMINATE, row), receivers))
    assert any(
        "is ready" in each
        for each in faults_of_webhooks(Books(), stored(CONNECT, TERMINATE, replace(row, hold="ready")), receivers)
    )


def test_a_fact_is_the_last_acknowledged_or_one_asked_for_since() -> None:
    books = Books()
    fact = books.fact("f")
    fact.asked.append(1)
    fact.done(1)
    assert list(faults_of_facts(books, {"f": 1})) == []
    assert list(faults_of_facts(books, {"f": 2}))
    fact.asked.append(2)
    assert list(faults_of_facts(books, {"f": 2})) == []
    assert list(faults_of_facts(books, {}))
    fact.asked.append(ANYTHING)
    assert list(faults_of_facts(books, {"f": 3})) == []


async def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "pagecalls.db"
    store = SqliteStore.open(path)
    await store.write(seed)
    await store.close()
    assert integrity(path) == []
    damaged = bytearray(path.read_bytes())
    page = 4096
    for number in range(2, len(damaged) // page):
        damaged[number * page + 3 : number * page + 8] = b"\xff" * 5
    path.write_bytes(damaged)
    assert integrity(path)
