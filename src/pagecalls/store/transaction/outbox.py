"""The outbox on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from pagecalls.store.base.outbox import DropReason, Hold, OutboxEntry, OutboxKey, OutboxRow, WebhookKind
from pagecalls.store.codec import Column
from pagecalls.store.transaction.base import Rows
from pagecalls.types import AppId, CallId


class SqliteOutbox(Rows):
    """Implements `base.outbox.OutboxRows`."""

    def add_outbox(self, rows: Iterable[OutboxRow]) -> list[int]:
        """Store rows in order; the ids given to them."""
        return [self._add_row(row) for row in rows]

    def _add_row(self, row: OutboxRow) -> int:
        source = (row.event_id, row.app_id, row.object, row.call_id, row.kind.value, row.body)
        row_id = self._run("add_outbox", (*source, row.created_at, row.hold.value, row.next_at, row.attempts, row.lane)).lastrowid
        if row_id is None:
            raise sqlite3.InternalError("an inserted row has no id")
        return row_id

    def release_outbox(self, ids: Sequence[int], now: float) -> None:
        """HELD rows among `ids` become READY, due at `now`."""
        for row_id in ids:
            self._run("release_outbox", {"id": row_id, "now": now})

    def release_all_outbox(self, now: float) -> int:
        """Every HELD row becomes READY, due at `now`; how many."""
        return self._run("release_all_outbox", (now,)).rowcount

    def due_outbox(self, now: float, per_app: int) -> list[OutboxKey]:
        """See the port. Work and memory are bounded by `per_app`, however long an app's backlog is."""
        found: list[OutboxKey] = []
        for (app_id,) in self._run("apps_with_ready_rows", {"now": now}).fetchall():
            page: dict[str, Column] = {"app_id": app_id, "now": now, "per_app": per_app}
            for is_of_no_call in (0, 1):
                fresh = self._run("fresh_outbox", {**page, "is_of_no_call": is_of_no_call})
                found.extend(OutboxKey(*row) for row in fresh)
            found.extend(OutboxKey(*row) for row in self._run("retries_outbox", page))
        return found

    def next_outbox_at(self, now: float) -> float | None:
        """The earliest attempt that is due after `now`, Unix seconds."""
        (at,) = self._run("next_outbox_at", (now,)).fetchone()
        return None if at is None else float(at)

    def outbox_row(self, row_id: int) -> OutboxRow | None:
        """One row, whatever its hold."""
        row = self._run("outbox_row", (row_id,)).fetchone()
        return None if row is None else _outbox_row(*row)

    def is_untried(self, call_id: CallId, kind: WebhookKind) -> bool:
        """Whether an open row of the call and kind has never been tried to its end."""
        return bool(self._run("is_untried", (call_id, kind.value)).fetchone()[0])

    def outbox_delivered(self, row_id: int, now: float) -> None:
        """The receiver acknowledged; the attempt that did it is counted."""
        self._run("outbox_delivered", {"id": row_id, "now": now})

    def outbox_failed(self, row_id: int, next_at: float | None) -> None:
        """Count a failed attempt. A row dropped meanwhile stays dropped."""
        self._run("outbox_failed", {"id": row_id, "next_at": next_at})

    def drop_outbox(self, row_id: int, reason: DropReason, now: float) -> None:
        """A READY row is DROPPED."""
        self._run("drop_outbox", {"id": row_id, "reason": reason.value, "now": now})

    def replay_outbox(self, row_id: int, now: float) -> bool:
        """Have a settled row sent once more; no earlier one of its app and call may still be owed."""
        return self._run("replay_outbox", {"id": row_id, "now": now}).rowcount > 0

    def replays_outbox(self, per_app: int) -> list[OutboxKey]:
        """Rows that are to be sent once more, a page of each app, in order of id."""
        found: list[OutboxKey] = []
        for (app_id,) in self._run("apps_with_replays").fetchall():
            rows = self._run("replays_outbox", {"app_id": app_id, "per_app": per_app})
            found.extend(OutboxKey(row_id, app, lane, attempts, is_replay=True) for row_id, app, lane, attempts in rows)
        return found

    def outbox_replayed(self, row_id: int, is_taken: bool, asked_at: float | None, now: float) -> bool:
        """A row was sent once more. Whether it was asked for again since `asked_at`."""
        self._run("outbox_replayed", {"id": row_id, "is_taken": int(is_taken), "asked_at": asked_at, "now": now})
        return self._is_to_be_replayed(row_id)

    def end_replay(self, row_id: int, asked_at: float | None) -> bool:
        """A row is not sent once more after all. Whether it was asked for again since `asked_at`."""
        self._run("end_replay", {"id": row_id, "asked_at": asked_at})
        return self._is_to_be_replayed(row_id)

    def _is_to_be_replayed(self, row_id: int) -> bool:
        row = self.outbox_row(row_id)
        return row is not None and row.replay_at is not None

    def outbox_entries(self, app_id: AppId | None, call_id: CallId | None, before: int, limit: int) -> list[OutboxEntry]:
        """The newest first. Work is bounded by `limit`."""
        page: dict[str, Column] = {"before": before, "limit": limit}
        if call_id is not None:
            rows = self._run("outbox_entries_of_call", {**page, "call_id": call_id, "app_id": app_id})
        elif app_id is not None:
            rows = self._run("outbox_entries_of_app", {**page, "app_id": app_id})
        else:
            rows = self._run("outbox_entries", page)
        return [OutboxEntry(row[0], row[1], row[2], WebhookKind(row[3]), Hold(row[4]), row[5]) for row in rows]

    def drop_stale_outbox(self, call_id: CallId, now: float) -> None:
        """Rows of the call that were tried already and are not `terminate` are dropped (ruling 9)."""
        self._run("drop_stale_outbox", {"call_id": call_id, "now": now})


def _outbox_row(
    event_id: str,
    app_id: AppId,
    object_: str,
    call_id: CallId | None,
    kind: str,
    body: bytes,
    created_at: float,
    hold: str,
    next_at: float,
    attempts: int,
    row_id: int,
    settled_at: float | None,
    drop_reason: str | None,
    replay_at: float | None,
    lane: str | None,
) -> OutboxRow:
    reason = None if drop_reason is None else DropReason(drop_reason)
    source = (event_id, app_id, object_, call_id, WebhookKind(kind), body, created_at)
    about = lane if call_id is None else None
    return OutboxRow(*source, Hold(hold), next_at, attempts, row_id, settled_at, reason, replay_at, about)
