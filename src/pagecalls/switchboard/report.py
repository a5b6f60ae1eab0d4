"""One call for an operator's eyes: its state and the figures of its legs, while it lives and for a while after."""

from __future__ import annotations

from dataclasses import dataclass

from pagecalls.call.model import Call
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.figures import LegFigures
from pagecalls.types import CallId


@dataclass(frozen=True, slots=True)
class CallReport:
    """The call as it is stored, and what the engine told of its legs; empty before the first figures and long after the end."""

    call: Call
    legs: tuple[LegFigures, ...]


class CallReports:
    """Reads what the switchboard knows."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def call_report(self, call_id: CallId) -> CallReport | None:
        """`None`: there is no such call."""
        live = await self._calls.load(call_id)
        return CallReport(live.call, self._calls.legs.figures.of(call_id)) if live is not None else None
