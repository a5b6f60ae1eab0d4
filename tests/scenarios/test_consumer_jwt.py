"""A consumer whom the operator's identity system vouches for, on a whole server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import SUBPROTOCOL
from pagecalls.media.fake import FakeEngine
from pagecalls.server import listen, running
from pagecalls.settings import Settings, SettingsError
from pagecalls.types import PageId, Psid
from tests.scenarios.conftest import World, a_world
from tests.unit.consumer.identity.tokens import SECRET, jwk, jwks, private, signed

PSID = "5555"


@pytest.fixture
async def world(tmp_path: Path, app: BusinessApp) -> AsyncIterator[World]:
    """A server that believes tokens signed with `SECRET`."""
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock), consumer_jwt_key=SECRET.decode()) as world:
        yield world


def token(world: World, key: object = SECRET, algorithm: str = "HS256", kid: str | None = None, **claims: object) -> str:
    standard = {"sub": PSID, "page": world.page_id, "platform": "messenger", "name": "Ada", "exp": world.server.clock.now() + 600}
    return signed({**standard, **claims}, key, algorithm, None if kid is None else {"kid": kid})


async def refusal(world: World, text: str, in_query: bool = False) -> tuple[int, str]:
    """How the upgrade is refused: status, and the challenge."""
    headers = {} if in_query else {"Authorization": f"Bearer {text}"}
    url = f"{world.base_url}/consumer/v1" + (f"?access_token={text}" if in_query else "")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.http.ws_connect(url, headers=headers, protocols=[SUBPROTOCOL])
    assert refused.value.headers is not None
    return refused.value.status, refused.value.headers["WWW-Authenticate"]


async def test_a_token_opens_a_person_who_then_calls(world: World) -> None:
    device = await world.device(token(world))
    call_id = await world.connected(device)
    assert (await world.app.expect("connect", call_id)).item["from"] == PSID
    consumer = await world.server.calls.store.read(lambda tx: tx.consumer(PageId(world.page_id), Psid(PSID)))
    assert consumer is not None
    assert consumer.name == "Ada"


async def test_the_same_token_takes_the_call_back(world: World) -> None:
    text = token(world)
    device = await world.device(text)
    call_id = await world.connected(device)
    again = await world.device(text)
    assert await device.gone() == 4001
    await again.expect("call.resumed", call_id=call_id)


async def test_two_tokens_are_two_devices_that_both_ring(world: World) -> None:
    devices = [await world.device(token(world, jti=name)) for name in ("phone", "tablet")]
    body = {"psid": PSID, "page_id": world.page_id, "ttl_s": 600}
    await world.admin("POST", "/_pagecalls/permissions", body)
    offer = {"sdp_type": "offer", "sdp": (Path(__file__).parent.parent / "data/sdp/aiortc-1.16-audio-offer.sdp").read_text()}
    made = await world.app.call("connect", to=PSID, session=offer)
    for device in devices:
        await device.expect("call.incoming", call_id=made["call_id"])


async def test_tokens_of_ours_work_beside(world: World) -> None:
    await (await world.device()).request("ping")
    session = await world.session()
    await (await world.device(session["access_token"])).request("ping")


@pytest.mark.parametrize("in_query", [False, True])
async def test_a_bad_token_is_refused_before_the_upgrade(world: World, in_query: bool) -> None:
    expired = token(world, exp=world.server.clock.now() - 1)
    foreign = token(world, b"a-secret-of-somebody-else-which-is-long-enough-for-any-hash-too!")
    elsewhere = token(world, page="404")
    for text in (expired, foreign, elsewhere, token(world)[:-1], "a.b.c"):
        assert await refusal(world, text, in_query) == (401, "Bearer")


async def test_a_token_ends_on_the_injected_clock(world: World) -> None:
    text = token(world)
    await world.device(text)
    await world.advance(600)
    assert (await refusal(world, text))[0] == 401


async def test_a_revoked_device_stays_out(world: World) -> None:
    text = token(world)
    device = await world.device(text)
    await world.admin("POST", f"/_pagecalls/consumers/{world.page_id}/{PSID}/revoke")
    assert await device.gone() == 4003
    assert (await refusal(world, text))[0] == 401


async def test_keys_at_an_address_that_change(tmp_path: Path, app: BusinessApp) -> None:
    """The issuer signs with a key that the server has not seen yet: it asks, and not again for every stranger."""
    published, asked = [jwk("p256", kid="old")], 0

    async def give(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(body=jwks(*published))

    issuer = web.Application()
    issuer.add_routes([web.get("/keys", give)])
    runner = web.AppRunner(issuer, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url, clock = f"http://127.0.0.1:{runner.addresses[0][1]}/keys", SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock), consumer_jwks_url=url) as world:
        await (await world.device(token(world, private("p256"), "ES256", "old"))).request("ping")
        published.append(jwk("ed25519", kid="new"))
        new = token(world, private("ed25519"), "EdDSA", "new")
        assert (await refusal(world, new))[0] == 401
        assert asked == 1
        await world.advance(31)
        await (await world.device(new)).request("ping")
        for _ in range(5):
            assert (await refusal(world, token(world, private("ed25519"), "EdDSA", "unknown")))[0] == 401
        assert asked == 2
    await runner.cleanup()


async def test_a_key_that_will_not_do_is_told_at_the_start(tmp_path: Path) -> None:
    clock = SystemClock()
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path / "data", consumer_jwt_key="short")
    with listen(settings) as listener, pytest.raises(SettingsError, match="32 bytes"):
        async with running(settings, listener, FakeEngine(clock), clock):
            pass
