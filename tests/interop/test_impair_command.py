"""The recipe of docs/testing.md: peers are told the address of a relay that stands before the media port, and none is changed.

Both lines are run as the page has them, on another port. What the relay can do is in `test_impaired.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from tests.interop.world import WAIT_S, Call, Start, World, a_server, a_world

pytestmark = pytest.mark.asyncio(loop_scope="package")

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
SERVE, RELAY = ["pagecalls", "serve"], ["python", "-m", "pagecalls.testing.impair"]
PORT = "40000"
MANY_WORKERS = 3
"""So many a machine with four cores has, unless the recipe says otherwise."""
BUSINESS_HZ, CONSUMER_HZ = 600, 1000
"""Whole periods in a packet, as in `test_impaired.py`."""


def recipe(command: list[str], port: int) -> list[str]:
    """What follows this command in its line of the page."""
    lines = re.findall(r"(?m)^    (pagecalls .*|python .*)$", PAGE.read_text(encoding="utf-8"))
    (words,) = [words for words in map(shlex.split, lines) if words[: len(command)] == command]
    assert any(PORT in word for word in words)
    return [word.replace(PORT, str(port)) for word in words[len(command) :]]


def free_port() -> int:
    """A number that nobody has now, for the server over UDP and TCP and for the relay over UDP."""
    while True:
        with ExitStack() as stack:
            kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_DGRAM)
            first, *others = [stack.enter_context(socket.socket(type=kind)) for kind in kinds]
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                for each, address in zip(others, ("127.0.0.1", "127.0.0.2"), strict=True):
                    each.bind((address, port))
            except OSError:
                continue
            return port


@asynccontextmanager
async def the_relay(port: int) -> AsyncIterator[list[dict[str, Any]]]:
    """The relay of the page, ready. The list gets its lines when it has ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(*RELAY[1:], *recipe(RELAY, port), "--json"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    told: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(WAIT_S):
            told.append(json.loads(await process.stdout.readline()))
        yield told
        process.send_signal(signal.SIGINT)
        told += map(json.loads, (await process.stdout.read()).splitlines())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def a_call(world: World, start: Start) -> Call:
    business, consumer = [await start(AiortcPeer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    return await world.consumer_calls(business, consumer)


async def test_calls_are_heard_through_the_relay_at_the_public_address(tmp_path: Path, start: Start) -> None:
    """Two at once, so that every worker that peers are led to must be behind the relay."""
    port = free_port()
    options = recipe(SERVE, port)
    async with (
        the_relay(port) as told,
        a_server(tmp_path / "data", options, workers=MANY_WORKERS) as server,
        a_world(*server) as world,
        a_world(*server) as another,
    ):
        assert world.dev.media.udp == [f"127.0.0.2:{port}"]
        calls = [await a_call(each, start) for each in (world, another)]
        for call, (at_business, at_consumer) in zip(calls, await asyncio.gather(*(call.hear() for call in calls)), strict=True):
            assert at_business.is_tone(CONSUMER_HZ), at_business
            assert at_consumer.is_tone(BUSINESS_HZ), at_consumer
            for peer in (call.business, call.consumer):
                pair = (await peer.stats()).selected_pair
                assert pair is not None
                assert pair.remote == f"127.0.0.2:{port}"
        for call, each in zip(calls, (world, another), strict=True):
            await each.hang_up(call)
    assert (told[0]["event"], told[-1]["event"]) == ("ready", "end")
    for direction in ("up", "down"):
        sound = told[-1][direction]["kinds"]["rtp"]
        assert sound["forwarded"] > 200, sound
        assert sound["lost"] > 0, sound
