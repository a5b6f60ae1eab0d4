"""What the courier reads of the store and writes to it: units of work, and the values that they give back.

The outcome of an attempt, its line in the delivery log and what it means for the receiver are one unit of work, so none is known
without the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pagecalls.store.base import (
    DropReason,
    FailingReceiver,
    Hold,
    OutboxKey,
    OutboxRow,
    Transaction,
)
from pagecalls.webhooks import failing
from pagecalls.webhooks.base import Outcome
from pagecalls.webhooks.failing import News, Turn
from pagecalls.webhooks.retry import next_attempt

ANSWER_CHARACTERS = 500
"""How much of a receiver's answer is kept."""

ERROR_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done now, and when to look again: Unix seconds, `None` never. `alerted`: receivers that are told of."""

    keys: list[OutboxKey]
    next_at: float | None
    alert_at: float | None
    alerted: list[FailingReceiver]


@dataclass(frozen=True, slots=True)
class Letter:
    """A row with where it goes. `url` is `None` when it is not to be sent, for `reason`."""

    row: OutboxRow
    url: str | None = field(repr=False)
    secret: str = field(repr=False)
    reason: DropReason = DropReason.NO_SUBSCRIPTION


@dataclass(frozen=True, slots=True)
class Recorded:
    """What follows from an outcome. `next_at`: the next attempt, Unix seconds; `None`: there is none.
    `is_wanted_again`: the row was asked for once more while that was under way already."""

    next_at: float | None
    news: tuple[News, ...]
    is_wanted_again: bool = False


def due(transaction: Transaction, now: float, per_app: int) -> Due:
    """Rows to send, and what is known of receivers."""
    keys = transaction.due_outbox(now, per_app) + transaction.replays_outbox(per_app)
    receivers = transaction.failing_receivers()
    # An app with an attempt under way is judged by what comes of that.
    busy = {key.app_id for key in keys}
    alerts = [at for each in receivers if each.app_id not in busy and (at := failing.alert_at(each)) is not None]
    alerted = [each for each in receivers if each.alerted_at is not None]
    return Due(keys, transaction.next_outbox_at(now), min(alerts, default=None), alerted)


def raise_alerts(transaction: Transaction, due: Due, now: float) -> tuple[News, ...]:
    """Receivers that have failed long enough are told of from now on."""
    busy = {key.app_id for key in due.keys}
    news: list[News] = []
    for receiver in transaction.failing_receivers():
        if receiver.app_id not in busy:
            told = _told(receiver, now)
            news += told
            transaction.put_failing_receiver(told[0].receiver if told else receiver)
    return tuple(news)


def _told(receiver: FailingReceiver, now: float) -> tuple[News, ...]:
    """An alert, if it is time for one."""
    at = failing.alert_at(receiver)
    return (News(Turn.ALERT, replace(receiver, alerted_at=now)),) if at is not None and at <= now else ()


def letter(transaction: Transaction, key: OutboxKey) -> Letter | None:
    """The row as it stands now; `None` if it is not to be sent any more."""
    row = transaction.outbox_row(key.id)
    if row is None or (row.replay_at is None if key.is_replay else row.hold is not Hold.READY):
        return None
    app = transaction.app(row.app_id)
    subscription = transaction.app_subscription(row.app_id, row.object)
    if app is None or subscription is None:
        return Letter(row, None, "")
    if not subscription.is_active:
        return Letter(row, None, "", DropReason.DISABLED)
    return Letter(row, subscription.callback_url, app.secret)


def drop(transaction: Transaction, unwanted: Letter, key: OutboxKey, now: float) -> bool:
    """A row that has nowhere to go. A replay of it is over; what the row was before stays. Whether it was asked for again."""
    if key.is_replay:
        return transaction.end_replay(key.id, unwanted.row.replay_at)
    transaction.drop_outbox(key.id, unwanted.reason, now)
    return False


def recorded(transaction: Transaction, row: OutboxRow, key: OutboxKey, outcome: Outcome, now: float) -> Recorded:
    """Write down what came of an attempt."""
    next_at, is_wanted_again = None, False
    if key.is_replay:
        is_wanted_again = transaction.outbox_replayed(row.id, outcome.ok, row.replay_at, now)
    elif outcome.ok:
        transaction.outbox_delivered(row.id, now)
    else:
        next_at = _failed(transaction, row, now)
    failure = None if outcome.failure is None else outcome.failure.value
    error = outcome.error[:ERROR_CHARACTERS]
    answer = outcome.shown(ANSWER_CHARACTERS)
    transaction.add_attempt(row.id, now, outcome.status, failure, error, outcome.latency_s, answer)
    news = _well(transaction, row) if outcome.ok else _unwell(transaction, row, outcome, now)
    return Recorded(next_at, news, is_wanted_again)


def _failed(transaction: Transaction, row: OutboxRow, now: float) -> float | None:
    """Count the attempt. Returns when the next one is due, if there is one."""
    record = None if row.call_id is None else transaction.call(row.call_id)
    call_is_over = record is not None and not record.call.state.is_live
    next_at = next_attempt(row.kind, row.attempts + 1, row.created_at, now, call_is_over)
    transaction.outbox_failed(row.id, next_at)
    if next_at is None:
        is_stale = next_attempt(row.kind, row.attempts + 1, row.created_at, now, call_is_over=False) is not None
        transaction.drop_outbox(row.id, DropReason.CALL_OVER if is_stale else DropReason.SCHEDULE, now)
    return next_at


def _well(transaction: Transaction, row: OutboxRow) -> tuple[News, ...]:
    """The end of a failure. A success that began before the subscription was switched off does not switch it on again, so the
    operator is still told that it is off."""
    known = transaction.failing_receiver(row.app_id, row.object)
    subscription = transaction.app_subscription(row.app_id, row.object)
    if known is None or subscription is None or not subscription.is_active:
        return ()
    transaction.forget_failures(row.app_id, row.object)
    return (News(Turn.RECOVERED, known),) if known.alerted_at is not None else ()


def _unwell(transaction: Transaction, row: OutboxRow, outcome: Outcome, now: float) -> tuple[News, ...]:
    subscription = transaction.app_subscription(row.app_id, row.object)
    if subscription is None or not subscription.is_active:
        return ()
    last = str(outcome.status) if outcome.status is not None else outcome.error[:ERROR_CHARACTERS]
    known = transaction.failing_receiver(row.app_id, row.object)
    receiver = failing.after_failure(known, row.app_id, row.object, last, now)
    if not failing.is_to_be_disabled(receiver, now):
        told = _told(receiver, now)
        transaction.put_failing_receiver(told[0].receiver if told else receiver)
        return told
    receiver = replace(receiver, alerted_at=receiver.alerted_at or now, disabled_at=now)
    transaction.put_failing_receiver(receiver)
    transaction.put_app_subscription(replace(subscription, is_active=False))
    return (News(Turn.DISABLED, receiver),)
