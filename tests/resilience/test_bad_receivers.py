"""Receivers that are slow, dead, rude or endless, on real sockets: another app's events do not wait for them, and nothing that
was owed to them is lost.

Each bad receiver is bad until it is told to be good. By then the good app has everything, so its events cannot have waited.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from pagecalls.clock import SteppedClock
from pagecalls.store.base import App, AppSubscription, Attempt, Hold, OutboxRow, Transaction, WebhookKind
from pagecalls.store.sqlite import SqliteStore
from pagecalls.types import AppId, CallId
from pagecalls.webhooks import signing
from pagecalls.webhooks.outbox import Courier
from pagecalls.webhooks.sender import AiohttpSender
from pagecalls.webhooks.targets import TargetPolicy

GOOD = AppId("1")
CALLS = 6
KINDS = (WebhookKind.CONNECT, WebhookKind.CALL_STATUS, WebhookKind.TERMINATE)
EVENTS = CALLS * len(KINDS)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Manner = Callable[["Receiver", asyncio.StreamWriter], Awaitable[None]]
"""What a receiver does after it has read a request."""


def answer(status: str, headers: str = "Content-Length: 0") -> Manner:
    async def say(_receiver: Receiver, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n".encode())

    return say


async def hang(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Nothing; whoever still waits when it becomes good is sent away."""
    await receiver.is_good.wait()
    writer.close()


async def come_late(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Slow: the status comes once everybody else is through."""
    await receiver.is_good.wait()
    writer.write(OK)


async def hang_up(_receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def break_off(_receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Half a status line."""
    writer.write(b"HTTP/1.1 20")
    await writer.drain()
    writer.close()


async def never_end(_receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """A refusal of 10 MB."""
    writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 10000000\r\n\r\n")
    for _ in range(100):
        writer.write(b"x" * 100_000)
        await writer.drain()


async def trickle(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """A status at once, and a body of which hardly anything comes."""
    writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nx")
    await receiver.is_good.wait()
    writer.close()


MANNERS: dict[str, Manner] = {
    "slow": come_late,
    "hangs": hang,
    "500": answer("500 Oops"),
    "404": answer("404 Not Found"),
    "410": answer("410 Gone"),
    "redirects": answer("302 Found", "Location: /elsewhere\r\nContent-Length: 0"),
    "redirects for good": answer("308 Permanent Redirect", "Location: http://127.0.0.1:9/\r\nContent-Length: 0"),
    "closes early": hang_up,
    "breaks off": break_off,
    "sends 10 MB": never_end,
    "trickles": trickle,
}


class Receiver:
    """One app's callback."""

    def __init__(self, app_id: AppId, manner: Manner | None) -> None:
        self.app_id = app_id
        self.url = ""
        self.is_good = asyncio.Event()
        self.taken: list[str] = []
        """Events that were answered with 200, in order."""
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.news = asyncio.Event()
        self._manner = manner
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        if manner is None:
            self.is_good.set()

    async def open(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hook"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            while not writer.is_closing():
                await self._take(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client is gone
        finally:
            writer.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((first.split()[1], headers, body))
        was_good = self.is_good.is_set()
        if was_good or self._manner is None:
            writer.write(OK)
        else:
            await self._manner(self, writer)
        if was_good or self._manner is come_late:
            self.taken.append(json.loads(body)["event"])
        self.news.set()

    async def wait_for(self, count: int) -> None:
        while len(self.taken) < count:
            self.news.clear()
            await self.news.wait()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


def row_of(app_id: AppId, call: int, kind: WebhookKind, now: float) -> OutboxRow:
    event_id = f"{app_id} {call} {kind.value}"
    body = json.dumps({"event": event_id}).encode()
    return OutboxRow(event_id, app_id, "page", CallId(f"c_{call}"), kind, body, now, Hold.READY, now)


class World:
    """A good app and others, on a store in a file, with few places for requests."""

    def __init__(self, folder: Path) -> None:
        self.clock = SteppedClock()
        self.store = SqliteStore.open(folder / "store.db")
        self.sender = AiohttpSender(TargetPolicy(allow_loopback=True))
        self.courier = Courier(
            self.store,
            self.sender,
            self.clock,
            on_attempt=lambda row: None,
            on_outcome=lambda row, outcome: None,
            per_app=4,
            own=1,
            in_common=4,
        )
        self.good = Receiver(GOOD, None)
        self.bad: list[Receiver] = []

    async def begin(self, manners: list[Manner]) -> None:
        self.bad = [Receiver(AppId(str(2 + number)), manner) for number, manner in enumerate(manners)]
        for receiver in (self.good, *self.bad):
            await receiver.open()
        await self.subscribe(self.good, *self.bad)
        self.courier.start()

    async def subscribe(self, *receivers: Receiver) -> None:
        def work(transaction: Transaction) -> None:
            for each in receivers:
                transaction.put_app(App(each.app_id, f"app {each.app_id}", f"secret {each.app_id}"))
                transaction.put_app_subscription(AppSubscription(each.app_id, "page", each.url, "verify", ("calls",)))

        await self.store.write(work)

    async def add_events(self, *receivers: Receiver) -> None:
        now = self.clock.now()
        rows = [row_of(each.app_id, call, kind, now) for call in range(CALLS) for kind in KINDS for each in receivers]
        await self.store.write(lambda transaction: transaction.add_outbox(rows))
        self.courier.wake()

    async def rows(self, app_id: AppId) -> list[OutboxRow]:
        def work(transaction: Transaction) -> list[OutboxRow]:
            found = [transaction.outbox_row(entry.id) for entry in transaction.outbox_entries(app_id, None, 2**60, 1000)]
            return [row for row in reversed(found) if row is not None]

        return await self.store.read(work)

    async def attempts(self, app_id: AppId) -> list[Attempt]:
        rows = await self.rows(app_id)
        found = await self.store.read(lambda transaction: [transaction.attempts(row.id) for row in rows])
        return [attempt for attempts in found for attempt in attempts]

    async def become_good(self, receiver: Receiver) -> None:
        """From now on it takes what it gets, and time passes until it has everything."""
        receiver.is_good.set()
        await self.courier.idle()
        while any(row.hold is Hold.READY for row in await self.rows(receiver.app_id)):
            self.clock.advance(60)
            await self.courier.idle()

    async def end(self) -> None:
        await self.courier.stop(grace_s=0)
        await self.sender.close()
        for receiver in (self.good, *self.bad):
            await receiver.close()
        await self.store.close()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.end()


def in_order(events: list[str]) -> bool:
    """Whether the events of each call came as they were written."""
    kinds = [kind.value for kind in KINDS]
    for call in range(CALLS):
        own = [kinds.index(event.split()[2]) for event in events if event.split()[1] == str(call)]
        if own != sorted(own):
            return False
    return True


async def check_good(world: World) -> None:
    """Every event once, in order, signed, and nobody had to try twice."""
    assert Counter(world.good.taken) == Counter(row.event_id for row in await world.rows(GOOD))
    assert in_order(world.good.taken)
    assert {attempt.number for attempt in await world.attempts(GOOD)} == {1}
    for path, headers, body in world.good.requests:
        assert path == "/hook"
        assert signing.verify("secret 1", body, headers["x-hub-signature-256"])


async def check_nothing_is_lost(world: World, receiver: Receiver) -> None:
    rows = await world.rows(receiver.app_id)
    assert [row.hold for row in rows] == [Hold.DELIVERED] * EVENTS
    assert {row.event_id for row in rows} == set(receiver.taken)
    bodies = {row.event_id: row.body for row in rows}
    assert all(body == bodies[json.loads(body)["event"]] for _, _, body in receiver.requests)
    assert all(path == "/hook" for path, _, _ in receiver.requests)


@pytest.mark.parametrize("manner", MANNERS.values(), ids=MANNERS)
async def test_a_bad_receiver_delays_nobody_and_loses_nothing(world: World, manner: Manner) -> None:
    await world.begin([manner])
    (bad,) = world.bad
    await world.add_events(bad)
    await world.add_events(world.good)
    await asyncio.wait_for(world.good.wait_for(EVENTS), 60)
    assert bad.taken == []
    await check_good(world)
    await asyncio.wait_for(world.become_good(bad), 60)
    await check_nothing_is_lost(world, bad)


async def test_a_dead_receiver_delays_nobody_and_loses_nothing(world: World) -> None:
    await world.begin([])
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
        dead = Receiver(AppId("2"), None)
        dead.url = f"http://127.0.0.1:{port}/hook"
        world.bad.append(dead)
        await world.subscribe(dead)
        await world.add_events(dead)
        await world.add_events(world.good)
        await asyncio.wait_for(world.good.wait_for(EVENTS), 60)
    await check_good(world)
    assert {attempt.failure for attempt in await world.attempts(dead.app_id)} == {"connect"}
    await dead.open(port)
    await asyncio.wait_for(world.become_good(dead), 60)
    await check_nothing_is_lost(world, dead)


async def test_all_of_them_at_once_and_more_silent_ones_than_there_are_places(world: World) -> None:
    await world.begin([*MANNERS.values(), *[hang] * 8])
    await world.add_events(*world.bad)
    await world.add_events(world.good)
    await asyncio.wait_for(world.good.wait_for(EVENTS), 60)
    assert all(not bad.taken for bad in world.bad)
    await check_good(world)
    for bad in world.bad:
        bad.is_good.set()
    for bad in world.bad:
        await asyncio.wait_for(world.become_good(bad), 60)
        await check_nothing_is_lost(world, bad)


async def test_what_bad_receivers_say_is_kept_in_short(world: World) -> None:
    await world.begin([never_end])
    (endless,) = world.bad
    await world.add_events(endless)
    await world.courier.idle()
    attempts = await world.attempts(endless.app_id)
    assert {(attempt.status, attempt.answer) for attempt in attempts} == {(500, "x" * 500)}
