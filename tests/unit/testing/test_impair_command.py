"""The relay as a command, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from click.testing import CliRunner

from pagecalls.testing.impair.__main__ import main

WITHIN_S = 10.0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing option '--to'"),
        (["--to", "nowhere"], "'nowhere' is not HOST:PORT"),
        (["--to", "127.0.0.1:70000"], "'127.0.0.1:70000' is not HOST:PORT"),
        (["--to", "127.0.0.1:9", "--loss", "5"], "'5' is not a share: write 5% or 0.05"),
        (["--to", "127.0.0.1:9", "--loss", "80%", "--loss-burst", "2"], "a loss of 0.8 needs bursts of 4"),
        (["--to", "127.0.0.1:9", "--rate", "fast"], "'fast' is not a rate: write 64k or 1.5M"),
        (["--to", "127.0.0.1:9", "--only", "rtp,video"], "'video' is none of stun, dtls, rtp, rtcp, other, media, any"),
        (["--to", "127.0.0.1:9", "--listen", "192.0.2.1:4"], "192.0.2.1:4: Cannot assign requested address"),
        (["--to", "[::1]:9", "--listen", "127.0.0.1:0"], "127.0.0.1:0: Address family"),
    ],
)
def test_what_cannot_be(arguments: list[str], sentence: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code in (1, 2)
    assert f"Error: {sentence}" in result.output or f": {sentence}" in result.output


@asynccontextmanager
async def command(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Running, and ended with Ctrl-C."""
    line = ["-m", "pagecalls.testing.impair", *arguments]
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    process = await asyncio.create_subprocess_exec(sys.executable, *line, stdout=asyncio.subprocess.PIPE, env=environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_of(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        return await process.stdout.readline()


async def test_it_relays_and_tells_in_json() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as engine, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for end in (engine, peer):
            end.bind(("127.0.0.1", 0))
            end.setblocking(False)
        to = f"127.0.0.1:{engine.getsockname()[1]}"
        async with command("--to", to, "--only", "rtp", "--loss", "100%", "--json") as process:
            ready = json.loads(await line_of(process))
            assert (ready["event"], ready["to"]) == ("ready", to)
            host, _, port = ready["address"].partition(":")
            for datagram in (b"\x80\x6f" + bytes(20), b"\x00\x01stun"):
                peer.sendto(datagram, (host, int(port)))
            async with asyncio.timeout(WITHIN_S):
                assert await loop.sock_recv(engine, 100) == b"\x00\x01stun"
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            last = json.loads((await process.stdout.read()).splitlines()[-1])
            assert await process.wait() == 0
    assert (last["event"], last["peers"]) == ("end", 1)
    assert last["up"]["kinds"]["rtp"]["lost"] == last["up"]["streams"]["0"]["lost"] == 1
    assert last["up"]["kinds"]["stun"]["forwarded"] == 1


async def test_what_people_see() -> None:
    async with command("--to", "[::1]:9") as process:
        assert b"it goes on to [::1]:9. Ctrl-C stops it." in await line_of(process)
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert b"Nothing came." in await process.stdout.read()
        assert await process.wait() == 0
