from __future__ import annotations

import logging

import pytest

from pagecalls.control.app import PROBES, ROUTES
from tests.asgi_client import Socket, scope_of
from tests.unit.control.support import TOKEN, Desk, refused

GUARDED = [(verb, path) for path, verbs in ROUTES.items() for verb in verbs]
EVERYTHING = [*GUARDED, *(("GET", path) for path in PROBES)]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer admin-toke", "Bearer admin-tokenx", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"]
)
async def test_everything_but_the_probes_needs_the_admin_token(method: str, path: str, given: str) -> None:
    reply = await Desk().ask(method, path, authorization=given)
    assert refused(reply) == (401, "unauthorized")
    assert reply.headers["www-authenticate"] == "Bearer"


async def test_a_server_without_an_admin_token_admits_nobody() -> None:
    desk = Desk(admin_token="")
    for given in ("Bearer ", "Bearer x", ""):
        assert refused(await desk.ask("GET", "/_pagecalls/clock", authorization=given)) == (401, "unauthorized")


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
async def test_foreign_hosts_and_origins(method: str, path: str) -> None:
    desk = Desk()
    for foreign in ({"host": "evil.example"}, {"host": ""}, {"origin": "https://evil.example"}, {"origin": "null"}):
        assert refused(await desk.ask(method, path, **foreign)) == (403, "foreign_host")


async def test_home_is_loopback_and_the_configured_names() -> None:
    desk = Desk()
    for home in ({"host": "localhost"}, {"host": "[::1]:8080"}, {"host": "calls.example"}, {"origin": "https://calls.example"}):
        assert (await desk.ask("GET", "/_pagecalls/clock", **home)).status == 200
    assert refused(await desk.ask("GET", "/_pagecalls/clock", host="10.0.0.9")) == (403, "foreign_host")


async def test_no_cors_header() -> None:
    for reply in (await Desk().ask("GET", "/_pagecalls/clock"), await Desk().ask("OPTIONS", "/_pagecalls/clock")):
        assert not [name for name in reply.headers if name.startswith("access-control")]


async def test_paths_and_verbs() -> None:
    desk = Desk()
    for path in ("/_pagecalls", "/_pagecalls/", "/_pagecalls/moon", "/_pagecalls/clock/advance/x"):
        assert refused(await desk.ask("GET", path)) == (404, "not_found")
        assert refused(await desk.ask("GET", path, authorization="")) == (401, "unauthorized")
    assert (await desk.ask("GET", "/_pagecalls/clock/")).status == 200
    assert refused(await desk.ask("POST", "/_pagecalls/clock")) == (405, "method_not_allowed")
    assert refused(await desk.ask("POST", "/_pagecalls/health")) == (405, "method_not_allowed")


async def test_a_body_that_is_too_large() -> None:
    reply = await Desk().ask("POST", "/_pagecalls/apps", b" " * (1024 * 1024 + 1))
    assert refused(reply) == (413, "too_large")


async def test_a_fault_is_logged_and_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "pagecalls.control"):
        reply = await Desk(fault=RuntimeError("secret detail")).ask("POST", "/_pagecalls/clock/advance", {"seconds": 1})
    assert refused(reply) == (500, "internal")
    assert b"secret" not in reply.content
    assert len(caplog.records) == 1


async def test_a_client_that_leaves_before_its_body_is_complete() -> None:
    socket = Socket([b"{"], stays_open=False)
    scope = scope_of("POST", "/_pagecalls/apps", [("host", "localhost"), ("authorization", f"Bearer {TOKEN}")])
    await Desk().app(scope, socket.receive, socket.send)
    assert socket.sent == []


async def test_a_websocket_is_closed() -> None:
    socket = Socket()
    await Desk().app({"type": "websocket", "path": "/_pagecalls/clock", "headers": []}, socket.receive, socket.send)
    assert socket.sent == [{"type": "websocket.close", "code": 1008}]
