"""One HTTP connection within its limits: its head, its body, its requests in advance, and the pauses between them."""

from __future__ import annotations

import asyncio
import math
from enum import Enum, auto
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from pagecalls.connections.limits import LINGER_S, Watch

MAX_PIPELINED = 16
"""Requests that a client may send ahead of their answers."""
HEAD_LINES = 100


class Phase(Enum):
    """What of a request is being received."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class GuardedHttp(HttpToolsProtocol):
    """One HTTP connection within its limits."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.watch = Watch(config)
        self._limits = self.watch.limits
        self._phase = Phase.NOTHING
        self._serving: RequestResponseCycle | None = None
        self._is_over = False
        self._unparsed = 0
        self._head_bytes = 0

    # --- the transport ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A seat, if there is one."""
        super().connection_made(transport)
        self.watch.deadline = self.loop.time() + self._limits.head_timeout_s
        if not self.watch.enter(transport.get_extra_info("peername")) or len(self.connections) > self._limits.connections:
            self._refuse(b"503 Service Unavailable", "too many connections")
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The seat is free, and nobody waits for an answer."""
        self.watch.leave()
        self._drop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes, which no longer count once the connection is over."""
        if self._is_over:
            return
        if self._phase is not Phase.BODY:
            self._unparsed += len(data)
        super().data_received(data)
        if self._phase is Phase.HEAD and self._unparsed > self._limits.head_bytes and not self._is_over:
            self._refuse(b"431 Request Header Fields Too Large", "the head of the request is too large")

    def pause_writing(self) -> None:
        """The peer does not keep up."""
        super().pause_writing()
        self.watch.stall(self.loop.time())

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self.watch.flow()

    # --- the parser ---------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if self._is_over:
            return
        super().on_message_begin()
        self._phase = Phase.HEAD
        self._head_bytes = 0
        self.watch.deadline = self.loop.time() + self._limits.head_timeout_s

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        if not self._is_over:
            self._head_bytes += len(url)
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head. One after the body is no header: it must not pass for one that a proxy has looked at."""
        if self._is_over or self._phase is not Phase.HEAD:
            return
        self._head_bytes += len(name) + len(value) + 4
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there: serve it, unless it is too much."""
        if self._is_over:
            return
        self._unparsed = 0
        if self._head_bytes > self._limits.head_bytes or len(self.headers) > HEAD_LINES:
            self._refuse(b"431 Request Header Fields Too Large", "the head of the request is too large")
        elif len(self.pipeline) >= MAX_PIPELINED:
            self._is_over = True
            self.transport.close()
        else:
            self._phase = Phase.BODY
            self.watch.deadline = self.loop.time() + self._limits.body_timeout_s
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if not self._is_over:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The whole request is there; now it is we who are waited for."""
        if self._is_over:
            return
        self._phase = Phase.NOTHING
        self.watch.deadline = math.inf
        super().on_message_complete()
        if not self._is_answering():
            self.watch.deadline = self.loop.time() + self._limits.idle_timeout_s

    def handle_websocket_upgrade(self) -> None:
        """From here on the connection is a WebSocket's, and its seat too. Not while an answer is due: nobody would tell it any
        more that the client reads again or has gone, and its task would wait for ever."""
        if self._is_answering():
            self._is_over = True
            self.transport.close()
            return
        super().handle_websocket_upgrade()
        self.watch.leave()

    # --- the answer ---------------------------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """Wait for the next request; where the body of this one was not wanted, throw the rest away and close."""
        super().on_response_complete()
        if self.transport.is_closing() or not self.cycle.response_complete:
            return
        match self._phase:
            case Phase.NOTHING:
                self.watch.deadline = self.loop.time() + self._limits.idle_timeout_s
            case Phase.BODY:
                self._linger()
            case Phase.HEAD:
                pass

    def check(self, now: float) -> None:
        """End the connection if it is time. `now` is the loop's."""
        if self.watch.must_abort(self.transport, now):
            self._drop()
            self.transport.abort()
        elif now >= self.watch.deadline and not self.transport.is_closing():
            if self._phase is Phase.NOTHING or self._is_over:
                self._is_over = True
                self.transport.close()
            else:
                self._refuse(b"408 Request Timeout", "the request took too long to arrive")

    def _refuse(self, status: bytes, reason: str) -> None:
        """Say no and close; in the middle of an answer, only close."""
        if self._is_answering() and (self._phase is not Phase.BODY or self.cycle.response_started):
            self._is_over = True
            self.transport.close()
            return
        text = reason.encode("ascii") + b"\n"
        head = b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(text)
        self.transport.write(b"HTTP/1.1 " + status + b"\r\n" + head + text)
        self._linger()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._serving = cycle
        super()._start_asgi_task(cycle, app)

    def _drop(self) -> None:
        """What is served is told that the client has gone, and what waits is forgotten. uvicorn tells the last request only; the
        others would write to a connection that is no more."""
        self.pipeline.clear()
        if self._serving is not None:
            self._serving.disconnected = True
            self._serving.message_event.set()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _linger(self) -> None:
        """A client that still sends does not read; were the connection closed now, its system would throw our answer away."""
        self._is_over = True
        self.watch.deadline = self.loop.time() + LINGER_S
        if self.transport.can_write_eof():
            self.transport.write_eof()
