"""Fresh identifiers, from one injected source of chance."""

from __future__ import annotations

import base64
import random
import string

from pagecalls.types import AppId, CallId, DeviceId, LegId, MessageId, PageId, Psid, UserId

STREAM_ALPHABET = string.ascii_letters + string.digits


class Ids:
    """Makes every identifier that the switchboard invents. `rng` is `random.SystemRandom()` outside tests."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def call_id(self) -> CallId:
        """`c_` and 43 url-safe base64 characters from 32 random bytes (messenger-calling 2)."""
        return CallId("c_" + self._url_safe(32))

    def leg_id(self) -> LegId:
        """16 hex digits."""
        return LegId(self._bytes(8).hex())

    def event_id(self) -> str:
        """32 hex digits, one per webhook event."""
        return self._bytes(16).hex()

    def message_id(self) -> MessageId:
        """`m_` and 32 url-safe base64 characters from 24 random bytes."""
        return MessageId("m_" + self._url_safe(24))

    def app_id(self) -> AppId:
        """15 decimal digits."""
        return AppId(str(self._rng.randrange(10**14, 10**15)))

    def page_id(self) -> PageId:
        """15 decimal digits."""
        return PageId(str(self._rng.randrange(10**14, 10**15)))

    def user_id(self) -> UserId:
        """15 decimal digits."""
        return UserId(str(self._rng.randrange(10**14, 10**15)))

    def psid(self) -> Psid:
        """16 decimal digits."""
        return Psid(str(self._rng.randrange(10**15, 10**16)))

    def device_id(self) -> DeviceId:
        """16 hex digits."""
        return DeviceId(self._bytes(8).hex())

    def app_secret(self) -> str:
        """32 hex digits."""
        return self._bytes(16).hex()

    def access_token(self) -> str:
        """`EAA` and 64 url-safe base64 characters from 48 random bytes (graph-platform 2.2)."""
        return "EAA" + self._url_safe(48)

    def app_token(self, app_id: AppId) -> str:
        """`<app id>|` and 43 url-safe base64 characters: one that is kept and can end, unlike that of `credentials.app_token`."""
        return f"{app_id}|{self._url_safe(32)}"

    def oauth_code(self) -> str:
        """`AQ` and 64 url-safe base64 characters from 48 random bytes."""
        return "AQ" + self._url_safe(48)

    def consumer_token(self) -> str:
        """43 url-safe base64 characters."""
        return self._url_safe(32)

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

    def _url_safe(self, count: int) -> str:
        return base64.urlsafe_b64encode(self._bytes(count)).rstrip(b"=").decode()

    def _bytes(self, count: int) -> bytes:
        return self._rng.getrandbits(8 * count).to_bytes(count, "big")
