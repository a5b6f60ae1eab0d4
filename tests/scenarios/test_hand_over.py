"""A stop that hands over: live calls stay in the engine for the next server, as if this one were lost, but in order."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pagecalls import operator_file
from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.media.fake import FakeEngine
from pagecalls.media.protocol import HelloOk
from pagecalls.server import listen, running, serve_until_stopped
from pagecalls.settings import OnStop, Settings, SettingsError

from .conftest import AIORTC, World, a_world, offered
from .test_processes import a_host, engine_of, is_alive, until_gone


class WatchedEngine(FakeEngine):
    """Remembers how its server parted from it."""

    farewell = ""
    starts = 0

    async def start(self) -> HelloOk:
        self.starts += 1
        return await super().start()

    async def stop(self) -> None:
        self.farewell = "stopped"
        await super().stop()

    async def hand_over(self) -> None:
        self.farewell = "handed over"
        await super().hand_over()


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def engine(clock: SystemClock) -> WatchedEngine:
    return WatchedEngine(clock)


@asynccontextmanager
async def handing_over(folder: Path, app: BusinessApp, engine: WatchedEngine, clock: SystemClock) -> AsyncIterator[World]:
    async with a_world(folder, app, clock, engine, on_stop=OnStop.HAND_OVER) as world:
        yield world


async def test_calls_are_left_to_the_next_server(
    tmp_path: Path, app: BusinessApp, engine: WatchedEngine, clock: SystemClock
) -> None:
    async with handing_over(tmp_path, app, engine, clock) as first:
        device = await first.device()
        connected = await first.connected(device)
        other = await first.device((await first.session())["access_token"])
        ringing = await first.start_call(other)
        await app.expect("connect", ringing)
    assert engine.farewell == "handed over"
    assert set(engine.calls) == {connected, ringing}
    for each in (device, other):
        assert not [note for note in each.received if note.method == "call.ended"]
    async with handing_over(tmp_path, app, engine, clock) as second:
        device = await second.device()
        assert (await device.expect("call.resumed", call_id=connected)).params["state"] == "ACTIVE"
        await app.call("accept", call_id=ringing, session=offered(AIORTC))
        for call_id in (connected, ringing):
            await app.call("terminate", call_id=call_id)
            assert (await app.expect("terminate", call_id)).item["status"] == "Completed"
            assert app.events(call_id) == ["connect", "terminate"]
        assert await second.is_clean()
    assert engine.farewell == "stopped"


async def test_without_calls_the_engine_ends(tmp_path: Path, app: BusinessApp, engine: WatchedEngine, clock: SystemClock) -> None:
    """So the next server starts a new one, with its own program and settings."""
    async with handing_over(tmp_path, app, engine, clock) as world:
        call_id = await world.start_call(await world.device())
        await app.call("terminate", call_id=call_id)
    assert engine.farewell == "stopped"


async def test_a_stop_by_hand_ends_calls(tmp_path: Path, app: BusinessApp, engine: WatchedEngine, clock: SystemClock) -> None:
    async with handing_over(tmp_path, app, engine, clock) as world:
        call_id = await world.connected(await world.device())
        world.server.ask_to_stop(ends_calls=True)
        await world.serving
        assert (await app.expect("terminate", call_id)).item["status"] == "Failed"
    assert engine.farewell == "stopped"


@pytest.mark.parametrize(("number", "farewell"), [(signal.SIGINT, "stopped"), (signal.SIGTERM, "handed over")])
async def test_sigterm_hands_over_and_ctrl_c_ends(
    tmp_path: Path, app: BusinessApp, engine: WatchedEngine, clock: SystemClock, number: signal.Signals, farewell: str
) -> None:
    async with handing_over(tmp_path, app, engine, clock) as world:
        await world.connected(await world.device())
    assert engine.farewell == "handed over"
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path, webhook=app.url, on_stop=OnStop.HAND_OVER)
    with listen(settings) as listener:
        async with running(settings, listener, engine, clock) as server:
            await serve_until_stopped(server, listener, lambda: os.kill(os.getpid(), number))
    assert engine.farewell == farewell


def disk_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_start_that_fails_leaves_the_calls_that_it_found(
    tmp_path: Path, app: BusinessApp, engine: WatchedEngine, clock: SystemClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it was told to do with calls at a stop: it has served nobody, and the next start may do better."""
    async with handing_over(tmp_path, app, engine, clock) as first:
        call_id = await first.connected(await first.device())
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path, webhook=app.url)
    with monkeypatch.context() as full, listen(settings) as listener:
        full.setattr(operator_file, "publish", disk_full)
        engine.farewell = ""
        with pytest.raises(OSError, match="No space left"):
            async with running(settings, listener, engine, clock):
                pass
    assert engine.farewell == "handed over"
    assert set(engine.calls) == {call_id}
    async with a_world(tmp_path, app, clock, engine) as third:
        device = await third.device()
        assert (await device.expect("call.resumed", call_id=call_id)).params["state"] == "ACTIVE"
    assert engine.farewell == "stopped"


async def test_a_start_that_fails_ends_an_engine_without_calls(
    tmp_path: Path, engine: WatchedEngine, clock: SystemClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_file, "publish", disk_full)
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path)
    with listen(settings) as listener, pytest.raises(OSError, match="No space left"):
        async with running(settings, listener, engine, clock):
            pass
    assert engine.farewell == "stopped"


async def test_an_engine_that_dies_during_a_start_that_fails_is_ended(
    tmp_path: Path, engine: WatchedEngine, clock: SystemClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        engine.die()
        disk_full()

    monkeypatch.setattr(operator_file, "publish", die)
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path)
    with listen(settings) as listener, pytest.raises(OSError, match="No space left"):
        async with running(settings, listener, engine, clock):
            pass
    assert engine.farewell == "stopped"


async def test_keys_that_will_not_do_are_told_before_the_engine_is_touched(
    tmp_path: Path, engine: WatchedEngine, clock: SystemClock
) -> None:
    for wrong in (Settings(consumer_jwt_key="short"), Settings(consumer_jwks=tmp_path / "none.json")):
        settings = replace(wrong, port=0, udp_port=0, data_dir=tmp_path)
        with listen(settings) as listener, pytest.raises(SettingsError, match="consumer_jw"):
            async with running(settings, listener, engine, clock):
                pass
    assert engine.starts == 0


async def test_the_engines_process_outlives_a_server_that_hands_over(tmp_path: Path, app: BusinessApp) -> None:
    """And one that has taken it over hands it over again; who is told to end calls ends it with them."""
    options = ["--on-stop", "hand_over"]
    async with a_host(tmp_path, app, options) as first:
        call_id = await first.start_call()
        engine = engine_of(first.server)
        assert engine is not None
        os.kill(first.server.pid, signal.SIGTERM)
        await until_gone(first.server.pid)
    for _ in range(2):
        assert is_alive(engine)
        async with a_host(tmp_path, app, options) as host:
            assert engine_of(host.server) is None
            await host.device.expect("call.resumed", call_id=call_id)
            os.kill(host.server.pid, signal.SIGTERM)
            await until_gone(host.server.pid)
    assert is_alive(engine)
    async with a_host(tmp_path, app, options) as last:
        await last.device.expect("call.resumed", call_id=call_id)
        os.kill(last.server.pid, signal.SIGINT)
        assert (await app.expect("terminate", call_id)).item["status"] == "Failed"
        await until_gone(last.server.pid)
    await until_gone(engine)


async def test_an_engine_that_nobody_comes_for_says_goodbye_and_the_next_server_tells(tmp_path: Path, app: BusinessApp) -> None:
    async with a_host(tmp_path, app, ["--on-stop", "hand_over", "--engine-grace-s", "1"]) as first:
        call_id = await first.start_call()
        engine = engine_of(first.server)
        assert engine is not None
        os.kill(first.server.pid, signal.SIGTERM)
        await until_gone(first.server.pid)
        await until_gone(engine)
        assert "terminate" not in app.events(call_id)
    async with a_host(tmp_path, app):
        assert (await app.expect("terminate", call_id)).item["status"] == "Failed"
