"""Webhooks: how many events a second leave the outbox and are recorded, and what CPU each takes.

The courier runs alone in a process, over a store in a file with every commit flushed, and sends to a receiver in another process
on loopback. The outbox is full before the clock starts, so this is the rate at which a backlog goes; what a call does to write
its rows is part of its own figures. Bad receivers beside: one that never answers, one whose port is closed, and nine that never
answer, which together want more requests in flight than there are.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bench.figure import Figure

CALLS = 600
"""In all; each has five events."""


async def figures() -> list[Figure]:
    """One app, four apps, and four apps with bad ones beside."""
    async with receiver() as (taking, silent):
        dead = closed_port()
        found: list[Figure] = []
        for name, good, bad in (
            ("one app", 1, []),
            ("four apps", 4, []),
            ("four apps, beside one that never answers", 4, [silent]),
            ("four apps, beside one whose port is closed", 4, [dead]),
            ("four apps, beside nine that never answer", 4, [silent] * 9),
        ):
            result = await run(CALLS // good, [taking] * good, bad)
            events = result["events"]
            found.append(Figure(f"webhooks of {name}: events a second", events / result["wall_s"], "1/s"))
            # A bad receiver's own attempts cost CPU too, so with one beside this is no figure of an event.
            if not bad:
                found.append(Figure(f"webhooks of {name}: CPU for an event", result["cpu_s"] / events * 1e6, "us CPU"))
        return found


async def run(calls: int, good: Sequence[int], bad: Sequence[int]) -> dict[str, float]:
    """One courier from its start until everything that the good ones are owed is taken."""
    urls = [f"http://127.0.0.1:{port}/hook" for port in good], [f"http://127.0.0.1:{port}/hook" for port in bad]
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.outbox_courier", folder, str(calls), *urls[0], "+", *urls[1]),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate()
    result: dict[str, float] = json.loads(output)
    return result


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[int, int]]:
    """A receiver in a process of its own: the port that takes everything, and the one that never answers."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.outbox_receiver"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    try:
        taking, silent = (await process.stdout.readline()).split()
        yield int(taking), int(silent)
    finally:
        process.stdin.close()
        await process.wait()


def closed_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port: int = placeholder.getsockname()[1]
        return port
