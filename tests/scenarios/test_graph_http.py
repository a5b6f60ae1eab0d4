"""The Graph face behind the real HTTP server: what only shows on a socket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.media.fake import FakeEngine

from .conftest import World, a_world


async def raw(world: World, request: str) -> tuple[str, dict[str, str], bytes]:
    """Status line, headers and body of a request sent byte for byte, on a connection of its own."""
    host, port = world.base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write((request.replace("\n", "\r\n") + "Connection: close\r\n\r\n").encode())
        async with asyncio.timeout(10):
            answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return status, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


async def test_head_has_the_headers_of_get_and_no_body(world: World) -> None:
    lines = f"Host: x\nAuthorization: Bearer {world.app.token}\n"
    _, got, body = await raw(world, f"GET /me HTTP/1.1\n{lines}")
    status, headers, nothing = await raw(world, f"HEAD /me HTTP/1.1\n{lines}")
    assert (status, nothing) == ("HTTP/1.1 200 OK", b"")
    assert headers["etag"] == got["etag"]
    assert got["content-length"] == str(len(body))
    refused, _, nothing = await raw(world, "HEAD /me HTTP/1.1\nHost: x\n")
    assert (refused, nothing) == ("HTTP/1.1 400 Bad Request", b"")


async def test_a_known_etag(world: World) -> None:
    lines = f"Host: x\nAuthorization: Bearer {world.app.token}\n"
    _, got, _ = await raw(world, f"GET /me HTTP/1.1\n{lines}")
    status, headers, body = await raw(world, f"GET /me HTTP/1.1\n{lines}If-None-Match: {got['etag']}\n")
    assert (status, body) == ("HTTP/1.1 304 Not Modified", b"")
    assert headers["facebook-api-version"] == "v26.0"


async def test_names_of_the_platform_lead_here_and_a_token_with_a_bar_may_be_raw(world: World) -> None:
    """A client that was led here by its resolver says `Host: graph.facebook.com`."""
    dev = world.server.dev
    for host in ("graph.facebook.com", "graph-video.facebook.com", "api.facebook.com:443", "graph.instagram.com"):
        for token in (f"{dev.app.id}|{dev.app.secret}", f"{dev.app.id}%7C{dev.app.secret}"):
            target = f"//v26.0//{dev.app.id}/subscriptions/?access_token={token}"
            status, headers, body = await raw(world, f"GET {target} HTTP/1.1\nHost: {host}\n")
            assert status == "HTTP/1.1 200 OK"
            assert headers["access-control-allow-origin"] == "*"
            assert b'"object":"page"' in body


async def test_the_servers_own_limits_are_on_but_far(world: World) -> None:
    status, headers, _ = await raw(world, f"GET /me?access_token={world.app.token} HTTP/1.1\nHost: x\n")
    assert status == "HTTP/1.1 200 OK"
    entry: dict[str, Any] = {"type": "pages", "call_count": 0, "total_cputime": 0, "total_time": 0}
    shown = "".join(f'"{name}":"{value}",' if isinstance(value, str) else f'"{name}":{value},' for name, value in entry.items())
    assert headers["x-business-use-case-usage"] == (f'{{"{world.page_id}":[{{{shown}"estimated_time_to_regain_access":0}}]}}')


async def test_a_limit_that_an_operator_chooses(tmp_path: Path, app: BusinessApp) -> None:
    """One a second is ten in ten seconds, in a batch as well; the clock is turned, so the machine's speed does not matter."""
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock), page_calls_per_s=1, app_calls_per_hour=None) as world:
        batch = {"batch": [{"relative_url": "me"}] * 50, "include_headers": False}
        headers = {"Authorization": f"Bearer {world.app.token}"}
        for _ in range(2):
            async with world.http.post(f"{world.base_url}/v26.0/", json=batch, headers=headers) as response:
                codes = [entry["code"] for entry in await response.json()]
            assert (codes.count(200), codes.count(400)) == (10, 40)
            await world.advance(11)
