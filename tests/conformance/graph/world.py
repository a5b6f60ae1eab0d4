"""A Graph face with everything behind it: two apps, two Pages, every kind of token, and a door that says what a test wants."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp

from pagecalls.clock import SteppedClock
from pagecalls.errors import CallbackUnverified, TokenFault
from pagecalls.graph.app import GraphOptions, Services, build_graph
from pagecalls.media.fake import FakeEngine
from pagecalls.store.base import App, Consumer, Page, Token, TokenKind, Transaction
from pagecalls.store.sqlite import SqliteStore
from pagecalls.switchboard.base import (
    AcceptRequest,
    Caller,
    CallReply,
    ConnectRequest,
    EndRequest,
    MediaUpdateRequest,
)
from pagecalls.switchboard.call_metrics import MetricsDesk
from pagecalls.switchboard.call_settings import PageSettings
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.credentials import digest
from pagecalls.switchboard.devices import Devices
from pagecalls.switchboard.directory import Directory
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.messages import Messages
from pagecalls.switchboard.oauth import OAuthDesk
from pagecalls.switchboard.permissions import Permissions
from pagecalls.switchboard.user_tokens import UserTokens
from pagecalls.types import AppId, CallId, PageId, Platform, Psid
from tests.asgi_client import Reply, exchange

APP = App(AppId("9001"), "Desk", "desk-secret")
OTHER_APP = App(AppId("9002"), "Shop", "shop-secret")
STRICT_APP = App(AppId("9003"), "Vault", "vault-secret", default_version="v23.0", require_proof=True)
PAGE = Page(PageId("1001"), "Tea House")
OTHER_PAGE = Page(PageId("1002"), "Book House", is_calling_eligible=False)
PSID = Psid("2002")
CALL_ID = CallId("c_" + "x" * 43)
ANSWER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"
RENEGOTIATION = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"
OFFER = "v=0\r\no=- 7 2 IN IP4 127.0.0.1\r\ns=-\r\n"

PAGE_TOKEN = "EAApage"
OTHER_PAGE_TOKEN = "EAAother"
BARE_TOKEN = "EAAbare"
SYSTEM_TOKEN = "EAAsystem"
USER_TOKEN = "EAAuser"
EXPIRED_TOKEN = "EAAexpired"
REVOKED_TOKEN = "EAArevoked"
STRICT_TOKEN = "EAAstrict"
APP_TOKEN = f"{APP.id}|{APP.secret}"

_SCOPES = frozenset({"pages_messaging", "pages_manage_metadata"})

_TOKENS = {
    PAGE_TOKEN: Token("", TokenKind.PAGE, APP.id, PAGE.id, _SCOPES),
    OTHER_PAGE_TOKEN: Token("", TokenKind.PAGE, APP.id, OTHER_PAGE.id, _SCOPES),
    BARE_TOKEN: Token("", TokenKind.PAGE, APP.id, PAGE.id, frozenset()),
    SYSTEM_TOKEN: Token("", TokenKind.SYSTEM_USER, APP.id, PAGE.id, _SCOPES),
    USER_TOKEN: Token("", TokenKind.USER, APP.id, None, _SCOPES),
    EXPIRED_TOKEN: Token("", TokenKind.PAGE, APP.id, PAGE.id, _SCOPES, expires_at=1_790_000_000.0),
    REVOKED_TOKEN: Token("", TokenKind.PAGE, APP.id, PAGE.id, _SCOPES, fault=TokenFault.REVOKED),
    STRICT_TOKEN: Token("", TokenKind.PAGE, STRICT_APP.id, PAGE.id, _SCOPES),
}


@dataclass(slots=True)
class Door:
    """A switchboard that writes down what it is asked and answers or raises what the test put in `answer`."""

    answer: CallReply | Exception = field(default_factory=lambda: CallReply(CALL_ID))
    asked: list[tuple[str, Caller, object]] = field(default_factory=list)
    released: int = 0

    async def connect(self, caller: Caller, request: ConnectRequest) -> CallReply:
        return self._note("connect", caller, request)

    async def accept(self, caller: Caller, request: AcceptRequest) -> CallReply:
        return self._note("accept", caller, request)

    async def reject(self, caller: Caller, request: EndRequest) -> CallReply:
        return self._note("reject", caller, request)

    async def terminate(self, caller: Caller, request: EndRequest) -> CallReply:
        return self._note("terminate", caller, request)

    async def media_update(self, caller: Caller, request: MediaUpdateRequest) -> CallReply:
        return self._note("media_update", caller, request)

    def _note(self, action: str, caller: Caller, request: object) -> CallReply:
        self.asked.append((action, caller, request))
        if isinstance(self.answer, Exception):
            raise self.answer
        return replace(self.answer, release=self._release)

    def _release(self) -> None:
        self.released += 1


@dataclass(slots=True)
class Verifier:
    """A receiver that echoes the challenge, unless told not to."""

    refuses: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def verify(self, callback_url: str, verify_token: str) -> None:
        self.asked.append((callback_url, verify_token))
        if self.refuses:
            raise CallbackUnverified("Callback verification failed with the following errors: HTTP Status Code = 403")


@dataclass(frozen=True, slots=True)
class World:
    """The face and what stands behind it."""

    store: SqliteStore
    directory: Directory
    door: Door
    verifier: Verifier
    clock: SteppedClock
    app: ASGIApp
    seen: list[tuple[str, str, int]]
    services: Services
    calls: Calls
    permissions: Permissions
    journal: Journal

    @classmethod
    async def open(cls, **options: Any) -> World:
        clock, door, verifier = SteppedClock(), Door(), Verifier()
        store = SqliteStore.open(None)
        await store.write(_fill)
        ids = Ids(random.Random(7))
        directory = Directory(store, clock, ids, verifier)
        seen: list[tuple[str, str, int]] = []

        def on_request(edge: str, action: str, status: int, seconds: float) -> None:
            assert seconds >= 0
            seen.append((edge, action, status))

        calls = Calls(store, FakeEngine(clock), clock, ids, Journal(clock), Devices())
        permissions, messages = Permissions(calls), Messages(calls)
        services = Services(
            door=door,
            directory=directory,
            clock=clock,
            settings=PageSettings(calls),
            permissions=permissions,
            messages=messages,
            metrics=MetricsDesk(store, clock, calls.journal),
            oauth=OAuthDesk(store, clock, ids),
            users=UserTokens(store, clock, b"key"),
        )
        app = build_graph(services, GraphOptions(on_request=on_request, rev=77, **options))
        return cls(store, directory, door, verifier, clock, app, seen, services, calls, permissions, calls.journal)

    async def ask(self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
        """A request exactly as given."""
        return await exchange(self.app, method, target, headers, body)

    async def allow(self, token: str, *scopes: str) -> None:
        """The token has these permissions from now on."""
        await self.store.write(lambda tx: tx.put_token(replace(_TOKENS[token], digest=digest(token), scopes=frozenset(scopes))))

    async def get(self, path: str, token: str = PAGE_TOKEN, **query: str) -> Reply:
        return await self.ask("GET", f"{path}?{urlencode(query)}", _bearer(token))

    async def delete(self, path: str, token: str = PAGE_TOKEN, **query: str) -> Reply:
        return await self.ask("DELETE", f"{path}?{urlencode(query)}", _bearer(token))

    async def post(self, path: str, body: object, token: str = PAGE_TOKEN) -> Reply:
        """JSON with the token in the header."""
        return await self.ask("POST", path, {**_bearer(token), "content-type": "application/json"}, json.dumps(body).encode())

    async def call(self, body: object, token: str = PAGE_TOKEN, page: str = PAGE.id) -> Reply:
        """`POST /{page_id}/calls`."""
        return await self.post(f"/v26.0/{page}/calls", body, token)


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


def _fill(tx: Transaction) -> None:
    for app in (APP, OTHER_APP, STRICT_APP):
        tx.put_app(app)
    for page in (PAGE, OTHER_PAGE):
        tx.put_page(page)
    for text, token in _TOKENS.items():
        tx.put_token(replace(token, digest=digest(text)))
    tx.put_consumer(Consumer(PSID, PAGE.id, Platform.MESSENGER, "Ada"))


def proof(secret: str, message: str) -> str:
    """`appsecret_proof`."""
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


TRANSIENT = {2, 4, 17, 32, 613, 80001, 80002, 80006}
"""Codes after which the same request may succeed (graph-platform 4); code 1 is only said of a body that is too large."""


def error_of(reply: Reply) -> dict[str, Any]:
    """The error object, after checking what holds for every error (ruling 2, graph-platform 4)."""
    error: dict[str, Any] = reply.json["error"]
    assert isinstance(error["message"], str)
    assert isinstance(error["code"], int)
    assert isinstance(error["error_data"], dict)
    is_passing = error["code"] in TRANSIENT or error.get("error_subcode") == 9901208
    assert error["is_transient"] is is_passing
    assert ("error_user_title" in error) == ("error_user_msg" in error)
    assert "success" not in reply.json
    assert reply.headers["x-fb-request-id"] == error["fbtrace_id"]
    return error


def facts(reply: Reply) -> tuple[int, int, int | None]:
    """HTTP status, code, subcode."""
    error = error_of(reply)
    return reply.status, error["code"], error.get("error_subcode")
