"""`pagecalls demo`: two real calls with foreign peers, a live timeline, and a verdict."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from pagecalls.demo.run import DemoResult
    from pagecalls.demo.timeline import Timeline


@click.command()
@click.option("--no-browser", is_flag=True, help="Use aiortc on both sides even if Chromium is installed.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of a timeline.")
def demo(no_browser: bool, as_json: bool) -> None:
    """Make a call in each direction on this machine and measure what both sides hear.

    Exit status 0 only if both sides heard the right sound in both calls.
    """
    # Imported here, because a WebRTC stack takes time to load and the server does without one.
    try:
        from pagecalls.demo.run import DemoFailed, run_demo
        from pagecalls.demo.timeline import Timeline
    except ModuleNotFoundError as error:
        raise click.ClickException(f"The demo needs the package {error.name}: pip install 'pagecalls[kit]'.") from error

    console = Console(highlight=False)
    timeline = Timeline(None if as_json else console)
    try:
        result = asyncio.run(run_demo(timeline, use_browser=not no_browser))
    except Exception as error:
        # The demo is the first thing a newcomer runs: whatever broke is said in a sentence.
        if as_json:
            click.echo(json.dumps({"ok": False, "verdict": f"The demo broke off: {error}"}))
        else:
            console.print(f"\n[bold red]The demo broke off:[/] {error}")
        if not isinstance(error, DemoFailed | TimeoutError | OSError):
            raise
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(_as_json(result, timeline)))
    else:
        _print(console, result)
    sys.exit(0 if result.is_right else 1)


def _print(console: Console, result: DemoResult) -> None:
    # Fits into 80 columns. "After": from the moment when both were connected to the first sound.
    table = Table(title="What each side heard", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("Call", "Side", "Peer"):
        table.add_column(column, no_wrap=True)
    for column in ("Expected", "Heard", "Level", "After", "Lost"):
        table.add_column(column, justify="right", no_wrap=True)
    for number, call in enumerate(result.calls, 1):
        for ear in call.ears:
            mark = "green" if ear.is_right else "red"
            table.add_row(
                str(number),
                ear.side,
                ear.peer,
                f"{ear.expected_hz} Hz",
                f"[{mark}]{ear.heard.frequency_hz:.0f} Hz[/]",
                f"{ear.heard.level_dbfs:.0f} dBFS",
                f"{ear.first_sound_s * 1000:.0f} ms" if ear.first_sound_s is not None else "-",
                f"{ear.lost}/{ear.received + ear.lost}",
            )
    console.print()
    console.print(table)
    console.print(f"[bold {'green' if result.is_right else 'red'}]{result.verdict}[/]")


def _as_json(result: DemoResult, timeline: Timeline) -> dict[str, object]:
    return {
        "ok": result.is_right,
        "verdict": result.verdict,
        "calls": [
            {
                "title": call.title,
                "status": call.status,
                "duration_s": call.duration_s,
                "ears": [
                    {
                        "side": ear.side,
                        "peer": ear.peer,
                        "expected_hz": ear.expected_hz,
                        "heard_hz": round(ear.heard.frequency_hz, 1),
                        "level_dbfs": round(ear.heard.level_dbfs, 1),
                        "audible_tracks": len(ear.heard.audible),
                        "first_sound_s": ear.first_sound_s,
                        "received": ear.received,
                        "lost": ear.lost,
                        "ok": ear.is_right,
                    }
                    for ear in call.ears
                ],
            }
            for call in result.calls
        ],
        "timeline": [asdict(line) for line in timeline.lines],
    }
