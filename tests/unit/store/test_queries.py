from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pagecalls.store import migrate, queries
from pagecalls.store import transaction as transaction_module
from pagecalls.store import writer as writer_module


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    migrate.bring_up(made, migrate.load(), queries.load())
    yield made
    made.close()


def test_statements_are_found_by_name() -> None:
    text = "-- For the reader.\n\n-- name: one\nSELECT 1\n\n-- name: two\nSELECT\n  2 -- not a name: line\n"
    assert queries.parse(text) == {"one": "SELECT 1", "two": "SELECT\n  2 -- not a name: line"}


@pytest.mark.parametrize("text", ["-- name: one\nSELECT 1\n-- name: one\nSELECT 2\n", "-- name: one\n\n-- name: two\nSELECT 1\n"])
def test_a_name_given_twice_or_without_statement_is_refused(text: str) -> None:
    with pytest.raises(queries.BadQueryFile):
        queries.parse(text)


def test_every_named_query_is_used_and_every_used_name_exists() -> None:
    named = set(queries.load())
    used: set[str] = set()
    folder = Path(str(transaction_module.__file__)).parent
    for file in (*folder.glob("*.py"), Path(str(writer_module.__file__)), Path(str(migrate.__file__))):
        used |= set(re.findall(r'"(\w+)"', file.read_text(encoding="utf-8")))
    used |= {"use_wal", "use_full_sync", "use_foreign_keys"}
    assert named <= used


BUSY = [
    "call",
    "live_call",
    "live_calls",
    "live_calls_of_page",
    "live_calls_of_app",
    "calls_begun",
    "consumers_of_page",
    "made_tokens",
    "token",
    "consumer_token",
    "release_outbox",
    "release_all_outbox",
    "outbox_row",
    "is_untried",
    "fresh_outbox",
    "retries_outbox",
    "apps_with_ready_rows",
    "next_outbox_at",
    "outbox_delivered",
    "outbox_failed",
    "drop_stale_outbox",
    "forget_calls",
    "forget_outbox",
    "forget_tokens",
    "forget_consumer_tokens",
    "forget_call_buttons",
    "forget_messages",
    "forget_permission_requests",
]

OPEN_ROWS = {
    "apps_with_ready_rows": {"outbox_fresh", "outbox_retries"},
    "fresh_outbox": {"outbox_fresh", "outbox_held"},
    "retries_outbox": {"outbox_retries"},
    "replay_outbox": {"outbox_by_call"},
    "replays_outbox": {"outbox_replays"},
    "next_outbox_at": {"outbox_next"},
    "owed_webhooks": {"outbox_held", "outbox_fresh", "outbox_retries"},
    "erase_other_webhooks": {"outbox_about"},
}
"""What the courier, replays and erasures look through: rows that are open, of one call or of one person, never all of them."""

OF_ONE = {"calls_begun": "calls_pair (page_id=? AND psid=?)", "consumers_of_page": "PRIMARY KEY (page_id=? AND psid>?)"}
"""What is found by the Page and the person, however many others there are."""

SORTED = ["live_calls"]
"""These sort what the index gives them, because it is little."""


def plan_of(connection: sqlite3.Connection, name: str) -> list[str]:
    statement = queries.load()[name]
    parameters = dict.fromkeys(re.findall(r":(\w+)", statement), 1) or (1,) * statement.count("?")
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]


@pytest.mark.parametrize("name", BUSY)
def test_no_busy_query_walks_all_calls_or_all_rows(connection: sqlite3.Connection, name: str) -> None:
    plan = plan_of(connection, name)
    walks = [
        step
        for step in plan
        if re.match(r"SCAN (calls|outbox|fresh|earlier|tokens|consumer_tokens|call_buttons|messages|permission_requests)\b", step)
    ]
    # A partial index holds live calls or open rows only, so walking it whole is meant.
    assert [step for step in walks if not re.search(r"INDEX (calls|outbox)_", step)] == []
    if name not in SORTED:
        assert [step for step in plan if "TEMP B-TREE" in step] == []


@pytest.mark.parametrize("name", OPEN_ROWS)
def test_what_is_owed_is_found_without_what_was_delivered(connection: sqlite3.Connection, name: str) -> None:
    used = {found[1] for step in plan_of(connection, name) if (found := re.search(r"INDEX (outbox_\w+)", step))}
    assert used == OPEN_ROWS[name]


@pytest.mark.parametrize("name", OF_ONE)
def test_what_is_of_one_page_or_person_is_found_without_the_others(connection: sqlite3.Connection, name: str) -> None:
    assert [step for step in plan_of(connection, name) if OF_ONE[name] in step] == plan_of(connection, name)
