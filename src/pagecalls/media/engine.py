"""The client of a running engine: one connection over its Unix socket.

One reader task takes frames in, a dict of futures finds the command that each reply belongs to, events go to one queue. When the
connection ends, for whatever reason, it ends for good: every open command fails with `gone` and `events()` gives `None`. Knows
nothing of processes; `process.py` starts one and connects again.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from pagecalls.media.commands import Commands, R
from pagecalls.media.frames import HEADER, BadFrame, Reply, check_length, decode, encode
from pagecalls.media.protocol import PROTOCOL_VERSION, AnyEvent, Command, EngineError, Hello, HelloOk

log = logging.getLogger(__name__)

COMMAND_TIMEOUT_S = 5.0
"""Real time. An engine answers in microseconds; one that is silent for so long hangs, and is treated as lost."""

SLICES = 10
"""A wait for an answer is so many short ones: if it is this process that stands still, one of them passes and not all."""


class EngineClient(Commands):
    """A `MediaEngine` over one connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command_timeout_s: float = COMMAND_TIMEOUT_S
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._command_timeout_s = command_timeout_s
        self._hello: HelloOk | None = None
        self._next_id = 1
        self._outgoing: list[bytes] = []
        self._open: dict[int, asyncio.Future[bytes]] = {}
        self._events: asyncio.Queue[AnyEvent | None] = asyncio.Queue()
        self._gone: str | None = None
        self._is_ending = False
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, path: Path, data_dir_id: str, command_timeout_s: float = COMMAND_TIMEOUT_S) -> EngineClient:
        """Connect and say hello. Raises `OSError` if nobody listens, `EngineError` if the engine does not take us."""
        client = await cls.open(path, command_timeout_s)
        try:
            await client.greet(data_dir_id)
        except BaseException:
            await client.close()
            raise
        return client

    @classmethod
    async def open(cls, path: Path, command_timeout_s: float = COMMAND_TIMEOUT_S) -> EngineClient:
        """Connect without a hello. Raises `OSError` if nobody listens."""
        reader, writer = await asyncio.open_unix_connection(path)
        return cls(reader, writer, command_timeout_s)

    async def greet(self, data_dir_id: str) -> HelloOk:
        """Say hello, which makes this connection the engine's owner."""
        self._hello = await self.ask(Hello(proto=PROTOCOL_VERSION, data_dir=data_dir_id), HelloOk)
        return self._hello

    @property
    def hello(self) -> HelloOk:
        """What the engine said of itself. Raises `EngineError("gone")` once it is lost."""
        if self._hello is None or self._gone is not None:
            raise EngineError("gone", self._gone or "no hello yet")
        return self._hello

    @property
    def greeting(self) -> HelloOk:
        """The same, also of an engine that is lost since. Raises `EngineError("gone")` if it never said hello."""
        if self._hello is None:
            raise EngineError("gone", self._gone or "no hello yet")
        return self._hello

    @property
    def is_ending(self) -> bool:
        """Whether the engine has refused a call because it takes no new ones: it was told to end."""
        return self._is_ending

    @property
    def why_gone(self) -> str:
        """Why the connection ended; empty while it lasts."""
        return self._gone or ""

    async def ask(self, command: Command, reply: type[R]) -> R:
        """Send a command and wait for its reply."""
        if self._gone is not None:
            raise EngineError("gone", self._gone)
        number = self._next_id
        self._next_id += 1
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._open[number] = future
        try:
            self._post(encode(number, command))
            return msgspec.json.decode(await self._answer(future), type=reply)
        except TimeoutError:
            raise self._lose("no answer in time") from None
        except BadFrame as fault:
            raise EngineError("bad_command", str(fault)) from fault
        except msgspec.MsgspecError as fault:
            raise self._lose(f"bad reply: {fault}") from fault
        finally:
            self._open.pop(number, None)
            if future.done() and not future.cancelled():
                # Who asked may have been cancelled at the moment at which the engine was lost: nobody else reads why.
                future.exception()

    async def _answer(self, future: asyncio.Future[bytes]) -> bytes:
        """Raises `TimeoutError`. One timer for a command, and nothing else: there are several in every change of a call."""
        loop = asyncio.get_running_loop()
        left = SLICES
        timer: asyncio.TimerHandle

        def one_less() -> None:
            nonlocal left, timer
            left -= 1
            if left:
                timer = loop.call_later(self._command_timeout_s / SLICES, one_less)
            elif not future.done():
                future.set_exception(TimeoutError())

        timer = loop.call_later(self._command_timeout_s / SLICES, one_less)
        try:
            return await future
        finally:
            timer.cancel()

    def _post(self, frame: bytes) -> None:
        """Frames of one turn of the loop leave together: one system call, and one wake-up of the engine."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(frame)

    def _flush(self) -> None:
        frames, self._outgoing = self._outgoing, []
        if self._gone is None:
            self._writer.write(b"".join(frames))

    async def events(self) -> AsyncIterator[AnyEvent | None]:
        """Events in order, for one consumer; `None` and the end once the engine is lost."""
        while (event := await self._events.get()) is not None:
            yield event
        yield None

    def peer(self) -> tuple[int, int]:
        """Process and user id of the engine, as the kernel knows them (`SO_PEERCRED` of unix(7))."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        return pid, uid

    async def close(self) -> None:
        """End the connection; the engine goes on without us for its grace period."""
        self._lose("closed")
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        reason = "connection closed by the engine"
        try:
            while True:
                (length,) = HEADER.unpack(await self._reader.readexactly(HEADER.size))
                check_length(length)
                self._take(decode(await self._reader.readexactly(length)))
        except asyncio.IncompleteReadError:
            pass
        except (BadFrame, OSError) as fault:
            reason = f"{type(fault).__name__}: {fault}"
        finally:
            self._lose(reason)

    def _take(self, message: Reply | AnyEvent) -> None:
        if not isinstance(message, Reply):
            self._events.put_nowait(message)
            return
        future = self._open.get(message.id)
        if future is None or future.done():
            # The command was cancelled, or timed out, while its reply was under way.
            return
        if message.err is not None:
            self._is_ending |= message.err.code == "ending"
            future.set_exception(EngineError(message.err.code, message.err.message))
        else:
            future.set_result(message.ok or b"{}")

    def _lose(self, reason: str) -> EngineError:
        """The end of the connection, once; later calls give the first reason."""
        if self._gone is None:
            self._gone = reason
            log.debug("engine connection lost: %s", reason)
            for future in self._open.values():
                if not future.done():
                    future.set_exception(EngineError("gone", reason))
            self._events.put_nowait(None)
            self._writer.close()
        return EngineError("gone", self._gone)
