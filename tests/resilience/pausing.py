"""Whoever does one thing after the other until told to pause."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Pausable:
    """Pauses between two things only. It begins paused."""

    _going: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _idle: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def resume(self) -> None:
        """Go on."""
        self._idle.clear()
        self._going.set()

    async def pause(self) -> None:
        """Finish what is under way; returns when nothing is."""
        self._going.clear()
        await self._idle.wait()

    async def _turn(self) -> None:
        """Before the next thing."""
        if not self._going.is_set():
            self._idle.set()
            await self._going.wait()
