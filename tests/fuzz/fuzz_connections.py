"""Fuzz entry of a connection's reader, HTTP and WebSocket: any bytes, in pieces of any size.

What must hold: nothing is raised, what is kept of them is bounded, and a connection that has been told no hears nothing more.
`one_input` for coverage-guided fuzzers, `python -m tests.fuzz.fuzz_connections --seconds 60` without one.
"""

from __future__ import annotations

import asyncio
import random
import zlib

from starlette.types import Receive, Scope, Send

from pagecalls.connections.websocket import GuardedWebSocket
from tests.connection_stub import Server
from tests.fuzz.mutation import fuzz

_UPGRADE = (
    b"GET /consumer/v1?access_token=x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
SAMPLES = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3,
    b"POST /v26.0/me/calls HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    _UPGRADE,
    _UPGRADE + b"\x81\x85\0\0\0\0hello\x89\x80\0\0\0\0\x01\x81\0\0\0\0a\x80\x81\0\0\0\0b\x88\x82\0\0\0\0\x03\xe8",
    _UPGRADE + b"\x82\xfe\x01\x00\0\0\0\0" + b"x" * 256 + b"\x8a\x80\0\0\0\0" * 20,
)
WORDS = (
    b"\r\n", b"\r\n\r\n", b"\0", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
    b"HTTP/1.1", b"\x81\xff", b"\x88\x80\0\0\0\0", b"\x89\x80\0\0\0\0", b"\x00\x80\0\0\0\0", b"\xff" * 14, b"0\r\n",
    b"99999999999999999999",
)  # fmt: skip
TURNS = 200
_LOOP = asyncio.new_event_loop()


def one_input(data: bytes) -> None:
    """Judge one input."""
    _LOOP.run_until_complete(_judge(data))


async def _judge(data: bytes) -> None:
    chance = random.Random(zlib.crc32(data))
    server = Server(_answering)
    protocol, transport = server.connect()
    transport.protocol = protocol
    while data:
        size = chance.choice((1, 7, 100, len(data)))
        piece, data = data[:size], data[size:]
        reader = transport.protocol
        if not isinstance(reader, asyncio.Protocol):
            raise TypeError("the connection has lost its protocol")
        if not transport.closed:
            reader.data_received(piece)
        await asyncio.sleep(0)
        if isinstance(reader, GuardedWebSocket) and len(reader.frames) > 1024:
            raise AssertionError("a message of too many pieces")
    reader = transport.protocol
    if isinstance(reader, asyncio.Protocol):
        reader.connection_lost(None)
    if server.config.peers or server.state.connections:
        raise AssertionError("a seat is still taken")
    for _ in range(TURNS):
        if not server.state.tasks:
            return
        await asyncio.sleep(0)
    await server.stop()
    raise AssertionError("a request goes on that nobody waits for")


async def _answering(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads what there is, and answers."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            continue
        return
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        continue
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


if __name__ == "__main__":
    fuzz("connections", one_input, SAMPLES, WORDS)
