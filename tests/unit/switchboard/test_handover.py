"""Offers in the hands of their sides: what waits for the lock shares one change, and a sign that is missing is only noted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from pagecalls.clock import SteppedClock
from pagecalls.switchboard.handover import SIGN_S, Change, HandOvers
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.media import CallMedia, Leg
from pagecalls.switchboard.timers import Timers
from pagecalls.types import CallId, Side
from tests.unit.switchboard.test_offers import call, leg, offered

CALL = CallId("c_1")
B, C = Side.BUSINESS, Side.CONSUMER


class Keeper:
    """One call, whose lock is had when `lock` is set."""

    def __init__(self) -> None:
        media, _ = offered(call(leg("b", "audio"), leg("k", "audio", "video")), C, 1)
        self.media, _ = offered(media, B, 0)
        self.clock = SteppedClock(1000.0)
        self.timers = Timers(self.clock, self._nothing_due)
        self.journal = Journal(self.clock)
        self.lock = asyncio.Event()
        self.changes = 0
        self.tasks: list[asyncio.Task[None]] = []

    async def change_media(self, call_id: CallId, prepare: Callable[[], Change]) -> None:
        await self.lock.wait()
        self.media = prepare()(self.media)
        self.changes += 1

    async def media_of(self, call_id: CallId) -> CallMedia | None:
        return self.media

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    def leg(self, side: Side) -> Leg:
        found = self.media.leg(side)
        assert found is not None
        return found

    async def settled(self) -> None:
        await asyncio.gather(*self.tasks)

    async def _nothing_due(self, call_id: CallId) -> None:
        raise AssertionError(call_id)


async def test_what_waits_for_the_lock_shares_one_change() -> None:
    keeper = Keeper()
    desk = HandOvers(keeper)
    for side, version in ((B, 0), (C, 0), (C, 1), (C, 0)):
        desk.handed_over(CALL, side, version)
    await asyncio.sleep(0)
    assert keeper.changes == 0
    keeper.lock.set()
    await keeper.settled()
    assert keeper.changes == 1
    assert (keeper.leg(B).handed, keeper.leg(C).handed) == (0, 1)
    desk.handed_over(CALL, B, 0)
    await keeper.settled()
    assert keeper.changes == 2, "what comes later is a change of its own"


async def test_a_change_that_fails_keeps_nothing_waiting() -> None:
    keeper = Keeper()
    desk = HandOvers(keeper)
    keeper.lock.set()

    async def fails(call_id: CallId, prepare: Callable[[], Change]) -> None:
        raise OSError

    keeper.change_media, works = fails, keeper.change_media  # type: ignore[method-assign]
    desk.handed_over(CALL, B, 0)
    await asyncio.gather(*keeper.tasks, return_exceptions=True)
    keeper.change_media, keeper.tasks = works, []  # type: ignore[method-assign]
    desk.handed_over(CALL, B, 0)
    await keeper.settled()
    assert keeper.leg(B).handed == 0


async def test_a_release_calls_what_comes_first() -> None:
    keeper = Keeper()
    keeper.lock.set()
    order: list[str] = []
    HandOvers(keeper).release(CALL, B, 0, lambda: order.append("first"))()
    await keeper.settled()
    assert (order, keeper.leg(B).handed) == (["first"], 0)


async def test_a_missing_sign_is_noted_once_with_the_tracks() -> None:
    keeper = Keeper()
    keeper.lock.set()
    desk = HandOvers(keeper)
    desk.handed_over(CALL, B, 0)
    await keeper.settled()
    keeper.clock.advance(SIGN_S - 0.1)
    await keeper.timers.run_due()
    assert await keeper.journal.after(0, 0) == []
    keeper.clock.advance(0.1)
    await keeper.timers.run_due()
    (entry,) = await keeper.journal.after(0, 0)
    assert entry["facts"] == {"side": "business", "after_s": SIGN_S, "tracks": ["default_audio", "default_video"]}


async def test_a_sign_in_time_leaves_nothing_to_note() -> None:
    keeper = Keeper()
    keeper.lock.set()
    desk = HandOvers(keeper)
    desk.handed_over(CALL, B, 0)
    await keeper.settled()
    await desk.confirmed(CALL, B, frozenset(shown.ssrc for shown in keeper.leg(B).shown))
    keeper.clock.advance(SIGN_S)
    await keeper.timers.run_due()
    assert await keeper.journal.after(0, 0) == []
    assert not keeper.leg(B).is_a_on
