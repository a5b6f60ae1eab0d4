"""The store of the contract's tests: every implementation, with the samples in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pagecalls.store.base import Store
from pagecalls.store.sqlite import SqliteStore
from tests.contract.store_model import ModelStore
from tests.contract.store_samples import seed


@pytest_asyncio.fixture(params=["file", "memory", "model"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store
    match request.param:
        case "file":
            made = SqliteStore.open(tmp_path / "store.db")
        case "memory":
            made = SqliteStore.open(None)
        case _:
            made = ModelStore()
    await made.write(seed)
    yield made
    await made.close()
