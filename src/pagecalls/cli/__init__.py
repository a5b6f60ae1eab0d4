"""The `pagecalls` command. One module per subcommand; this file only lists them.

A command's module is loaded when it is used: a probe that is asked every few seconds should not load a whole server.
"""

from __future__ import annotations

import importlib

import click

from pagecalls import __version__

COMMANDS = ("serve", "demo", "config", "ready", "app", "page", "user", "token", "consumer", "webhook", "db")
"""Each is the name of a command, of its module in this package, and of the command in it."""


class Commands(click.Group):
    """A group whose commands are loaded one by one, in the order of the list."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, if there is one of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pagecalls")
def main() -> None:
    """A server for Meta's Page Calls API that really carries the calls."""
