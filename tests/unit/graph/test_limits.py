from __future__ import annotations

import json

import pytest

from pagecalls.clock import SteppedClock
from pagecalls.errors import AppRateReached, PageRateReached, RateError, UseCase, UseCaseRateReached, UserRateReached
from pagecalls.graph.limits import GraphLimits, Limit, Meter, Spender, default_limits
from pagecalls.types import AppId, PageId

APP = AppId("9001")
PAGE = PageId("1001")
BY_PAGE = Spender(APP, PAGE, UseCase.MESSENGER)
BY_APP = Spender(APP, None, UseCase.PAGES)
BY_USER = Spender(APP, None, UseCase.PAGES, user="digest", node="1001")
THREE_A_MINUTE = Limit(3, 60.0)


def refused(meter: Meter, spender: Spender, may_refuse: bool = True) -> RateError | None:
    return meter.spend(spender, may_refuse)[1]


def usage(meter: Meter, spender: Spender, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(meter.spend(spender, may_refuse=True)[0].headers[name])
    return found


@pytest.mark.parametrize(
    ("limits", "spender", "error"),
    [
        (GraphLimits(app=THREE_A_MINUTE), BY_APP, AppRateReached),
        (GraphLimits(app=THREE_A_MINUTE), BY_USER, AppRateReached),
        (GraphLimits(user=THREE_A_MINUTE), BY_USER, UserRateReached),
        (GraphLimits(page_by_others=THREE_A_MINUTE), BY_USER, PageRateReached),
        (GraphLimits(page=THREE_A_MINUTE), BY_PAGE, UseCaseRateReached),
    ],
)
def test_the_fourth_is_refused_until_the_first_is_old(limits: GraphLimits, spender: Spender, error: type[RateError]) -> None:
    clock = SteppedClock(1_790_000_000.0)
    meter = Meter(limits, clock)
    for _ in range(3):
        assert refused(meter, spender) is None
        clock.advance(10)
    assert isinstance(refused(meter, spender), error)
    clock.advance(29)
    assert isinstance(refused(meter, spender), error)
    clock.advance(2)
    assert refused(meter, spender) is None
    assert isinstance(refused(meter, spender), error)


def test_what_is_refused_is_not_counted_and_what_may_not_be_refused_is() -> None:
    clock = SteppedClock()
    meter = Meter(GraphLimits(page=THREE_A_MINUTE), clock)
    for _ in range(10):
        assert refused(meter, BY_PAGE, may_refuse=False) is None
    assert refused(meter, BY_PAGE) is not None
    clock.advance(62)
    for _ in range(3):
        assert refused(meter, BY_PAGE) is None
        for _ in range(3):
            refused(meter, Spender(APP, PAGE, UseCase.PAGES))
    assert refused(meter, BY_PAGE) is not None


def test_a_page_has_a_limit_in_each_use_case_and_no_share_in_its_apps() -> None:
    meter = Meter(GraphLimits(page=Limit(1, 60.0), app=Limit(1, 60.0)), SteppedClock())
    for use_case in UseCase:
        assert refused(meter, Spender(APP, PAGE, use_case)) is None
        error = refused(meter, Spender(APP, PAGE, use_case))
        assert isinstance(error, UseCaseRateReached)
        assert error.use_case is use_case
    assert refused(meter, Spender(APP, PageId("1002"), UseCase.PAGES)) is None
    assert refused(meter, BY_APP) is None


def test_without_limits_nothing_is_kept_and_nothing_refused() -> None:
    meter = Meter(GraphLimits(), SteppedClock())
    for _ in range(1_000):
        assert refused(meter, BY_USER) is None
    assert usage(meter, BY_USER, "x-app-usage") == {"call_count": 0, "total_cputime": 0, "total_time": 0}


def test_usage_of_a_page() -> None:
    clock = SteppedClock(1_790_000_000.0)
    meter = Meter(GraphLimits(page=Limit(3, 3600.0)), clock)
    shares = [usage(meter, BY_PAGE, "x-business-use-case-usage") for _ in range(4)]
    entries: list[dict[str, object]] = [share[PAGE][0] for share in shares]  # type: ignore[index]
    assert [entry["call_count"] for entry in entries] == [33, 66, 100, 100]
    assert [entry["estimated_time_to_regain_access"] for entry in entries] == [0, 0, 61, 61]
    assert list(entries[0]) == ["type", "call_count", "total_cputime", "total_time", "estimated_time_to_regain_access"]
    assert entries[0]["type"] == "messenger"


def test_usage_of_an_app_and_of_a_page_by_others() -> None:
    meter = Meter(GraphLimits(app=Limit(4, 60.0), page_by_others=Limit(2, 60.0)), SteppedClock())
    headers = meter.spend(BY_USER, may_refuse=True)[0].headers
    assert list(headers) == ["x-app-usage", "x-page-usage"]
    assert headers["x-app-usage"] == '{"call_count":25,"total_cputime":0,"total_time":0}'
    assert json.loads(headers["x-page-usage"])["call_count"] == 50
    assert list(meter.spend(BY_APP, may_refuse=True)[0].headers) == ["x-app-usage"]


def test_the_wait_that_is_told_is_the_wait_that_helps() -> None:
    clock = SteppedClock(1_790_000_007.3)
    meter = Meter(GraphLimits(page=Limit(5, 600.0)), clock)
    for _ in range(5):
        refused(meter, BY_PAGE)
        clock.advance(61)
    entry: dict[str, int] = usage(meter, BY_PAGE, "x-business-use-case-usage")[PAGE][0]  # type: ignore[index]
    assert refused(meter, BY_PAGE) is not None
    clock.advance(60 * entry["estimated_time_to_regain_access"])
    assert refused(meter, BY_PAGE) is None


def test_memory_is_bounded() -> None:
    meter = Meter(GraphLimits(page_by_others=Limit(1, 60.0)), SteppedClock())
    for node in range(10_001):
        refused(meter, Spender(APP, None, UseCase.PAGES, node=str(node)))
    assert refused(meter, Spender(APP, None, UseCase.PAGES, node="0")) is None
    assert refused(meter, Spender(APP, None, UseCase.PAGES, node="10000")) is not None


def test_the_limits_of_the_contract() -> None:
    assert default_limits(5_000, 300) == GraphLimits(app=Limit(5_000, 3600.0), page=Limit(3_000, 10.0))
    assert default_limits(None, None) == GraphLimits()
