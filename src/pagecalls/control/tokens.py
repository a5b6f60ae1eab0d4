"""`tokens`: access tokens of every kind. A text is shown at creation and rotation; afterwards its handle names it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pagecalls.control.base import ControlParts, ControlRequest, Refusal, Refused, decode
from pagecalls.control.lists import Id, Lifetime, choice_of, limit_of, listed, seconds
from pagecalls.errors import TokenFault
from pagecalls.http import Json, JsonObject, Response
from pagecalls.store.base import Token, TokenFilter, TokenKind
from pagecalls.switchboard.registers import NoSuch
from pagecalls.switchboard.tokens import REASONS, NewToken, TokenOrder
from pagecalls.types import AppId, PageId, UserId

SHORTEST_HANDLE = 8

ScopeName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]


class NewTokenRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST tokens`. `scopes` null: all that a Page's calls need. `lifetime_s` null: for ever."""

    kind: TokenKind
    app_id: Id
    page_id: Id | None = None
    user_id: Id | None = None
    scopes: list[ScopeName] | None = None
    lifetime_s: Lifetime | None = None


class TokenChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PATCH tokens/{handle}`. What is absent or null stays."""

    scopes: list[ScopeName] | None = None
    lifetime_s: Lifetime | None = None


class Revocation(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST tokens/{handle}/revoke`."""

    reason: TokenFault = TokenFault.REVOKED


async def read_all(parts: ControlParts, request: ControlRequest) -> Response:
    """A page of the list; `app_id`, `page_id`, `user_id` and `kind` narrow it."""
    limit = limit_of(request.query)
    after = request.query.get("after", "")
    # No hex digit stands after 'f', so this is after every digest that begins with the handle.
    tokens = await parts.office.tokens.tokens(_filter(request), after and f"{after}g", limit)
    return listed(tokens, limit, lambda token: rendered(token, parts.clock.now()), lambda token: token.handle)


async def create(parts: ControlParts, request: ControlRequest) -> Response:
    """A new token; its text is shown this once."""
    asked = decode(request.body, NewTokenRequest)
    order = TokenOrder(
        asked.kind,
        AppId(asked.app_id),
        None if asked.page_id is None else PageId(asked.page_id),
        None if asked.user_id is None else UserId(asked.user_id),
        None if asked.scopes is None else frozenset(asked.scopes),
        asked.lifetime_s,
    )
    return _shown(parts, await parts.office.tokens.issue(order))


async def read(parts: ControlParts, request: ControlRequest) -> Response:
    """One token, without its text."""
    return _told(parts, await parts.office.tokens.token(_handle(request)))


async def change(parts: ControlParts, request: ControlRequest) -> Response:
    """Scopes, and when it ends."""
    asked = decode(request.body, TokenChange)
    scopes = None if asked.scopes is None else frozenset(asked.scopes)
    return _told(parts, await parts.office.tokens.change(_handle(request), scopes, asked.lifetime_s))


async def rotate(parts: ControlParts, request: ControlRequest) -> Response:
    """A new text, shown this once; the old one is revoked."""
    return _shown(parts, await parts.office.tokens.rotate(_handle(request)))


async def revoke(parts: ControlParts, request: ControlRequest) -> Response:
    """Take it back, with a reason."""
    asked = decode(request.body, Revocation)
    if asked.reason not in REASONS:
        raise Refused(Refusal.BAD_REQUEST, f"reason is one of {', '.join(REASONS)}.")
    return _told(parts, await parts.office.tokens.revoke(_handle(request), asked.reason))


async def delete(parts: ControlParts, request: ControlRequest) -> Response:
    """Forget it."""
    await parts.office.tokens.delete(_handle(request))
    return Response(200, {"success": True})


def rendered(token: Token, now: float) -> JsonObject:
    """A token as this face shows it."""
    scopes: list[Json] = [*sorted(token.scopes)]
    return {
        "handle": token.handle,
        "kind": token.kind.value,
        "app_id": token.app_id,
        "page_id": token.page_id,
        "user_id": token.user_id,
        "scopes": scopes,
        "state": _state(token, now),
        "issued_at": seconds(token.issued_at),
        "expires_at": seconds(token.expires_at),
    }


def _state(token: Token, now: float) -> str:
    if token.fault is not None:
        return token.fault.value
    return "expired" if token.expires_at is not None and token.expires_at <= now else "good"


def _told(parts: ControlParts, token: Token) -> Response:
    return Response(200, {"token": rendered(token, parts.clock.now())})


def _shown(parts: ControlParts, new: NewToken) -> Response:
    return Response(200, {"token": {**rendered(new.token, parts.clock.now()), "access_token": new.text}})


def _handle(request: ControlRequest) -> str:
    """What the path names. Raises `NoSuch`."""
    handle = request.named["handle"].lower()
    if not SHORTEST_HANDLE <= len(handle) <= 64 or not set(handle) <= set("0123456789abcdef"):
        raise NoSuch("token", handle[:64])
    return handle


def _filter(request: ControlRequest) -> TokenFilter:
    query = request.query
    app_id, page_id, user_id = (query.get(name) for name in ("app_id", "page_id", "user_id"))
    return TokenFilter(
        None if app_id is None else AppId(app_id),
        None if page_id is None else PageId(page_id),
        None if user_id is None else UserId(user_id),
        choice_of(query, "kind", TokenKind),
    )
