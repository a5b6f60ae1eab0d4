"""How often one may ask, and how near to the limit one is (graph-platform 5 and 8).

Four scopes: an app (its own and its users' tokens), one user, one Page asked with a token that is not its own, and one Page in
one use case with its own token. Each counts the requests of a rolling span on the injected clock. What was refused here is not
counted, so that the wait that is told is the wait that helps. Knows no HTTP; who is never refused is the caller's business.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field

import msgspec

from pagecalls.clock import Clock
from pagecalls.errors import AppRateReached, PageRateReached, RateError, UseCase, UseCaseRateReached, UserRateReached
from pagecalls.types import AppId, PageId

_SLOTS = 60
_MAX_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in any `span_s`, give or take a sixtieth of the span."""

    calls: int
    span_s: float


@dataclass(frozen=True, slots=True)
class GraphLimits:
    """The limit of each scope; `None` is off. `page` holds for each Page and use case, with the Page's own token."""

    app: Limit | None = None
    page: Limit | None = None
    page_by_others: Limit | None = None
    user: Limit | None = None


def default_limits(app_calls_per_hour: int | None, page_calls_per_s: int | None) -> GraphLimits:
    """The limits of graph-platform 8. A Page's is taken over ten seconds, so that a burst is no offence."""
    return GraphLimits(
        app=Limit(app_calls_per_hour, 3600.0) if app_calls_per_hour is not None else None,
        page=Limit(page_calls_per_s * 10, 10.0) if page_calls_per_s is not None else None,
    )


@dataclass(frozen=True, slots=True)
class Spender:
    """Who asks. `page_id`: a Page's token, or a system user's with a task on it. `user`: the digest of a user's token.

    `node`: the Page that a path names, where `page_id` is `None`.
    """

    app_id: AppId
    page_id: PageId | None
    use_case: UseCase
    user: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage headers of one answer (graph-platform 5)."""

    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Window:
    """The requests of one key: how many in which slot."""

    slots: deque[tuple[int, int]] = field(default_factory=deque)
    total: int = 0

    def settle(self, limit: Limit, now: float) -> None:
        """Forget what is older than the span."""
        oldest = _slot(limit, now) - _SLOTS
        while self.slots and self.slots[0][0] <= oldest:
            self.total -= self.slots.popleft()[1]

    def add(self, limit: Limit, now: float) -> None:
        """One request more."""
        slot = _slot(limit, now)
        if self.slots and self.slots[-1][0] >= slot:
            slot, count = self.slots.pop()
            self.slots.append((slot, count + 1))
        else:
            self.slots.append((slot, 1))
        self.total += 1

    def wait_s(self, limit: Limit, now: float) -> float:
        """How long until the next request is let through; 0 if it would be now."""
        left = self.total
        for slot, count in self.slots:
            if left < limit.calls:
                break
            left -= count
            until = (slot + _SLOTS + 1) * limit.span_s / _SLOTS
            if left < limit.calls:
                return max(0.0, until - now)
        return 0.0


def _slot(limit: Limit, now: float) -> int:
    return math.floor(now * _SLOTS / limit.span_s)


class Meter:
    """Counts requests and refuses those beyond a limit. One per server; a restart begins anew."""

    def __init__(self, limits: GraphLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._windows: OrderedDict[tuple[str, ...], _Window] = OrderedDict()

    def spend(self, spender: Spender, may_refuse: bool) -> tuple[Usage, RateError | None]:
        """Count one request: the usage with it, and what it is refused for, if it is."""
        if spender.page_id is not None:
            key = ("page", spender.page_id, spender.use_case.value)
            refused = self._count([(key, self._limits.page, UseCaseRateReached(spender.use_case))], may_refuse)
            return Usage({"x-business-use-case-usage": self._use_case_line(key, spender)}), refused
        scopes: list[tuple[tuple[str, ...], Limit | None, RateError]] = [
            (("app", spender.app_id), self._limits.app, AppRateReached())
        ]
        if spender.user is not None:
            scopes.append((("user", spender.user), self._limits.user, UserRateReached()))
        if spender.node is not None:
            scopes.append((("node", spender.app_id, spender.node), self._limits.page_by_others, PageRateReached()))
        refused = self._count(scopes, may_refuse)
        headers = {"x-app-usage": _json(self._reading(scopes[0][0], self._limits.app))}
        if spender.node is not None:
            reading = self._reading(scopes[-1][0], self._limits.page_by_others)
            headers["x-page-usage"] = _json(reading)
        return Usage(headers), refused

    def _count(self, scopes: list[tuple[tuple[str, ...], Limit | None, RateError]], may_refuse: bool) -> RateError | None:
        now = self._clock.now()
        found = [(self._window(key, limit, now), limit, error) for key, limit, error in scopes if limit is not None]
        if may_refuse:
            for window, limit, error in found:
                if window.total >= limit.calls:
                    return error
        for window, limit, _ in found:
            window.add(limit, now)
        return None

    def _window(self, key: tuple[str, ...], limit: Limit, now: float) -> _Window:
        window = self._windows.pop(key, None) or _Window()
        self._windows[key] = window
        while len(self._windows) > _MAX_KEYS:
            self._windows.popitem(last=False)
        window.settle(limit, now)
        return window

    def _reading(self, key: tuple[str, ...], limit: Limit | None) -> dict[str, int]:
        """Percentages. Only requests are limited, so of time none is ever used up."""
        window = self._windows.get(key)
        share = 100 * window.total // max(1, limit.calls) if window is not None and limit is not None else 0
        return {"call_count": share, "total_cputime": 0, "total_time": 0}

    def _use_case_line(self, key: tuple[str, ...], spender: Spender) -> str:
        limit, window = self._limits.page, self._windows.get(key)
        wait_s = window.wait_s(limit, self._clock.now()) if limit is not None and window is not None else 0.0
        entry: dict[str, object] = {"type": spender.use_case.value, **self._reading(key, limit)}
        entry["estimated_time_to_regain_access"] = math.ceil(wait_s / 60)
        return _json({spender.page_id: [entry]})


def _json(value: object) -> str:
    """Of digits and plain words, so that it can stand in a header."""
    return msgspec.json.encode(value).decode()
