from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.conformance.graph.world import World


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    world = await World.open()
    yield world
    await world.store.close()
