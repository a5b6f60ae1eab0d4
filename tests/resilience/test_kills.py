"""Servers and engines killed during fifty calls: nothing is stuck, no webhook is lost, sound goes on (issue B, ruling 14)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.resilience.figures import Figures
from tests.resilience.rounds import ENGINE_ROUNDS, SERVER_ROUNDS, Victim, play
from tests.resilience.summary import check_growth, summary
from tests.resilience.world import a_world

SEED = 20_260_729
ROUNDS = 20


@pytest.mark.parametrize("victims", [SERVER_ROUNDS, ENGINE_ROUNDS], ids=["server", "engine"])
async def test_kills_during_fifty_calls(tmp_path: Path, victims: tuple[Victim, ...], figures: Figures) -> None:
    async with a_world(tmp_path / "data", SEED) as world:
        rounds = [await play(world, SEED, number, victims) for number in range(ROUNDS)]
        await world.finish()
    figures.note(f"kills of the {victims[0].value}", **summary(rounds))
    assert sum(each.calls for each in rounds) > ROUNDS
    check_growth(rounds)
