"""`pagecalls serve`: the server in the foreground, until SIGINT or SIGTERM."""

from __future__ import annotations

import errno
import gc
import logging
import os
import sqlite3
import sys
from pathlib import Path

import click
import msgspec
import uvloop
from rich.console import Console
from rich.text import Text

from pagecalls.cli.flags import ConfiguredCommand, chosen, config_option, refused, with_key_flags
from pagecalls.config.load import load
from pagecalls.connections.limits import make_room
from pagecalls.dev import DEV_FILE, DevFile
from pagecalls.logs import LogFormat, LogLevel, start_logging
from pagecalls.media.launch import EngineStartError
from pagecalls.media.protocol import EngineError
from pagecalls.notify import READY, notify
from pagecalls.operator_file import OPERATOR_FILE
from pagecalls.server import Addresses, listen, running, serve_until_stopped
from pagecalls.settings import Settings, SettingsError
from pagecalls.store.faults import passing
from pagecalls.store.migrate import UnusableDatabase

log = logging.getLogger("pagecalls")

_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


@click.command(cls=ConfiguredCommand)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready, and log as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Log more: --log-level info.")
@click.pass_context
def serve(ctx: click.Context, /, config_file: Path | None, as_json: bool, verbose: bool, **values: object) -> None:
    """Run the server. Without options: development mode on loopback, with an app, a Page and a consumer ready to use.

    What is set here beats the environment (PAGECALLS_UDP_PORT for --udp-port), and that the configuration file.
    """
    shorthands = ({"log_format": LogFormat.JSON} if as_json else {}) | ({"log_level": LogLevel.INFO} if verbose else {})
    try:
        configuration = load(shorthands | chosen(ctx, values), os.environ, config_file)
    except SettingsError as error:
        raise refused(error) from error
    settings = configuration.settings
    start_logging(settings.log_format, settings.log_level.number)
    for warning in configuration.warnings:
        log.warning("%s", warning)
    room = make_room(settings.max_connections)
    if 0 < room < settings.max_connections:
        log.warning(
            "at most %d descriptors are allowed here, so max_connections = %d is never reached", room, settings.max_connections
        )
    try:
        uvloop.run(_serve(settings, as_json))
    except EngineStartError as error:
        raise click.ClickException(f"{error}{_port_hint(str(error))}") from error
    except SettingsError as error:
        raise refused(error) from error
    except (EngineError, UnusableDatabase) as error:
        raise click.ClickException(str(error)) from error
    except (sqlite3.Error, OSError) as error:
        if said := _of_the_machine(error):
            raise click.ClickException(said) from error
        raise


with_key_flags(serve)


def _of_the_machine(error: sqlite3.Error | OSError) -> str:
    """What to say of a disk that is full or cannot be written; nothing of another fault, which is ours."""
    if isinstance(error, sqlite3.Error):
        return f"The database cannot be used: {error}." if passing(error, is_write=True) else ""
    return f"{error.strerror}: {error.filename}." if error.errno in _DISK_ERRORS and error.filename else ""


def _port_hint(error: str) -> str:
    if "Address already in use" not in error:
        return ""
    if "TCP port" in error:
        return "; --media-tcp-port 0 takes any free port, --media-tcp-port off does without"
    return "; --udp-port 0 takes any free port"


async def _serve(settings: Settings, as_json: bool) -> None:
    settings.check()
    with listen(settings) as listener:
        async with running(settings, listener) as server:
            # What the start has made stays to the end: the collector need not walk it again and again while calls come and go.
            gc.freeze()
            await serve_until_stopped(server, listener, lambda: _announce(server.addresses, settings, as_json))


def _announce(addresses: Addresses, settings: Settings, as_json: bool) -> None:
    notify(READY, os.environ)
    if as_json:
        ready = addresses.dev or {"base_url": addresses.base_url, "media": addresses.media}
        sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
        sys.stdout.flush()
        return
    if addresses.dev is None and not sys.stdout.isatty():
        # A service's output is its log, and the log has said it.
        return
    console = Console(highlight=False)
    console.print(Text("Page Calls is ready. Ctrl-C stops it.", "bold green"), end="\n\n")
    base_url = addresses.base_url
    _print_rows(
        console,
        ("Graph API", f"{base_url}/v26.0"),
        ("Reference", f"{base_url}/docs/"),
        ("Media (UDP)", ", ".join(addresses.media.udp)),
        ("Media (TCP)", addresses.media.tcp or "off"),
    )
    if addresses.dev is None:
        _print_rows(console, ("Operator", str(settings.data_dir / OPERATOR_FILE)))
    else:
        _announce_development(console, addresses.dev, settings)


def _announce_development(console: Console, dev: DevFile, settings: Settings) -> None:
    _print_rows(
        console,
        ("App", dev.app.id),
        ("App secret", dev.app.secret),
        ("Verify token", dev.verify_token),
        ("Page", dev.page.id),
        ("Page token", dev.page.access_token),
        ("Consumer", dev.consumer.psid),
        ("its token", dev.consumer.access_token),
        ("Admin token", dev.admin_token),
        ("Webhook", settings.webhook or "none named at this start; --webhook URL subscribes the app"),
        ("As JSON", str(settings.data_dir / DEV_FILE)),
    )
    curl = (
        f"curl -s '{dev.base_url}/v26.0/{dev.page.id}/messenger_call_permissions?psid={dev.consumer.psid}' \\\n"
        f"  -H 'Authorization: Bearer {dev.page.access_token}'"
    )
    console.print(Text.assemble(("\nMay the Page call the consumer?\n", "dim"), curl), soft_wrap=True)


def _print_rows(console: Console, *rows: tuple[str, str]) -> None:
    for name, value in rows:
        # Never folded: a token must be copyable in one piece. The longest just fits into 80 columns.
        console.print(Text.assemble((f"{name:<13}", "dim"), value), soft_wrap=True)
