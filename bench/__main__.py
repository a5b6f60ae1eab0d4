"""`make bench`: the figures of `docs/bench.md`, in one table or, with `--json`, as data. Name parts to run only those."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import groupby

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import (
    bench_api,
    bench_attack,
    bench_compare,
    bench_engine,
    bench_impair,
    bench_outbox,
    bench_relay,
    bench_requests,
    bench_sdp,
)
from bench.figure import Figure, Options, merged

TABLE_WIDTH = 120
Part = Callable[[Options], Awaitable[list[Figure]]]


def always(measure: Callable[[], Awaitable[list[Figure]]]) -> Part:
    """A part that measures the same whatever the options."""
    return lambda _: measure()


PARTS: dict[str, Part] = {
    "sdp": always(bench_sdp.figures),
    "start": always(bench_api.start_figures),
    "accept": always(bench_api.accept_figures),
    "webhooks": always(bench_outbox.figures),
    "requests": always(bench_requests.figures),
    "attack": always(bench_attack.figures),
    "load": bench_engine.load_figures,
    "engine": bench_engine.figures,
    "impair": always(bench_impair.figures),
    "relay": always(bench_relay.figures),
    "compare": bench_compare.figures,
}


def main() -> None:
    """Run all parts, or those named."""
    options = _arguments()
    figures = _measure(options)
    if options.json:
        print(json.dumps([figure.as_dict() for figure in figures]))
    else:
        console = Console()
        (console if console.is_terminal else Console(width=TABLE_WIDTH)).print(_table(figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    # Not `choices`: argparse would look for the default, the list, among them.
    parser.add_argument("parts", nargs="*", type=_part, default=list(PARTS), metavar="part", help=", ".join(PARTS))
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    parser.add_argument("--full", action="store_true", help="every row: all ceilings, ticks, sound with pictures, wide keys")
    parser.add_argument("--long", action="store_true", help="let calls rest for 90 s before their memory is read, not for 10")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run all N times; print medians, least and most")
    return parser.parse_args()


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"no part {name!r}; there are {', '.join(PARTS)}")
    return name


def _measure(options: argparse.Namespace) -> list[Figure]:
    columns = (SpinnerColumn(), *Progress.get_default_columns()[:2], TimeElapsedColumn(), TextColumn("{task.fields[now]}"))
    runs: list[list[Figure]] = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(options.parts) * options.repeat, now="")
        how = Options(options.full, options.long, lambda now: progress.update(task, now=now))
        for number in range(options.repeat):
            run: list[Figure] = []
            for name in options.parts:
                times = f" ({number + 1} of {options.repeat})" if options.repeat > 1 else ""
                progress.update(task, description=f"measuring {name}{times}", now="")
                run += asyncio.run(_awaited(PARTS[name](how)))
                progress.advance(task)
            runs.append(run)
    return merged(runs)


async def _awaited(figures: Awaitable[list[Figure]]) -> list[Figure]:
    return await figures


def _table(figures: list[Figure]) -> Table:
    """Figures of one subject, such as a server with so many calls, stand together under its name and its notes."""
    is_repeated = any(figure.low is not None for figure in figures)
    table = Table(title="Measured now; shared machines are noisy, so compare within one run", title_justify="left")
    table.add_column("What", overflow="fold")
    table.add_column("Median" if is_repeated else "Figure", justify="right")
    if is_repeated:
        table.add_column("Range", justify="right")
    table.add_column("Unit")
    table.add_column("Budget", justify="right")
    for subject, group in groupby(figures, key=lambda figure: figure.subject):
        rows = list(group)
        if subject:
            notes = dict.fromkeys(figure.note for figure in rows if figure.note)
            table.add_section()
            table.add_row("[bold]" + "; ".join([subject, *notes]) + "[/]")
        for figure in rows:
            spread = [f"{figure.low:.{figure.digits}f} to {figure.high:.{figure.digits}f}"] if is_repeated else []
            name = f"  {figure.metric}" if subject else figure.metric
            table.add_row(name, f"{figure.value:.{figure.digits}f}", *spread, figure.unit, figure.budget)
    return table


if __name__ == "__main__":
    main()
