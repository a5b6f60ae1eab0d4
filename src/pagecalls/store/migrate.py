"""Brings a database to the schema of this version, or says why not.

`PRAGMA user_version` holds the number of the last migration. A new database gets `schema.sql` at once; an older one gets the
missing files of `migrations/` in order, each in a transaction of its own together with its number, so a crash leaves a whole
version. There is no way back: a database of a newer version is refused untouched.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import NoReturn

from pagecalls.store.faults import passing


class UnusableDatabase(Exception):
    """The file cannot be opened as this server's database. The text says why and what helps."""


class DatabaseTooNew(UnusableDatabase):
    """The database was written by a newer version."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(found, known)
        self.found = found
        self.known = known

    def __str__(self) -> str:
        return (
            f"The database has schema version {self.found}, and this program knows versions up to {self.known}. "
            "Use the program version that wrote it, or a newer one."
        )


class ForeignDatabase(UnusableDatabase):
    """The file is not one of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"The file is not a Page Calls database: {self.reason}."


class MigrationPending(UnusableDatabase):
    """The database was written by an older version, and whoever opens it may not change that."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(found, known)
        self.found = found
        self.known = known

    def __str__(self) -> str:
        return (
            f"The database has schema version {self.found}, this program needs {self.known}, and auto_migrate is off. "
            "`pagecalls db upgrade` makes a copy and brings it up."
        )


@dataclass(frozen=True, slots=True)
class Migration:
    """One forward step to schema version `number`."""

    number: int
    script: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database should look like: the text for a new one and the steps for an old one, numbered from 1 without gaps."""

    script: str
    migrations: Sequence[Migration]

    def __post_init__(self) -> None:
        numbers = [migration.number for migration in self.migrations]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError(f"migrations must be numbered from 1 without gaps, not {numbers}")

    @property
    def version(self) -> int:
        """The number of the last migration."""
        return len(self.migrations)

    def after(self, found: int) -> Sequence[Migration]:
        """What a database of version `found` misses."""
        return self.migrations[found:] if found else ()


def load() -> Schema:
    """The schema of this package."""
    folder = resources.files("pagecalls.store")
    found = []
    for file in (folder / "migrations").iterdir():
        if match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name):
            found.append(Migration(int(match[1]), file.read_text(encoding="utf-8"), match[2]))
    script = (folder / "schema.sql").read_text(encoding="utf-8")
    return Schema(script, tuple(sorted(found, key=lambda migration: migration.number)))


def bring_up(connection: sqlite3.Connection, schema: Schema, queries: Mapping[str, str], *, may_migrate: bool = True) -> int:
    """Create or migrate; returns the version that was found, 0 for a new database.

    The connection must be in autocommit mode. Raises `UnusableDatabase`, and `sqlite3.Error` if the disk fails.
    """
    found = version_of(connection, schema, queries)
    if found == 0:
        _run(connection, Migration(schema.version, schema.script))
    missing = schema.after(found)
    if missing and not may_migrate:
        raise MigrationPending(found, schema.version)
    for migration in missing:
        _run(connection, migration)
    return found


def version_of(connection: sqlite3.Connection, schema: Schema, queries: Mapping[str, str]) -> int:
    """The version of a database of ours, 0 if it is empty. Raises `UnusableDatabase`, and `sqlite3.Error` if the disk fails."""
    try:
        (found,) = connection.execute(queries["version"]).fetchone()
        (objects,) = connection.execute(queries["object_count"]).fetchone()
    except sqlite3.DatabaseError as error:
        refuse(error)
    if found > schema.version:
        raise DatabaseTooNew(found, schema.version)
    if found == 0 and objects:
        raise ForeignDatabase("it has tables, but no schema version")
    return int(found)


def refuse(error: sqlite3.DatabaseError) -> NoReturn:
    """Raise why a file could not be opened: the fault itself if it is the disk's, and `ForeignDatabase` else."""
    if passing(error, is_write=False):
        raise error
    raise ForeignDatabase(str(error)) from error


def _run(connection: sqlite3.Connection, migration: Migration) -> None:
    # `executescript` runs outside any transaction of the driver; the script brings its own.
    framed = f"BEGIN IMMEDIATE;\n{migration.script}\n;PRAGMA user_version = {migration.number};\nCOMMIT;"
    try:
        connection.executescript(framed)
    except sqlite3.Error:
        connection.rollback()
        raise
