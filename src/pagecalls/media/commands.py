"""The port's methods in terms of one: `ask`. Client, supervisor and fake differ in that one alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

from pagecalls.media.protocol import (
    CallClose,
    CallCloseOk,
    CallCreate,
    CallCreateOk,
    CallRoute,
    CallRouteOk,
    Command,
    LegApply,
    LegApplyOk,
    LegClose,
    LegCloseOk,
    LegCreate,
    LegCreateOk,
    LegDtmf,
    LegDtmfOk,
    LegRestart,
    LegRestartOk,
    Record,
    Snapshot,
    SnapshotOk,
)

R = TypeVar("R", bound=Record)


class Commands(ABC):
    """The commands of `MediaEngine`. Errors are those listed at each command in `protocol.py`."""

    @abstractmethod
    async def ask(self, command: Command, reply: type[R]) -> R:
        """Have the engine do a command. Raises `EngineError`, with `gone` if there is no engine to ask."""

    async def call_create(self, call: str) -> CallCreateOk:
        """A new call."""
        return await self.ask(CallCreate(call=call), CallCreateOk)

    async def leg_create(self, call: str, leg: str) -> LegCreateOk:
        """A new leg of a call."""
        return await self.ask(LegCreate(call=call, leg=leg), LegCreateOk)

    async def leg_restart(self, leg: str) -> LegRestartOk:
        """New ICE credentials for a leg."""
        return await self.ask(LegRestart(leg=leg), LegRestartOk)

    async def leg_apply(self, command: LegApply) -> LegApplyOk:
        """A leg's full desired state."""
        return await self.ask(command, LegApplyOk)

    async def call_route(self, command: CallRoute) -> CallRouteOk:
        """A call's full routing table."""
        return await self.ask(command, CallRouteOk)

    async def leg_dtmf(self, command: LegDtmf) -> LegDtmfOk:
        """Digits on a sent track."""
        return await self.ask(command, LegDtmfOk)

    async def leg_close(self, leg: str) -> LegCloseOk:
        """End a leg."""
        return await self.ask(LegClose(leg=leg), LegCloseOk)

    async def call_close(self, call: str) -> CallCloseOk:
        """End a call and its legs."""
        return await self.ask(CallClose(call=call), CallCloseOk)

    async def snapshot(self, call: str | None = None) -> SnapshotOk:
        """Everything the engine holds, all pages put together, or one call of it. `seq` is that of the first page."""
        page = whole = await self.ask(Snapshot(call=call), SnapshotOk)
        while page.next is not None:
            page = await self.ask(Snapshot(after=page.next), SnapshotOk)
            whole = SnapshotOk(
                seq=whole.seq,
                legs=whole.legs + page.legs,
                calls=whole.calls + page.calls,
                accepted=whole.accepted + page.accepted,
            )
        return whole
