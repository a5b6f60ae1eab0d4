"""When a receiver counts as failing, when its operator is told, and when its subscription is switched off (graph-platform 7.7).

A receiver fails from its first failure after a success until its next success, whichever events these belong to. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from pagecalls.store.base import FailingReceiver
from pagecalls.types import AppId

ALERT_AFTER_S = 15 * 60.0
DISABLE_AFTER_S = 7 * 24 * 3600.0
DISABLE_FAILURES = 100
"""A subscription is switched off after both: so long without any success, and so many failures."""


class Turn(StrEnum):
    """What an operator hears of a receiver. The values are kinds of the journal's entries."""

    ALERT = "webhook_alert"
    """It has failed for `ALERT_AFTER_S`."""
    RECOVERED = "webhook_recovered"
    """It was told of, and has taken an event since."""
    DISABLED = "webhook_disabled"
    """Its subscription is switched off."""


@dataclass(frozen=True, slots=True)
class News:
    """A turn of a receiver, and how it stood then."""

    turn: Turn
    receiver: FailingReceiver

    @property
    def facts(self) -> dict[str, str | int | float]:
        """The same for the journal."""
        receiver = self.receiver
        since = {"failing_since": receiver.failing_since, "failures": receiver.failures}
        return {"app_id": receiver.app_id, "object": receiver.object, **since, "last": receiver.last}


def after_failure(known: FailingReceiver | None, app_id: AppId, object_: str, last: str, now: float) -> FailingReceiver:
    """How the receiver stands after one more failure. Whoever switches it on again after it was disabled begins anew."""
    if known is None or known.disabled_at is not None:
        return FailingReceiver(app_id, object_, now, 1, last)
    return replace(known, failures=known.failures + 1, last=last)


def alert_at(receiver: FailingReceiver) -> float | None:
    """When its operator is to be told, Unix seconds; `None` if that is done."""
    return receiver.failing_since + ALERT_AFTER_S if receiver.alerted_at is None else None


def is_to_be_disabled(receiver: FailingReceiver, now: float) -> bool:
    """Whether its subscription goes off now."""
    is_over = receiver.disabled_at is None and receiver.failures >= DISABLE_FAILURES
    return is_over and now - receiver.failing_since >= DISABLE_AFTER_S
