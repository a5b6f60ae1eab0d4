from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from pagecalls.types import AppId
from pagecalls.webhooks.places import Places

A, B, C = AppId("1"), AppId("2"), AppId("3")


class Crowd:
    """Requests that take a place and keep it until they are told to leave."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.inside: list[str] = []
        self.doors: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        """A name begins with the letter of its app."""
        for name in names:
            self.doors[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._stay(name))
            await asyncio.sleep(0)

    async def _stay(self, name: str) -> None:
        async with self.places.place({"a": A, "b": B, "c": C}[name[0]]):
            self.inside.append(name)
            await self.doors[name].wait()
        self.inside.remove(name)

    async def go(self, name: str) -> None:
        self.doors[name].set()
        await self.tasks[name]
        await self.calm()

    async def calm(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def break_off(self, name: str) -> None:
        self.tasks[name].cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.tasks[name]
        if name in self.inside:
            self.inside.remove(name)
        await self.calm()

    async def end(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def test_an_app_has_its_share_and_waits_in_order() -> None:
    crowd = Crowd(Places(per_app=3, own=1, common=9))
    await crowd.come("a1", "a2", "a3", "a4", "a5")
    assert crowd.inside == ["a1", "a2", "a3"]
    await crowd.go("a2")
    assert crowd.inside == ["a1", "a3", "a4"]
    await crowd.go("a1")
    assert crowd.inside == ["a3", "a4", "a5"]
    await crowd.end()


async def test_whoever_uses_up_the_stock_leaves_the_others_their_own() -> None:
    crowd = Crowd(Places(per_app=10, own=2, common=3))
    await crowd.come(*(f"a{number}" for number in range(8)), *(f"b{number}" for number in range(4)))
    assert crowd.inside == ["a0", "a1", "a2", "a3", "a4", "b0", "b1"]
    await crowd.go("b0")
    assert crowd.inside == ["a0", "a1", "a2", "a3", "a4", "b1", "b2"]
    await crowd.end()


async def test_a_place_of_the_stock_goes_to_the_app_that_had_it_first_and_then_round() -> None:
    crowd = Crowd(Places(per_app=9, own=1, common=1))
    await crowd.come("a1", "a2", "b1", "b2", "c1", "c2", "a3")
    assert crowd.inside == ["a1", "a2", "b1", "c1"]
    await crowd.go("a1")
    assert crowd.inside[-1] == "a3"
    await crowd.go("a2")
    assert crowd.inside == ["b1", "c1", "a3", "b2"]
    await crowd.go("b2")
    assert crowd.inside == ["b1", "c1", "a3", "c2"]
    await crowd.end()


async def test_whoever_is_broken_off_while_waiting_or_inside_leaves_no_gap() -> None:
    crowd = Crowd(Places(per_app=1, own=1, common=0))
    await crowd.come("a1", "a2", "a3")
    await crowd.break_off("a2")
    await crowd.break_off("a1")
    assert crowd.inside == ["a3"]
    await crowd.go("a3")
    await crowd.come("a4")
    assert crowd.inside == ["a4"]
    await crowd.end()


async def test_whoever_is_broken_off_just_as_its_turn_comes_hands_it_on() -> None:
    crowd = Crowd(Places(per_app=1, own=1, common=0))
    await crowd.come("a1", "a2", "a3")
    crowd.doors["a1"].set()
    await asyncio.sleep(0)
    crowd.tasks["a2"].cancel()
    await crowd.calm()
    assert crowd.inside == ["a3"]
    await crowd.end()


async def test_a_request_that_is_cancelled_before_it_hears_of_it_is_passed_over() -> None:
    """Both at once: the waiter is cancelled, and only then a place is free."""
    crowd = Crowd(Places(per_app=1, own=1, common=0))
    await crowd.come("a1", "a2", "a3")
    crowd.tasks["a2"].cancel()
    crowd.doors["a1"].set()
    await crowd.calm()
    assert crowd.inside == ["a3"]
    await crowd.end()


async def test_all_may_be_broken_off_at_once() -> None:
    crowd = Crowd(Places(per_app=1, own=1, common=0))
    await crowd.come("a1", "a2", "a3", "a4")
    await crowd.end()
    assert all(task.cancelled() for task in crowd.tasks.values())
    await crowd.come("a5")
    assert crowd.inside[-1] == "a5"
    await crowd.end()


async def test_nothing_is_kept_of_an_app_that_has_left() -> None:
    places = Places(per_app=1, own=1, common=1)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(places.place(A))
        await stack.enter_async_context(places.place(B))
    assert places._shares == {}
