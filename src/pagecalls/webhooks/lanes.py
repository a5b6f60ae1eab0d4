"""The order of first attempts (ruling 8): which row of a call may begin, and when.

Rows of one app and call form a lane, and so do rows of one app that belong to no call and are about the same thing. The first
attempt of the next row waits until the row before it is acknowledged or dropped, or until `GATE_S` have passed since that one's
first attempt began, whichever is first. Retries have no place in a lane. Pure: no store, no tasks, no clock.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

from pagecalls.store.base import OutboxKey
from pagecalls.types import AppId

GATE_S = 3.0
"""How long the next event of a lane waits for the one before."""

LaneKey = tuple[AppId, str | int]
"""An app, and what its rows have in common; a row that has nothing in common with others is alone, under its own id."""


@dataclass(slots=True)
class _Lane:
    """`current` is the row that the others wait for; `gate_at` is when they stop waiting, once its first attempt has begun."""

    current: int
    gate_at: float | None = None
    waiting: deque[OutboxKey] = field(default_factory=deque)


class Lanes:
    """All lanes. A method that returns rows hands them over: their first attempts may begin now."""

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, _Lane] = {}
        self._gates: list[tuple[float, int, LaneKey]] = []
        """A heap of times, rows and lanes; entries whose row is not current any more mean nothing."""

    def add(self, key: OutboxKey) -> list[OutboxKey]:
        """A row that was never tried; rows of a lane come in order of id."""
        lane = self._lanes.get(_lane_key(key))
        if lane is None:
            self._lanes[_lane_key(key)] = _Lane(key.id)
            return [key]
        lane.waiting.append(key)
        return []

    def begin(self, key: OutboxKey, now: float) -> bool:
        """The first attempt begins. Whether a row waits for it already, so that `next_at` matters now."""
        lane = self._lanes.get(_lane_key(key))
        if lane is None or lane.current != key.id or lane.gate_at is not None:
            return False
        lane.gate_at = now + GATE_S
        heapq.heappush(self._gates, (lane.gate_at, key.id, _lane_key(key)))
        return bool(lane.waiting)

    def settle(self, key: OutboxKey) -> list[OutboxKey]:
        """The row is acknowledged or dropped."""
        return self._move_on(_lane_key(key), key.id)

    def open(self, now: float) -> list[OutboxKey]:
        """Time moved: whoever has waited long enough."""
        freed: list[OutboxKey] = []
        while self._gates and self._gates[0][0] <= now:
            _, row_id, lane_key = heapq.heappop(self._gates)
            freed += self._move_on(lane_key, row_id)
        return freed

    def next_at(self) -> float | None:
        """When `open` has something to do next, Unix seconds."""
        while self._gates and not self._is_current(self._gates[0][2], self._gates[0][1]):
            heapq.heappop(self._gates)
        return self._gates[0][0] if self._gates else None

    def _is_current(self, lane_key: LaneKey, row_id: int) -> bool:
        lane = self._lanes.get(lane_key)
        return lane is not None and lane.current == row_id

    def _move_on(self, lane_key: LaneKey, row_id: int) -> list[OutboxKey]:
        lane = self._lanes.get(lane_key)
        if lane is None or lane.current != row_id:
            return []
        if not lane.waiting:
            del self._lanes[lane_key]
            return []
        following = lane.waiting.popleft()
        lane.current, lane.gate_at = following.id, None
        return [following]


def _lane_key(key: OutboxKey) -> LaneKey:
    return (key.app_id, key.id if key.lane is None else key.lane)
