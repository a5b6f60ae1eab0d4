"""The media engine: CPU per forwarded packet and per set-up, latency, loss and memory, with the load of many calls.

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
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.figure import Figure
from bench.load import SERVER_CORE, Leg, Srtp, Step, Stream, built, cpu_ns, load, on_core, rss_kb
from pagecalls.media.process import EngineProcess, EngineSettings
from pagecalls.media.protocol import (
    CallRoute,
    Codec,
    Extensions,
    Fingerprint,
    LegApply,
    LegCreateOk,
    Output,
    RecvTrack,
    Remote,
    Route,
    SendTrack,
    Timers,
    TrackRef,
)

WARM_UP_MS = 1000
WINDOW_S = 8.0
CODECS = [Codec(key="opus/48000/2", pt=111), Codec(key="telephone-event/48000", pt=110)]
EXTENSIONS = Extensions(mid=4, level=1)


RUNS = ((Srtp.CM, 1), (Srtp.CM, 200), (Srtp.CM, 500), (Srtp.GCM, 200), (Srtp.GCM, 500))


@dataclass(frozen=True, slots=True)
class Job:
    """One run. `tick_us`: the load sends at multiples of it, which is how coarse the network delivers; 0 is packet by packet."""

    srtp: Srtp
    calls: int
    window_s: float = WINDOW_S
    tick_us: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run gave. `setup_ms` and `packet_us` are the engine's CPU for a call's set-up and for a packet; `late_us` is how far
    behind its own schedule the load was at worst, 1 % left aside, and `load_busy` the part of its core that it used."""

    packets: int
    loss_percent: float
    packet_us: float
    p50_us: float
    p99_us: float
    rss_kb: float
    setup_ms: float
    late_us: float
    load_busy: float
    engine_busy: float


async def figures() -> list[Figure]:
    """All runs."""
    found: list[Figure] = []
    for srtp, calls in RUNS:
        found += _figures_of(Job(srtp, calls), await measure(Job(srtp, calls)))
    return found


def _figures_of(job: Job, run: Measured) -> list[Figure]:
    name = f"engine, {job.calls} {'call' if job.calls == 1 else 'calls'}, {job.srtp.name}"
    many = job.calls > 1
    rows = [
        Figure(f"{name}: forwarded packet", run.packet_us, "us CPU", "4" if many else "", digits=2),
        Figure(f"{name}: packets forwarded", run.packets, ""),
        Figure(f"{name}: loss", run.loss_percent, "%", "0", digits=3),
        Figure(f"{name}: added latency, median", run.p50_us / 1000, "ms", digits=3),
        Figure(f"{name}: added latency, p99", run.p99_us / 1000, "ms", "1" if job.calls == 500 else "", digits=3),
    ]
    if many:
        rows += [
            Figure(f"{name}: set-up of both legs", run.setup_ms, "ms CPU", "2.8", digits=2),
            Figure(f"{name}: memory per call", run.rss_kb, "KB", "64"),
            Figure(f"{name}: the load's own core", run.load_busy * 100, "% busy"),
            Figure(f"{name}: the load late, p99", run.late_us / 1000, "ms", digits=3),
        ]
    return rows


# --- one run ----------------------------------------------------------------------------------------------------------


async def measure(job: Job) -> Measured:
    """A new engine, its calls, and one window of sound."""
    with tempfile.TemporaryDirectory() as folder:
        async with _engine(Path(folder)) as engine, load() as playing:
            pid = engine.hello.pid
            empty_kb, before_ns = rss_kb(pid), cpu_ns(pid)
            fingerprint = Fingerprint(alg="sha-256", value=playing.hello.fingerprint)
            legs = [leg for number in range(job.calls) for leg in await _create(engine, number, fingerprint)]
            place = engine.hello.candidates[0][0]
            await playing.connect(legs, job.srtp, f"{place.ip}:{place.port}")
            setup_ns = cpu_ns(pid) - before_ns
            edges: list[tuple[int, int]] = []

            async def note_edge() -> None:
                edges.append((cpu_ns(pid), rss_kb(pid)))

            step = Step(WARM_UP_MS, round(job.window_s * 1000), job.tick_us)
            result = await playing.step(step, note_edge)
    (opened_ns, _), (closed_ns, full_kb) = edges
    window_s = (closed_ns - opened_ns) / 1e9
    return Measured(
        packets=result.received,
        loss_percent=100 * (1 - result.received / result.sent),
        packet_us=window_s / result.received * 1e6,
        p50_us=result.latency_us.p50,
        p99_us=result.latency_us.p99,
        rss_kb=(full_kb - empty_kb) / job.calls,
        setup_ms=setup_ns / 1e6 / job.calls,
        late_us=result.lag_us.p99,
        load_busy=result.cpu_s / job.window_s,
        engine_busy=window_s / job.window_s,
    )


async def _create(engine: EngineProcess, number: int, fingerprint: Fingerprint) -> list[Leg]:
    """One call of two legs, routed both ways; what the load must know of its peers."""
    call, names = str(number), (f"{number}-a", f"{number}-b")
    await engine.call_create(call)
    made = await asyncio.gather(*(engine.leg_create(call, name) for name in names))
    ssrcs = [2 * number + 1, 2 * number + 2]
    routes = [
        Route(from_=TrackRef(leg=one, track="in"), to=TrackRef(leg=other, track="out")) for one, other in (names, names[::-1])
    ]
    await asyncio.gather(
        *(engine.leg_apply(_desired(name, ssrc, fingerprint)) for name, ssrc in zip(names, ssrcs, strict=True)),
        engine.call_route(CallRoute(call=call, rev=1, routes=routes)),
    )
    return [_peer(name, ssrc, leg) for name, ssrc, leg in zip(names, ssrcs, made, strict=True)]


def _desired(name: str, ssrc: int, fingerprint: Fingerprint) -> LegApply:
    return LegApply(
        leg=name,
        rev=1,
        remote=Remote(ufrag=f"peer-{name}", pwd="a password that nobody asks for", fingerprints=[fingerprint]),
        timers=Timers(),
        recv=[RecvTrack(track="in", mid="0", kind="audio", ssrcs=[ssrc], codecs=CODECS, ext=EXTENSIONS)],
        send=[
            SendTrack(
                track="out",
                kind="audio",
                cname=name,
                codecs=CODECS,
                ext=EXTENSIONS,
                outputs=[Output(ssrc=0x1000_0000 + ssrc, mid="0")],
            )
        ],
    )


def _peer(name: str, ssrc: int, leg: LegCreateOk) -> Leg:
    stream = Stream(ssrc, pt=CODECS[0].pt, level_id=EXTENSIONS.level or 0)
    return Leg(leg.ufrag, leg.pwd, f"peer-{name}", [stream])


# --- the engine ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _engine(folder: Path) -> AsyncIterator[EngineProcess]:
    """A running engine on the first core; its events are read and dropped, as is its log but for errors."""
    settings = EngineSettings(data_dir=folder, log_level="error", binary=built("pagecalls-media"))
    engine = EngineProcess(settings)
    with on_core(SERVER_CORE):
        await engine.start()
    drain = asyncio.create_task(_drain(engine))
    try:
        yield engine
    finally:
        await engine.stop()
        await drain


async def _drain(engine: EngineProcess) -> None:
    async for event in engine.events():
        if event is None:
            raise RuntimeError("the engine was lost")


def main() -> None:
    """One run, as told."""
    parser = argparse.ArgumentParser(description="One run of the engine under load, as JSON.")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--srtp", choices=[srtp.name for srtp in Srtp], default=Srtp.CM.name)
    parser.add_argument("--seconds", type=float, default=WINDOW_S)
    parser.add_argument("--tick-us", type=int, default=0)
    options = parser.parse_args()
    job = Job(Srtp[options.srtp], options.calls, options.seconds, options.tick_us)
    print(json.dumps(asdict(asyncio.run(measure(job)))))


if __name__ == "__main__":
    main()
