"""What commands print, and where it has to fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pagecalls.cli import main
from pagecalls.cli.operator import Operator
from pagecalls.cli.output import Column, Desk, fitting

ID, NAME, CALL, URL = (
    Column("ID", "id"),
    Column("Name", "name", is_flexible=True),
    Column("Call", "call", is_extra=True),
    Column("URL", "url", is_flexible=True, is_extra=True),
)
ENTRY = {"id": "1" * 15, "name": "n" * 60, "call": "c" * 45, "url": "u" * 30}


def commands(command: click.Command, *names: str) -> Iterator[tuple[str, ...]]:
    """The command and all below it, by their names."""
    yield names
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from commands(below, *names, name)


@pytest.mark.parametrize("names", list(commands(main)), ids=" ".join)
def test_a_help_text_fits_80_columns(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*names, "--help"], prog_name="pagecalls", terminal_width=80)
    assert shown.exit_code == 0
    assert [line for line in shown.output.splitlines() if len(line) > 80] == []


def test_a_name_that_a_stranger_chose_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(Operator(Path()), as_json=False)
    name = "\x1b]0;owned\x07\x1b[2JEve\u202e"
    desk.table([NAME], [{"name": name}], "nobody")
    desk.facts({}, [("Name", name)], title=name)
    desk.done({}, name)
    shown = capsys.readouterr().out
    assert shown.count("Eve") == 4
    assert all(each.isprintable() or each == "\n" for each in shown)


@pytest.mark.parametrize(
    ("width", "shown", "needed"),
    [
        (200, [ID, NAME, CALL, URL], 15 + 10 + 45 + 10 + 8),
        (88, [ID, NAME, CALL, URL], 88),
        (87, [ID, NAME, CALL], 15 + 10 + 45 + 6),
        (75, [ID, NAME], 15 + 10 + 4),
        (20, [ID, NAME], 29),
    ],
)
def test_a_narrow_table_leaves_out_the_last_extras_and_cuts_nothing(width: int, shown: list[Column], needed: int) -> None:
    assert fitting([ID, NAME, CALL, URL], [ENTRY], width) == (shown, needed)
