"""From requests to HTTP and back, without a socket: the core that both faces drive.

Owns where things stand in a request (path, query, header, body), `appsecret_proof`, the envelope of errors and the shape of a
batch (graph-platform 1, 2 and 6). Opens no connection and measures no time.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pagecalls.client.codes import TRANSIENT_CODES, class_of
from pagecalls.client.errors import (
    ClientError,
    Collision,
    ErrorFacts,
    GraphError,
    NotExecuted,
    NotProcessed,
    UnreadableReply,
)
from pagecalls.client.members import Json, JsonObject, Members, WrongShape, decode
from pagecalls.client.requests import AnyRequest, MediaUpdateRequest, Request, Verb
from pagecalls.client.results import Result, answer_of

GRAPH_HOST = "https://graph.facebook.com"
DEFAULT_VERSION = "v26.0"
BATCH_LIMIT = 50
"""Members of one batch (graph-platform 6)."""

_EXCERPT_LENGTH = 200
_USER_AGENT = "pagecalls-client"

R = TypeVar("R", bound=Result)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What goes out. `target` is path and query, encoded; `may_repeat` as in `Request`."""

    verb: Verb
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None
    may_repeat: bool


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came back."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the API is. `prefix` is the path before the version, mostly empty."""

    is_tls: bool
    host: str
    port: int
    prefix: str

    @classmethod
    def of(cls, base_url: str) -> Origin:
        """From a URL. Raises `ValueError` for anything but http and https with a host."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"not the base URL of a server: {base_url!r}")
        is_tls = parts.scheme == "https"
        return cls(is_tls, parts.hostname, parts.port or (443 if is_tls else 80), parts.path.rstrip("/"))

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}"


class Wire:
    """One Page at one host with one token. `version` `None` leaves it to the app's setting."""

    def __init__(self, token: str, page_id: str, app_secret: str | None, version: str | None, base_url: str) -> None:
        if not token.isascii() or not token.isprintable() or not token or " " in token:
            raise ValueError("a token is printable ASCII without spaces")
        if version is not None and not re.fullmatch(r"v\d+\.\d+", version):
            raise ValueError(f"not a version such as {DEFAULT_VERSION}: {version!r}")
        self.origin = Origin.of(base_url)
        self._root = self.origin.prefix + (f"/{version}" if version else "")
        self._page = quote(page_id, safe="")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": _USER_AGENT}
        self._proof = {} if app_secret is None else {"appsecret_proof": proof(app_secret, token)}

    def encode(self, request: AnyRequest) -> HttpRequest:
        """One request."""
        path = f"{self._root}/{request.path(self._page)}"
        parameters = request.parameters()
        if request.verb is Verb.GET:
            query = {**_texts(parameters), **self._proof}
            return HttpRequest(request.verb, _target(path, query), self._headers, None, request.may_repeat)
        body = json.dumps(parameters, separators=(",", ":")).encode()
        headers = {**self._headers, "Content-Type": "application/json"}
        return HttpRequest(request.verb, _target(path, self._proof), headers, body, request.may_repeat)

    def decode(self, request: Request[R], reply: HttpReply) -> R:
        """The answer to `request`. Raises `GraphError`, or `UnreadableReply` for what is no answer of the API."""
        try:
            value = decode(reply.body)
            body = Members.of(value) if isinstance(value, dict) else None
            if body is not None:
                _raise_refusal(body, reply.status)
                if reply.status == 200:
                    _raise_not_processed(request, body)
                    return request.read(body)
        except WrongShape as error:
            raise _unreadable(str(error), reply) from error
        raise _unreadable("not an answer of the API", reply)

    def encode_batch(self, requests: Sequence[AnyRequest]) -> HttpRequest:
        """Many requests in one. Raises `ValueError` beyond `BATCH_LIMIT`.

        A form, with forms inside: the spelling that every version of the platform reads.
        """
        if len(requests) > BATCH_LIMIT:
            raise ValueError(f"a batch has at most {BATCH_LIMIT} members, not {len(requests)}")
        members = json.dumps([self._member(request) for request in requests], separators=(",", ":"))
        body = urlencode({"batch": members, "include_headers": "false"}).encode()
        headers = {**self._headers, "Content-Type": "application/x-www-form-urlencoded"}
        may_repeat = all(request.may_repeat for request in requests)
        return HttpRequest(Verb.POST, _target(f"{self._root}/", self._proof), headers, body, may_repeat)

    def decode_batch(self, requests: Sequence[AnyRequest], reply: HttpReply) -> list[Result | ClientError]:
        """What became of each, in order; errors stand in the list. Raises what made the batch fail as a whole."""
        try:
            value = decode(reply.body)
            if isinstance(value, dict):
                _raise_refusal(Members.of(value), reply.status)
        except WrongShape as error:
            raise _unreadable(str(error), reply) from error
        if not isinstance(value, list) or len(value) != len(requests) or reply.status != 200:
            raise _unreadable("not the answer to this batch", reply)
        return [self._member_result(request, item) for request, item in zip(requests, value, strict=True)]

    def _member(self, request: AnyRequest) -> JsonObject:
        url = request.path(self._page)
        texts = _texts(request.parameters())
        if request.verb is Verb.GET:
            return {"method": request.verb.value, "relative_url": _target(url, texts)}
        return {"method": request.verb.value, "relative_url": url, "body": urlencode(texts, quote_via=quote)}

    def _member_result(self, request: AnyRequest, item: Json) -> Result | ClientError:
        if item is None:
            return NotExecuted()
        try:
            member = Members.of(item, "member")
            reply = HttpReply(member.required_number("code"), (member.text("body") or "").encode("utf-8", "replace"))
        except WrongShape as error:
            return UnreadableReply(str(error), 200)
        try:
            return self.decode(request, reply)
        except ClientError as error:
            return error


def proof(app_secret: str, token: str) -> str:
    """`appsecret_proof` (graph-platform 2.3)."""
    return hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def error_of(members: Members, http_status: int) -> GraphError:
    """The error that an error object tells. Raises `WrongShape`."""
    code, flag = members.number("code"), members.flag("is_transient")
    facts = ErrorFacts(
        message=members.text("message") or "The API gave no message.",
        http_status=http_status,
        code=code,
        subcode=members.number("error_subcode"),
        type=members.text("type") or "",
        is_transient=code in TRANSIENT_CODES if flag is None else flag,
        error_data=_error_data(members),
        user_title=members.text("error_user_title") or "",
        user_message=members.text("error_user_msg") or "",
        fbtrace_id=members.text("fbtrace_id") or "",
    )
    return class_of(facts)(facts)


def _raise_refusal(body: Members, http_status: int) -> None:
    """An error is under `error`, or, as the reference has it, bare. Its place in a 200 answer makes it no less an error."""
    if "error" in body:
        raise error_of(body.required_object("error"), http_status)
    if http_status != 200 and "code" in body and "message" in body:
        raise error_of(body, http_status)


def _raise_not_processed(request: AnyRequest, body: Members) -> None:
    """A collision is `success` false here (ruling 11), and on the platform any 200 to an offer without an answer (4, facts)."""
    refused = body.flag("success") is False or body.values.get("result") == "failure"
    if not isinstance(request, MediaUpdateRequest):
        if refused:
            raise NotProcessed(ErrorFacts("The server did not process the request.", 200))
        return
    if not refused and not (request.is_offer and answer_of(body) is None):
        return
    data: JsonObject = {"call_id": body.text("call_id") or request.call_id}
    if (version := body.number("version")) is not None:
        data["current_version"] = version
    raise Collision(ErrorFacts("The call is at a newer version; nothing was changed.", 200, error_data=data))


def _error_data(members: Members) -> JsonObject:
    """An object, or JSON text of one (graph-platform 4); whatever else stands there tells a program nothing."""
    try:
        data = members.object("error_data")
    except WrongShape:
        return {}
    return data.values if data is not None else {}


def _unreadable(reason: str, reply: HttpReply) -> UnreadableReply:
    excerpt = reply.body[:_EXCERPT_LENGTH].decode("utf-8", "replace")
    return UnreadableReply(reason, reply.status, excerpt)


def _texts(parameters: JsonObject) -> dict[str, str]:
    """Parameters as a form or query has them: what is no text is JSON text (graph-platform 3.1)."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, separators=(",", ":")) for name, value in parameters.items()
    }


def _target(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query, quote_via=quote)}" if query else path
