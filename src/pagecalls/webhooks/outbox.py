"""The courier: takes due rows out of the outbox, sends them, records what came of it.

`lanes.py` keeps the order of first attempts; retries run beside the lanes. Lanes do not wait for each other, and `places.py`
gives each app its own share of requests in flight, so a slow receiver delays only itself. What an operator wants sent once more
goes in lanes of its own, a few rows at a time, and changes nothing for what is owed.

What is due lives in the store and is looked up there again after every change; memory holds what is being worked on: of each
app about `PAGE` fresh rows of calls, `PAGE` of no call and `PAGE` retries at most. A row is read again just before it is sent, so
one that was dropped meanwhile stays unsent. Losing this process loses nothing: a row is READY until its outcome is committed, and
is sent again by the next one.

Waits run on the injected clock, the time-out of one attempt on the real one (ruling 17).
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from enum import Enum, auto

from pagecalls.clock import Clock
from pagecalls.store.base import FailingReceiver, OutboxKey, OutboxRow, Store
from pagecalls.types import AppId
from pagecalls.webhooks import records, signing
from pagecalls.webhooks.base import Outcome, Sender
from pagecalls.webhooks.failing import News, Turn
from pagecalls.webhooks.lanes import Lanes
from pagecalls.webhooks.places import Places
from pagecalls.webhooks.records import Letter

_log = logging.getLogger(__name__)

PER_APP = 64
"""Requests in flight for one app."""

OWN = 8
"""Of these, requests that an app may have in flight whatever the others do."""

IN_COMMON = 448
"""Requests in flight of all apps beyond their own ones: more than one app can use."""

REPLAYS_PER_APP = 8
"""Of an app's requests in flight, those that send something once more: they leave room for what is owed."""

PAGE = 256
"""Due rows of one kind that are taken from one app at a time."""

_REST_S = 5.0
"""After a fault of ours, how long the row is left alone."""

_SHORTEST_WAIT_S = 0.01
"""Keeps a clock that stands still just before a due time from being asked again without pause."""


@dataclass(slots=True)
class CourierCounters:
    """Running totals since the start, and gauges. Read by whoever shows metrics; written here only."""

    attempts: int = 0
    delivered: int = 0
    failed: int = 0
    """Attempts without a 2xx."""
    given_up: int = 0
    """Rows dropped after a failed attempt, by schedule or because their call is over."""
    unwanted: int = 0
    """Rows dropped because their app has no active subscription any more."""
    replayed: int = 0
    """Attempts that sent a row once more, whatever came of it; they count as nothing else."""
    in_flight: int = 0
    queued: int = 0
    """Rows taken from the store that wait for their turn or for a free request."""
    alerts: list[FailingReceiver] = field(default_factory=list)
    """Receivers that the operator is told of, as of the last look."""


class _Left(Enum):
    """What is left to do for a row after its turn."""

    NOTHING = auto()
    """It is acknowledged, dropped, or not to be sent now."""
    RETRY = auto()
    REPLAY = auto()
    """While it was sent once more, it was asked for again."""


_Claim = tuple[int, bool]
"""A row that is being worked on, and whether it is sent once more."""


class Courier:
    """Delivers the outbox of one store.

    `start` once, `wake` whenever rows were released or the clock was moved, `stop` at the end.

    `on_attempt` is called just before a request, `on_outcome` just after it, `on_news` when an operator is to hear of a receiver.
    None may block.
    """

    def __init__(
        self,
        store: Store,
        sender: Sender,
        clock: Clock,
        *,
        on_attempt: Callable[[OutboxRow], None],
        on_outcome: Callable[[OutboxRow, Outcome], None],
        on_news: Callable[[News], None] = lambda _: None,
        counters: CourierCounters | None = None,
        per_app: int = PER_APP,
        own: int = OWN,
        in_common: int = IN_COMMON,
    ) -> None:
        self.counters = counters if counters is not None else CourierCounters()
        self._store = store
        self._sender = sender
        self._clock = clock
        self._on_attempt = on_attempt
        self._on_outcome = on_outcome
        self._on_news = on_news
        self._places = Places(per_app=per_app, own=own, common=in_common)
        self._replay_places = Places(per_app=REPLAYS_PER_APP, own=REPLAYS_PER_APP, common=0)
        self._claimed: set[_Claim] = set()
        self._finished: set[_Claim] = set()
        """Rows whose claim ended since the last look began; what that look has read about them may be old."""
        self._unrecorded: dict[_Claim, tuple[OutboxRow, Outcome]] = {}
        """What came of attempts and could not be stored yet: it is stored later, and the event is not sent again for it."""
        self._lanes = Lanes()
        self._replay_lanes = Lanes()
        self._attempts: set[asyncio.Task[None]] = set()
        self._resting: list[tuple[float, _Claim, OutboxKey]] = []
        self._woken = asyncio.Event()
        self._moved = asyncio.Event()
        self._must_look = True
        self._looks_begun = 0
        self._looks_done = 0
        self._done_of: Counter[AppId] = Counter()
        """Claims of each app that ended since the last look began."""
        self._with_more: set[AppId] = set()
        """Apps of which the last look took a whole page: there may be more."""
        self._is_stopping = False
        self._dispatcher: asyncio.Task[None] | None = None

    # --- life ---

    async def recover(self, now: float) -> None:
        """Release what a lost process still held back (ruling 18). Call before the first new row is written."""
        released = await self._store.write(lambda transaction: transaction.release_all_outbox(now))
        if released:
            _log.info("%d webhooks of the last run were released.", released)
        self.wake()

    def start(self) -> None:
        """Begin to deliver."""
        if self._dispatcher is None:
            self._dispatcher = asyncio.create_task(self._dispatch(), name="webhook-courier")

    async def stop(self, grace_s: float = 5.0) -> None:
        """Begin nothing new, give requests in flight `grace_s` real seconds, then break them off. Unfinished rows stay READY."""
        self._is_stopping = True
        if self._dispatcher is not None:
            self._dispatcher.cancel()
            await asyncio.wait({self._dispatcher})
        if not self._attempts:
            return
        _, late = await asyncio.wait(set(self._attempts), timeout=grace_s)
        for attempt in late:
            attempt.cancel()
        if late:
            await asyncio.wait(late)

    def wake(self) -> None:
        """Look again: rows were released, or the clock moved."""
        self._must_look = True
        self._woken.set()

    async def idle(self) -> None:
        """Return when nothing is due and nothing is in flight, as of a look that begins after this call."""
        wanted = self._looks_begun + 1
        self.wake()
        while self._looks_done < wanted or self._attempts or self._woken.is_set():
            self._moved.clear()
            await self._moved.wait()

    # --- what is due ---

    async def _dispatch(self) -> None:
        look_at: float | None = None
        while True:
            self._woken.clear()
            if self._must_look or (look_at is not None and look_at <= self._clock.now()):
                look_at = await self._look_safely()
            self._open_gates()
            self._moved.set()
            await self._wait_until(look_at)

    async def _look_safely(self) -> float | None:
        self._must_look = False
        self._finished.clear()
        self._done_of.clear()
        self._looks_begun += 1
        try:
            return await self._look()
        except Exception:
            _log.exception("The outbox could not be read.")
            return self._clock.now() + _REST_S
        finally:
            self._looks_done = self._looks_begun

    def _open_gates(self) -> None:
        """Whoever has waited long enough: for an event before it, or after a fault of ours."""
        now = self._clock.now()
        while self._resting and self._resting[0][0] <= now:
            self._begin(heapq.heappop(self._resting)[2])
        self._begin(*self._lanes.open(now), *self._replay_lanes.open(now))

    async def _look(self) -> float | None:
        """Take what is due. Returns when to look again if nobody wakes us."""
        now = self._clock.now()
        due = await self._store.read(lambda transaction: records.due(transaction, now, PAGE))
        self._with_more = _apps_with_more(due.keys)
        self.counters.alerts = due.alerted
        if due.alert_at is not None and due.alert_at <= now:
            self._spread(await self._store.write(lambda transaction: records.raise_alerts(transaction, due, now)))
        for key in due.keys:
            if _claim(key) not in self._claimed and _claim(key) not in self._finished:
                self._claimed.add(_claim(key))
                is_retry = key.attempts > 0 and not key.is_replay
                self._begin(*([key] if is_retry else self._lanes_of(key).add(key)))
        self._measure(0)
        return _soonest(due.next_at, due.alert_at)

    def _lanes_of(self, key: OutboxKey) -> Lanes:
        return self._replay_lanes if key.is_replay else self._lanes

    async def _wait_until(self, look_at: float | None) -> None:
        """Until somebody wakes us, or until the outbox or a gate is due."""
        rested_at = self._resting[0][0] if self._resting else None
        at = _soonest(look_at, self._lanes.next_at(), self._replay_lanes.next_at(), rested_at)
        timeout_s = None if at is None else max(_SHORTEST_WAIT_S, at - self._clock.now())
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()

    # --- one attempt ---

    def _begin(self, *keys: OutboxKey) -> None:
        for key in () if self._is_stopping else keys:
            task = asyncio.create_task(self._attempt(key), name=f"webhook-{key.id}")
            self._attempts.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._attempts.discard(task)
        self._moved.set()

    async def _attempt(self, key: OutboxKey) -> None:
        """Wait for a free request, use it, and let the lane go on if its next row need not wait."""
        try:
            left = await self._in_turn(key)
        except Exception:
            # Our fault, most likely the disk's. The row keeps its claim and its place, and goes on from here.
            _log.exception("Webhook row %d could not be handled.", key.id)
            heapq.heappush(self._resting, (self._clock.now() + _REST_S, _claim(key), key))
            self._woken.set()
            return
        self._claimed.discard(_claim(key))
        self._finished.add(_claim(key))
        self._done_of[key.app_id] += 1
        self._measure(0)
        if left is not _Left.RETRY:
            self._begin(*self._lanes_of(key).settle(key))
        is_running_low = key.app_id in self._with_more and self._done_of[key.app_id] >= PAGE // 2
        if is_running_low or left is not _Left.NOTHING:
            self.wake()

    async def _in_turn(self, key: OutboxKey) -> _Left:
        """Send the row, unless it is not to be sent now, and write down what came of it."""
        async with self._replay_turn(key), self._places.place(key.app_id):
            if self._is_stopping:
                return _Left.RETRY
            if _claim(key) not in self._unrecorded:
                letter = await self._store.read(lambda transaction: records.letter(transaction, key))
                if letter is None:
                    return _Left.NOTHING
                if letter.url is None:
                    return await self._drop(letter, key)
                if self._lanes_of(key).begin(key, self._clock.now()):
                    self._woken.set()  # there is a gate to wait for
                self._unrecorded[_claim(key)] = letter.row, await self._send(letter.row, letter.url, letter.secret)
            return await self._record(key)

    def _replay_turn(self, key: OutboxKey) -> AbstractAsyncContextManager[None]:
        return self._replay_places.place(key.app_id) if key.is_replay else nullcontext()

    async def _send(self, row: OutboxRow, url: str, secret: str) -> Outcome:
        self.counters.attempts += 1
        self._measure(1)
        self._tell(lambda: self._on_attempt(row))
        try:
            outcome = await self._sender.post(url, signing.headers(secret, row.body), row.body)
        finally:
            self._measure(-1)
        self._tell(lambda: self._on_outcome(row, outcome))
        return outcome

    async def _record(self, key: OutboxKey) -> _Left:
        now = self._clock.now()
        row, outcome = self._unrecorded[_claim(key)]
        result = await self._store.write(lambda transaction: records.recorded(transaction, row, key, outcome, now))
        del self._unrecorded[_claim(key)]
        self._spread(result.news)
        if not outcome.ok:
            self.wake()  # the receiver's alert may be next
        if key.is_replay:
            self.counters.replayed += 1
            what = outcome.status or outcome.error
            _log.info("Webhook %s was sent once more to app %s: %s.", row.event_id, row.app_id, what, extra=_about(row))
            return _Left.REPLAY if result.is_wanted_again else _Left.NOTHING
        next_at = result.next_at
        if outcome.ok:
            self.counters.delivered += 1
            _log.info("%s was delivered to app %s.", _named(row), row.app_id, extra=_about(row))
            return _Left.NOTHING
        self.counters.failed += 1
        self.counters.given_up += next_at is None
        _log.warning(
            "%s was not taken by app %s: %s. %s.",
            *(_named(row), row.app_id, outcome.status or outcome.error),
            "It is given up" if next_at is None else f"Next attempt in {next_at - now:.0f} s",
            extra=_about(row),
        )
        return _Left.NOTHING if next_at is None else _Left.RETRY

    async def _drop(self, letter: Letter, key: OutboxKey) -> _Left:
        row, now = letter.row, self._clock.now()
        is_wanted_again = await self._store.write(lambda transaction: records.drop(transaction, letter, key, now))
        self.counters.unwanted += not key.is_replay
        facts = (row.event_id, row.app_id, row.object)
        _log.info("Webhook %s is not sent: app %s has no active subscription to %s.", *facts, extra=_about(row))
        return _Left.REPLAY if is_wanted_again else _Left.NOTHING

    def _spread(self, news: Iterable[News]) -> None:
        """Tell the operator, and look again, so that the gauge knows."""
        for each in news:
            level = logging.INFO if each.turn is Turn.RECOVERED else logging.ERROR
            receiver = each.receiver
            _log.log(
                level,
                "%s: the receiver of app %s for %s. Failures since its last success: %d, the last one: %s.",
                *(_WORDS[each.turn], receiver.app_id, receiver.object, receiver.failures, receiver.last),
                extra={"app_id": receiver.app_id},
            )
            self._tell(lambda each=each: self._on_news(each))  # type: ignore[misc]
            self.wake()

    def _measure(self, in_flight: int) -> None:
        self.counters.in_flight += in_flight
        self.counters.queued = len(self._claimed) - self.counters.in_flight

    def _tell(self, hook: Callable[[], None]) -> None:
        """Whoever watches must not be able to stop a delivery."""
        try:
            hook()
        except Exception:
            _log.exception("A hook of the courier failed.")


def _named(row: OutboxRow) -> str:
    """An event as a log line names it; some are of no call."""
    of_call = f" of call {row.call_id}" if row.call_id else ""
    return f"Webhook {row.event_id}, {row.kind}{of_call},"


def _about(row: OutboxRow) -> dict[str, str | None]:
    """What its log lines are found by."""
    return {"call_id": row.call_id, "app_id": row.app_id}


_WORDS = {
    Turn.ALERT: "Webhooks fail",
    Turn.RECOVERED: "Webhooks arrive again",
    Turn.DISABLED: "Webhooks are switched off",
}


def _soonest(*moments: float | None) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _apps_with_more(keys: Iterable[OutboxKey]) -> set[AppId]:
    pages = Counter((key.app_id, key.is_replay, key.attempts > 0) for key in keys)
    return {app_id for (app_id, _, _), count in pages.items() if count >= PAGE}


def _claim(key: OutboxKey) -> _Claim:
    return key.id, key.is_replay
