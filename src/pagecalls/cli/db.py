"""`pagecalls db`: the database's condition, its copies, and its way to a new version (decision 62).

These commands read the file themselves, not by way of a server: they are for the moments when none can run.
"""

from __future__ import annotations

import functools
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Concatenate, ParamSpec

import click
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pagecalls.cli.flags import config_option, data_dir_option, find_data_dir
from pagecalls.cli.look import console, minute, table
from pagecalls.clock import SystemClock
from pagecalls.data_dir import DATABASE, DataDirInUse, sole_user
from pagecalls.settings import SettingsError
from pagecalls.store import migrate, queries
from pagecalls.store.backup import BackupFailed, back_up
from pagecalls.store.backup import check as check_file
from pagecalls.store.condition import Condition, examine
from pagecalls.store.migrate import UnusableDatabase

P = ParamSpec("P")


def _on_database(command: Callable[Concatenate[Path, bool, P], None]) -> Callable[..., None]:
    """Gives `command` the database of the data directory that options, environment or configuration name, and `--json`."""

    @functools.wraps(command)
    def run(config_file: Path | None, data_dir: Path | None, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:
        command(find_data_dir(data_dir, config_file) / DATABASE, as_json, *args, **kwargs)

    options = (
        data_dir_option,
        config_option,
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )
    for option in reversed(options):
        run = option(run)
    return run


@click.group()
def db() -> None:
    """The database: its condition, copies of it, and its upgrade."""


@db.command()
@_on_database
def status(path: Path, as_json: bool) -> None:
    """Show version, size and age of what is stored. A server may run."""
    with _said():
        found = examine(path)
    if as_json:
        _print_json(asdict(found) | {"path": str(found.path)})
        return
    screen = console()
    screen.print(f"{found.path}", soft_wrap=True)
    screen.print(_version_line(found))
    file, free, log = (decimal(size) for size in (found.file_bytes, found.free_bytes, found.log_bytes))
    screen.print(f"{file}, of that {free} free; the write-ahead log has {log}", soft_wrap=True)
    screen.print(_tables(found))


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="Replace FILE if it is there; it stays as it is until the new copy is whole.")
@_on_database
def backup(path: Path, as_json: bool, file: Path, replace: bool) -> None:
    """Copy the database to FILE, whole and checked. A server may run."""
    if file.exists() and not replace:
        raise click.ClickException(f"{file} is there already; name another file, or add --replace.")
    size = _copied(path, file, is_quiet=as_json)
    if as_json:
        _print_json({"file": str(file), "bytes": size})
    else:
        click.echo(f"{file}: {decimal(size)}, checked.")


@db.command()
@click.option("--no-backup", is_flag=True, help="Do not copy the database first.")
@_on_database
def upgrade(path: Path, as_json: bool, no_backup: bool) -> None:
    """Bring the database to the schema of this version. No server may run."""
    with _said():
        if not path.is_file():
            raise FileNotFoundError(2, "there is no database", str(path))
        with sole_user(path.parent):
            before = examine(path)
            copy = None
            if before.pending and not no_backup:
                copy = _copy_name(path, before.version)
                _copied(path, copy, is_quiet=as_json)
            _migrate(path)
            done = {"from": before.version, "to": examine(path).version, "migrations": list(before.pending)}
    if as_json:
        _print_json(done | {"backup": str(copy) if copy else None})
        return
    if not before.pending:
        click.echo(f"Nothing to do: the database has schema version {before.version}, which this program needs.")
        return
    click.echo(f"Schema version {done['from']} became {done['to']}: {', '.join(before.pending)}.")
    click.echo(f"As it was before: {copy}" if copy else "No copy was made.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@_on_database
def check(path: Path, as_json: bool, file: Path | None) -> None:
    """Read every page of the database, or of the copy FILE, and say whether it is whole. A server may run."""
    path = file or path
    with _said():
        faults = check_file(path) or _faults_of_version(path)
    if as_json:
        _print_json({"file": str(path), "faults": faults})
    else:
        for fault in faults:
            click.echo(fault)
        click.echo(f"{path} is damaged; docs/storage.md says how to restore a copy." if faults else f"{path} is whole.")
    sys.exit(1 if faults else 0)


# --- what the commands share ------------------------------------------------------------------------------------------


@contextmanager
def _said() -> Iterator[None]:
    """Whatever goes wrong is said in a sentence."""
    try:
        yield
    except DataDirInUse as error:
        raise click.ClickException(
            f"A server uses {error.folder}. Stop the server first; `pagecalls db status`, `check` and `backup` work beside it."
        ) from error
    except FileNotFoundError as error:
        raise click.ClickException(f"{error.strerror}: {error.filename}") from error
    except (SettingsError, UnusableDatabase, BackupFailed, OSError) as error:
        raise click.ClickException(str(error)) from error
    except sqlite3.Error as error:
        raise click.ClickException(f"The database cannot be used: {error}") from error


def _copied(source: Path, target: Path, *, is_quiet: bool) -> int:
    columns = (TextColumn("Copying"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with _said(), Progress(*columns, console=Console(stderr=True), transient=True, disable=is_quiet) as progress:
        bar = progress.add_task("copy", total=None)
        return back_up(source, target, lambda done, pages: progress.update(bar, completed=done, total=pages))


def _copy_name(path: Path, version: int) -> Path:
    now = datetime.fromtimestamp(SystemClock().now(), UTC)
    return path.with_name(f"{path.stem}-v{version}-{now:%Y%m%d-%H%M%S}{path.suffix}")


def _migrate(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        migrate.bring_up(connection, migrate.load(), queries.load())
    finally:
        connection.close()


def _faults_of_version(path: Path) -> list[str]:
    try:
        examine(path)
    except UnusableDatabase as error:
        return [str(error)]
    return []


def _version_line(found: Condition) -> str:
    if not found.pending:
        return f"Schema version {found.version}, which this program needs"
    return (
        f"Schema version {found.version}; `pagecalls db upgrade` brings it to {found.known_version}: {', '.join(found.pending)}"
    )


def _tables(found: Condition) -> Table:
    shown = table()
    shown.add_column("Table", no_wrap=True)
    for name in ("Rows", "Size", "Oldest", "Newest"):
        shown.add_column(name, justify="right", no_wrap=True)
    for each in found.tables:
        size = "-" if each.bytes is None else decimal(each.bytes)
        shown.add_row(each.name, f"{each.rows:,}", size, minute(each.oldest), minute(each.newest))
    return shown


def _print_json(value: object) -> None:
    click.echo(json.dumps(value))
