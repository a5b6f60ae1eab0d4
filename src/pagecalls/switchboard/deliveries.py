"""The delivery log for an operator: what was sent to whom and what came back, sending it once more, and receivers that fail.

The courier delivers; here it is only read what it wrote down, and asked to look again. Looking through the outbox goes in slices,
each a unit of work of its own, so that no call waits for a search.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pagecalls.clock import Clock
from pagecalls.store.base import (
    AppSubscription,
    Attempt,
    FailingReceiver,
    Hold,
    OutboxEntry,
    OutboxRow,
    Store,
    Transaction,
    WebhookKind,
)
from pagecalls.switchboard.base import CallbackTester, Trial, Wakeable
from pagecalls.switchboard.ids import Ids
from pagecalls.types import AppId, CallId
from pagecalls.webhooks import payloads, signing

SLICE = 1000
"""Rows that one unit of work looks at."""

SLICES = 20
"""For one page; a search that finds little says where it stopped."""

REPLAY_LIMIT = 1000
"""Rows that one request sends once more."""

_AT_A_TIME = 50
"""Of these, in one unit of work."""

_NEWEST = 2**62


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which rows are wanted; `None` is any. `since` and `until` bound the time of the event, Unix seconds."""

    app_id: AppId | None = None
    call_id: CallId | None = None
    kind: WebhookKind | None = None
    hold: Hold | None = None
    since: float | None = None
    until: float | None = None

    def fits(self, entry: OutboxEntry) -> bool:
        """Whether kind, hold and time are wanted; app and call are what entries are looked up by."""
        return (
            self.kind in (None, entry.kind)
            and self.hold in (None, entry.hold)
            and (self.since is None or entry.created_at >= self.since)
            and (self.until is None or entry.created_at < self.until)
        )


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Rows, the newest first. `next_before`: where to go on; `None` at the end."""

    rows: list[OutboxRow]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """One row with its attempts, and the headers that it has when it is sent now; none without a subscription."""

    row: OutboxRow
    attempts: list[Attempt]
    callback_url: str | None = field(repr=False)
    headers: Mapping[str, str] | None


class Skip(StrEnum):
    """Why a row is not sent once more."""

    UNKNOWN = "unknown"
    OWED = "owed"
    """It, or an earlier event of the same app and call, still waits to be taken for the first time."""
    NO_SUBSCRIPTION = "no_subscription"
    """Its app has no active subscription to its object."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """Ids of rows that will be sent once more, in order; those that will not; how many fit beyond `REPLAY_LIMIT`."""

    ids: list[int]
    skipped: dict[int, Skip]
    left: int


@dataclass(frozen=True, slots=True)
class Alert:
    """A receiver that its operator is told of, and where its events go."""

    receiver: FailingReceiver
    callback_url: str | None = field(repr=False)


class Deliveries:
    """Reads the log, and asks for more of it."""

    def __init__(self, store: Store, clock: Clock, courier: Wakeable, tester: CallbackTester, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._courier = courier
        self._tester = tester
        self._ids = ids

    async def page(self, wanted: DeliveryFilter, before: int | None, limit: int) -> DeliveryPage:
        """Up to `limit` rows with an id below `before`."""
        found: list[int] = []
        slices = 0
        async for entries in self._slices(wanted, before or _NEWEST):
            found += [entry.id for entry in entries if wanted.fits(entry)]
            slices += 1
            if len(found) >= limit or slices == SLICES:
                last = found[limit - 1] if len(found) >= limit else entries[-1].id
                return DeliveryPage(await self._rows(found[:limit]), last)
        return DeliveryPage(await self._rows(found), None)

    async def delivery(self, row_id: int) -> DeliveryReport | None:
        """All that is known of one row."""

        def work(tx: Transaction) -> DeliveryReport | None:
            row = tx.outbox_row(row_id)
            if row is None:
                return None
            app, subscription = tx.app(row.app_id), tx.app_subscription(row.app_id, row.object)
            url = subscription.callback_url if subscription is not None else None
            headers = signing.headers(app.secret, row.body) if app is not None and url is not None else None
            return DeliveryReport(row, tx.attempts(row_id), url, headers)

        return await self._store.read(work)

    async def replay_ids(self, ids: Sequence[int]) -> Replayed:
        """Send these rows once more: the same bytes, in the order of writing."""
        wanted = sorted(set(ids))
        done: list[int] = []
        skipped: dict[int, Skip] = {}
        for start in range(0, min(len(wanted), REPLAY_LIMIT), _AT_A_TIME):
            some = wanted[start : min(start + _AT_A_TIME, REPLAY_LIMIT)]
            now = self._clock.now()
            results = await self._store.write(lambda tx, some=some, now=now: [_replay(tx, each, now) for each in some])  # type: ignore[misc]
            done += [row_id for row_id, skip in zip(some, results, strict=True) if skip is None]
            skipped |= {row_id: skip for row_id, skip in zip(some, results, strict=True) if skip is not None}
        self._courier.wake()
        return Replayed(done, skipped, max(0, len(wanted) - REPLAY_LIMIT))

    async def replay(self, wanted: DeliveryFilter) -> Replayed:
        """Send once more what fits, the oldest first. The filter names an app or a call."""
        ids: list[int] = []
        async for entries in self._slices(wanted, _NEWEST):
            ids += [entry.id for entry in entries if wanted.fits(entry)]
        return await self.replay_ids(ids)

    async def alerts(self) -> list[Alert]:
        """Receivers that have failed for so long that somebody should look."""

        def work(tx: Transaction) -> list[Alert]:
            told = [each for each in tx.failing_receivers() if each.alerted_at is not None]
            found = [(each, tx.app_subscription(each.app_id, each.object)) for each in told]
            return [Alert(each, known.callback_url if known is not None else None) for each, known in found]

        return await self._store.read(work)

    async def try_out(self, app_id: AppId, object_: str) -> Trial | None:
        """A verification and a sample event, sent to the app's callback now; `None` without a subscription. Nothing is kept."""

        def work(tx: Transaction) -> tuple[AppSubscription, str] | None:
            app, subscription = tx.app(app_id), tx.app_subscription(app_id, object_)
            return (subscription, app.secret) if app is not None and subscription is not None else None

        found = await self._store.read(work)
        if found is None:
            return None
        subscription, secret = found
        body = payloads.sample(object_, self._ids.event_id(), self._clock.now())
        headers = signing.headers(secret, body)
        return await self._tester.try_out(subscription.callback_url, subscription.verify_token, headers, body)

    async def _slices(self, wanted: DeliveryFilter, before: int) -> AsyncIterator[list[OutboxEntry]]:
        """Entries of the wanted app and call, the newest first, never an empty list."""
        while True:
            entries = await self._store.read(
                lambda tx, before=before: tx.outbox_entries(wanted.app_id, wanted.call_id, before, SLICE)  # type: ignore[misc]
            )
            if entries:
                yield entries
            if len(entries) < SLICE:
                return
            before = entries[-1].id

    async def _rows(self, ids: Sequence[int]) -> list[OutboxRow]:
        found = await self._store.read(lambda tx: [tx.outbox_row(row_id) for row_id in ids])
        return [row for row in found if row is not None]


def _replay(tx: Transaction, row_id: int, now: float) -> Skip | None:
    row = tx.outbox_row(row_id)
    if row is None:
        return Skip.UNKNOWN
    subscription = tx.app_subscription(row.app_id, row.object)
    if subscription is None or not subscription.is_active:
        return Skip.NO_SUBSCRIPTION
    return None if tx.replay_outbox(row_id, now) else Skip.OWED
