"""Production mode: nothing is there but what the operator has made, and no stranger opens a consumer's session."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.dev import APP_ID, PAGE_ID
from pagecalls.media.fake import FakeEngine
from pagecalls.server import NoDevelopment, Server, listen, running
from pagecalls.settings import Mode, Settings, SettingsError

KEY = "a-consumer-key-of-the-operator"
TOKEN = "an-admin-token-of-the-operator"


@dataclass
class Site:
    """A server in production, and a client of it."""

    server: Server
    http: aiohttp.ClientSession
    file: dict[str, Any]

    async def ask(self, method: str, path: str, token: str | None = None, body: object = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = self.server.addresses.base_url + path
        async with self.http.request(method, url, json=body, headers=headers) as response:
            return response.status, await response.json()


def production(folder: Path, **chosen: Any) -> Settings:
    return Settings(mode=Mode.PRODUCTION, port=0, udp_port=0, data_dir=folder / "data", **chosen)


@asynccontextmanager
async def a_site(settings: Settings) -> AsyncIterator[Site]:
    clock = SystemClock()
    with listen(settings) as listener:
        async with aiohttp.ClientSession() as http, running(settings, listener, FakeEngine(clock), clock) as server:
            serving = asyncio.create_task(server.serve(listener))
            yield Site(server, http, json.loads((settings.data_dir / "operator.json").read_bytes()))
            server.ask_to_stop()
            await serving


async def test_there_are_no_development_identities(tmp_path: Path) -> None:
    settings = production(tmp_path)
    async with a_site(settings) as site:
        assert not (settings.data_dir / "dev.json").exists()
        with pytest.raises(NoDevelopment):
            _ = site.server.dev
        store = site.server.calls.store
        assert await store.read(lambda tx: tx.page(PAGE_ID)) is None
        assert await store.read(lambda tx: tx.app(APP_ID)) is None


async def test_the_operators_file_opens_the_control_face_at_every_start(tmp_path: Path) -> None:
    settings = production(tmp_path)
    async with a_site(settings) as site:
        first = site.file
        assert stat.S_IMODE((settings.data_dir / "operator.json").stat().st_mode) == 0o600
        assert first["base_url"] == site.server.addresses.base_url
        assert (await site.ask("GET", "/_pagecalls/clock", first["admin_token"]))[0] == 200
        assert (await site.ask("GET", "/_pagecalls/clock"))[0] == 401
        assert first["admin_token"] not in repr(site.server.addresses)
    async with a_site(settings) as site:
        assert site.file["admin_token"] == first["admin_token"]
    async with a_site(production(tmp_path, admin_token=TOKEN)) as site:
        assert site.file["admin_token"] == TOKEN
        assert (await site.ask("GET", "/_pagecalls/clock", TOKEN))[0] == 200
        assert (await site.ask("GET", "/_pagecalls/clock", first["admin_token"]))[0] == 401


@pytest.mark.parametrize(("key", "shown", "status"), [(None, None, 403), (KEY, None, 403), (KEY, "wrong", 403), (KEY, KEY, 400)])
async def test_sessions_need_the_operators_key(tmp_path: Path, key: str | None, shown: str | None, status: int) -> None:
    """With the key the request is looked at: there is no such Page."""
    async with a_site(production(tmp_path, consumer_key=key)) as site:
        got, _ = await site.ask("POST", "/consumer/v1/sessions", shown, {"page_id": PAGE_ID})
        assert got == status


async def test_a_key_is_asked_for_in_development_too_where_there_is_one(tmp_path: Path) -> None:
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path / "data", consumer_key=KEY, admin_token=TOKEN)
    async with a_site(settings) as site:
        body = {"page_id": site.server.dev.page.id}
        assert (await site.ask("POST", "/consumer/v1/sessions", None, body))[0] == 403
        assert (await site.ask("POST", "/consumer/v1/sessions", KEY, body))[0] == 201
        assert site.server.dev.admin_token == site.file["admin_token"] == TOKEN


async def test_a_data_directory_of_development_is_refused(tmp_path: Path) -> None:
    async with a_site(Settings(port=0, udp_port=0, data_dir=tmp_path / "data")):
        pass
    with pytest.raises(SettingsError, match="data directory of its own"):
        async with a_site(production(tmp_path)):
            pass


async def test_a_data_directory_of_production_is_refused_in_development(tmp_path: Path) -> None:
    async with a_site(production(tmp_path)):
        pass
    with pytest.raises(SettingsError, match="has been used in production"):
        async with a_site(Settings(port=0, udp_port=0, data_dir=tmp_path / "data")):
            pass
    assert not (tmp_path / "data" / "dev.json").exists()
    async with a_site(production(tmp_path)):
        pass


def test_production_listens_anywhere_and_takes_nothing_of_development(tmp_path: Path) -> None:
    production(tmp_path, host="0.0.0.0").check()
    for chosen in ({"webhook": "http://127.0.0.1:1/"}, {"is_exposed": True}, {"dev_seed": "1"}):
        with pytest.raises(SettingsError, match="is for development"):
            production(tmp_path, **chosen).check()
    for name in ("admin_token", "consumer_key"):
        with pytest.raises(SettingsError, match=f"{name} is too easy to guess"):
            production(tmp_path, **{name: "short"}).check()


@pytest.mark.parametrize(
    ("mode", "networks"), [(Mode.PRODUCTION, ()), (Mode.PRODUCTION, ("127.0.0.0/8",)), (Mode.DEVELOPMENT, ())]
)
async def test_webhooks_to_this_machine_must_be_allowed(
    tmp_path: Path, app: BusinessApp, mode: Mode, networks: tuple[str, ...]
) -> None:
    settings = Settings(mode=mode, port=0, udp_port=0, data_dir=tmp_path / "data", webhook_networks=networks)
    async with a_site(settings) as site:
        token = site.file["admin_token"]
        _, made = await site.ask("POST", "/_pagecalls/apps", token, {"name": "Desk"})
        app.use(site.server.addresses.base_url, "0", "", made["app"]["secret"], "verify")
        wanted = {"object": "page", "callback_url": app.url, "fields": "calls", "verify_token": "verify"}
        owner = f"{made['app']['id']}|{made['app']['secret']}"
        status, _ = await site.ask("POST", f"/v26.0/{made['app']['id']}/subscriptions", owner, wanted)
        assert status == (400 if mode is Mode.PRODUCTION and not networks else 200)
