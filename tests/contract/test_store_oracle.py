"""Random units of work on SQLite and on the model: both must give the same results, refuse the same and read the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pagecalls.call.metrics import AudioStats, CallEndCause, CallMetrics
from pagecalls.call.states import CallState
from pagecalls.store.base import (
    App,
    CallButton,
    CallRecord,
    Consumer,
    DropReason,
    FailingReceiver,
    Hold,
    LiveCallExists,
    Message,
    MessageKind,
    MetricsRecord,
    Past,
    PermissionRequest,
    RequestState,
    Transaction,
    WebhookKind,
)
from pagecalls.store.sqlite import SqliteStore
from pagecalls.types import CallId, MessageId, Platform
from tests.contract.store_model import ModelStore
from tests.contract.store_samples import APP, NOW, OTHER_APP, PAGE, PSIDS, a_call, a_row, ready_rows, seed

Step = Callable[[Transaction], object]

times = st.integers(0, 8).map(lambda seconds: NOW + seconds)
row_ids = st.integers(1, 8)
call_ids = st.sampled_from(["c_1", "c_2", "c_3", "c_4"])


@st.composite
def put_calls(draw: st.DrawFn) -> Step:
    deadline_at = draw(st.none() | times)
    record = a_call(draw(call_ids), draw(st.sampled_from(PSIDS)), draw(st.sampled_from(CallState)), deadline_at)
    if not record.call.state.is_live:
        record = CallRecord(replace(record.call, ended_at=draw(times)), record.media)
    return lambda transaction: transaction.put_call(record)


@st.composite
def add_rows(draw: st.DrawFn) -> Step:
    row = a_row(
        "e",
        app_id=draw(st.sampled_from([APP, OTHER_APP])),
        call_id=draw(st.none() | call_ids),
        kind=draw(st.sampled_from(WebhookKind)),
        hold=draw(st.sampled_from([Hold.HELD, Hold.READY])),
        created_at=draw(times),
    )
    return lambda transaction: transaction.add_outbox([row])


@st.composite
def change_rows(draw: st.DrawFn) -> Step:
    row_id, now, is_taken = draw(row_ids), draw(times), draw(st.booleans())
    next_at, asked_at = draw(st.none() | times), draw(st.none() | times)
    call_id = CallId(draw(call_ids))
    psid, app_id = draw(st.sampled_from(PSIDS)), draw(st.sampled_from([APP, OTHER_APP]))

    def deliver(transaction: Transaction) -> None:
        if transaction.outbox_row(row_id) is not None:
            transaction.outbox_delivered(row_id, now)

    def fail(transaction: Transaction) -> None:
        if transaction.outbox_row(row_id) is not None:
            transaction.outbox_failed(row_id, next_at)
            transaction.add_attempt(row_id, now, 500, None, "", 0.25, "no")
            if next_at is None:
                transaction.drop_outbox(row_id, DropReason.SCHEDULE, now)

    def forget(transaction: Transaction) -> None:
        transaction.erase_consumer(PAGE, psid)
        transaction.put_consumer(Consumer(psid, PAGE, Platform.MESSENGER, "again"))

    def remove(transaction: Transaction) -> int:
        owed = transaction.owed_webhooks(app_id)
        transaction.delete_app(app_id)
        transaction.put_app(App(app_id, "again", "secret"))
        return owed

    def replayed(transaction: Transaction) -> bool:
        row = transaction.outbox_row(row_id)
        if row is None or row.replay_at is None:
            return False
        is_wanted = transaction.outbox_replayed(row_id, is_taken, asked_at or row.replay_at, now)
        transaction.add_attempt(row_id, now, None, "timeout", "timed out", 20.0, "")
        return is_wanted

    receiver = FailingReceiver(draw(st.sampled_from([APP, OTHER_APP])), "page", now, 3, "500", next_at)
    known: list[Step] = [
        forget,
        remove,
        lambda transaction: transaction.release_outbox([row_id], now),
        lambda transaction: transaction.release_all_outbox(now),
        lambda transaction: transaction.drop_stale_outbox(call_id, now),
        lambda transaction: transaction.replay_outbox(row_id, now),
        lambda transaction: transaction.put_failing_receiver(receiver),
        lambda transaction: transaction.forget_failures(receiver.app_id, "page"),
        replayed,
        lambda transaction: transaction.end_replay(row_id, now),
        deliver,
        fail,
    ]
    return draw(st.sampled_from(known))


message_ids = st.sampled_from([MessageId(f"m_{number}") for number in range(4)])


@st.composite
def change_messages(draw: st.DrawFn) -> Step:
    message_id, psid, now = draw(message_ids), draw(st.sampled_from(PSIDS[:2])), draw(times)
    kind, keep, state = draw(st.sampled_from(MessageKind)), draw(st.integers(0, 2)), draw(st.sampled_from(RequestState))

    def add(transaction: Transaction) -> None:
        if transaction.message(message_id) is None:
            transaction.add_message(Message(message_id, PAGE, psid, kind, now))

    def ask(transaction: Transaction) -> None:
        if transaction.permission_request(message_id) is None:
            transaction.add_permission_request(PermissionRequest(message_id, PAGE, psid, now, now + 4))

    def answer(transaction: Transaction) -> None:
        found = transaction.permission_request(message_id)
        if found is not None and found.state is RequestState.OPEN:
            transaction.answer_request(message_id, state)

    known: list[Step] = [
        add,
        ask,
        answer,
        lambda transaction: transaction.add_call_button(CallButton(message_id, PAGE, psid, "Call", now)),
        lambda transaction: transaction.message_delivered(message_id, now),
        lambda transaction: transaction.trim_messages(PAGE, psid, keep),
        lambda transaction: transaction.note_contact(PAGE, psid, now),
        lambda transaction: transaction.put_permission(PAGE, psid, now),
        lambda transaction: transaction.delete_permission(PAGE, psid),
    ]
    return draw(st.sampled_from(known))


@st.composite
def note_apps(draw: st.DrawFn) -> Step:
    """Who was told of a call, and one report on it; only of calls that are there."""
    call_id, app = CallId(draw(call_ids)), draw(st.sampled_from([APP, OTHER_APP]))
    cause, at = draw(st.sampled_from(CallEndCause)), draw(times)
    metrics = CallMetrics(cause, at, audio_stats=draw(st.none() | st.just(AudioStats(jitter_s=0.5, packets_lost=-1))))

    def note(transaction: Transaction) -> None:
        if transaction.call(call_id) is not None:
            transaction.note_told(call_id, [app])

    def report(transaction: Transaction) -> None:
        if transaction.call(call_id) is not None and transaction.call_metrics(call_id) is None:
            transaction.add_call_metrics(MetricsRecord(call_id, app, at, metrics))

    return draw(st.sampled_from([note, report]))


@st.composite
def forget(draw: st.DrawFn) -> Step:
    past, before, limit = (
        draw(st.sampled_from([Past.CALLS, Past.OUTBOX, Past.MESSAGES, Past.PERMISSION_REQUESTS, Past.CALL_BUTTONS])),
        draw(times),
        draw(st.integers(0, 3)),
    )
    return lambda transaction: (transaction.settled_outbox(), transaction.forget(past, before, limit))


steps = st.one_of(put_calls(), add_rows(), change_rows(), change_messages(), note_apps(), forget())
units = st.tuples(st.lists(steps, min_size=1, max_size=4), st.booleans())


def everything(transaction: Transaction) -> list[object]:
    seen: list[object] = [ready_rows(transaction), transaction.live_calls(), transaction.live_calls_of_page(PAGE)]
    seen += [transaction.live_calls_of_app(app_id) for app_id in (APP, OTHER_APP)]
    seen += [transaction.outbox_row(row_id) for row_id in range(1, 12)]
    seen += [transaction.attempts(row_id) for row_id in range(1, 12)]
    seen += [transaction.replays_outbox(2), transaction.failing_receivers(), transaction.failing_receiver(APP, "page")]
    for call_id in (None, CallId("c_1"), CallId("c_2")):
        seen += [transaction.outbox_entries(app_id, call_id, 7, 3) for app_id in (None, APP, OTHER_APP)]
    seen += [transaction.is_untried(CallId(f"c_{number}"), kind) for number in range(1, 5) for kind in WebhookKind]
    seen += [transaction.call(CallId(f"c_{number}")) for number in range(1, 5)]
    seen += [transaction.live_call(PAGE, psid) for psid in PSIDS]
    seen += [transaction.message(MessageId(f"m_{number}")) for number in range(4)]
    seen += [transaction.permission_request(f"m_{number}") for number in range(4)]
    for psid in PSIDS[:2]:
        seen += [transaction.last_contact(PAGE, psid), transaction.permission(PAGE, psid)]
        for moment in range(0, 9, 2):
            at = NOW + moment
            seen += [transaction.messages_to_show(PAGE, psid, at, 3), transaction.open_request(PAGE, psid, at)]
            seen += [transaction.requests_sent(PAGE, psid, at), transaction.is_live_button(PAGE, psid, "m_1", at)]
    seen += [sorted(transaction.told_apps(CallId(f"c_{number}"))) for number in range(1, 5)]
    seen += [transaction.call_metrics(CallId(f"c_{number}")) for number in range(1, 5)]
    for moment in range(9):
        seen += [transaction.due_outbox(NOW + moment, 2), transaction.next_outbox_at(NOW + moment)]
    return seen


class Undone(Exception):
    """Ends a unit of work that is meant to leave nothing behind."""


def unit_of(work: list[Step], is_undone: bool) -> Callable[[Transaction], str]:
    def run(transaction: Transaction) -> str:
        results: list[object] = []
        for step in work:
            try:
                results.append(step(transaction))
            except LiveCallExists:
                results.append("refused")
        if is_undone:
            raise Undone(repr(results))
        return repr(results)

    return run


async def compare(script: list[tuple[list[Step], bool]]) -> None:
    model, store = ModelStore(), SqliteStore.open(None)
    try:
        for each in (model, store):
            await each.write(seed)
        outcomes = await asyncio.gather(*(store.write(unit_of(*unit)) for unit in script), return_exceptions=True)
        for unit, outcome in zip(script, outcomes, strict=True):
            try:
                expected: object = await model.write(unit_of(*unit))
            except Undone as undone:
                expected = undone  # ids that were rolled back are given out again, in both
            assert repr(outcome) == repr(expected)
        assert await store.read(everything) == await model.read(everything)
    finally:
        await store.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(units, max_size=12))
def test_sqlite_does_what_the_model_does(script: list[tuple[list[Step], bool]]) -> None:
    asyncio.run(compare(script))
