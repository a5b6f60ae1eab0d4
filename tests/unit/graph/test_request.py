from __future__ import annotations

from dataclasses import replace

import pytest

from pagecalls.errors import UnknownPath, UnreadableBody
from pagecalls.graph.params import Params
from pagecalls.graph.request import Address, Credentials, Request, incoming, overridden, parse_address, read_request
from pagecalls.graph.versions import Version
from tests.asgi_client import Socket, scope_of

ME = Address(None, "me", "")


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/1001", Address(None, "1001", "")),
        ("/v26.0/1001/calls", Address(Version("v26.0"), "1001", "calls")),
        ("///v21.0//1001///calls//", Address(Version("v21.0"), "1001", "calls")),
        ("/v26.0/a%2Fb/calls/x/y", Address(Version("v26.0"), "a/b", "calls", ("x", "y"))),
        ("/v26.0/%FF", Address(Version("v26.0"), "\ufffd", "")),
        ("/me", ME),
        ("1001/calls", Address(None, "1001", "calls")),
        ("", Address(None, "", "")),
        ("//", Address(None, "", "")),
        ("/v26.0/", Address(Version("v26.0"), "", "")),
    ],
)
def test_addresses(path: str, address: Address) -> None:
    assert parse_address(path) == address


def test_a_server_without_raw_paths() -> None:
    scope = {name: value for name, value in scope_of("GET", "/v26.0/10%30%31/calls").items() if name != "raw_path"}
    assert parse_address(incoming(scope, Socket().receive).path) == Address(Version("v26.0"), "1001", "calls")


@pytest.mark.parametrize(("path", "rest"), [("/v99.0", "/"), ("/v99.0/a/b/", "/a/b")])
def test_no_address(path: str, rest: str) -> None:
    with pytest.raises(UnknownPath) as caught:
        parse_address(path)
    assert caught.value.rest == rest


def test_the_address_that_the_client_used() -> None:
    headers = [("host", "graph.facebook.com"), ("if-none-match", '"x"')]
    arrived = incoming(scope_of("get", "/v26.0/%31?a=b&c", headers), Socket().receive)
    assert (arrived.method, arrived.if_none_match) == ("GET", '"x"')
    assert arrived.url == "http://graph.facebook.com/v26.0/%31?a=b&c"


async def test_an_unreadable_body_is_noted_and_refused_later() -> None:
    scope = scope_of("post", "/me", [("content-type", "application/json"), ("authorization", "Bearer x")])
    request = await read_request(incoming(scope, Socket([b"{"]).receive), ME, {"a": "1"})
    assert (request.method, request.params.values, request.authorization) == ("POST", {"a": "1"}, "Bearer x")
    assert request.content == b"{"
    with pytest.raises(UnreadableBody):
        request.readable()


@pytest.mark.parametrize(("method", "found"), [("DELETE", {"a": "1", "b": 2}), ("GET", {"a": "1"}), ("HEAD", {"a": "1"})])
async def test_delete_takes_a_body_and_reading_does_not(method: str, found: dict[str, object]) -> None:
    request = await read_request(incoming(scope_of(method, "/me"), Socket([b'{"b":2}']).receive), ME, {"a": "1"})
    assert request.readable().values == found
    assert request.method == ("GET" if method == "HEAD" else method)


@pytest.mark.parametrize(
    ("verb", "word", "has_token", "served"),
    [
        ("POST", "delete", False, "DELETE"),
        ("POST", "GET", True, "GET"),
        ("POST", " Put ", True, "PUT"),
        ("POST", "dance", True, "DANCE"),
        ("POST", "", True, "POST"),
        ("POST", None, True, "POST"),
        ("POST", {"x": 1}, True, "POST"),
        ("GET", "delete", True, "DELETE"),
        ("GET", "post", True, "POST"),
        ("GET", "post", False, "GET"),
        ("GET", "put", True, "GET"),
        ("DELETE", "post", True, "DELETE"),
    ],
)
def test_the_verb_in_a_parameter(verb: str, word: object, has_token: bool, served: str) -> None:
    request = Request(verb, ME, Params({"method": word}), {}, {}, None)  # type: ignore[dict-item]
    assert overridden(request, has_token) == replace(request, method=served)


def test_no_token_in_a_repr() -> None:
    assert "secret" not in repr(Credentials("secret", "secret", "secret"))
