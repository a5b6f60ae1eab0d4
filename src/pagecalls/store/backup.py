"""Copies of a database while it is in use, and whether a file is whole (decision 62).

A copy is made in slices by SQLite's own backup, under one snapshot: what is written meanwhile is not in it, and does not make it
begin again. It appears under its name only when it is whole, checked and on the disk. It is one file, for its owner's eyes only.

Knows nothing of what the tables hold.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

PAGES = 256
"""Of one slice: a megabyte."""
BUSY_S = 10.0


class BackupFailed(Exception):
    """There is no copy. The text says why."""


def back_up(source: Path, target: Path, on_progress: Callable[[int, int], None] = lambda done, pages: None) -> int:
    """Copy the database `source` to the file `target`, which is replaced if it exists; returns its size in bytes.

    `on_progress` is told the pages that are done, and how many there are. Raises `BackupFailed`.
    """
    if not source.is_file():
        raise BackupFailed(f"there is no database {source}")
    if target.exists() and target.samefile(source):
        raise BackupFailed(f"{target} is the database itself")
    if target.with_name(target.name + "-wal").exists():
        # Its log would be applied to the copy, and whoever has it open would go on writing to a file that is gone.
        raise BackupFailed(f"{target} is a database in use, or one that was not closed")
    draft = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        _make_private(draft)
        _copy(source, draft, on_progress)
        if faults := check(draft):
            raise BackupFailed(f"the copy is not whole: {faults[0]}")
        _to_disk(draft)
        draft.replace(target)
        _to_disk(target.parent)
        return target.stat().st_size
    except OSError as error:
        raise BackupFailed(f"{target}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise BackupFailed(f"{target}: {error}") from error
    finally:
        for left in (draft, *(draft.with_name(draft.name + end) for end in ("-journal", "-wal", "-shm"))):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)


def check(path: Path) -> list[str]:
    """What is wrong with a database: its pages, indexes and references. Empty if it is whole.

    Raises `sqlite3.Error` if it cannot be read at all, and `OSError` if there is none.
    """
    if not path.is_file():
        raise FileNotFoundError(2, "there is no such file", str(path))
    with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as database:
        try:
            found = [str(row[0]) for row in database.execute("PRAGMA integrity_check")]
            strays = [f"a row of {row[0]} points at nothing in {row[2]}" for row in database.execute("PRAGMA foreign_key_check")]
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            return [str(error)]
    return [each for each in found if each != "ok"] + strays


def _copy(source: Path, draft: Path, on_progress: Callable[[int, int], None]) -> None:
    def told(status: int, remaining: int, total: int) -> None:
        on_progress(total - remaining, total)

    with (
        closing(sqlite3.connect(source, timeout=BUSY_S, isolation_level=None)) as original,
        closing(sqlite3.connect(draft, isolation_level=None)) as copy,
    ):
        # Without a transaction of its own, each slice would see what was written since the last one, and begin again.
        original.execute("BEGIN")
        original.execute("SELECT count(*) FROM sqlite_master").fetchone()
        original.backup(copy, pages=PAGES, progress=told)
        # A copy is one file: it takes up write-ahead logging when a server opens it.
        copy.execute("PRAGMA journal_mode = DELETE")


def _make_private(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
