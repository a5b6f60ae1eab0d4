"""The sender on aiohttp.

Nothing of one receiver carries over to another: no cookies, no redirects, no proxy from the environment, and no shared limit of
connections: several apps may have callbacks on one host, and time spent waiting for a connection would count as the receiver's.
The address rule is enforced where a socket is made, so it holds for names, for literal addresses and for every address that is
tried in turn.
"""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import time
from collections.abc import Mapping

import aiohttp

from pagecalls.webhooks.base import (
    CONNECT_TIMEOUT_S,
    MAX_RESPONSE_BYTES,
    TOTAL_TIMEOUT_S,
    VERIFY_TIMEOUT_S,
    Failure,
    Outcome,
)
from pagecalls.webhooks.names import Lookup, ThreadedNames, system_lookup
from pagecalls.webhooks.targets import TargetPolicy

_log = logging.getLogger(__name__)

IDLE_S = 4.0
"""So long a connection without a request is kept. Less than receivers keep theirs, of which Node and uvicorn end idle ones after
5 s: a POST that meets such an end on its way is a failed attempt, as aiohttp repeats none, and the next comes seconds later."""

_REFUSED = "webhooks to this address are not allowed"


class _TargetRefused(OSError):
    """The policy says no. The text is the same for every address, so that it survives when several were tried."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, _REFUSED)


class AiohttpSender:
    """Implements `base.Sender`. Close it when done. `tls` replaces the system's trust, for private authorities; `lookup` the
    system's names. `per_host` bounds the open connections to one host and port, for callers that nothing else bounds; 0 is no
    bound."""

    def __init__(
        self, policy: TargetPolicy, *, tls: ssl.SSLContext | None = None, lookup: Lookup = system_lookup, per_host: int = 0
    ) -> None:
        self._policy = policy
        self._per_host = per_host
        self._lookup = lookup
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> Outcome:
        """See `base.Sender.post`."""
        timeout = aiohttp.ClientTimeout(total=total_timeout_s, sock_connect=connect_timeout_s)
        return await self._request("POST", url, headers, body, timeout)

    async def get(self, url: str, *, total_timeout_s: float = VERIFY_TIMEOUT_S) -> Outcome:
        """See `base.Sender.get`."""
        headers = {"User-Agent": "facebookexternalua", "Accept": "*/*"}
        return await self._request("GET", url, headers, None, aiohttp.ClientTimeout(total=total_timeout_s))

    async def close(self) -> None:
        """Close all connections. May be called again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: aiohttp.ClientTimeout
    ) -> Outcome:
        began = time.monotonic()
        try:
            async with self._open().request(
                method, url, headers=headers, data=body, timeout=timeout, allow_redirects=False
            ) as response:
                answer = await _first_bytes(response)
                return Outcome(response.status, response.reason or "", answer, latency_s=time.monotonic() - began)
        except Exception as error:  # the port promises not to raise
            failure, text = _explain(error)
            return Outcome(failure=failure, error=text, latency_s=time.monotonic() - began)

    def _open(self) -> aiohttp.ClientSession:
        """The session, made on first use because it belongs to the running loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,  # the outbox bounds the whole, with a share for each app
                limit_per_host=self._per_host,
                keepalive_timeout=IDLE_S,
                ssl=True if self._tls is None else self._tls,
                socket_factory=self._make_socket,
                resolver=ThreadedNames(self._lookup),
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept-Encoding",),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def _make_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if not self._policy.permits(str(address[0])):
            raise _TargetRefused
        return socket.socket(family, kind, protocol)


async def _first_bytes(response: aiohttp.ClientResponse) -> bytes:
    """As much of the body as is wanted. Its status is known by now, so a body that breaks off or stalls is no failure."""
    received = bytearray()
    try:
        while len(received) < MAX_RESPONSE_BYTES:
            chunk = await response.content.read(MAX_RESPONSE_BYTES - len(received))
            if not chunk:
                return bytes(received)
            received += chunk
    except (TimeoutError, aiohttp.ClientError):
        pass
    response.close()  # the rest is not read, so the connection cannot be used again
    return bytes(received)


def _explain(error: Exception) -> tuple[Failure, str]:
    match error:
        case TimeoutError():
            return Failure.TIMEOUT, "timed out"
        case aiohttp.ClientConnectorDNSError():
            return Failure.NAME, "the host name has no address"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, _TargetRefused):
            return Failure.NOT_ALLOWED, _REFUSED
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return Failure.TLS, "the TLS handshake or the certificate failed"
        case aiohttp.ClientConnectorError():
            return Failure.CONNECT, error.os_error.strerror or "connection failed"
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError():
            return Failure.BAD_URL, "not an http or https URL"
        case aiohttp.ClientError() | OSError():
            return Failure.BROKEN, type(error).__name__
        case _:
            _log.error("A request to a webhook receiver failed in an unforeseen way.", exc_info=error)
            return Failure.BROKEN, type(error).__name__
