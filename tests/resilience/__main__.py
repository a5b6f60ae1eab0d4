"""A long run of kills: `python -m tests.resilience`, the same as in the tests, but for longer (`make soak`).

    --seed N     what chance decides; without it the time decides the seed, which is printed
    --only WHAT  kills of the server, or of the engine, under calls with sound; or of the server under `calls` by the thousand on
                 the fake engine; all three without it
    --rounds N   of each kind with sound
    --first N    the number of the first round, to play one again that failed
    --kills N, --calls N   how many, on the fake engine
    --json       the figures as JSON instead of a table

Ends with status 1 at the first round that fails, and says how to play it again. Ctrl-C ends it, with what was measured by then of
the kinds that are over.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.resilience import storm
from tests.resilience.figures import Figure, Figures
from tests.resilience.rounds import ENGINE_ROUNDS, SERVER_ROUNDS, Round, Victim, play
from tests.resilience.summary import grown_by_calls, grown_by_crashes, summary
from tests.resilience.world import a_world

KINDS = {"server": SERVER_ROUNDS, "engine": ENGINE_ROUNDS}
LEAST_ROUNDS = 8
"""Who plays fewer again looks for another fault than growth."""
STORM = "calls"
STORM_TITLE = "kills under calls on the fake engine"
COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())


def main(arguments: Sequence[str]) -> int:
    """Play and tell; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.resilience", description="Kill servers and engines during calls.")
    parser.add_argument("--rounds", type=int, default=200, help="of each kind with sound")
    parser.add_argument("--kills", type=int, default=200, help="on the fake engine")
    parser.add_argument("--calls", type=int, default=100_000, help="on the fake engine")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", choices=[*KINDS, STORM], default=None)
    parser.add_argument("--first", type=int, default=0, metavar="N")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args(arguments)
    seed = int(time.time()) if options.seed is None else options.seed
    kinds = [options.only] if options.only else [*KINDS, STORM]
    console, figures = Console(stderr=True), Figures()
    console.print(f"seed {seed}", highlight=False)
    try:
        for kind in kinds:
            if kind == STORM:
                figures.note(STORM_TITLE, **asyncio.run(_storm(console, seed, options.kills, options.calls)))
                continue
            numbers = range(options.first, options.first + options.rounds)
            figures.note(f"kills of the {kind}", **asyncio.run(_play_all(console, kind, seed, numbers)))
    except (AssertionError, TimeoutError) as failure:
        console.print(str(failure), style="bold red", highlight=False, markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        _tell(figures, options.as_json)
    return 0


async def _play_all(console: Console, kind: str, seed: int, numbers: range) -> dict[str, Figure]:
    victims: Sequence[Victim] = KINDS[kind]
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="pagecalls-soak-") as folder, Progress(*COLUMNS, console=console) as progress:
        bar = progress.add_task(f"kills of the {kind}", total=len(numbers))
        async with a_world(Path(folder) / "data", seed) as world:
            for number in numbers:
                rounds.append(await play(world, seed, number, victims))
                progress.advance(bar)
            more: dict[str, Figure] = {}
            if len(rounds) >= LEAST_ROUNDS:
                more = await (grown_by_calls(world, rounds) if kind == "server" else grown_by_crashes(world, seed))
            await world.finish()
    return summary(rounds) | more


async def _storm(console: Console, seed: int, kills: int, calls: int) -> dict[str, Figure]:
    with tempfile.TemporaryDirectory(prefix="pagecalls-soak-") as folder, Progress(*COLUMNS, console=console) as progress:
        bar = progress.add_task(STORM_TITLE, total=calls)
        return await storm.play(Path(folder) / "data", seed, kills, calls, lambda _, made: progress.update(bar, completed=made))


def _tell(figures: Figures, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(figures.as_json())
        sys.stdout.flush()
        return
    table = Table("figure", *figures.of)
    for name in dict.fromkeys(name for facts in figures.of.values() for name in facts):
        table.add_row(name.replace("_", " "), *(str(facts.get(name, "")) for facts in figures.of.values()))
    if figures.of:
        Console().print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
