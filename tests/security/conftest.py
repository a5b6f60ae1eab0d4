"""The scenarios' server on the loop that it has in earnest, with bounds short enough to be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.media.fake import FakeEngine
from tests.scenarios.conftest import World, a_world


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def app() -> AsyncIterator[BusinessApp]:
    app = BusinessApp()
    await app.start()
    yield app
    await app.close()


@pytest.fixture
async def world(tmp_path: Path, app: BusinessApp) -> AsyncIterator[World]:
    """With the bounds that a server has by default."""
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        yield world


@pytest.fixture
async def hasty(tmp_path: Path, app: BusinessApp) -> AsyncIterator[World]:
    """A server that waits for nobody for long."""
    clock = SystemClock()
    times = {"head_timeout_s": 1.0, "body_timeout_s": 1.0, "idle_timeout_s": 1.0, "stall_timeout_s": 1.0}
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock), **times) as world:
        yield world
