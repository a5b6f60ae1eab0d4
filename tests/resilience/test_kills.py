"""Servers and engines killed during fifty calls: nothing is stuck, no webhook is lost, sound goes on (issue B, ruling 14)."""

from __future__ import annotations

from pathlib import Path

from tests.resilience.figures import Figures
from tests.resilience.rounds import ENGINE_ROUNDS, SERVER_ROUNDS, play
from tests.resilience.summary import grown_by_calls, grown_by_crashes, summary
from tests.resilience.world import a_world

SEED = 20_260_729
ROUNDS = 20


async def test_kills_of_the_server_during_fifty_calls(tmp_path: Path, figures: Figures) -> None:
    async with a_world(tmp_path / "data", SEED) as world:
        rounds = [await play(world, SEED, number, SERVER_ROUNDS) for number in range(ROUNDS)]
        more = await grown_by_calls(world, rounds)
        await world.finish()
    figures.note("kills of the server", **summary(rounds), **more)
    assert sum(each.calls for each in rounds) > ROUNDS


async def test_kills_of_the_engine_during_fifty_calls(tmp_path: Path, figures: Figures) -> None:
    async with a_world(tmp_path / "data", SEED) as world:
        rounds = [await play(world, SEED, number, ENGINE_ROUNDS) for number in range(ROUNDS)]
        more = await grown_by_crashes(world, SEED)
        await world.finish()
    figures.note("kills of the engine", **summary(rounds), **more)
    assert sum(each.calls for each in rounds) > ROUNDS
