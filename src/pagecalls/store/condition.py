"""What a database is like: its version, its size, and what is in it. For operators; changes nothing.

Its statements name tables that it finds in the file, so they are not among the named ones of `queries/`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pagecalls.store import migrate, queries

AGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "calls": ("ended_at",),
        "outbox": ("created_at",),
        "deliveries": ("at",),
        "messages": ("created_at", "sent_at"),
        "permission_requests": ("created_at", "sent_at"),
        "call_metrics": ("reported_at",),
        "consumers": ("created_at",),
        "tokens": ("issued_at",),
        "consumer_tokens": ("issued_at",),
    }
)
"""The column that tells a row's age; the first that the table has."""
BUSY_S = 10.0


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table. `bytes` with its indexes, `None` where SQLite was built without a way to know; times are Unix seconds."""

    name: str
    rows: int
    bytes: int | None
    oldest: float | None
    newest: float | None


@dataclass(frozen=True, slots=True)
class Condition:
    """A database. `pending`: the migrations that it misses, in order. `file_bytes`: its size, with what is so far in the
    write-ahead log alone; `log_bytes`: the size of that log, beside the file."""

    path: Path
    version: int
    known_version: int
    pending: tuple[str, ...]
    file_bytes: int
    free_bytes: int
    log_bytes: int
    tables: tuple[TableFacts, ...]


def examine(path: Path) -> Condition:
    """Look at the database, beside a server or without one. Raises `migrate.UnusableDatabase`, `sqlite3.Error`, `OSError`."""
    if not path.is_file():
        raise FileNotFoundError(2, "there is no database", str(path))
    schema, log = migrate.load(), path.with_name(path.name + "-wal")
    with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as database:
        database.execute("PRAGMA query_only = ON")
        version = migrate.version_of(database, schema, queries.load())
        database.execute("BEGIN")
        names = ("page_count", "freelist_count", "page_size")
        pages, free, page_bytes = (int(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in names)
        sizes = _sizes(database)
        found = [str(row[0]) for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        tables = tuple(_facts(database, name, sizes) for name in found if not name.startswith("sqlite_"))
    pending = tuple(f"{each.number:04}_{each.name}" for each in schema.after(version))
    log_bytes = log.stat().st_size if log.exists() else 0
    return Condition(path, version, schema.version, pending, pages * page_bytes, free * page_bytes, log_bytes, tables)


def _sizes(database: sqlite3.Connection) -> Mapping[str, int] | None:
    """Bytes of each table with its indexes."""
    sql = (
        "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat('main', 1) AS s JOIN sqlite_master AS m ON m.name = s.name"
        " GROUP BY m.tbl_name"
    )
    try:
        return {str(name): int(size) for name, size in database.execute(sql)}
    except sqlite3.OperationalError:
        return None  # an SQLite without SQLITE_ENABLE_DBSTAT_VTAB


def _facts(database: sqlite3.Connection, name: str, sizes: Mapping[str, int] | None) -> TableFacts:
    columns = {str(row[1]) for row in database.execute(f'PRAGMA table_info("{name}")')}
    age = next((column for column in AGES.get(name, ()) if column in columns), None)
    # 0 stands for "not known": the column is younger than the row.
    span = f'min(nullif("{age}", 0)), max(nullif("{age}", 0))' if age else "NULL, NULL"
    rows, oldest, newest = database.execute(f'SELECT count(*), {span} FROM "{name}"').fetchone()
    return TableFacts(name, int(rows), sizes.get(name, 0) if sizes is not None else None, oldest, newest)
