"""`pagecalls config`: an example of a configuration file, its check, and what is in force."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from pagecalls.cli.flags import config_option, refused
from pagecalls.cli.look import console, table
from pagecalls.clock import SystemClock
from pagecalls.config import pages
from pagecalls.config.keys import KEYS, Key
from pagecalls.config.kinds import written
from pagecalls.config.load import CONFIG_VARIABLE, Configuration, load
from pagecalls.settings import Settings, SettingsError


@click.group()
def config() -> None:
    """Print, check and explain configuration files. Every key is described in docs/configuration.md."""


@config.command()
def example() -> None:
    """Print a file with every key, its meaning and its default."""
    click.echo(pages.example(), nl=False)


@config.command()
@config_option
def check(config_file: Path | None) -> None:
    """Tell whether `pagecalls serve` would start with this file and this environment. Exit status 1 if not."""
    configuration = _load(config_file)
    _check_certificate(configuration.settings)
    for warning in configuration.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if configuration.file is None:
        click.echo(f"No file is named (--config, {CONFIG_VARIABLE}); flags, environment and defaults fit together.")
        return
    name = configuration.file.name
    count = sum(given.source == name for given in configuration.given.values())
    click.echo(f"{configuration.file} is fine: {count} key{'' if count == 1 else 's'} set, all known and in range.")


@config.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--all", "is_all", is_flag=True, help="Also what has its default.")
def show(config_file: Path | None, as_json: bool, is_all: bool) -> None:
    """Show what is in force, and where each value comes from. Secrets are hidden."""
    configuration = _load(config_file)
    if as_json:
        facts = {key.name: {"value": _plain(configuration, key), "source": configuration.source(key)} for key in KEYS}
        click.echo(json.dumps(facts))
        return
    shown = [key for key in KEYS if is_all or key.name in configuration.given]
    if not shown:
        click.echo("Everything has its default; --all shows it.")
        return
    lines = table()
    for column in ("Key", "Value", "From"):
        lines.add_column(column, overflow="fold")
    for key in shown:
        lines.add_row(key.name, _in_words(configuration, key), configuration.source(key))
    console().print(lines)


def _check_certificate(settings: Settings) -> None:
    if settings.tls_cert is None or settings.tls_key is None:
        return
    # Only here, because it takes a while to load.
    from pagecalls.tls import Tls

    try:
        Tls(settings.tls_cert, settings.tls_key, SystemClock().now())
    except SettingsError as error:
        raise refused(error) from error


def _load(config_file: Path | None) -> Configuration:
    try:
        return load({}, os.environ, config_file)
    except SettingsError as error:
        raise refused(error) from error


def _in_words(configuration: Configuration, key: Key) -> str:
    value = configuration.value(key)
    if key.is_secret:
        return "(hidden)" if value is not None else "-"
    if value is None:
        return "off" if key.kind.metavar.endswith("|off") else "-"
    if key.kind.is_list:
        return ", ".join(json.loads(written(value))) or "-"
    return written(value).strip('"')


def _plain(configuration: Configuration, key: Key) -> object:
    """The value as JSON; `None` where nothing is set, and `(hidden)` for a secret."""
    value = configuration.value(key)
    if value is None:
        return None
    return "(hidden)" if key.is_secret else json.loads(written(value))
