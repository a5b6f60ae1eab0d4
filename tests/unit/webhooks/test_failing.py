"""Receivers that fail: when the operator is told, and when a subscription is switched off."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pagecalls.call.states import CallState
from pagecalls.store.base import AppSubscription, DropReason, FailingReceiver, Hold
from pagecalls.webhooks.base import Outcome
from pagecalls.webhooks.failing import Turn
from tests.contract.store_samples import APP, OTHER_APP, a_call, a_row
from tests.unit.webhooks.support import BAD, URL, Bench


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.begin()
    yield made
    await made.end()


async def is_active(bench: Bench) -> bool:
    subscriptions = await bench.store.read(lambda transaction: transaction.app_subscriptions(APP))
    return subscriptions[0].is_active


async def failing(bench: Bench) -> FailingReceiver | None:
    return await bench.store.read(lambda transaction: transaction.failing_receiver(APP, "page"))


async def test_after_a_quarter_of_an_hour_of_failure_the_operator_is_told_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    began = bench.clock.now()
    bench.sender.script(URL[APP], *[BAD] * 10)
    await bench.add(a_row("e1", call_id=None))
    await bench.courier.idle()
    for _ in range(14):
        await bench.move(60)
    assert (bench.news, bench.counters.alerts) == ([], [])
    for _ in range(5):
        await bench.move(60)
    (news,) = bench.news
    assert (news.turn, news.receiver.failing_since, news.receiver.alerted_at) == (Turn.ALERT, began, began + 900)
    assert news.facts == {
        "app_id": APP,
        "object": "page",
        "failing_since": began,
        "failures": news.receiver.failures,
        "last": "500",
    }
    assert [receiver.app_id for receiver in bench.counters.alerts] == [APP]
    assert "Webhooks fail: the receiver of app 1001 for page" in caplog.text


async def test_a_success_ends_the_alert(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench.sender.script(URL[APP], *[BAD] * 6)
    await bench.add(a_row("e1", call_id=None))
    await bench.courier.idle()
    for _ in range(7):
        await bench.move(3600)
    assert [news.turn for news in bench.news] == [Turn.ALERT, Turn.RECOVERED]
    assert (await failing(bench), bench.counters.alerts) == (None, [])
    assert "Webhooks arrive again" in caplog.text


async def test_a_success_between_failures_begins_the_time_anew(bench: Bench) -> None:
    bench.sender.script(URL[APP], BAD, Outcome(200), BAD, Outcome(200))
    await bench.add(a_row("e1", call_id=None))
    await bench.courier.idle()
    await bench.move(800)
    await bench.add(a_row("e2", call_id=None))
    await bench.courier.idle()
    receiver = await failing(bench)
    assert receiver is not None
    assert receiver.failing_since == bench.clock.now()
    await bench.move(800)
    assert bench.news == []


async def test_a_clock_that_jumps_lets_a_retry_go_first(bench: Bench) -> None:
    bench.sender.script(URL[APP], BAD)
    await bench.add(a_row("e1", call_id=None))
    await bench.courier.idle()
    await bench.move(3600)
    assert (bench.sent(), bench.news, await failing(bench)) == (["e1", "e1"], [], None)


async def test_a_failure_that_nothing_follows_is_told_of_too(bench: Bench) -> None:
    await bench.store.write(lambda transaction: transaction.put_call(a_call("c_1", state=CallState.COMPLETED)))
    bench.sender.script(URL[APP], BAD)
    (row_id,) = await bench.add(a_row("e1"))
    await bench.courier.idle()
    assert (await bench.row(row_id)).hold is Hold.DROPPED
    await bench.move(900)
    assert [news.turn for news in bench.news] == [Turn.ALERT]


async def test_one_app_does_not_make_another_fail(bench: Bench) -> None:
    bench.sender.script(URL[APP], BAD)
    await bench.add(a_row("e1"), a_row("e2", app_id=OTHER_APP))
    await bench.courier.idle()
    receivers = await bench.store.read(lambda transaction: transaction.failing_receivers())
    assert [(each.app_id, each.failures) for each in receivers] == [(APP, 1)]


async def fail_for_days(bench: Bench, days: int, per_day: int) -> None:
    for day in range(days + 1):
        bench.sender.script(URL[APP], *[BAD] * per_day * 20)
        await bench.add(*(a_row(f"{day} {number}", call_id=None) for number in range(per_day)))
        await bench.courier.idle()
        if day < days:
            await bench.move(24 * 3600)


async def test_after_a_week_of_failure_a_subscription_is_switched_off(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    await fail_for_days(bench, 6, 10)
    assert await is_active(bench)
    await fail_for_days(bench, 1, 10)
    assert not await is_active(bench)
    assert [news.turn for news in bench.news] == [Turn.ALERT, Turn.DISABLED]
    receiver = await failing(bench)
    assert receiver is not None
    assert receiver.disabled_at == bench.clock.now()
    assert receiver.failures >= 100
    assert "Webhooks are switched off" in caplog.text


async def test_what_is_owed_to_a_subscription_that_is_off_is_dropped_with_its_reason_and_can_be_had_later(bench: Bench) -> None:
    await fail_for_days(bench, 7, 10)
    (row_id,) = await bench.add(a_row("late"))
    sent = len(bench.sent())
    await bench.courier.idle()
    row = await bench.row(row_id)
    assert (row.hold, row.drop_reason, len(bench.sent())) == (Hold.DROPPED, DropReason.DISABLED, sent)
    bench.sender._scripts.clear()
    await bench.store.write(
        lambda transaction: transaction.put_app_subscription(AppSubscription(APP, "page", URL[APP], "verify", ("calls",)))
    )
    assert await bench.replay(row_id) == [True]
    await bench.courier.idle()
    assert (await bench.row(row_id)).hold is Hold.DELIVERED
    assert await failing(bench) is None


async def test_a_success_that_comes_after_the_end_switches_nothing_on_and_is_no_recovery(bench: Bench) -> None:
    """It was begun before the attempt whose failure switched the subscription off."""
    await fail_for_days(bench, 6, 20)
    await bench.move(24 * 3600 - 60)
    bench.sender._scripts.clear()
    (answer,) = bench.unanswered(APP)
    (slow,) = await bench.add(a_row("slow", call_id="c_8"))
    while "slow" not in bench.sent():
        await bench.look_around()
    bench.sender.script(URL[APP], *[BAD] * 400)
    bench.clock.advance(60)
    await bench.add(a_row("failing", call_id="c_9"))
    while await is_active(bench):
        await bench.look_around()
    answer.set_result(Outcome(200))
    await bench.courier.idle()
    assert (await bench.row(slow)).hold is Hold.DELIVERED
    assert [news.turn for news in bench.news] == [Turn.ALERT, Turn.DISABLED]
    receiver = await failing(bench)
    assert receiver is not None
    assert receiver.disabled_at is not None
    assert [each.app_id for each in bench.counters.alerts] == [APP]


async def test_few_failures_switch_nothing_off_however_long_they_last(bench: Bench) -> None:
    bench.sender.script(URL[APP], *[BAD] * 99)
    for _ in range(9):
        await bench.add(a_row("e", call_id=None))
        await bench.move(24 * 3600)
    receiver = await failing(bench)
    assert receiver is not None
    assert receiver.failures < 100
    assert await is_active(bench)


async def test_many_failures_switch_nothing_off_within_a_week(bench: Bench) -> None:
    await fail_for_days(bench, 6, 40)
    receiver = await failing(bench)
    assert receiver is not None
    assert receiver.failures > 100
    assert await is_active(bench)


async def test_whoever_is_switched_on_again_begins_anew(bench: Bench) -> None:
    await fail_for_days(bench, 7, 10)
    await bench.store.write(
        lambda transaction: transaction.put_app_subscription(AppSubscription(APP, "page", URL[APP], "verify", ("calls",)))
    )
    await bench.add(a_row("new", call_id=None))
    await bench.courier.idle()
    receiver = await failing(bench)
    assert receiver is not None
    assert (receiver.failures, receiver.disabled_at) == (1, None)
    assert await is_active(bench)


async def test_a_restart_forgets_no_failure_and_tells_nothing_twice(bench: Bench) -> None:
    bench.sender.script(URL[APP], *[BAD] * 10)
    await bench.add(a_row("e1", call_id=None))
    await bench.courier.idle()
    await bench.move(600)
    await bench.courier.stop()
    following = bench.new_courier()
    following.start()
    await following.idle()
    assert bench.news == []
    bench.clock.advance(300)
    await following.idle()
    assert [news.turn for news in bench.news] == [Turn.ALERT]
    await following.stop()
    third = bench.new_courier()
    third.start()
    bench.clock.advance(60)
    await third.idle()
    assert [news.turn for news in bench.news] == [Turn.ALERT]
    assert [receiver.app_id for receiver in third.counters.alerts] == [APP]
    await third.stop()
