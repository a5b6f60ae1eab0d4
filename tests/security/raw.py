"""A client that writes whatever bytes it likes, as slowly as it likes, and says what came back."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LONGEST_S = 20.0
"""No answer of these tests takes this long; whoever waits longer has found a connection that hangs."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, int | None, int | None]:
        """HTTP status, code and subcode, as ruling 16 lists them; no code if the body is none of the contract's."""
        found = self.json.get("error") if self.body.startswith(b"{") else None
        members = found if isinstance(found, dict) else {}
        return self.status, members.get("code"), members.get("error_subcode")


class Raw:
    """One TCP connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes | str) -> None:
        """Write, and wait until the system has it."""
        for piece in pieces:
            self.writer.write(piece.encode("latin-1") if isinstance(piece, str) else piece)
        await self.writer.drain()

    async def answer(self) -> Answer:
        """The next whole answer. Raises `IncompleteReadError` if the connection ends before it."""
        async with asyncio.timeout(LONGEST_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, _, lines = head.partition("\r\n")
            headers = dict(_header(line) for line in lines.split("\r\n") if line)
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(status.split(" ")[1]), headers, body)

    async def rest(self) -> bytes:
        """Everything until the server closes; fails if it does not."""
        async with asyncio.timeout(LONGEST_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> None:
        """One masked WebSocket frame (RFC 6455 section 5.2)."""
        await self.send(frame(opcode, payload, fin=fin))

    async def upgrade(self, path: str, *headers: str) -> Answer:
        """Ask for a WebSocket."""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: localhost",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            *headers,
        ]
        await self.send("\r\n".join(lines) + "\r\n\r\n")
        return await self.answer()


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A masked frame, with a mask that changes nothing."""
    first = opcode | (0x80 if fin else 0)
    if len(payload) < 126:
        head = struct.pack("!BB", first, 0x80 | len(payload))
    elif len(payload) < 65_536:
        head = struct.pack("!BBH", first, 0x80 | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, len(payload))
    return head + b"\0\0\0\0" + payload


@asynccontextmanager
async def connected(base_url: str) -> AsyncIterator[Raw]:
    """A connection to the server at this address."""
    parts = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=4 * 1024 * 1024)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()
