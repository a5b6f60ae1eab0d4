"""What these tests share: each browser is started once and every peer is a page of it; one server runs for all calls, each test
has a consumer of its own."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from facebook_business.session import FacebookSession

from pagecalls.demo.business import BusinessApp
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.finding import find_chromium, find_firefox
from pagecalls.demo.peers.firefox import Firefox
from pagecalls.demo.serving import Served
from tests.interop.sdk import Sdk
from tests.interop.world import AnyPeer, Start, World, a_server, a_world

TEST_WITHIN_S = 60.0
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder ends within `TEST_WITHIN_S`, whatever hangs."""
    for item in items:
        if isinstance(item, pytest.Function) and HERE in item.path.parents and inspect.iscoroutinefunction(item.obj):
            item.obj = in_time(item.obj)


def in_time(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def limited(*arguments: Any, **named: Any) -> None:
        async with asyncio.timeout(TEST_WITHIN_S):
            await test(*arguments, **named)

    return limited


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def chromium() -> AsyncIterator[Chromium]:
    binary = find_chromium()
    if binary is None:
        pytest.fail("these tests need Chromium: install the package chromium")
    async with Chromium(binary) as browser:
        yield browser


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def firefox() -> AsyncIterator[Firefox]:
    binary = find_firefox()
    if binary is None:
        pytest.fail("these tests need Firefox: install the package firefox-esr")
    async with Firefox(binary) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="package")
async def start() -> AsyncIterator[Start]:
    """Starts a peer and closes it after the test."""
    async with AsyncExitStack() as stack:

        async def started(peer: AnyPeer) -> AnyPeer:
            stack.push_async_callback(peer.close)
            await peer.start()
            return peer

        yield started


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Served, BusinessApp]]:
    """The server process that the tests share."""
    async with a_server(tmp_path_factory.mktemp("server")) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="package")
async def world(server: tuple[Served, BusinessApp], start: Start, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The shared server and a consumer of the test's own. A failed test shows what the server's journal says of its calls."""
    async with a_world(*server) as world:
        try:
            yield world
        finally:
            request.node.add_report_section("teardown", "journal", await world.history())


@pytest_asyncio.fixture(loop_scope="package")
async def own_world(tmp_path: Path) -> AsyncIterator[World]:
    """A server that the test may damage, with a consumer."""
    async with a_server(tmp_path / "data") as served, a_world(*served) as world:
        yield world


@pytest.fixture
def sdk(own_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sdk]:
    monkeypatch.setattr(FacebookSession, "GRAPH", own_world.dev.base_url)
    sdk = Sdk(own_world)
    yield sdk
    sdk.close()
