"""When a webhook is tried next, as a value (graph-platform 7.7, ruling 9).

The schedule reads as waits: each begins when the attempt before it has failed, so a clock that jumps ahead, or a server that was
down, makes one attempt due and not a burst. Pure.
"""

from __future__ import annotations

from pagecalls.store.base import WebhookKind

_MINUTE_S = 60.0
_HOUR_S = 3600.0

WAITS_S = (0.0, 5.0, 30.0, 2 * _MINUTE_S, 10 * _MINUTE_S, 30 * _MINUTE_S, _HOUR_S, 2 * _HOUR_S, 4 * _HOUR_S)
"""The wait before the first attempt, the second, and so on."""

LATER_WAIT_S = 6 * _HOUR_S
"""Every wait after those."""

LIFETIME_S = 36 * _HOUR_S
"""No attempt is made later than this after the event."""


def next_attempt(kind: WebhookKind, attempts: int, created_at: float, now: float, call_is_over: bool) -> float | None:
    """When attempt number `attempts + 1` is due, Unix seconds; `None` gives the event up.

    `attempts` were made and failed, the last just before `now`. Once its call is over, an event is no longer retried, unless
    it is the one that says so.
    """
    if attempts and call_is_over and kind is not WebhookKind.TERMINATE:
        return None
    due = now + (WAITS_S[attempts] if attempts < len(WAITS_S) else LATER_WAIT_S)
    return due if due <= created_at + LIFETIME_S else None
