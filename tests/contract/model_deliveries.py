"""Attempts and failing receivers as plain dictionaries, for the store's oracle."""

from __future__ import annotations

from pagecalls.store.base import Attempt, FailingReceiver, OutboxRow
from pagecalls.store.base.deliveries import KEPT_ATTEMPTS
from pagecalls.types import AppId


class ModelDeliveries:
    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, OutboxRow] = {}
        self.made: dict[tuple[int, int], Attempt] = {}
        self.failing: dict[tuple[AppId, str], FailingReceiver] = {}

    def add_attempt(
        self, row_id: int, at: float, status: int | None, failure: str | None, error: str, latency_s: float, answer: str
    ) -> None:
        row = self.rows.get(row_id)
        if row is not None:
            self.made.setdefault((row_id, row.attempts), Attempt(row.attempts, at, status, failure, error, latency_s, answer))

    def attempts(self, row_id: int) -> list[Attempt]:
        found = [attempt for (owner, _), attempt in sorted(self.made.items()) if owner == row_id]
        return found[-KEPT_ATTEMPTS:] if row_id in self.rows else []

    def failing_receiver(self, app_id: AppId, object_: str) -> FailingReceiver | None:
        return self.failing.get((app_id, object_))

    def failing_receivers(self) -> list[FailingReceiver]:
        return [self.failing[key] for key in sorted(self.failing)]

    def put_failing_receiver(self, receiver: FailingReceiver) -> None:
        self.failing[receiver.app_id, receiver.object] = receiver

    def forget_receivers(self, app_id: AppId) -> None:
        self.failing = {key: each for key, each in self.failing.items() if key[0] != app_id}

    def forget_failures(self, app_id: AppId, object_: str) -> None:
        self.failing.pop((app_id, object_), None)
