"""What is over, as plain dictionaries, for the store's oracle."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from pagecalls.store.base import (
    CallButton,
    CallRecord,
    ConsumerToken,
    Hold,
    Message,
    MetricsRecord,
    OutboxRow,
    Past,
    PermissionRequest,
    Room,
    Token,
)
from pagecalls.types import AppId, CallId


class ModelUpkeep:
    calls: dict[CallId, CallRecord]
    rows: dict[int, OutboxRow]
    devices: dict[str, ConsumerToken]
    tokens_by_digest: dict[str, Token]
    buttons: list[CallButton]
    message_list: list[Message]
    requests: dict[str, PermissionRequest]
    told: dict[CallId, frozenset[AppId]]
    reports: dict[CallId, MetricsRecord]

    def forget(self, past: Past, before: float, limit: int) -> int:
        table, over = self._over(past)
        old = sorted((at, place, key) for place, (key, at) in enumerate(over) if at is not None and at < before)[:limit]
        for _, _, key in sorted(old, key=lambda each: each[1], reverse=True):
            del table[key]
        self.told = {call_id: apps for call_id, apps in self.told.items() if call_id in self.calls}
        self.reports = {call_id: report for call_id, report in self.reports.items() if call_id in self.calls}
        return len(old)

    def _over(self, past: Past) -> tuple[Any, list[tuple[Hashable, float | None]]]:
        """The table, and for each key when its row was over, `None` for one that is not."""
        match past:
            case Past.CALLS:
                owed = {row.call_id for row in self.rows.values() if not self._is_settled(row)}
                calls = [record.call for record in self.calls.values()]
                return self.calls, [(call.id, None if call.id in owed else call.ended_at) for call in calls]
            case Past.OUTBOX:
                rows = self.rows.values()
                return self.rows, [(row.id, row.settled_at if row.replay_at is None else None) for row in rows]
            case Past.CONSUMER_TOKENS:
                return self.devices, [(key, self.devices[key].expires_at) for key in sorted(self.devices)]
            case Past.TOKENS:
                return self.tokens_by_digest, [
                    (key, self.tokens_by_digest[key].expires_at) for key in sorted(self.tokens_by_digest)
                ]
            case Past.CALL_BUTTONS:
                return self.buttons, [(place, button.expires_at) for place, button in enumerate(self.buttons)]
            case Past.MESSAGES:
                return self.message_list, [(place, message.created_at) for place, message in enumerate(self.message_list)]
            case Past.PERMISSION_REQUESTS:
                return self.requests, [(key, self.requests[key].sent_at) for key in sorted(self.requests)]

    @staticmethod
    def _is_settled(row: OutboxRow) -> bool:
        return row.hold in (Hold.DELIVERED, Hold.DROPPED)

    def settled_outbox(self) -> int:
        return sum(self._is_settled(row) for row in self.rows.values())

    def room(self) -> Room:
        return Room(0, 0)
