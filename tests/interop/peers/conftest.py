"""Browsers for the tests in this folder: each is started once, and every peer is a page of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.finding import find_chromium, find_firefox
from pagecalls.demo.peers.firefox import Firefox

BROWSERS = ("chromium", "firefox")


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


@pytest.fixture(params=BROWSERS)
def browser(request: pytest.FixtureRequest, chromium: Chromium, firefox: Firefox) -> Chromium | Firefox:
    return chromium if request.param == "chromium" else firefox
