"""Whatever receivers, clock, releases, restarts and operators do: no webhook is lost, none changes, and first attempts of a call
keep their order."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pagecalls.call.states import CallState
from pagecalls.clock import SteppedClock
from pagecalls.store.base import AppSubscription, DropReason, Hold, OutboxRow, Transaction, WebhookKind
from pagecalls.store.sqlite import SqliteStore
from pagecalls.types import AppId, CallId
from pagecalls.webhooks import signing
from pagecalls.webhooks.base import Failure, Outcome
from pagecalls.webhooks.fake import FakeSender
from pagecalls.webhooks.outbox import Courier
from tests.contract.store_samples import APP, OTHER_APP, a_call, a_row, seed

URL = {APP: "http://receiver.example/one", OTHER_APP: "http://receiver.example/two"}
SECRET = {APP: "secret-one", OTHER_APP: "secret-two"}
ANSWERS = {
    "ok": Outcome(200, "OK"),
    "empty": Outcome(204, "No Content"),
    "error": Outcome(500, "Internal Server Error"),
    "timeout": Outcome(failure=Failure.TIMEOUT, error="timed out"),
}
OF_NO_CALL = (WebhookKind.CALL_PERMISSION_REPLY, WebhookKind.CALL_SETTINGS_UPDATE)
"""Without a call these are about one thing each; others are alone."""


@dataclass(frozen=True, slots=True)
class Add:
    app_id: AppId
    call: int | None
    kind: WebhookKind
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
class SetBack:
    """Somebody sets the machine's time back."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Restart:
    """The courier is broken off, and another one takes over."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Some row, and the one after it, are to be sent once more."""

    number: int


@dataclass(frozen=True, slots=True)
class Switch:
    """The app's subscription goes off or on."""

    app_id: AppId
    is_active: bool


@dataclass(frozen=True, slots=True)
class End:
    """The call is over (ruling 9)."""

    call: int


Step = Add | Release | Script | Speak | Move | SetBack | Restart | Replay | Switch | End

apps = st.sampled_from([APP, OTHER_APP])
answers = st.sampled_from(list(ANSWERS))
calls = st.integers(0, 2) | st.none()
kinds = st.sampled_from(WebhookKind)
steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(Add, apps, calls, kinds, st.booleans()),
    st.builds(Add, apps, calls, kinds, st.just(False)),
    st.builds(Release),
    st.builds(Script, apps, answers | st.just("silent")),
    st.builds(Speak, answers),
    st.builds(Move, st.sampled_from([0.5, 1.0, 2.5, 3.0, 5.0, 30.0, 700.0])),
    st.builds(SetBack, st.sampled_from([1.0, 60.0])),
    st.builds(Restart),
    st.builds(Replay, st.integers(0, 20)),
    st.builds(Switch, apps, st.booleans()),
    st.builds(End, st.integers(0, 2)),
)


class MachineClock(SteppedClock):
    """Goes back too; `back_s` is by how much in all."""

    back_s = 0.0

    def set_back(self, seconds: float) -> None:
        self._now -= seconds
        self.back_s += seconds


@dataclass
class World:
    clock: MachineClock = field(default_factory=MachineClock)
    store: SqliteStore = field(default_factory=lambda: SqliteStore.open(None))
    held: list[int] = field(default_factory=list)
    silent: list[asyncio.Future[Outcome]] = field(default_factory=list)
    rows: dict[str, OutboxRow] = field(default_factory=dict)
    log: list[tuple[str, float, str, Outcome | None]] = field(default_factory=list)
    """Attempts (those that send something once more are replays), outcomes of both, promises to replay, and ends of calls."""
    ever_off: set[AppId] = field(default_factory=set)
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
            on_attempt=lambda row: self.log.append((_attempt_word(row), self.clock.now(), row.event_id, None)),
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
            case Add(app_id, call, kind, is_held):
                await self.add(app_id, call, is_held, kind)
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
            case SetBack(seconds):
                self.clock.set_back(seconds)
            case Restart():
                await self.courier.stop(grace_s=0)
                self.silent = [future for future in self.silent if not future.done()]
                self.restarts.append(len(self.log))
                self.courier = self.new_courier()
                self.courier.start()
            case Replay(number):
                await self.replay([row.id for row in self.rows.values()][number : number + 2])
            case Switch(app_id, is_active):
                self.ever_off |= set() if is_active else {app_id}
                await self.switch(app_id, is_active)
            case End(call):
                await self.end_call(CallId(f"c_{call}"))

    async def replay(self, ids: list[int]) -> None:
        self.clock.advance(0.001)  # no two wishes have the same time
        now, place = self.clock.now(), len(self.log)
        taken = await self.store.write(lambda transaction: [transaction.replay_outbox(row_id, now) for row_id in ids])
        promised = {row_id for row_id, is_taken in zip(ids, taken, strict=True) if is_taken}
        self.log[place:place] = [("promise", now, row.event_id, None) for row in self.rows.values() if row.id in promised]

    async def switch(self, app_id: AppId, is_active: bool) -> None:
        subscription = AppSubscription(app_id, "page", URL[app_id], "verify", ("calls",), is_active)
        await self.store.write(lambda transaction: transaction.put_app_subscription(subscription))

    async def end_call(self, call_id: CallId) -> None:
        def work(transaction: Transaction) -> None:
            transaction.put_call(a_call(call_id, state=CallState.COMPLETED))
            transaction.drop_stale_outbox(call_id, self.clock.now())

        await self.store.write(work)
        self.log.append(("end", self.clock.now(), call_id, None))

    async def add(self, app_id: AppId, call: int | None, is_held: bool, kind: WebhookKind = WebhookKind.MEDIA_UPDATE) -> None:
        event_id = f"e{len(self.rows)}"
        hold = Hold.HELD if is_held else Hold.READY
        call_id = None if call is None else f"c_{call}"
        about = kind.value if call is None and kind in OF_NO_CALL else None
        row = a_row(event_id, app_id=app_id, call_id=call_id, kind=kind, hold=hold, created_at=self.clock.now(), about=about)
        (row_id,) = await self.store.write(lambda transaction: transaction.add_outbox([row]))
        self.rows[event_id] = replace(row, id=row_id)
        if is_held:
            self.held.append(row_id)

    async def release(self, ids: list[int]) -> None:
        now = self.clock.now()
        await self.store.write(lambda transaction: transaction.release_outbox(ids, now))
        self.held = [row_id for row_id in self.held if row_id not in ids]

    async def finish(self) -> None:
        """Everything is on and released, every receiver answers 200 from now on, and time passes."""
        for app_id in URL:
            await self.switch(app_id, True)
        await self.release(list(self.held))
        for future in self.silent:
            if not future.done():
                future.set_result(ANSWERS["ok"])
        for app_id in URL:
            self.sender._scripts.pop(URL[app_id], None)
        self.clock.advance(self.clock.back_s)
        for _ in range(len(self.rows) + 3):
            await self.courier.idle()
            self.clock.advance(3.0)
        self.clock.advance(6 * 3600)
        await self.courier.idle()

    # --- what must hold ---

    async def check(self) -> None:
        dropped = [row for row in await self.stored() if row.hold is not Hold.DELIVERED]
        for row in dropped:
            self.check_reason(row)
        self.check_bytes()
        self.check_order()
        await self.replay([row.id for row in dropped])
        await self.courier.idle()
        await self.check_log()

    async def stored(self) -> list[OutboxRow]:
        found = await self.store.read(lambda transaction: [transaction.outbox_row(row.id) for row in self.rows.values()])
        return [row for row in found if row is not None]

    def check_reason(self, row: OutboxRow) -> None:
        """Only what nobody wanted, or what was tried before its call was over, was dropped."""
        assert row.hold is Hold.DROPPED
        if row.drop_reason is DropReason.CALL_OVER:
            assert row.attempts > 0
            assert row.kind is not WebhookKind.TERMINATE
            assert ("end", row.call_id) in [(what, name) for what, _, name, _ in self.log]
        else:
            assert row.drop_reason is DropReason.DISABLED
            assert row.app_id in self.ever_off

    async def check_log(self) -> None:
        """Now everything was taken; every attempt has its line, and every promise to send something once more was kept."""
        for row in await self.stored():
            assert (row.hold, row.replay_at) == (Hold.DELIVERED, None)
            attempts = await self.store.read(lambda transaction, row=row: transaction.attempts(row.id))  # type: ignore[misc]
            assert [attempt.number for attempt in attempts] == list(range(1, row.attempts + 1))
            words = [what for what, _, event_id, _ in self.log if event_id == row.event_id and what in ("promise", "replay")]
            assert words[:1] != ["replay"]
            assert words[-1:] != ["promise"] or row.app_id in self.ever_off

    def check_bytes(self) -> None:
        for request in self.sender.requests:
            row = self.rows[json.loads(request.body)["event"]]
            assert (request.url, request.body) == (URL[row.app_id], row.body)
            assert request.headers == signing.headers(SECRET[row.app_id], row.body)

    def check_order(self) -> None:
        """Ruling 8, over first attempts: by id within a lane, each after a 2xx of the one before or 3 s after that one began."""
        first: dict[str, tuple[float, int]] = {}
        acknowledged: set[str] = set()
        failed: set[str] = set()
        over: set[str] = set()
        last: dict[tuple[AppId, object], str] = defaultdict(str)
        for position, (what, at, event_id, outcome) in enumerate(self.log):
            if what == "end":
                over.add(event_id)
            elif what == "outcome":
                (acknowledged if outcome is not None and outcome.ok else failed).add(event_id)
            if what != "attempt" or event_id in first:
                continue
            row = self.rows[event_id]
            before = last[row.app_id, row.lane] if row.lane is not None else ""
            if before:
                began_at, began = first[before]
                assert self.rows[before].id < row.id
                is_forgotten = any(began < restart <= position for restart in self.restarts)
                is_dropped = before in failed and row.call_id in over
                assert before in acknowledged or at >= began_at + 3.0 or is_forgotten or is_dropped
            first[event_id] = (at, position)
            last[row.app_id, row.lane] = event_id
        never = {row.event_id for row in self.rows.values() if row.app_id in self.ever_off} - first.keys()
        assert first.keys() | never == self.rows.keys()


def _attempt_word(row: OutboxRow) -> str:
    return "attempt" if row.replay_at is None else "replay"


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


BEHIND_A_SILENT_ONE = [
    Script(APP, "silent"),
    Add(APP, 0, WebhookKind.CONNECT, False),
    Add(APP, 0, WebhookKind.CALL_STATUS, False),
    SetBack(60.0),
    Restart(),
    Add(APP, 0, WebhookKind.TERMINATE, False),
]
"""What is owed since before the clock was set back goes before what came after that."""

TWICE_ONCE_MORE = [Add(APP, 0, WebhookKind.CONNECT, False), Script(APP, "silent"), Replay(0), Replay(0), Speak("error")]
"""A second wish that comes while the first one is fulfilled is a wish of its own."""


@settings(max_examples=80, deadline=None)
@given(st.lists(steps, max_size=25))
@example(BEHIND_A_SILENT_ONE)
@example(TWICE_ONCE_MORE)
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
