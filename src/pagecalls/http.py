"""What every HTTP face shares: JSON in and out, the body limit, and the guard against foreign hosts.

Owns no route, no error body and no token. A face catches `BodyTooLarge` and `ClientGone` and answers in its own way.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec
from starlette.types import Receive, Scope, Send

from pagecalls.errors import BodyTooLarge

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A decoded JSON value."""

JsonObject: TypeAlias = "dict[str, Json]"

MAX_BODY_BYTES = 1024 * 1024
"""graph-platform 3.1."""

_AUTHORITY = re.compile(r"(?:\[([^\[\]/@?#\\ ,]+)\]|([^\[\]:/@?#\\ ,]+))(?::([0-9]{0,5}))?")
"""RFC 9112 section 3.2: a name or address, or an IPv6 address in brackets; and a port."""

DRAIN_BYTES = 8 * MAX_BODY_BYTES
"""How much of a body that is too large is read and thrown away, so that an ordinary client gets as far as reading the refusal."""


class ClientGone(Exception):
    """The client closed the connection before its request was complete; nobody waits for an answer."""


class NotJson(Exception):
    """Bytes or text that are not one JSON value."""


def parse_json(text: bytes | str) -> Json:
    """One JSON value (RFC 8259: no NaN, no lone surrogates). Raises `NotJson`, also for nesting beyond reason."""
    try:
        value: Json = msgspec.json.decode(text)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise NotJson(str(error)) from error
    return value


async def read_body(receive: Receive, limit: int = MAX_BODY_BYTES, *, scope: Scope | None = None) -> bytes:
    """The whole body. Raises `BodyTooLarge` beyond `limit` bytes, whatever the headers of `scope` promised, and `ClientGone`.

    A body of which they promise too much is not even begun, if it is more than would be drained or the client asked first.
    """
    if scope is not None and _is_refused_unread(scope, limit):
        raise BodyTooLarge
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body", False) or size > DRAIN_BYTES:
            break
    if size > limit:
        raise BodyTooLarge
    return b"".join(chunks)


def _is_refused_unread(scope: Scope, limit: int) -> bool:
    """Whether to answer before the body is there (RFC 9110 section 10.1.1)."""
    promised = header(scope, "content-length") or ""
    if not (promised.isascii() and promised.isdigit()):
        return False
    size = int(promised[:20])
    asks_first = (header(scope, "expect") or "").lower() == "100-continue"
    return size > (limit if asks_first else DRAIN_BYTES)


async def until_gone(receive: Receive) -> None:
    """Return when the client closes the connection. Only for a request whose body has been read."""
    while (await receive())["type"] != "http.disconnect":
        continue


def header(scope: Scope, name: str) -> str | None:
    """The first header of that name (lower case), as text."""
    wanted = name.encode("latin-1")
    for key, value in scope["headers"]:
        if key == wanted:
            text: str = value.decode("latin-1")
            return text
    return None


def header_safe(text: str) -> str:
    """`text` as it may stand in a header: printable ASCII, everything else as an escape."""
    return text.encode("unicode_escape").decode("ascii")


def nothing() -> None:
    """A `release` that nobody waits for."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer, as an ASGI app. `body` is what goes out as JSON, or ready bytes.

    `release` is called exactly once: when the last byte has been handed to the socket, or when that failed, because the client is
    gone, the body could not be encoded or the task was cancelled (ruling 18).
    """

    status: int
    body: Json | msgspec.Struct | bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    release: Callable[[], None] = nothing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            content = self.body if isinstance(self.body, bytes) else msgspec.json.encode(self.body)
            await send({"type": "http.response.start", "status": self.status, "headers": self._raw_headers(len(content))})
            await send({"type": "http.response.body", "body": content})
        finally:
            self.release()

    def _raw_headers(self, length: int) -> list[tuple[bytes, bytes]]:
        lines = dict(self.headers)
        if self.status not in (204, 304):
            lines = {"content-type": "application/json; charset=UTF-8", **lines, "content-length": str(length)}
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in lines.items()]


@dataclass(frozen=True, slots=True)
class HostGuard:
    """Refuses requests that a foreign web page could have caused (DNS rebinding).

    A `Host` is at home when it is loopback or one of `names`, whatever its port; an `Origin`, if there is one, likewise.
    """

    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: Iterable[str]) -> HostGuard:
        """A guard that knows the configured names and addresses."""
        return cls(frozenset(name.lower().rstrip(".").strip("[]") for name in names))

    def admits(self, scope: Scope) -> bool:
        """Whether the request's `Host` and `Origin` are at home."""
        host = host_name(_only(scope, b"host"))
        return host is not None and self._is_home(host) and self._admits_origin(scope)

    def admits_probe(self, scope: Scope) -> bool:
        """As `admits`, but any bare address will do: rebinding needs a name, and probes of an orchestrator use the address."""
        host = host_name(_only(scope, b"host"))
        return host is not None and (_address(host) is not None or self._is_home(host)) and self._admits_origin(scope)

    def _admits_origin(self, scope: Scope) -> bool:
        origin = _only(scope, b"origin")
        if origin is None:
            return True
        scheme, separator, rest = origin.partition("://")
        host = host_name(rest) if separator and scheme in ("http", "https") else None
        return host is not None and self._is_home(host)

    def _is_home(self, host: str) -> bool:
        address = _address(host)
        return host == "localhost" or host in self.names or (address is not None and address.is_loopback)


def _only(scope: Scope, name: bytes) -> str | None:
    """The header's value. Of two lines nobody can say which one counts (RFC 9112 section 3.2); together they are no host."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ",".join(values) if values else None


def host_name(authority: str | None) -> str | None:
    """The host of `host[:port]`, lower case, without brackets and final dot; `None` if there is none or it makes no sense."""
    found = _AUTHORITY.fullmatch(authority or "")
    if found is None or int(found[3] or 0) > 65_535:
        return None
    return (found[1] or found[2]).lower().rstrip(".") or None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
