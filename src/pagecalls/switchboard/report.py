"""One call for an operator's eyes: its state and the figures of its legs, while it lives and for a while after."""

from __future__ import annotations

from collections.abc import Mapping
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
        return CallReport(live.call, self._calls.figures.of(call_id)) if live is not None else None


def journal_facts(leg: LegFigures) -> Mapping[str, int | float]:
    """The few figures that a person wants to see in one line; what is not known is left out."""
    facts: dict[str, int | float | None] = {}
    for track in leg.stats.tracks:
        prefix = f"{track.direction}_{track.track}"
        facts[f"{prefix}_packets"] = track.packets
        facts[f"{prefix}_lost"] = track.lost
        facts[f"{prefix}_jitter_ms"] = track.jitter_ms
    facts["rtt_ms"], facts["mos"] = leg.stats.srtt_ms, leg.mos_mean
    return {name: round(value, 2) for name, value in facts.items() if value is not None}
