"""Fifty calls with sound, others that come and go, and one server with its engine beneath them, for killing.

Owns the set-up, what is looked at between two kills, and the end, at which nothing may be left. `rounds.py` does the killing.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import aiohttp

from pagecalls.data_dir import DATABASE
from pagecalls.demo.business import BusinessApp, Received
from pagecalls.media.engine import EngineClient
from pagecalls.media.launch import EngineSettings, socket_path
from tests.load_peers import LoadPeer, LoadPeers, load_peers
from tests.resilience.consumers import Caller, Consumer, Standing, new_consumer
from tests.resilience.ledger import Ledger
from tests.resilience.processes import Footprint, ServerProcess, a_server, engines, servers, zombies

CALLS = 50
WORKERS = 2
"""Of the engine: each has a media port, and about half of the calls."""
LEAST_SHARE = 0.25
"""Of the standing calls at each worker: the calls that come and go are shared out as well."""
CALLERS = 8
"""Who make one call after the other: about six calls a second in all."""
AT_ONCE = 10
SETTLED_WITHIN_S = 30.0
SOUND_WITHIN_S = 10.0
SOUND_PACKETS = 25
"""Half a second."""

A = TypeVar("A")
T = TypeVar("T")


@dataclass(slots=True)
class World:
    """All that takes part."""

    server: ServerProcess
    app: BusinessApp
    ledger: Ledger
    http: aiohttp.ClientSession
    load: LoadPeers
    consumers: list[Consumer]
    prober: Consumer
    callers: list[Caller]
    standing: list[Standing] = field(default_factory=list)
    peers: int = 0

    # --- calls --------------------------------------------------------------------------------------------------------

    async def pair(self) -> tuple[LoadPeer, LoadPeer]:
        """Two new peers."""
        self.peers += 1
        number = self.peers
        return await self.load.peer(f"consumer-{number}"), await self.load.peer(f"business-{number}")

    async def fill(self) -> None:
        """Have every consumer in a call with sound."""
        busy = {id(call.consumer) for call in self.standing}
        idle = [consumer for consumer in self.consumers if id(consumer) not in busy]
        self.standing += await some_at_once(self._call, idle)
        await self.until_heard(self.standing)
        self.check_spread()

    def check_spread(self) -> None:
        """Every worker has standing calls, and both peers of a call are at the same one."""
        at = dict.fromkeys(self.server.media_ports, 0)
        for call in self.standing:
            one, other = (peer.engine for peer in call.sides)
            if one is None or one != other:
                raise AssertionError(f"{call.id} is at {one} and {other}")
            at[one[1]] += 1
        if min(at.values()) < LEAST_SHARE * len(self.standing):
            raise AssertionError(f"calls by the worker's port: {at}")

    async def probe(self) -> float:
        """One more call with sound, from start to end; returns how long it took until it was heard."""
        began = asyncio.get_running_loop().time()
        call = await self._call(self.prober)
        await self.until_heard([call])
        heard = asyncio.get_running_loop().time()
        await call.hang_up(self.ledger)
        await self.ledger.expect(call.id, "terminate", SETTLED_WITHIN_S)
        return heard - began

    async def until_heard(self, calls: Iterable[Standing]) -> None:
        """Each side of each call hears the other. Raises `TimeoutError`."""
        wanted = {peer.name: other.name for call in calls for peer, other in (call.sides, call.sides[::-1])}
        try:
            async with asyncio.timeout(SOUND_WITHIN_S):
                while wanted:
                    for name, other in list(wanted.items()):
                        heard = (await self.load.stats(name))[name].heard_from(other)
                        if any(source.packets >= SOUND_PACKETS for source in heard):
                            del wanted[name]
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise TimeoutError(f"not heard within {SOUND_WITHIN_S} s, by whom: {wanted}") from None

    async def forget_standing(self) -> None:
        """Their engine is gone: the peers vanish, and the calls have ended."""
        for call in self.standing:
            for peer in call.sides:
                await peer.drop()
        self.standing.clear()

    async def _call(self, consumer: Consumer) -> Standing:
        return await Standing.make(self.app, self.ledger, consumer, await self.pair())

    # --- between two kills --------------------------------------------------------------------------------------------

    async def come_back(self) -> None:
        """All devices connect again; who is in a call gets it back."""
        in_calls = {id(call.consumer): call.id for call in self.standing}

        async def one(consumer: Consumer) -> None:
            resumed, ringing = await consumer.come_back()
            expected = in_calls.get(id(consumer))
            if resumed + ringing != ([] if expected is None else [expected]):
                raise AssertionError(f"the device of {expected} was given {resumed} and {ringing}")

        await some_at_once(one, [*self.consumers, self.prober])

    async def settle(self) -> None:
        """Let the callers finish; then ledger, store and server must agree that the standing calls live, and no other."""
        await asyncio.gather(*(caller.pause() for caller in self.callers))
        live = {call.id for call in self.standing}
        await self.ledger.all_ended(live, SETTLED_WITHIN_S)
        faults = self.ledger.faults(live)
        if faults:
            raise AssertionError("; ".join(faults))
        stored = live_calls(self.server.folder)
        if stored != live:
            raise AssertionError(f"live in the store and not by their ends: {stored ^ live}")
        legs = await self.legs()
        if legs != 2 * len(live):
            raise AssertionError(f"{legs} legs of {len(live)} calls")
        if zombies(self.server.pid):
            raise AssertionError(f"zombies of the server: {zombies(self.server.pid)}")
        self.ledger.close_books()
        self.app.received.clear()

    async def legs(self) -> int:
        """Legs that the server holds."""
        headers = {"Authorization": f"Bearer {self.server.dev.admin_token}"}
        async with self.http.get(f"{self.server.dev.base_url}/metrics", headers=headers) as response:
            text = await response.text()
        return sum(int(float(line.split()[-1])) for line in text.splitlines() if line.startswith("pagecalls_media_legs{"))

    def footprints(self) -> tuple[Footprint, Footprint]:
        """Of the server and of the engine."""
        engine = self.server.engine
        if engine is None:
            raise AssertionError("no engine runs")
        return Footprint.of(self.server.pid), Footprint.of(engine)

    # --- without kills ------------------------------------------------------------------------------------------------

    async def hang_up(self) -> None:
        """Hear the standing calls once more, and end them."""
        await self.load.mark()
        await self.until_heard(self.standing)
        for call in self.standing:
            await call.hang_up(self.ledger)
        self.standing.clear()
        await self.settle()

    async def brief_calls(self, count: int) -> None:
        """Make so many calls, connect both legs of each and hang up at once; nothing else goes on."""

        async def one(consumer: Consumer) -> None:
            call = await self._call(consumer)
            await call.hang_up(self.ledger)
            await self.ledger.expect(call.id, "terminate", SETTLED_WITHIN_S)
            consumer.device.received.clear()

        for made in range(0, count, CALLS):
            await some_at_once(one, self.consumers[: count - made])
            await self.settle()

    # --- the end ------------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Hang up, kill the server, and ask the engine itself what it still has; then an orderly end leaves nothing behind."""
        await self.hang_up()
        await self.server.kill()
        socket, data_dir_id = engine_socket(self.server.folder)
        client = await EngineClient.connect(socket, data_dir_id)
        try:
            snapshot = await client.snapshot()
        finally:
            await client.close()
        if snapshot.calls or snapshot.legs:
            raise AssertionError(f"the engine still has {snapshot.calls}")
        await self.server.start()
        await self.server.stop()
        left = engines(self.server.folder) + servers(self.server.folder)
        if left or socket.exists():
            raise AssertionError(f"left behind: processes {left}, socket {socket.exists()}")


def live_calls(folder: Path) -> set[str]:
    """Ids of the calls that the store holds for live, read beside the server."""
    with closing(sqlite3.connect(f"file:{folder / DATABASE}?mode=ro", uri=True)) as database:
        return {str(row[0]) for row in database.execute("SELECT id FROM calls WHERE is_live = 1")}


def engine_socket(folder: Path) -> tuple[Path, str]:
    """Where the engine of a data directory listens, and the directory's id."""
    data_dir_id = EngineSettings(data_dir=folder).data_dir_id
    return socket_path(data_dir_id, os.environ), data_dir_id


async def some_at_once(work: Callable[[A], Awaitable[T]], items: Iterable[A]) -> list[T]:
    """The work for each item, `AT_ONCE` at a time; the first failure ends the rest."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(item: A) -> T:
        async with limit:
            return await work(item)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


@asynccontextmanager
async def a_world(folder: Path, seed: int) -> AsyncIterator[World]:
    """Set up, without standing calls; the callers are paused."""
    ledger = Ledger()
    telling: set[asyncio.Task[None]] = set()

    def on_webhook(received: Received) -> None:
        task = asyncio.create_task(ledger.told(received.item, received.raw, received.at))
        telling.add(task)
        task.add_done_callback(telling.discard)

    async with AsyncExitStack() as stack:
        app = BusinessApp(on_webhook)
        stack.push_async_callback(app.close)
        await app.start()
        server = await stack.enter_async_context(a_server(folder, app.url, workers=WORKERS))
        dev = server.dev
        app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret, dev.verify_token)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        load = await stack.enter_async_context(load_peers())
        consumers = [await new_consumer(http, dev) for _ in range(CALLS + 1 + CALLERS)]
        for consumer in consumers:
            stack.push_async_callback(consumer.leave)
        world = World(server, app, ledger, http, load, consumers[:CALLS], consumers[CALLS], [])
        for number, consumer in enumerate(consumers[CALLS + 1 :]):
            chance = random.Random(f"{seed}-{number}")
            world.callers.append(Caller(app, ledger, consumer, await world.pair(), chance))
        running = [asyncio.create_task(caller.run()) for caller in world.callers]
        stack.push_async_callback(cancel, running)
        yield world


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    """End tasks, whatever came of them."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
