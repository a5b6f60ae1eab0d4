from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pytest

from pagecalls.errors import AppTokenRequired, MissingScope, PageTokenRequired, UnknownAlias, UnknownObject, WrongPage, WrongProof
from pagecalls.graph.auth import Identity, Scope, app_caller, check_proof, find_credentials, find_token, page_caller
from pagecalls.graph.params import merged
from pagecalls.graph.request import Address, Credentials, Request
from pagecalls.http import Json, JsonObject
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
        check_proof(App(AppId("1"), "", ""), Credentials("token", empty), 0.0)


@pytest.mark.parametrize("given", [{"x": 1}, ["x"], 5, True])
def test_a_proof_that_is_no_text_is_wrong_and_not_absent(given: Json) -> None:
    found = find_credentials(asked({"access_token": "token"}, {"appsecret_proof": given}))
    assert found is not None
    with pytest.raises(WrongProof, match="Invalid"):
        check_proof(APP, found, 0.0)


def test_a_proof_with_its_time_as_a_json_number() -> None:
    proof = hmac.new(b"secret", b"token|1000", hashlib.sha256).hexdigest()
    found = find_credentials(asked({}, {"access_token": "token", "appsecret_proof": proof, "appsecret_time": 1000}))
    assert found == Credentials("token", proof, "1000")
    check_proof(APP, found, 1100.0)


AROUND = Credentials("outer", "proof", "7")


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ({}, AROUND),
        ({"access_token": "outer"}, AROUND),
        ({"access_token": "own"}, Credentials("own")),
        ({"access_token": "own", "appsecret_proof": "p", "appsecret_time": "8"}, Credentials("own", "p", "8")),
        ({"appsecret_proof": "p"}, Credentials("outer", "p")),
    ],
)
def test_what_a_member_of_a_batch_has_from_the_request_around_it(own: JsonObject, found: Credentials) -> None:
    assert find_credentials(replace(asked(own, {}), credentials=AROUND)) == found


def test_page_callers() -> None:
    allowed = who(TokenKind.PAGE, "1001", "pages_messaging")
    assert page_caller(allowed, PAGE, Scope.MESSAGING) == Caller(APP.id, PAGE.id)
    assert page_caller(who(TokenKind.SYSTEM_USER), PAGE) == Caller(APP.id, PAGE.id)
    for kind in (TokenKind.USER, TokenKind.APP):
        with pytest.raises(PageTokenRequired):
            page_caller(who(kind, "1001", "pages_messaging"), PAGE, Scope.MESSAGING)
    with pytest.raises(PageTokenRequired):
        page_caller(who(TokenKind.SYSTEM_USER, None), PAGE)
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
