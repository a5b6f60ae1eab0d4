"""Fresh identifiers, from one injected source of chance."""

from __future__ import annotations

import base64
import random
import string

from pagecalls.types import AppId, CallId, LegId

STREAM_ALPHABET = string.ascii_letters + string.digits


class Ids:
    """Makes every identifier that the switchboard invents. `rng` is `random.SystemRandom()` outside tests."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def call_id(self) -> CallId:
        """`c_` and 43 url-safe base64 characters from 32 random bytes (messenger-calling 2)."""
        return CallId("c_" + base64.urlsafe_b64encode(self._bytes(32)).rstrip(b"=").decode())

    def leg_id(self) -> LegId:
        """16 hex digits."""
        return LegId(self._bytes(8).hex())

    def event_id(self) -> str:
        """32 hex digits, one per webhook event."""
        return self._bytes(16).hex()

    def app_id(self) -> AppId:
        """15 decimal digits."""
        return AppId(str(self._rng.randrange(10**14, 10**15)))

    def session_id(self) -> int:
        """A positive 63-bit number for the `o=` line (messenger-calling 6.2)."""
        return self._rng.randrange(1, 2**63)

    def stream_id(self) -> str:
        """`<digits>:<16 chars>:DEFAULT` (messenger-calling 5.4)."""
        return f"{self._rng.randrange(10**8, 10**9)}:{''.join(self._rng.choices(STREAM_ALPHABET, k=16))}:DEFAULT"

    def track_id(self) -> str:
        """A decimal 64-bit number (messenger-calling 5.4)."""
        return str(self._rng.randrange(1, 2**63))

    def ssrc(self, taken: frozenset[int] = frozenset()) -> int:
        """A synchronisation source that is not in `taken`."""
        while True:
            ssrc = self._rng.randrange(1, 2**32)
            if ssrc not in taken:
                return ssrc

    def _bytes(self, count: int) -> bytes:
        return self._rng.getrandbits(8 * count).to_bytes(count, "big")
