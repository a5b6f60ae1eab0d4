"""A running server: how it serves, what a drain waits for, and the order of its stop.

Stop: close readiness, take no new calls and wait for those that live (the drain), end what is left, let their webhooks leave,
close the sockets; `assembly.py` then stops what it has started, the engine too, and closes the store. A stop that hands over
waits for no call and ends none, and leaves the engine to the next server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from pagecalls import dev
from pagecalls.call.events import ServerStopping
from pagecalls.clock import SystemClock
from pagecalls.connections.limits import ConnectionLimits
from pagecalls.connections.serving import ConnectionConfig, SweepingServer
from pagecalls.media.protocol import EngineError, HelloOk, MediaEngine
from pagecalls.server.addresses import Addresses
from pagecalls.settings import OnStop
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.upkeep import Upkeep
from pagecalls.tls import Tls
from pagecalls.webhooks.outbox import Courier

log = logging.getLogger("pagecalls")

LAST_ANSWER_S = 1.0
LAST_ANSWER_TURNS = 100
"""How long a stop waits for requests that are being served, and how often it looks."""
LAST_WEBHOOKS_S = 3.0
"""How long the stop waits for the webhooks of the calls that it ended; what is left goes out at the next start."""


class OwnEngine(MediaEngine, Protocol):
    """An engine that this server starts and ends, or takes over from an earlier one."""

    async def start(self) -> HelloOk:
        """Have one that runs. Raises `EngineStartError`."""
        ...

    async def stop(self) -> None:
        """End it and its events."""
        ...

    async def hand_over(self) -> None:
        """End its events, and leave it with its calls to the next server."""
        ...


@dataclass(slots=True)
class Stop:
    """What an orderly stop does with live calls: see `drain_s` and `on_stop` of `Settings`. `hands_over`: it has left them.

    `is_up`: the start is done. Before that, nobody has decided about calls that were found in the engine: a start that fails,
    for a full disk or a wrong setting, leaves them to the next one.
    """

    drain_s: float = 0
    on_stop: OnStop = OnStop.END
    hands_over: bool = False
    is_up: bool = False

    async def part_from(self, engine: OwnEngine) -> None:
        """The last word to the engine."""
        if self.hands_over or (not self.is_up and await _has_calls(engine)):
            await engine.hand_over()
        else:
            await engine.stop()


async def _has_calls(engine: OwnEngine) -> bool:
    try:
        return bool((await engine.snapshot()).calls)
    except EngineError:
        return False


class NoDevelopment(Exception):
    """A server in production has no development identities."""


class Server:
    """A running server: what `serve`, the demo and the tests hold in their hands."""

    def __init__(
        self,
        addresses: Addresses,
        calls: Calls,
        courier: Courier,
        upkeep: Upkeep,
        clock: SystemClock,
        stop: Stop,
        tls: Tls | None = None,
    ) -> None:
        self.addresses = addresses
        self.app: ASGIApp = _not_yet
        self.limits = ConnectionLimits()
        self.calls = calls
        self.courier = courier
        self.upkeep = upkeep
        self.clock = clock
        self.is_stopping = False
        self._stop = stop
        self._tls = tls
        self._asked_to_stop = asyncio.Event()
        self._in_a_hurry = asyncio.Event()
        self._ends_calls = False

    @property
    def dev(self) -> dev.DevFile:
        """The development identities. Raises `NoDevelopment` in production."""
        if self.addresses.dev is None:
            raise NoDevelopment
        return self.addresses.dev

    @property
    def is_lasting(self) -> bool:
        """Whether SIGHUP asks for a new reading. Else it is the end of the terminal that the server was started from."""
        return self._tls is not None or self.addresses.dev is None

    async def advance(self, seconds: float) -> None:
        """Move the clock; returns when every deadline due by then is handled and its webhooks are in the outbox (ruling 17)."""
        self.clock.advance(seconds)
        await self.calls.timers.run_due()
        await self.calls.settled()
        await self.upkeep.idle()
        self.courier.wake()

    def ask_to_stop(self, *, ends_calls: bool = False) -> None:
        """`serve` drains and then returns, even if it is called later. Asked again, it does not wait for live calls.

        `ends_calls`: whatever the settings say, live calls are not left to the next server.
        """
        self._ends_calls |= ends_calls
        if self._asked_to_stop.is_set():
            self._in_a_hurry.set()
        self._asked_to_stop.set()

    def reload(self) -> None:
        """Read the certificate again, for the connections to come."""
        if self._tls is None:
            log.warning("there is nothing to read again: the server has no certificate")
        else:
            self._tls.reload(self.clock.now())

    async def serve(self, listener: socket.socket) -> None:
        """Answer on `listener` until `ask_to_stop` and through the drain; then end what is left while devices can be told."""
        http = _QuietServer(
            ConnectionConfig(
                self.limits,
                app=self.app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws_max_size=1024 * 1024,
                timeout_graceful_shutdown=3,
            ),
            None if (tls := self._tls) is None else lambda: tls.context,
        )
        serving = asyncio.create_task(http.serve(sockets=[listener]))
        asked = asyncio.create_task(self._asked_to_stop.wait())
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            await self._drain()
        asked.cancel()
        if self._stop.on_stop is OnStop.HAND_OVER and not self._ends_calls and not self.calls.quiet.is_set():
            await self.leave_calls()
        else:
            await self.end_calls()
        self.calls.journal.close()
        http.should_exit = True
        await serving

    async def _drain(self) -> None:
        """Take no new calls; wait until those that live are over, their time is, or somebody is in a hurry."""
        self.calls.is_closed = True
        if self._stop.drain_s <= 0 or self.calls.quiet.is_set():
            return
        log.warning("no new calls are taken; those that live have %.0f s", self._stop.drain_s)
        self.calls.timers.once(self.clock.now() + self._stop.drain_s, self._end_drain)
        waits = [asyncio.create_task(event.wait()) for event in (self.calls.quiet, self._in_a_hurry)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        # Whoever ended the last call still waits for an answer on a socket that is about to be closed.
        await self._last_answers()

    async def _last_answers(self) -> None:
        for _ in range(LAST_ANSWER_TURNS):
            if not self.calls.locks.count:
                break
            await asyncio.sleep(LAST_ANSWER_S / LAST_ANSWER_TURNS)

    async def _end_drain(self) -> None:
        self._in_a_hurry.set()

    async def leave_calls(self) -> None:
        """Take no new calls, and leave those that live to the engine and the next server; their devices come back to it."""
        self.is_stopping = self.calls.is_closed = self._stop.hands_over = True
        log.warning("live calls are left to the next server, which must come within engine_grace_s")
        await self._last_answers()
        self.calls.devices.close_all(1012, "the server restarts")
        await self.calls.settled()

    async def end_calls(self) -> None:
        """Take no new calls, end those that live, let their webhooks leave, and close the devices' sockets."""
        if self.is_stopping:
            return
        self.is_stopping = True
        self.calls.is_closed = True
        await self.calls.end_all(ServerStopping())
        # A call that was being opened when the door closed is not among those, and is there a moment later.
        await self._last_answers()
        if not self.calls.quiet.is_set():
            await self.calls.end_all(ServerStopping())
        self.calls.devices.close_all(1012, "the server stops")
        await self.calls.settled()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WEBHOOKS_S):
                await self.courier.idle()


class _QuietServer(SweepingServer):
    """uvicorn without its own signal handling: stopping has an order, and `serve_until_stopped` owns it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def serve_until_stopped(server: Server, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM, and through the drain; a second signal cuts that short. SIGHUP reads the certificate again.

    `on_ready` is called when a signal already means an orderly stop: who is told that the server is there may send one at once.
    """
    loop = asyncio.get_running_loop()
    # Who presses Ctrl-C wants an end; a service manager's SIGTERM may be half of a restart.
    handlers: dict[signal.Signals, Callable[[], None]] = {
        signal.SIGINT: partial(server.ask_to_stop, ends_calls=True),
        signal.SIGTERM: server.ask_to_stop,
    }
    if server.is_lasting:
        handlers[signal.SIGHUP] = server.reload
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        on_ready()
        await server.serve(listener)
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


def why_not_ready(server: Server, engine: MediaEngine) -> str | None:
    """A word for `/_pagecalls/ready`; `None` if calls are taken."""
    if server.is_stopping:
        return "stopping"
    if server.calls.is_closed:
        return "draining"
    try:
        _ = engine.hello
    except EngineError:
        return "no media engine"
    return "media engine draining" if engine.is_ending else None


async def _not_yet(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the server is not built yet")
