"""Which faults of SQLite pass, and that the log says it once."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pagecalls.errors import Unavailable
from pagecalls.store import sqlite
from pagecalls.store.base import User
from pagecalls.store.faults import Trouble, passing
from pagecalls.store.sqlite import SqliteStore
from pagecalls.types import UserId


def fault(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("it broke")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_BUSY_SNAPSHOT,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    ],
)
def test_what_passes(code: int) -> None:
    told = passing(fault(code), is_write=True)
    assert isinstance(told, Unavailable)
    assert told.__cause__ is not None


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT_UNIQUE])
def test_what_is_our_fault_or_stays(code: int) -> None:
    assert passing(fault(code), is_write=True) is None


def test_a_read_that_writes_is_our_fault() -> None:
    assert passing(fault(sqlite3.SQLITE_READONLY), is_write=False) is None


def test_an_error_of_another_kind_is_none_of_this() -> None:
    assert passing(KeyError("x"), is_write=True) is None
    assert passing(sqlite3.InterfaceError("x"), is_write=True) is None


def test_the_log_says_once_that_it_began_and_once_that_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    trouble, told = Trouble(), passing(fault(sqlite3.SQLITE_FULL), is_write=True)
    assert told is not None
    with caplog.at_level(logging.WARNING):
        trouble.over()
        for _ in range(3):
            trouble.note(told)
        trouble.over()
        trouble.over()
    assert [(record.levelname, "refused" in record.message) for record in caplog.records] == [("ERROR", True), ("WARNING", False)]


async def test_a_file_that_another_process_holds_is_refused_and_works_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 0.01)
    path = tmp_path / "store.db"
    store = SqliteStore.open(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writes = [store.write(lambda tx, key=key: tx.put_user(User(UserId(key), "x"))) for key in "ab"]  # type: ignore[misc]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
        other.execute("ROLLBACK")
    await store.write(lambda tx: tx.put_user(User(UserId("c"), "x")))
    assert await store.read(lambda tx: [user.id for user in tx.users("", 9)]) == ["c"]
    await store.close()
