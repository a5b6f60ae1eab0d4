"""Devices and strangers at the consumers' socket: half a handshake, floods, frames without end, and devices that do not read."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pagecalls.connections.websocket import FRAMES_AT_ONCE, MAX_FRAGMENTS
from pagecalls.demo.device import SUBPROTOCOL
from tests.scenarios.conftest import World

from .raw import Raw, connected, frame

TEXT, CONTINUATION, BINARY, CLOSE, PING, PONG = 1, 0, 2, 8, 9, 10
PATH = "/consumer/v1"
ASK = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()


@asynccontextmanager
async def device(world: World) -> AsyncIterator[Raw]:
    """A device's socket, open, that can send whatever it likes."""
    async with connected(world.base_url) as raw:
        token = (await world.session())["access_token"]
        answer = await raw.upgrade(PATH, f"Authorization: Bearer {token}", f"Sec-WebSocket-Protocol: {SUBPROTOCOL}")
        assert answer.status == 101
        yield raw


async def read_frame(raw: Raw) -> tuple[int, bytes]:
    """Opcode and payload of the server's next frame."""
    async with asyncio.timeout(10):
        first, second = await raw.reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(await raw.reader.readexactly(2), "big")
        return first & 0x0F, await raw.reader.readexactly(size)


async def close_code(raw: Raw) -> int:
    """That of the close frame, once everything before it was read."""
    while True:
        opcode, payload = await read_frame(raw)
        if opcode == CLOSE:
            return int.from_bytes(payload[:2], "big")


async def all_gone(world: World) -> bool:
    """Whether no connection is left at the server but the tests' own session."""
    await world.settle()
    return len(world.server.calls.devices.of(world.page_id, world.psid)) == 0  # type: ignore[arg-type]


# --- half-open ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        [f"X-{number}: y" for number in range(127)],
        ["X: " + "y" * 9_000],
        ["Content-Length: 0", "Transfer-Encoding: chunked"],
        ["Sec-WebSocket-Key: twice"],
        ["X: \x01"],
    ],
    ids=["many lines", "a long line", "a body", "two keys", "a control character"],
)
async def test_a_handshake_that_cannot_be_is_refused_and_closed(world: World, headers: list[str]) -> None:
    async with connected(world.base_url) as raw:
        answer = await raw.upgrade(PATH, *headers)
        assert answer.status in (400, 431)
        await raw.rest()


async def test_a_long_address_of_a_socket(world: World) -> None:
    async with connected(world.base_url) as raw:
        assert (await raw.upgrade(f"{PATH}?x={'y' * 9_000}")).status == 414
        await raw.rest()


async def test_strangers_are_refused_and_closed(world: World) -> None:
    async with connected(world.base_url) as raw:
        assert (await raw.upgrade(PATH)).status == 401
        await raw.rest()
    async with connected(world.base_url) as raw:
        assert (await raw.upgrade("/v26.0/me/calls")).status == 403
        await raw.rest()


async def test_frames_before_the_handshake_is_done_are_no_harm(world: World) -> None:
    async with connected(world.base_url) as raw:
        token = (await world.session())["access_token"]
        writing = raw.upgrade(PATH, f"Authorization: Bearer {token}", f"Sec-WebSocket-Protocol: {SUBPROTOCOL}")
        answer = asyncio.create_task(writing)
        await asyncio.sleep(0)
        await raw.send(frame(TEXT, ASK) * 3)
        assert (await answer).status == 101
        await raw.frame(TEXT, ASK)
        assert b"time" in (await read_frame(raw))[1]


# --- too much -----------------------------------------------------------------------------------------------------------


async def test_a_frame_over_the_limit(world: World) -> None:
    async with device(world) as raw:
        await raw.send(frame(TEXT, b"x" * (1024 * 1024 + 1)))
        assert await close_code(raw) == 1009


async def test_a_message_over_the_limit_in_many_frames(world: World) -> None:
    async with device(world) as raw:
        await raw.frame(TEXT, b"x" * 65_536, fin=False)
        for _ in range(16):
            await raw.frame(CONTINUATION, b"x" * 65_536, fin=False)
        assert await close_code(raw) == 1009


async def test_a_message_of_empty_frames_without_end(world: World) -> None:
    """Nothing is ever too large about it, and it grows all the same."""
    async with device(world) as raw:
        await raw.frame(TEXT, b"", fin=False)
        try:
            async with asyncio.timeout(15):
                for _ in range(MAX_FRAGMENTS):
                    await raw.frame(CONTINUATION, b"", fin=False)
                assert await close_code(raw) == 1008
        except ConnectionError:
            pytest.fail("closed without a word")


@pytest.mark.parametrize(
    ("bytes_", "code"),
    [
        (b"\x81\x02hi", 1002),
        (b"\xf1\x80\0\0\0\0", 1002),
        (frame(3), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, fin=False), 1002),
        (frame(CONTINUATION), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(CLOSE, b"\0"), 1002),
        (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1009),
    ],
    ids=["no mask", "reserved bits", "no such frame", "long ping", "half a ping", "no beginning", "no text", "no code", "2^64"],
)
async def test_frames_that_are_none(world: World, bytes_: bytes, code: int) -> None:
    async with device(world) as raw:
        await raw.send(bytes_)
        assert await close_code(raw) == code
        await raw.rest()


async def test_frames_are_not_compressed(world: World) -> None:
    """A kilobyte of theirs is never a megabyte of ours."""
    async with connected(world.base_url) as raw:
        token = (await world.session())["access_token"]
        answer = await raw.upgrade(
            PATH,
            f"Authorization: Bearer {token}",
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
            "Sec-WebSocket-Extensions: permessage-deflate",
        )
        assert (answer.status, answer.headers.get("sec-websocket-extensions")) == (101, None)


# --- floods -------------------------------------------------------------------------------------------------------------


async def test_a_flood_of_pings_is_slowed_and_the_device_still_served(world: World) -> None:
    async with device(world) as raw, asyncio.timeout(15):
        await raw.send(frame(PING) * (FRAMES_AT_ONCE + 500), frame(TEXT, ASK))
        begin = asyncio.get_running_loop().time()
        pongs = 0
        while (received := await read_frame(raw))[0] == PONG:
            pongs += 1
        assert (pongs, b"time" in received[1]) == (FRAMES_AT_ONCE + 500, True)
        # What is beyond the first five hundred comes at a hundred a second, give or take what one turn takes apart.
        assert asyncio.get_running_loop().time() - begin > 1


@pytest.mark.parametrize("flood", [frame(PING, b"x" * 125), frame(TEXT, ASK)], ids=["pings", "requests"])
async def test_a_device_that_floods_and_never_reads_costs_no_memory_and_is_given_up(hasty: World, flood: bytes) -> None:
    async with device(hasty) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        tracemalloc.start()
        try:
            with pytest.raises((ConnectionError, TimeoutError)):  # noqa: PT012
                async with asyncio.timeout(4):
                    while True:
                        await raw.send(flood * 1000)
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert taken < 8 * 1024 * 1024
    other = await hasty.device()
    await other.close()


async def test_a_flooding_device_leaves_a_call_alone(world: World) -> None:
    good = await world.device()
    call_id = await world.connected(good)
    async with device(world) as raw:
        flooding = asyncio.create_task(raw.send(frame(PING) * 400_000))
        try:
            for _ in range(20):
                async with asyncio.timeout(1):
                    await good.request("ping")
        finally:
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)
    await good.request("call.hangup", call_id=call_id)
    await world.app.expect("terminate", call_id)


async def test_requests_without_end_from_one_device_do_not_starve_another(world: World) -> None:
    good = await world.device()
    async with device(world) as raw:
        flooding = asyncio.create_task(raw.send(frame(TEXT, b"nonsense") * 100_000))
        try:
            for _ in range(20):
                async with asyncio.timeout(1):
                    await good.request("ping")
        finally:
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)


# --- what is left -------------------------------------------------------------------------------------------------------


async def test_nothing_is_left_of_sockets_that_went_badly(world: World) -> None:
    await world.settle()
    before = len(asyncio.all_tasks())
    for bytes_ in (b"", frame(TEXT, b"\xff"), frame(TEXT, b"", fin=False), frame(PING) * 1000, frame(TEXT, ASK) * 1000, b"\x81"):
        async with device(world) as raw:
            await raw.send(bytes_)
    for _ in range(200):
        await asyncio.sleep(0.01)
        if len(asyncio.all_tasks()) <= before:
            break
    assert len(asyncio.all_tasks()) <= before
    assert not world.server.calls.devices.of(world.page_id, world.psid)  # type: ignore[arg-type]


async def test_text_that_is_no_utf_8_closes_the_socket_without_a_word_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever may connect could have a traceback written for each connection (RFC 6455 section 8.1)."""
    async with device(world) as raw:
        await raw.send(frame(TEXT, b"\xff\xfe"))
        assert await close_code(raw) == 1007
        await raw.rest()
    assert [record for record in caplog.records if record.name == "uvicorn.error"] == []
