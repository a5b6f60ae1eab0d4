"""From an operator's code to a call with a Page token, on a whole server (graph-platform 2.5 and 2.6)."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pagecalls.client import (
    Account,
    AppProof,
    AsyncClient,
    Client,
    Connected,
    ConnectRequest,
    IssuedToken,
    PermissionRequest,
    TokenFacts,
    errors,
)
from pagecalls.client.grants import Accounts
from pagecalls.client.requests import AnyRequest
from pagecalls.client.results import Result
from pagecalls.client.tokens import AccountsRequest, CodeRequest, ExchangeRequest, InspectRequest, UserRequest
from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.media.fake import FakeEngine
from pagecalls.store.base import User
from pagecalls.types import UserId

from .conftest import CHROMIUM, World, a_world

USER = User(UserId("3001"), "Grace")
DAY_S = 24 * 3600


class Desk:
    """A help desk: it knows its app's id and secret, and what it is told."""

    def __init__(self, world: World, kind: type[Client] | type[AsyncClient]) -> None:
        self._world = world
        self._kind = kind
        self._clients: list[Client | AsyncClient] = []
        dev = world.server.dev
        self.app = AppProof(app_id=dev.app.id, app_secret=dev.app.secret)
        self.app_token = f"{dev.app.id}|{dev.app.secret}"

    async def __call__(self, token: str, request: AnyRequest) -> Result:
        """As whoever has the token."""
        client = self._kind(token, app_secret=self.app.app_secret, base_url=self._world.base_url)
        self._clients.append(client)
        if isinstance(client, Client):
            return await asyncio.to_thread(client.send, request)
        return await client.send(request)

    async def close(self) -> None:
        for client in self._clients:
            if isinstance(client, Client):
                client.close()
            else:
                await client.close()

    async def page(self, token: str) -> Account:
        accounts = await self(token, AccountsRequest())
        assert isinstance(accounts, Accounts)
        (page,) = accounts.pages
        return page


@pytest.fixture(params=[Client, AsyncClient])
async def ask(request: pytest.FixtureRequest, world: World) -> AsyncIterator[Desk]:
    await a_user(world)
    desk = Desk(world, request.param)
    yield desk
    await desk.close()


async def a_user(world: World) -> None:
    await world.admin("POST", "/_pagecalls/users", {"id": USER.id, "name": USER.name})


async def a_code(world: World, **members: object) -> str:
    body = {"app_id": world.server.dev.app.id, "user_id": USER.id, "page_id": world.page_id, **members}
    return str((await world.admin("POST", "/_pagecalls/oauth/codes", body))["code"])


async def test_from_a_code_to_a_call(world: World, ask: Desk) -> None:
    code = await a_code(world)
    short = await ask(ask.app_token, CodeRequest(app=ask.app, code=code))
    assert isinstance(short, IssuedToken)
    with pytest.raises(errors.UnusableCode):
        await ask(ask.app_token, CodeRequest(app=ask.app, code=code))
    lasting = await ask(ask.app_token, ExchangeRequest(app=ask.app, token=short.access_token))
    assert isinstance(lasting, IssuedToken)
    page = await ask.page(lasting.access_token)
    assert (page.id, "MESSAGING" in page.tasks) == (world.page_id, True)

    facts = await ask(ask.app_token, InspectRequest(token=page.access_token))
    assert isinstance(facts, TokenFacts)
    assert (facts.is_valid, facts.kind, facts.user_id, facts.expires_at) == (True, "PAGE", USER.id, None)
    await world.advance(59 * DAY_S)
    assert await ask.page(lasting.access_token) == page
    await world.advance(2 * DAY_S)
    with pytest.raises(errors.ExpiredToken):
        await ask(lasting.access_token, UserRequest())
    await world.grant()
    await world.device()
    connected = await ask(page.access_token, ConnectRequest(to=world.psid, sdp=CHROMIUM))
    assert isinstance(connected, Connected)
    (live,) = await world.server.calls.store.read(lambda tx: tx.live_calls())
    assert (live.call.id, live.call.owner) == (connected.call_id, world.server.dev.app.id)


async def test_a_user_who_loses_the_page(world: World, ask: Desk) -> None:
    short = await ask(ask.app_token, CodeRequest(app=ask.app, code=await a_code(world)))
    assert isinstance(short, IssuedToken)
    page = await ask.page(short.access_token)
    path = f"/_pagecalls/users/{USER.id}/pages"
    assert [each["page_id"] for each in (await world.admin("GET", path))["data"]] == [world.page_id]
    await world.admin("DELETE", f"{path}/{world.page_id}")
    with pytest.raises(errors.RoleMissing):
        await ask(page.access_token, PermissionRequest(psid=world.psid))
    facts = await ask(ask.app_token, InspectRequest(token=page.access_token))
    assert isinstance(facts, TokenFacts)
    assert (facts.is_valid, facts.scopes) == (False, ())


async def test_a_users_page_token_outlives_the_server(tmp_path: Path, app: BusinessApp) -> None:
    """It is made from a key beside the database, which nobody else may read."""
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        await a_user(world)
        desk = Desk(world, AsyncClient)
        issued = await desk(desk.app_token, CodeRequest(app=desk.app, code=await a_code(world)))
        assert isinstance(issued, IssuedToken)
        before = await desk.page(issued.access_token)
        await desk.close()
    key = tmp_path / "data" / "token.key"
    assert (stat.S_IMODE(key.stat().st_mode), key.stat().st_size) == (0o600, 32)
    for number in range(2):
        async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
            desk = Desk(world, AsyncClient)
            assert (await desk.page(issued.access_token) == before) is (number == 0)
            await desk(before.access_token, PermissionRequest(psid=world.psid))  # it stays good, whatever came after
            await desk.close()
        key.write_bytes(b"cut short")
