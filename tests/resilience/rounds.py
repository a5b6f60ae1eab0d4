"""Rounds of kills: what is killed, when, and what must be true afterwards. The same for a test and for a long soak.

A round draws from its seed and number alone, so a round that failed can be played again by itself. What chance decides is the
moment of the kill; the operating system's own scheduling it cannot.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from tests.resilience.hearing import Sound, caught_up, check_sound
from tests.resilience.processes import Footprint, has_ended, udp_ports
from tests.resilience.waiting import watched
from tests.resilience.world import World

EARLIEST_KILL_S, LATEST_KILL_S = 0.1, 1.0
"""From the mark at which the count of sound begins: several packets of each peer come before it (one in 20 ms)."""
ROUND_WITHIN_S = 120.0
TOLD_WITHIN_S = 2.0
"""From the kill of an engine to the `terminate` of its calls, and to the `call.ended` of their devices (issue B)."""
ENGINE_BACK_WITHIN_S = 10.0
TOLD_OF_A_KILL = ("media engine lost", "media engine not restarted")
"""What the server's log says at error level when its engine is killed, and nothing else."""
START_TAKES_S = 1.5
"""About; a second kill comes within it."""


class Victim(Enum):
    """What a round kills."""

    SERVER = "server"
    SERVER_TWICE = "server, and again while it starts"
    ENGINE = "engine"
    ENGINE_TWICE = "engine, and the next one at once"
    BOTH = "engine and server"
    ADOPTED = "server, and the engine while the next server takes it over"

    @property
    def has_engine(self) -> bool:
        """Whether the calls end."""
        return self not in (Victim.SERVER, Victim.SERVER_TWICE)

    @property
    def has_server(self) -> bool:
        """Whether devices lose their sockets."""
        return self not in (Victim.ENGINE, Victim.ENGINE_TWICE)


SERVER_ROUNDS = (Victim.SERVER, Victim.SERVER, Victim.SERVER_TWICE, Victim.SERVER)
ENGINE_ROUNDS = (Victim.ENGINE, Victim.ENGINE_TWICE, Victim.ENGINE, Victim.BOTH, Victim.ENGINE, Victim.ADOPTED)
"""What is killed, round after round, over and over."""
ENGINE_ALONE = (Victim.ENGINE,)
"""One server sees all of it."""


@dataclass(frozen=True, slots=True)
class Round:
    """What was measured.

    `sound`: of the calls that went on; `quiet`: of the same calls just before; `waited_ms`: how long the engine and the peers
    were ready to run and had no processor meanwhile. `told_s`, `devices_told_s`: the last `terminate` and the last
    `call.ended` after the kill of an engine. `back_s`: from the kill until requests are answered. `heard_s`: how long the next
    call took until it was heard.
    """

    number: int
    victim: Victim
    back_s: float
    heard_s: float
    server: Footprint
    engine: Footprint
    calls: int
    repeated: int
    quiet: Sound | None = None
    sound: Sound | None = None
    waited_ms: float = 0.0
    told_s: float = 0.0
    devices_told_s: float = 0.0


class RoundFailed(AssertionError):
    """With what is needed to see it again."""

    def __init__(self, seed: int, number: int, victim: Victim, faults: Sequence[str]) -> None:
        super().__init__(seed, number, victim)
        self.seed, self.number, self.victim, self.faults = seed, number, victim, faults

    def __str__(self) -> str:
        what = "engine" if self.victim.has_engine else "server"
        again = f"python -m tests.resilience --seed {self.seed} --only {what} --first {self.number} --rounds 1"
        log = "".join(f"\n  {fault}" for fault in self.faults[-5:])
        return f"round {self.number} ({self.victim.value}) of seed {self.seed}: {self.__cause__!r}; again: {again}{log}"


async def play(world: World, seed: int, number: int, victims: Sequence[Victim]) -> Round:
    """One round. Raises `RoundFailed`."""
    victim = victims[number % len(victims)]
    chance = random.Random(f"{seed}:{number}:{victim.name}")
    try:
        async with asyncio.timeout(ROUND_WITHIN_S):
            await world.fill()
            for caller in world.callers:
                caller.resume()
            made = sum(caller.made for caller in world.callers)
            repeated = world.ledger.repeated
            await world.load.mark()
            await asyncio.sleep(chance.uniform(EARLIEST_KILL_S, LATEST_KILL_S))
            if victim.has_engine:
                done = await _end_calls(world, victim, chance)
            else:
                done = await _keep_calls(world, victim, chance)
            heard_s = await world.probe()
            await world.settle()
            server, engine = world.footprints()
            made = sum(caller.made for caller in world.callers) - made
            repeated = world.ledger.repeated - repeated
            measured = (done.quiet, done.sound, done.waited_ms, done.told_s, done.devices_told_s)
            return Round(number, victim, done.back_s, heard_s, server, engine, made, repeated, *measured)
    except Exception as error:
        raise RoundFailed(seed, number, victim, world.server.faults) from error


@dataclass(frozen=True, slots=True)
class _Done:
    back_s: float
    told_s: float = 0.0
    devices_told_s: float = 0.0
    quiet: Sound | None = None
    sound: Sound | None = None
    waited_ms: float = 0.0


async def _keep_calls(world: World, victim: Victim, chance: random.Random) -> _Done:
    """The server is killed, once or twice, and started again: every call goes on, with its sound."""
    loop = asyncio.get_running_loop()
    engine = world.server.engine
    if engine is None:
        raise AssertionError("no engine runs")
    pairs = [call.sides for call in world.standing]
    quiet = await caught_up(world.load, pairs)
    async with watched((engine, world.load.process.pid)) as waiting:
        await world.load.mark()
        killed = loop.time()
        await world.server.kill()
        if victim is Victim.SERVER_TWICE:
            await world.server.launch()
            await asyncio.sleep(chance.uniform(0, START_TAKES_S))
            await world.server.kill()
        await world.server.start()
        back_s = loop.time() - killed
        await world.come_back()
        check(world.server.engine == engine, "the engine is another one")
        streams = await caught_up(world.load, pairs)
    check_sound(streams, waiting)
    check(world.server.faults == [], "the server's log has errors")
    check(world.server.engine_faults() == [], f"the engine's log has errors: {world.server.engine_faults()[-3:]}")
    return _Done(back_s, quiet=Sound.of(quiet), sound=Sound.of(streams), waited_ms=waiting.total_ms())


async def _end_calls(world: World, victim: Victim, chance: random.Random) -> _Done:
    """The engine is killed, alone or with the server: its calls end, and everybody is told."""
    loop = asyncio.get_running_loop()
    world.ledger.excuse_open()
    killed = loop.time()
    engine = await _kill(world, victim, chance)
    back_s = await _engine_back(world, engine, killed)
    world.ledger.excuse_open()
    told = [await world.ledger.expect(call.id, "terminate", ENGINE_BACK_WITHIN_S) for call in world.standing]
    statuses = {world.ledger.entries[call.id].status for call in world.standing}
    check(statuses == {"Failed"}, f"the calls ended {statuses}")
    devices_told_s = 0.0
    if not victim.has_server:
        check(max(told) - killed <= TOLD_WITHIN_S, f"the last terminate came after {max(told) - killed:.1f} s")
        ended = [await call.consumer.device.expect("call.ended", call_id=call.id) for call in world.standing]
        devices_told_s = max(notice.at for notice in ended) - killed
        check(devices_told_s <= TOLD_WITHIN_S, f"the last device was told after {devices_told_s:.1f} s")
        for call in world.standing:
            call.consumer.device.received.clear()
    others = [fault for fault in world.server.faults if not any(text in fault for text in TOLD_OF_A_KILL)]
    check(others == [], "the server's log has other errors than that its engine is lost")
    await world.forget_standing()
    if victim.has_server:
        await world.come_back()
    return _Done(back_s, max(told) - killed, devices_told_s)


async def _kill(world: World, victim: Victim, chance: random.Random) -> int:
    """Returns the last engine that was killed."""
    first = world.server.engine
    if first is None:
        raise AssertionError("no engine runs")
    match victim:
        case Victim.ENGINE:
            kill(first)
        case Victim.ENGINE_TWICE:
            kill(first)
            second = await _next_engine(world, first)
            await asyncio.sleep(chance.uniform(0, 0.1))
            kill(second)
            return second
        case Victim.BOTH:
            kill(first)
            await asyncio.sleep(chance.choice((0.0, chance.uniform(0, 0.3))))
            await world.server.kill()
            await world.server.start()
        case Victim.ADOPTED:
            await world.server.kill()
            await world.server.launch()
            await asyncio.sleep(chance.uniform(0, START_TAKES_S))
            kill(first)
            await world.server.ready()
        case Victim.SERVER | Victim.SERVER_TWICE:
            raise ValueError(victim)
    return first


async def _next_engine(world: World, old: int) -> int:
    """The engine that comes after that one, as soon as its process is there."""
    async with asyncio.timeout(ENGINE_BACK_WITHIN_S):
        while True:
            engine = world.server.engine
            if engine is not None and engine != old:
                return engine
            await asyncio.sleep(0.005)


def kill(pid: int) -> None:
    """SIGKILL, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def _engine_back(world: World, old: int, killed: float) -> float:
    """Wait until another engine serves; returns how long it was away."""
    await _next_engine(world, old)
    url = f"{world.server.dev.base_url}/_pagecalls/ready"
    async with asyncio.timeout(ENGINE_BACK_WITHIN_S):
        while True:
            async with world.http.get(url) as response:
                if response.status == 200:
                    break
            await asyncio.sleep(0.02)
    check(has_ended(old), "the killed engine still runs")
    ports = udp_ports(await _next_engine(world, old))
    check(ports == world.server.media_ports, f"other media ports: {ports}")
    return asyncio.get_running_loop().time() - killed


def check(is_so: bool, otherwise: str) -> None:
    """Raises `AssertionError`; unlike the statement it is there whatever the interpreter's options."""
    if not is_so:
        raise AssertionError(otherwise)
