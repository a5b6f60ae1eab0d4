"""The sender port: one HTTP request to a receiver, and what became of it.

A sender knows neither apps nor signatures. It never raises for anything that the network or the receiver does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

CONNECT_TIMEOUT_S = 5.0
"""Ruling 8."""

TOTAL_TIMEOUT_S = 20.0
"""Ruling 8: one real client makes two API calls before it answers."""

VERIFY_TIMEOUT_S = 4.0
"""All of a verification request (graph-platform 7.3)."""

MAX_RESPONSE_BYTES = 64 * 1024
"""A response is read up to here and then cut off."""


class Failure(StrEnum):
    """Why there is no HTTP status."""

    TIMEOUT = "timeout"
    NAME = "name"
    """The host name has no address."""
    CONNECT = "connect"
    TLS = "tls"
    NOT_ALLOWED = "not_allowed"
    """The address lies in a network that webhooks must not reach (`targets.py`)."""
    BAD_URL = "bad_url"
    BROKEN = "broken"
    """The connection ended, or what came back is not HTTP."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request: a `status` with its `reason` phrase and first bytes, or a `failure` with a text for people."""

    status: int | None = None
    reason: str = ""
    body: bytes = b""
    failure: Failure | None = None
    error: str = ""
    latency_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Acknowledged: any 2xx (graph-platform 7.7)."""
        return self.status is not None and 200 <= self.status < 300


class Sender(Protocol):
    """One HTTP request at a time, to any receiver. Redirects are answers like any other."""

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> Outcome:
        """Send `body` as it is."""
        ...

    async def get(self, url: str, *, total_timeout_s: float = VERIFY_TIMEOUT_S) -> Outcome:
        """Fetch the first `MAX_RESPONSE_BYTES` of `url`."""
        ...
