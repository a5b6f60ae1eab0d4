"""uvicorn's server with these protocols, and the sweep that ends what is overdue.

Deadlines are plain times, looked at twice a second: so no request costs a timer, and each ends within a sweep of its time.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import ssl
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

import uvicorn

from pagecalls.connections.http import GuardedHttp
from pagecalls.connections.limits import ConnectionLimits, LimitedConfig
from pagecalls.connections.listener import TlsListener
from pagecalls.connections.websocket import GuardedWebSocket

NO_UTF_8 = "Invalid UTF-8 sequence received from client."
"""uvicorn's words, beside a close with 1007."""
SWEEP_TICKS = 5
"""uvicorn ticks ten times a second."""


class ConnectionConfig(LimitedConfig):
    """The configuration of a server: the limits and the protocols that hold them."""

    def __init__(self, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(
            limits,
            http=GuardedHttp,
            ws=GuardedWebSocket,
            # Compressed frames would let a device buy a megabyte of our work with a kilobyte.
            ws_per_message_deflate=False,
            timeout_keep_alive=math.ceil(limits.idle_timeout_s),
            **options,
        )
        # uvicorn has a line for each bad request and for each socket, which a stranger can have written without end.
        errors = logging.getLogger("uvicorn.error")
        errors.setLevel(logging.ERROR)
        errors.addFilter(_is_our_fault)


def _is_our_fault(record: logging.LogRecord) -> bool:
    """False for a text frame that is no UTF-8, for which uvicorn has a whole traceback. What we serve decodes in its own code."""
    return not (record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError) and record.msg == NO_UTF_8)


class SweepingServer(uvicorn.Server):
    """uvicorn's server that ends connections in time. `tls` gives what a new one begins with; `None`: they are in the clear."""

    def __init__(self, config: ConnectionConfig, tls: Callable[[], ssl.SSLContext] | None = None) -> None:
        super().__init__(config)
        self._limits = config.limits
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on these sockets."""
        if self._tls is None:
            await super().startup(sockets)
            return
        await super().startup([])
        connection = partial(GuardedHttp, self.config, self.server_state, self.lifespan.state)
        listeners = [TlsListener(each, self._tls, self._limits, self.server_state, connection) for each in sockets or []]
        self.servers = cast("list[asyncio.base_events.Server]", listeners)  # of which uvicorn wants an end alone

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter % SWEEP_TICKS == 0:
            sweep(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)


def sweep(connections: Iterable[object], now: float) -> None:
    """End what is overdue."""
    for connection in list(connections):
        if isinstance(connection, GuardedHttp | GuardedWebSocket):
            connection.check(now)
