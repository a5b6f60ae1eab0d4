"""How long a receiver may take (ruling 8; graph-platform 7.3)."""

from __future__ import annotations

from inspect import signature

from pagecalls.webhooks.base import CONNECT_TIMEOUT_S, TOTAL_TIMEOUT_S, VERIFY_TIMEOUT_S
from pagecalls.webhooks.sender import AiohttpSender


def test_the_waits_for_a_receiver() -> None:
    assert (CONNECT_TIMEOUT_S, TOTAL_TIMEOUT_S, VERIFY_TIMEOUT_S) == (5, 20, 4)
    post, get = signature(AiohttpSender.post).parameters, signature(AiohttpSender.get).parameters
    assert (post["connect_timeout_s"].default, post["total_timeout_s"].default) == (CONNECT_TIMEOUT_S, TOTAL_TIMEOUT_S)
    assert get["total_timeout_s"].default == VERIFY_TIMEOUT_S
