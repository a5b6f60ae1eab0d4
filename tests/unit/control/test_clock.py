from __future__ import annotations

import pytest

from tests.unit.control.support import Desk, refused


async def test_reading_and_advancing() -> None:
    desk = Desk()
    start = desk.clock.now()
    assert (await desk.ask("GET", "/_pagecalls/clock")).json == {"now": start}
    for seconds, total in ((60, 60), (0, 60), (0.5, 60.5)):
        reply = await desk.ask("POST", "/_pagecalls/clock/advance", {"seconds": seconds})
        assert (reply.status, reply.json) == (200, {"now": start + total})
    assert (await desk.ask("GET", "/_pagecalls/clock")).json == {"now": start + 60.5}


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        [],
        b"{",
        b"\xff",
        b"[" * 100_000,
        {"seconds": -1},
        {"seconds": "60"},
        {"seconds": None},
        {"seconds": True},
        b'{"seconds":1e999}',
        {"seconds": 1e10},
    ],
)
async def test_bad_input(body: object) -> None:
    desk = Desk()
    start = desk.clock.now()
    assert refused(await desk.ask("POST", "/_pagecalls/clock/advance", body)) == (400, "bad_request")
    assert desk.clock.now() == start
