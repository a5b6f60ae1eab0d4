"""What became of webhooks, attempt by attempt, and which receivers fail, as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pagecalls.types import AppId

KEPT_ATTEMPTS = 50
"""Of one row; the schedule makes fifteen at most, more come from replays. The newest are kept."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver an outbox row. `number` counts from 1; `at`: when its outcome was there, Unix seconds.

    `status` is an HTTP status; without one there is a `failure`, a value of `webhooks.base.Failure`, with `error` for people.
    `answer`: the first characters of the receiver's body, safe to show.
    """

    number: int
    at: float
    status: int | None
    failure: str | None
    error: str
    latency_s: float
    answer: str


@dataclass(frozen=True, slots=True)
class FailingReceiver:
    """The callback of a subscription that has failed since its last success. Times are Unix seconds.

    `last`: what came of the last attempt, for people. `alerted_at`: since when the operator is told. `disabled_at`: when its
    subscription was switched off.
    """

    app_id: AppId
    object: str
    failing_since: float
    failures: int
    last: str
    alerted_at: float | None = None
    disabled_at: float | None = None


class DeliveryRows(Protocol):
    """What a unit of work does with them."""

    def add_attempt(
        self, row_id: int, at: float, status: int | None, failure: str | None, error: str, latency_s: float, answer: str
    ) -> None:
        """Note the attempt that the outbox row has just counted, under its number. Nothing happens if the row is gone."""
        ...

    def attempts(self, row_id: int) -> list[Attempt]:
        """The newest `KEPT_ATTEMPTS` of an outbox row, in order."""
        ...

    def failing_receiver(self, app_id: AppId, object_: str) -> FailingReceiver | None:
        """What is known of the receiver, if it fails."""
        ...

    def failing_receivers(self) -> list[FailingReceiver]:
        """All that fail, in order of app and object."""
        ...

    def put_failing_receiver(self, receiver: FailingReceiver) -> None:
        """Insert or replace."""
        ...

    def forget_failures(self, app_id: AppId, object_: str) -> None:
        """The receiver is well, or there is a new one."""
        ...
