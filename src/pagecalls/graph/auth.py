"""Who asks, and what they may do (graph-platform 2, messenger-calling 1.2, rulings 5 and 16).

Three steps in the order of graph-platform 4.1: a token is found and believed (`identify`), then the node is looked up, then the
token is held against that node (`page_caller`, `app_caller`). Knows no edge by name.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from enum import StrEnum

from pagecalls.errors import (
    AppTokenRequired,
    CurrentUserUnknown,
    MissingScope,
    NoToken,
    PageTokenRequired,
    UnknownAlias,
    UnknownObject,
    WrongPage,
    WrongProof,
)
from pagecalls.graph.params import Params
from pagecalls.graph.request import Credentials, Request
from pagecalls.http import Json
from pagecalls.store.base import App, Page, Token, TokenKind, User
from pagecalls.switchboard.base import Caller
from pagecalls.switchboard.directory import Directory
from pagecalls.switchboard.user_tokens import UserTokens
from pagecalls.types import AppId, PageId

PROOF_TIME_S = 300.0
ME = "me"
APP_ALIAS = "app"


class Scope(StrEnum):
    """The permissions that the edges ask for."""

    MESSAGING = "pages_messaging"
    MANAGE_METADATA = "pages_manage_metadata"
    SHOW_LIST = "pages_show_list"


@dataclass(frozen=True, slots=True)
class Identity:
    """A believed token, its app, its Page if it has one, and its text, which stays out of `repr`."""

    token: Token
    app: App
    page: Page | None
    text: str

    def __repr__(self) -> str:
        return f"Identity({self.token.kind}, app {self.app.id})"


def find_token(request: Request) -> str | None:
    """The token text; a parameter beats the header, the body beats the query, empty counts as absent (ruling 5)."""
    places = (
        request.body.get("access_token"),
        request.query.get("access_token"),
        request.body.get("oauth_token"),
        request.query.get("oauth_token"),
        _header_token(request.authorization),
    )
    return next((text for place in places if (text := _text(place))), None)


async def identify(directory: Directory, request: Request, now: float) -> Identity:
    """Find the token, believe it, check its proof. Raises `NoToken`, `CurrentUserUnknown`, `BadToken`, `WrongProof`."""
    credentials = find_credentials(request)
    if credentials is None:
        raise CurrentUserUnknown if request.address.node == ME else NoToken
    bearer = await directory.bearer(credentials.token)
    check_proof(bearer.app, credentials, now)
    return Identity(bearer.token, bearer.app, bearer.page, credentials.token)


def find_credentials(request: Request) -> Credentials | None:
    """The request's own token and proof; a member of a batch that brings no other token has those of the request around it."""
    token = find_token(request)
    around = request.credentials
    proof = _proof_text(request.params, "appsecret_proof")
    if around is not None and (token is None or token == around.token) and not proof:
        return around
    if token is None and around is not None:
        token = around.token
    return Credentials(token, proof, _proof_text(request.params, "appsecret_time")) if token is not None else None


def check_proof(app: App, credentials: Credentials, now: float) -> None:
    """`appsecret_proof`: verified when present, demanded when the app says so (graph-platform 2.3). Raises `WrongProof`."""
    given = credentials.proof
    if not given:
        if app.require_proof:
            raise WrongProof(missing=True)
        return
    if not app.secret:
        raise WrongProof(missing=False)
    message = credentials.token
    stamp = credentials.proof_time
    if stamp:
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16) or abs(now - int(stamp)) > PROOF_TIME_S:
            raise WrongProof(missing=False)
        message = f"{credentials.token}|{stamp}"
    expected = hmac.new(app.secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), given.strip().lower().encode()):
        raise WrongProof(missing=False)


async def find_page(directory: Directory, identity: Identity, method: str, node: str) -> Page:
    """The Page that the path names. Raises `UnknownObject`, `UnknownAlias`, `CurrentUserUnknown`, `PageTokenRequired`."""
    if node == ME:
        return _own_page(identity, method)
    if not _is_id(node):
        raise UnknownAlias(node)
    if identity.page is not None and identity.page.id == node:
        return identity.page
    page = await directory.page(PageId(node))
    if page is None:
        raise UnknownObject(method, node)
    return page


def _own_page(identity: Identity, method: str) -> Page:
    if identity.token.kind is TokenKind.APP:
        raise CurrentUserUnknown
    if identity.token.page_id is None:
        raise PageTokenRequired
    if identity.page is None:
        raise UnknownObject(method, ME)
    return identity.page


def page_caller(identity: Identity, page: Page, *scopes: Scope) -> Caller:
    """The right to act on the Page, with any one of `scopes` if there are some.

    A system user's token with the Page counts as a Page token (ruling 16). Raises `PageTokenRequired`, `WrongPage`,
    `MissingScope`, which names the first.
    """
    token = identity.token
    if token.kind not in (TokenKind.PAGE, TokenKind.SYSTEM_USER) or token.page_id is None:
        raise PageTokenRequired
    if token.page_id != page.id:
        raise WrongPage
    if scopes and token.scopes.isdisjoint(scope.value for scope in scopes):
        raise MissingScope(scopes[0].value)
    return Caller(identity.app.id, page.id)


def need_scope(identity: Identity, scope: Scope) -> None:
    """Raises `MissingScope`."""
    if scope.value not in identity.token.scopes:
        raise MissingScope(scope.value)


async def on_page(users: UserTokens, identity: Identity, page: Page) -> Identity:
    """The same token as one of this Page, if it is a system user's who has a task on it (ruling 16)."""
    token = identity.token
    if token.kind is not TokenKind.SYSTEM_USER or token.page_id is not None or not await users.reaches(token, page.id):
        return identity
    return replace(identity, token=replace(token, page_id=page.id), page=page)


async def page_reader(users: UserTokens, identity: Identity, page: Page) -> Caller:
    """The right to read the Page's own node: as `page_caller`, and a user's who reaches the Page and may list theirs."""
    token = identity.token
    may_list = token.kind is TokenKind.USER and Scope.SHOW_LIST.value in token.scopes
    if may_list and await users.reaches(token, page.id):
        return Caller(identity.app.id, page.id)
    return page_caller(identity, page)


def is_users_node(identity: Identity, node: str) -> bool:
    """Whether the path names the user whose token asks: `me`, or their id."""
    token = identity.token
    is_user = token.kind in (TokenKind.USER, TokenKind.SYSTEM_USER) and token.user_id is not None
    return is_user and node in (ME, token.user_id)


def is_own_page(identity: Identity, node: str) -> bool:
    """Whether the path names the Page that the token is for."""
    return identity.page is not None and node in (ME, identity.page.id)


async def find_user(users: UserTokens, identity: Identity, method: str, node: str) -> User:
    """The user that the path names; nobody else's node is seen. Raises `CurrentUserUnknown`, `UnknownAlias`, `UnknownObject`."""
    token = identity.token
    if node == ME and token.kind is TokenKind.APP:
        raise CurrentUserUnknown
    if node != ME and not _is_id(node):
        raise UnknownAlias(node)
    user = await users.user(token.user_id) if token.user_id is not None and is_users_node(identity, node) else None
    if user is None:
        raise UnknownObject(method, node)
    return user


def app_caller(identity: Identity, method: str, node: str) -> AppId:
    """The right to act on an app's own node: the app's own token. Raises `UnknownObject`, `UnknownAlias`, `AppTokenRequired`.

    `app` stands for the token's app.
    """
    if node != APP_ALIAS:
        if not _is_id(node):
            raise UnknownAlias(node)
        if node != identity.app.id:
            raise UnknownObject(method, node)
    if identity.token.kind is not TokenKind.APP:
        raise AppTokenRequired
    return identity.app.id


def _is_id(node: str) -> bool:
    return node.isascii() and node.isdigit()


def _header_token(authorization: str | None) -> str | None:
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() not in ("bearer", "oauth"):
        return None
    # Header bytes came as Latin-1; the same token in a query is read as UTF-8.
    return text.strip().encode("latin-1").decode("utf-8", "replace")


def _proof_text(params: Params, name: str) -> str:
    """As text, `""` if absent. A time may be a JSON number; whatever else is no text must not pass for an absent proof."""
    value = params.values.get(name)
    if value is None or value is False:
        return ""
    return value if isinstance(value, str) else str(value)


def _text(value: Json) -> str | None:
    return value or None if isinstance(value, str) else None
