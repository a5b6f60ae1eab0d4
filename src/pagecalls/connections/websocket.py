"""One WebSocket within its limits: its handshake, and frames in small pieces, at a rate, while its own are taken."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame

from pagecalls.connections.limits import Watch

PIECE_BYTES = 2048
"""How much of what a WebSocket sent is taken apart in one turn of the loop: at most some 340 frames."""
FRAMES_PER_S = 100.0
FRAMES_AT_ONCE = 500
"""A device that sends more frames than this is read more slowly; a call needs a few in a second."""
MAX_FRAGMENTS = 1024


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """One WebSocket within its limits: read in small pieces, at a rate, and only while its own answers are taken."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.watch = Watch(config)
        self._unread = bytearray()
        self._turn: asyncio.Handle | None = None
        self._frames_ahead = 0.0
        self._counted_at = self.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The seat of the HTTP connection becomes this one's."""
        super().connection_made(transport)
        self.watch.enter(transport.get_extra_info("peername"))
        self.watch.deadline = self.loop.time() + self.watch.limits.head_timeout_s

    def connection_lost(self, exc: Exception | None) -> None:
        """The seat is free."""
        self.watch.leave()
        self._unread.clear()
        if self._turn is not None:
            self._turn.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes, to be taken apart when it is their turn."""
        if self.transport.is_closing():
            return
        self._unread += data
        self._go_on()

    def handle_events(self) -> None:
        """Frames are counted before they are handled."""
        self._frames_ahead += len(self.conn.events)
        super().handle_events()

    def handle_cont(self, event: Frame) -> None:
        """A fragment. Empty ones would make a message that never ends."""
        if self.close_sent:
            return
        if len(self.frames) >= MAX_FRAGMENTS:
            self.conn.fail(CloseCode.POLICY_VIOLATION, "too many fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def pause_writing(self) -> None:
        """The device does not read: then neither do we, or its pings would fill our memory with pongs."""
        super().pause_writing()
        self.watch.stall(self.loop.time())
        self._settle()

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self.watch.flow()
        self._go_on()

    async def receive(self) -> ASGIReceiveEvent:
        """The next message; there may be room for more now."""
        message = await super().receive()
        self._go_on()
        return message

    async def send(self, message: ASGISendEvent) -> None:
        """The app's word. A refusal ends the handshake too; uvicorn would take it for an app that forgot it, and log that."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True

    def check(self, now: float) -> None:
        """End the connection if it is time. `now` is the loop's."""
        is_late = not self.handshake_complete and now >= self.watch.deadline
        if is_late or self.watch.must_abort(self.transport, now):
            self.transport.abort()

    def _go_on(self) -> None:
        """Read on now, or when it is this device's turn again."""
        if self._turn is None:
            self._read_on()
        else:
            self._settle()

    def _read_on(self) -> None:
        """Take one piece apart if nothing stands in the way, and see to the next."""
        self._turn = None
        if self._unread and self._may_read():
            piece = bytes(self._unread[:PIECE_BYTES])
            del self._unread[:PIECE_BYTES]
            super().data_received(piece)
            if not self.handshake_initiated and self.conn.handshake_exc is not None:
                self._refuse_handshake()
            wait_s = self._wait_s()
            if wait_s > 0:
                self._turn = self.loop.call_later(wait_s, self._read_on)
            elif self._unread and self._may_read():
                self._turn = self.loop.call_soon(self._read_on)
        self._settle()

    def _may_read(self) -> bool:
        return self.writable.is_set() and not self.read_paused and not self.transport.is_closing()

    def _wait_s(self) -> float:
        """How long a device that sends too many frames has to wait."""
        now = self.loop.time()
        self._frames_ahead = max(0.0, self._frames_ahead - (now - self._counted_at) * FRAMES_PER_S)
        self._counted_at = now
        return max(0.0, (self._frames_ahead - FRAMES_AT_ONCE) / FRAMES_PER_S)

    def _settle(self) -> None:
        """Let the socket be read, or not. uvicorn does so as well, by its own reasons alone."""
        if self.transport.is_closing():
            return
        if self._unread or self._turn is not None or not self._may_read():
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _refuse_handshake(self) -> None:
        """Its head was good enough for HTTP, not for a WebSocket; uvicorn would say nothing and wait."""
        output = self.conn.data_to_send()
        self.transport.write(b"".join(output) or b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()
