from __future__ import annotations

import pytest

from pagecalls.store.base import WebhookKind
from pagecalls.webhooks.retry import LIFETIME_S, next_attempt

CREATED = 1_000.0


@pytest.mark.parametrize("kind", list(WebhookKind))
def test_the_waits_between_attempts(kind: WebhookKind) -> None:
    now, waits, attempts = CREATED, [], 0
    while (due := next_attempt(kind, attempts, CREATED, now, call_is_over=False)) is not None:
        waits.append(due - now)
        now, attempts = due, attempts + 1
    assert waits == [0, 5, 30, 120, 600, 1800, 3600, 7200, 14400, 21600, 21600, 21600, 21600]
    assert now <= CREATED + LIFETIME_S == CREATED + 36 * 3600


def test_a_late_start_does_not_make_a_burst() -> None:
    late = CREATED + 7_200
    assert next_attempt(WebhookKind.CONNECT, 1, CREATED, late, call_is_over=False) == late + 5


def test_nothing_is_tried_after_its_lifetime() -> None:
    end = CREATED + LIFETIME_S
    assert next_attempt(WebhookKind.TERMINATE, 1, CREATED, end - 5, call_is_over=True) == end
    assert next_attempt(WebhookKind.TERMINATE, 1, CREATED, end - 4, call_is_over=True) is None


@pytest.mark.parametrize("kind", list(WebhookKind))
def test_once_the_call_is_over_only_its_end_is_retried(kind: WebhookKind) -> None:
    due = next_attempt(kind, 1, CREATED, CREATED, call_is_over=True)
    assert due == (CREATED + 5 if kind is WebhookKind.TERMINATE else None)


@pytest.mark.parametrize("kind", list(WebhookKind))
def test_what_was_never_tried_is_tried_although_the_call_is_over(kind: WebhookKind) -> None:
    assert next_attempt(kind, 0, CREATED, CREATED + 1, call_is_over=True) == CREATED + 1
