"""A child process that may outlive us: asyncio's own kind is killed when its event loop closes.

Starts one program in a session of its own, reads its standard error, and waits for its end or lets go of it. What it runs,
it does not know.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Sequence


class Child:
    """A running program. `stderr` is what it writes there; whoever holds this either waits for its end or lets it go."""

    def __init__(self, process: subprocess.Popen[bytes], stderr: asyncio.StreamReader, pipe: asyncio.BaseTransport) -> None:
        self.stderr = stderr
        self._process = process
        self._pipe = pipe
        self._ended = asyncio.Event()
        self._handle = os.pidfd_open(process.pid)
        asyncio.get_running_loop().add_reader(self._handle, self._on_end)

    @classmethod
    async def start(cls, command: Sequence[str]) -> Child:
        """Raises `OSError`."""
        process = _spawn(command)
        stderr = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stderr), process.stderr)
        return cls(process, stderr, pipe)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended: its status, or a signal's number below 0; `None` while it runs."""
        return self._process.returncode if self._ended.is_set() else None

    async def wait(self) -> int:
        """Return when it has ended, and how."""
        await self._ended.wait()
        return self._process.returncode

    def terminate(self) -> None:
        """SIGTERM, if it still runs."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        self._process.kill()

    def let_go(self) -> None:
        """Leave it running, with nobody who reads what it writes."""
        self._pipe.close()
        if not self._ended.is_set():
            self._close_handle()
            # It is left on purpose, which the standard library takes for a mistake.
            self._process.returncode = 0

    def _on_end(self) -> None:
        self._close_handle()
        self._process.wait()
        self._ended.set()

    def _close_handle(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)


def _spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=subprocess.PIPE, start_new_session=True)
