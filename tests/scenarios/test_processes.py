"""The real server and the real engine as processes: one is killed, stopped or told to go, and the other lives with it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice, DeviceRefused
from pagecalls.demo.serving import Served, serving

from .conftest import AIORTC, CHROMIUM, offered


@dataclass
class Host:
    """A server process, its development app, and a device of the development consumer."""

    server: Served
    app: BusinessApp
    device: ConsumerDevice

    async def start_call(self) -> str:
        started = await self.device.request("call.start", page_id=self.server.dev.page.id, session=offered(CHROMIUM))
        await self.app.expect("connect", started["call_id"])
        return str(started["call_id"])

    def kill(self) -> None:
        os.kill(self.server.pid, signal.SIGKILL)

    async def ready(self) -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{self.server.dev.base_url}/_pagecalls/ready") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def a_host(
    folder: Path, app: BusinessApp, options: Sequence[str] = (), log: list[str] | None = None
) -> AsyncIterator[Host]:
    async with serving(folder, app.url, options, log) as server:
        dev = server.dev
        app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret, dev.verify_token)
        device = ConsumerDevice()
        await device.connect(dev.base_url, dev.consumer.access_token)
        try:
            yield Host(server, app, device)
        finally:
            await device.close()


def engine_of(server: Served) -> int | None:
    """The server's only child, if it has one: an engine that was taken over is none."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return int(children[0]) if children else None


def is_alive(pid: int) -> bool:
    """Whether it runs; one that was not waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 10) -> None:
    """Another process has no event to wait for."""
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def until_gone(pid: int, within_s: float = 10) -> None:
    async def gone() -> bool:
        return not is_alive(pid)

    await until(gone, within_s)


async def test_a_killed_server_is_followed_by_one_that_takes_engine_and_calls_over(tmp_path: Path, app: BusinessApp) -> None:
    async with a_host(tmp_path, app) as first:
        call_id = await first.start_call()
        engine = engine_of(first.server)
        assert engine is not None
        first.kill()
    async with a_host(tmp_path, app) as second:
        assert engine_of(second.server) is None
        assert is_alive(engine)
        assert second.server.dev.media == first.server.dev.media
        assert (await second.device.expect("call.resumed", call_id=call_id)).params["state"] == "RINGING_IN"
        await app.call("accept", call_id=call_id, session=offered(AIORTC))
        await second.device.expect("call.accepted", call_id=call_id)
        await app.call("terminate", call_id=call_id)
        assert (await app.expect("terminate", call_id)).item["status"] == "Completed"
        # A webhook whose outcome was not written down when the server was killed is sent again.
        assert app.events(call_id) in (["connect", "terminate"], ["connect", "connect", "terminate"])
    await until_gone(engine)
    assert "the server is gone" in (tmp_path / "engine.log").read_text()


async def test_killed_again_and_again_and_the_call_lives(tmp_path: Path, app: BusinessApp) -> None:
    async with a_host(tmp_path, app) as host:
        call_id = await host.start_call()
        engine = engine_of(host.server)
        assert engine is not None
        host.kill()
    for _ in range(3):
        async with a_host(tmp_path, app) as host:
            await host.device.expect("call.resumed", call_id=call_id)
            host.kill()
    async with a_host(tmp_path, app) as host:
        assert is_alive(engine)
        await host.device.expect("call.resumed", call_id=call_id)
        await host.device.request("call.hangup", call_id=call_id)
        assert (await app.expect("terminate", call_id)).item["status"] == "Completed"


async def test_both_killed(tmp_path: Path, app: BusinessApp) -> None:
    async with a_host(tmp_path, app) as first:
        call_id = await first.start_call()
        engine = engine_of(first.server)
        assert engine is not None
        first.kill()
        os.kill(engine, signal.SIGKILL)
    async with a_host(tmp_path, app) as second:
        assert (await app.expect("terminate", call_id, 2)).item["status"] == "Failed"
        await second.start_call()


async def test_an_engine_that_was_taken_over_and_dies_is_replaced_on_its_port(tmp_path: Path, app: BusinessApp) -> None:
    async with a_host(tmp_path, app) as first:
        engine = engine_of(first.server)
        assert engine is not None
        first.kill()
    async with a_host(tmp_path, app) as second:
        call_id = await second.start_call()
        os.kill(engine, signal.SIGKILL)
        assert (await app.expect("terminate", call_id, 2)).item["status"] == "Failed"
        await until(second.ready)
        assert engine_of(second.server) is not None
        call_id = await second.start_call()
        answer = await app.call("accept", call_id=call_id, session=offered(AIORTC))
        port = first.server.dev.media.udp[0].rpartition(":")[2]
        assert f" {port} typ host" in answer["session"]["sdp_response"]["sdp"]


async def test_another_port_waits_for_the_calls_to_end(tmp_path: Path, app: BusinessApp) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--udp-port", str(port)]
    async with a_host(tmp_path, app) as first:
        call_id = await first.start_call()
        engine = engine_of(first.server)
        assert engine is not None
        first.kill()
    async with a_host(tmp_path, app, options) as second:
        assert second.server.dev.media == first.server.dev.media
        await second.device.request("call.hangup", call_id=call_id)
        await app.expect("terminate", call_id)
        assert is_alive(engine)
        second.kill()
    async with a_host(tmp_path, app, options) as third:
        assert f"127.0.0.1:{port}" in third.server.dev.media.udp
        assert not is_alive(engine)


async def test_an_engine_that_hangs_fails_its_calls_and_is_replaced(tmp_path: Path, app: BusinessApp) -> None:
    async with a_host(tmp_path, app) as host:
        call_id = await host.start_call()
        engine = engine_of(host.server)
        assert engine is not None
        os.kill(engine, signal.SIGSTOP)
        assert (await app.expect("terminate", call_id, 10)).item["status"] == "Failed"
        await until(host.ready)
        assert not is_alive(engine)
        await host.start_call()


async def test_an_engine_that_hangs_when_its_server_is_killed_is_not_taken_over(tmp_path: Path, app: BusinessApp) -> None:
    async with a_host(tmp_path, app) as first:
        call_id = await first.start_call()
        engine = engine_of(first.server)
        assert engine is not None
        os.kill(engine, signal.SIGSTOP)
        first.kill()
    async with a_host(tmp_path, app) as second:
        assert (await app.expect("terminate", call_id, 2)).item["status"] == "Failed"
        assert not is_alive(engine)
        await second.start_call()


async def test_a_signal_drains_and_the_server_ends_with_its_last_call(tmp_path: Path, app: BusinessApp) -> None:
    async with a_host(tmp_path, app, ["--drain-s", "60"]) as host:
        call_id = await host.start_call()
        engine = engine_of(host.server)
        assert engine is not None
        os.kill(host.server.pid, signal.SIGTERM)

        async def draining() -> bool:
            return not await host.ready()

        await until(draining)
        with pytest.raises(DeviceRefused):
            await host.device.request("call.start", page_id=host.server.dev.page.id, session=offered(CHROMIUM))
        assert is_alive(engine)
        await host.device.request("call.hangup", call_id=call_id)
        assert (await app.expect("terminate", call_id)).item["status"] == "Completed"
        await until_gone(host.server.pid)
        assert not is_alive(engine)


async def test_a_drained_engine_is_followed_by_a_new_one(tmp_path: Path, app: BusinessApp) -> None:
    """How the engine's program is changed under a running server."""
    async with a_host(tmp_path, app) as host:
        call_id = await host.start_call()
        engine = engine_of(host.server)
        assert engine is not None
        os.kill(engine, signal.SIGTERM)
        await host.device.request("call.hangup", call_id=call_id)
        assert (await app.expect("terminate", call_id)).item["status"] == "Completed"
        await until_gone(engine)
        await until(host.ready)
        await host.start_call()
