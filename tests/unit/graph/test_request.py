from __future__ import annotations

import pytest

from pagecalls.errors import UnknownPath, UnreadableBody
from pagecalls.graph.request import Address, parse_address, read_request
from pagecalls.graph.versions import Version
from tests.asgi_client import Socket, scope_of


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/1001", Address(None, "1001", "")),
        ("/v26.0/1001/calls", Address(Version("v26.0"), "1001", "calls")),
        ("///v21.0//1001///calls//", Address(Version("v21.0"), "1001", "calls")),
        ("/v26.0/a%2Fb/calls/x/y", Address(Version("v26.0"), "a/b", "calls", ("x", "y"))),
        ("/v26.0/%FF", Address(Version("v26.0"), "\ufffd", "")),
        ("/me", Address(None, "me", "")),
    ],
)
def test_addresses(path: str, address: Address) -> None:
    assert parse_address(scope_of("GET", path)) == address


def test_a_server_without_raw_paths() -> None:
    scope = {name: value for name, value in scope_of("GET", "/v26.0/10%30%31/calls").items() if name != "raw_path"}
    assert parse_address(scope) == Address(Version("v26.0"), "1001", "calls")


@pytest.mark.parametrize(("path", "rest"), [("", "/"), ("/", "/"), ("/v26.0", "/"), ("/v99.0", "/"), ("/v99.0/a/b/", "/a/b")])
def test_no_address(path: str, rest: str) -> None:
    with pytest.raises(UnknownPath) as caught:
        parse_address(scope_of("GET", path))
    assert caught.value.rest == rest


async def test_an_unreadable_body_is_noted_and_refused_later() -> None:
    scope = scope_of("post", "/me?a=1", [("content-type", "application/json"), ("authorization", "Bearer x")])
    request = await read_request(scope, Socket([b"{"]).receive, Address(None, "me", ""))
    assert (request.method, request.params.values, request.authorization) == ("POST", {"a": "1"}, "Bearer x")
    with pytest.raises(UnreadableBody):
        request.readable()


async def test_delete_takes_a_body_and_get_does_not() -> None:
    for method, found in (("DELETE", {"a": "1", "b": 2}), ("GET", {"a": "1"})):
        request = await read_request(scope_of(method, "/me?a=1"), Socket([b'{"b":2}']).receive, Address(None, "me", ""))
        assert request.readable().values == found
