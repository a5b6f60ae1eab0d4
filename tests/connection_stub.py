"""A transport that writes down what is done to it, and a server of guarded connections without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp
from uvicorn.server import ServerState

from pagecalls.connections.http import GuardedHttp
from pagecalls.connections.limits import ConnectionLimits
from pagecalls.connections.serving import ConnectionConfig, sweep


class Transport(asyncio.Transport):
    """What a protocol does to its connection, written down."""

    def __init__(self, peer: object = ("192.0.2.1", 1)) -> None:
        super().__init__({"peername": peer, "sockname": ("127.0.0.1", 80)})
        self.written = bytearray()
        self.closed = ""
        self.is_paused = False
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = self.closed or "closed"

    def abort(self) -> None:
        self.closed = "aborted"

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return bool(self.closed)

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


async def app(scope: object, receive: Any, send: Any) -> None:
    """Never answers."""
    await asyncio.Event().wait()


class Server:
    """A configuration and the connections under it."""

    def __init__(self, answering: ASGIApp | None = None, **limits: Any) -> None:
        self.config = ConnectionConfig(ConnectionLimits(**limits), app=answering or app, lifespan="off", log_config=None)
        self.config.load()
        self.state = ServerState()

    def connect(self, peer: object = ("192.0.2.1", 1)) -> tuple[GuardedHttp, Transport]:
        protocol, transport = GuardedHttp(self.config, self.state, {}), Transport(peer)
        protocol.connection_made(transport)
        return protocol, transport

    def later(self, seconds: float) -> None:
        sweep(self.state.connections, asyncio.get_running_loop().time() + seconds)

    async def stop(self) -> None:
        for task in self.state.tasks:
            task.cancel()
        await asyncio.gather(*self.state.tasks, return_exceptions=True)
