"""Attempts and failing receivers on SQLite."""

from __future__ import annotations

from pagecalls.store.base.deliveries import KEPT_ATTEMPTS, Attempt, FailingReceiver
from pagecalls.store.transaction.base import Rows
from pagecalls.types import AppId


class SqliteDeliveries(Rows):
    """Implements `base.deliveries.DeliveryRows`."""

    def add_attempt(
        self, row_id: int, at: float, status: int | None, failure: str | None, error: str, latency_s: float, answer: str
    ) -> None:
        """Note the attempt that the outbox row has just counted."""
        self._run("add_attempt", (at, status, failure, error, latency_s, answer, row_id))
        self._run("trim_attempts", {"row_id": row_id, "kept": KEPT_ATTEMPTS})

    def attempts(self, row_id: int) -> list[Attempt]:
        """In order."""
        return [Attempt(*row) for row in self._run("attempts", (row_id,))]

    def failing_receiver(self, app_id: AppId, object_: str) -> FailingReceiver | None:
        """What is known of the receiver, if it fails."""
        row = self._run("failing_receiver", (app_id, object_)).fetchone()
        return None if row is None else FailingReceiver(*row)

    def failing_receivers(self) -> list[FailingReceiver]:
        """All that fail."""
        return [FailingReceiver(*row) for row in self._run("failing_receivers")]

    def put_failing_receiver(self, receiver: FailingReceiver) -> None:
        """Insert or replace."""
        key = (receiver.app_id, receiver.object, receiver.failing_since, receiver.failures, receiver.last)
        self._run("put_failing_receiver", (*key, receiver.alerted_at, receiver.disabled_at))

    def forget_failures(self, app_id: AppId, object_: str) -> None:
        """The receiver is well, or there is a new one."""
        self._run("forget_failures", (app_id, object_))
