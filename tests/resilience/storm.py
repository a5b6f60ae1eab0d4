"""Calls by the thousand while their server is killed again and again, on the fake engine; after each kill the books must agree.

What must hold after a kill, once the next server runs and the calls under way are over: every acknowledged act is in the
database; every webhook came, in the octets in which it was stored, and in order within its call; no call is live; nothing is
wrong with the file. `rounds.py` kills servers and engines under calls with sound; here there is no sound, but a hundred times the
calls, with two apps, webhooks that are refused, stored facts, and an upkeep that removes what is over.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from pagecalls.data_dir import DATABASE
from pagecalls.demo.business import BusinessApp
from tests.resilience import growth
from tests.resilience.books import Books, Stored, faults_of_acts, faults_of_facts, faults_of_webhooks, integrity, live
from tests.resilience.chatter import Business, Talker
from tests.resilience.consumers import new_consumer
from tests.resilience.facts import Facts
from tests.resilience.figures import Figure, percentile
from tests.resilience.processes import Footprint, ServerProcess, a_server
from tests.resilience.receivers import Receiver
from tests.resilience.world import cancel

TALKERS = 12
PROGRAM = ("tests.resilience.fake_server",)
AHEAD_S = 4 * 3600.0
"""By which each server's clock is ahead of the one before, at most: after a dozen kills, calls are two days old and go."""
LONGEST_S = 20 * 86_400.0
"""By which the last server's clock is ahead of the first one's, at most: consumers' tokens are good for thirty days."""
TWICE = 4
"""Every so many kills the next one comes while the server starts."""
START_TAKES_S = 1.0
RETRY_S = 6.0
"""By which the clock is moved so that refused webhooks are due again."""
SETTLED_WITHIN_S = 60.0


class BooksDisagree(AssertionError):
    """What was found."""


class StormFailed(AssertionError):
    """With what is needed to see it again."""

    def __init__(self, seed: int, kills: int, calls: int, why: Exception) -> None:
        super().__init__(seed, kills, calls, why)
        self.seed, self.kills, self.calls, self.why = seed, kills, calls, why

    def __str__(self) -> str:
        again = f"python -m tests.resilience --only calls --seed {self.seed} --kills {self.kills} --calls {self.calls}"
        return f"{str(self.why) or repr(self.why)}; again: {again}"


@dataclass(frozen=True, slots=True)
class Life:
    """One server from its start to its kill. `back_s`: from the kill before it until it answered."""

    calls: int
    back_s: float
    repeated: int
    footprint: Footprint
    file_bytes: int


@dataclass(slots=True)
class Storm:
    """All that takes part. `kills` counts those that were done."""

    server: ServerProcess
    businesses: list[Business]
    books: Books
    http: aiohttp.ClientSession
    talkers: list[Talker]
    facts: Facts
    chance: random.Random
    ahead_s: float = AHEAD_S
    kills: int = 0
    starts: int = 0
    lives: list[Life] = field(default_factory=list)
    _last_call: int = 0
    _last_row: int = 0

    @property
    def database(self) -> Path:
        """The file."""
        return self.server.folder / DATABASE

    @property
    def made(self) -> int:
        """Calls begun so far."""
        return sum(talker.begun for talker in self.talkers)

    # --- one life after the other -------------------------------------------------------------------------------------

    async def round(self, calls: int, kills: int) -> None:
        """Make about so many calls, kill the server in the middle of it, once or twice, start it again and look."""
        made = self.made
        self._resume()
        await self._until_made(made + self.chance.randint(calls // 4, calls))
        await asyncio.sleep(self.chance.uniform(0, 0.05))
        before = live(self.database)
        back_s = await self._kill(kills)
        if revived := before & live(self.database):
            raise BooksDisagree(f"live after the kill of their engine: {revived}")
        await self._until_made(made + calls)
        repeated = await self._settle()
        footprint = Footprint.of(self.server.pid)
        self.lives.append(Life(self.made - made, back_s, repeated, footprint, self.database.stat().st_size))

    async def calm(self) -> Footprint:
        """Twice `growth.CALLS` more, without a kill; by how much the server has grown in the second half."""
        before, footprints = self.broken_off, []
        for _ in range(2):
            made = self.made
            self._resume()
            await self._until_made(made + growth.CALLS)
            await self._settle()
            footprints.append(Footprint.of(self.server.pid))
        if self.broken_off != before:
            raise BooksDisagree(f"{self.broken_off - before} calls broke off, and nobody was killed")
        return growth.grown(*footprints)

    @property
    def broken_off(self) -> int:
        """Calls that trouble ended."""
        return sum(talker.troubled for talker in self.talkers)

    def _resume(self) -> None:
        for talker in self.talkers:
            talker.resume()
        self.facts.resume()

    async def _until_made(self, count: int) -> None:
        while (made := self.made) < count:
            try:
                async with asyncio.timeout(SETTLED_WITHIN_S):
                    while self.made == made:  # noqa: ASYNC110 — a count of many, which has no event
                        await asyncio.sleep(0.01)
            except TimeoutError:
                raise BooksDisagree(f"nobody makes a call any more, after {self.kills} kills and {made} calls") from None

    async def _kill(self, kills: int) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self.server.kill()
        for talker in self.talkers:
            talker.interrupt()
        for _ in range(kills - 1):
            await self._launch()
            await asyncio.sleep(self.chance.uniform(0, START_TAKES_S))
            await self.server.kill()
        self.kills += kills
        await self._launch()
        await self.server.ready()
        return loop.time() - began

    async def _launch(self) -> None:
        self.starts += 1
        self.server.options = (*self.server.options[:-1], str(self.starts * self.ahead_s))
        await self.server.launch()

    # --- what must hold -----------------------------------------------------------------------------------------------

    async def _settle(self) -> int:
        """Let everybody finish, and hold the books against the database and the receivers. Returns webhooks that came again."""
        try:
            async with asyncio.timeout(SETTLED_WITHIN_S):
                await asyncio.gather(*(talker.pause() for talker in self.talkers), self.facts.pause())
                await self._until_delivered()
        except TimeoutError:
            owed = await asyncio.to_thread(_owed, self.database)
            raise BooksDisagree(f"not settled within {SETTLED_WITHIN_S} s; {owed} webhooks are owed") from None
        stored = await asyncio.to_thread(Stored.read, self.database, self._last_call, self._last_row)
        receivers = {business.app_id: business.receiver for business in self.businesses}
        faults = [
            *faults_of_acts(self.books, stored),
            *faults_of_webhooks(self.books, stored, receivers),
            *faults_of_facts(self.books, await asyncio.to_thread(self.facts.stored, self.database)),
            *(f"{call_id} is live, and nobody is in it" for call_id in live(self.database)),
            *(f"the server says: {line}" for line in self.server.faults),
            *await asyncio.to_thread(integrity, self.database),
        ]
        if legs := await self._legs():
            faults.append(f"{legs} legs, and nobody has one")
        if faults:
            raise BooksDisagree(f"{len(faults)} faults after {self.kills} kills and {self.made} calls: " + "; ".join(faults[:5]))
        repeated = sum(business.receiver.repeated for business in self.businesses)
        self._last_call, self._last_row = stored.last_call, stored.last_row
        self.books.acts.clear()
        for business in self.businesses:
            business.receiver.forget()
        return repeated

    async def _until_delivered(self) -> None:
        """Refused ones are due again only later, so the clock is moved."""
        while owed := await asyncio.to_thread(_owed, self.database):
            await self._admin("POST", "/_pagecalls/clock/advance", {"seconds": RETRY_S})
            for _ in range(20):
                await asyncio.sleep(0.02)
                if await asyncio.to_thread(_owed, self.database) < owed:
                    break

    async def _legs(self) -> int:
        headers = {"Authorization": f"Bearer {self.server.dev.admin_token}"}
        async with self.http.get(f"{self.server.dev.base_url}/metrics", headers=headers) as response:
            text = await response.text()
        return sum(int(float(line.split()[-1])) for line in text.splitlines() if line.startswith("pagecalls_media_legs{"))

    async def _admin(self, method: str, path: str, body: dict[str, object]) -> None:
        headers = {"Authorization": f"Bearer {self.server.dev.admin_token}"}
        async with self.http.request(method, self.server.dev.base_url + path, json=body, headers=headers) as response:
            response.raise_for_status()


def _owed(path: Path) -> int:
    """Webhooks that are not done with."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA query_only = ON")
        (count,) = database.execute("SELECT count(*) FROM outbox WHERE hold NOT IN ('delivered', 'dropped')").fetchone()
        return int(count)


# --- set-up and the whole ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def a_storm(folder: Path, seed: int, retention_rows: int) -> AsyncIterator[Storm]:
    """Two apps on the Page, one that takes every webhook and one with moods, a third beside them, and talkers, paused."""
    books, chance = Books(), random.Random(seed)
    options = ("--retention-rows", str(retention_rows), "--ahead-s", "0")
    async with AsyncExitStack() as stack:
        receivers = [Receiver(), Receiver(random.Random(f"{seed}-moods")), Receiver()]
        for receiver in receivers:
            await receiver.start()
            stack.push_async_callback(receiver.close)
        server = await stack.enter_async_context(a_server(folder, receivers[0].url, options, PROGRAM))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        dev = server.dev
        receivers[0].secret = dev.app.secret
        first = await _graph(stack, server, dev.page.access_token)
        second, third = [await _new_app(stack, server, http, receiver) for receiver in receivers[1:]]
        fields = {"object": "page", "callback_url": receivers[1].url, "verify_token": "second", "fields": "calls"}
        await second[1].post(f"/v26.0/{second[0]}/subscriptions", fields | {"access_token": second[2]})
        await second[1].post(f"/v26.0/{dev.page.id}/subscribed_apps", {"subscribed_fields": ["calls"]})
        businesses = [Business(dev.app.id, first, receivers[0]), Business(second[0], second[1], receivers[1])]
        facts = Facts(dev, third[0], third[2], receivers[2].url, third[1], http, books, random.Random(f"{seed}-facts"))
        storm = Storm(server, businesses, books, http, [], facts, chance)
        for number in range(TALKERS):
            consumer = await new_consumer(http, dev)
            stack.push_async_callback(consumer.leave)
            facts.people.append(consumer.psid)
            storm.talkers.append(Talker(consumer, businesses, books, random.Random(f"{seed}-{number}")))
        running = [asyncio.create_task(facts.run()), *(asyncio.create_task(talker.run()) for talker in storm.talkers)]
        stack.push_async_callback(cancel, running)
        yield storm


async def _graph(stack: AsyncExitStack, server: ServerProcess, token: str) -> BusinessApp:
    """An app's Graph client; its webhooks go elsewhere."""
    graph = BusinessApp()
    await graph.start()
    stack.push_async_callback(graph.close)
    graph.use(server.dev.base_url, server.dev.page.id, token, "")
    return graph


async def _new_app(
    stack: AsyncExitStack, server: ServerProcess, http: aiohttp.ClientSession, receiver: Receiver
) -> tuple[str, BusinessApp, str]:
    """A further app with rights on the Page: its id, its client and its app token."""
    dev = server.dev
    headers = {"Authorization": f"Bearer {dev.admin_token}"}
    body = {"name": "Another app", "page_id": dev.page.id}
    async with http.post(f"{dev.base_url}/_pagecalls/apps", json=body, headers=headers) as response:
        made = await response.json()
    receiver.secret = made["app"]["secret"]
    return made["app"]["id"], await _graph(stack, server, made["page"]["access_token"]), f"{made['app']['id']}|{receiver.secret}"


async def play(
    folder: Path, seed: int, kills: int, calls: int, on_progress: Callable[[int, int], None] = lambda kills, calls: None
) -> dict[str, Figure]:
    """So many kills under about so many calls in all, and calls without kills after them; the figures. Raises `StormFailed`."""
    per_kill = max(1, calls // kills)
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with a_storm(folder, seed, max(20 * TWICE * per_kill, 10 * growth.CALLS)) as storm:
            storm.ahead_s = min(AHEAD_S, LONGEST_S / kills)
            while storm.kills < kills:
                times = 2 if len(storm.lives) % TWICE == TWICE - 1 and storm.kills + 2 <= kills else 1
                await storm.round(per_kill * times, times)
                on_progress(storm.kills, storm.made)
            more = await storm.calm()
            growth.check_growth(f"server, by {growth.CALLS} calls,", more)
            return _summary(storm, more) | {"seconds": loop.time() - began}
    except Exception as error:
        raise StormFailed(seed, kills, calls, error) from error


def _summary(storm: Storm, more: Footprint) -> dict[str, Figure]:
    lives = storm.lives
    backs = [life.back_s for life in lives]
    return {
        "kills": storm.kills,
        "calls": storm.made,
        "calls_broken_off": storm.broken_off,
        "facts": storm.facts.acknowledged,
        "webhooks_repeated": sum(life.repeated for life in lives),
        "back_s_p50": percentile(backs, 0.5),
        "back_s_max": max(backs),
        "server_kib_first": lives[0].footprint.rss_kib,
        "server_kib_last": lives[-1].footprint.rss_kib,
        "server_fds_more": more.descriptors,
        "server_kib_more": more.rss_kib,
        "database_mb_max": max(life.file_bytes for life in lives) / 1e6,
        "database_mb_last": storm.database.stat().st_size / 1e6,
    }
