"""What only the SQLite store promises: group commit, durability, private files, and threads that outlive their callers."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pagecalls.errors import Unavailable
from pagecalls.store import queries
from pagecalls.store.base import PageSubscription, Transaction, User
from pagecalls.store.sqlite import SqliteStore
from pagecalls.store.writer import ConnectionThread
from pagecalls.types import AppId, UserId
from tests.contract.store_samples import PAGE, a_row, ready_rows, seed


@pytest.fixture(params=["file", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "store.db" if request.param == "file" else None


class Refused(Exception):
    """What a unit of work of these tests raises."""


class Plug:
    """A unit of work that keeps the store's thread until it is pulled, so that what is queued behind it becomes one group."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._pulled = threading.Event()

    def __call__(self, transaction: Transaction) -> None:
        self._begun.set()
        assert self._pulled.wait(10)

    async def in_place(self) -> None:
        assert await asyncio.to_thread(self._begun.wait, 10)

    def pull(self) -> None:
        self._pulled.set()


def put(transaction: Transaction, key: str) -> None:
    """The least that can be written: a user, who needs nothing else to be there."""
    transaction.put_user(User(UserId(key), "Ada"))


def keys(transaction: Transaction) -> list[str]:
    return [user.id for user in transaction.users("", 9)]


def write_key(store: SqliteStore, key: str) -> asyncio.Task[None]:
    return asyncio.ensure_future(store.write(lambda transaction: put(transaction, key)))


# --- group commit -----------------------------------------------------------------------------------------------------


async def test_one_failed_unit_of_a_group_leaves_the_others(path: Path | None) -> None:
    store, plug = SqliteStore.open(path), Plug()

    def fail(transaction: Transaction) -> None:
        put(transaction, "b")
        raise Refused

    first = asyncio.ensure_future(store.write(plug))
    await plug.in_place()
    group = [write_key(store, "a"), asyncio.ensure_future(store.write(fail)), write_key(store, "c")]
    await asyncio.sleep(0)
    plug.pull()
    outcomes = await asyncio.gather(first, *group, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), Refused, type(None)]
    assert await store.read(keys) == ["a", "c"]
    await store.close()


async def test_a_group_is_one_commit_and_nobody_hears_of_success_before_it(tmp_path: Path) -> None:
    store, plug, last = SqliteStore.open(tmp_path / "store.db"), Plug(), Plug()
    held = asyncio.ensure_future(store.write(plug))
    await plug.in_place()
    early = write_key(store, "a")
    late = asyncio.ensure_future(store.write(last))
    await asyncio.sleep(0)
    plug.pull()
    await last.in_place()  # "a" was written in this group, whose commit waits for `last`
    await held
    await asyncio.sleep(0)
    assert not early.done()
    assert await store.read(keys) == []
    last.pull()
    await asyncio.gather(early, late)
    assert await store.read(keys) == ["a"]
    await store.close()


async def test_a_failed_commit_fails_the_whole_group(path: Path | None) -> None:
    store, plug = SqliteStore.open(path), Plug()

    def break_commit(transaction: Transaction) -> None:
        # A foreign key that is checked at the end only: the one way to make COMMIT itself refuse.
        connection = transaction._connection  # type: ignore[attr-defined]
        connection.execute("CREATE TABLE child (parent TEXT REFERENCES apps (id) DEFERRABLE INITIALLY DEFERRED)")
        connection.execute("INSERT INTO child VALUES ('nobody')")

    first = asyncio.ensure_future(store.write(plug))
    await plug.in_place()
    group = [write_key(store, "a"), asyncio.ensure_future(store.write(break_commit)), write_key(store, "c")]
    await asyncio.sleep(0)
    plug.pull()
    outcomes = await asyncio.gather(first, *group, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None)] + 3 * [sqlite3.IntegrityError]
    assert await store.read(keys) == []
    await write_key(store, "d")
    assert await store.read(keys) == ["d"]
    await store.close()


async def test_a_group_that_the_database_threw_away_fails_whole(path: Path | None) -> None:
    store, plug = SqliteStore.open(path), Plug()

    def lose_everything(transaction: Transaction) -> None:
        transaction._connection.execute("ROLLBACK")  # type: ignore[attr-defined]
        raise Refused

    first = asyncio.ensure_future(store.write(plug))
    await plug.in_place()
    group = [write_key(store, "a"), asyncio.ensure_future(store.write(lose_everything)), write_key(store, "c")]
    await asyncio.sleep(0)
    plug.pull()
    outcomes = await asyncio.gather(first, *group, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None)] + 3 * [Refused]
    await write_key(store, "d")
    assert await store.read(keys) == ["d"]
    await store.close()


async def test_reads_of_a_file_do_not_wait_for_writes_and_see_the_last_commit(tmp_path: Path) -> None:
    store, plug = SqliteStore.open(tmp_path / "store.db"), Plug()
    await write_key(store, "a")

    def write_and_wait(transaction: Transaction) -> None:
        put(transaction, "b")
        plug(transaction)

    writing = asyncio.ensure_future(store.write(write_and_wait))
    await plug.in_place()
    assert await store.read(keys) == ["a"]
    plug.pull()
    await writing
    assert await store.read(keys) == ["a", "b"]
    await store.close()


async def test_a_read_that_writes_is_refused(path: Path | None) -> None:
    store = SqliteStore.open(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store.read(lambda transaction: put(transaction, "a"))
    await write_key(store, "b")
    assert await store.read(keys) == ["b"]
    await store.close()


@pytest.mark.parametrize("is_read_only", [True, False])
async def test_a_connection_that_only_reads_is_set_once(is_read_only: bool) -> None:
    """Setting it for each group would cost more than the reads: SQLite compiles every statement again after a PRAGMA."""
    said: list[str] = []
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.set_trace_callback(said.append)
    thread = ConnectionThread(connection, {**queries.load(), "user": "SELECT ? WHERE 0"}, "reader", is_read_only=is_read_only)
    for _ in range(2):
        await thread.submit(lambda transaction: transaction.user(UserId("a")), is_write=False)
    await thread.close()
    settings = [text for text in said if text.startswith("PRAGMA")]
    on, off = "PRAGMA query_only = ON", "PRAGMA query_only = OFF"
    assert settings == ([on] if is_read_only else [on, off, on, off])


# --- callers that go away ---------------------------------------------------------------------------------------------


async def test_a_cancelled_caller_breaks_nothing_and_its_work_is_done(path: Path | None) -> None:
    store, plug = SqliteStore.open(path), Plug()
    first = asyncio.ensure_future(store.write(plug))
    await plug.in_place()
    leaving, staying = write_key(store, "a"), write_key(store, "b")
    await asyncio.sleep(0)
    leaving.cancel()
    first.cancel()
    plug.pull()
    await staying
    assert leaving.cancelled()
    assert await store.read(keys) == ["a", "b"]
    await store.close()


async def test_an_error_that_a_future_cannot_carry_reaches_the_caller_as_another(path: Path | None) -> None:
    store = SqliteStore.open(path)

    def work(transaction: Transaction) -> None:
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        await store.write(work)
    await store.close()


def test_a_loop_that_ended_does_not_stop_the_store(path: Path | None) -> None:
    store, plug = SqliteStore.open(path), Plug()

    async def leave_early() -> None:
        asyncio.ensure_future(store.write(plug))  # noqa: RUF006 — nobody waits for it, on purpose
        await plug.in_place()

    async def come_later() -> list[str]:
        await write_key(store, "a")
        found = await store.read(keys)
        await store.close()
        return found

    asyncio.run(leave_early())
    plug.pull()
    assert asyncio.run(come_later()) == ["a"]


async def test_closing_finishes_what_is_queued_and_then_refuses(path: Path | None) -> None:
    store, plug = SqliteStore.open(path), Plug()
    first = asyncio.ensure_future(store.write(plug))
    await plug.in_place()
    queued = [write_key(store, key) for key in "abc"]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(store.close())
    await asyncio.sleep(0)
    plug.pull()
    await asyncio.gather(first, *queued, closing)
    for refused in (store.write(keys), store.read(keys)):
        with pytest.raises(Unavailable):
            await refused
    if path is not None:
        again = SqliteStore.open(path)
        assert await again.read(keys) == ["a", "b", "c"]
        await again.close()


# --- the file ---------------------------------------------------------------------------------------------------------


def modes_in(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


async def test_the_files_are_private(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch(0o644)
    store = SqliteStore.open(path)
    await write_key(store, "a")
    assert modes_in(tmp_path) == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
    await store.close()


async def test_references_to_nothing_are_refused(path: Path | None) -> None:
    store = SqliteStore.open(path)
    stray = PageSubscription(AppId("404"), PAGE, ("calls",))
    with pytest.raises(sqlite3.IntegrityError):
        await store.write(lambda transaction: transaction.put_page_subscription(stray))
    await store.close()


async def test_settings_of_the_connection(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "store.db")

    def pragmas(transaction: Transaction) -> list[object]:
        connection = transaction._connection  # type: ignore[attr-defined]
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert await store.write(pragmas) == ["wal", 2, 1]
    await store.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from pagecalls.store.sqlite import SqliteStore
from tests.contract.store_samples import a_row, seed

async def main():
    store = SqliteStore.open(Path(sys.argv[1]))
    await store.write(seed)

    async def add(lane):
        number = 0
        while True:
            event = f"{lane}-{number}"
            await store.write(lambda transaction: transaction.add_outbox([a_row(event)]))
            sys.stdout.write(event + "\\n")
            sys.stdout.flush()
            number += 1

    await asyncio.gather(*(add(lane) for lane in range(8)))

asyncio.run(main())
"""


def write_until_killed(path: Path) -> list[str]:
    """Run a writer, kill it in the middle of its work, and give back what it had heard to be stored."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        cwd=root,
        env={"PYTHONPATH": f"{root / 'src'}:{root}"},
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout as lines:
        try:
            acknowledged = [next(lines).strip() for _ in range(200)]
        finally:
            process.kill()
        acknowledged += [line.strip() for line in lines if line.endswith("\n")]
    assert process.returncode == -signal.SIGKILL
    return acknowledged


async def test_every_acknowledged_row_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    acknowledged = write_until_killed(path)
    store = SqliteStore.open(path)
    stored = await store.read(lambda transaction: [row.event_id for row in ready_rows(transaction)])
    await store.close()
    assert set(acknowledged) <= set(stored)
    for lane in range(8):
        own = [event for event in stored if event.startswith(f"{lane}-")]
        assert own == [f"{lane}-{number}" for number in range(len(own))]


async def test_a_reopened_file_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore.open(path)
    await store.write(seed)
    (first,) = await store.write(lambda transaction: transaction.add_outbox([a_row("e1")]))
    await store.close()
    store = SqliteStore.open(path)
    (second,) = await store.write(lambda transaction: transaction.add_outbox([a_row("e2")]))
    assert second > first
    assert await store.read(lambda transaction: [row.event_id for row in ready_rows(transaction)]) == ["e1", "e2"]
    await store.close()
