"""`make bench`: the figures of `docs/bench.md`, in one table or, with `--json`, as data. Name parts to run only those."""

from __future__ import annotations

import argparse
import asyncio
import json

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import bench_api, bench_engine, bench_impair, bench_sdp
from bench.figure import Figure

PARTS = {
    "sdp": bench_sdp.figures,
    "start": bench_api.start_figures,
    "accept": bench_api.accept_figures,
    "engine": bench_engine.figures,
    "impair": bench_impair.figures,
}


def main() -> None:
    """Run all parts, or those named."""
    options = _arguments()
    figures = _measure(options.parts)
    if options.json:
        print(json.dumps([figure.as_dict() for figure in figures]))
    else:
        Console().print(_table(figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    # Not `choices`: argparse would look for the default, the list, among them.
    parser.add_argument("parts", nargs="*", type=_part, default=list(PARTS), metavar="part", help=", ".join(PARTS))
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    return parser.parse_args()


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"no part {name!r}; there are {', '.join(PARTS)}")
    return name


def _measure(parts: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("measuring", total=len(parts))
        for name in parts:
            progress.update(task, description=f"measuring {name}")
            figures += asyncio.run(PARTS[name]())
            progress.advance(task)
    return figures


def _table(figures: list[Figure]) -> Table:
    table = Table(title="Measured now; shared machines are noisy, so compare within one run", title_justify="left")
    table.add_column("What")
    table.add_column("Figure", justify="right")
    table.add_column("Unit")
    table.add_column("Budget", justify="right")
    for figure in figures:
        table.add_row(figure.what, f"{figure.value:.{figure.digits}f}", figure.unit, figure.budget)
    return table


if __name__ == "__main__":
    main()
