"""A web page somewhere else, and a name that points here: what they may ask for, and what not (graph-platform 1 and 5)."""

from __future__ import annotations

import itertools

import aiohttp
import pytest

from pagecalls.consumer.messages import SUBPROTOCOL
from pagecalls.control.app import PROBES, ROUTES
from tests.scenarios.conftest import World

from .raw import connected

FOREIGN_HOSTS = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1@evil.example",
    "evil.example#127.0.0.1",
    "localhost:80@evil.example",
    "127.0.0.1, evil.example",
    "[::1].evil.example",
    "169.254.169.254",
    "",
]
FOREIGN_ORIGINS = [
    "http://evil.example",
    "https://localhost.evil.example",
    "null",
    "file://",
    "http://127.0.0.1@evil.example",
    "chrome-extension://abcdef",
    "http://127.0.0.1.evil.example:8080",
    "localhost",
]
CLOSED = [path.replace("{", "x").replace("}", "x") for path in ROUTES]
PAGES = ["/docs/", "/docs/v26.0/", "/docs/static/page.js", "/docs/page-calls.md", "/docs/nothing"]
CONSUMERS = ["/consumer/v1", "/consumer/v1/sessions", "/consumer/", "/consumer/nothing"]


async def status(world: World, verb: str, path: str, *lines: str) -> tuple[int, dict[str, str]]:
    async with connected(world.base_url) as raw:
        await raw.send("\r\n".join([f"{verb} {path} HTTP/1.1", *lines, "Content-Length: 0", "Connection: close", "", ""]))
        answer = await raw.answer()
        return answer.status, answer.headers


@pytest.mark.parametrize("path", [*CLOSED, *PAGES, *CONSUMERS])
async def test_a_foreign_name_or_page_gets_nothing_but_a_refusal(world: World, path: str) -> None:
    """Even with the right token: a browser that was led here has it, where it is kept in a cookie or a page's memory."""
    token = f"Authorization: Bearer {world.server.dev.admin_token}"
    for host in FOREIGN_HOSTS:
        assert (await status(world, "GET", path, f"Host: {host}", token))[0] == 403, host
    for origin in FOREIGN_ORIGINS:
        for verb in ("GET", "POST", "OPTIONS"):
            code, headers = await status(world, verb, path, "Host: localhost", f"Origin: {origin}", token)
            assert code == 403, (verb, origin)
            assert not [name for name in headers if name.startswith("access-control")]
    for lines in (["Host: localhost", "Host: evil.example"], ["Host: localhost", "Origin: http://localhost", "Origin: null"], []):
        assert (await status(world, "GET", path, *lines, token))[0] in (400, 403)


@pytest.mark.parametrize("path", PROBES)
async def test_probes_take_a_bare_address_and_no_foreign_name(world: World, path: str) -> None:
    for host in FOREIGN_HOSTS:
        wanted = 200 if host == "169.254.169.254" else 403
        assert (await status(world, "GET", path, f"Host: {host}"))[0] == wanted, host
    for origin in FOREIGN_ORIGINS:
        assert (await status(world, "GET", path, "Host: 10.0.0.1", f"Origin: {origin}"))[0] == 403


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
async def test_no_foreign_page_opens_a_devices_socket(world: World, origin: str) -> None:
    headers = {"Authorization": f"Bearer {world.server.dev.consumer.access_token}"}
    for line in ({"Origin": origin}, {"Host": "evil.example"}):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await world.http.ws_connect(world.base_url + "/consumer/v1", protocols=[SUBPROTOCOL], headers=headers | line)
        assert refused.value.status == 403


async def test_a_page_of_our_own_opens_a_devices_socket(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.server.dev.consumer.access_token}", "Origin": "http://localhost:3000"}
    async with world.http.ws_connect(world.base_url + "/consumer/v1", protocols=[SUBPROTOCOL], headers=headers) as socket:
        assert socket.protocol == SUBPROTOCOL


@pytest.mark.parametrize("path", ["/v26.0/me", "/v26.0/me/calls", "/me", "/", "/v99.0/x", "/docsx", "/consumerx", "/_pagecallsx"])
async def test_graph_paths_are_for_every_page_and_never_with_credentials(world: World, path: str) -> None:
    """A token is in the request itself, so a page can use none that it does not know."""
    for host, origin, verb in itertools.product(
        ["evil.example", "graph.facebook.com"], FOREIGN_ORIGINS[:3], ["GET", "POST", "OPTIONS"]
    ):
        code, headers = await status(world, verb, path, f"Host: {host}", f"Origin: {origin}", "Cookie: a=b")
        assert code != 403
        assert headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in headers
        assert "set-cookie" not in headers


async def test_a_preflight_allows_what_clients_need_and_no_more(world: World) -> None:
    lines = ["Host: localhost", "Origin: https://shop.example", "Access-Control-Request-Method: POST"]
    _, headers = await status(world, "OPTIONS", "/v26.0/me/calls", *lines)
    assert {name.lower() for name in headers["access-control-allow-headers"].replace(" ", "").split(",")} == {
        "authorization",
        "content-type",
    }


async def test_no_socket_but_the_consumers(world: World) -> None:
    for path in ("/", "/v26.0/me", "/_pagecalls/journal", "/metrics", "/docs/", "/consumer/v2"):
        async with connected(world.base_url) as raw:
            assert (await raw.upgrade(path, f"Authorization: Bearer {world.server.dev.admin_token}")).status in (403, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/_pagecalls/../_pagecalls/clock",
        "//_pagecalls/clock",
        "/_PAGECALLS/clock",
        "/v26.0/../_pagecalls/clock",
        "/%2e%2e/_pagecalls/clock",
    ],
)
async def test_no_spelling_of_a_path_gets_around_its_guard(world: World, path: str) -> None:
    code, headers = await status(
        world, "GET", path, "Host: evil.example", f"Authorization: Bearer {world.server.dev.admin_token}"
    )
    assert code in (400, 403, 404)
    assert code == 403 or headers.get("facebook-api-version")
