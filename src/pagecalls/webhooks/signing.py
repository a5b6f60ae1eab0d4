"""The signature over a webhook's exact bytes, both ways (graph-platform 7.5 and 7.6)."""

from __future__ import annotations

import hashlib
import hmac


def headers(secret: str, body: bytes) -> dict[str, str]:
    """The headers of a notification to the app whose secret this is. Some receivers let in this `User-Agent` only."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "facebookexternalua",
        "Accept": "*/*",
        "X-Hub-Signature": f"sha1={_digest(secret, body, 'sha1')}",
        "X-Hub-Signature-256": f"sha256={_digest(secret, body, 'sha256')}",
    }


def verify(secret: str, body: bytes, header: str | None) -> bool:
    """Whether `header`, the value of `X-Hub-Signature-256`, belongs to `body`. Takes the same time for every wrong value."""
    expected = f"sha256={_digest(secret, body, 'sha256')}"
    return hmac.compare_digest(expected.encode(), (header or "").encode(errors="replace"))


def _digest(secret: str, body: bytes, algorithm: str) -> str:
    return hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()
