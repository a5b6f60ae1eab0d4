"""The store on SQLite: opening a file or `:memory:`, and the two threads behind it.

On a file one thread writes and one reads, each on its own connection; WAL lets the reader see the last committed state while a
group is being written. A `:memory:` database has one connection, so its reads run between two groups. SQL lives in `queries/`,
`schema.sql` and `migrations/`; this module only names it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pagecalls.store import migrate, queries
from pagecalls.store.base import Transaction
from pagecalls.store.writer import ConnectionThread

T = TypeVar("T")

_BUSY_TIMEOUT_S = 5.0
"""How long a write waits for a foreign process that holds the file, such as a backup."""

_CACHED_STATEMENTS = 256
"""More than there are named queries, so each is compiled once per connection."""


class SqliteStore:
    """Implements `base.Store`. Make one with `open`."""

    def __init__(self, writer: ConnectionThread, reader: ConnectionThread) -> None:
        self._writer = writer
        self._reader = reader

    @classmethod
    def open(cls, path: Path | None, *, may_migrate: bool = True) -> SqliteStore:
        """Open or create the database at `path` (`None`: in memory, gone with the store), and migrate it if that is allowed.

        A new file gets mode 0600, and so do its WAL files. Raises `migrate.UnusableDatabase`, `sqlite3.Error` if the
        disk fails, or `OSError` for the path.
        """
        named = queries.load()
        if path is not None:
            _make_private(path)
        connection = _connect(path, named)
        try:
            migrate.bring_up(connection, migrate.load(), named, may_migrate=may_migrate)
        except BaseException:
            connection.close()
            raise
        writer = ConnectionThread(connection, named, "store-writer")
        if path is None:
            return cls(writer, writer)
        return cls(writer, ConnectionThread(_connect(path, named), named, "store-reader", is_read_only=True))

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """See `base.Store.write`. A cancelled caller does not take the work back. Raises `Unavailable` once closed."""
        return await self._writer.submit(work, is_write=True)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """See `base.Store.read`. An attempt to write raises."""
        return await self._reader.submit(work, is_write=False)

    async def close(self) -> None:
        """Finish what is queued, then close. May be called again."""
        await self._reader.close()
        await self._writer.close()


def _make_private(path: Path) -> None:
    """SQLite gives its side files the mode of the database, so this one call protects all three."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)


def _connect(path: Path | None, named: Mapping[str, str]) -> sqlite3.Connection:
    connection = sqlite3.connect(
        ":memory:" if path is None else path,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )
    try:
        for name in ("use_wal", "use_full_sync", "use_foreign_keys"):
            connection.execute(named[name])
    except sqlite3.DatabaseError as error:
        connection.close()
        migrate.refuse(error)
    return connection
