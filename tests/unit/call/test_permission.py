"""Permissions last seven days, and a grant never shortens one (messenger-calling 8.1 to 8.3)."""

from __future__ import annotations

import pytest

from pagecalls.call.limits import PERMISSION_S
from pagecalls.call.permission import PermissionView, granted, holds, may_request, may_start_call, view

NOW = 1000.0


@pytest.mark.parametrize(("expires_at", "expected"), [(None, False), (999.0, False), (1000.0, False), (1000.1, True)])
def test_holds_until_its_expiry(expires_at: float | None, expected: bool) -> None:
    assert holds(expires_at, NOW) is expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, NOW + PERMISSION_S),
        (NOW - 5, NOW + PERMISSION_S),
        (NOW + PERMISSION_S - 1, NOW + PERMISSION_S),
        (NOW + PERMISSION_S + 1, NOW + PERMISSION_S + 1),
    ],
)
def test_grant_takes_the_later_expiry(old: float | None, new: float) -> None:
    assert granted(old, NOW) == new


def test_start_call_needs_permission_calling_and_a_free_rate() -> None:
    assert may_start_call(1001, NOW)
    assert not may_start_call(None, NOW)
    assert not may_start_call(1001, NOW, calling_on=False)
    assert not may_start_call(1001, NOW, is_rate_free=False)


def test_request_needs_no_permission_and_fewer_than_two_today() -> None:
    assert may_request(None, NOW, requests_in_24h=1)
    assert not may_request(None, NOW, requests_in_24h=2)
    assert not may_request(1001, NOW)


def test_view_with_permission() -> None:
    assert view(1001, NOW, requests_in_24h=1) == PermissionView(
        has_permission=True, expires_at=1001, can_request=False, requests_in_24h=1, can_call=True
    )


def test_view_of_an_expired_permission_shows_no_expiry() -> None:
    assert view(999, NOW) == PermissionView(
        has_permission=False, expires_at=None, can_request=True, requests_in_24h=0, can_call=False
    )


def test_view_while_calling_is_off() -> None:
    assert view(1001, NOW, calling_on=False).can_call is False
    assert view(1001, NOW, is_rate_free=False).can_call is False
