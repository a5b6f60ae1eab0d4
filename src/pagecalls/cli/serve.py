"""`pagecalls serve`: the server in the foreground, until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import click
import msgspec
import uvloop
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from pagecalls.dev import DevFile
from pagecalls.logs import LogFormat, start_logging
from pagecalls.media.launch import EngineStartError
from pagecalls.media.protocol import EngineError
from pagecalls.server import listen, running, serve_until_stopped
from pagecalls.settings import DEFAULT_PORT, DEFAULT_UDP_PORT, Settings, SettingsError, default_data_dir
from pagecalls.store.migrate import UnusableDatabase

PORT = click.IntRange(0, 65_535)


class TcpPort(click.ParamType[int | None]):
    """`off`, or a port."""

    name = "port|off"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """`None` for `off`."""
        if str(value) == "off":
            return None
        if not str(value).isdecimal() or int(value) > 65_535:
            self.fail(f"{value!r} is neither a port nor 'off'", param, ctx)
        return int(value)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on, for HTTP and media.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=DEFAULT_PORT, show_default=True, help="HTTP port; 0 = any free one."
)
@click.option(
    "--udp-port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_UDP_PORT,
    show_default=True,
    help="Media port; 0 = any free one.",
)
@click.option("--media-tcp-port", type=TcpPort(), default="off", help="ICE-TCP port. Media goes over UDP only in this version.")
@click.option("--public-ip", "public_ips", multiple=True, help="Address to advertise for media; repeatable.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default=None, help="Where calls and keys live.")
@click.option("--webhook", default=None, metavar="URL", help="Subscribe the development app to this callback at start.")
@click.option("--allow-webhook-to", "networks", multiple=True, metavar="NETWORK", help="Private network that webhooks may reach.")
@click.option("--allow-host", "allowed_hosts", multiple=True, metavar="NAME", help="Further name of this host, for consumers.")
@click.option("--expose-development", is_flag=True, help="Listen beyond loopback; anyone can then be a consumer.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready; logs go to stderr as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def serve(
    host: str,
    port: int,
    udp_port: int,
    media_tcp_port: int | None,
    public_ips: tuple[str, ...],
    data_dir: Path | None,
    webhook: str | None,
    networks: tuple[str, ...],
    allowed_hosts: tuple[str, ...],
    expose_development: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Run the server. Without options: development mode on loopback, with an app, a Page and a consumer ready to use."""
    level = logging.INFO if verbose else logging.WARNING
    start_logging(LogFormat.JSON if as_json else LogFormat.TEXT, level)
    settings = Settings(
        host=host,
        port=port,
        udp_port=udp_port,
        public_ips=public_ips,
        data_dir=(data_dir or default_data_dir()).resolve(),
        webhook=webhook,
        is_exposed=expose_development,
        allowed_hosts=frozenset(allowed_hosts),
        webhook_networks=networks,
        dev_seed=os.environ.get("PAGECALLS_DEV_SEED"),
    )
    if media_tcp_port is not None:
        click.echo("pagecalls: ICE-TCP is not offered in this version; media goes over UDP only", err=True)
    try:
        uvloop.run(_serve(settings, as_json))
    except (SettingsError, EngineStartError, EngineError, UnusableDatabase) as error:
        raise click.ClickException(str(error)) from error


async def _serve(settings: Settings, as_json: bool) -> None:
    settings.check()
    with listen(settings) as listener:
        async with running(settings, listener) as server:
            serving = asyncio.create_task(serve_until_stopped(server, listener))
            _announce(server.dev, settings, as_json)
            await serving


def _announce(dev: DevFile, settings: Settings, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode(dev).decode() + "\n")
        sys.stdout.flush()
        return
    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in (
        ("Graph base URL", f"{dev.base_url}/v26.0"),
        ("Media (UDP)", ", ".join(dev.media.udp)),
        ("App", f"{dev.app.id}  secret {dev.app.secret}"),
        ("Page", f"{dev.page.id}  {dev.page.name}"),
        ("Page token", dev.page.access_token),
        ("Verify token", dev.verify_token),
        ("Admin token", dev.admin_token),
        ("Consumer", f"{dev.consumer.psid}  token {dev.consumer.access_token}"),
        ("Webhook", settings.webhook or "none; --webhook URL subscribes the app"),
        ("All this as JSON", str(settings.data_dir / "dev.json")),
    ):
        table.add_row(name, value)
    console.print(Panel(table, title="Page Calls is ready", expand=False))
    console.print("Try it:", style="dim")
    console.print(
        f"curl -s '{dev.base_url}/v26.0/{dev.page.id}/messenger_call_permissions?psid={dev.consumer.psid}' \\\n"
        f"  -H 'Authorization: Bearer {dev.page.access_token}'",
        soft_wrap=True,
        highlight=False,
    )
