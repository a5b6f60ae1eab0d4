"""The store as plain dictionaries: the oracle of the contract tests, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import TypeVar

from pagecalls.store.base import (
    CallRecord,
    Consumer,
    ConsumerToken,
    DropReason,
    Hold,
    LiveCallExists,
    OutboxEntry,
    OutboxKey,
    OutboxRow,
    Transaction,
    WebhookKind,
    about,
)
from pagecalls.types import AppId, CallId, Direction, PageId, Psid
from tests.contract.model_deliveries import ModelDeliveries
from tests.contract.model_messages import ModelMessages
from tests.contract.model_metrics import ModelMetrics
from tests.contract.model_oauth import ModelOAuth
from tests.contract.model_upkeep import ModelUpkeep

T = TypeVar("T")


class ModelTransaction(ModelOAuth, ModelMessages, ModelMetrics, ModelDeliveries, ModelUpkeep):
    """Every table is a dictionary of frozen values, so a shallow copy of each is a snapshot."""

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[tuple[PageId, Psid], Consumer] = {}
        self.devices: dict[str, ConsumerToken] = {}
        self.permissions: dict[tuple[PageId, Psid], float] = {}
        self.contacts: dict[tuple[PageId, Psid], float] = {}
        self.calls: dict[CallId, CallRecord] = {}
        self.last_row = 0

    def snapshot(self) -> ModelTransaction:
        twin = ModelTransaction()
        for name, table in vars(self).items():
            setattr(twin, name, copy(table))
        return twin

    def delete_app(self, app_id: AppId) -> None:
        self.forget_receivers(app_id)
        super().delete_app(app_id)

    def owed_page_webhooks(self, page_id: PageId) -> int:
        calls = {each.call.id for each in self.calls.values() if each.call.page_id == page_id}
        return len([row for row in self.rows.values() if row.call_id in calls and row.hold in (Hold.HELD, Hold.READY)])

    def consumer(self, page_id: PageId, psid: Psid) -> Consumer | None:
        return self.people.get((page_id, psid))

    def consumers(self, page_id: PageId | None, after: tuple[str, str], limit: int) -> list[Consumer]:
        found = [self.people[key] for key in sorted(self.people) if key > after and page_id in (None, key[0])]
        return found[:limit]

    def erase_consumer(self, page_id: PageId, psid: Psid) -> None:
        pair = (page_id, psid)
        calls = {each.call.id for each in self.calls.values() if (each.call.page_id, each.call.psid) == pair}
        for row in list(self.rows.values()):
            is_owed = row.hold in (Hold.HELD, Hold.READY)
            if row.call_id is None:
                goes = row.about == about(WebhookKind.CALL_PERMISSION_REPLY, *pair) and not is_owed
            else:
                goes = row.call_id in calls and not (is_owed and row.kind is WebhookKind.TERMINATE)
            if goes:
                del self.rows[row.id]
        self.calls = {key: each for key, each in self.calls.items() if key not in calls}
        self.told = {key: each for key, each in self.told.items() if key not in calls}
        self.reports = {key: each for key, each in self.reports.items() if key not in calls}
        self.devices = {key: each for key, each in self.devices.items() if (each.page_id, each.psid) != pair}
        self.forget_messages(page_id, psid)
        self.contacts.pop(pair, None)
        self.permissions.pop(pair, None)
        self.people.pop(pair, None)

    def put_consumer(self, consumer: Consumer) -> None:
        self.people[consumer.page_id, consumer.psid] = consumer

    def consumer_token(self, digest: str) -> ConsumerToken | None:
        return self.devices.get(digest)

    def consumer_tokens(self, page_id: PageId, psid: Psid) -> list[ConsumerToken]:
        found = [each for each in self.devices.values() if (each.page_id, each.psid) == (page_id, psid)]
        return sorted(found, key=lambda each: (each.issued_at, each.digest))

    def put_consumer_token(self, token: ConsumerToken) -> None:
        self.devices[token.digest] = token

    def permission(self, page_id: PageId, psid: Psid) -> float | None:
        return self.permissions.get((page_id, psid))

    def put_permission(self, page_id: PageId, psid: Psid, expires_at: float) -> None:
        self.permissions[page_id, psid] = expires_at

    def delete_permission(self, page_id: PageId, psid: Psid) -> bool:
        return self.permissions.pop((page_id, psid), None) is not None

    def last_contact(self, page_id: PageId, psid: Psid) -> float | None:
        return self.contacts.get((page_id, psid))

    def note_contact(self, page_id: PageId, psid: Psid, now: float) -> None:
        if (page_id, psid) in self.people:
            self.contacts[page_id, psid] = now

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

    def live_calls_of_page(self, page_id: PageId) -> int:
        return len([record for record in self.live_calls() if record.call.page_id == page_id])

    def live_calls_of_app(self, app_id: AppId) -> int:
        return len([record for record in self.live_calls() if record.call.owner == app_id])

    def calls_begun(self, page_id: PageId, psid: Psid, direction: Direction, since: float) -> int:
        calls = [record.call for record in self.calls.values()]
        same = [each for each in calls if (each.page_id, each.psid, each.direction) == (page_id, psid, direction)]
        return len([each for each in same if each.created_at > since])

    def add_outbox(self, rows: Iterable[OutboxRow]) -> list[int]:
        ids = []
        for row in rows:
            self.last_row += 1
            row_id = self.last_row
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

    def _ready(self) -> list[OutboxRow]:
        return [row for row in self.rows.values() if row.hold is Hold.READY]

    def due_outbox(self, now: float, per_app: int) -> list[OutboxKey]:
        found: list[OutboxRow] = []
        for app_id in sorted(self.app_by_id):
            ready = [row for row in self._ready() if row.app_id == app_id]
            fresh = [row for row in ready if row.attempts == 0 and not self._is_behind_held(row)]
            found += [row for row in fresh if row.call_id is not None][:per_app]
            found += [row for row in fresh if row.call_id is None][:per_app]
            retries = [row for row in ready if row.attempts > 0 and row.next_at <= now]
            found += sorted(retries, key=lambda row: (row.next_at, row.id))[:per_app]
        return [OutboxKey(row.id, row.app_id, row.lane, row.attempts) for row in found]

    def _is_behind_held(self, row: OutboxRow) -> bool:
        lane = [other for other in self.rows.values() if (other.app_id, other.lane) == (row.app_id, row.lane)]
        return row.lane is not None and any(other.id < row.id and other.hold is Hold.HELD for other in lane)

    def next_outbox_at(self, now: float) -> float | None:
        return min((row.next_at for row in self._ready() if row.next_at > now), default=None)

    def outbox_row(self, row_id: int) -> OutboxRow | None:
        return self.rows.get(row_id)

    def is_untried(self, call_id: CallId, kind: WebhookKind) -> bool:
        open_rows = [row for row in self.rows.values() if row.hold in (Hold.HELD, Hold.READY) and row.attempts == 0]
        return any((row.call_id, row.kind) == (call_id, kind) for row in open_rows)

    def outbox_delivered(self, row_id: int, now: float) -> None:
        row = self.rows[row_id]
        if row.hold is not Hold.DELIVERED:
            done = replace(row, hold=Hold.DELIVERED, settled_at=now, drop_reason=None)
            self.rows[row_id] = replace(done, attempts=row.attempts + 1)

    def outbox_failed(self, row_id: int, next_at: float | None) -> None:
        row = self.rows[row_id]
        if row.hold is not Hold.DELIVERED:
            self.rows[row_id] = replace(row, attempts=row.attempts + 1, next_at=row.next_at if next_at is None else next_at)

    def drop_outbox(self, row_id: int, reason: DropReason, now: float) -> None:
        row = self.rows[row_id]
        if row.hold is Hold.READY:
            self.rows[row_id] = replace(row, hold=Hold.DROPPED, settled_at=now, drop_reason=reason)

    def replay_outbox(self, row_id: int, now: float) -> bool:
        row = self.rows.get(row_id)
        if row is None:
            return False
        call = [other for other in self.rows.values() if (other.app_id, other.call_id) == (row.app_id, row.call_id)]
        before = [other for other in call if other.id < row_id] if row.call_id is not None else []
        if any(other.hold in (Hold.HELD, Hold.READY) for other in [row, *before]):
            return False
        self.rows[row_id] = replace(row, replay_at=now)
        return True

    def replays_outbox(self, per_app: int) -> list[OutboxKey]:
        found: list[OutboxRow] = []
        for app_id in sorted(self.app_by_id):
            found += [row for row in self.rows.values() if row.app_id == app_id and row.replay_at is not None][:per_app]
        return [OutboxKey(row.id, row.app_id, row.lane, row.attempts, is_replay=True) for row in found]

    def outbox_replayed(self, row_id: int, is_taken: bool, asked_at: float | None, now: float) -> bool:
        row = self.rows.get(row_id)
        if row is None:
            return False
        if row.hold is Hold.DROPPED and is_taken:
            row = replace(row, hold=Hold.DELIVERED, settled_at=now, drop_reason=None)
        self.rows[row_id] = replace(row, attempts=row.attempts + 1)
        return self.end_replay(row_id, asked_at)

    def end_replay(self, row_id: int, asked_at: float | None) -> bool:
        row = self.rows.get(row_id)
        if row is None or row.replay_at in (None, asked_at):
            self.rows |= {} if row is None else {row_id: replace(row, replay_at=None)}
            return False
        return True

    def outbox_entries(self, app_id: AppId | None, call_id: CallId | None, before: int, limit: int) -> list[OutboxEntry]:
        found = [row for row in self.rows.values() if row.id < before and app_id in (None, row.app_id)]
        found = [row for row in reversed(found) if call_id in (None, row.call_id)][:limit]
        return [OutboxEntry(row.id, row.app_id, row.call_id, row.kind, row.hold, row.created_at) for row in found]

    def drop_stale_outbox(self, call_id: CallId, now: float) -> None:
        for row in list(self.rows.values()):
            is_open = row.hold in (Hold.HELD, Hold.READY)
            if row.call_id == call_id and is_open and row.attempts > 0 and row.kind is not WebhookKind.TERMINATE:
                self.rows[row.id] = replace(row, hold=Hold.DROPPED, settled_at=now, drop_reason=DropReason.CALL_OVER)


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
