"""What others notice of an attack: the time that a request takes, and how many are answered, before and while it goes on.

The server has one core; the attacker and the client that is measured share the other, so a part of what the client loses is the
attacker's CPU and not the server's doing. Each attack is a process of its own (`attacker.py`), and has a quiet window before it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass

from bench.attacker import ATTACKS
from bench.bench_requests import Bench, bench
from bench.figure import Figure, cpu_ns, rss_mb

WINDOW_S = 3.0


@dataclass(frozen=True, slots=True)
class Window:
    """What a client saw in it: requests a second, and their times. `busy`: the server's share of its core."""

    per_s: float
    p50_ms: float
    p99_ms: float
    busy: float


async def figures() -> list[Figure]:
    """Two lines for each attack: quiet and under it."""
    async with bench() as run:
        found: list[Figure] = []
        await window(run)
        for kind in ATTACKS:
            quiet = await window(run)
            attacked = await under(run, kind)
            found += rows(kind, quiet, attacked, rss_mb(run.pid))
        return found


def rows(kind: str, quiet: Window, attacked: Window, memory_mb: float) -> list[Figure]:
    """As the table has them."""
    title = f"API requests of others, {kind}"
    return [
        Figure(f"{title}: answered, quiet before", quiet.per_s, "1/s"),
        Figure(f"{title}: answered, meanwhile", attacked.per_s, "1/s"),
        Figure(f"{title}: time, median, quiet before", quiet.p50_ms, "ms", digits=2),
        Figure(f"{title}: time, median, meanwhile", attacked.p50_ms, "ms", digits=2),
        Figure(f"{title}: time, p99, quiet before", quiet.p99_ms, "ms", digits=2),
        Figure(f"{title}: time, p99, meanwhile", attacked.p99_ms, "ms", digits=2),
        Figure(f"{title}: the server's core", attacked.busy * 100, "% busy"),
        Figure(f"{title}: the server's memory", memory_mb, "MB"),
    ]


async def under(run: Bench, kind: str) -> Window:
    """A window while the attack goes on."""
    async with run.http.post(f"{run.dev.base_url}/consumer/v1/sessions", json={"page_id": run.dev.page.id}) as response:
        token = (await response.json())["access_token"]
    host, _, port = run.dev.base_url.removeprefix("http://").rpartition(":")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.attacker", kind, host, port, token, stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no standard output")
        await process.stdout.readline()
        return await window(run)
    finally:
        process.kill()
        await process.wait()


async def window(run: Bench) -> Window:
    """One client that asks for its Page, again and again."""
    times = []
    before, began = cpu_ns(run.pid), time.monotonic()
    while time.monotonic() - began < WINDOW_S:
        start = time.monotonic()
        await run.ask("GET", run.dev.page.id, {})
        times.append(time.monotonic() - start)
    took = time.monotonic() - began
    times.sort()
    return Window(
        per_s=len(times) / took,
        p50_ms=times[len(times) // 2] * 1e3,
        p99_ms=times[int(len(times) * 0.99)] * 1e3,
        busy=(cpu_ns(run.pid) - before) / 1e9 / took,
    )
