"""What one connection may take: how long, how much, and how many of them. uvicorn's protocols with the bounds that they lack.

uvicorn waits for ever for a request's head and body, for a peer that reads nothing, and for a WebSocket that never gets past its
handshake; it takes heads of any size, any number of requests in advance, and handles a whole buffer of small frames at one go.
Here each of these has an end. Knows no path, no token and no face; what a request means is decided behind it.

Deadlines are plain times. `sweep` looks at them twice a second; so a request costs no timer of its own, and no more than a sweep
passes after a deadline.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import math
import resource
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import uvicorn
from uvicorn._types import ASGI3Application, ASGIReceiveEvent, ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame

SWEEP_TICKS = 5
"""uvicorn ticks ten times a second."""
OTHER_DESCRIPTORS = 1_000
"""For what else the process holds open: the store, the engine, webhooks under way."""
LINGER_S = 2.0
"""How long a connection that is closed is given: to read a refusal while its body still comes, or to take what is unsent."""
MAX_PIPELINED = 16
"""Requests that a client may send ahead of their answers."""
HEAD_LINES = 100
PIECE_BYTES = 2048
"""How much of what a WebSocket sent is taken apart in one turn of the loop: at most some 340 frames."""
FRAMES_PER_S = 100.0
FRAMES_AT_ONCE = 500
"""A device that sends more frames than this is read more slowly; a call needs a few in a second."""
MAX_FRAGMENTS = 1024


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`per_peer` `None`: no limit. Peers on this machine are not counted apart, since a proxy speaks for everybody.

    `head_timeout_s`: from the first byte to the end of the head, and from connecting to the first byte; `body_timeout_s`: for a
    whole body; `idle_timeout_s`: between requests; `stall_timeout_s`: how long a peer may leave unread what waits for it.
    Clients keep idle connections for 15 s and more; a request that meets one just closing is lost, so we keep them for longer.
    """

    connections: int = 10_000
    per_peer: int | None = 1_000
    head_bytes: int = 65_536
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    idle_timeout_s: float = 75.0
    stall_timeout_s: float = 30.0


class ConnectionConfig(Config):
    """uvicorn's configuration with these limits and their protocols; `peers` counts the connections of each peer."""

    def __init__(self, limits: ConnectionLimits, **options: Any) -> None:
        self.limits = limits
        self.peers: Counter[str] = Counter()
        super().__init__(
            http=GuardedHttp,
            ws=GuardedWebSocket,
            # Compressed frames would let a device buy a megabyte of our work with a kilobyte.
            ws_per_message_deflate=False,
            timeout_keep_alive=math.ceil(limits.idle_timeout_s),
            **options,
        )
        # uvicorn has a line for each bad request and for each socket, which a stranger can have written without end.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class SweepingServer(uvicorn.Server):
    """uvicorn's server that ends connections in time."""

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter % SWEEP_TICKS == 0:
            sweep(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)


def make_room(connections: int) -> int:
    """Raise this process's limit of descriptors, as far as it may, so that so many connections fit; the limit then.

    The usual soft limit of 1,024 is for programs that use select(2); beyond it the system refuses connections, not we.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def sweep(connections: Iterable[object], now: float) -> None:
    """End what is overdue."""
    for connection in list(connections):
        if isinstance(connection, GuardedHttp | GuardedWebSocket):
            connection.check(now)


class Phase(Enum):
    """What of a request is being received."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class _Watch:
    """What both protocols have: a seat among the connections of a peer, and the time when it is enough."""

    def __init__(self, config: Config) -> None:
        if not isinstance(config, ConnectionConfig):
            raise TypeError("these protocols need a ConnectionConfig")
        self.limits = config.limits
        self.deadline = math.inf
        self._peers = config.peers
        self._peer = ""
        self._stalled_at = math.inf
        self._closing_at = math.inf

    def enter(self, transport: asyncio.BaseTransport) -> bool:
        """Take the seat; whether the peer may have one more."""
        self._peer = peer_key(transport.get_extra_info("peername"))
        if not self._peer:
            return True
        self._peers[self._peer] += 1
        return self.limits.per_peer is None or self._peers[self._peer] <= self.limits.per_peer

    def leave(self) -> None:
        """Give the seat back; once."""
        peer, self._peer = self._peer, ""
        if peer:
            self._peers[peer] -= 1
            if self._peers[peer] <= 0:
                del self._peers[peer]

    def stall(self, now: float) -> None:
        """The peer has left more unread than is sent ahead."""
        self._stalled_at = now

    def flow(self) -> None:
        """It reads again."""
        self._stalled_at = math.inf

    def must_abort(self, transport: asyncio.Transport, now: float) -> bool:
        """Whether nothing is to be expected of the peer any more: it reads nothing, or what is closed does not end."""
        if transport.is_closing():
            self._closing_at = min(self._closing_at, now)
            return now >= self._closing_at + LINGER_S
        return now >= self._stalled_at + self.limits.stall_timeout_s


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
        self.watch = _Watch(config)
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
        if not self.watch.enter(transport) or len(self.connections) > self._limits.connections:
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
        """From here on the connection is a WebSocket's, and its seat too."""
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
        self.watch = _Watch(config)
        self._unread = bytearray()
        self._turn: asyncio.Handle | None = None
        self._frames_ahead = 0.0
        self._counted_at = self.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The seat of the HTTP connection becomes this one's."""
        super().connection_made(transport)
        self.watch.enter(transport)
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


def peer_key(address: object) -> str:
    """Who counts as one peer: an IPv4 address, or the /64 network of an IPv6 one; empty for this machine and for no address."""
    try:
        found = ipaddress.ip_address(str(address[0]).partition("%")[0]) if isinstance(address, tuple | list) and address else None
    except ValueError:
        found = None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found is None or found.is_loopback:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((found, 64), strict=False).network_address)
    return str(found)
