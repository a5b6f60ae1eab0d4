"""One verification and one signed event, sent to a callback to see what it says. Nothing is retried, and nothing follows."""

from __future__ import annotations

from collections.abc import Mapping

from pagecalls.errors import CallbackUnverified
from pagecalls.webhooks.base import VERIFY_TIMEOUT_S, Sender, Trial
from pagecalls.webhooks.verification import challenge_url, judge


async def try_callback(
    sender: Sender, url: str, verify_token: str, challenge: int, headers: Mapping[str, str], body: bytes
) -> Trial:
    """First the verification, then the event, whatever came of the first."""
    verification = await sender.get(challenge_url(url, verify_token, challenge), total_timeout_s=VERIFY_TIMEOUT_S)
    reason = None
    try:
        judge(verification, challenge)
    except CallbackUnverified as error:
        reason = error.reason
    return Trial(url, verification, reason, headers, body, await sender.post(url, headers, body))
