"""From an answer or an error to the bytes and headers that leave (graph-platform 3.3, 4 and 5).

One `Rendering` goes with one request and is told what becomes known of it on the way: the version, how the client wants its
answer, its usage. Knows no edge and no store.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from pagecalls.errors import InternalFault, PageCallsError
from pagecalls.graph.envelope import error_body, error_headers, error_object, find_row
from pagecalls.graph.limits import Usage
from pagecalls.graph.options import GraphOptions, TraceIds
from pagecalls.graph.versions import LATEST, Version
from pagecalls.graph.visit import Answer
from pagecalls.http import Json, JsonObject, Response, nothing
from pagecalls.switchboard.base import Release

log = logging.getLogger(__name__)

_INDENT = 3
_FIXED_HEADERS = {
    "access-control-allow-origin": "*",
    "cache-control": "private, no-cache, no-store, must-revalidate",
    "pragma": "no-cache",
    "expires": "Sat, 01 Jan 2000 00:00:00 GMT",
    "vary": "Origin",
}
_PREFLIGHT_HEADERS = {
    "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type",
    "access-control-max-age": "86400",
}


class Severity(StrEnum):
    """What kind of message `debug` asks for."""

    ALL = "all"
    INFO = "info"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Presentation:
    """The reserved parameters that change how an answer looks, not what it says. Values that make no sense are ignored."""

    is_pretty: bool = False
    hides_status: bool = False
    debug: Severity | None = None

    @classmethod
    def of(cls, values: Mapping[str, Json]) -> Presentation:
        """What `pretty`, `suppress_http_code` and `debug` say."""
        if values.keys().isdisjoint(("pretty", "suppress_http_code", "debug")):
            return _AS_EVER
        word = values.get("debug")
        debug = next((each for each in Severity if isinstance(word, str) and word.lower() == each), None)
        return cls(_is_on(values.get("pretty")), _is_on(values.get("suppress_http_code")), debug)


_AS_EVER = Presentation()


def _is_on(value: Json) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in ("1", "true")) or (type(value) is int and value == 1)


@dataclass(slots=True)
class Rendering:
    """How one request is answered. The fields fill in on the way through the steps."""

    options: GraphOptions
    ids: TraceIds
    version: Version = Version(LATEST)
    is_version_named: bool = True
    is_page_edge: bool = True
    presentation: Presentation = Presentation()
    usage: Usage = field(default_factory=Usage)

    def success(self, answer: Answer, reading: bool = False, known: str | None = None) -> Response:
        """200, or 304 for a reader whose `If-None-Match` (`known`) names what it would get."""
        try:
            content = self._encode(answer.body)
        except Exception:
            return self.unexpected(answer.release)
        if not reading:
            return Response(200, content, self._headers(), answer.release)
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {**self._headers(), "etag": etag}
        if etag in (part.strip().removeprefix("W/") for part in (known or "").split(",")):
            return Response(304, b"", headers, answer.release)
        return Response(200, content, headers, answer.release)

    def failure(self, error: PageCallsError, release: Release = nothing) -> Response:
        """The envelope of `error`."""
        swap = self.options.swap_codes
        members = error_object(error, self.ids.request_id, swap)
        codes = (members["code"], members.get("error_subcode", "-"), self.ids.request_id)
        log.info("request refused with code %s, subcode %s, fbtrace_id %s", *codes, extra={"trace_id": self.ids.request_id})
        headers = {**self._headers(), **error_headers(error, swap)}
        status = 200 if self.presentation.hides_status else find_row(error, swap).http
        return Response(status, self._encode(error_body(members, self.is_page_edge)), headers, release)

    def unexpected(self, release: Release = nothing) -> Response:
        """In an `except` block: the fault to the log, E_INTERNAL to the client."""
        log.exception("unexpected fault, fbtrace_id %s", self.ids.request_id, extra={"trace_id": self.ids.request_id})
        return self.failure(InternalFault(), release)

    def preflight(self) -> Response:
        """What a browser asks before it sends a request from another origin."""
        return Response(200, b"", {**self._headers(), **_PREFLIGHT_HEADERS})

    def _encode(self, body: Json | msgspec.Struct) -> bytes:
        if self.presentation.debug is not None:
            body = self._with_debug(msgspec.to_builtins(body))
        content = msgspec.json.encode(body)
        return msgspec.json.format(content, indent=_INDENT) if self.presentation.is_pretty else content

    def _with_debug(self, body: Json) -> Json:
        if not isinstance(body, dict):
            return body
        wanted = self.presentation.debug
        messages: list[Json] = [
            {"message": text, "type": severity.value} for severity, text in self._messages() if wanted in (Severity.ALL, severity)
        ]
        debug: JsonObject = {"messages": messages}
        return {**body, "__debug__": debug}

    def _messages(self) -> list[tuple[Severity, str]]:
        if self.version.upgrade_warning is not None:
            return [(Severity.WARNING, self.version.upgrade_warning)]
        if not self.is_version_named:
            return [(Severity.INFO, f"The path names no version; {self.version.served} was used.")]
        return []

    def _headers(self) -> dict[str, str]:
        return {
            **_FIXED_HEADERS,
            **self.version.headers,
            **self.usage.headers,
            "x-fb-request-id": self.ids.request_id,
            "x-fb-trace-id": self.ids.trace_id,
            "x-fb-rev": str(self.options.rev),
        }
