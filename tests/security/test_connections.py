"""Slow, oversized and ambiguous requests: each ends in time, is answered if it can be, and touches nobody else."""

from __future__ import annotations

import asyncio

import pytest

from pagecalls.http import DRAIN_BYTES, MAX_BODY_BYTES
from tests.scenarios.conftest import World

from .raw import Raw, connected

HEAD = "POST /v26.0/me/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
GET = "GET /_pagecalls/health HTTP/1.1\r\nHost: localhost\r\n"


async def drip(raw: Raw, text: str, pause_s: float = 0.05) -> None:
    """Send for ever, a little at a time, until the connection is gone."""
    try:
        while True:
            await raw.send(text)
            await asyncio.sleep(pause_s)
    except ConnectionError:
        pass


async def ends_in_spite_of(raw: Raw, text: str) -> bytes:
    """What the server says before it closes, while the client goes on and on."""
    dripping = asyncio.create_task(drip(raw, text))
    try:
        return await raw.rest()
    finally:
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


# --- slow ---------------------------------------------------------------------------------------------------------------


async def test_nobody_is_waited_for_who_says_nothing(hasty: World) -> None:
    async with connected(hasty.base_url) as raw:
        assert await raw.rest() == b""


@pytest.mark.parametrize("start", ["", GET], ids=["request line", "header lines"])
async def test_a_head_that_never_ends(hasty: World, start: str) -> None:
    async with connected(hasty.base_url) as raw:
        await raw.send(start)
        assert (await ends_in_spite_of(raw, "G" if not start else "X: y\r\n")).startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 "))


async def test_blank_lines_are_no_request(hasty: World) -> None:
    async with connected(hasty.base_url) as raw:
        assert b" 200 " not in await ends_in_spite_of(raw, "\r\n")


@pytest.mark.parametrize(
    ("framing", "drop"),
    [("Content-Length: 1000000\r\n", "x"), ("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n"), ("Content-Length: 5\r\n", "")],
    ids=["promised", "chunked", "never comes"],
)
async def test_a_body_that_never_ends(hasty: World, framing: str, drop: str) -> None:
    async with connected(hasty.base_url) as raw:
        await raw.send(HEAD, framing, "\r\n")
        assert (await ends_in_spite_of(raw, drop)).startswith(b"HTTP/1.1 408 ")


async def test_a_second_request_has_no_more_time_than_the_first(hasty: World) -> None:
    async with connected(hasty.base_url) as raw:
        await raw.send(GET, "\r\n")
        assert (await raw.answer()).status == 200
        await raw.send("GET /")
        assert (await ends_in_spite_of(raw, "x")).startswith(b"HTTP/1.1 408 ")


async def test_an_idle_connection_is_kept_for_a_while_and_closed(hasty: World) -> None:
    async with connected(hasty.base_url) as raw:
        for _ in range(3):
            await raw.send(GET, "\r\n")
            assert (await raw.answer()).status == 200
        assert await raw.rest() == b""


async def test_a_client_that_reads_nothing(hasty: World, caplog: pytest.LogCaptureFixture) -> None:
    """The answers do not fit into the system's buffers, so they wait in ours; but not for ever, and no task stumbles."""
    async with connected(hasty.base_url) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        request = GET.replace("/_pagecalls/health", "/openapi.json") + "\r\n"
        with pytest.raises(ConnectionError):  # noqa: PT012
            async with asyncio.timeout(20):
                while True:
                    await raw.send(request)
                    await asyncio.sleep(0.01)
    assert await is_serving(hasty)
    assert not caplog.records


async def test_requests_in_advance_of_a_client_that_leaves(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Those that wait are forgotten, and the one that is served ends without a word."""
    poll = GET.replace("health", "journal?after=1000000&wait_s=60")
    for _ in range(3):
        async with connected(world.base_url) as raw:
            await raw.send((poll + f"Authorization: Bearer {world.server.dev.admin_token}\r\n\r\n") * 5)
            await asyncio.sleep(0.05)
    assert await is_serving(world)
    assert not caplog.records


async def test_strangers_write_no_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a line for each request that is none, nor the address of a socket with the token in it."""
    for _ in range(3):
        async with connected(world.base_url) as raw:
            await raw.send("nonsense\r\n\r\n")
            await raw.rest()
    async with connected(world.base_url) as raw:
        await raw.upgrade("/consumer/v1?access_token=secret")
    assert not caplog.records


async def test_a_long_poll_is_no_slow_request(hasty: World) -> None:
    """We are waited for, not they."""
    async with connected(hasty.base_url) as raw:
        poll = GET.replace("health", "journal?after=1000000&wait_s=2.5")
        await raw.send(poll, f"Authorization: Bearer {hasty.server.dev.admin_token}\r\n\r\n")
        assert (await raw.answer()).status == 200


# --- oversized ----------------------------------------------------------------------------------------------------------


async def test_a_long_poll_is_answered_when_the_server_stops(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with connected(world.base_url) as raw:
        poll = GET.replace("health", "journal?after=1000000&wait_s=60")
        await raw.send(poll + f"Authorization: Bearer {world.server.dev.admin_token}\r\n\r\n")
        assert await is_serving(world)
        world.server.ask_to_stop()
        assert (await raw.answer()).json == {"entries": [], "next": 1_000_000}
        assert await raw.rest() == b""
    assert not caplog.records


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(world: World) -> None:
    async with connected(world.base_url) as raw:
        await raw.send(HEAD, f"Content-Length: {DRAIN_BYTES + 1}\r\n\r\n")
        assert (await raw.answer()).error == (413, 1, None)
        assert await raw.rest() == b""


@pytest.mark.parametrize("path", ["/v26.0/me/calls", "/_pagecalls/apps", "/consumer/v1/sessions"])
async def test_a_client_that_asks_first_need_not_send_it(world: World, path: str) -> None:
    async with connected(world.base_url) as raw:
        head = HEAD.replace("/v26.0/me/calls", path)
        token = f"Authorization: Bearer {world.server.dev.admin_token}\r\n"
        await raw.send(head, token, f"Expect: 100-continue\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n")
        assert (await raw.answer()).status == 413


async def test_a_client_that_asks_first_is_told_to_go_on(world: World) -> None:
    async with connected(world.base_url) as raw:
        await raw.send(HEAD, "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await raw.answer()).status == 100
        await raw.send("{}")
        assert (await raw.answer()).error == (400, 2500, None)


async def test_a_body_a_little_too_large_leaves_the_connection_usable(world: World) -> None:
    async with connected(world.base_url) as raw:
        await raw.send(HEAD, f"Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n", b"x" * (MAX_BODY_BYTES + 1))
        assert (await raw.answer()).error == (413, 1, None)
        await raw.send(GET, "\r\n")
        assert (await raw.answer()).status == 200


async def test_chunks_without_end_are_refused_and_the_refusal_can_be_read(world: World) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    async with connected(world.base_url) as raw:
        await raw.send(HEAD, "Transfer-Encoding: chunked\r\n\r\n")
        sending = asyncio.create_task(drip(raw, chunk.decode(), 0))
        assert (await raw.answer()).error == (413, 1, None)
        assert await raw.rest() == b""
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


@pytest.mark.parametrize(
    "lines",
    ["X: " + "y" * 70_000, "\r\n".join("X: y" for _ in range(101)), "X" * 70_000 + ": y"],
    ids=["a long value", "many lines", "a long name"],
)
async def test_a_head_that_is_too_large(world: World, lines: str) -> None:
    async with connected(world.base_url) as raw:
        await raw.send(GET, lines, "\r\n\r\n")
        assert (await raw.rest()).startswith(b"HTTP/1.1 431 ")


async def test_a_head_without_end_is_refused_when_it_is_too_large(world: World) -> None:
    async with connected(world.base_url) as raw:
        await raw.send(GET, "X: ")
        assert (await ends_in_spite_of(raw, "y" * 4096)).startswith(b"HTTP/1.1 431 ")


async def test_an_address_that_is_too_long(world: World) -> None:
    async with connected(world.base_url) as raw:
        await raw.send("GET /v26.0/me?x=", "y" * 70_000, " HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await raw.rest()).startswith(b"HTTP/1.1 431 ")


async def test_a_long_address_with_an_offer_in_it_is_served(world: World) -> None:
    async with connected(world.base_url) as raw:
        await raw.send("GET /v26.0/me?x=", "y" * 50_000, " HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await raw.answer()).error == (400, 2500, None)


async def test_requests_far_ahead_of_their_answers(world: World) -> None:
    """Sixteen may wait; who sends thousands at once is not kept in memory."""
    async with connected(world.base_url) as raw:
        await raw.send((GET + "\r\n") * 5_000)
        assert (await raw.rest()).count(b"HTTP/1.1 200 ") <= 17
    async with connected(world.base_url) as raw:
        await raw.send((GET + "\r\n") * 10)
        assert [(await raw.answer()).status for _ in range(10)] == [200] * 10


# --- ambiguous ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: a\rTransfer-Encoding: chunked\r\n",
        "X: a\0b\r\n",
    ],
)
async def test_a_body_whose_length_nobody_can_tell(world: World, framing: str) -> None:
    """What one server takes for a body, another takes for the next request: nothing after such a head is read."""
    async with connected(world.base_url) as raw:
        await raw.send(HEAD, framing, "\r\n", "0\r\n\r\n", GET, "\r\n")
        assert (await raw.rest()).partition(b"\r\n")[0] == b"HTTP/1.1 400 Bad Request"


@pytest.mark.parametrize("line", ["GET / HTTP/9.9", "get / HTTP/1.1", "GET /\0 HTTP/1.1", "\x16\x03\x01", "CONNECT a:1 HTTP/1.1"])
async def test_a_line_that_is_no_request(world: World, line: str) -> None:
    async with connected(world.base_url) as raw:
        await raw.send(f"{line}\r\nHost: localhost\r\n\r\n")
        assert (await raw.rest()).startswith(b"HTTP/1.1 400 ")
    assert await is_serving(world)


async def test_headers_after_the_body_are_none(world: World) -> None:
    """A proxy in front of the server has not seen them."""
    async with connected(world.base_url) as raw:
        head = HEAD.replace("/v26.0/me/calls", "/_pagecalls/clock/advance")
        trailer = f"Authorization: Bearer {world.server.dev.admin_token}\r\n"
        await raw.send(head, "Transfer-Encoding: chunked\r\n\r\n", '0d\r\n{"seconds":1}\r\n0\r\n', trailer, "\r\n")
        assert (await raw.answer()).status == 401
    async with connected(world.base_url) as raw:
        trailer = f"Authorization: Bearer {world.app.token}\r\n"
        await raw.send(HEAD, "Transfer-Encoding: chunked\r\n\r\n", "2\r\n{}\r\n0\r\n", trailer, "\r\n")
        assert (await raw.answer()).error == (400, 2500, None)


async def test_another_protocol_is_not_spoken(world: World) -> None:
    """An upgrade that is not offered is passed over (RFC 9110 section 7.8)."""
    async with connected(world.base_url) as raw:
        await raw.send(GET, "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert (await raw.answer()).status == 200


# --- many ---------------------------------------------------------------------------------------------------------------


async def test_a_thousand_idle_connections_are_in_nobodys_way(world: World) -> None:
    before = len(asyncio.all_tasks())
    idle = [connected(world.base_url) for _ in range(1000)]
    try:
        for each in idle:
            await each.__aenter__()
        assert await is_serving(world)
        assert len(asyncio.all_tasks()) <= before + 5
        device = await world.device()
        assert await world.connected(device)
    finally:
        for each in idle:
            await each.__aexit__(None, None, None)


async def is_serving(world: World) -> bool:
    async with connected(world.base_url) as raw:
        await raw.send(GET, "\r\n")
        return (await raw.answer()).status == 200
