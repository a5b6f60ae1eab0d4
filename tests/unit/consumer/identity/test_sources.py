"""How a set of keys is had and kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from pagecalls.clock import SteppedClock
from pagecalls.consumer.identity import sources
from pagecalls.consumer.identity.keys import KeyFault, read_key
from pagecalls.consumer.identity.sources import FRESH_S, MAX_BYTES, REST_S, STALE_S, FixedKey, KeySet, from_file, from_url
from tests.unit.consumer.identity.tokens import SECRET, jwk, jwks

ONE, TWO = jwks(jwk("p256", kid="one")), jwks(jwk("p256", kid="one"), jwk("ed25519", kid="two"))


@dataclass(slots=True)
class Issuer:
    """Gives a set out, counts how often, and may be slow or broken."""

    content: bytes | Exception = ONE
    asked: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def load(self) -> bytes:
        self.asked += 1
        await self.gate.wait()
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


async def turn() -> None:
    """Let tasks run that wait for nothing."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_fixed_key_is_for_every_token() -> None:
    key = read_key(SECRET)
    assert await FixedKey(key).key("any") is key


async def test_a_set_is_asked_for_once() -> None:
    issuer = Issuer()
    keys = KeySet(issuer.load, SteppedClock())
    for _ in range(3):
        found = await keys.key("one")
        assert found is not None
        assert found.kid == "one"
    assert issuer.asked == 1


async def test_without_a_name_there_must_be_one_key_only() -> None:
    assert await KeySet(Issuer(ONE).load, SteppedClock()).key(None) is not None
    assert await KeySet(Issuer(TWO).load, SteppedClock()).key(None) is None


async def test_an_unknown_name_asks_again_but_not_often() -> None:
    clock, issuer = SteppedClock(), Issuer()
    keys = KeySet(issuer.load, clock)
    assert await keys.key("one") is not None
    issuer.content = TWO
    for _ in range(10):
        assert await keys.key("two") is None
    assert issuer.asked == 1
    clock.advance(REST_S)
    assert await keys.key("two") is not None
    assert issuer.asked == 2


async def test_many_who_wait_share_one_request() -> None:
    issuer = Issuer()
    issuer.gate.clear()
    keys = KeySet(issuer.load, SteppedClock())
    waiting = [asyncio.create_task(keys.key("one")) for _ in range(20)]
    await turn()
    waiting[0].cancel()  # whoever gives up does not take it from the others
    await turn()
    issuer.gate.set()
    found = await asyncio.gather(*waiting[1:])
    assert all(key is not None for key in found)
    assert issuer.asked == 1


async def test_an_old_set_is_renewed_while_it_goes_on_to_count() -> None:
    clock, issuer = SteppedClock(), Issuer(TWO)
    keys = KeySet(issuer.load, clock)
    assert await keys.key("two") is not None
    issuer.content = ONE
    clock.advance(FRESH_S + 1)
    assert await keys.key("two") is not None
    await turn()
    assert issuer.asked == 2
    assert await keys.key("two") is None


FAULTS = [OSError("down"), TimeoutError(), KeyFault("no set"), aiohttp.ClientError("x"), RuntimeError("bug")]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_set_that_cannot_be_had_leaves_the_last_one_for_a_day(fault: Exception) -> None:
    clock, issuer = SteppedClock(), Issuer()
    keys = KeySet(issuer.load, clock)
    assert await keys.key("one") is not None
    issuer.content = fault
    clock.advance(FRESH_S + 1)
    assert await keys.key("one") is not None
    await turn()
    clock.advance(STALE_S)
    assert await keys.key("one") is None
    assert issuer.asked == 3
    issuer.content = ONE
    clock.advance(REST_S)
    assert await keys.key("one") is not None


async def test_a_set_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(ONE)
    assert await from_file(file)() == ONE
    file.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(KeyFault, match="256 KiB"):
        await from_file(file)()
    with pytest.raises(OSError, match="No such file"):
        await from_file(tmp_path / "none")()


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    over = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async def large(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(MAX_BYTES // 1024 + 1):
            await response.write(b" " * 1024)
        return response

    async def good(request: web.Request) -> web.Response:
        return web.Response(body=ONE)

    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPFound("/good")

    app = web.Application()
    app.add_routes([web.get(f"/{each.__name__}", each) for each in (hang, large, good, moved)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    over.set()
    await runner.cleanup()


async def test_a_set_at_an_address(base_url: str) -> None:
    assert await from_url(f"{base_url}/good")() == ONE


@pytest.mark.parametrize(("path", "words"), [("large", "256 KiB"), ("moved", "HTTP 302"), ("missing", "HTTP 404")])
async def test_an_answer_that_is_no_set(base_url: str, path: str, words: str) -> None:
    with pytest.raises(KeyFault, match=words):
        await from_url(f"{base_url}/{path}")()


async def test_a_server_that_hangs_is_given_up(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "FETCH_TIMEOUT_S", 0.05)
    with pytest.raises(TimeoutError):
        await from_url(f"{base_url}/hang")()


async def test_nobody_there() -> None:
    with pytest.raises(aiohttp.ClientError):
        await from_url("http://127.0.0.1:1/keys")()
