from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import pytest_asyncio

from pagecalls.call.states import CallState
from pagecalls.clock import SystemClock
from pagecalls.errors import Unavailable
from pagecalls.store.base import (
    AppSubscription,
    Hold,
    Transaction,
    WebhookKind,
)
from pagecalls.types import CallId
from pagecalls.webhooks import lanes, retry, signing
from pagecalls.webhooks.base import Failure, Outcome
from pagecalls.webhooks.outbox import PAGE, Courier, CourierCounters
from tests.contract.store_samples import APP, OTHER_APP, a_call, a_row, ready_rows
from tests.unit.webhooks.support import BAD, URL, Bench


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.begin()
    yield made
    await made.end()


# --- one row ----------------------------------------------------------------------------------------------------------


async def test_a_ready_row_is_sent_signed_and_delivered(bench: Bench) -> None:
    (row_id,) = await bench.add(a_row("e1"))
    await bench.courier.idle()
    (request,) = bench.sender.requests
    row = await bench.row(row_id)
    assert (request.url, request.body) == (URL[APP], row.body)
    assert request.headers == signing.headers("secret-one", row.body)
    assert (row.hold, row.attempts) == (Hold.DELIVERED, 1)
    assert (bench.attempted, bench.outcomes) == (["e1"], [("e1", 200)])


async def test_a_held_row_is_not_sent_before_its_release(bench: Bench) -> None:
    ids = await bench.add(a_row("e1", hold=Hold.HELD))
    await bench.move(60)
    assert bench.sent() == []
    await bench.store.write(lambda transaction: transaction.release_outbox(ids, bench.clock.now()))
    await bench.courier.idle()
    assert bench.sent() == ["e1"]


async def test_recovery_releases_what_was_held(bench: Bench) -> None:
    await bench.add(a_row("e1", hold=Hold.HELD), a_row("e2", hold=Hold.HELD))
    await bench.courier.recover(bench.clock.now())
    await bench.courier.idle()
    assert bench.sent() == ["e1", "e2"]


@pytest.mark.parametrize(
    "outcome", [BAD, Outcome(301, "Moved"), Outcome(404, "Not Found"), Outcome(failure=Failure.TIMEOUT, error="timed out")]
)
async def test_a_failed_attempt_is_repeated_with_the_same_bytes(bench: Bench, outcome: Outcome) -> None:
    bench.sender.script(URL[APP], outcome, outcome)
    (row_id,) = await bench.add(a_row("e1"))
    await bench.courier.idle()
    await bench.move(4.9)
    assert bench.sent() == ["e1"]
    await bench.move(0.1)
    assert bench.sent() == ["e1", "e1"]
    await bench.move(29.9)
    assert bench.sent() == ["e1", "e1"]
    await bench.move(0.1)
    assert bench.sent() == ["e1", "e1", "e1"]
    assert len({(request.body, tuple(request.headers.items())) for request in bench.sender.requests}) == 1
    row = await bench.row(row_id)
    assert (row.hold, row.attempts) == (Hold.DELIVERED, 3)


async def test_a_jump_of_the_clock_makes_one_attempt_and_not_a_burst(bench: Bench) -> None:
    bench.sender.script(URL[APP], BAD, BAD)
    await bench.add(a_row("e1"))
    await bench.courier.idle()
    await bench.move(7_200)
    assert bench.sent() == ["e1", "e1"]


async def test_a_clock_that_is_set_back_changes_no_order(bench: Bench) -> None:
    """What became ready before that was not tried yet, and is not to wait for a time that comes again."""
    connect = replace(a_row("connect"), next_at=bench.clock.now() + 60, created_at=bench.clock.now() + 60)
    await bench.store.write(lambda transaction: transaction.add_outbox([connect]))
    await bench.add(a_row("terminate", kind=WebhookKind.TERMINATE))
    await bench.courier.idle()
    assert bench.sent() == ["connect", "terminate"]


async def test_a_row_is_given_up_after_its_schedule(bench: Bench) -> None:
    bench.sender.script(URL[APP], *[BAD] * 99)
    (row_id,) = await bench.add(a_row("e1", kind=WebhookKind.TERMINATE))
    await bench.courier.idle()
    for _ in range(40):
        await bench.move(3_600)
    row = await bench.row(row_id)
    assert (row.hold, row.attempts) == (Hold.DROPPED, len(bench.sent()))
    assert bench.counters.given_up == 1
    assert bench.sender.requests[-1].at <= row.created_at + 36 * 3600


async def test_the_url_and_the_secret_are_those_of_the_moment(bench: Bench) -> None:
    bench.sender.script(URL[APP], BAD)
    await bench.add(a_row("e1"))
    await bench.courier.idle()
    moved = AppSubscription(APP, "page", "http://moved.example/", "verify", ("calls",))
    await bench.store.write(lambda transaction: transaction.put_app_subscription(moved))
    await bench.move(5)
    assert [request.url for request in bench.sender.requests] == [URL[APP], "http://moved.example/"]


def inactive(transaction: Transaction) -> None:
    transaction.put_app_subscription(AppSubscription(APP, "page", URL[APP], "verify", ("calls",), is_active=False))


def gone(transaction: Transaction) -> None:
    transaction.delete_app_subscription(APP, "page")


def other_object(transaction: Transaction) -> None:
    gone(transaction)
    transaction.put_app_subscription(AppSubscription(APP, "instagram", URL[APP], "verify", ("calls",)))


@pytest.mark.parametrize("change", [inactive, gone, other_object])
async def test_rows_that_nobody_wants_any_more_are_dropped(bench: Bench, change: Callable[[Transaction], None]) -> None:
    await bench.store.write(change)
    ids = await bench.add(a_row("e1"), a_row("e2"), a_row("kept", app_id=OTHER_APP))
    await bench.courier.idle()
    assert (bench.sent(), bench.sent(OTHER_APP)) == ([], ["kept"])
    assert [(await bench.row(row_id)).hold for row_id in ids] == [Hold.DROPPED, Hold.DROPPED, Hold.DELIVERED]
    assert bench.counters.unwanted == 2


# --- the end of a call ------------------------------------------------------------------------------------------------


async def test_once_the_call_is_over_only_terminate_is_retried(bench: Bench) -> None:
    await bench.store.write(lambda transaction: transaction.put_call(a_call("c_1", state=CallState.COMPLETED)))
    bench.sender.script(URL[APP], BAD, BAD)
    ids = await bench.add(a_row("connect"), a_row("terminate", kind=WebhookKind.TERMINATE))
    await bench.courier.idle()
    assert bench.sent() == ["connect", "terminate"]
    await bench.move(5)
    assert bench.sent() == ["connect", "terminate", "terminate"]
    assert [(await bench.row(row_id)).hold for row_id in ids] == [Hold.DROPPED, Hold.DELIVERED]


async def test_a_failed_row_is_retried_while_its_call_lives(bench: Bench) -> None:
    await bench.store.write(lambda transaction: transaction.put_call(a_call("c_1")))
    bench.sender.script(URL[APP], BAD)
    await bench.add(a_row("connect"))
    await bench.courier.idle()
    await bench.move(5)
    assert bench.sent() == ["connect", "connect"]


async def test_a_row_that_was_dropped_is_not_sent_again(bench: Bench) -> None:
    bench.sender.script(URL[APP], BAD)
    (row_id,) = await bench.add(a_row("connect"))
    await bench.courier.idle()
    await bench.store.write(lambda transaction: transaction.drop_stale_outbox(CallId("c_1"), bench.clock.now()))
    await bench.move(60)
    assert bench.sent() == ["connect"]
    assert (await bench.row(row_id)).hold is Hold.DROPPED


async def test_a_row_that_is_dropped_while_it_waits_for_its_turn_is_not_sent() -> None:
    bench = Bench(per_app=1)
    await bench.begin()
    bench.sender.script(URL[APP], BAD)
    await bench.add(a_row("connect", call_id="c_2"))
    await bench.courier.idle()
    (answer,) = bench.unanswered(APP)
    await bench.add(a_row("another", call_id="c_1"))
    await bench.sender.wait_for(2)
    bench.clock.advance(5)
    bench.courier.wake()
    await bench.look_around()
    assert bench.counters.queued == 1
    await bench.store.write(lambda transaction: transaction.drop_stale_outbox(CallId("c_2"), bench.clock.now()))
    answer.set_result(Outcome(200))
    await bench.courier.idle()
    assert bench.sent() == ["connect", "another"]
    await bench.end()


# --- order ------------------------------------------------------------------------------------------------------------


async def test_the_next_event_of_a_call_waits_for_the_answer(bench: Bench) -> None:
    (answer,) = bench.unanswered(APP)
    await bench.add(a_row("e1"), a_row("e2"))
    await bench.sender.wait_for(1)
    assert bench.sent() == ["e1"]
    answer.set_result(Outcome(204))
    await bench.courier.idle()
    assert bench.sent() == ["e1", "e2"]


async def test_the_next_event_of_a_call_waits_three_seconds_at_most(bench: Bench) -> None:
    (answer,) = bench.unanswered(APP)
    await bench.add(a_row("e1"), a_row("e2"))
    await bench.sender.wait_for(1)
    bench.clock.advance(2.9)
    bench.courier.wake()
    await bench.look_around()
    assert bench.sent() == ["e1"]
    bench.clock.advance(0.1)
    bench.courier.wake()
    await bench.sender.wait_for(2)
    assert bench.sent() == ["e1", "e2"]
    answer.set_result(Outcome(200))
    await bench.courier.idle()


async def test_the_next_event_waits_three_seconds_after_a_refusal_too(bench: Bench) -> None:
    bench.sender.script(URL[APP], BAD)
    await bench.add(a_row("e1"))
    await bench.courier.idle()
    bench.clock.advance(1)
    await bench.add(a_row("e2"))
    await bench.courier.idle()
    assert bench.sent() == ["e1"]
    await bench.move(2)
    assert bench.sent() == ["e1", "e2"]
    await bench.move(2)
    assert bench.sent() == ["e1", "e2", "e1"]


async def test_an_event_waits_for_an_earlier_one_that_is_still_held(bench: Bench) -> None:
    ids = await bench.add(a_row("e1", hold=Hold.HELD), a_row("e2"))
    await bench.move(10)
    assert bench.sent() == []
    await bench.store.write(lambda transaction: transaction.release_outbox(ids[:1], bench.clock.now()))
    await bench.courier.idle()
    assert bench.sent() == ["e1", "e2"]


async def test_a_silent_call_does_not_delay_another_call_or_app(bench: Bench) -> None:
    (answer,) = bench.unanswered(APP)
    await bench.add(a_row("e1"), a_row("e2"))
    await bench.sender.wait_for(1)
    await bench.add(a_row("e3", call_id="c_2"), a_row("e4", app_id=OTHER_APP), a_row("e5", call_id=None))
    await bench.sender.wait_for(4)
    assert (bench.sent(), bench.sent(OTHER_APP)) == (["e1", "e3", "e5"], ["e4"])
    answer.set_result(Outcome(200))
    await bench.courier.idle()


async def test_an_app_cannot_use_more_than_its_share() -> None:
    bench = Bench(per_app=3, own=1, in_common=3)
    await bench.begin()
    answers = bench.unanswered(*[APP] * 3)
    await bench.add(*(a_row(f"slow {number}", call_id=f"c_{number}") for number in range(10)))
    await bench.sender.wait_for(3)
    await bench.add(*(a_row(f"fast {number}", app_id=OTHER_APP, call_id=f"c_{number}") for number in range(10)))
    await bench.sender.wait_for(13)
    assert (len(bench.sent()), len(bench.sent(OTHER_APP))) == (3, 10)
    for answer in answers:
        answer.set_result(Outcome(200))
    await bench.courier.idle()
    assert sorted(bench.sent()) == [f"slow {number}" for number in range(10)]
    await bench.end()


async def test_calls_do_not_wait_behind_a_heap_of_changed_settings(bench: Bench) -> None:
    """The receiver takes its time with settings: their lane is full, and more pages of calls than one go past it."""
    (answer,) = bench.unanswered(APP)
    heap = [a_row(f"s{number}", call_id=None, about="settings 1") for number in range(PAGE + 1)]
    await bench.add(*heap)
    await bench.sender.wait_for(1)
    await bench.add(*[a_row(f"e{number}", call_id=f"c_{number}") for number in range(2 * PAGE)])
    await bench.sender.wait_for(1 + 2 * PAGE)
    assert [name for name in bench.sent() if name[0] == "s"] == ["s0"]
    answer.set_result(Outcome(200))
    await bench.courier.idle()
    assert len(bench.sent()) == 3 * PAGE + 1


@pytest.mark.parametrize("calls", [7, 700])
async def test_a_long_backlog_is_worked_off_in_order(bench: Bench, calls: int) -> None:
    await bench.add(*(a_row(f"{number:04}", call_id=f"c_{number % calls}") for number in range(700)))
    await bench.courier.idle()
    for call in range(calls):
        own = [event for event in bench.sent() if int(event) % calls == call]
        assert own == sorted(own)
    assert sorted(bench.sent()) == [f"{number:04}" for number in range(700)]


# --- life -------------------------------------------------------------------------------------------------------------


async def test_the_courier_wakes_itself_when_the_wait_for_an_answer_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "GATE_S", 0.02)
    bench = Bench(clock=SystemClock())
    await bench.begin()
    (answer,) = bench.unanswered(APP)
    await bench.add(a_row("e1"), a_row("e2"))
    await asyncio.wait_for(bench.sender.wait_for(2), 10)
    assert bench.sent() == ["e1", "e2"]
    answer.set_result(Outcome(200))
    await bench.end()


async def test_the_courier_wakes_itself_for_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "WAITS_S", (0.0, 0.02))
    bench = Bench(clock=SystemClock())
    await bench.begin()
    bench.sender.script(URL[APP], BAD)
    await bench.add(a_row("e1"))
    await asyncio.wait_for(bench.sender.wait_for(2), 10)
    assert bench.sent() == ["e1", "e1"]
    await bench.end()


async def test_what_was_read_before_an_outcome_is_not_taken_for_news(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the outbox and the end of an attempt cross: the look still shows the row as never tried."""
    (answer,) = bench.unanswered(APP)
    await bench.add(a_row("e1"))
    await bench.sender.wait_for(1)
    read, is_read, may_return = bench.store.read, asyncio.Event(), asyncio.Event()

    async def read_slowly(work: Callable[[Transaction], object]) -> object:
        monkeypatch.setattr(bench.store, "read", read)
        result = await read(work)
        is_read.set()
        await may_return.wait()
        return result

    monkeypatch.setattr(bench.store, "read", read_slowly)
    bench.courier.wake()
    await is_read.wait()
    answer.set_result(BAD)
    while bench.counters.failed == 0:
        await bench.look_around()
    may_return.set()
    await bench.courier.idle()
    await bench.move(4.9)
    assert bench.sent() == ["e1"]
    await bench.move(0.1)
    assert bench.sent() == ["e1", "e1"]


async def test_stopping_lets_a_request_in_flight_finish_and_begins_no_other() -> None:
    bench = Bench(per_app=1)
    await bench.begin()
    (answer,) = bench.unanswered(APP)
    ids = await bench.add(a_row("e1"), a_row("e2"), a_row("e3", call_id="c_2"))
    await bench.sender.wait_for(1)
    stopping = asyncio.ensure_future(bench.courier.stop(grace_s=30))
    await asyncio.sleep(0)
    answer.set_result(Outcome(200))
    await stopping
    assert bench.sent() == ["e1"]
    assert [(await bench.row(row_id)).hold for row_id in ids] == [Hold.DELIVERED, Hold.READY, Hold.READY]
    await bench.end()


async def test_a_request_that_does_not_finish_is_broken_off_and_sent_by_the_next_courier(bench: Bench) -> None:
    bench.unanswered(APP)
    await bench.add(a_row("e1"), a_row("e2"))
    await bench.sender.wait_for(1)
    await bench.courier.stop(grace_s=0)
    assert bench.counters.in_flight == 0
    following = Courier(bench.store, bench.sender, bench.clock, on_attempt=lambda row: None, on_outcome=lambda row, outcome: None)
    following.start()
    await following.idle()
    await following.stop()
    assert bench.sent() == ["e1", "e1", "e2"]


async def test_a_hook_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()

    def fail(*_: object) -> None:
        raise ValueError("a hook's own fault")

    bench.courier = Courier(bench.store, bench.sender, bench.clock, on_attempt=fail, on_outcome=fail)
    await bench.begin()
    (row_id,) = await bench.add(a_row("e1"))
    await bench.courier.idle()
    assert (await bench.row(row_id)).hold is Hold.DELIVERED
    assert "A hook of the courier failed." in caplog.text
    await bench.end()


async def test_a_fault_of_the_store_delays_a_row_and_keeps_its_place(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = bench.store.write

    async def fail(work: object) -> None:
        monkeypatch.setattr(bench.store, "write", write)
        raise OSError("disk full")

    await bench.add(a_row("e1"), a_row("e2"))
    monkeypatch.setattr(bench.store, "write", fail)
    await bench.courier.idle()
    assert bench.sent() == ["e1"]
    assert "could not be handled" in caplog.text
    await bench.move(3)
    assert bench.sent() == ["e1", "e2"]
    await bench.move(2)
    assert bench.sent() == ["e1", "e2"]
    assert await bench.store.read(ready_rows) == []


async def test_what_was_taken_is_not_sent_again_while_the_store_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(work: object) -> None:
        raise Unavailable

    (row_id,) = await bench.add(a_row("e1"))
    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "write", fail)
        await bench.courier.idle()
        for _ in range(12):
            await bench.move(5)
        assert bench.sent() == ["e1"]
    await bench.move(5)
    assert bench.sent() == ["e1"]
    row = await bench.row(row_id)
    assert (row.hold, row.attempts, bench.counters.delivered) == (Hold.DELIVERED, 1, 1)


async def test_a_failure_that_was_not_stored_at_once_is_followed_by_the_usual_wait(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = bench.store.write

    async def fail(work: object) -> None:
        monkeypatch.setattr(bench.store, "write", write)
        raise Unavailable

    bench.sender.script(URL[APP], BAD)
    (row_id,) = await bench.add(a_row("e1"))
    monkeypatch.setattr(bench.store, "write", fail)
    await bench.courier.idle()
    await bench.move(5)
    assert (bench.sent(), (await bench.row(row_id)).attempts) == (["e1"], 1)
    await bench.move(5)
    assert bench.sent() == ["e1", "e1"]
    assert (await bench.row(row_id)).hold is Hold.DELIVERED


async def test_an_unreadable_outbox_is_looked_at_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read = bench.store.read

    async def fail(work: object) -> None:
        monkeypatch.setattr(bench.store, "read", read)
        raise OSError("disk gone")

    await bench.courier.idle()
    monkeypatch.setattr(bench.store, "read", fail)
    await bench.add(a_row("e1"))
    await bench.courier.idle()
    assert "could not be read" in caplog.text
    await bench.move(5)
    assert bench.sent() == ["e1"]


async def test_totals(bench: Bench) -> None:
    bad, good = bench.unanswered(APP, OTHER_APP)
    await bench.add(a_row("e1"), a_row("e2", app_id=OTHER_APP), a_row("e3", app_id=OTHER_APP))
    await bench.sender.wait_for(2)
    assert (bench.counters.attempts, bench.counters.in_flight, bench.counters.queued) == (2, 2, 1)
    bad.set_result(BAD)
    good.set_result(Outcome(200))
    await bench.courier.idle()
    assert bench.counters == CourierCounters(attempts=3, delivered=2, failed=1)


async def test_logs_hold_neither_bodies_nor_secrets_nor_addresses(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench.sender.script(URL[APP], BAD)
    row = replace(a_row("e1"), body=b'{"sdp":"a=ice-pwd:hidden"}')
    await bench.add(row)
    await bench.courier.idle()
    await bench.move(5)
    assert "e1" in caplog.text
    for hidden in ("ice-pwd", "secret-one", "receiver.example"):
        assert hidden not in caplog.text
