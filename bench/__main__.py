"""`make bench`: the figures of design.md that this version can give, one table, or `--json`."""

from __future__ import annotations

import argparse
import asyncio
import json

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import bench_api, bench_engine, bench_sdp
from bench.figure import Figure

PARTS = {
    "SDP": bench_sdp.figures,
    "start": bench_api.start_figures,
    "accept": bench_api.accept_figures,
    "engine": bench_engine.figures,
}


def main() -> None:
    """Run all parts, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="only these")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: list[Figure] = []
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as progress:
        wanted = options.parts or list(PARTS)
        task = progress.add_task("measuring", total=len(wanted))
        for name in wanted:
            progress.update(task, description=f"measuring {name}")
            figures += asyncio.run(PARTS[name]())
            progress.advance(task)
    if options.json:
        print(json.dumps([figure.as_dict() for figure in figures]))
        return
    table = Table(title="Measured now; shared machines are noisy, so compare within one run", title_justify="left")
    for column, justify in (("What", "left"), ("Figure", "right"), ("Unit", "left"), ("Budget", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for figure in figures:
        table.add_row(figure.what, f"{figure.value:.{figure.digits}f}", figure.unit, figure.budget)
    Console().print(table)


main()
