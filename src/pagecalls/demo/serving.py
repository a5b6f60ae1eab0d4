"""A server in a process of its own, on free ports, as the demo and the tests with foreign peers need it.

Owns the process from its first line to its end, and nothing of what is done with it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pagecalls.dev import DevFile

START_WITHIN_S = 20.0
STOP_WITHIN_S = 10.0


class NotServing(Exception):
    """The server did not start; the text is its own."""


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: what it printed when it was ready, and its process id."""

    dev: DevFile
    pid: int


@asynccontextmanager
async def serving(
    folder: Path, webhook: str, options: Sequence[str] = (), log: list[str] | None = None, *, workers: int = 1
) -> AsyncIterator[Served]:
    """`pagecalls serve` with its data in `folder`, ready; ended on the way out. Raises `NotServing`.

    `log` gets the lines of its log when it has ended. `workers`: of its engine, the same on every machine.

    The process finds its modules where this one does, installed or not.
    """
    ports = ["--port", "0", "--udp-port", "0", "--workers", str(workers)]
    line = [*ports, "--data-dir", str(folder), "--webhook", webhook, "--json", *options]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "pagecalls.cli", "serve", *line),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    errors = asyncio.create_task(_read_all(process.stderr))
    try:
        ready = b""
        if process.stdout is not None:
            async with asyncio.timeout(START_WITHIN_S):
                ready = await process.stdout.readline()
        if not ready:
            await process.wait()
            raise NotServing(f"the server did not start: {(await errors).decode(errors='replace').strip()}")
        yield Served(msgspec.json.decode(ready, type=DevFile), process.pid)
    finally:
        await end(process)
        lines = (await errors).decode(errors="replace").splitlines()
        if log is not None:
            log += lines


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process politely, and without asking if it does not follow."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _read_all(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream is not None else b""
