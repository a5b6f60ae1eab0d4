"""Servers that are killed: what is left of one at any moment, and the next one on it.

A kill leaves what is on the disk and the engine. Both are copied at the moment of the kill; the first server then ends in
whatever way it likes, and the next one knows nothing of it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from pagecalls.clock import SystemClock
from pagecalls.data_dir import DATABASE
from pagecalls.dev import DEV_FILE
from pagecalls.media.fake import FakeEngine

from .conftest import World, a_world


@dataclass(frozen=True, slots=True)
class Remains:
    """The data folder and the engine, as they were, on a clock of their own."""

    folder: Path
    engine: FakeEngine
    clock: SystemClock

    @classmethod
    def of(cls, folder: Path, engine: FakeEngine, clock: SystemClock, to: Path) -> Remains:
        """A copy in the folder `to`."""
        to.mkdir(parents=True)
        with closing(sqlite3.connect(folder / DATABASE)) as source, closing(sqlite3.connect(to / DATABASE)) as target:
            source.backup(target)
        shutil.copy(folder / DEV_FILE, to / DEV_FILE)
        clock = copy(clock)
        return cls(to, engine.twin(clock), clock)


@asynccontextmanager
async def after_kill(world: World, meanwhile: Callable[[Remains], None] = lambda left: None) -> AsyncIterator[World]:
    """The server that is started after a kill now. `meanwhile`: what the peers do while none runs."""
    to = world.folder.with_name(world.folder.name + "-again")
    remains = Remains.of(world.folder, world.engine, world.server.clock, to)
    await world.stop()
    world.app.received.clear()
    meanwhile(remains)
    async with a_world(remains.folder, world.app, remains.clock, remains.engine) as again:
        yield again
