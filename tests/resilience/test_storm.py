"""Twenty kills of the server under two thousand calls on the fake engine."""

from __future__ import annotations

from pathlib import Path

from tests.resilience.figures import Figures
from tests.resilience.storm import play

SEED = 20_261_126
KILLS = 20
CALLS = 2_000


async def test_kills_under_two_thousand_calls(tmp_path: Path, figures: Figures) -> None:
    found = await play(tmp_path / "data", SEED, KILLS, CALLS)
    figures.note("kills under calls on the fake engine", **found)
    assert found["kills"] == KILLS
    assert float(found["calls"]) >= CALLS
    assert float(found["calls_broken_off"]) > KILLS
