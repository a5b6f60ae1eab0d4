"""What is over goes after a while, and what is owed does not, on the server's clock (decision 61)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pagecalls.clock import SystemClock
from pagecalls.data_dir import DATABASE
from pagecalls.demo.business import BusinessApp
from pagecalls.media.fake import FakeEngine
from pagecalls.store.base import (
    CallButton,
    ConsumerToken,
    Message,
    MessageKind,
    Past,
    PermissionRequest,
    Token,
    TokenKind,
    User,
)
from pagecalls.switchboard import upkeep
from pagecalls.types import AppId, DeviceId, MessageId, PageId, Psid, UserId
from pagecalls.webhooks.retry import LIFETIME_S
from tests.contract.store_samples import ready_rows

from .conftest import World, a_world

DAY_S = 86_400
HOUR_S = 3_600


def count(world: World, table: str) -> int:
    with closing(sqlite3.connect(world.folder / DATABASE)) as database:
        (found,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(found)


async def ended_call(world: World) -> str:
    device = await world.device()
    call_id = await world.connected(device)
    await device.request("call.hangup", call_id=call_id)
    await world.settle()
    await device.close()
    return call_id


async def metrics(world: World) -> str:
    headers = {"Authorization": f"Bearer {world.server.dev.admin_token}"}
    async with world.http.get(world.base_url + "/metrics", headers=headers) as response:
        return await response.text()


@asynccontextmanager
async def world_with(tmp_path: Path, app: BusinessApp, **settings: Any) -> AsyncIterator[World]:
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock), **settings) as world:
        yield world


async def test_an_ended_call_and_its_webhooks_go_after_seven_days(world: World) -> None:
    call_id = await ended_call(world)
    await world.advance(7 * DAY_S - 60)
    assert (count(world, "calls"), count(world, "call_apps")) == (1, 1)
    assert min(count(world, "outbox"), count(world, "deliveries")) > 0
    await world.advance(120 + upkeep.EVERY_S)
    assert (count(world, "calls"), count(world, "call_apps")) == (0, 0)
    assert (count(world, "outbox"), count(world, "deliveries")) == (0, 0)
    assert (await world.server.calls.load(call_id)) is None  # type: ignore[arg-type]
    (entry,) = [each for each in await world.server.calls.journal.after(0, 0) if each["kind"] == "upkeep"]
    assert entry["facts"]["calls"] == 1
    text = await metrics(world)
    assert 'pagecalls_rows_removed_total{table="calls"} 1.0' in text
    (size,) = [float(line.split()[1]) for line in text.splitlines() if line.startswith("pagecalls_database_bytes ")]
    assert size == world.server.upkeep.room.file_bytes > 100_000


async def test_a_live_call_is_not_touched(world: World) -> None:
    device = await world.device()
    await world.connected(device)
    await world.advance(30 * DAY_S)
    assert count(world, "calls WHERE is_live = 1") == 1


async def test_a_call_whose_end_is_still_owed_stays_until_it_is_told(tmp_path: Path, app: BusinessApp) -> None:
    async with world_with(tmp_path, app, retention_days=1) as world:
        device = await world.device()
        call_id = await world.connected(device)
        await world.settle()
        app.status = 500
        await device.request("call.hangup", call_id=call_id)
        for _ in range(9):
            await world.advance(3 * HOUR_S)
        assert count(world, "calls") == 1
        assert count(world, "outbox WHERE kind = 'terminate'") == 1
        app.status = 200
        await world.advance(6 * HOUR_S)
        await app.expect("terminate", call_id)
        await world.advance(DAY_S + upkeep.EVERY_S)
        assert count(world, "calls") == 0
        assert count(world, "outbox") == 0


async def test_calls_are_kept_for_two_days_at_least(tmp_path: Path, app: BusinessApp) -> None:
    async with world_with(tmp_path, app, retention_days=1) as world:
        await ended_call(world)
        await world.advance(DAY_S + upkeep.EVERY_S)
        assert (count(world, "calls"), count(world, "outbox")) == (1, 0)
        await world.advance(DAY_S)
        assert count(world, "calls") == 0


def test_no_call_is_looked_at_while_its_end_may_still_be_owed() -> None:
    """Else calls whose receiver is dead would stand at the head of the index, and each portion would walk past all of them."""
    assert upkeep.Retention.of(days=1, rows=1).calls_s > LIFETIME_S
    assert upkeep.Retention.of(days=30, rows=1).calls_s == 30 * DAY_S


async def test_webhooks_that_are_done_with_are_bounded_in_number_and_owed_ones_are_not(tmp_path: Path, app: BusinessApp) -> None:
    async with world_with(tmp_path, app, retention_rows=3) as world:
        for _ in range(3):
            await ended_call(world)
        device = await world.device()
        last = await world.connected(device)
        await world.settle()
        app.status = 500
        await device.request("call.hangup", call_id=last)
        await world.settle()
        owed = "outbox WHERE hold NOT IN ('delivered', 'dropped')"
        newest = [row.id for row in await world.server.calls.store.read(ready_rows)]
        before = count(world, owed)
        assert before > 0
        await world.advance(60)
        assert count(world, owed) == before
        assert count(world, "outbox") == before + 3
        assert newest == [row.id for row in await world.server.calls.store.read(ready_rows)]
        assert (await world.server.calls.load(last)) is not None  # type: ignore[arg-type]
        assert count(world, "calls") == 4


async def test_what_has_run_out_goes_thirty_days_later(world: World) -> None:
    now = world.server.clock.now()
    dev = world.server.dev

    def work(tx: Any) -> None:
        for name, expires_at in (("old", now - 1), ("new", now + 40 * DAY_S), ("for ever", None)):
            tx.put_token(Token(name, TokenKind.PAGE, AppId(dev.app.id), PageId(dev.page.id), frozenset(), expires_at))
            if expires_at is not None:
                tx.put_consumer_token(
                    ConsumerToken(name, Psid(dev.consumer.psid), PageId(dev.page.id), DeviceId(name), expires_at)
                )

    await world.server.calls.store.write(work)
    tokens, consumer_tokens = count(world, "tokens"), count(world, "consumer_tokens")
    await world.advance(30 * DAY_S - 60)
    assert (count(world, "tokens"), count(world, "consumer_tokens")) == (tokens, consumer_tokens)
    await world.advance(60 + upkeep.EVERY_S)
    assert (count(world, "tokens"), count(world, "consumer_tokens")) == (tokens - 1, consumer_tokens - 1)
    await world.advance(41 * DAY_S)
    assert count(world, "tokens WHERE digest = 'for ever'") == 1
    assert count(world, "tokens WHERE digest = 'new'") == 0


async def test_messages_and_requests_go_after_thirty_days(world: World) -> None:
    psid, page_id, now = Psid(world.psid), PageId(world.page_id), world.server.clock.now()

    def work(tx: Any) -> None:
        tx.add_message(Message(MessageId("m_1"), page_id, psid, MessageKind.TEXT, now, "hello"))
        tx.add_permission_request(PermissionRequest(MessageId("m_1"), page_id, psid, now, now + 7 * DAY_S))
        tx.add_call_button(CallButton("m_1", page_id, psid, "Call", now + 7 * DAY_S))

    await world.server.calls.store.write(work)
    tables = ("messages", "permission_requests", "call_buttons")
    await world.advance(30 * DAY_S - 60)
    assert [count(world, table) for table in tables] == [1, 1, 1]
    await world.advance(120 + upkeep.EVERY_S)
    assert [count(world, table) for table in tables] == [0, 0, 1]
    await world.advance(7 * DAY_S)
    assert count(world, "call_buttons") == 0


async def test_rows_go_in_portions_and_others_write_in_between(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "SLICE", 10)
    store, order = world.server.calls.store, []

    def fill(tx: Any) -> None:
        sql = (
            "INSERT INTO calls (id, page_id, psid, state, is_live, ended_at, body, media)"
            " SELECT 'old-' || value, :page, :psid, 'ended', 0, 1, '{}', '' FROM generate(35)"
        ).replace(
            "generate(35)",
            "(WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 35) SELECT value FROM n)",
        )
        tx._connection.execute(sql, {"page": world.page_id, "psid": world.psid})

    await store.write(fill)
    write = store.write

    async def noted(work: Any) -> Any:
        result = await write(work)
        order.append(result)
        return result

    monkeypatch.setattr(store, "write", noted)

    async def others() -> None:
        while world.server.upkeep.removed[Past.CALLS] < 35:
            await store.write(lambda tx: tx.put_user(User(UserId("9"), "x")))

    await asyncio.gather(world.server.upkeep.run(), others())
    portions = [place for place, result in enumerate(order) if isinstance(result, int) and result]
    assert [order[place] for place in portions] == [10, 10, 10, 5]
    assert all(later - earlier > 1 for earlier, later in pairwise(portions))


async def test_a_server_that_stops_does_not_wait_for_the_upkeep(world: World) -> None:
    world.server.calls.is_closed = True
    gone = await world.server.upkeep.run()
    assert sum(gone.values()) == 0
