"""A whole server on loopback with the fake engine on its clock: real HTTP, WebSockets, database file and webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from pagecalls.client import AsyncClient, Client
from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice
from pagecalls.media.fake import FakeEngine
from pagecalls.server import Server, listen, running
from pagecalls.settings import Settings
from pagecalls.switchboard.base import DeviceIdentity, DeviceLine
from pagecalls.switchboard.media import CallMedia
from pagecalls.types import CallId, Side

if TYPE_CHECKING:
    from .page_client import Business

SDP = Path(__file__).parent.parent / "data" / "sdp"
CHROMIUM = (SDP / "chrome-156-audio-offer.sdp").read_text()
FIREFOX = (SDP / "firefox-153-audio-offer.sdp").read_text()
AIORTC = (SDP / "aiortc-1.16-audio-offer.sdp").read_text()


def offered(sdp: str) -> dict[str, str]:
    return {"sdp_type": "offer", "sdp": sdp}


@dataclass
class World:
    """The server and everybody around it."""

    server: Server
    engine: FakeEngine
    app: BusinessApp
    folder: Path
    http: aiohttp.ClientSession
    serving: asyncio.Task[None]
    devices: list[ConsumerDevice] = field(default_factory=list)
    apps: list[BusinessApp] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return self.server.dev.base_url

    @property
    def page_id(self) -> str:
        return self.server.dev.page.id

    @property
    def psid(self) -> str:
        return self.server.dev.consumer.psid

    async def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.server.dev.admin_token}"}
        async with self.http.request(method, self.base_url + path, json=body, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == 200, answer
            return answer

    async def advance(self, seconds: float) -> None:
        """As an operator would, and the engine's own timers with it."""
        await self.admin("POST", "/_pagecalls/clock/advance", {"seconds": seconds})
        self.engine.tick()
        await self.settle()

    async def settle(self) -> None:
        """Until events of the engine and webhooks have been dealt with."""
        for _ in range(20):
            await asyncio.sleep(0)
        await self.server.calls.settled()
        await self.server.courier.idle()
        # A webhook that was taken hands an offer over.
        await self.server.calls.settled()

    async def device(self, token: str | None = None) -> ConsumerDevice:
        """A connected device; by default that of the development consumer."""
        device = ConsumerDevice()
        await device.connect(self.base_url, token or self.server.dev.consumer.access_token)
        self.devices.append(device)
        return device

    async def leave(self, device: ConsumerDevice) -> None:
        """The device closes its socket, and the server knows."""
        devices = self.server.calls.devices
        remove, is_gone = devices.remove, asyncio.Event()

        def remove_and_say(identity: DeviceIdentity, line: DeviceLine) -> bool:
            is_gone.set()
            return remove(identity, line)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(devices, "remove", remove_and_say)
            await device.close()
            await is_gone.wait()

    async def session(self, **members: Any) -> dict[str, Any]:
        """`POST /consumer/v1/sessions`."""
        body = {"page_id": self.page_id, **members}
        async with self.http.post(self.base_url + "/consumer/v1/sessions", json=body) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == 201, answer
            return answer

    async def second_app(self, fields: str = "calls") -> BusinessApp:
        """A further app on the Page, with a receiver of its own that is subscribed to `fields`."""
        made = await self.admin("POST", "/_pagecalls/apps", {"name": "Second app", "page_id": self.page_id})
        app = BusinessApp()
        await app.start()
        self.apps.append(app)
        app.use(self.base_url, self.page_id, made["page"]["access_token"], made["app"]["secret"], "second")
        app_token = f"{made['app']['id']}|{made['app']['secret']}"
        subscription = {
            "object": "page",
            "callback_url": app.url,
            "verify_token": "second",
            "fields": fields,
            "access_token": app_token,
        }
        await app.post(f"/v26.0/{made['app']['id']}/subscriptions", subscription)
        await app.post(f"/v26.0/{self.page_id}/subscribed_apps", {"subscribed_fields": fields})
        return app

    async def grant(self, ttl_s: float = 604_800) -> None:
        await self.admin("POST", "/_pagecalls/permissions", {"psid": self.psid, "page_id": self.page_id, "ttl_s": ttl_s})

    async def start_call(self, device: ConsumerDevice, sdp: str = CHROMIUM) -> str:
        started = await device.request("call.start", page_id=self.page_id, session=offered(sdp))
        return str(started["call_id"])

    async def noted(self, kind: str) -> list[dict[str, Any]]:
        """The facts of the journal's entries of that kind."""
        return [dict(each["facts"]) for each in await self.server.calls.journal.after(0, 0) if each["kind"] == kind]

    async def media(self, call_id: str) -> CallMedia:
        live = await self.server.calls.load(CallId(call_id))
        assert live is not None
        return live.media

    async def up(self, call_id: str, *sides: Side) -> None:
        """ICE and DTLS of those legs (both by default) are done."""
        media = await self.media(call_id)
        for side in sides or tuple(Side):
            leg = media.leg(side)
            assert leg is not None
            self.engine.peer_up(leg.id)
        await self.settle()

    async def connected(self, device: ConsumerDevice) -> str:
        """A consumer's call that was accepted and is up on both sides."""
        call_id = await self.start_call(device)
        await self.app.expect("connect", call_id)
        await self.app.call("accept", call_id=call_id, session=offered(AIORTC))
        await self.up(call_id)
        await device.expect("call.connected", call_id=call_id)
        return call_id

    async def stop(self) -> None:
        """Orderly, as after a signal."""
        for device in self.devices:
            await device.close()
        self.server.ask_to_stop()
        await self.serving

    async def is_clean(self) -> bool:
        """No leg, no live call, nothing held back."""
        await self.settle()
        live = await self.server.calls.store.read(lambda tx: tx.live_calls())
        return not self.engine.calls and not self.engine.legs and not live and not self.server.calls.legs


@asynccontextmanager
async def a_world(
    folder: Path, app: BusinessApp, clock: SystemClock, engine: FakeEngine, drain_s: float = 0, **chosen: Any
) -> AsyncIterator[World]:
    """A server on `folder` and `engine`, whatever is in them already. `chosen`: further settings."""
    settings = Settings(port=0, udp_port=0, data_dir=folder, webhook=app.url, drain_s=drain_s, **chosen)
    with listen(settings) as listener:
        async with aiohttp.ClientSession() as http, running(settings, listener, engine, clock) as server:
            dev = server.dev
            app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret, dev.verify_token)
            world = World(server, engine, app, folder, http, asyncio.create_task(server.serve(listener)))
            yield world
            assert await world.noted("engine_refused") == []
            await world.stop()
    for each in world.apps:
        await each.close()


@pytest.fixture
async def app() -> AsyncIterator[BusinessApp]:
    app = BusinessApp()
    await app.start()
    yield app
    await app.close()


@pytest.fixture
async def world(tmp_path: Path, app: BusinessApp) -> AsyncIterator[World]:
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        yield world


@pytest.fixture(params=[Client, AsyncClient])
async def business(request: pytest.FixtureRequest, world: World) -> AsyncIterator[Business]:
    """An app with the typed client, in either form."""
    from .page_client import Business  # it knows `World`

    business = Business(world, request.param)
    yield business
    await business.close()
