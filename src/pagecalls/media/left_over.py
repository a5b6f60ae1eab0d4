"""An engine that an earlier server left running: take it over, or end it (ruling 14).

The engine outlives its server for its grace time. It is kept if it speaks our protocol, belongs to our data directory and was
started with our settings, or carries calls: those outweigh a changed setting. Any other is told to go, and killed by the process
id of the socket's peer if it does not. It is no child of ours, so a pidfd stands for it. What its calls are is not known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path

from pagecalls.media.engine import EngineClient
from pagecalls.media.launch import END_TIMEOUT_S, UnsafeFolder, ask_to_exit, remove_socket
from pagecalls.media.protocol import EngineError

log = logging.getLogger(__name__)


class Adopted:
    """A running engine that is no child of ours, and the client that speaks to it."""

    def __init__(self, client: EngineClient, process: Process) -> None:
        self.client = client
        self._process = process

    async def end(self, is_orderly: bool) -> None:
        """As `Running.end`: asked to where it is to be orderly, then SIGTERM, then SIGKILL. May be called again."""
        is_asked = is_orderly and await ask_to_exit(self.client)
        await self.client.close()
        await self._process.end(exit_s=END_TIMEOUT_S if is_asked else 0, term_s=END_TIMEOUT_S if is_orderly else 0)

    async def let_go(self) -> None:
        """As `Running.let_go`."""
        await self.client.close()
        self._process.close()


class Process:
    """A process that is no child of ours (pidfd_open(2)). Its number cannot come to mean another one while this is open."""

    def __init__(self, pid: int) -> None:
        """Raises `ProcessLookupError`."""
        self._handle: int | None = os.pidfd_open(pid)

    async def end(self, exit_s: float, term_s: float) -> None:
        """Wait `exit_s` for it to go by itself and `term_s` more after SIGTERM, then SIGKILL. May be called again."""
        for wait_s, number in ((exit_s, signal.SIGTERM), (term_s, signal.SIGKILL), (END_TIMEOUT_S, None)):
            if self._handle is None:
                return
            if await _has_ended(self._handle, wait_s):
                self.close()
            elif number is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._handle, number)

    def close(self) -> None:
        """Let go of it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


async def take_over(socket: Path, data_dir_id: str, settings: str, patience_s: float) -> Adopted | None:
    """Take over the engine that listens at `socket`; end it if it is not to be kept. `None`: nobody listens there any more.

    Raises `UnsafeFolder` if a program of another user does.
    """
    found = await _meet(socket, patience_s)
    if found is None:
        return None
    engine, process = found
    try:
        if await _is_to_be_kept(engine.client, data_dir_id, settings):
            return engine
    except EngineError as fault:
        log.warning("the media engine that an earlier server left is ended: %s", fault)
        # One that does not take us is told to go all the same; one that does not answer is not waited for.
        await engine.end(is_orderly=fault.code != "gone")
        return None
    except BaseException:
        await engine.client.close()
        process.close()
        raise
    log.info("the media engine that an earlier server left has no calls and other settings; it is ended")
    await engine.end(is_orderly=True)
    return None


async def _meet(socket: Path, patience_s: float) -> tuple[Adopted, Process] | None:
    try:
        client = await EngineClient.open(socket, patience_s)
    except FileNotFoundError:
        return None
    except ConnectionRefusedError:
        remove_socket(socket)
        return None
    try:
        pid, uid = client.peer()
        if uid != os.getuid():
            raise UnsafeFolder(socket.parent, f"a program of user {uid} listens there")
        process = Process(pid)
    except ProcessLookupError:
        await client.close()
        return None
    except BaseException:
        await client.close()
        raise
    return Adopted(client, process), process


async def _is_to_be_kept(client: EngineClient, data_dir_id: str, settings: str) -> bool:
    hello = await client.greet(data_dir_id)
    calls = (await client.snapshot()).calls
    if hello.settings == settings:
        log.warning("the media engine of an earlier server is taken over, process %d, calls: %d", hello.pid, len(calls))
        return True
    if calls:
        log.warning(
            "the media engine of an earlier server is taken over, process %d, calls: %d. It runs with the settings that it was"
            " started with; the new ones take effect when it is started again",
            hello.pid,
            len(calls),
        )
    return bool(calls)


async def _has_ended(handle: int, timeout_s: float) -> bool:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(timeout_s):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(handle)
    return True
