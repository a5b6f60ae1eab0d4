"""TLS handshakes that are slow, false or too many: each has a seat and an end, and is in nobody's way."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.scenarios.test_tls import Secure, a_secure

from .raw import LONGEST_S, Raw, connected

GET = b"GET /_pagecalls/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
TLS_RECORD = b"\x16\x03\x01\x02\x00"
"""The start of a handshake record, which promises 512 octets."""
ROOM = 6


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Secure]:
    """With little room, and little time."""
    async with a_secure(tmp_path, "localhost", "127.0.0.1", head_timeout_s=1.0, max_connections=ROOM) as site:
        yield site


class Shaking:
    """A TLS client by hand, which decides what goes into which segment."""

    def __init__(self, site: Secure) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = site.authority.trust().wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    def hello(self) -> bytes:
        """The first flight."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self._outgoing.read()

    async def shake(self, raw: Raw) -> bytes:
        """All but the last flight, which is returned."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await raw.send(self._outgoing.read())
                self._incoming.write(await raw.reader.read(65_536))
            else:
                return self._outgoing.read()

    def sealed(self, plain: bytes) -> bytes:
        self.tls.write(plain)
        return self._outgoing.read()

    async def head(self, raw: Raw) -> bytes:
        """Of the server's answer."""
        plain = b""
        async with asyncio.timeout(LONGEST_S):
            while b"\r\n\r\n" not in plain:
                self._incoming.write(await raw.reader.read(65_536))
                with contextlib.suppress(ssl.SSLWantReadError):
                    plain += self.tls.read(65_536)
        return plain


@asynccontextmanager
async def silent(site: Secure, count: int) -> AsyncIterator[list[Raw]]:
    """Clients that connect and say nothing."""
    clients = [connected(site.server.dev.base_url) for _ in range(count)]
    try:
        yield [await client.__aenter__() for client in clients]
    finally:
        for client in clients:
            await client.__aexit__(None, None, None)


async def test_a_request_in_one_piece_with_the_end_of_the_handshake(site: Secure) -> None:
    async with connected(site.server.dev.base_url) as raw:
        client = Shaking(site)
        await raw.send(await client.shake(raw) + client.sealed(GET[:20]))
        await raw.send(client.sealed(GET[20:]))
        assert (await client.head(raw)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("start", [b"", TLS_RECORD], ids=["nothing", "the start of a record"])
async def test_nobody_is_waited_for_who_does_not_finish(site: Secure, start: bytes) -> None:
    async with connected(site.server.dev.base_url) as raw:
        await raw.send(start)
        assert await raw.rest() == b""
    assert (await site.get("/_pagecalls/health"))[0] == 200


async def test_a_record_that_comes_in_drops_has_no_more_time(site: Secure) -> None:
    async with connected(site.server.dev.base_url) as raw:
        await raw.send(TLS_RECORD)

        async def drip() -> None:
            while True:
                await raw.send(b"\0")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        try:
            assert await raw.rest() == b""
        finally:
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)


@pytest.mark.parametrize(
    "noise", [GET, b"\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff", bytes(2_000)], ids=["plain", "false", "zeros"]
)
async def test_what_is_no_handshake_is_closed_without_a_line_in_the_log(
    site: Secure, noise: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(site.server.dev.base_url) as raw:
        await raw.send(noise)
        await raw.rest()
    assert (await site.get("/_pagecalls/health"))[0] == 200
    assert not caplog.records


async def test_a_name_that_is_none_is_no_matter(site: Secure, capfd: pytest.CaptureFixture[str]) -> None:
    async with connected(site.server.dev.base_url) as raw:
        await raw.send(Shaking(site).hello().replace(b"localhost", b"\xff" * 9))
        assert (await raw.reader.read(1)) == b"\x16"
    assert (await site.get("/_pagecalls/health"))[0] == 200
    assert capfd.readouterr().err == ""


async def test_unfinished_handshakes_have_seats(site: Secure) -> None:
    """Who is one too many is closed at once; when their time is over there is room again."""
    async with silent(site, ROOM) as seated, connected(site.server.dev.base_url) as standing:
        # Their ends are seen in the order in which they come, not by the clock.
        ends = [asyncio.create_task(raw.rest()) for raw in (*seated, standing)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        assert [end.done() for end in ends] == [False] * ROOM + [True]
        assert await asyncio.gather(*ends) == [b""] * (ROOM + 1)
    assert (await site.get("/_pagecalls/health"))[0] == 200


async def test_a_stop_does_not_wait_for_a_handshake(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with a_secure(tmp_path, "localhost", "127.0.0.1", head_timeout_s=LONGEST_S) as site, silent(site, 3) as clients:
        for client in clients:
            await client.send(TLS_RECORD)
        assert (await site.get("/_pagecalls/health"))[0] == 200
        site.server.ask_to_stop()
        assert [await client.rest() for client in clients] == [b""] * 3
    assert not caplog.records


async def test_a_stop_waits_a_little_for_a_client_that_does_not_say_goodbye(
    site: Secure, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(site.server.dev.base_url) as raw:
        client = Shaking(site)
        await raw.send(await client.shake(raw) + client.sealed(GET))
        await client.head(raw)
        site.server.ask_to_stop()
        await raw.rest()
    assert not caplog.records
