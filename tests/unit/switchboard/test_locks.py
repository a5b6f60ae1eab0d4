from __future__ import annotations

import asyncio

import pytest

from pagecalls.switchboard.locks import Locks, StillHeld
from pagecalls.types import PageId, Psid

PAIR = (PageId("1"), Psid("2"))


async def test_waiters_are_served_in_order() -> None:
    locks, order = Locks(), []

    async def take(name: int) -> None:
        async with locks.hold(*PAIR):
            await asyncio.sleep(0)
            order.append(name)

    await asyncio.gather(*(take(name) for name in range(5)))
    assert order == [0, 1, 2, 3, 4]


async def test_other_pairs_do_not_wait() -> None:
    locks = Locks()
    async with locks.hold(*PAIR), locks.hold(PageId("1"), Psid("3")), locks.hold(PageId("2"), Psid("2")):
        pass


async def test_a_lock_lives_only_while_it_is_used() -> None:
    locks = Locks()

    async def fails() -> None:
        async with locks.hold(*PAIR):
            raise ValueError

    async with locks.hold(*PAIR):
        waiting = asyncio.create_task(fails())
        cancelled = asyncio.create_task(fails())
        await asyncio.sleep(0)
        cancelled.cancel()
    await asyncio.gather(waiting, cancelled, return_exceptions=True)
    assert locks.count == 0


async def test_patience_has_an_end() -> None:
    locks = Locks()
    async with locks.hold(*PAIR, patience_s=0):
        with pytest.raises(StillHeld):
            async with locks.hold(*PAIR, patience_s=0):
                raise AssertionError("two hold it")
    async with locks.hold(*PAIR, patience_s=0):
        pass
    assert locks.count == 0
