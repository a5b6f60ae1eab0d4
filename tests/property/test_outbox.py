"""Whatever receivers, clock and releases do: no webhook is lost, none changes, and first attempts of a call keep their order."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pagecalls.clock import SteppedClock
from pagecalls.store.base import AppSubscription, Hold, OutboxRow, Transaction
from pagecalls.store.sqlite import SqliteStore
from pagecalls.types import AppId
from pagecalls.webhooks import signing
from pagecalls.webhooks.base import Failure, Outcome
from pagecalls.webhooks.fake import FakeSender
from pagecalls.webhooks.outbox import Courier
from tests.contract.store_samples import APP, OTHER_APP, a_row, seed

URL = {APP: "http://receiver.example/one", OTHER_APP: "http://receiver.example/two"}
SECRET = {APP: "secret-one", OTHER_APP: "secret-two"}
ANSWERS = {
    "ok": Outcome(200, "OK"),
    "empty": Outcome(204, "No Content"),
    "error": Outcome(500, "Internal Server Error"),
    "timeout": Outcome(failure=Failure.TIMEOUT, error="timed out"),
}


@dataclass(frozen=True, slots=True)
class Add:
    app_id: AppId
    call: int
    is_held: bool


@dataclass(frozen=True, slots=True)
class Release:
    """The oldest row that is still held."""


@dataclass(frozen=True, slots=True)
class Script:
    """What the app's receiver says next; `silent` says it only when told."""

    app_id: AppId
    answer: str


@dataclass(frozen=True, slots=True)
class Speak:
    """The oldest silent request is answered."""

    answer: str


@dataclass(frozen=True, slots=True)
class Move:
    seconds: float


@dataclass(frozen=True, slots=True)
class Restart:
    """The courier is broken off, and another one takes over."""


Step = Add | Release | Script | Speak | Move | Restart

apps = st.sampled_from([APP, OTHER_APP])
answers = st.sampled_from(list(ANSWERS))
steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(Add, apps, st.integers(0, 2), st.booleans()),
    st.builds(Add, apps, st.integers(0, 2), st.just(False)),
    st.builds(Release),
    st.builds(Script, apps, answers | st.just("silent")),
    st.builds(Speak, answers),
    st.builds(Move, st.sampled_from([0.5, 1.0, 2.5, 3.0, 5.0, 30.0, 700.0])),
    st.builds(Restart),
)


@dataclass
class World:
    clock: SteppedClock = field(default_factory=SteppedClock)
    store: SqliteStore = field(default_factory=lambda: SqliteStore.open(None))
    held: list[int] = field(default_factory=list)
    silent: list[asyncio.Future[Outcome]] = field(default_factory=list)
    rows: dict[str, OutboxRow] = field(default_factory=dict)
    log: list[tuple[str, float, str, Outcome | None]] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    """How long `log` was at each restart: what a broken-off courier knew about gates is gone with it."""

    def __post_init__(self) -> None:
        self.sender = FakeSender(self.clock)
        self.courier = self.new_courier()

    def new_courier(self) -> Courier:
        return Courier(
            self.store,
            self.sender,
            self.clock,
            on_attempt=lambda row: self.log.append(("attempt", self.clock.now(), row.event_id, None)),
            on_outcome=lambda row, outcome: self.log.append(("outcome", self.clock.now(), row.event_id, outcome)),
        )

    async def begin(self) -> None:
        def work(transaction: Transaction) -> None:
            seed(transaction)
            for app_id, url in URL.items():
                transaction.put_app_subscription(AppSubscription(app_id, "page", url, "verify", ("calls",)))

        await self.store.write(work)
        self.courier.start()

    async def calm(self) -> None:
        """Let everything happen that can happen without an answer or the clock."""
        self.courier.wake()
        for _ in range(12):
            await self.store.read(lambda transaction: None)

    async def do(self, step: Step) -> None:
        match step:
            case Add(app_id, call, is_held):
                await self.add(app_id, call, is_held)
            case Release():
                await self.release(self.held[:1])
            case Script(app_id, "silent"):
                self.silent.append(asyncio.get_running_loop().create_future())
                self.sender.script(URL[app_id], self.silent[-1])
            case Script(app_id, answer):
                self.sender.script(URL[app_id], ANSWERS[answer])
            case Speak(answer):
                if self.silent and not self.silent[0].done():
                    self.silent.pop(0).set_result(ANSWERS[answer])
            case Move(seconds):
                self.clock.advance(seconds)
            case Restart():
                await self.courier.stop(grace_s=0)
                self.silent = [future for future in self.silent if not future.done()]
                self.restarts.append(len(self.log))
                self.courier = self.new_courier()
                self.courier.start()

    async def add(self, app_id: AppId, call: int, is_held: bool) -> None:
        event_id = f"e{len(self.rows)}"
        hold = Hold.HELD if is_held else Hold.READY
        row = a_row(event_id, app_id=app_id, call_id=f"c_{call}", hold=hold, created_at=self.clock.now())
        (row_id,) = await self.store.write(lambda transaction: transaction.add_outbox([row]))
        self.rows[event_id] = replace(row, id=row_id)
        if is_held:
            self.held.append(row_id)

    async def release(self, ids: list[int]) -> None:
        now = self.clock.now()
        await self.store.write(lambda transaction: transaction.release_outbox(ids, now))
        self.held = [row_id for row_id in self.held if row_id not in ids]

    async def finish(self) -> None:
        """Everything is released, every receiver answers 200 from now on, and time passes."""
        await self.release(list(self.held))
        for future in self.silent:
            if not future.done():
                future.set_result(ANSWERS["ok"])
        for app_id in URL:
            self.sender._scripts.pop(URL[app_id], None)
        for _ in range(len(self.rows) + 3):
            await self.courier.idle()
            self.clock.advance(3.0)
        self.clock.advance(6 * 3600)
        await self.courier.idle()

    # --- what must hold ---

    async def check(self) -> None:
        stored = await self.store.read(lambda transaction: [transaction.outbox_row(row.id) for row in self.rows.values()])
        assert [row.hold for row in stored if row] == [Hold.DELIVERED] * len(self.rows)
        self.check_bytes()
        self.check_order()

    def check_bytes(self) -> None:
        for request in self.sender.requests:
            row = self.rows[json.loads(request.body)["event"]]
            assert (request.url, request.body) == (URL[row.app_id], row.body)
            assert request.headers == signing.headers(SECRET[row.app_id], row.body)

    def check_order(self) -> None:
        """Ruling 8, over first attempts: by id within a call, each after a 2xx of the one before or 3 s after that one began."""
        first: dict[str, tuple[float, int]] = {}
        acknowledged: set[str] = set()
        last: dict[tuple[AppId, object], str] = defaultdict(str)
        for position, (what, at, event_id, outcome) in enumerate(self.log):
            row = self.rows[event_id]
            if what == "outcome":
                acknowledged |= {event_id} if outcome is not None and outcome.ok else set()
                continue
            if event_id in first:
                continue
            before = last[row.app_id, row.call_id]
            if before:
                began_at, began = first[before]
                assert self.rows[before].id < row.id
                is_forgotten = any(began < restart <= position for restart in self.restarts)
                assert before in acknowledged or at >= began_at + 3.0 or is_forgotten
            first[event_id] = (at, position)
            last[row.app_id, row.call_id] = event_id
        assert first.keys() == self.rows.keys()


async def run(script: list[Step]) -> None:
    world = World()
    try:
        await world.begin()
        for step in script:
            await world.do(step)
            await world.calm()
        await world.finish()
        await world.check()
    finally:
        await world.courier.stop(grace_s=0)
        await world.store.close()


@settings(max_examples=80, deadline=None)
@given(st.lists(steps, max_size=25))
def test_nothing_is_lost_reordered_or_changed(script: list[Step]) -> None:
    asyncio.run(run(script))


async def hold_up(silent_calls: int, fast_calls: int) -> None:
    world = World()
    try:
        await world.begin()
        futures = [asyncio.get_running_loop().create_future() for _ in range(silent_calls)]
        world.sender.script(URL[APP], *futures)
        for call in range(silent_calls):
            await world.add(APP, call, is_held=False)
        world.courier.wake()
        for call in range(fast_calls):
            await world.add(OTHER_APP, call, is_held=False)
        world.courier.wake()
        while len(world.sender.sent_to(URL[OTHER_APP])) < fast_calls:  # a courier that blocks never gets there
            await world.sender.wait_for(len(world.sender.requests) + 1)
        assert not any(future.done() for future in futures)
    finally:
        await world.courier.stop(grace_s=0)
        await world.store.close()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 150), st.integers(1, 20))
def test_a_silent_app_does_not_delay_another(silent_calls: int, fast_calls: int) -> None:
    asyncio.run(asyncio.wait_for(hold_up(silent_calls, fast_calls), timeout=20))
