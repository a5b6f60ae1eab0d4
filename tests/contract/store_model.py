"""The store as plain dictionaries: the oracle of the contract tests, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import TypeVar

from pagecalls.store.base import (
    App,
    AppSubscription,
    CallRecord,
    Consumer,
    ConsumerToken,
    Hold,
    LiveCallExists,
    OutboxKey,
    OutboxRow,
    Page,
    PageSubscription,
    Token,
    Transaction,
    WebhookKind,
)
from pagecalls.types import AppId, CallId, Direction, PageId, Psid
from tests.contract.model_messages import ModelMessages
from tests.contract.model_settings import ModelSettings

T = TypeVar("T")


class ModelTransaction(ModelSettings, ModelMessages):
    """Every table is a dictionary of frozen values, so a shallow copy of each is a snapshot."""

    def __init__(self) -> None:
        super().__init__()
        self.metas: dict[str, str] = {}
        self.app_by_id: dict[AppId, App] = {}
        self.page_by_id: dict[PageId, Page] = {}
        self.tokens: dict[str, Token] = {}
        self.app_subs: dict[tuple[AppId, str], AppSubscription] = {}
        self.page_subs: dict[tuple[AppId, PageId], PageSubscription] = {}
        self.consumers: dict[tuple[PageId, Psid], Consumer] = {}
        self.consumer_tokens: dict[str, ConsumerToken] = {}
        self.permissions: dict[tuple[PageId, Psid], float] = {}
        self.calls: dict[CallId, CallRecord] = {}
        self.rows: dict[int, OutboxRow] = {}

    def snapshot(self) -> ModelTransaction:
        twin = ModelTransaction()
        for name, table in vars(self).items():
            setattr(twin, name, copy(table))
        return twin

    def meta(self, key: str) -> str | None:
        return self.metas.get(key)

    def put_meta(self, key: str, value: str) -> None:
        self.metas[key] = value

    def app(self, app_id: AppId) -> App | None:
        return self.app_by_id.get(app_id)

    def apps(self) -> list[App]:
        return [self.app_by_id[key] for key in sorted(self.app_by_id)]

    def put_app(self, app: App) -> None:
        self.app_by_id[app.id] = app

    def page(self, page_id: PageId) -> Page | None:
        return self.page_by_id.get(page_id)

    def put_page(self, page: Page) -> None:
        self.page_by_id[page.id] = page

    def token(self, digest: str) -> Token | None:
        return self.tokens.get(digest)

    def put_token(self, token: Token) -> None:
        self.tokens[token.digest] = token

    def app_subscriptions(self, app_id: AppId) -> list[AppSubscription]:
        return [self.app_subs[key] for key in sorted(self.app_subs) if key[0] == app_id]

    def put_app_subscription(self, subscription: AppSubscription) -> None:
        self.app_subs[subscription.app_id, subscription.object] = subscription

    def delete_app_subscription(self, app_id: AppId, object_: str) -> None:
        self.app_subs.pop((app_id, object_), None)

    def page_subscription(self, app_id: AppId, page_id: PageId) -> PageSubscription | None:
        return self.page_subs.get((app_id, page_id))

    def put_page_subscription(self, subscription: PageSubscription) -> None:
        self.page_subs[subscription.app_id, subscription.page_id] = subscription

    def delete_page_subscription(self, app_id: AppId, page_id: PageId) -> None:
        self.page_subs.pop((app_id, page_id), None)

    def subscribers(self, page_id: PageId, object_: str, field_: str) -> list[AppId]:
        on_page = {sub.app_id for sub in self.page_subs.values() if sub.page_id == page_id and field_ in sub.fields}
        at_app = {
            sub.app_id for sub in self.app_subs.values() if sub.object == object_ and sub.is_active and field_ in sub.fields
        }
        return sorted(on_page & at_app)

    def has_page_subscriber(self, page_id: PageId, field_: str) -> bool:
        return any(sub.page_id == page_id and field_ in sub.fields for sub in self.page_subs.values())

    def consumer(self, page_id: PageId, psid: Psid) -> Consumer | None:
        return self.consumers.get((page_id, psid))

    def put_consumer(self, consumer: Consumer) -> None:
        self.consumers[consumer.page_id, consumer.psid] = consumer

    def consumer_token(self, digest: str) -> ConsumerToken | None:
        return self.consumer_tokens.get(digest)

    def put_consumer_token(self, token: ConsumerToken) -> None:
        self.consumer_tokens[token.digest] = token

    def permission(self, page_id: PageId, psid: Psid) -> float | None:
        return self.permissions.get((page_id, psid))

    def put_permission(self, page_id: PageId, psid: Psid, expires_at: float) -> None:
        self.permissions[page_id, psid] = expires_at

    def call(self, call_id: CallId) -> CallRecord | None:
        return self.calls.get(call_id)

    def put_call(self, record: CallRecord) -> None:
        other = self.live_call(record.call.page_id, record.call.psid)
        if record.call.state.is_live and other is not None and other.call.id != record.call.id:
            raise LiveCallExists
        self.calls[record.call.id] = record

    def live_call(self, page_id: PageId, psid: Psid) -> CallRecord | None:
        return next((r for r in self.live_calls() if (r.call.page_id, r.call.psid) == (page_id, psid)), None)

    def live_calls(self) -> list[CallRecord]:
        return [record for record in self.calls.values() if record.call.state.is_live]

    def calls_begun(self, page_id: PageId, psid: Psid, direction: Direction, since: float) -> int:
        calls = [record.call for record in self.calls.values()]
        same = [each for each in calls if (each.page_id, each.psid, each.direction) == (page_id, psid, direction)]
        return len([each for each in same if each.created_at > since])

    def calls_due(self, now: float) -> list[CallId]:
        due = [(r.call.next_deadline, r.call.id) for r in self.live_calls() if r.call.next_deadline is not None]
        return [call_id for at, call_id in sorted(due, key=lambda pair: pair[0]) if at <= now]

    def next_deadline(self) -> float | None:
        return min((r.call.next_deadline for r in self.live_calls() if r.call.next_deadline is not None), default=None)

    def add_outbox(self, rows: Iterable[OutboxRow]) -> list[int]:
        ids = []
        for row in rows:
            row_id = len(self.rows) + 1
            self.rows[row_id] = replace(row, id=row_id)
            ids.append(row_id)
        return ids

    def release_outbox(self, ids: Sequence[int], now: float) -> None:
        for row_id in ids:
            row = self.rows.get(row_id)
            if row is not None and row.hold is Hold.HELD:
                self.rows[row_id] = replace(row, hold=Hold.READY, next_at=now)

    def release_all_outbox(self, now: float) -> int:
        held = [row.id for row in self.rows.values() if row.hold is Hold.HELD]
        self.release_outbox(held, now)
        return len(held)

    def pending_outbox(self) -> list[OutboxRow]:
        return [row for row in self.rows.values() if row.hold is Hold.READY]

    def due_outbox(self, now: float, per_app: int) -> list[OutboxKey]:
        found: list[OutboxRow] = []
        for app_id in sorted(self.app_by_id):
            due = [row for row in self.pending_outbox() if row.app_id == app_id and row.next_at <= now]
            found += [row for row in due if row.attempts == 0 and not self._is_behind_held(row)][:per_app]
            retries = [row for row in due if row.attempts > 0]
            found += sorted(retries, key=lambda row: (row.next_at, row.id))[:per_app]
        return [OutboxKey(row.id, row.app_id, row.call_id, row.attempts) for row in found]

    def _is_behind_held(self, row: OutboxRow) -> bool:
        lane = [other for other in self.rows.values() if (other.app_id, other.call_id) == (row.app_id, row.call_id)]
        return row.call_id is not None and any(other.id < row.id and other.hold is Hold.HELD for other in lane)

    def next_outbox_at(self, now: float) -> float | None:
        return min((row.next_at for row in self.pending_outbox() if row.next_at > now), default=None)

    def outbox_row(self, row_id: int) -> OutboxRow | None:
        return self.rows.get(row_id)

    def is_untried(self, call_id: CallId, kind: WebhookKind) -> bool:
        open_rows = [row for row in self.rows.values() if row.hold in (Hold.HELD, Hold.READY) and row.attempts == 0]
        return any((row.call_id, row.kind) == (call_id, kind) for row in open_rows)

    def outbox_delivered(self, row_id: int, now: float) -> None:
        row = self.rows[row_id]
        if row.hold is not Hold.DELIVERED:
            self.rows[row_id] = replace(row, hold=Hold.DELIVERED, attempts=row.attempts + 1)

    def outbox_failed(self, row_id: int, attempts: int, next_at: float | None) -> None:
        row = self.rows[row_id]
        if row.hold is Hold.DELIVERED:
            return
        hold = Hold.DROPPED if next_at is None and row.hold is Hold.READY else row.hold
        self.rows[row_id] = replace(row, attempts=attempts, hold=hold, next_at=row.next_at if next_at is None else next_at)

    def drop_stale_outbox(self, call_id: CallId) -> None:
        for row in list(self.rows.values()):
            is_open = row.hold in (Hold.HELD, Hold.READY)
            if row.call_id == call_id and is_open and row.attempts > 0 and row.kind is not WebhookKind.TERMINATE:
                self.rows[row.id] = replace(row, hold=Hold.DROPPED)


class ModelStore:
    """A unit of work runs on a copy, which replaces the state if it does not raise."""

    def __init__(self) -> None:
        self._state = ModelTransaction()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        return self.write_now(work)

    def write_now(self, work: Callable[[Transaction], T]) -> T:
        twin = self._state.snapshot()
        result = work(twin)
        self._state = twin
        return result

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return work(self._state.snapshot())

    async def close(self) -> None:
        pass
