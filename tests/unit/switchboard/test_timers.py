from __future__ import annotations

import asyncio
from dataclasses import replace

from pagecalls.call.machine import start_business_call, start_user_call
from pagecalls.call.model import Call
from pagecalls.clock import SteppedClock
from pagecalls.switchboard.timers import Timers
from pagecalls.types import AppId, CallId, DeviceId, PageId, Platform, Psid


class Bench:
    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.due: list[str] = []
        self.fired = asyncio.Event()
        self.timers = Timers(self.clock, self._note)

    async def _note(self, call_id: CallId) -> None:
        self.due.append(call_id)
        self.fired.set()

    def incoming(self, call_id: str) -> Call:
        """Rings out after 60 s."""
        call, _ = start_user_call(
            id=CallId(call_id),
            page_id=PageId("1"),
            psid=Psid("2"),
            platform=Platform.MESSENGER,
            device=DeviceId("d"),
            is_routed=True,
            now=self.clock.now(),
        )
        return call

    def outgoing(self, call_id: str) -> Call:
        """No device rings: over after 15 s."""
        call, _ = start_business_call(
            id=CallId(call_id),
            page_id=PageId("1"),
            psid=Psid("2"),
            platform=Platform.MESSENGER,
            owner=AppId("3"),
            now=self.clock.now(),
        )
        return call

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.timers.run_due()


async def test_deadlines_come_in_order_of_time() -> None:
    bench = Bench()
    bench.timers.schedule(bench.incoming("late"))
    bench.timers.schedule(bench.outgoing("early"))
    await bench.advance(14.9)
    assert bench.due == []
    await bench.advance(60)
    assert bench.due == ["early", "late"]


async def test_a_moved_deadline_fires_once_at_its_new_time() -> None:
    bench = Bench()
    call = bench.outgoing("c")
    bench.timers.schedule(call)
    bench.timers.schedule(replace(call, deadlines=(replace(call.deadlines[0], at=call.deadlines[0].at + 10),)))
    await bench.advance(15)
    assert bench.due == []
    await bench.advance(10)
    assert bench.due == ["c"]


async def test_a_dropped_deadline_does_not_fire() -> None:
    bench = Bench()
    call = bench.outgoing("c")
    bench.timers.schedule(call)
    bench.timers.schedule(replace(call, deadlines=()))
    await bench.advance(100)
    assert bench.due == []


async def test_one_call_s_fault_does_not_stop_the_others() -> None:
    bench = Bench()

    async def breaks() -> None:
        raise RuntimeError("broken")

    bench.timers.once(bench.clock.now() + 1, breaks)
    bench.timers.schedule(bench.outgoing("c"))
    await bench.advance(20)
    assert bench.due == ["c"]


async def test_what_becomes_due_meanwhile_is_handled_in_the_same_run() -> None:
    bench = Bench()
    order: list[str] = []

    async def first() -> None:
        order.append("first")
        bench.timers.once(bench.clock.now() - 1, second)

    async def second() -> None:
        order.append("second")

    bench.timers.once(bench.clock.now() + 5, first)
    await bench.advance(5)
    assert order == ["first", "second"]


async def test_the_task_wakes_for_an_earlier_deadline() -> None:
    bench = Bench()
    bench.timers.start()
    bench.timers.schedule(bench.incoming("late"))
    bench.clock.advance(15)
    bench.timers.schedule(replace(bench.outgoing("now"), deadlines=(replace(bench.outgoing("x").deadlines[0], at=0.0),)))
    await bench.fired.wait()
    await bench.timers.stop()
    assert bench.due == ["now"]


async def test_what_the_task_is_still_at_is_waited_for() -> None:
    """A deadline that the task took a moment before the clock was moved is handled too when `advance` returns (ruling 17)."""
    bench = Bench()
    is_taken, may_end = asyncio.Event(), asyncio.Event()
    handled: list[str] = []

    async def slow() -> None:
        is_taken.set()
        await may_end.wait()
        handled.append("slow")

    bench.timers.start()
    bench.timers.once(bench.clock.now(), slow)
    await is_taken.wait()
    advanced = asyncio.create_task(bench.advance(5))
    await asyncio.sleep(0)
    may_end.set()
    await advanced
    assert handled == ["slow"]
    await bench.timers.stop()
