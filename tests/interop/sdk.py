"""Meta's Python SDK for tests: Page and app as it knows them, unchanged but for the address of the Graph API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from facebook_business.adobjects.application import Application
from facebook_business.adobjects.page import Page
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Call, Json, Plan, Start, World

# The SDK has no types of its own.
AnyPage: Any = Page
AnyApplication: Any = Application
AnyApi: Any = FacebookAdsApi
AnySession: Any = FacebookSession


class Sdk:
    """Page and app as the SDK knows them. It blocks, so every request is made in a thread."""

    def __init__(self, world: World) -> None:
        dev = world.dev
        self._sessions: list[Any] = []
        self.page = AnyPage(dev.page.id, api=self._api(dev.app.id, dev.app.secret, dev.page.access_token))
        self.app = AnyApplication(dev.app.id, api=self._api(dev.app.id, dev.app.secret, f"{dev.app.id}|{dev.app.secret}"))

    def _api(self, app_id: str, secret: str, token: str) -> Any:
        self._sessions.append(AnySession(app_id, secret, token))
        return AnyApi(self._sessions[-1])

    async def call(self, action: str, **members: Any) -> Json:
        """`create_call`; what it returned, as plain data. The SDK drops `success`, and raises where it is false."""
        params = {"action": action, "platform": "MESSENGER", **members}
        answer: Json = (await asyncio.to_thread(self.page.create_call, params=params)).export_all_data()
        return answer

    async def refused(self, action: str, **members: Any) -> tuple[int, int]:
        """The same where an error is due: its code and subcode."""
        with pytest.raises(FacebookRequestError) as raised:
            await self.call(action, **members)
        error: Any = raised.value
        return error.api_error_code(), error.api_error_subcode()

    async def list(self, read: Callable[..., Any], **params: str) -> list[Json]:
        """All items of an edge."""
        return await asyncio.to_thread(lambda: [dict(item) for item in read(params=params)])

    async def batch(self, *members: tuple[Callable[..., Any], Json]) -> Sequence[Json]:
        """Each member is a method of the SDK and its parameters; what each got, as plain data, errors too."""
        batch = self.page.get_api().new_batch()
        answers: list[Json] = [{}] * len(members)

        def take(index: int, is_error: bool) -> Callable[[Any], None]:
            def taken(response: Any) -> None:
                assert bool(response.error()) == is_error
                answers[index] = json.loads(response.body())

            return taken

        for index, (method, params) in enumerate(members):
            method(params=params, batch=batch, success=take(index, False), failure=take(index, True))
        assert await asyncio.to_thread(batch.execute) is None, "some members were not executed"
        return answers

    def close(self) -> None:
        """Close the SDK's connections, which it never does itself."""
        for session in self._sessions:
            session.requests.close()


async def rung(world: World, start: Start) -> Call:
    """A consumer's call that rings at the business."""
    business, consumer = await start(AiortcPeer(tone_hz=BUSINESS_HZ)), await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    return await world.ring(business, consumer, Plan())


async def took(world: World, call: Call, accepted: Json) -> str:
    """The business applies what `accept` gave, and both hear each other; its answer to the server's offer."""
    await call.business.apply_answer(accepted["session"]["sdp_response"]["sdp"])
    answer = await call.business.apply_renegotiation(accepted["session"]["sdp_renegotiation"]["sdp"])
    await world.device.expect("call.connected", call_id=call.id)
    call.settled_at = asyncio.get_running_loop().time()
    await call.check_sound()
    return answer
