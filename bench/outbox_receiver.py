"""A receiver of webhooks that costs next to nothing: every request gets a 200, or on a second port no answer at all.

It prints both ports and runs until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nEVENT_RECEIVED"
LENGTH = b"content-length:"


class Taking(asyncio.Protocol):
    """Answers each whole request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).lower()
            length = int(head[head.index(LENGTH) + len(LENGTH) :].split(b"\r\n", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            del self._buffer[: end + 4 + length]
            self._transport.write(ANSWER)


async def serve() -> None:
    """Both ports, until standard input ends."""
    loop = asyncio.get_running_loop()
    taking = await loop.create_server(Taking, "127.0.0.1", 0, backlog=1024)
    silent = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, backlog=1024)
    print(*(server.sockets[0].getsockname()[1] for server in (taking, silent)), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for server in (taking, silent):
        server.close()


if __name__ == "__main__":
    uvloop.run(serve())
