"""Consumers that come back when their server was away, and what they do: keep a call, or make one after the other.

Everything goes over the public interface. What the server acknowledges goes into the ledger. A request that fails because a
process was killed under it has happened or has not; nobody asks again.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import dataclass, field

import aiohttp

from pagecalls.demo.business import BusinessApp, GraphRefused
from pagecalls.demo.device import ConsumerDevice, DeviceRefused
from pagecalls.dev import DevFile
from tests.load_calls import offered
from tests.load_peers import LoadPeer
from tests.resilience.ledger import Ledger
from tests.resilience.pausing import Pausable

TROUBLE = (GraphRefused, DeviceRefused, OSError, aiohttp.ClientError, TimeoutError)
"""What a request can come to whose server or engine was killed."""
BACK_WITHIN_S = 20.0
BACK_EVERY_S = 0.05
ANSWER_WITHIN_S = 20.0
LONGEST_CALL_S = 0.3
LONGEST_PAUSE_S = 1.5
RINGS_WITHIN_S = 3.0
"""A device whose server was killed hears nothing; it comes back after this."""
CALLED_BACK = 0.4
"""Share of the calls that the business makes."""
MUTED = 0.5
"""Share of the accepted calls in which the consumer mutes."""


@dataclass(slots=True)
class Consumer:
    """One consumer with one device."""

    dev: DevFile
    token: str
    psid: str
    device: ConsumerDevice = field(default_factory=ConsumerDevice)

    async def leave(self) -> None:
        """Drop the socket."""
        await self.device.close()

    async def come_back(self) -> tuple[list[str], list[str]]:
        """Connect, again and again until it works. Raises `TimeoutError`.

        Returns the calls that the server gives back, and those that ring here.
        """
        await self.device.close()
        async with asyncio.timeout(BACK_WITHIN_S):
            while True:
                self.device = ConsumerDevice()
                try:
                    await self.device.connect(self.dev.base_url, self.token)
                    await self.device.request("ping")
                except TROUBLE:
                    await self.device.close()
                    await asyncio.sleep(BACK_EVERY_S)
                    continue
                return self._told_of("call.resumed"), self._told_of("call.incoming")

    def _told_of(self, method: str) -> list[str]:
        return [told.params["call_id"] for told in self.device.received if told.method == method]


async def new_consumer(http: aiohttp.ClientSession, dev: DevFile) -> Consumer:
    """A consumer that the server has not seen before, connected."""
    async with http.post(f"{dev.base_url}/consumer/v1/sessions", json={"page_id": dev.page.id}) as response:
        session = await response.json()
    consumer = Consumer(dev, session["access_token"], session["psid"])
    await consumer.come_back()
    return consumer


@dataclass(frozen=True, slots=True)
class Standing:
    """A call with sound that is there to be disturbed."""

    id: str
    consumer: Consumer
    sides: tuple[LoadPeer, LoadPeer]

    @classmethod
    async def make(cls, app: BusinessApp, ledger: Ledger, consumer: Consumer, sides: tuple[LoadPeer, LoadPeer]) -> Standing:
        """Start and accept a call between the peers, consumer's first; returns when both legs are up and send."""
        theirs, ours = sides
        started = await consumer.device.request("call.start", page_id=consumer.dev.page.id, session=offered(theirs))
        call_id = started["call_id"]
        ledger.started(call_id)
        await theirs.begin(started["session"]["sdp_response"]["sdp"])
        await ledger.expect(call_id, "connect", ANSWER_WITHIN_S)
        accepted = await app.call("accept", call_id=call_id, session=offered(ours))
        ledger.accepted(call_id)
        await ours.apply_answer(accepted["session"]["sdp_response"]["sdp"])
        await theirs.until("up")
        await consumer.device.expect("call.connected", call_id=call_id)
        for peer in sides:
            await peer.send()
        return cls(call_id, consumer, sides)

    async def hang_up(self, ledger: Ledger) -> None:
        """By the consumer."""
        await self.consumer.device.request("call.hangup", call_id=self.id)
        ledger.hung_up(self.id)


@dataclass(slots=True)
class Caller(Pausable):
    """Makes one call after the other until told to pause. Its legs never come up: these calls are about signalling.

    `made` counts calls that went from start to end without trouble.
    """

    app: BusinessApp
    ledger: Ledger
    consumer: Consumer
    sides: tuple[LoadPeer, LoadPeer]
    chance: random.Random
    made: int = 0
    troubled: int = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._turn()
            try:
                await self._one_call()
                self.made += 1
            except TROUBLE:
                self.troubled += 1
                await self._recover()
            if self._going.is_set():
                await asyncio.sleep(self.chance.uniform(0, LONGEST_PAUSE_S))

    async def _one_call(self) -> None:
        # Its first call earns the Page the permission to call back.
        if self.made and self.chance.random() < CALLED_BACK:
            await self._be_called()
        else:
            await self._call()

    async def _call(self) -> None:
        theirs, ours = self.sides
        device = self.consumer.device
        started = await device.request("call.start", page_id=self.consumer.dev.page.id, session=offered(theirs))
        call_id = started["call_id"]
        self.ledger.started(call_id)
        await self.ledger.expect(call_id, "connect", ANSWER_WITHIN_S)
        match self.chance.randrange(4):
            case 0:
                await self.app.call("reject", call_id=call_id)
            case 1:
                await device.request("call.hangup", call_id=call_id)
            case _:
                await self.app.call("accept", call_id=call_id, session=offered(ours))
                self.ledger.accepted(call_id)
                await self._talk(call_id)
        self.ledger.hung_up(call_id)

    async def _be_called(self) -> None:
        theirs, ours = self.sides
        device = self.consumer.device
        device.received.clear()
        connected = await self.app.call("connect", to=self.consumer.psid, session=offered(ours))
        call_id = connected["call_id"]
        self.ledger.started(call_id)
        await device.expect("call.incoming", RINGS_WITHIN_S, call_id=call_id)
        match self.chance.randrange(4):
            case 0:
                await device.request("call.decline", call_id=call_id)
            case 1:
                await self.app.call("terminate", call_id=call_id)
            case _:
                await device.request("call.accept", call_id=call_id, session=offered(theirs))
                self.ledger.picked_up(call_id)
                await self._talk(call_id)
        self.ledger.hung_up(call_id)

    async def _talk(self, call_id: str) -> None:
        """For a while, and to the end."""
        await asyncio.sleep(self.chance.uniform(0, LONGEST_CALL_S))
        if self.chance.random() < MUTED:
            tracks = [{"msid": self.sides[0].stream, "label": "default_audio", "status": "disabled"}]
            await self.consumer.device.request("call.media_update", call_id=call_id, tracks=tracks)
            self.ledger.changed(call_id)
        if self.chance.random() < 0.5:
            await self.app.call("terminate", call_id=call_id)
        else:
            await self.consumer.device.request("call.hangup", call_id=call_id)

    async def _recover(self) -> None:
        """Come back and end what is still there."""
        while True:
            try:
                for call_id in itertools.chain(*await self.consumer.come_back()):
                    await self._drop(call_id)
            except TROUBLE:
                continue
            return

    async def _drop(self, call_id: str) -> None:
        try:
            await self.consumer.device.request("call.hangup", call_id=call_id)
        except DeviceRefused:
            # It rings here and nobody has picked up.
            await self.consumer.device.request("call.decline", call_id=call_id)
