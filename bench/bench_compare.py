"""The same load against rtpengine and Janus, where installed: the same traffic, cores and arithmetic as for the engine."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import janus_server, rtpengine_server
from bench.bench_engine import CEILING_WINDOW_S, LONG_REST_S, REST_S, WINDOW_S
from bench.figure import Figure, Options
from bench.load import LoadFailed, Srtp, load
from bench.rig import Server, Session
from bench.rows import ceiling_rows, packet_rows, rest_rows, set_up_rows


@dataclass(frozen=True, slots=True)
class Rival:
    """A server of others: how it is started, and with how many calls it is measured, the last of them to begin the ceiling."""

    name: str
    is_installed: Callable[[], bool]
    start: Callable[[Path], AbstractAsyncContextManager[Server]]
    calls: tuple[int, ...]


RIVALS = (
    Rival("rtpengine", rtpengine_server.is_installed, rtpengine_server.rtpengine_server, (200, 500)),
    Rival("Janus", janus_server.is_installed, janus_server.janus_server, (50, 100)),
)


async def figures(options: Options) -> list[Figure]:
    """All of them. The full run looks for their ceilings and repeats it under GCM."""
    rows: list[Figure] = []
    for rival in RIVALS:
        if not rival.is_installed():
            rows.append(Figure(f"{rival.name}: not installed", 0, "", note="left out"))
            continue
        for srtp in (Srtp.CM, Srtp.GCM) if options.is_full else (Srtp.CM,):
            rows += await _measured(rival, srtp, options)
    return rows


async def _measured(rival: Rival, srtp: Srtp, options: Options) -> list[Figure]:
    rows: list[Figure] = []
    try:
        async with _session(rival, srtp, options) as run:
            for calls in rival.calls:
                set_up = await run.grow(calls)
                played = await run.play(WINDOW_S)
                rows += packet_rows(rival.name, srtp, played, budget="")
                rows += set_up_rows(rival.name, srtp, calls, set_up, budget="")
            rest_s = LONG_REST_S if options.is_long else REST_S
            idle_us = await run.rest(rest_s)
            rows += rest_rows(rival.name, srtp, calls, idle_us, run.kb_per_call(), rest_s, idle_budget="", kb_budget="")
            if options.is_full:
                rows += ceiling_rows(rival.name, srtp, await run.ceiling(played, CEILING_WINDOW_S))
    except (LoadFailed, RuntimeError, TimeoutError) as error:
        rows.append(Figure(f"{rival.name}, {srtp.name}: stopped", 0, "", note=str(error)))
    return rows


@asynccontextmanager
async def _session(rival: Rival, srtp: Srtp, options: Options) -> AsyncIterator[Session]:
    with tempfile.TemporaryDirectory() as folder:
        async with rival.start(Path(folder)) as server, load(server.peers_at) as playing:
            yield Session(server, playing, srtp, tell=options.tell)
