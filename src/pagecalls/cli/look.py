"""How commands show things to people: consoles, tables, moments, words. Knows no command."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

WIDE = 400
"""Columns for a file or a pipe, where nobody wants lines folded."""


def console() -> Console:
    """Standard output."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=WIDE, no_color=True)


def table() -> Table:
    """A table without columns."""
    return Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")


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


def or_dash(value: object) -> str:
    """What may be absent."""
    return "-" if value is None else str(value)
