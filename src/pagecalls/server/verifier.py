"""The subscription's handshake, and the trial of a callback, with chance of their own."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from pagecalls.webhooks.base import Sender, Trial
from pagecalls.webhooks.trial import try_callback
from pagecalls.webhooks.verification import verify_callback


class Verifier:
    """`CallbackVerifier` and `CallbackTester` over a sender."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def verify(self, url: str, verify_token: str) -> None:
        """Raises `CallbackUnverified`."""
        await verify_callback(self._sender, url, verify_token, _challenge())

    async def try_out(self, url: str, verify_token: str, headers: Mapping[str, str], body: bytes) -> Trial:
        """See `try_callback`."""
        return await try_callback(self._sender, url, verify_token, _challenge(), headers, body)


def _challenge() -> int:
    return secrets.randbelow(2**31 - 1) + 1
