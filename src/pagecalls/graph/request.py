"""One Graph request, taken apart: where it points, what it carries, who sends it.

The body is decoded before anybody asks who the caller is, because the token may be in it; a body that cannot be read is noted and
refused in its turn (messenger-calling 1.4, check order).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from starlette.types import Receive, Scope

from pagecalls.errors import UnknownPath, UnreadableBody
from pagecalls.graph.decoding import parse_body, parse_query
from pagecalls.graph.params import Params, merged
from pagecalls.graph.versions import Version, find_version, looks_like_version
from pagecalls.http import JsonObject, header, read_body


@dataclass(frozen=True, slots=True)
class Address:
    """A path's parts. `version` is `None` when the path names none; `edge` is `""` for the node itself."""

    version: Version | None
    node: str
    edge: str
    rest: tuple[str, ...] = ()


def parse_address(scope: Scope) -> Address:
    """Take the path apart; empty segments (doubled and trailing slashes) do not count. Raises `UnknownPath`."""
    raw = scope.get("raw_path")
    path: str = raw.decode("latin-1") if raw is not None else scope["path"]
    segments = [unquote(part) if raw is not None else part for part in path.split("/") if part]
    version = None
    if segments and looks_like_version(segments[0]):
        version = find_version(segments[0])
        if version is None:
            raise UnknownPath("/" + "/".join(segments[1:]))
        segments = segments[1:]
    if not segments:
        raise UnknownPath("/")
    return Address(version, segments[0], segments[1] if len(segments) > 1 else "", tuple(segments[2:]))


@dataclass(frozen=True, slots=True)
class Request:
    """A decoded request. `unreadable` is why the body could not be read; its parameters are then missing from `params`."""

    method: str
    address: Address
    params: Params
    query: JsonObject
    body: JsonObject
    authorization: str | None
    unreadable: UnreadableBody | None = None

    def readable(self) -> Params:
        """The parameters. Raises `UnreadableBody`."""
        if self.unreadable is not None:
            raise self.unreadable
        return self.params


async def read_request(scope: Scope, receive: Receive, address: Address) -> Request:
    """Read and decode. Bodies of GET requests are ignored. Raises `BodyTooLarge`, `ClientGone`."""
    method: str = scope["method"].upper()
    query = parse_query(scope["query_string"])
    content = await read_body(receive)
    body: JsonObject = {}
    unreadable = None
    if method != "GET":
        try:
            body = parse_body(header(scope, "content-type"), content)
        except UnreadableBody as error:
            unreadable = error
    return Request(method, address, merged(query, body), query, body, header(scope, "authorization"), unreadable)
