"""How commands show things to people: consoles, tables, moments, words. Knows no command."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

WIDE = 400
"""Columns for a file or a pipe, where nobody wants lines folded."""


def console(least: int = 0) -> Console:
    """Standard output; where it needs at least so many columns, the terminal breaks the lines and nothing is cut."""
    if not sys.stdout.isatty():
        return Console(highlight=False, width=max(WIDE, least), no_color=True)
    shown = Console(highlight=False)
    return shown if shown.width >= least else Console(highlight=False, width=least)


def table() -> Table:
    """A table without columns."""
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")


def second(at: float | None) -> str:
    """A moment, UTC; `-` for none, and for one that was not written down."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}" if at else "-"


def minute(at: float | None) -> str:
    """The same without the second."""
    return second(at).rpartition(":")[0] or "-"


def day(at: float | None) -> str:
    """The day of a moment."""
    return second(at).partition(" ")[0]


def end(at: float | None) -> str:
    """The end of something, `never` for none."""
    return "never" if at is None else minute(at)


def yes_or_no(value: bool) -> str:
    """A flag."""
    return "yes" if value else "no"


def printable(text: str) -> str:
    """A text that came from elsewhere, unable to steer a terminal; what cannot be printed is a replacement character."""
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


def or_dash(value: object) -> str:
    """What may be absent."""
    return "-" if value is None else str(value)
