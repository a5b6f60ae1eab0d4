"""The flags of `pagecalls serve` from the table of keys: one for each key that is no secret, under the headings of the table."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from click.core import ParameterSource

from pagecalls.config.keys import KEYS, Key
from pagecalls.config.kinds import Kind, Unfit, written
from pagecalls.config.load import CONFIG_VARIABLE, data_dir
from pagecalls.settings import SettingsError


class KindParam(click.ParamType[object]):
    """A kind of value as click knows it."""

    def __init__(self, kind: Kind) -> None:
        self.name = kind.metavar
        self._kind = kind

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """The setting, or a usage error that says what would fit."""
        try:
            return self._kind.read_text(str(value))
        except Unfit as unfit:
            self.fail(str(unfit), param, ctx)


class KeyOption(click.Option):
    """The flag of a key. It has no default of its own: what nobody gave is decided elsewhere."""

    def __init__(self, key: Key) -> None:
        self.key = key
        text = f"{key.text}{_default(key)}"
        if key.kind.is_switch:
            super().__init__([f"{key.flag}/{key.flag.replace('--', '--no-', 1)}", key.name], default=None, help=text)
        elif key.kind.is_list:
            super().__init__([key.flag, key.name], type=KindParam(key.kind), multiple=True, metavar=key.kind.metavar, help=text)
        else:
            super().__init__([key.flag, key.name], type=KindParam(key.kind), metavar=key.kind.metavar, help=text)


class ConfiguredCommand(click.Command):
    """A command whose help shows the flags of keys under the headings of their sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """First its own options, then a block for each section."""
        blocks: dict[str, list[tuple[str, str]]] = {"Options": []}
        for param in self.get_params(ctx):
            title = param.key.section.value if isinstance(param, KeyOption) else "Options"
            record = param.get_help_record(ctx)
            if record is not None:
                blocks.setdefault(title, []).append(record)
        for title, records in blocks.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=34)


def with_key_flags(command: click.Command) -> click.Command:
    """`command` with a flag for each key; `chosen` reads them."""
    command.params += [KeyOption(key) for key in KEYS if not key.is_secret]
    return command


def chosen(ctx: click.Context, values: Mapping[str, object]) -> dict[str, object]:
    """The settings that flags gave, by name of their key."""
    return {
        param.key.name: _joined(param.key, values[param.key.name])
        for param in ctx.command.params
        if isinstance(param, KeyOption) and ctx.get_parameter_source(param.key.name) is ParameterSource.COMMANDLINE
    }


def config_option(command: Callable[..., None]) -> Callable[..., None]:
    """`--config FILE`."""
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        metavar="FILE",
        help=f"Configuration file, TOML; `pagecalls config example` prints one.  [env: {CONFIG_VARIABLE}]",
    )(command)


def data_dir_option(command: Callable[..., None]) -> Callable[..., None]:
    """`--data-dir FOLDER`."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=None,
        metavar="FOLDER",
        help="Data directory of the server.  [env: PAGECALLS_DATA_DIR]",
    )(command)


def find_data_dir(given: Path | None, config_file: Path | None) -> Path:
    """The data directory that option, environment or configuration file name. Raises `click.ClickException`."""
    try:
        return data_dir(given, os.environ, config_file)
    except SettingsError as error:
        raise refused(error) from error


def refused(error: SettingsError) -> click.ClickException:
    """Settings that cannot work, as the command's last words."""
    lines = str(error).splitlines()
    return click.ClickException(lines[0] if len(lines) == 1 else "\n  ".join(["several settings cannot work:", *lines]))


def _joined(key: Key, value: object) -> object:
    """A flag that may be repeated is one list; each time it may also name several, with commas."""
    if not key.kind.is_list or not isinstance(value, tuple):
        return value
    return key.kind.read([each for part in value for each in part])


def _default(key: Key) -> str:
    if key.derived:
        return f"  [default: {key.derived}]"
    if key.default is None and not key.kind.metavar.endswith("|off"):
        return ""
    if key.kind.is_switch or key.kind.is_list:
        return ""
    return f"  [default: {written(key.default).strip(chr(34))}]"
