"""A courier with everything around it in memory."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from pagecalls.clock import SteppedClock, SystemClock
from pagecalls.store.base import AppSubscription, OutboxRow, Transaction
from pagecalls.store.sqlite import SqliteStore
from pagecalls.types import AppId
from pagecalls.webhooks.base import Outcome
from pagecalls.webhooks.failing import News
from pagecalls.webhooks.fake import FakeSender
from pagecalls.webhooks.outbox import IN_COMMON, OWN, PER_APP, Courier, CourierCounters
from tests.contract.store_samples import APP, OTHER_APP, seed

URL = {APP: "http://receiver.example/one", OTHER_APP: "http://receiver.example/two"}
BAD = Outcome(500, "Internal Server Error")


class Bench:
    """A courier over a store in memory, a scripted sender and a clock, which stands still unless told otherwise."""

    def __init__(self, clock: SteppedClock | SystemClock | None = None, **limits: int) -> None:
        self.clock = clock or SteppedClock()
        self.store = SqliteStore.open(None)
        self.sender = FakeSender(self.clock)
        self.counters = CourierCounters()
        self.attempted: list[str] = []
        self.outcomes: list[tuple[str, int | None]] = []
        self.news: list[News] = []
        self.courier = Courier(
            self.store,
            self.sender,
            self.clock,
            on_attempt=lambda row: self.attempted.append(row.event_id),
            on_outcome=lambda row, outcome: self.outcomes.append((row.event_id, outcome.status)),
            on_news=self.news.append,
            counters=self.counters,
            per_app=limits.get("per_app", PER_APP),
            own=limits.get("own", OWN),
            in_common=limits.get("in_common", IN_COMMON),
        )

    async def begin(self) -> None:
        def work(transaction: Transaction) -> None:
            seed(transaction)
            for app_id, url in URL.items():
                transaction.put_app_subscription(AppSubscription(app_id, "page", url, "verify", ("calls",)))

        await self.store.write(work)
        self.courier.start()

    async def add(self, *rows: OutboxRow) -> list[int]:
        moved = [replace(row, created_at=self.clock.now(), next_at=self.clock.now()) for row in rows]
        ids = await self.store.write(lambda transaction: transaction.add_outbox(moved))
        self.courier.wake()
        return ids

    async def move(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.courier.idle()

    async def row(self, row_id: int) -> OutboxRow:
        found = await self.store.read(lambda transaction: transaction.outbox_row(row_id))
        assert found is not None
        return found

    def sent(self, app_id: AppId = APP) -> list[str]:
        return [json.loads(request.body)["event"] for request in self.sender.sent_to(URL[app_id])]

    async def look_around(self) -> None:
        """Let the courier do what it can while a request is in flight: its reads queue up with these."""
        for _ in range(10):
            await self.store.read(lambda transaction: None)

    def unanswered(self, *app_ids: AppId) -> list[asyncio.Future[Outcome]]:
        """Answers that are still to come, for the next request to each app."""
        futures = [asyncio.get_running_loop().create_future() for _ in app_ids]
        for app_id, future in zip(app_ids, futures, strict=True):
            self.sender.script(URL[app_id], future)
        return futures

    async def replay(self, *row_ids: int) -> list[bool]:
        """Ask for these rows once more; which of them will come."""
        now = self.clock.now()
        asked = await self.store.write(lambda transaction: [transaction.replay_outbox(row_id, now) for row_id in row_ids])
        self.courier.wake()
        return asked

    def new_courier(self) -> Courier:
        """The one of the next process, over the same store."""
        return Courier(
            self.store,
            self.sender,
            self.clock,
            on_attempt=lambda row: None,
            on_outcome=lambda row, outcome: None,
            on_news=self.news.append,
        )

    async def end(self) -> None:
        await self.courier.stop(grace_s=0)
        await self.store.close()
