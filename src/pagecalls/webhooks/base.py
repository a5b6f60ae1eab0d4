"""The sender port: one HTTP request to a receiver, and what became of it.

A sender knows neither apps nor signatures. It never raises for anything that the network or the receiver does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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

    def shown(self, characters: int) -> str:
        """The first characters of the body, fit for a terminal; what cannot be printed is a replacement character."""
        text = self.body[: 4 * characters].decode("utf-8", "replace")[:characters]
        return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a callback says when it is tried out: to a verification, with why that failed, and to a signed event."""

    url: str = field(repr=False)
    verification: Outcome
    unverified: str | None
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    event: Outcome


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
