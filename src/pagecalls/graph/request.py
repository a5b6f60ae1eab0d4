"""One Graph request, taken apart: where it points, what it carries, who sends it.

`Incoming` is what has arrived, whether on a socket or as a member of a batch; nothing below it knows the difference. The body is
decoded before anybody asks who the caller is, because the token may be in it; a body that cannot be read is noted and refused in
its turn (messenger-calling 1.4, check order).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote

from starlette.types import Receive, Scope

from pagecalls.errors import UnknownPath, UnreadableBody
from pagecalls.graph.decoding import parse_body
from pagecalls.graph.params import Params, merged
from pagecalls.graph.versions import Version, find_version, looks_like_version
from pagecalls.http import JsonObject, header, read_body

_VERB_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token as text and the proof that came with it. Texts stay out of `repr`."""

    token: str
    proof: str = ""
    proof_time: str = ""

    def __repr__(self) -> str:
        return "Credentials(...)"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it arrived. `path` is percent-encoded; `origin` is scheme and host as the client wrote them.

    `default_version` and `credentials` are what a member of a batch has from the request around it.
    """

    method: str
    path: str
    query_string: bytes
    read_body: Callable[[], Awaitable[bytes]]
    content_type: str | None = None
    authorization: str | None = None
    if_none_match: str | None = None
    origin: str = ""
    default_version: Version | None = None
    credentials: Credentials | None = None
    is_member: bool = False

    @property
    def url(self) -> str:
        """The address that the client used."""
        query = self.query_string.decode("latin-1")
        return f"{self.origin}{self.path}{'?' + query if query else ''}"


def incoming(scope: Scope, receive: Receive) -> Incoming:
    """What came over HTTP. On Graph paths the host decides nothing (graph-platform 1); it is only repeated in paging links."""
    raw = scope.get("raw_path")
    return Incoming(
        method=scope["method"].upper(),
        path=raw.decode("latin-1") if raw is not None else quote(scope["path"], safe="/"),
        query_string=scope["query_string"],
        read_body=lambda: read_body(receive, scope=scope),
        content_type=header(scope, "content-type"),
        authorization=header(scope, "authorization"),
        if_none_match=header(scope, "if-none-match"),
        origin=f"{scope.get('scheme', 'http')}://{header(scope, 'host') or ''}",
    )


@dataclass(frozen=True, slots=True)
class Address:
    """A path's parts. `version` is `None` when the path names none; `edge` is `""` for the node itself, both for the root."""

    version: Version | None
    node: str
    edge: str
    rest: tuple[str, ...] = ()


def parse_address(path: str) -> Address:
    """Take a percent-encoded path apart; empty segments (doubled and trailing slashes) do not count. Raises `UnknownPath`."""
    segments = [unquote(part) for part in path.split("/") if part]
    version = None
    if segments and looks_like_version(segments[0]):
        version = find_version(segments[0])
        if version is None:
            raise UnknownPath("/" + "/".join(segments[1:]))
        segments = segments[1:]
    node, edge, *rest = [*segments, "", ""][: max(2, len(segments))]
    return Address(version, node, edge, tuple(rest))


@dataclass(frozen=True, slots=True)
class Request:
    """A decoded request. `unreadable` is why the body could not be read; its parameters are then missing from `params`.

    `content`: the body's bytes. `credentials`: those of the batch around it.
    """

    method: str
    address: Address
    params: Params
    query: JsonObject
    body: JsonObject
    authorization: str | None
    unreadable: UnreadableBody | None = None
    credentials: Credentials | None = None
    content: bytes = field(default=b"", repr=False)

    def readable(self) -> Params:
        """The parameters. Raises `UnreadableBody`."""
        if self.unreadable is not None:
            raise self.unreadable
        return self.params


async def read_request(arrived: Incoming, address: Address, query: JsonObject) -> Request:
    """Read and decode. Bodies of GET and HEAD are ignored. Raises `BodyTooLarge`, `ClientGone`."""
    content = await arrived.read_body()
    body: JsonObject = {}
    unreadable = None
    if arrived.method not in ("GET", "HEAD"):
        try:
            body = parse_body(arrived.content_type, content)
        except UnreadableBody as error:
            unreadable = error
    method = "GET" if arrived.method == "HEAD" else arrived.method
    params = merged(query, body)
    return Request(method, address, params, query, body, arrived.authorization, unreadable, arrived.credentials, content)


def overridden(request: Request, has_token: bool) -> Request:
    """The request with the verb that its parameter `method` names (graph-platform 3.3).

    On POST any verb will do; one that nobody serves is refused like any other. On GET only POST and DELETE count, and only with
    a token, so that a mere link does nothing.
    """
    word = request.params.values.get("method")
    if not isinstance(word, str) or not word:
        return request
    verb = word.strip().upper()[:_VERB_LIMIT]
    if request.method == "POST" or (request.method == "GET" and has_token and verb in ("POST", "DELETE")):
        return replace(request, method=verb)
    return request
