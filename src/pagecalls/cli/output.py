"""What the operator's commands share: their options, the form of what they print, and how they read durations and tokens.

People get tables and lines of facts, machines get JSON. Ids and tokens are never folded or cut: they are there to be copied.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click
from rich.cells import cell_len
from rich.text import Text

from pagecalls.cli.flags import config_option, data_dir_option, refused
from pagecalls.cli.look import console, printable, table
from pagecalls.cli.operator import Operator
from pagecalls.config.load import load
from pagecalls.settings import SettingsError

P = ParamSpec("P")

PAGE = 200
"""Entries that are asked for at a time."""
FOLDED = 10
"""Columns of a terminal that a flexible column needs at least."""

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its head, and the member that it shows, as `shown` makes text of it."""

    head: str
    member: str
    is_flexible: bool = False
    """It may be folded where the terminal is narrow."""
    is_extra: bool = False
    """It may be left out where the terminal is narrow."""
    shown: Callable[[Any], str] = str

    def text(self, entry: Mapping[str, Any]) -> str:
        """What stands in its cell."""
        return printable(self.shown(entry[self.member]))


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works with: whom to ask, and how to say what came of it."""

    operator: Operator
    as_json: bool

    def ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """See `Operator.request`."""
        return self.operator.request(method, path, query, body)

    def entries(self, path: str, query: Mapping[str, str | None]) -> list[dict[str, Any]]:
        """A whole list, page by page."""
        return list(self._pages(path, {name: value for name, value in query.items() if value is not None}))

    def _pages(self, path: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        after: str | None = ""
        while after is not None:
            reply = self.ask("GET", path, {**query, "limit": str(PAGE), **({"after": after} if after else {})})
            yield from reply["data"]
            after = reply["next"]

    def table(self, columns: Sequence[Column], entries: Sequence[dict[str, Any]], none: str) -> None:
        """A list; `none` is said where it is empty."""
        if self.as_json:
            click.echo(json.dumps(entries))
            return
        if not entries:
            click.echo(none)
            return
        shown, needed = fitting(columns, entries, console().width)
        made = table()
        for column in shown:
            made.add_column(column.head, no_wrap=not column.is_flexible, overflow="fold")
        for entry in entries:
            made.add_row(*(Text(column.text(entry)) for column in shown))
        console(needed).print(made)

    def facts(self, value: Mapping[str, Any], lines: Sequence[tuple[str, object]], title: str = "", note: str = "") -> None:
        """One thing: `value` for machines, `lines` for people, under `title` and above `note`."""
        if self.as_json:
            click.echo(json.dumps(value))
            return
        screen = console()
        if title:
            screen.print(Text(printable(title), "bold green"))
        width = max(len(name) for name, _ in lines) + 2
        for name, shown in lines:
            screen.print(Text.assemble((f"{name:<{width}}", "dim"), printable(str(shown))), soft_wrap=True)
        if note:
            screen.print(Text(note, "yellow"))

    def done(self, value: Mapping[str, Any], sentence: str) -> None:
        """Nothing is left to show."""
        click.echo(json.dumps(value) if self.as_json else printable(sentence))

    def confirm(self, question: str, is_sure: bool) -> None:
        """Ask before something is gone for good. Raises `click.Abort`, and `click.UsageError` where nobody can be asked."""
        if is_sure:
            return
        if self.as_json or not sys.stdin.isatty():
            raise click.UsageError(f"{question} Add --yes if you are sure.")
        click.confirm(question, abort=True)


def fitting(columns: Sequence[Column], entries: Sequence[dict[str, Any]], width: int) -> tuple[list[Column], int]:
    """The columns that `width` has room for, the last extras left out first; and the width that they need, which may be more."""
    shown = list(columns)
    while (needed := _needed(shown, entries)) > width and any(column.is_extra for column in shown):
        shown.remove([column for column in shown if column.is_extra][-1])
    return shown, needed


def _needed(columns: Sequence[Column], entries: Sequence[dict[str, Any]]) -> int:
    """Columns of a terminal for a table in which nothing is cut; two lie between its columns, and one on each side."""
    widest = [max(cell_len(text) for text in (column.head, *_cells(column, entries))) for column in columns]
    least = [min(width, FOLDED) if column.is_flexible else width for column, width in zip(columns, widest, strict=True)]
    return sum(least) + 2 * len(columns)


def _cells(column: Column, entries: Sequence[dict[str, Any]]) -> Iterator[str]:
    return (column.text(entry) for entry in entries)


def operator_command(command: Callable[Concatenate[Desk, P], None]) -> Callable[P, None]:
    """The options that every command of the operator has; the command gets a `Desk` instead of them."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        options = {name: kwargs.pop(name) for name in ("config_file", "data_dir", "url", "admin_token", "as_json")}
        try:
            flags = given(data_dir=_path(options["data_dir"]))
            settings = load(flags, os.environ, _path(options["config_file"])).settings
        except SettingsError as error:
            raise refused(error) from error
        operator = Operator(settings.data_dir, _text(options["url"]), _text(options["admin_token"]), settings.auto_migrate)
        command(Desk(operator, bool(options["as_json"])), *args, **kwargs)

    options = (
        data_dir_option,
        config_option,
        click.option("--url", envvar="PAGECALLS_URL", default=None, metavar="URL", help="A server elsewhere."),
        click.option(
            "--admin-token",
            envvar="PAGECALLS_ADMIN_TOKEN",
            default=None,
            metavar="TOKEN",
            help="Its admin token; better in PAGECALLS_ADMIN_TOKEN.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )
    wrapped: Callable[..., None] = run
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


yes_option = click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
force_option = click.option("--force", is_flag=True, help="Although it is in use.")


class Duration(click.ParamType[float | None]):
    """`90s`, `15m`, `12h` or `30d`; `never` is no end."""

    name = "DURATION"

    def __init__(self, may_be_never: bool) -> None:
        self._may_be_never = may_be_never

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Seconds."""
        if not isinstance(value, str):
            return value
        if self._may_be_never and value == "never":
            return None
        match = re.fullmatch(r"([0-9]{1,9})([smhd])", value.lower())
        if match is None or int(match[1]) == 0:
            never = ", or never" if self._may_be_never else ""
            self.fail(f"{value!r} is no duration such as 90s, 15m, 12h or 30d{never}", param, ctx)
        return float(int(match[1]) * _UNITS_S[match[2]])


def given(**members: object) -> dict[str, object]:
    """A body of what was given."""
    return {name: value for name, value in members.items() if value is not None}


def something(body: dict[str, object]) -> dict[str, object]:
    """A change that changes something. Raises `click.UsageError`."""
    if not body:
        raise click.UsageError("Say what to change; --help lists what can be.")
    return body


def _path(value: object) -> Path | None:
    return value if isinstance(value, Path) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
