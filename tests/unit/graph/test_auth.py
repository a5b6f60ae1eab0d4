from __future__ import annotations

import hashlib
import hmac

import pytest

from pagecalls.errors import AppTokenRequired, MissingScope, PageTokenRequired, UnknownAlias, UnknownObject, WrongPage, WrongProof
from pagecalls.graph.auth import Identity, Scope, app_caller, check_proof, find_token, page_caller
from pagecalls.graph.params import Params, merged
from pagecalls.graph.request import Address, Request
from pagecalls.http import JsonObject
from pagecalls.store.base import App, Page, Token, TokenKind
from pagecalls.switchboard.base import Caller
from pagecalls.types import AppId, PageId

APP = App(AppId("9001"), "Desk", "secret")
PAGE = Page(PageId("1001"), "Tea House")


def asked(query: JsonObject, body: JsonObject, authorization: str | None = None) -> Request:
    return Request("POST", Address(None, "me", ""), merged(query, body), query, body, authorization)


def who(kind: TokenKind, page: str | None = "1001", *scopes: str) -> Identity:
    return Identity(Token("", kind, APP.id, PageId(page) if page else None, frozenset(scopes)), APP, None, "text-of-token")


def test_ruling_5() -> None:
    body: JsonObject = {"access_token": "1", "oauth_token": "3"}
    query: JsonObject = {"access_token": "2", "oauth_token": "4"}
    assert find_token(asked(query, body, "Bearer 5")) == "1"
    assert find_token(asked(query, {**body, "access_token": ""}, "Bearer 5")) == "2"
    assert find_token(asked({**query, "access_token": ""}, {"oauth_token": "3"}, "Bearer 5")) == "3"
    assert find_token(asked({"oauth_token": "4"}, {}, "Bearer 5")) == "4"
    assert find_token(asked({}, {"access_token": {"a": 1}}, "OAuth   5 ")) == "5"
    assert find_token(asked({}, {})) is None


def test_any_alphabet_in_the_header() -> None:
    assert find_token(asked({}, {}, "Bearer " + "töken".encode().decode("latin-1"))) == "töken"


def test_an_app_without_a_secret_proves_nothing() -> None:
    empty = hmac.new(b"", b"token", hashlib.sha256).hexdigest()
    with pytest.raises(WrongProof):
        check_proof(App(AppId("1"), "", ""), "token", Params({"appsecret_proof": empty}), 0.0)


@pytest.mark.parametrize("given", [{"x": 1}, ["x"], 5, True])
def test_a_proof_that_is_no_text_is_none(given: object) -> None:
    check_proof(APP, "token", Params({"appsecret_proof": given}), 0.0)  # type: ignore[dict-item]


def test_page_callers() -> None:
    allowed = who(TokenKind.PAGE, "1001", "pages_messaging")
    assert page_caller(allowed, PAGE, Scope.MESSAGING) == Caller(APP.id, PAGE.id)
    assert page_caller(who(TokenKind.SYSTEM_USER), PAGE, None) == Caller(APP.id, PAGE.id)
    for kind in (TokenKind.USER, TokenKind.APP):
        with pytest.raises(PageTokenRequired):
            page_caller(who(kind, "1001", "pages_messaging"), PAGE, Scope.MESSAGING)
    with pytest.raises(PageTokenRequired):
        page_caller(who(TokenKind.SYSTEM_USER, None), PAGE, None)
    with pytest.raises(WrongPage):
        page_caller(who(TokenKind.PAGE, "1002"), PAGE, Scope.MESSAGING)
    with pytest.raises(MissingScope, match="pages_manage_metadata"):
        page_caller(allowed, PAGE, Scope.MANAGE_METADATA)


def test_app_callers() -> None:
    app = who(TokenKind.APP, None)
    assert app_caller(app, "GET", "9001") == app_caller(app, "GET", "app") == APP.id
    for node, error in (("9002", UnknownObject), ("desk", UnknownAlias), ("me", UnknownAlias)):
        with pytest.raises(error):
            app_caller(app, "GET", node)
    with pytest.raises(AppTokenRequired):
        app_caller(who(TokenKind.PAGE), "GET", "9001")


def test_no_token_in_a_repr() -> None:
    assert "text-of-token" not in repr(who(TokenKind.PAGE))
    assert "secret" not in repr(who(TokenKind.PAGE))
