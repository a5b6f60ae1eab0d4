"""One request to an ASGI app in process, and what it answered. A socket that can break, for tests of what happens then."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Message, Scope


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `headers` has lower-case names; none is ever sent twice."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(slots=True)
class Socket:
    """The server's end of a connection: `chunks` come in, `sent` went out. `breaks_at` is the send that fails."""

    chunks: list[bytes] = field(default_factory=lambda: [b""])
    breaks_at: int | None = None
    stays_open: bool = True
    sent: list[Message] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Message:
        if self.chunks:
            chunk = self.chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(self.chunks) or not self.stays_open}
        if self.stays_open:
            await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.breaks_at == len(self.sent):
            raise OSError("connection lost")
        self.sent.append(message)

    @property
    def reply(self) -> Reply:
        start, body = self.sent
        assert start["type"] == "http.response.start"
        assert not body.get("more_body", False)
        names = [name.decode() for name, _ in start["headers"]]
        assert len(names) == len(set(names))
        headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        if "content-length" in headers:
            assert int(headers["content-length"]) == len(body["body"])
        return Reply(start["status"], headers, body["body"])


def scope_of(method: str, target: str, headers: Iterable[tuple[str, str]] = ()) -> Scope:
    """An HTTP scope for a request target as it stands on the request line."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": quote(path, safe="/%:|").encode(),
        "root_path": "",
        "query_string": quote(query, safe="=&%[]{}\"',:|+/.").encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8080),
    }


async def exchange(app: ASGIApp, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
    """Ask and wait for the whole answer."""
    socket = Socket([body])
    await app(scope_of(method, target, (headers or {}).items()), socket.receive, socket.send)
    return socket.reply
