"""uvicorn's server with these protocols, and the sweep that ends what is overdue.

Deadlines are plain times, looked at twice a second: so no request costs a timer, and each ends within a sweep of its time.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable
from typing import Any

import uvicorn

from pagecalls.connections.http import GuardedHttp
from pagecalls.connections.limits import ConnectionLimits, LimitedConfig
from pagecalls.connections.websocket import GuardedWebSocket

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
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class SweepingServer(uvicorn.Server):
    """uvicorn's server that ends connections in time."""

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
