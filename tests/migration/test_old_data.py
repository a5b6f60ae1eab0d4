"""A database of schema version 1 with rows in every table: nothing is lost on the way to this version, and it serves."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pagecalls.clock import SystemClock
from pagecalls.data_dir import DATABASE
from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice
from pagecalls.media.fake import FakeEngine
from pagecalls.store import migrate, queries
from pagecalls.store.backup import check
from pagecalls.store.migrate import MigrationPending
from pagecalls.store.sqlite import SqliteStore
from tests.migration.old import APP, CONSUMER_TOKEN, OTHER_PSID, PAGE, PAGE_TOKEN, PSID, SECRET, TERMINATE, Old
from tests.scenarios.conftest import AIORTC, CHROMIUM, a_world, offered

MOVED = {"tokens": {"is_revoked"}, "outbox": {"delivered_at"}}
"""Columns whose values stand elsewhere since; their tests are below."""

GONE = {"meta"}
"""Tables that no version ever wrote to."""


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(f"SELECT * FROM {table}")]


def is_there(row: dict[str, Any], found: list[dict[str, Any]]) -> bool:
    return any(all(other.get(column) == value for column, value in row.items()) for other in found)


async def test_every_row_of_every_table_comes_through(tmp_path: Path) -> None:
    path, now = tmp_path / DATABASE, time.time()
    old = Old("http://127.0.0.1:9/webhook")
    old.write(path, now)
    with closing(sqlite3.connect(path)) as database:
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} - {"sqlite_sequence"}
    assert tables == set(old.tables(now))
    await SqliteStore.open(path).close()
    for table, before in old.tables(now).items():
        if table in GONE:
            continue
        found = rows(path, table)
        assert len(found) == len(before)
        for row in before:
            kept = {column: value for column, value in row.items() if column not in MOVED.get(table, ())}
            assert is_there(kept, found), (table, row)
    assert check(path) == []
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        schema = migrate.load()
        assert migrate.bring_up(database, schema, queries.load(), may_migrate=False) == schema.version


async def test_when_a_webhook_was_delivered_is_kept(tmp_path: Path) -> None:
    path, now = tmp_path / DATABASE, time.time()
    Old("http://127.0.0.1:9/webhook").write(path, now)
    await SqliteStore.open(path).close()
    assert [row["settled_at"] for row in rows(path, "outbox")] == [now - 50, None]
    assert [row["lane"] for row in rows(path, "outbox")] == ["c_old", "c_old"]


async def test_a_token_that_was_revoked_stays_so(tmp_path: Path) -> None:
    path, now = tmp_path / DATABASE, time.time()
    Old("http://127.0.0.1:9/webhook").write(path, now)
    await SqliteStore.open(path).close()
    faults = sorted(str(row["fault"]) for row in rows(path, "tokens"))
    assert faults == ["None", "revoked"]


async def test_it_serves(tmp_path: Path) -> None:
    clock, folder = SystemClock(), tmp_path / "data"
    app = BusinessApp()
    await app.start()
    app.use("", PAGE, PAGE_TOKEN, SECRET)
    Old(app.url).write(folder / DATABASE, clock.now())
    receiver = BusinessApp()
    await receiver.start()
    async with a_world(folder, receiver, clock, FakeEngine(clock)) as world:
        app.use(world.base_url, PAGE, PAGE_TOKEN, SECRET)
        # What was owed comes, in its own octets; the call whose engine is gone has ended and is told.
        owed = await app.expect("terminate", "c_old")
        assert owed.raw == TERMINATE
        lost = await app.expect("terminate", "c_live")
        assert lost.item["status"] == "Failed"
        granted = await app.get(f"/v26.0/{PAGE}/messenger_call_permissions?psid={PSID}")
        assert granted
        device = ConsumerDevice()
        await device.connect(world.base_url, CONSUMER_TOKEN)
        call_id = (await app.call("connect", to=PSID, session=offered(CHROMIUM)))["call_id"]
        await device.expect("call.incoming", call_id=call_id)
        await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
        await device.request("call.hangup", call_id=call_id)
        await app.expect("terminate", call_id)
        await device.close()
        assert {row["psid"] for row in rows(folder / DATABASE, "consumers")} >= {PSID, OTHER_PSID}
        assert APP in {row["id"] for row in rows(folder / DATABASE, "apps")}
    await app.close()
    await receiver.close()


async def test_a_server_that_may_not_migrate_says_what_helps_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data" / DATABASE
    Old("http://127.0.0.1:9/webhook").write(path, time.time())
    before = path.read_bytes()
    clock, app = SystemClock(), BusinessApp()
    with pytest.raises(MigrationPending, match="pagecalls db upgrade"):
        async with a_world(path.parent, app, clock, FakeEngine(clock), auto_migrate=False):
            pass
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)


async def test_a_new_database_is_no_migration(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / DATABASE, may_migrate=False)
    await store.close()
