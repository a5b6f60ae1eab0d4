"""When a reply's webhooks may leave (ruling 18): after the last byte, or when nobody is there to read it; once in any case."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.types import Message

from pagecalls.errors import UnknownCall
from tests.asgi_client import Socket, scope_of
from tests.conformance.graph.world import PAGE, PAGE_TOKEN, World

PATH = f"/v26.0/{PAGE.id}/calls?access_token={PAGE_TOKEN}"
SCOPE = scope_of("POST", PATH, [("content-type", "application/json")])
BODY = json.dumps({"action": "terminate", "call_id": "c_1"}).encode()


async def test_not_before_the_last_byte_is_out(world: World) -> None:
    socket = Socket([BODY])
    released_at_send: list[tuple[str, int]] = []

    async def send(message: Message) -> None:
        await socket.send(message)
        released_at_send.append((message["type"], world.door.released))

    await world.app(SCOPE, socket.receive, send)
    assert released_at_send == [("http.response.start", 0), ("http.response.body", 0)]
    assert world.door.released == 1


@pytest.mark.parametrize("breaks_at", [0, 1])
async def test_when_the_client_is_gone(world: World, breaks_at: int) -> None:
    socket = Socket([BODY], breaks_at=breaks_at)
    with pytest.raises(OSError, match="connection lost"):
        await world.app(SCOPE, socket.receive, socket.send)
    assert world.door.released == 1
    assert world.seen == [("calls", "terminate", 200)]


async def test_when_the_task_is_cancelled_while_it_sends(world: World) -> None:
    socket = Socket([BODY])
    is_sending = asyncio.Event()

    async def send(message: Message) -> None:
        is_sending.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(world.app(SCOPE, socket.receive, send))
    await is_sending.wait()
    assert world.door.released == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.door.released == 1


async def test_an_error_releases_nothing(world: World) -> None:
    world.door.answer = UnknownCall()
    socket = Socket([BODY])
    await world.app(SCOPE, socket.receive, socket.send)
    assert socket.reply.status == 400
    assert world.door.released == 0
