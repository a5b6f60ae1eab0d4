"""`POST /consumer/v1/sessions`: a consumer's identity and a token for one device.

Owns who may ask (anyone in development mode, else the holder of the operator's key) and the shape of the request. Knows no
WebSocket.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from pagecalls.consumer.dispatch import ErrorTable, forbidden
from pagecalls.errors import BodyTooLarge, InvalidValue, MissingParameter, OurFault, PageCallsError, UnreadableBody
from pagecalls.http import ClientGone, NotJson, header, parse_json, read_body
from pagecalls.switchboard.base import DeviceIdentity
from pagecalls.switchboard.directory import NewSession
from pagecalls.types import PageId, Platform, Psid


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """`dev_mode` opens sessions to anyone. `allowed_hosts`: names beside loopback, lower case, without ports."""

    dev_mode: bool
    operator_key: str | None = field(default=None, repr=False)
    allowed_hosts: frozenset[str] = frozenset()


class ConsumerDirectory(Protocol):
    """What this face needs of `switchboard.directory.Directory`."""

    async def device(self, text: str) -> DeviceIdentity | None:
        """The device behind a token."""
        ...

    async def open_session(self, page_id: PageId, platform: Platform, name: str | None, psid: Psid | None) -> NewSession:
        """A new consumer, or a further device of a known one. Raises `UnknownObject`."""
        ...


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body. `psid` reopens that identity with a new token."""

    page_id: Annotated[str, Meta(pattern=r"^[0-9]{1,32}\Z")]
    platform: str = Platform.MESSENGER.value
    name: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    psid: Annotated[str, Meta(pattern=r"^[0-9]{1,32}\Z")] | None = None


class Sessions:
    """The resource."""

    def __init__(self, directory: ConsumerDirectory, options: ConsumerOptions, errors: ErrorTable) -> None:
        self._directory = directory
        self._options = options
        self._errors = errors

    async def serve(self, request: Request) -> Response:
        """201 with the token, or the Graph side's error object under `error`."""
        if not self._may_ask(request.scope):
            return JSONResponse(forbidden(self._errors, "Sessions are opened with the operator's key only."), 403)
        try:
            asked = decode(await read_body(request.receive, scope=request.scope))
            opened = await self._directory.open_session(
                PageId(asked.page_id), _platform(asked.platform), asked.name, None if asked.psid is None else Psid(asked.psid)
            )
        except ClientGone:
            return Response(status_code=400)
        except BodyTooLarge as fault:
            return self._error(413, fault)
        except OurFault as fault:
            return self._error(503, fault)
        except PageCallsError as fault:
            return self._error(400, fault)
        return JSONResponse(_rendered(opened), 201, {"Cache-Control": "no-store"})

    def _may_ask(self, scope: Scope) -> bool:
        if self._options.dev_mode:
            return True
        key, shown = self._options.operator_key, bearer(scope)
        return key is not None and shown is not None and hmac.compare_digest(key.encode(), shown.encode("utf-8", "surrogatepass"))

    def _error(self, status: int, cause: PageCallsError) -> JSONResponse:
        return JSONResponse({"error": dict(self._errors(cause))}, status)


def decode(body: bytes) -> SessionRequest:
    """The request in a body. Raises `RequestError`."""
    try:
        values = parse_json(body)
    except NotJson:
        raise UnreadableBody("application/json") from None
    if not isinstance(values, dict):
        raise UnreadableBody("application/json")
    if "page_id" not in values:
        raise MissingParameter("page_id")
    for name in SessionRequest.__struct_fields__:
        _check(name, values)
    return msgspec.convert(values, SessionRequest)


def bearer(scope: Scope) -> str | None:
    """The token of `Authorization: Bearer <token>`, if there is one."""
    scheme, _, token = (header(scope, "authorization") or "").partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None


def _check(name: str, values: Mapping[str, object]) -> None:
    """One member by itself, so that the fault names it."""
    if name in values:
        try:
            msgspec.convert({"page_id": "0"} | {name: values[name]}, SessionRequest)
        except (msgspec.ValidationError, RecursionError):
            raise InvalidValue(name) from None


def _platform(text: str) -> Platform:
    try:
        return Platform(text.lower())
    except ValueError:
        raise InvalidValue("platform", tuple(platform.value for platform in Platform), text[:64]) from None


def _rendered(opened: NewSession) -> dict[str, object]:
    return {
        "psid": opened.consumer.psid,
        "access_token": opened.access_token,
        "expires_at": int(opened.expires_at),
        "name": opened.consumer.name,
        "page": {"id": opened.page.id, "name": opened.page.name},
    }
