"""`pagecalls db` beside a server that runs and without one; a copy restored as docs/storage.md says (decision 62)."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pagecalls.cli import main
from pagecalls.clock import SystemClock
from pagecalls.data_dir import DATABASE, sole_user
from pagecalls.demo.business import BusinessApp
from pagecalls.media.fake import FakeEngine
from pagecalls.store import backup
from pagecalls.store.backup import BackupFailed, back_up
from pagecalls.store.sqlite import SqliteStore
from tests.contract.store_samples import a_row, seed
from tests.migration.old import Old

from .conftest import World, a_world


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["db", *map(str, words)])


async def told(*words: object) -> Any:
    """The JSON of a command, in a thread of its own: it blocks, and the server is in this one."""
    result = await asyncio.to_thread(run, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def one(path: Path, sql: str) -> Any:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchone()[0]


async def ended_call(world: World) -> str:
    device = await world.device()
    call_id = await world.connected(device)
    await device.request("call.hangup", call_id=call_id)
    await world.settle()
    return call_id


# --- status and check -------------------------------------------------------------------------------------------------


async def test_status_beside_a_server(world: World) -> None:
    before = world.server.clock.now()
    await ended_call(world)
    found = await told("status", "--data-dir", world.folder)
    assert found["version"] == found["known_version"]
    assert found["pending"] == []
    tables = {table["name"]: table for table in found["tables"]}
    assert tables["calls"]["rows"] == 1
    assert before - 1 <= tables["calls"]["oldest"] == tables["calls"]["newest"]
    assert tables["outbox"]["rows"] == one(world.folder / DATABASE, "SELECT count(*) FROM outbox")
    assert tables["pages"]["oldest"] is None
    pages = one(world.folder / DATABASE, "PRAGMA page_count") * one(world.folder / DATABASE, "PRAGMA page_size")
    assert found["file_bytes"] == pages, "with what is still in the write-ahead log alone"
    schema_page = 4096
    assert sum(table["bytes"] for table in found["tables"]) + found["free_bytes"] + schema_page <= pages
    text = (await asyncio.to_thread(run, "status", "--data-dir", world.folder)).stdout
    assert "which this program needs" in text
    assert "calls" in text


def test_status_of_an_old_database_names_what_it_misses(tmp_path: Path) -> None:
    Old("http://127.0.0.1:9/").write(tmp_path / DATABASE, time.time())
    result = run("status", "--data-dir", tmp_path)
    assert "Schema version 1; `pagecalls db upgrade` brings it to" in result.stdout
    assert "0002_platform" in result.stdout
    assert one(tmp_path / DATABASE, "PRAGMA user_version") == 1


@pytest.mark.parametrize("command", ["status", "upgrade", "check"])
def test_no_database_is_said_in_a_sentence_and_none_is_made(tmp_path: Path, command: str) -> None:
    result = run(command, "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no")
    assert not (tmp_path / DATABASE).exists()


@pytest.mark.parametrize("command", ["status", "upgrade"])
def test_a_file_of_another_program_is_left_alone(tmp_path: Path, command: str) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
        database.execute("CREATE TABLE theirs (x)")
    before = (tmp_path / DATABASE).read_bytes()
    result = run(command, "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "is not a Page Calls database" in result.stderr
    assert (tmp_path / DATABASE).read_bytes() == before


async def test_check_finds_a_damaged_page(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    await SqliteStore.open(path).close()
    assert run("check", "--data-dir", tmp_path).exit_code == 0
    octets = bytearray(path.read_bytes())
    octets[-4096 + 3 : -4096 + 9] = b"\xff" * 6
    path.write_bytes(octets)
    result = run("check", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "is damaged" in result.stdout
    told_so = run("check", path, "--json")
    assert told_so.exit_code == 1
    assert json.loads(told_so.stdout)["faults"]


# --- copies -----------------------------------------------------------------------------------------------------------


async def test_a_copy_of_a_running_server_is_whole_private_and_one_file(world: World, tmp_path: Path) -> None:
    call_id = await ended_call(world)
    device = await world.device()
    live_id = await world.connected(device)
    copy = tmp_path / "copies" / "today.db"
    copy.parent.mkdir()
    made = await told("backup", copy, "--data-dir", world.folder)
    assert made == {"file": str(copy), "bytes": copy.stat().st_size}
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in copy.parent.iterdir()] == ["today.db"]
    assert one(copy, "PRAGMA journal_mode") == "delete"
    assert one(copy, f"SELECT count(*) FROM calls WHERE id IN ('{call_id}', '{live_id}')") == 2
    assert (await told("check", copy))["faults"] == []


async def test_a_restored_copy_serves(world: World, tmp_path: Path, app: BusinessApp) -> None:
    """The steps of docs/storage.md, on a directory in which a killed server left its side files."""
    ended_id, live_device = await ended_call(world), await world.device()
    live_id = await world.connected(live_device)
    copy = tmp_path / "copy.db"
    await told("backup", copy, "--data-dir", world.folder)
    await live_device.request("call.hangup", call_id=live_id)
    # What a kill leaves: a database that is newer than the copy, with a write-ahead log of its own.
    to = tmp_path / "restored"
    shutil.copytree(world.folder, to)
    assert (to / f"{DATABASE}-wal").exists()
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (to / name).unlink(missing_ok=True)
    shutil.copy(copy, to / DATABASE)
    await world.stop()
    app.received.clear()
    clock = SystemClock()
    async with a_world(to, app, clock, FakeEngine(clock)) as restored:
        assert (await restored.server.calls.load(ended_id)) is not None  # type: ignore[arg-type]
        lost = await app.expect("terminate", live_id)
        assert lost.item["status"] == "Failed"
        await ended_call(restored)
        assert backup.check(to / DATABASE) == []


async def test_a_copy_is_finished_while_others_write_without_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slice would otherwise see a changed database and begin again."""
    monkeypatch.setattr(backup, "PAGES", 4)
    path, stop = tmp_path / DATABASE, threading.Event()
    written: list[int] = []
    store = SqliteStore.open(path)
    await store.write(seed)
    await store.write(lambda tx: tx.add_outbox([a_row(f"e{number}") for number in range(2_000)]))
    done: list[int] = []

    def on_progress(pages_done: int, pages: int) -> None:
        done.append(pages_done)
        before = len(written)
        while len(written) == before:
            time.sleep(0.001)  # until the other thread has written between two slices

    def write() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            while not stop.is_set():
                database.execute("UPDATE pages SET name = ?", (str(len(written)),))
                written.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        await asyncio.wait_for(asyncio.to_thread(back_up, path, tmp_path / "copy.db", on_progress), 60)
    finally:
        stop.set()
        writer.join()
    assert done == sorted(done)
    assert len(done) > 20
    assert one(tmp_path / "copy.db", "SELECT count(*) FROM outbox") == 2_000
    await store.close()


async def test_a_file_that_is_there_is_kept_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    await SqliteStore.open(tmp_path / DATABASE).close()
    target = tmp_path / "copy.db"
    target.write_text("precious")
    refused = run("backup", target, "--data-dir", tmp_path)
    assert refused.exit_code == 1
    assert "--replace" in refused.stderr
    assert target.read_text() == "precious"
    assert run("backup", target, "--replace", "--data-dir", tmp_path).exit_code == 0
    assert run("check", target).exit_code == 0


async def test_a_database_in_use_is_never_replaced_by_a_copy(world: World, tmp_path: Path) -> None:
    own = world.folder / DATABASE
    kept = own.stat().st_ino
    other = tmp_path / "other.db"
    for source, target, why in (
        (own, own, "is the database itself"),
        (own, world.folder / ".." / world.folder.name / DATABASE, "is the database itself"),
        (other, own, "is a database in use"),
    ):
        other.write_bytes(b"")
        with pytest.raises(BackupFailed, match=why):
            await asyncio.to_thread(back_up, source, target)
    result = await asyncio.to_thread(run, "backup", own, "--replace", "--data-dir", world.folder)
    assert (result.exit_code, "is the database itself" in result.output) == (1, True)
    assert own.stat().st_ino == kept


async def test_a_copy_that_fails_leaves_nothing_and_the_old_one_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await SqliteStore.open(tmp_path / DATABASE).close()
    folder = tmp_path / "copies"
    folder.mkdir()
    target = folder / "copy.db"
    target.write_text("precious")
    monkeypatch.setattr(backup, "check", lambda path: ["a page is wrong"])
    with pytest.raises(BackupFailed, match="a page is wrong"):
        back_up(tmp_path / DATABASE, target)
    assert [(each.name, each.read_text()) for each in folder.iterdir()] == [("copy.db", "precious")]
    monkeypatch.undo()
    result = run("backup", folder / "nowhere" / "copy.db", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert f"Error: {folder / 'nowhere' / 'copy.db'}: No such file or directory" in result.stderr


# --- upgrade ----------------------------------------------------------------------------------------------------------


def test_an_upgrade_makes_a_copy_first_and_says_what_it_did(tmp_path: Path) -> None:
    Old("http://127.0.0.1:9/").write(tmp_path / DATABASE, time.time())
    result = run("upgrade", "--data-dir", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    done = json.loads(result.stdout)
    assert (done["from"], done["migrations"]) == (1, ["0002_platform"])
    assert one(tmp_path / DATABASE, "PRAGMA user_version") == done["to"]
    copy = Path(done["backup"])
    assert copy.parent == tmp_path
    assert one(copy, "PRAGMA user_version") == 1
    assert one(copy, "SELECT count(*) FROM calls") == 2
    again = run("upgrade", "--data-dir", tmp_path)
    assert "Nothing to do" in again.stdout


def test_an_upgrade_without_a_copy(tmp_path: Path) -> None:
    Old("http://127.0.0.1:9/").write(tmp_path / DATABASE, time.time())
    result = run("upgrade", "--data-dir", tmp_path, "--no-backup")
    assert "No copy was made" in result.stdout
    assert list(tmp_path.glob("pagecalls-v1-*")) == []


def test_an_upgrade_is_refused_while_a_server_runs(tmp_path: Path) -> None:
    Old("http://127.0.0.1:9/").write(tmp_path / DATABASE, time.time())
    with sole_user(tmp_path):
        result = run("upgrade", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "Stop the server first" in result.stderr
    assert one(tmp_path / DATABASE, "PRAGMA user_version") == 1
