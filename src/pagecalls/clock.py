"""The only reader of the time.

Everything that must be testable takes `now` as an argument or a `Clock`. The stepped offset serves
`POST /_pagecalls/clock/advance` (ruling 17): the whole server sees one clock, and tests turn it.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since 1970-01-01 UTC, as a float."""

    def now(self) -> float:
        """The current time in Unix seconds."""
        ...


class SystemClock:
    """The machine's time plus an offset that only ever grows (ruling 17)."""

    def __init__(self) -> None:
        self._offset_s = 0.0

    def now(self) -> float:
        """The current time in Unix seconds."""
        return time.time() + self._offset_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward. Raises `ValueError` for a negative step."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._offset_s += seconds


class SteppedClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: float = 1_790_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """The current time in Unix seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward. Raises `ValueError` for a negative step."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._now += seconds
