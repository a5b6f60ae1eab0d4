from __future__ import annotations

import asyncio

import pytest

from tests.asgi_client import Socket, scope_of
from tests.unit.control.support import TOKEN, Desk, refused

ENTRIES: list[dict[str, object]] = [
    {"seq": 1, "at": 5.5, "kind": "request", "call_id": None, "facts": {"edge": "calls"}},
    {"seq": 2, "at": 6.5, "kind": "webhook", "call_id": "c_1", "facts": {}},
]


async def test_entries_after_a_number() -> None:
    desk = Desk()
    desk.journal.entries += ENTRIES
    assert (await desk.ask("GET", "/_pagecalls/journal")).json == {"entries": ENTRIES, "next": 2}
    assert (await desk.ask("GET", "/_pagecalls/journal?after=1")).json == {"entries": ENTRIES[1:], "next": 2}
    assert (await desk.ask("GET", "/_pagecalls/journal?after=2&wait_s=0")).json == {"entries": [], "next": 2}
    assert desk.journal.asked == [(0, 0), (1, 0), (2, 0)]


async def test_waiting_for_news() -> None:
    desk = Desk()
    waiting = asyncio.ensure_future(desk.ask("GET", "/_pagecalls/journal?after=0&wait_s=2.5"))
    await desk.journal.is_waiting.wait()
    desk.journal.entries += ENTRIES
    desk.journal.news.set()
    assert (await waiting).json["next"] == 2
    assert desk.journal.asked == [(0, 2.5)]


async def test_a_listener_that_leaves_is_not_waited_for() -> None:
    desk, socket = Desk(), Socket([b""])
    scope = scope_of("GET", "/_pagecalls/journal?wait_s=60", [("host", "localhost"), ("authorization", f"Bearer {TOKEN}")])
    waiting = asyncio.ensure_future(desk.app(scope, socket.receive, socket.send))
    await desk.journal.is_waiting.wait()
    socket.gone.set()
    await waiting
    assert socket.sent == []
    await asyncio.sleep(0)
    assert desk.journal.was_cancelled


@pytest.mark.parametrize(
    "query", ["after=x", "after=-1", "after=1e99", "after=nan", "wait_s=61", "wait_s=-1", "wait_s=inf", "wait_s="]
)
async def test_bad_input(query: str) -> None:
    assert refused(await Desk().ask("GET", f"/_pagecalls/journal?{query}")) == (400, "bad_request")
