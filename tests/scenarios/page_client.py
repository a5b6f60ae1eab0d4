"""A business that uses the typed client, in either form, against the scenarios' server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from pagecalls.client import AnyRequest, AsyncClient, Client, ClientError, Request, Result, webhooks

from .conftest import World

R = TypeVar("R", bound=Result)


class Business:
    """An app that knows nothing of the server but its address, its token and its secret."""

    def __init__(self, world: World, kind: type[Client] | type[AsyncClient]) -> None:
        dev = world.server.dev
        self.world = world
        self.secret = dev.app.secret
        self.client = kind(dev.page.access_token, page_id=dev.page.id, app_secret=dev.app.secret, base_url=dev.base_url)

    async def send(self, request: Request[R]) -> R:
        """The blocking client runs in a thread, since the server runs here."""
        if isinstance(self.client, Client):
            return await asyncio.to_thread(self.client.send, request)
        return await self.client.send(request)

    async def batch(self, *requests: AnyRequest) -> Sequence[Result | ClientError]:
        """Many at once."""
        if isinstance(self.client, Client):
            return await asyncio.to_thread(self.client.batch, requests)
        return await self.client.batch(requests)

    async def event(self, name: str, call_id: str | None = None, **members: Any) -> webhooks.AnyEvent:
        """The webhook's body as it came, read by the client."""
        received = await self.world.app.expect(name, call_id, **members)
        (event,) = webhooks.parse(received.raw)
        assert not isinstance(event, webhooks.CallSettingsUpdate)
        return event

    async def close(self) -> None:
        if isinstance(self.client, Client):
            self.client.close()
        else:
            await self.client.close()
