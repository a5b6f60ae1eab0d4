"""A server with the fake engine in a process of its own, for killing: `python -m tests.resilience.fake_server`.

It takes the options of `pagecalls serve` that the tests use. Its engine dies with it, so the calls of a killed one have failed.
Its peers come up as soon as they know each other. Its clock is ahead by `--ahead-s`, so that what is over grows old from one
start to the next, and its upkeep runs all the time.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import msgspec
import uvloop

from pagecalls.clock import SystemClock
from pagecalls.logs import LogFormat, start_logging
from pagecalls.media.fake import FakeEngine
from pagecalls.media.protocol import Command, EngineError, LegApply, Record
from pagecalls.server import Server, listen, running, serve_until_stopped
from pagecalls.settings import Settings
from pagecalls.switchboard.upkeep import Upkeep

UPKEEP_EVERY_S = 0.2


class WillingEngine(FakeEngine):
    """Every peer comes up when its leg is told of it."""

    def _do(self, command: Command) -> Record:
        self.history.clear()  # for tests that look at it; here it would only grow
        done = super()._do(command)
        if isinstance(command, LegApply):
            asyncio.get_running_loop().call_soon(self._come_up, command.leg)
        return done

    def _come_up(self, leg: str) -> None:
        known = self.legs.get(leg)
        if known is not None and known.dtls == "new":
            try:
                self.peer_up(leg)
            except EngineError:
                return  # its description came without a peer; the next one has it


def main() -> None:
    """Serve until killed or stopped."""
    parser = argparse.ArgumentParser(prog="python -m tests.resilience.fake_server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--udp-port", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--webhook", required=True)
    parser.add_argument("--ahead-s", type=float, default=0.0)
    parser.add_argument("--retention-rows", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    start_logging(LogFormat.JSON, logging.WARNING)
    settings = Settings(
        port=options.port,
        udp_port=options.udp_port,
        workers=options.workers,
        data_dir=options.data_dir,
        webhook=options.webhook,
        retention_days=1,
        retention_rows=options.retention_rows,
        app_calls_per_hour=None,
        page_calls_per_s=None,
    )
    uvloop.run(_serve(settings, options.ahead_s))


async def _serve(settings: Settings, ahead_s: float) -> None:
    clock = SystemClock()
    clock.advance(ahead_s)
    with listen(settings) as listener:
        async with running(settings, listener, WillingEngine(clock), clock) as server:
            upkeep = asyncio.create_task(_keep_up(server.upkeep))
            await serve_until_stopped(server, listener, lambda: _announce(server))
            upkeep.cancel()
            await asyncio.gather(upkeep, return_exceptions=True)


async def _keep_up(upkeep: Upkeep) -> None:
    while True:
        await upkeep.run()
        await asyncio.sleep(UPKEEP_EVERY_S)


def _announce(server: Server) -> None:
    sys.stdout.write(msgspec.json.encode(server.dev).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
