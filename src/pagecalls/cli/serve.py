"""`pagecalls serve`: the server in the foreground, until SIGINT or SIGTERM."""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import sys
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import click
import msgspec
import uvloop
from rich.console import Console
from rich.text import Text

from pagecalls.dev import DevFile
from pagecalls.logs import LogFormat, start_logging
from pagecalls.media.launch import EngineStartError
from pagecalls.media.protocol import EngineError
from pagecalls.server import DEV_FILE, listen, running, serve_until_stopped
from pagecalls.settings import (
    DEFAULT_PORT,
    DEFAULT_UDP_PORT,
    MAX_WORKERS,
    Settings,
    SettingsError,
    default_data_dir,
    default_workers,
)
from pagecalls.store.migrate import UnusableDatabase

PORT = click.IntRange(0, 65_535)
"""0 takes any free one."""


class TcpPort(click.ParamType[int | Literal["off"]]):
    """`off`, or a port."""

    name = "PORT|off"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int | Literal["off"]:
        """0 takes any free one."""
        if value == "off":
            return "off"
        if not str(value).isdecimal() or int(value) > 65_535:
            self.fail(f"{value!r} is neither a port nor 'off'", param, ctx)
        return int(value)


class Limit(click.ParamType[int | None]):
    """`off`, or a number from 1."""

    name = "N|off"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """`off` is no limit."""
        if value == "off":
            return None
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f"{value!r} is neither a number from 1 nor 'off'", param, ctx)
        return int(value)


class IpAddress(click.ParamType[str]):
    """An address, or `localhost`."""

    name = "ip"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The media engine binds addresses, not names."""
        if value == "localhost":
            return "127.0.0.1"
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            self.fail(f"{value!r} is not an IP address", param, ctx)


class HttpUrl(click.ParamType[str]):
    """An address that a webhook can be sent to."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As it is, if it has a scheme and a host."""
        try:
            parts = urlsplit(value)
            is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_usable = False
        if not is_usable:
            self.fail(f"{value!r} is not a URL such as http://127.0.0.1:9000/webhook", param, ctx)
        return value


@click.command()
@click.option(
    "--host",
    type=IpAddress(),
    default="127.0.0.1",
    show_default=True,
    metavar="IP",
    help="Address to listen on, for HTTP and media.",
)
@click.option("--port", type=PORT, metavar="PORT", default=DEFAULT_PORT, show_default=True, help="HTTP port; 0 = any free one.")
@click.option(
    "--udp-port",
    type=PORT,
    metavar="PORT",
    default=DEFAULT_UDP_PORT,
    show_default=True,
    help="Media port of the first worker, the next ones follow; 0 = any free ones.",
)
@click.option(
    "--media-tcp-port",
    type=TcpPort(),
    default=None,
    help="Media over TCP, for networks without UDP; 0 = any free one.  [default: the number of --udp-port]",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    metavar="N",
    default=None,
    help="Threads that carry media, each with a UDP port.  [default: all cores but one]",
)
@click.option(
    "--max-calls",
    type=click.IntRange(1),
    metavar="N",
    default=None,
    help="Calls that may be up at the same time.  [default: 2000 for each worker]",
)
@click.option(
    "--public-ip",
    "public_ips",
    type=IpAddress(),
    multiple=True,
    metavar="IP",
    help="Address to tell peers for media; repeatable.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    metavar="FOLDER",
    help="Where calls and keys live.  [default: ~/.local/share/pagecalls]",
)
@click.option("--webhook", type=HttpUrl(), default=None, metavar="URL", help="Subscribe the development app to this address.")
@click.option("--allow-webhook-to", "networks", multiple=True, metavar="NETWORK", help="Private network that webhooks may reach.")
@click.option("--allow-host", "allowed_hosts", multiple=True, metavar="NAME", help="Further name of this host, for consumers.")
@click.option("--expose-development", is_flag=True, help="Listen beyond loopback; anyone can then be a consumer.")
@click.option(
    "--drain-s",
    type=click.FloatRange(0),
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="How long a stop waits for live calls; a second signal does not wait.",
)
@click.option(
    "--app-calls-per-hour",
    type=Limit(),
    metavar="N|off",
    default="5000",
    show_default=True,
    help="Graph requests of one app with its own or its users' tokens.",
)
@click.option(
    "--page-calls-per-s",
    type=Limit(),
    metavar="N|off",
    default="300",
    show_default=True,
    help="Graph requests with one Page's token.",
)
@click.option(
    "--call-rate-per-consumer-24h",
    type=click.IntRange(1),
    metavar="N",
    default=None,
    help="Calls that a Page may start to one person in a day.  [default: no limit]",
)
@click.option("--strict-reach", is_flag=True, help="Refuse to call a person without a connected device, instead of ringing.")
@click.option("--swap-codes", is_flag=True, help="Give the calling errors 2018389 to 2018396 as error_subcode under code 100.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready; logs go to stderr as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def serve(
    host: str,
    port: int,
    udp_port: int,
    media_tcp_port: int | Literal["off"] | None,
    workers: int | None,
    max_calls: int | None,
    public_ips: tuple[str, ...],
    data_dir: Path | None,
    webhook: str | None,
    networks: tuple[str, ...],
    allowed_hosts: tuple[str, ...],
    expose_development: bool,
    drain_s: float,
    app_calls_per_hour: int | None,
    page_calls_per_s: int | None,
    call_rate_per_consumer_24h: int | None,
    strict_reach: bool,
    swap_codes: bool,
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
        media_tcp_port=tcp_port(media_tcp_port, udp_port),
        workers=workers or default_workers(),
        max_calls=max_calls,
        public_ips=public_ips,
        data_dir=(data_dir or default_data_dir()).resolve(),
        webhook=webhook,
        is_exposed=expose_development,
        allowed_hosts=frozenset(allowed_hosts),
        webhook_networks=networks,
        drain_s=drain_s,
        app_calls_per_hour=app_calls_per_hour,
        page_calls_per_s=page_calls_per_s,
        call_rate_per_consumer_24h=call_rate_per_consumer_24h,
        strict_reach=strict_reach,
        swap_codes=swap_codes,
        dev_seed=os.environ.get("PAGECALLS_DEV_SEED"),
    )
    try:
        uvloop.run(_serve(settings, as_json))
    except EngineStartError as error:
        raise click.ClickException(f"{error}{_port_hint(str(error))}") from error
    except (SettingsError, EngineError, UnusableDatabase) as error:
        raise click.ClickException(str(error)) from error


def tcp_port(asked: int | Literal["off"] | None, udp_port: int) -> int | None:
    """The port for media over TCP: unless another is named, the number of the UDP port, so that one number is to be opened in a
    firewall, and servers that share a machine keep apart by the number that they need anyway."""
    match asked:
        case "off":
            return None
        case None:
            return udp_port
        case _:
            return asked


def _port_hint(error: str) -> str:
    if "Address already in use" not in error:
        return ""
    if "TCP port" in error:
        return " --media-tcp-port 0 takes any free port, --media-tcp-port off does without."
    return " --udp-port 0 takes any free port."


async def _serve(settings: Settings, as_json: bool) -> None:
    settings.check()
    with listen(settings) as listener:
        async with running(settings, listener) as server:
            # What the start has made stays to the end: the collector need not walk it again and again while calls come and go.
            gc.freeze()
            await serve_until_stopped(server, listener, lambda: _announce(server.dev, settings, as_json))


def _announce(dev: DevFile, settings: Settings, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode(dev).decode() + "\n")
        sys.stdout.flush()
        return
    console = Console(highlight=False)
    console.print(Text("Page Calls is ready. Ctrl-C stops it.", "bold green"), end="\n\n")
    for name, value in (
        ("Graph API", f"{dev.base_url}/v26.0"),
        ("Reference", f"{dev.base_url}/docs/"),
        ("Media (UDP)", ", ".join(dev.media.udp)),
        ("Media (TCP)", dev.media.tcp or "off"),
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
    ):
        # Never folded: a token must be copyable in one piece. The longest just fits into 80 columns.
        console.print(Text.assemble((f"{name:<13}", "dim"), value), soft_wrap=True)
    curl = (
        f"curl -s '{dev.base_url}/v26.0/{dev.page.id}/messenger_call_permissions?psid={dev.consumer.psid}' \\\n"
        f"  -H 'Authorization: Bearer {dev.page.access_token}'"
    )
    console.print(Text.assemble(("\nMay the Page call the consumer?\n", "dim"), curl), soft_wrap=True)
