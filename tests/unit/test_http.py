from __future__ import annotations

import pytest

from pagecalls.errors import BodyTooLarge
from pagecalls.http import (
    DRAIN_BYTES,
    ClientGone,
    HostGuard,
    Json,
    NotJson,
    Response,
    header,
    header_safe,
    host_name,
    parse_json,
    read_body,
    until_gone,
)
from tests.asgi_client import Socket, scope_of


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), (b'{"a":[null,true,"\xc3\xa9"]}', {"a": [None, True, "é"]}), ('"\\ud83d\\ude00"', "\U0001f600")]
)
def test_one_json_value(text: str | bytes, value: Json) -> None:
    assert parse_json(text) == value


@pytest.mark.parametrize("text", ["", "{", "NaN", "1 2", "[" * 100_000, b"\xff", b'"\xff"', '"\\ud800"', "1e999", "9" * 5000])
def test_not_json(text: str | bytes) -> None:
    with pytest.raises(NotJson):
        parse_json(text)


async def test_a_body_in_pieces() -> None:
    assert await read_body(Socket([b"ab", b"", b"c"]).receive) == b"abc"


async def test_a_body_at_the_limit_and_beyond() -> None:
    assert await read_body(Socket([b"ab", b"c"]).receive, limit=3) == b"abc"
    with pytest.raises(BodyTooLarge):
        await read_body(Socket([b"ab", b"cd"]).receive, limit=3)


async def test_a_large_body_is_drained_so_that_the_refusal_is_read_but_not_for_ever() -> None:
    piece = b"x" * (DRAIN_BYTES // 4)
    socket = Socket([piece] * 3)
    with pytest.raises(BodyTooLarge):
        await read_body(socket.receive)
    assert socket.chunks == []
    socket = Socket([piece] * 8)
    with pytest.raises(BodyTooLarge):
        await read_body(socket.receive)
    assert len(socket.chunks) == 3


async def test_a_client_that_leaves() -> None:
    socket = Socket([b"a"], stays_open=False)
    with pytest.raises(ClientGone):
        await read_body(socket.receive)
    await until_gone(Socket([b""], stays_open=False).receive)


def test_headers() -> None:
    scope = scope_of("GET", "/", [("Host", "a"), ("host", "b"), ("X-Name", "\xe9")])
    assert header(scope, "host") == "a"
    assert header(scope, "x-name") == "é"
    assert header(scope, "origin") is None
    assert header_safe("a\r\nb\u2603\xe9\x00") == "a\\r\\nb\\u2603\\xe9\\x00"


async def test_a_response() -> None:
    socket = Socket()
    await Response(201, {"a": "é"}, {"x-a": "1"})(scope_of("GET", "/"), socket.receive, socket.send)
    assert socket.reply.status == 201
    assert socket.reply.headers == {"content-type": "application/json; charset=UTF-8", "x-a": "1", "content-length": "10"}
    assert socket.reply.content == b'{"a":"\xc3\xa9"}'


async def test_a_response_releases_once_even_if_it_cannot_be_encoded() -> None:
    released: list[int] = []
    response = Response(200, {"a": "\ud800"}, release=lambda: released.append(1))
    socket = Socket()
    with pytest.raises(UnicodeEncodeError):
        await response(scope_of("GET", "/"), socket.receive, socket.send)
    assert socket.sent == []
    assert released == [1]


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST.:80", "localhost"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("[::1]:8080", "::1"),
        ("", None),
        (None, None),
        ("a@localhost", None),
        ("localhost/x", None),
        ("localhost:port", None),
        ("[::1", None),
        ("[::1].evil.example", None),
        ("[::1]evil.example", None),
        ("::1", None),
        ("localhost:65536", None),
        ("localhost:", "localhost"),
        ("localhost,evil.example", None),
        (":80", None),
        (".", None),
    ],
)
def test_host_names(authority: str | None, host: str | None) -> None:
    assert host_name(authority) == host


GUARD = HostGuard.of(["Calls.Example", "192.0.2.7", "[2001:db8::7]"])


@pytest.mark.parametrize(
    ("host", "is_home"),
    [
        ("localhost:8080", True),
        ("127.0.0.1", True),
        ("127.8.9.1:80", True),
        ("[::1]:1", True),
        ("calls.example", True),
        ("calls.example.:443", True),
        ("192.0.2.7:1", True),
        ("[2001:db8::7]", True),
        ("192.0.2.8", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("calls.example.evil.example", False),
        ("2130706433", False),
        ("127.1", False),
        (None, False),
    ],
)
def test_the_guard_on_hosts(host: str | None, is_home: bool) -> None:
    assert GUARD.admits(scope_of("GET", "/", [("host", host)] if host else [])) is is_home


@pytest.mark.parametrize("name", ["host", "origin"])
def test_the_guard_on_two_lines(name: str) -> None:
    value = "localhost" if name == "host" else "http://localhost"
    headers = [("host", "localhost"), ("origin", "http://localhost"), (name, value)]
    assert not GUARD.admits(scope_of("GET", "/", headers))
    assert not GUARD.admits_probe(scope_of("GET", "/", headers))


@pytest.mark.parametrize(
    ("origin", "is_home"),
    [
        ("http://localhost:3000", True),
        ("https://calls.example", True),
        ("http://[::1]:5", True),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
        ("file://localhost", False),
        ("chrome-extension://localhost", False),
        ("http://localhost@evil.example", False),
    ],
)
def test_the_guard_on_origins(origin: str, is_home: bool) -> None:
    scope = scope_of("GET", "/", [("host", "localhost"), ("origin", origin)])
    assert GUARD.admits(scope) is is_home
    assert GUARD.admits_probe(scope) is is_home


@pytest.mark.parametrize(
    ("host", "is_home"), [("10.0.0.9:80", True), ("[fd00::1]", True), ("localhost", True), ("evil.example", False), (None, False)]
)
def test_probes_may_use_any_bare_address(host: str | None, is_home: bool) -> None:
    assert GUARD.admits_probe(scope_of("GET", "/", [("host", host)] if host else [])) is is_home
