"""People and apps that make one call after the other over the public interface, and keep books of what they were told.

The descriptions are those of real clients, the peers behind them the fake engine's. A request that fails because its server was
killed has happened or not; nobody asks again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pagecalls.demo.business import BusinessApp
from tests.resilience.books import Act, Books
from tests.resilience.consumers import TROUBLE, Consumer
from tests.resilience.pausing import Pausable
from tests.resilience.receivers import Receiver

SDP = Path(__file__).parent.parent / "data" / "sdp"
CONSUMER_OFFER = {"sdp_type": "offer", "sdp": (SDP / "chrome-156-audio-offer.sdp").read_text()}
BUSINESS_OFFER = {"sdp_type": "offer", "sdp": (SDP / "aiortc-1.16-audio-offer.sdp").read_text()}
CONSUMER_MUTED = [{"msid": "3fbb0757-75e8-4dde-91ee-137c60a24745", "label": "default_audio", "status": "disabled"}]
"""The stream of `CONSUMER_OFFER`. Only a change that the business can notice is told to it."""
WITHIN_S = 10.0
CALLED_BACK = 0.3
"""Share of the calls that a business makes."""
UPDATED = 0.4
"""Share of the calls in which either side changes its media."""


@dataclass(frozen=True, slots=True)
class Business:
    """An app that speaks to the Page's calls, and its receiver."""

    app_id: str
    graph: BusinessApp
    receiver: Receiver


@dataclass(slots=True)
class Talker(Pausable):
    """One consumer with one device. `begun` counts the calls whose start was acknowledged, `troubled` those that broke off."""

    consumer: Consumer
    businesses: Sequence[Business]
    books: Books
    chance: random.Random
    begun: int = 0
    troubled: int = 0
    _may_call_back: bool = False
    _waiting: asyncio.Future[Any] | None = None

    def interrupt(self) -> None:
        """The server was killed: what this one waits for will not be told any more."""
        if self._waiting is not None:
            self._waiting.cancel()

    async def _told(self, news: Awaitable[Any]) -> None:
        """Wait for news. Raises `TimeoutError`, also when the server is killed."""
        self._waiting = asyncio.ensure_future(news)
        try:
            await self._waiting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise TimeoutError("the server was killed") from None
        finally:
            self._waiting = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._turn()
            try:
                await self._one_call(self.chance.choice(self.businesses))
            except TROUBLE:
                self.troubled += 1
                await self._recover()

    async def _one_call(self, business: Business) -> None:
        self.consumer.device.received.clear()
        if self._may_call_back and self.chance.random() < CALLED_BACK:
            call_id, is_up = await self._be_called(business)
        else:
            call_id, is_up = await self._call(business)
        if is_up:
            if self.chance.random() < UPDATED:
                await self._update(call_id, business)
            if self.chance.random() < 0.5:
                await business.graph.call("terminate", call_id=call_id)
            else:
                await self.consumer.device.request("call.hangup", call_id=call_id)
            self.books.note(call_id, Act.ENDED)
            self._may_call_back = True

    async def _call(self, business: Business) -> tuple[str, bool]:
        device = self.consumer.device
        started = await device.request("call.start", page_id=self.consumer.dev.page.id, session=CONSUMER_OFFER)
        call_id = self._has_begun(started)
        await self._told(business.receiver.expect("connect", call_id, WITHIN_S))
        match self.chance.randrange(8):
            case 0:
                await business.graph.call("reject", call_id=call_id)
            case 1:
                await device.request("call.hangup", call_id=call_id)
            case _:
                await business.graph.call("accept", call_id=call_id, session=BUSINESS_OFFER)
                self.books.note(call_id, Act.ACCEPTED, business.app_id)
                await self._told(device.expect("call.connected", WITHIN_S, call_id=call_id))
                return call_id, True
        self.books.note(call_id, Act.ENDED)
        return call_id, False

    async def _be_called(self, business: Business) -> tuple[str, bool]:
        device = self.consumer.device
        connected = await business.graph.call("connect", to=self.consumer.psid, session=BUSINESS_OFFER)
        call_id = self._has_begun(connected)
        await self._told(device.expect("call.incoming", WITHIN_S, call_id=call_id))
        match self.chance.randrange(8):
            case 0:
                await device.request("call.decline", call_id=call_id)
            case 1:
                await business.graph.call("terminate", call_id=call_id)
            case _:
                await device.request("call.accept", call_id=call_id, session=CONSUMER_OFFER)
                self.books.note(call_id, Act.PICKED_UP)
                await self._told(device.expect("call.connected", WITHIN_S, call_id=call_id))
                return call_id, True
        self.books.note(call_id, Act.ENDED)
        return call_id, False

    async def _update(self, call_id: str, business: Business) -> None:
        if self.chance.random() < 0.5:
            done = await business.graph.call("media_update", call_id=call_id, session=BUSINESS_OFFER)
            self.books.note(call_id, Act.UPDATED_BUSINESS, done["session"]["version"])
        else:
            done = await self.consumer.device.request(
                "call.media_update", call_id=call_id, session=CONSUMER_OFFER, tracks=CONSUMER_MUTED
            )
            self.books.note(call_id, Act.UPDATED_CONSUMER, done["session"]["version"])

    def _has_begun(self, answer: dict[str, Any]) -> str:
        call_id = str(answer["call_id"])
        self.books.note(call_id, Act.STARTED)
        self.begun += 1
        return call_id

    async def _recover(self) -> None:
        """Come back and end what is still there."""
        while True:
            try:
                resumed, ringing = await self.consumer.come_back()
                for call_id in resumed:
                    await self.consumer.device.request("call.hangup", call_id=call_id)
                for call_id in ringing:
                    await self.consumer.device.request("call.decline", call_id=call_id)
            except TROUBLE:
                continue
            return
