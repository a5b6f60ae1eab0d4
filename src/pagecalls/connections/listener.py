"""Accepts connections that begin with a TLS handshake: each has its seat and its time from the first moment.

uvicorn hears of such a connection when its handshake is over. Until then nobody would count it, and asyncio waits for a minute.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from functools import partial

from uvicorn.server import ServerState

from pagecalls.connections.http import GuardedHttp
from pagecalls.connections.limits import LINGER_S, ConnectionLimits

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""How long to wait when the system gives us no connection: it has no descriptor left, and none comes back at once."""


class TlsListener:
    """What accepts on one socket. The handshake has the time of a request's head, and what `context` gives for it.

    Who is one too many, or too slow, is closed without a word: there is no key yet to say one with.
    """

    def __init__(
        self,
        listener: socket.socket,
        context: Callable[[], ssl.SSLContext],
        limits: ConnectionLimits,
        state: ServerState,
        connection: Callable[[], GuardedHttp],
    ) -> None:
        listener.setblocking(False)
        self._listener, self._context = listener, context
        self._limits, self._state, self._connection = limits, state, connection
        self._shaking: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        """Accept no more, and give up what is unfinished. The socket stays its owner's."""
        for task in (self._accepting, *self._shaking):
            task.cancel()

    async def wait_closed(self) -> None:
        """Until nothing of it is left."""
        await asyncio.gather(self._accepting, *self._shaking, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(self._listener)
            except OSError as error:
                log.error("no connection is accepted for %.0f s: %s", RETRY_S, error.strerror)
                await asyncio.sleep(RETRY_S)
                continue
            self._seat(accepted, address)
            # A connection that waits already is handed out without a turn of the loop; so a flood would have all of them.
            await asyncio.sleep(0)

    def _seat(self, accepted: socket.socket, address: object) -> None:
        http = self._connection()
        if not http.watch.enter(address) or len(self._state.connections) + len(self._shaking) >= self._limits.connections:
            http.watch.leave()
            accepted.close()
            return
        task = asyncio.create_task(self._shake_hands(accepted, http))
        self._shaking.add(task)
        task.add_done_callback(partial(self._over, accepted, http))

    async def _shake_hands(self, accepted: socket.socket, http: GuardedHttp) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: http,
            accepted,
            ssl=self._context(),
            ssl_handshake_timeout=self._limits.head_timeout_s,
            # At the end the peer is given as long to say goodbye as one in the clear is to go.
            ssl_shutdown_timeout=LINGER_S,
        )

    def _over(self, accepted: socket.socket, http: GuardedHttp, task: asyncio.Task[None]) -> None:
        """It is uvicorn's now, whose protocol keeps the seat; or there is nothing."""
        self._shaking.discard(task)
        if not task.cancelled():
            error = task.exception()
            if error is None:
                return
            if not isinstance(error, OSError):  # a TLS alert, a time-out and a connection that is gone are all of this kind
                log.error("a handshake failed", exc_info=error)
        http.watch.leave()
        accepted.close()
