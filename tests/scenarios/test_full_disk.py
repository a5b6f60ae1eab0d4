"""The disk is full: what is asked is refused as something that passes, nothing is half done, and the server goes on afterwards.

SQLite itself refuses, as for a full disk, once the file may not grow (`PRAGMA max_page_count`).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Literal

import pytest

from pagecalls.call.states import CallState, EndReason
from pagecalls.clock import SystemClock
from pagecalls.data_dir import DATABASE
from pagecalls.demo.business import BusinessApp, GraphRefused
from pagecalls.demo.device import DeviceRefused
from pagecalls.errors import Unavailable
from pagecalls.media.fake import FakeEngine
from pagecalls.store.base import Transaction
from pagecalls.types import CallId

from .conftest import AIORTC, CHROMIUM, World, a_world, offered

MOST_PAGES = 1_073_741_823
"""What SQLite allows without being told."""

# Of no age, so that no upkeep makes room.
FILLERS = (
    "INSERT INTO users (id, name, created_at) VALUES (:name, :text, 0)",
    "INSERT INTO outbox (event_id, app_id, object, kind, body, created_at, hold, next_at, attempts)"
    " SELECT :name, id, 'page', 'connect', :text, 0, 'delivered', 9e12, 1 FROM apps LIMIT 1",
    "INSERT INTO calls (id, page_id, psid, state, is_live, ended_at, body, media)"
    " SELECT :name, page_id, psid, 'filler', 0, 9e12, :text, '' FROM consumers LIMIT 1",
    "INSERT INTO consumers (page_id, psid, platform, name) SELECT id, :name, 'messenger', :text FROM pages LIMIT 1",
)


def execute(tx: Transaction, sql: str, **named: object) -> Any:
    return tx._connection.execute(sql, named).fetchone()  # type: ignore[attr-defined]


def limit_pages(tx: Transaction, pages: int) -> None:
    execute(tx, f"PRAGMA max_page_count = {pages}")


@asynccontextmanager
async def full_disk(world: World) -> AsyncIterator[None]:
    """The file may not grow any more, and its half-filled pages are filled up."""
    store = world.server.calls.store
    await store.write(lambda tx: limit_pages(tx, execute(tx, "PRAGMA page_count")[0]))
    for filler in FILLERS:
        for size in (2_000, 500, 100, 10):
            await fill(world, filler, size)
    yield
    await store.write(lambda tx: limit_pages(tx, MOST_PAGES))


async def fill(world: World, filler: str, size: int) -> None:
    """Write until it is refused."""
    store = world.server.calls.store
    for number in range(1_000):
        name = f"filler-{size}-{number}"
        try:
            await store.write(lambda tx, name=name: execute(tx, filler, name=name, text="x" * size))  # type: ignore[misc]
        except Unavailable:
            return
    raise AssertionError("the file may still grow")


async def refused(work: Awaitable[Any]) -> int:
    """The code of the error of a request that must be refused."""
    with pytest.raises((GraphRefused, DeviceRefused)) as caught:
        await work
    match caught.value:
        case GraphRefused() as error:
            assert (error.status, error.error["is_transient"]) == (503, True)
            return int(error.error["code"])
        case DeviceRefused() as error:
            return int(error.data["code"])
    raise caught.value


def stored_calls(world: World) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(world.folder / DATABASE)) as database:
        return database.execute("SELECT id, is_live FROM calls WHERE state <> 'filler' ORDER BY number").fetchall()


async def test_a_call_is_refused_and_nothing_of_it_is_left(world: World) -> None:
    device = await world.device()
    await world.grant()
    async with full_disk(world):
        code = await refused(device.request("call.start", page_id=world.page_id, session=offered(CHROMIUM)))
        assert code == 2
        code = await refused(world.app.call("connect", to=world.psid, session=offered(CHROMIUM)))
        assert code == 2
        assert world.engine.calls == []
        assert not world.engine.legs
        assert stored_calls(world) == []
        assert not world.server.calls.locks.count
    call_id = await world.connected(device)
    assert stored_calls(world) == [(call_id, 1)]


async def test_a_call_that_rings_can_be_accepted_when_there_is_space_again(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    async with full_disk(world):
        code = await refused(world.app.call("accept", call_id=call_id, session=offered(AIORTC)))
        assert code == 2
        assert len(world.engine.legs) == 1
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    await world.up(call_id)
    await device.expect("call.connected", call_id=call_id)
    await device.request("call.hangup", call_id=call_id)
    terminate = await world.app.expect("terminate", call_id)
    assert terminate.item["status"] == "Completed"


@asynccontextmanager
async def full_while_it_rings(world: World) -> AsyncIterator[None]:
    """Nothing can be written from the moment on when the Page's call is stored."""
    calls = world.server.calls
    write = calls.store.write

    async def write_until_then(work: Any) -> Any:
        if calls.entered[CallState.DIALING]:
            raise Unavailable
        return await write(work)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls.store, "write", write_until_then)
        yield


async def test_devices_ring_though_that_cannot_be_stored_yet(world: World) -> None:
    """One of them leaves before there is space again: it is stored as away, and has its 30 s."""
    device, other = await world.device(), await world.device((await world.session(psid=world.psid))["access_token"])
    await world.grant()
    async with full_while_it_rings(world):
        call_id = (await world.app.call("connect", to=world.psid, session=offered(CHROMIUM)))["call_id"]
        for each in (device, other):
            await each.expect("call.incoming", call_id=call_id)
        await world.leave(other)
        await world.advance(1)
    assert stored_calls(world) == [(call_id, 1)]
    await world.advance(1)
    assert (await world.app.expect("call_status", call_id)).item["call_status"] == "ringing"
    live = await world.server.calls.load(CallId(call_id))
    assert live is not None
    assert (live.call.state, len(live.call.ringing), len(live.call.away)) == (CallState.RINGING_OUT, 2, 1)
    accepted = await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    assert accepted["session"]["sdp_response"]


async def test_a_device_whose_call_was_over_before_it_could_be_stored_does_not_ring_for_ever(world: World) -> None:
    device = await world.device()
    await world.grant()
    async with full_while_it_rings(world):
        call_id = (await world.app.call("connect", to=world.psid, session=offered(CHROMIUM)))["call_id"]
        await device.expect("call.incoming", call_id=call_id)
    await world.app.call("terminate", call_id=call_id)
    await world.advance(1)
    await device.expect("call.ended", call_id=call_id)
    await device.request("ping")
    assert [each.method for each in device.received] == ["call.incoming", "call.ended"]
    assert await world.is_clean()


async def test_a_deadline_and_a_webhook_that_met_a_full_disk_come_later(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    async with full_disk(world):
        await world.advance(61)
        assert stored_calls(world) == [(call_id, 1)]
        assert world.app.events(call_id) == ["connect"]
    await world.advance(1)
    await world.app.expect("terminate", call_id)
    assert stored_calls(world) == [(call_id, 0)]
    assert await world.is_clean()


async def test_what_the_engine_told_while_the_disk_was_full_is_not_forgotten(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    async with full_disk(world):
        media = await world.media(call_id)
        assert media.business is not None
        world.engine.peer_bye(media.business.id)
        await world.advance(10)
        assert stored_calls(world) == [(call_id, 1)]
    await world.advance(1)
    await world.app.expect("terminate", call_id)
    assert await world.is_clean()


@asynccontextmanager
async def refusing(world: World, kind: Literal["read", "write"]) -> AsyncIterator[asyncio.Event]:
    """The store refuses what is of that kind; the event is set once it has."""
    has_refused = asyncio.Event()

    async def refuse(work: Any) -> Any:
        has_refused.set()
        raise Unavailable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.server.calls.store, kind, refuse)
        yield has_refused


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_device_whose_loss_could_not_be_stored_is_missed_later(world: World, kind: Literal["read", "write"]) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    await world.settle()
    async with refusing(world, kind) as has_refused:
        await device.close()
        await has_refused.wait()
    await world.advance(1)
    await world.advance(30)
    await world.app.expect("terminate", call_id)
    live = await world.server.calls.load(CallId(call_id))
    assert live is not None
    assert live.call.end_reason is EndReason.CANCELLED
    assert await world.is_clean()


async def test_a_device_that_is_back_before_its_loss_could_be_stored_is_not_missed(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    await world.settle()
    async with refusing(world, "write") as has_refused:
        await device.close()
        await has_refused.wait()
    again = await world.device()
    await again.expect("call.resumed", call_id=call_id)
    await world.advance(1)
    live = await world.server.calls.load(CallId(call_id))
    assert live is not None
    assert live.call.away == frozenset()


async def test_a_webhook_that_was_held_is_let_go_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is stored, its answer is out, and then nothing can be written for a moment."""
    store, refused_writes = world.server.calls.store, []
    write, release = store.write, world.server.calls.release_rows

    async def no_write(work: Any) -> Any:
        refused_writes.append(work)
        raise Unavailable

    async def release_in_vain(rows: Any) -> None:
        monkeypatch.setattr(store, "write", no_write)
        await release(rows)
        monkeypatch.setattr(store, "write", write)

    device = await world.device()
    monkeypatch.setattr(world.server.calls, "release_rows", release_in_vain)
    call_id = await world.start_call(device)
    await world.settle()
    monkeypatch.setattr(world.server.calls, "release_rows", release)
    assert len(refused_writes) == 1
    assert world.app.received == []
    await world.advance(1)
    await world.app.expect("connect", call_id)


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_the_engines_loss_is_told_later(world: World, kind: Literal["read", "write"]) -> None:
    call_id = await world.start_call(await world.device())
    await world.app.expect("connect", call_id)
    await world.settle()
    async with refusing(world, kind) as has_refused:
        world.engine.die()
        await has_refused.wait()
        await world.server.calls.settled()
    await world.advance(1)
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Failed"


async def test_a_server_stops_though_nothing_can_be_read(tmp_path: Path, app: BusinessApp) -> None:
    """Its devices are told to come back, and the next start ends the calls."""
    clock = SystemClock()
    async with a_world(tmp_path, app, clock, FakeEngine(clock)) as world:
        device = await world.device()
        call_id = await world.connected(device)
        async with refusing(world, "read"):
            world.server.ask_to_stop()
            await world.serving
    async with a_world(tmp_path, app, clock, FakeEngine(clock)):
        assert (await app.expect("terminate", call_id)).item["status"] == "Failed"


async def test_a_session_is_refused_as_something_that_passes(world: World) -> None:
    async with full_disk(world):
        answers = []
        for number in range(200):
            body = {"page_id": world.page_id, "name": f"{number}-" + "n" * 150}
            async with world.http.post(world.base_url + "/consumer/v1/sessions", json=body) as response:
                answers.append((response.status, await response.json()))
            if response.status != 201:
                break
        status, answer = answers[-1]
        assert status == 503
        assert answer["error"]["code"] == 2
    assert (await world.session())["psid"]


async def test_the_operator_is_told_that_it_passes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_write(work: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(world.server.calls.store, "write", no_write)
    headers = {"Authorization": f"Bearer {world.server.dev.admin_token}"}
    body = {"psid": world.psid, "page_id": world.page_id, "ttl_s": 60}
    async with world.http.post(world.base_url + "/_pagecalls/permissions", json=body, headers=headers) as response:
        assert response.status == 503
        assert (await response.json())["error"]["code"] == "unavailable"


@pytest.mark.parametrize("kib", [100, 0], ids=["no room for the tables", "no room at all"])
async def test_a_start_without_room_says_so(tmp_path: Path, kib: int) -> None:
    """No file of the process may become larger than this."""
    command = f'ulimit -f {kib}; exec "$0" -m pagecalls.cli serve --port 0 --data-dir "$1"'
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        command,
        sys.executable,
        str(tmp_path / "data"),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 1, text
    assert text.startswith("Error: The database cannot be used: "), text
    assert text.count("\n") == 1, text
