"""What the courier keeps of its attempts, and rows that are sent once more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from pagecalls.call.states import CallState
from pagecalls.store.base import Attempt, DropReason, Hold, Transaction
from pagecalls.types import CallId
from pagecalls.webhooks.base import Failure, Outcome
from pagecalls.webhooks.outbox import PER_APP, REPLAYS_PER_APP
from tests.contract.store_samples import APP, a_call, a_row
from tests.unit.webhooks.support import BAD, URL, Bench


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.begin()
    yield made
    await made.end()


async def log_of(bench: Bench, row_id: int) -> list[Attempt]:
    return await bench.store.read(lambda transaction: transaction.attempts(row_id))


async def test_every_attempt_is_kept_with_what_came_of_it(bench: Bench) -> None:
    began = bench.clock.now()
    bench.sender.script(
        URL[APP],
        Outcome(failure=Failure.TIMEOUT, error="timed out", latency_s=20.0),
        Outcome(500, "Oops", b"\x1b[31m" + b"x" * 5000, latency_s=0.5),
        Outcome(200, "OK", "danke schön\n".encode(), latency_s=0.25),
    )
    (row_id,) = await bench.add(a_row("e1"))
    await bench.courier.idle()
    await bench.move(5)
    await bench.move(30)
    first, second, third = await log_of(bench, row_id)
    assert first == Attempt(1, began, None, "timeout", "timed out", 20.0, "")
    assert second == Attempt(2, began + 5, 500, None, "", 0.5, "\ufffd[31m" + "x" * 495)
    assert third == Attempt(3, began + 35, 200, None, "", 0.25, "danke schön\n")


@pytest.mark.parametrize("body", [b"\xff\xfe", b"\x00" * 10, "\u202e\ud7ff".encode(), "😀".encode() * 600, b"\xf0\x9f" * 900])
async def test_whatever_a_receiver_says_can_be_shown(bench: Bench, body: bytes) -> None:
    bench.sender.script(URL[APP], Outcome(200, "OK", body))
    (row_id,) = await bench.add(a_row("e1"))
    await bench.courier.idle()
    (attempt,) = await log_of(bench, row_id)
    assert 0 < len(attempt.answer) <= 500
    assert all(each.isprintable() or each in "\n\t" for each in attempt.answer)


async def test_why_a_row_was_given_up_is_kept(bench: Bench) -> None:
    await bench.store.write(lambda transaction: transaction.put_call(a_call("c_9", state=CallState.COMPLETED)))
    bench.sender.script(URL[APP], *[BAD] * 20)
    over, late = await bench.add(a_row("over", call_id="c_9"), a_row("late", call_id=None))
    (unwanted,) = await bench.add(replace(a_row("unwanted"), object="user"))
    await bench.courier.idle()
    for _ in range(40):
        await bench.move(3_600)
    reasons = [(await bench.row(row_id)).drop_reason for row_id in (over, late, unwanted)]
    assert reasons == [DropReason.CALL_OVER, DropReason.SCHEDULE, DropReason.NO_SUBSCRIPTION]
    assert [each.number for each in await log_of(bench, late)] == list(range(1, 14))


async def test_a_row_that_is_deleted_while_it_is_sent_stops_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    (answer,) = bench.unanswered(APP)
    (row_id,) = await bench.add(a_row("e1"))
    await bench.sender.wait_for(1)

    def delete(transaction: Transaction) -> None:
        transaction._connection.execute("DELETE FROM outbox WHERE id = ?", (row_id,))  # type: ignore[attr-defined]

    await bench.store.write(delete)
    answer.set_result(Outcome(200))
    await bench.courier.idle()
    await bench.add(a_row("e2"))
    await bench.courier.idle()
    assert bench.sent() == ["e1", "e2"]
    assert "could not be handled" not in caplog.text


# --- once more --------------------------------------------------------------------------------------------------------


async def test_a_taken_row_is_sent_once_more_with_the_same_bytes(bench: Bench) -> None:
    (row_id,) = await bench.add(a_row("e1"))
    await bench.courier.idle()
    before = await bench.row(row_id)
    bench.clock.advance(100)
    assert await bench.replay(row_id) == [True]
    await bench.courier.idle()
    assert [request.body for request in bench.sender.requests] == [before.body] * 2
    assert await bench.row(row_id) == replace(before, attempts=2)
    assert [(each.number, each.status) for each in await log_of(bench, row_id)] == [(1, 200), (2, 200)]
    assert (bench.counters.attempts, bench.counters.delivered, bench.counters.replayed) == (2, 1, 1)


async def test_what_is_sent_once_more_in_vain_is_not_retried_and_stays_what_it_was(bench: Bench) -> None:
    bench.sender.script(URL[APP], Outcome(200), BAD)
    (row_id,) = await bench.add(a_row("e1"))
    await bench.courier.idle()
    await bench.replay(row_id)
    await bench.courier.idle()
    await bench.move(40 * 3600)
    row = await bench.row(row_id)
    assert (bench.sent(), row.hold, row.attempts, row.replay_at) == (["e1", "e1"], Hold.DELIVERED, 2, None)


async def test_a_row_that_was_given_up_counts_as_taken_when_it_is_taken(bench: Bench) -> None:
    await bench.store.write(lambda transaction: transaction.put_call(a_call("c_1", state=CallState.COMPLETED)))
    bench.sender.script(URL[APP], BAD, BAD)
    (row_id,) = await bench.add(a_row("connect"))
    await bench.courier.idle()
    await bench.replay(row_id)
    await bench.courier.idle()
    assert ((await bench.row(row_id)).hold, (await bench.row(row_id)).drop_reason) == (Hold.DROPPED, DropReason.CALL_OVER)
    await bench.replay(row_id)
    await bench.courier.idle()
    row = await bench.row(row_id)
    assert (row.hold, row.drop_reason, row.attempts) == (Hold.DELIVERED, None, 3)


async def test_rows_of_a_call_are_sent_once_more_one_after_the_other(bench: Bench) -> None:
    ids = await bench.add(a_row("e1"), a_row("e2"), a_row("e3"))
    await bench.courier.idle()
    (answer,) = bench.unanswered(APP)
    await bench.replay(*ids)
    await bench.sender.wait_for(4)
    await bench.look_around()
    assert bench.sent()[3:] == ["e1"]
    answer.set_result(BAD)
    await bench.courier.idle()
    assert bench.sent()[3:] == ["e1", "e2", "e3"]


async def test_what_is_sent_once_more_does_not_delay_what_is_owed_nor_changes_its_order(bench: Bench) -> None:
    """Silence towards a great many replays, and beside it a call whose events are owed, and the end of a call (ruling 9)."""
    ids = await bench.add(*(a_row(f"old {number}", call_id=f"c_{number}") for number in range(PER_APP + 10)))
    await bench.courier.idle()
    answers = bench.unanswered(*[APP] * REPLAYS_PER_APP)
    await bench.replay(*ids)
    await bench.sender.wait_for(len(ids) + REPLAYS_PER_APP)
    bench.clock.advance(100)
    new = await bench.add(a_row("e1"), a_row("e2"))
    await bench.store.write(lambda transaction: transaction.drop_stale_outbox(CallId("c_1"), bench.clock.now()))
    while (await bench.row(new[1])).hold is not Hold.DELIVERED:
        await bench.look_around()
    assert [event for event in bench.sent() if event.startswith("e")] == ["e1", "e2"]
    for answer in answers:
        answer.set_result(Outcome(200))
    await bench.courier.idle()
    assert [(await bench.row(row_id)).attempts for row_id in ids] == [2] * len(ids)


async def test_a_replay_that_a_lost_process_left_is_done_by_the_next_one(bench: Bench) -> None:
    (row_id,) = await bench.add(a_row("e1"))
    await bench.courier.idle()
    bench.unanswered(APP)
    await bench.replay(row_id)
    await bench.sender.wait_for(2)
    await bench.courier.stop(grace_s=0)
    following = bench.new_courier()
    following.start()
    await following.idle()
    await following.stop()
    assert (bench.sent(), (await bench.row(row_id)).attempts) == (["e1"] * 3, 2)


async def test_a_replay_that_is_asked_for_while_one_is_in_flight_is_done_after_it(bench: Bench) -> None:
    (row_id,) = await bench.add(a_row("e1"))
    await bench.courier.idle()
    (answer,) = bench.unanswered(APP)
    await bench.replay(row_id)
    await bench.sender.wait_for(2)
    bench.clock.advance(1)
    assert await bench.replay(row_id) == [True]
    await bench.look_around()
    assert bench.sent() == ["e1", "e1"]
    answer.set_result(BAD)
    await asyncio.wait_for(bench.sender.wait_for(3), 10)
    await bench.courier.idle()
    assert (bench.sent(), (await bench.row(row_id)).replay_at) == (["e1"] * 3, None)
    assert [(each.number, each.status) for each in await log_of(bench, row_id)] == [(1, 200), (2, 500), (3, 200)]


async def test_a_replay_that_nobody_wants_any_more_is_over(bench: Bench) -> None:
    (row_id,) = await bench.add(a_row("e1"))
    await bench.courier.idle()
    await bench.store.write(lambda transaction: transaction.delete_app_subscription(APP, "page"))
    await bench.replay(row_id)
    await bench.courier.idle()
    row = await bench.row(row_id)
    assert (bench.sent(), row.hold, row.attempts, row.replay_at) == (["e1"], Hold.DELIVERED, 1, None)


async def test_a_replay_that_is_asked_for_while_an_attempt_ends_is_not_forgotten(bench: Bench) -> None:
    (answer,) = bench.unanswered(APP)
    (row_id,) = await bench.add(a_row("e1"))
    await bench.sender.wait_for(1)
    answer.set_result(Outcome(200))
    while not (await bench.replay(row_id))[0]:
        pass
    await bench.courier.idle()
    assert bench.sent() == ["e1", "e1"]
