"""`pagecalls ready`: what a health check or a script of an operator learns."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pagecalls.cli import main
from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.media.fake import FakeEngine

from .conftest import a_world
from .test_tls import a_secure


async def run(*line: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["ready", *line])


async def test_a_server_that_drains_answers_and_is_not_ready(tmp_path: Path, app: BusinessApp) -> None:
    clock = SystemClock()
    folder = tmp_path / "data"
    async with a_world(folder, app, clock, FakeEngine(clock), drain_s=300) as world:
        result = await run("--data-dir", str(folder))
        assert (result.exit_code, result.output) == (0, '{"status":"ready"}\n')
        call_id = await world.start_call(await world.device())
        world.server.ask_to_stop()
        await world.settle()
        result = await run("--data-dir", str(folder))
        assert (result.exit_code, result.output) == (1, '{"status":"not ready","reason":"draining"}\n')
        assert (await run("--data-dir", str(folder), "--health")).exit_code == 0
        await app.call("terminate", call_id=call_id)
    result = await run("--data-dir", str(folder))
    assert (result.exit_code, "no server answers (Connection refused)" in result.output) == (1, True)


async def test_over_tls_whatever_name_the_certificate_is_for(tmp_path: Path) -> None:
    async with a_secure(tmp_path, "calls.example.com"):
        assert (await run("--data-dir", str(tmp_path / "data"))).exit_code == 0


async def test_where_no_server_ever_was(tmp_path: Path) -> None:
    result = await run("--data-dir", str(tmp_path))
    assert (result.exit_code, "no server has been started on" in result.output) == (1, True)


@pytest.mark.parametrize("proxy", ["http_proxy", "https_proxy"])
async def test_no_proxy_comes_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    async with a_secure(tmp_path, "calls.example.com"):
        ask = importlib.import_module("pagecalls.cli.ready").ask
        assert (await asyncio.to_thread(ask, tmp_path / "data", "health"))[0] == 200
