"""One media server and the load, from the first call to the last it can carry: what is done to every server that is measured.

Owns the order of things and the arithmetic. What a server is and how it is told of a call is its driver's: `engine_server.py`,
and for the comparison `rtpengine_server.py` and `janus_server.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from bench.load import Leg, Line, Load, LoadFailed, Srtp, Step, Stream, cpu_ns, rss_kb

CEILING_P99_US = 20_000
CEILING_LOSS_PERCENT = 0.1
GROWTH = 1.35
MOST_CALLS = 6_000
HALVINGS = 3
LATE_US, BUSY = 2_000, 0.9
"""A load that is later, or busier, than this limits what is measured."""


class Traffic(Enum):
    """What each peer of a call sends."""

    AUDIO = "audio"
    VIDEO = "video"
    BOTH = "audio and video"

    def streams(self, ssrc: int, *, level_id: int = 0) -> list[Stream]:
        """The streams of a peer: sound with this SSRC, pictures with the next one; 30 pictures a second, in 4 packets each."""
        sound = Stream(ssrc, level_id=level_id)
        pictures = Stream(ssrc + 1, pt=96, per_s=30.0, burst=4, octets=1100, clock_hz=90000)
        return {Traffic.AUDIO: [sound], Traffic.VIDEO: [pictures], Traffic.BOTH: [sound, pictures]}[self]

    @property
    def packets_per_call(self) -> float:
        """In a second, both ways."""
        return sum(2 * stream.per_s * stream.burst for stream in self.streams(1))


class Server(Protocol):
    """A running media server on a core of its own."""

    @property
    def name(self) -> str: ...

    @property
    def pid(self) -> int: ...

    @property
    def peers_at(self) -> str | None:
        """The address that all peers must have, where the server answers to no others."""

    async def add(self, count: int, load: Load, traffic: Traffic) -> list[Leg]:
        """Make so many more calls; the peers of each, one after the other."""
        ...


@dataclass(frozen=True, slots=True)
class SetUp:
    """What it took to bring calls up."""

    ms_cpu_per_call: float
    calls_per_s: float


@dataclass(frozen=True, slots=True)
class Played:
    """What a window of traffic gave. `packet_us` is the server's CPU for a forwarded packet, `load_packet_us` the load's own for
    sending and receiving it; `late_us` is how late the load sent, 1 % left aside; `dropped` are datagrams that found no room at
    the load."""

    calls: int
    packets: int
    loss_percent: float
    packet_us: float
    load_packet_us: float
    p50_us: float
    p99_us: float
    late_us: float
    load_busy: float
    server_busy: float
    dropped: int

    @property
    def is_load_bound(self) -> bool:
        """The load could not keep up, so latency and loss say nothing of the server."""
        return self.late_us > LATE_US or self.load_busy > BUSY or self.dropped > 0

    @property
    def is_fine(self) -> bool:
        """As many calls as these can be carried, as far as the load can tell."""
        return not self.is_load_bound and self.p99_us < CEILING_P99_US and self.loss_percent < CEILING_LOSS_PERCENT

    @property
    def why(self) -> str:
        """What is wrong, in words."""
        if self.is_load_bound:
            return f"load-bound: {self.late_us / 1000:.1f} ms late, {self.load_busy:.0%} busy, {self.dropped} dropped"
        return f"at {self.calls} p99 is {self.p99_us / 1000:.1f} ms, loss {self.loss_percent:.2f} %"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The highest number of calls that were carried well, how that went, what ended it, and how many it would be by CPU."""

    calls: int
    best: Played | None
    why: str
    by_cpu: float
    is_load_bound: bool


@dataclass(slots=True)
class Session:
    """A server and a load with growing numbers of calls."""

    server: Server
    load: Load
    srtp: Srtp
    traffic: Traffic = Traffic.AUDIO
    tell: Callable[[str], None] = lambda _: None
    calls: int = 0
    empty_kb: int = field(init=False)

    def __post_init__(self) -> None:
        self.empty_kb = rss_kb(self.server.pid)

    async def grow(self, calls: int) -> SetUp:
        """Up to this many calls, all connected. Raises `LoadFailed`."""
        more = calls - self.calls
        self._say(f"connecting {more} calls")
        cpu, began = cpu_ns(self.server.pid), time.monotonic()
        legs = await self.server.add(more, self.load, self.traffic)
        await self.load.connect(legs, self.srtp)
        self.calls = calls
        spent_ms = (cpu_ns(self.server.pid) - cpu) / 1e6
        return SetUp(spent_ms / more, more / (time.monotonic() - began))

    async def play(self, window_s: float, *, tick_us: int = 0, calls: int | None = None) -> Played:
        """Traffic in all calls, or in the first ones, for a second and then for the window."""
        calls = self.calls if calls is None else calls
        self._say(f"{calls} calls, {self.traffic.value}, {window_s:.0f} s")
        streams = calls * 2 * len(self.traffic.streams(1))
        step = Step(window_ms=round(window_s * 1000), tick_us=tick_us, streams=streams)
        line, spent_ns, dropped = await self._window(step)
        received = max(line.received, 1)
        return Played(
            calls=calls,
            packets=line.received,
            loss_percent=100 * (1 - line.received / max(line.sent, 1)),
            packet_us=spent_ns / 1e3 / received,
            load_packet_us=line.cpu_s * 1e6 / received,
            p50_us=line.latency_us.p50,
            p99_us=line.latency_us.p99,
            late_us=line.lag_us.p99,
            load_busy=line.cpu_s / window_s,
            server_busy=spent_ns / 1e9 / window_s,
            dropped=dropped,
        )

    async def rest(self, seconds: float) -> float:
        """No traffic but checks; returns the server's CPU for a call and second, in microseconds."""
        self._say(f"{self.calls} calls at rest for {seconds:.0f} s")
        _, spent_ns, _ = await self._window(Step(warm_up_ms=500, window_ms=round(seconds * 1000), streams=0))
        return spent_ns / 1e3 / self.calls / seconds

    def kb_per_call(self) -> float:
        """How much the server's resident memory has grown."""
        return (rss_kb(self.server.pid) - self.empty_kb) / self.calls

    async def ceiling(self, first: Played, window_s: float) -> Ceiling:
        """More and more calls until they do not go well; then between the two. `first` is of all calls that there are now."""
        good, bad = (first, None) if first.is_fine else (None, first)
        while good is not None and bad is None:
            more = round(good.calls * GROWTH)
            if more > MOST_CALLS:
                return _ceiling(good, self.traffic, f"not looked for beyond {MOST_CALLS}", True)
            try:
                await self.grow(more)
            except LoadFailed as failed:
                return _ceiling(good, self.traffic, f"at {more}: {failed}", False)
            good, bad = _sorted(await self._best_of_two(window_s, more), good)
        for _ in range(HALVINGS if bad is not None else 0):
            low, high = good.calls if good else 0, bad.calls if bad else 0
            good, worse = _sorted(await self._best_of_two(window_s, (low + high) // 2), good)
            bad = worse or bad
        return _ceiling(good, self.traffic, bad.why if bad else "", bad is not None and bad.is_load_bound, bad)

    async def _best_of_two(self, window_s: float, calls: int) -> Played:
        """A second chance: what else the machine does comes and goes."""
        played = await self.play(window_s, calls=calls)
        return played if played.is_fine else await self.play(window_s, calls=calls)

    async def _window(self, step: Step) -> tuple[Line, int, int]:
        """What the load says, the server's CPU in the window, datagrams that the load's socket dropped."""
        spent: list[int] = []

        async def note() -> None:
            spent.append(cpu_ns(self.server.pid))

        before = drops(self.load.hello.port)
        line = await self.load.step(step, note)
        return line, spent[1] - spent[0], drops(self.load.hello.port) - before

    def _say(self, what: str) -> None:
        self.tell(f"{self.server.name}, {self.srtp.name}: {what}")


def _sorted(now: Played, good: Played | None) -> tuple[Played | None, Played | None]:
    """The best so far, and what was not good enough."""
    return (now, None) if now.is_fine else (good, now)


def _ceiling(good: Played | None, traffic: Traffic, why: str, is_load_bound: bool, bad: Played | None = None) -> Ceiling:
    measured = good or bad
    by_cpu = 1e6 / (measured.packet_us * traffic.packets_per_call) if measured else 0.0
    return Ceiling(good.calls if good else 0, good, why, by_cpu, is_load_bound)


def drops(port: int) -> int:
    """Datagrams that found the buffer of the UDP socket on this port full (proc(5), /proc/net/udp)."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{port:04X}"):
            return int(fields[-1])
    return 0
