"""The engine as the server sees it: one object that stays while processes come and go.

Takes over the engine that an earlier server left, or starts one; notices when it is lost or no longer answers, says so by `None`
among the events, and starts it again on the same ports, after 0.1 s and then longer, up to 5 s (ruling 14). Between two
engines every command fails with `gone`. How one process is started and ended is `launch.py`'s; this knows no frame and no call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from pagecalls.media.commands import Commands, R
from pagecalls.media.launch import (
    BinaryMissing,
    EngineExited,
    EngineSettings,
    EngineSilent,
    EngineStartError,
    LogLine,
    Running,
    UnsafeFolder,
    arguments,
    find_binary,
    launch,
    read_log_line,
    remove_socket,
    secure_folder,
    settings_digest,
    socket_path,
)
from pagecalls.media.left_over import Adopted, take_over
from pagecalls.media.protocol import AnyEvent, Command, EngineError, HelloOk, Ping, PingOk, WorkerCounters

__all__ = [
    "BinaryMissing",
    "EngineExited",
    "EngineProcess",
    "EngineSettings",
    "EngineSilent",
    "EngineStartError",
    "UnsafeFolder",
    "restart_delay_s",
]

log = logging.getLogger(__name__)

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
PING_EVERY_S = 1.0
"""So often an engine is asked for a sign of life."""
STABLE_S = 10.0
"""An engine that ran for so long was well: the next start after it is the first attempt again."""


def log_engine_line(line: str) -> None:
    """Into our log, at the engine's own level: its faults must be seen."""
    level, text = read_log_line(line)
    log.log(level, "%s", text)


def restart_delay_s(attempt: int) -> float:
    """The wait before a start: 0.1 s for attempt 0, doubled each time, at most 5 s."""
    return float(min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(attempt, 16)))


def _ports(hello: HelloOk) -> tuple[int, int | None]:
    """The first worker's UDP port, and all workers' port for media over TCP."""
    ports = {each.proto: each.port for each in hello.candidates[0]}
    return ports["udp"], ports.get("tcp")


class EngineProcess(Commands):
    """A `MediaEngine` that is a process of ours. `start` before anything else, `stop` once."""

    def __init__(self, settings: EngineSettings, log_line: LogLine = log_engine_line) -> None:
        self._settings = settings
        self._log_line = log_line
        self._running: Running | Adopted | None = None
        self._udp_port = settings.udp_port
        self._tcp_port = settings.tcp_port
        self._workers: Sequence[WorkerCounters] = ()
        self._supervisor: asyncio.Task[None] | None = None
        self._events: asyncio.Queue[AnyEvent | type[StopAsyncIteration] | None] = asyncio.Queue()

    async def start(self) -> HelloOk:
        """Take over the engine that an earlier server left, if it is to be kept, else start one. Raises `EngineStartError`."""
        settings, socket = self._settings, self._socket()
        secure_folder(socket.parent)
        digest = settings_digest(find_binary(settings.binary, os.environ), socket, settings)
        left = await take_over(socket, settings.data_dir_id, digest, settings.patience_s)
        self._running = left or await self._launch()
        # It may be lost again by now, which the supervisor sees; what it said is what the next one will say.
        hello = self._running.client.greeting
        self._udp_port, self._tcp_port = _ports(hello)
        self._supervisor = asyncio.create_task(self._supervise())
        return hello

    async def stop(self) -> None:
        """End the engine and the events. Safe to call at any time, and again."""
        await self._look_away()
        if self._running is not None:
            running, self._running = self._running, None
            await running.end(is_orderly=True)
            remove_socket(self._socket())
        self._events.put_nowait(StopAsyncIteration)

    async def hand_over(self) -> None:
        """End the events, and leave the engine with its calls to the next server, for its grace time."""
        await self._look_away()
        if self._running is not None:
            running, self._running = self._running, None
            await running.let_go()
        self._events.put_nowait(StopAsyncIteration)

    async def _look_away(self) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None

    @property
    def hello(self) -> HelloOk:
        """What the running engine said of itself. Raises `EngineError("gone")` while there is none."""
        return self._current().client.hello

    @property
    def workers(self) -> Sequence[WorkerCounters]:
        """What the running engine's workers told with their last sign of life; empty before it and while there is none."""
        return self._workers

    @property
    def is_ending(self) -> bool:
        """Whether the running engine takes no new calls, as far as a refusal has told."""
        return self._running is not None and self._running.client.is_ending

    async def ask(self, command: Command, reply: type[R]) -> R:
        """Send a command to the running engine."""
        return await self._current().client.ask(command, reply)

    async def events(self) -> AsyncIterator[AnyEvent | None]:
        """Events in order, for one consumer, across restarts; `None` each time an engine is lost. Ends with `stop`."""
        while not isinstance(event := await self._events.get(), type):
            yield event

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        while (running := self._running) is not None:
            since = loop.time()
            watch = asyncio.create_task(self._watch(running))
            try:
                async for event in running.client.events():
                    self._events.put_nowait(event)
            finally:
                watch.cancel()
                self._workers = ()
            log.error("media engine lost (%s); its calls have failed", running.client.why_gone)
            # The supervisor may be stopped while it waits: the process must not be forgotten before it is gone.
            await running.end(is_orderly=False)
            self._running = None
            attempt = 0 if loop.time() - since >= STABLE_S else attempt
            attempt = await self._restart(attempt)

    async def _watch(self, running: Running | Adopted) -> None:
        """Ask for signs of life until the client finds the engine lost, be it because none came."""
        with contextlib.suppress(EngineError):
            while True:
                await asyncio.sleep(PING_EVERY_S)
                self._workers = (await running.client.ask(Ping(), PingOk)).workers

    async def _restart(self, attempt: int) -> int:
        """Start until it works; returns the number of the next attempt."""
        while True:
            await asyncio.sleep(restart_delay_s(attempt))
            attempt += 1
            try:
                self._running = await self._launch()
            except (EngineStartError, OSError) as fault:
                # OSError: the program cannot be looked at, say while it is replaced. Whatever it is, it may pass.
                log.error("media engine not restarted: %s", fault)
            else:
                log.warning("media engine runs again, attempt %d", attempt)
                return attempt

    async def _launch(self) -> Running:
        settings, socket = self._settings, self._socket()
        # Again at each start: what tidies temporary files up may have taken it.
        secure_folder(socket.parent)
        binary = find_binary(settings.binary, os.environ)
        command = arguments(binary, socket, settings, self._udp_port, self._tcp_port)
        command += ["--settings", settings_digest(binary, socket, settings)]
        return await launch(command, socket, settings.data_dir_id, self._log_line, settings.patience_s)

    def _socket(self) -> Path:
        return socket_path(self._settings.data_dir_id, os.environ)

    def _current(self) -> Running | Adopted:
        if self._running is None:
            raise EngineError("gone", "the media engine is not running")
        return self._running
