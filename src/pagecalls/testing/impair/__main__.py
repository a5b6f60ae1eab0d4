"""`python -m pagecalls.testing.impair`: the relay as a command, until Ctrl-C."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click
import uvloop

from pagecalls.testing.impair.flow import Address
from pagecalls.testing.impair.impairment import CLEAR, Impairment
from pagecalls.testing.impair.packets import Kind
from pagecalls.testing.impair.screen import JsonScreen, Screen, TextScreen
from pagecalls.testing.impair.sockets import relay

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


class HostPort(click.ParamType[Address]):
    """`host:port`, an IPv6 address in brackets."""

    name = "HOST:PORT"

    def convert(self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Refuses what has no port."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\[[^\]]+\]|[^:]+):(\d{1,5})", value)
        if match is None or int(match[2]) > 65_535:
            self.fail(f"{value!r} is not HOST:PORT (an IPv6 address in brackets: [::1]:40000)", param, ctx)
        return match[1].strip("[]"), int(match[2])


class Share(click.ParamType[float]):
    """`5%` or `0.05`."""

    name = "SHARE"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """A number above 1 without its sign is refused: nobody can tell what was meant."""
        text = str(value)
        share = -1.0
        with suppress(ValueError):
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is not a share: write 5% or 0.05", param, ctx)
        return share


class Rate(click.ParamType[float]):
    """Bits a second: `64k`, `1.5M`."""

    name = "BITS/S"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Accepts k, M and G."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([kMG]?)", str(value), re.IGNORECASE)
        if match is None or float(match[1]) == 0:
            self.fail(f"{value!r} is not a rate: write 64k or 1.5M", param, ctx)
        return float(match[1]) * _UNITS[match[2].lower()]


class Kinds(click.ParamType[Kind]):
    """A list as `rtp,rtcp`."""

    name = "KINDS"

    def convert(self, value: str | Kind, param: click.Parameter | None, ctx: click.Context | None) -> Kind:
        """Refuses unknown names."""
        if isinstance(value, Kind):
            return value
        kinds = Kind(0)
        for name in value.split(","):
            if name.upper() not in Kind.__members__:
                self.fail(f"{name!r} is none of {', '.join(each.lower() for each in Kind.__members__)}", param, ctx)
            kinds |= Kind[name.upper()]
        return kinds


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--to", type=HostPort(), required=True, help="The media port of the server.")
@click.option("--listen", type=HostPort(), help="Where peers send to; a free port if not given.")
@click.option("--direction", type=click.Choice(["both", "up", "down"]), default="both", help="up: from peers to the server.")
@click.option("--loss", type=Share(), default="0%", help="Datagrams that vanish.")
@click.option("--loss-burst", type=float, metavar="N", help="Mean number of neighbours that vanish together.")
@click.option("--delay", "delay_ms", type=float, default=0.0, metavar="MS", help="What every datagram waits.")
@click.option("--jitter", "jitter_ms", type=float, default=0.0, metavar="MS", help="Mean of what each waits beyond it.")
@click.option("--jitter-reorders", is_flag=True, help="Let jitter change the order.")
@click.option("--reorder", type=Share(), default="0%", help="Datagrams that are held back until others have passed.")
@click.option("--reorder-depth", type=int, default=CLEAR.reorder_depth, metavar="N", help="How many others.")
@click.option("--duplicate", type=Share(), default="0%", help="Datagrams that come twice.")
@click.option("--rate", "rate_bps", type=Rate(), help="What passes, in each direction and for each peer.")
@click.option("--queue", "queue_ms", type=float, default=CLEAR.queue_ms, metavar="MS", help="Longest wait for the rate.")
@click.option("--mtu", "mtu_bytes", type=int, metavar="BYTES", help="Largest UDP payload that passes.")
@click.option("--only", "impairs", type=Kinds(), default="any", help="What is concerned: stun, dtls, rtp, rtcp, media, any.")
@click.option("--rebind-every", "rebind_s", type=click.FloatRange(min=0.1), metavar="S", help="Change the source ports so often.")
@click.option("--seed", type=int, default=0, help="The same seed loses the same datagrams again.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON when ready, each second and at the end.")
def main(
    to: Address,
    listen: Address | None,
    direction: str,
    rebind_s: float | None,
    seed: int,
    as_json: bool,
    **knobs: Any,
) -> None:
    """A bad network in front of a media port: a UDP relay that loses, delays and reorders datagrams, until Ctrl-C.

    With `pagecalls serve --public-ip 127.0.0.2 --workers 1` peers on this machine are told an address where the relay can
    listen, and no other:

    \b
      python -m pagecalls.testing.impair \\
        --to 127.0.0.1:40000 --listen 127.0.0.2:40000 --loss 5%
    """
    try:
        impairment = Impairment(**knobs)  # the options that are left are its members
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    up, down = (impairment if direction in ("both", each) else CLEAR for each in ("up", "down"))
    screen = JsonScreen() if as_json else TextScreen()
    try:
        uvloop.run(_run(to, listen, up, down, rebind_s, seed, screen))
    except OSError as error:
        raise click.ClickException(f"{error.strerror or error}") from error


async def _run(
    to: Address,
    listen: Address | None,
    up: Impairment,
    down: Impairment,
    rebind_s: float | None,
    seed: int,
    screen: Screen,
) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with relay(to, up=up, down=down, seed=seed, listen=listen) as link, asyncio.TaskGroup() as tasks:
        screen.ready(link, to)

        def rebind() -> None:
            link.change_source()
            screen.rebound(link)

        regular = [tasks.create_task(_every(1.0, lambda: screen.progress(link)))]
        if rebind_s is not None:
            regular.append(tasks.create_task(_every(rebind_s, rebind)))
        await stopped.wait()
        for task in regular:
            task.cancel()
        screen.end(link)


async def _every(seconds: float, do: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        do()


if __name__ == "__main__":
    main(prog_name="python -m pagecalls.testing.impair")
