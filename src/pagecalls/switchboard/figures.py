"""The engine's figures of each leg: the latest of live calls, the last of those that ended. In memory, and bounded.

Whoever wants to sum them up (`metrics.py`) is told each time with what was known before. What a figure means is said in
docs/statistics.md; nothing here depends on one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pagecalls.media.protocol import LegStats
from pagecalls.types import CallId, Side

KEPT_CALLS = 1_000


@dataclass(frozen=True, slots=True)
class LegFigures:
    """What the engine last told of a leg, and when (Unix seconds). `mos_mean` is over all that it told."""

    side: Side
    stats: LegStats
    at: float
    mos_mean: float | None = None
    mos_count: int = 0

    def then(self, stats: LegStats, at: float) -> LegFigures:
        """The same leg with newer figures."""
        if stats.mos is None:
            return LegFigures(self.side, stats, at, self.mos_mean, self.mos_count)
        count = self.mos_count + 1
        before = self.mos_mean or 0.0
        return LegFigures(self.side, stats, at, before + (stats.mos - before) / count, count)


Listener = Callable[[Side, LegStats | None, LegStats], None]
"""A leg's side, what was told of it before, and what is told now."""


class Figures:
    """Figures by call."""

    def __init__(self, kept_calls: int = KEPT_CALLS) -> None:
        self._kept_calls = kept_calls
        self._live: dict[CallId, dict[str, LegFigures]] = {}
        self._ended: OrderedDict[CallId, dict[str, LegFigures]] = OrderedDict()
        self.listener: Listener = _nobody

    def told(self, call_id: CallId, side: Side, stats: LegStats, now: float) -> None:
        """Newer figures of a leg of a live call."""
        legs = self._live.setdefault(call_id, {})
        before = legs.get(stats.leg)
        legs[stats.leg] = (before or LegFigures(side, stats, now)).then(stats, now)
        self.listener(side, before.stats if before is not None else None, stats)

    def forget_leg(self, call_id: CallId, leg: str) -> None:
        """A leg was undone before it counted for anything."""
        self._live.get(call_id, {}).pop(leg, None)

    def ended(self, call_id: CallId) -> tuple[LegFigures, ...]:
        """What is known stays as it is, until enough other calls have ended; returns it."""
        legs = self._live.pop(call_id, {})
        if legs:
            self._ended[call_id] = legs
            while len(self._ended) > self._kept_calls:
                self._ended.popitem(last=False)
        return tuple(legs.values())

    def of(self, call_id: CallId) -> tuple[LegFigures, ...]:
        """The legs of a live call, or of one that ended not long ago."""
        return tuple((self._live.get(call_id) or self._ended.get(call_id) or {}).values())


def _nobody(side: Side, before: LegStats | None, now: LegStats) -> None:
    pass


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
