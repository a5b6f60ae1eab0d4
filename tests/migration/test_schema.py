"""A new database equals one that went through every migration, and a migration happens whole or not at all."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from pagecalls.store import migrate, queries
from pagecalls.store.migrate import DatabaseTooNew, ForeignDatabase, Migration, Schema
from pagecalls.store.sqlite import SqliteStore


def connect(path: Path | None = None) -> sqlite3.Connection:
    return sqlite3.connect(":memory:" if path is None else path, isolation_level=None)


def shape(connection: sqlite3.Connection) -> dict[str, object]:
    """Tables, columns, references and indexes as facts; the wording and order of statements do not count."""
    facts: dict[str, object] = {"version": connection.execute("PRAGMA user_version").fetchone()}
    entries = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    for kind, name, sql in entries:
        if kind == "table":
            facts[f"columns of {name}"] = sorted(row[1:] for row in connection.execute(f"PRAGMA table_xinfo({name})"))
            references = connection.execute(f"PRAGMA foreign_key_list({name})")
            facts[f"references of {name}"] = sorted((row[1:] for row in references), key=repr)
            facts[f"options of {name}"] = re.findall(r"AUTOINCREMENT|WITHOUT ROWID", sql)
            indexes = connection.execute(f"PRAGMA index_list({name})").fetchall()
            facts[f"keys of {name}"] = sorted(row[2:] for row in indexes if row[3] != "c")
        else:
            facts[f"{kind} {name}"] = re.sub(r"\s+", " ", sql)
    return facts


def test_a_new_database_equals_a_migrated_one() -> None:
    schema = migrate.load()
    fresh, migrated = connect(), connect()
    migrate.bring_up(fresh, schema, queries.load())
    for step in schema.migrations:
        migrated.executescript(f"{step.script};PRAGMA user_version = {step.number};")
    assert shape(fresh) == shape(migrated)
    fresh.close()
    migrated.close()


def test_a_token_that_was_revoked_says_so_after_the_second_step() -> None:
    first, second, *_ = migrate.load().migrations
    connection = connect()
    connection.executescript(first.script)
    connection.execute("INSERT INTO apps VALUES ('1', 'Desk', 'secret', 'v26.0', 0)")
    for digest, is_revoked in (("a", 0), ("b", 1)):
        connection.execute("INSERT INTO tokens VALUES (?, 'app', '1', NULL, '[]', NULL, ?)", (digest, is_revoked))
    connection.executescript(second.script)
    found = connection.execute("SELECT digest, fault, user_id, issued_at FROM tokens ORDER BY digest").fetchall()
    assert found == [("a", None, None, 0), ("b", "revoked", None, 0)]
    connection.close()


SMALL = Schema("CREATE TABLE t (a, b); CREATE TABLE u (c)", (Migration(1, "CREATE TABLE t (a)"),))
STEP_TWO = Migration(2, "ALTER TABLE t ADD COLUMN b; CREATE TABLE u (c)")


def grown(*more: Migration) -> Schema:
    return Schema(SMALL.script, (*SMALL.migrations, *more))


@pytest.fixture
def old() -> sqlite3.Connection:
    connection = connect()
    migrate.bring_up(connection, Schema("CREATE TABLE t (a)", SMALL.migrations), queries.load())
    connection.execute("INSERT INTO t VALUES (1)")
    return connection


def test_an_old_database_gets_the_missing_steps_and_keeps_its_rows(old: sqlite3.Connection) -> None:
    migrate.bring_up(old, grown(STEP_TWO, Migration(3, "UPDATE t SET b = 2")), queries.load())
    assert old.execute("SELECT a, b FROM t").fetchall() == [(1, 2)]
    assert old.execute("PRAGMA user_version").fetchone() == (3,)
    fresh = connect()
    migrate.bring_up(fresh, grown(STEP_TWO, Migration(3, "")), queries.load())
    assert shape(old) == shape(fresh)
    fresh.close()
    old.close()


def test_a_database_that_is_up_to_date_is_left_alone(old: sqlite3.Connection) -> None:
    before = shape(old)
    migrate.bring_up(old, SMALL, queries.load())
    assert shape(old) == before
    old.close()


def test_a_step_that_fails_leaves_the_version_before_it(old: sqlite3.Connection) -> None:
    bad = Migration(3, "CREATE TABLE v (d); INSERT INTO nowhere VALUES (1)")
    with pytest.raises(sqlite3.OperationalError):
        migrate.bring_up(old, grown(STEP_TWO, bad), queries.load())
    assert old.execute("PRAGMA user_version").fetchone() == (2,)
    assert old.execute("SELECT count(*) FROM sqlite_master WHERE name = 'v'").fetchone() == (0,)
    assert not old.in_transaction
    old.close()


def test_migrations_are_numbered_without_gaps() -> None:
    with pytest.raises(ValueError, match="numbered from 1"):
        Schema("", (Migration(2, ""),))


def test_a_newer_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connection = connect(path)
    connection.executescript("CREATE TABLE from_the_future (x); PRAGMA user_version = 99")
    before = shape(connection)
    with pytest.raises(DatabaseTooNew, match=f"version 99, and this program knows versions up to {migrate.load().version}"):
        SqliteStore.open(path)
    assert shape(connection) == before
    connection.close()


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connection = connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(ForeignDatabase, match="no schema version"):
        SqliteStore.open(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(ForeignDatabase, match="not a database"):
        SqliteStore.open(path)
