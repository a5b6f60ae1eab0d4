"""The media engine and the load itself: every row of design.md 8 that is about packets, set-up, latency, memory and idle calls.

A release build of the engine is driven as the server drives it, over its control socket; `pagecalls-load` plays both peers of
every call. Engine and load have a core each; this process shares the load's and sleeps while they work. `docs/bench.md` says how
to read the figures.

    PYTHONPATH=src python -m bench.bench_engine --calls 200 --seconds 60     # one run, as JSON, for a profiler
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from bench.engine_server import engine_server
from bench.figure import Figure, Options
from bench.load import Srtp, Step, load
from bench.rig import Session, Traffic
from bench.rows import ceiling_rows, packet_rows, rest_rows, set_up_rows

WINDOW_S = 5.0
CEILING_WINDOW_S = 4.0
REST_S, LONG_REST_S = 10.0, 90.0
VIDEO_CALLS = 50
LOOP_PAIRS, LOOP_S = 200, 2.0


async def load_figures(options: Options) -> list[Figure]:
    """What the load can do by itself: its peers talk to each other, as fast as they can."""
    rows = []
    for srtp in (Srtp.CM, Srtp.GCM):
        options.tell(f"the load alone, {srtp.name}")
        async with load() as playing:
            await playing.pairs(LOOP_PAIRS, srtp)
            line = await playing.step(Step(200, round(LOOP_S * 1000), flat_out=True))
        name = f"load alone, {srtp.name}"
        rows += [
            Figure(f"{name}: packet sent and received", line.cpu_s / line.received * 1e6, "us CPU", digits=2),
            Figure(f"{name}: packets a second and core", line.received / line.cpu_s, ""),
            Figure(f"{name}: calls a core (100 packets/s each)", line.received / line.cpu_s / 100, ""),
        ]
    return rows


async def figures(options: Options) -> list[Figure]:
    """The engine. The full run adds the ceiling under GCM, GCM with 256 bits, traffic in ticks, and pictures with sound."""
    rows: list[Figure] = []
    for srtp in (Srtp.CM, Srtp.GCM):
        rows += await _audio(srtp, options, looks_for_ceiling=options.is_full or srtp is Srtp.CM)
    rows += await _pictures(Traffic.VIDEO, options)
    if options.is_full:
        rows += await _pictures(Traffic.BOTH, options)
        rows += await _wide_key(options)
    return rows


async def _audio(srtp: Srtp, options: Options, *, looks_for_ceiling: bool) -> list[Figure]:
    """One engine, from one call to the most that it can."""
    rows: list[Figure] = []
    async with session(srtp, options=options) as run:
        for calls in (1, 200, 500):
            set_up = await run.grow(calls)
            played = await run.play(WINDOW_S)
            rows += packet_rows("engine", srtp, played)
            if calls > 1:
                rows += set_up_rows("engine", srtp, calls, set_up)
        if options.is_full:
            rows += packet_rows("engine", srtp, await run.play(WINDOW_S, tick_us=1000), how=", sent every ms")
        if srtp is Srtp.CM or options.is_full:
            rows += await _at_rest(run, srtp, options)
        if looks_for_ceiling:
            rows += ceiling_rows("engine", srtp, await run.ceiling(played, CEILING_WINDOW_S), "2000")
    return rows


async def _pictures(traffic: Traffic, options: Options) -> list[Figure]:
    async with session(Srtp.CM, traffic, options) as run:
        how = f", {traffic.value}"
        await run.grow(VIDEO_CALLS)
        rows = packet_rows("engine", Srtp.CM, await run.play(WINDOW_S), how=how, budget="")
        if options.is_full:
            rows += await _at_rest(run, Srtp.CM, options, how=how)
        return rows


async def _at_rest(run: Session, srtp: Srtp, options: Options, *, how: str = "") -> list[Figure]:
    rest_s = LONG_REST_S if options.is_long else REST_S
    return rest_rows("engine", srtp, run.calls, await run.rest(rest_s), run.kb_per_call(), rest_s, how=how)


async def _wide_key(options: Options) -> list[Figure]:
    async with session(Srtp.GCM256, options=options) as run:
        await run.grow(200)
        return packet_rows("engine", Srtp.GCM256, await run.play(WINDOW_S), budget="")


@asynccontextmanager
async def session(srtp: Srtp, traffic: Traffic = Traffic.AUDIO, options: Options | None = None) -> AsyncIterator[Session]:
    """A new engine and a new load."""
    tell = (options or Options()).tell
    with tempfile.TemporaryDirectory() as folder:
        async with engine_server(Path(folder)) as server, load() as playing:
            yield Session(server, playing, srtp, traffic, tell)


# --- one run --------------------------------------------------------------------------------------------------------------


async def one_run(options: argparse.Namespace) -> dict[str, object]:
    """A new engine, its calls, and one window of traffic."""
    async with session(Srtp[options.srtp], Traffic[options.traffic]) as run:
        set_up = await run.grow(options.calls)
        played = await run.play(options.seconds, tick_us=options.tick_us)
        return {"pid": run.server.pid, **asdict(set_up), **asdict(played), "kb_per_call": run.kb_per_call()}


def main() -> None:
    """One run, as told."""
    parser = argparse.ArgumentParser(description="One run of the engine under load, as JSON.")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--srtp", choices=[srtp.name for srtp in Srtp], default=Srtp.CM.name)
    parser.add_argument("--traffic", choices=[traffic.name for traffic in Traffic], default=Traffic.AUDIO.name)
    parser.add_argument("--seconds", type=float, default=WINDOW_S)
    parser.add_argument("--tick-us", type=int, default=0)
    print(json.dumps(asyncio.run(one_run(parser.parse_args()))))


if __name__ == "__main__":
    main()
