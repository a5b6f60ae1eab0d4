"""A server is killed between any two steps of a call; the next one, on what is left, loses nothing (ruling 14).

One run of a whole call is watched: after every command that the engine carried out and every transaction that was committed, all
that a kill would leave at that moment is put aside. Then a server is started on each. And because a server may be killed while it
takes over, the same is done to some of those servers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from pagecalls.call.states import CallState
from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.media.fake import FakeEngine
from pagecalls.media.protocol import Command, Record
from pagecalls.store.base import Transaction, WebhookKind
from pagecalls.store.sqlite import SqliteStore
from pagecalls.switchboard.adoption import adopt
from pagecalls.switchboard.calls import decoded
from pagecalls.switchboard.desired import routing
from pagecalls.switchboard.media_events import MediaEvents
from pagecalls.types import CallId, Side
from tests.contract.store_samples import ready_rows

from .conftest import AIORTC, CHROMIUM, World, a_world, offered
from .killing import Remains
from .talk import Talk

T = TypeVar("T")


@dataclass
class Watch:
    """What a kill would leave, at every moment of a run."""

    server: Remains
    to: Path
    put_aside: list[Remains] = field(default_factory=list)

    def now(self) -> None:
        server = self.server
        self.put_aside.append(Remains.of(server.folder, server.engine, server.clock, self.to / str(len(self.put_aside))))


@asynccontextmanager
async def watched(
    remains: Remains, to: Path, app: BusinessApp, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[World, Watch]]:
    """A server on `remains` of which every moment is put aside, from its start until the block is left."""
    watch = Watch(remains, to)
    write, do = SqliteStore.write, remains.engine._do

    async def write_and_tell(self: SqliteStore, work: Callable[[Transaction], T]) -> T:
        result = await write(self, work)
        watch.now()
        return result

    def do_and_tell(command: Command) -> Record:
        done = do(command)
        watch.now()
        return done

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "write", write_and_tell)
        patch.setattr(remains.engine, "_do", do_and_tell)
        async with a_world(remains.folder, app, remains.clock, remains.engine) as world:
            yield world, watch
            patch.undo()


# --- the runs -------------------------------------------------------------------------------------------------------------


async def consumer_calls(world: World) -> None:
    """All the way, and hung up."""
    device = await world.device()
    call_id = await world.connected(device)
    await world.settle()
    await device.request("call.hangup", call_id=call_id)
    await world.app.expect("terminate", call_id)


async def business_calls(world: World) -> None:
    """It rings, is picked up, the copy is confirmed, and the business hangs up."""
    device = await world.device()
    await world.grant()
    call_id = str((await world.app.call("connect", to=world.psid, session=offered(CHROMIUM)))["call_id"])
    await device.expect("call.incoming", call_id=call_id)
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.app.expect("media_update", call_id)
    await world.up(call_id)
    leg = (await world.media(call_id)).business
    assert leg is not None
    assert leg.b_line is not None
    assert leg.b_line.far_ssrc is not None
    world.engine.accepts(leg.id, leg.b_line.far_ssrc)
    await world.settle()
    await world.app.call("terminate", call_id=call_id)
    await world.app.expect("terminate", call_id)


async def consumer_gives_up(world: World) -> None:
    """It rings, and the device is gone."""
    device = await world.device()
    call_id = await world.start_call(device)
    await device.close()
    await world.settle()
    await world.advance(31)
    await world.app.expect("terminate", call_id)


async def media_changes(world: World) -> None:
    """Both sides change their media again and again; one of our offers was never applied, and one camera goes off."""
    talk = await Talk.begun(world, applies=False)
    camera = talk.consumer.peer.add("video")
    await talk.device_offers()
    talk.business.version = 1  # it counts the webhook, and ignores what is in it
    talk.business.peer.add("video")
    await talk.business_offers()
    talk.consumer.take((await talk.notice(talk.consumer.version + 1))["session"])
    await talk.device_asks(tracks=[{"msid": camera, "label": "default_video", "status": "disabled"}])
    await world.app.call("terminate", call_id=talk.call_id)
    await world.app.expect("terminate", talk.call_id)


Run = Callable[[World], Awaitable[None]]


# --- what must hold -------------------------------------------------------------------------------------------------------


async def check_joined(world: World) -> None:
    """Store and engine agree: every call has its legs in their stored state, and every leg its call."""
    await world.settle()
    records = await world.server.calls.store.read(lambda tx: tx.live_calls())
    lives = [decoded(record) for record in records]
    legs = [leg for live in lives for side in Side if (leg := live.media.leg(side)) is not None]
    assert sorted(world.engine.calls) == sorted(live.call.id for live in lives)
    assert sorted(world.engine.legs) == sorted(leg.id for leg in legs)
    for leg in legs:
        applied = world.engine.legs[leg.id].applied
        assert applied is not None
        assert applied.rev == leg.rev
    for live in lives:
        assert world.engine.routes(live.call.id) == routing(live.call.id, live.media).routes
        assert len(world.engine.routes(live.call.id)) >= (2 if live.media.is_through else 0)


async def check_offers(world: World) -> None:
    """The business of a joined call has our last offer 1 s later at the latest, and copy B, whatever was in memory only."""
    await world.advance(1.1)
    for record in await world.server.calls.store.read(lambda tx: tx.live_calls()):
        live = decoded(record)
        if live.media.is_through:
            assert live.media.business is not None
            assert live.media.business.is_b_on
            assert not live.media.business.is_owed


async def check_it_ends(world: World) -> None:
    """Nobody comes back: time ends what waits, the business ends what is joined, and nothing is left anywhere."""
    for seconds in (31, 16, 61):
        await world.advance(seconds)
    for record in await world.server.calls.store.read(lambda tx: tx.live_calls()):
        assert record.call.state in (CallState.CONNECTING, CallState.ACTIVE)
        await world.app.call("terminate", call_id=record.call.id)
    assert await world.is_clean()
    open_rows = await world.server.calls.store.read(ready_rows)
    assert open_rows == []


def ended(tx: Transaction) -> list[tuple[WebhookKind, str]]:
    """Every `terminate` of the outbox, with what became of it."""
    rows = [row for number in range(1, 40) if (row := tx.outbox_row(number)) is not None]
    return [(row.kind, row.hold.value) for row in rows if row.kind is WebhookKind.TERMINATE]


def all_calls(tx: Transaction) -> list[CallId]:
    rows = [row for number in range(1, 40) if (row := tx.outbox_row(number)) is not None]
    return sorted({row.call_id for row in rows if row.call_id is not None})


async def check(world: World) -> None:
    await check_joined(world)
    # What is there is there: taking over again changes nothing.
    await adopt(world.server.calls, MediaEvents(world.server.calls))
    await check_joined(world)
    await check_offers(world)
    await check_it_ends(world)
    calls = await world.server.calls.store.read(all_calls)
    terminates = await world.server.calls.store.read(ended)
    assert terminates == [(WebhookKind.TERMINATE, "delivered")] * len(calls)


@pytest.mark.parametrize("run", [consumer_calls, business_calls, consumer_gives_up, media_changes])
async def test_killed_between_any_two_steps(tmp_path: Path, app: BusinessApp, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    clock = SystemClock()
    async with a_world(tmp_path / "first", app, clock, FakeEngine(clock)):
        pass
    fresh = Remains.of(tmp_path / "first", FakeEngine(clock), clock, tmp_path / "start")
    async with watched(fresh, tmp_path / "points", app, monkeypatch) as (world, watch):
        await run(world)
    assert len(watch.put_aside) > 8
    for number, point in enumerate(watch.put_aside):
        if number % 5 == 2:
            await killed_again(point, tmp_path / f"again-{number}", app, monkeypatch)
        else:
            await start_and_check(point, app)


async def start_and_check(point: Remains, app: BusinessApp) -> None:
    app.received.clear()
    async with a_world(point.folder, app, point.clock, point.engine) as world:
        await check(world)


async def killed_again(point: Remains, to: Path, app: BusinessApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server that takes over is killed too, anywhere."""
    async with watched(point, to, app, monkeypatch) as (world, watch):
        await world.settle()
    for later in watch.put_aside[:: max(1, len(watch.put_aside) // 4)]:
        await start_and_check(later, app)
