"""What a server finds from an earlier run: its calls end, its webhooks leave, its identities are the same."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from pagecalls.call.machine import start_user_call
from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.dev import DevFile
from pagecalls.media.commands import R
from pagecalls.media.fake import CANDIDATE, FakeEngine
from pagecalls.media.protocol import Command, EngineError, Snapshot
from pagecalls.server import Server, listen, running
from pagecalls.settings import Settings, SettingsError
from pagecalls.store.base import CallRecord
from pagecalls.store.sqlite import SqliteStore
from pagecalls.switchboard.media import CallMedia
from pagecalls.types import CallId, DeviceId, PageId, Platform, Psid

CALL_ID = CallId("c_" + "x" * 43)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Server]:
    clock = SystemClock()
    with listen(settings) as listener:
        async with running(settings, listener, FakeEngine(clock), clock) as server:
            task = asyncio.create_task(server.serve(listener))
            yield server
            server.ask_to_stop()
            await task


async def test_a_call_that_an_earlier_run_left_ends_failed(tmp_path: Path, app: BusinessApp) -> None:
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path / "data", webhook=app.url)
    async with serving(settings) as server:
        dev = server.dev
    store = SqliteStore.open(settings.data_dir / "pagecalls.db")
    call, _ = start_user_call(
        id=CALL_ID,
        page_id=PageId(dev.page.id),
        psid=Psid(dev.consumer.psid),
        platform=Platform.MESSENGER,
        device=DeviceId("gone"),
        is_routed=True,
        now=SystemClock().now(),
    )
    media = msgspec.json.encode(CallMedia("node", "1:a:DEFAULT", "2:b:DEFAULT"))
    await store.write(lambda tx: tx.put_call(CallRecord(call, media)))
    await store.close()
    app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret)
    async with serving(settings):
        assert (await app.expect("terminate", CALL_ID)).item["status"] == "Failed"


async def test_an_orderly_stop_ends_live_calls(tmp_path: Path, app: BusinessApp) -> None:
    from pagecalls.demo.device import ConsumerDevice

    from .conftest import CHROMIUM, offered

    settings = Settings(port=0, udp_port=0, data_dir=tmp_path / "data", webhook=app.url)
    device = ConsumerDevice()
    async with serving(settings) as server:
        dev = server.dev
        app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret)
        await device.connect(dev.base_url, dev.consumer.access_token)
        started = await device.request("call.start", page_id=dev.page.id, session=offered(CHROMIUM))
    assert (await device.expect("call.ended")).params["reason"] == "server_error"
    assert (await app.expect("terminate", started["call_id"])).item["status"] == "Failed"
    await device.close()


async def test_identities_stay_and_are_private(tmp_path: Path) -> None:
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path / "data")
    async with serving(settings) as server:
        first = server.dev
    async with serving(settings) as server:
        second = server.dev
    path = settings.data_dir / "dev.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((settings.data_dir / "pagecalls.db").stat().st_mode) == 0o600
    assert msgspec.json.decode(path.read_bytes(), type=DevFile) == second
    assert msgspec.structs.replace(second, base_url=first.base_url) == first


async def test_ids_are_the_same_everywhere_and_secrets_are_not(tmp_path: Path) -> None:
    async def dev(name: str, seed: str | None = None) -> DevFile:
        async with serving(Settings(port=0, udp_port=0, data_dir=tmp_path / name, dev_seed=seed)) as server:
            return server.dev

    one, two = await dev("one"), await dev("two")
    assert (one.app.id, one.page.id, one.consumer.psid) == (two.app.id, two.page.id, two.consumer.psid)
    assert not {one.app.secret, one.page.access_token, one.admin_token} & {two.app.secret, two.page.access_token, two.admin_token}
    three, four = await dev("three", "seed"), await dev("four", "seed")
    assert (three.app, three.page, three.admin_token) == (four.app, four.page, four.admin_token)


async def test_one_server_per_data_directory(tmp_path: Path) -> None:
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path / "data")
    async with serving(settings):
        with pytest.raises(SettingsError, match="another server"):
            async with serving(settings):
                pass


def test_development_mode_stays_on_loopback() -> None:
    with pytest.raises(SettingsError, match="expose-development"):
        Settings(host="0.0.0.0").check()
    Settings(host="0.0.0.0", is_exposed=True).check()


class DyingEngine(FakeEngine):
    """Is lost as soon as it is asked what it has."""

    async def ask(self, command: Command, reply: type[R]) -> R:
        if isinstance(command, Snapshot):
            self.die()
        return await super().ask(command, reply)


async def test_an_engine_that_dies_while_it_is_taken_over_does_not_stop_the_start(tmp_path: Path) -> None:
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path / "data")
    clock = SystemClock()
    engine = DyingEngine(clock)
    with listen(settings) as listener:
        async with running(settings, listener, engine, clock) as server:
            assert server.dev.media.udp == [f"{CANDIDATE.ip}:{CANDIDATE.port}"]
            with pytest.raises(EngineError, match="gone"):
                _ = engine.hello
