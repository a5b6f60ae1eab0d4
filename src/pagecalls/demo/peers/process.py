"""Starts one browser program in a throw-away folder and ends it without a trace.

Owns the process, its group and the folder (profile, home and temporary files in one). Knows nothing of what the
browser is asked to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path

from pagecalls.demo.peers.base import PeerGone

_TERM_WAIT_S = 3.0
_REPORT_WAIT_S = 1.0
_MESSAGE_LIMIT = 64 * 1024 * 1024  # of one message read from the browser: a minute of sound is 1.3 MB
# A browser keeps a socket some 75 characters below the parent, and a socket's path may have 107 (unix(7)).
_LONGEST_PARENT = 30
_REMOVE_ATTEMPTS = 20
_REMOVE_PAUSE_S = 0.1


class BrowserFolder:
    """A temporary folder that a browser may fill: `profile` for its profile, the rest for what else it writes."""

    def __init__(self) -> None:
        parent = tempfile.gettempdir()
        self.path = Path(tempfile.mkdtemp(prefix="pagecalls-peer-", dir=parent if len(parent) <= _LONGEST_PARENT else "/tmp"))
        self.profile = self.path / "profile"
        self.log = self.path / "browser.log"
        for name in ("profile", "home", "tmp"):
            (self.path / name).mkdir()

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The variables that keep the browser inside the folder."""
        home = str(self.path / "home")
        inside = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "TMPDIR": str(self.path / "tmp")}
        return {**os.environ, **inside, **extra}

    def last_words(self) -> str:
        """The last line that the browser wrote to its log, or nothing."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""

    async def remove(self) -> None:
        """Delete everything. Children of the browser may still be writing for a moment, so it is tried again."""
        for _ in range(_REMOVE_ATTEMPTS):
            await asyncio.to_thread(shutil.rmtree, self.path, ignore_errors=True)
            if not self.path.exists():
                return
            await asyncio.sleep(_REMOVE_PAUSE_S)


class BrowserProcess:
    """One running browser, leader of its own process group so that its children end with it."""

    def __init__(self, process: Process, folder: BrowserFolder) -> None:
        self._process = process
        self.folder = folder

    @classmethod
    async def start(
        cls, command: Sequence[str], folder: BrowserFolder, *, environment: Mapping[str, str] | None = None
    ) -> BrowserProcess:
        """Start it with pipes on standard input and output. When it cannot be started: `PeerGone`, and no folder."""
        try:
            with folder.log.open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=log,
                    env=folder.environment(environment or {}),
                    start_new_session=True,
                    limit=_MESSAGE_LIMIT,
                )
        except BaseException as error:
            await folder.remove()
            if isinstance(error, OSError):
                raise PeerGone(f"{command[0]} cannot be started: {error.strerror}") from error
            raise
        return cls(process, folder)

    @property
    def pid(self) -> int:
        """Of the browser's main process."""
        return self._process.pid

    @property
    def reader(self) -> asyncio.StreamReader:
        """What the browser writes to its standard output."""
        if self._process.stdout is None:
            raise RuntimeError("started without pipes")
        return self._process.stdout

    @property
    def writer(self) -> asyncio.StreamWriter:
        """The browser's standard input."""
        if self._process.stdin is None:
            raise RuntimeError("started without pipes")
        return self._process.stdin

    @property
    def has_ended(self) -> bool:
        """Whether the main process is gone."""
        return self._process.returncode is not None

    async def obituary(self) -> str:
        """How it ended, for an error message. Its pipes close a moment before the system reports its end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _REPORT_WAIT_S)
        words = self.folder.last_words()
        status = self._process.returncode
        ended = "stopped answering" if status is None else f"ended with status {status}"
        return f"{ended}: {words}" if words else ended

    async def stop(self) -> None:
        """End it and its children, politely first; then remove the folder."""
        if not self.has_ended:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _TERM_WAIT_S)
        self._signal(signal.SIGKILL)
        await self._process.wait()
        with contextlib.suppress(OSError):
            self.writer.close()
        await self.folder.remove()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
