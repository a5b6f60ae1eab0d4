"""Whole calls between light peers: a consumer's device rings over the consumer protocol, the business accepts over the Graph API.

Everything goes over the public interface; only the peers are light (`tests/load_peers.py`). They apply no renegotiation offer and
report nothing, so the server goes on sending both copies of a track.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice
from pagecalls.demo.serving import Served
from tests.load_peers import LoadPeer, LoadPeers


@dataclass(frozen=True, slots=True)
class LoadCall:
    """A call with both legs up."""

    id: str
    psid: str
    device: ConsumerDevice
    business: LoadPeer
    consumer: LoadPeer

    async def send(self, per_s: float = 50.0) -> None:
        """Sound-like packets both ways."""
        await self.business.send(per_s=per_s)
        await self.consumer.send(per_s=per_s)

    async def hang_up(self) -> None:
        """By the consumer."""
        await self.device.request("call.hangup", call_id=self.id)


@dataclass(slots=True)
class LoadCalls:
    """Makes calls over one server; each has a consumer of its own."""

    served: Served
    app: BusinessApp
    http: aiohttp.ClientSession
    load: LoadPeers
    devices: list[ConsumerDevice]

    async def make(
        self,
        name: str,
        *,
        room: int = 0,
        to_business: Callable[[str], str] = str,
        to_consumer: Callable[[str], str] = str,
    ) -> LoadCall:
        """One call; its peers are called `name` with `-business` and `-consumer`. The first `room` datagrams of each are kept;
        `to_business` and `to_consumer` may change the text of an answer before the peer gets it."""
        device, psid = await self.device()
        consumer, business = await self.load.peer(f"{name}-consumer"), await self.load.peer(f"{name}-business")
        for peer in (consumer, business):
            await peer.tap(room)
        started = await device.request("call.start", page_id=self.served.dev.page.id, session=offered(consumer))
        call_id = started["call_id"]
        await consumer.begin(to_consumer(started["session"]["sdp_response"]["sdp"]))
        await self.app.expect("connect", call_id)
        accepted = await self.app.call("accept", call_id=call_id, session=offered(business))
        await business.apply_answer(to_business(accepted["session"]["sdp_response"]["sdp"]))
        await consumer.until("up")
        await device.expect("call.connected", call_id=call_id)
        return LoadCall(call_id, psid, device, business, consumer)

    async def ring(self, consumer: LoadPeer) -> str:
        """The consumer's half alone; returns the server's answer, which the peer has not seen yet."""
        device, _ = await self.device()
        started = await device.request("call.start", page_id=self.served.dev.page.id, session=offered(consumer))
        answer: str = started["session"]["sdp_response"]["sdp"]
        return answer

    async def device(self) -> tuple[ConsumerDevice, str]:
        """A new consumer's connected device, and the consumer's id."""
        dev = self.served.dev
        async with self.http.post(f"{dev.base_url}/consumer/v1/sessions", json={"page_id": dev.page.id}) as response:
            session = await response.json()
        device = ConsumerDevice()
        self.devices.append(device)
        await device.connect(dev.base_url, session["access_token"])
        return device, str(session["psid"])


def offered(peer: LoadPeer) -> dict[str, str]:
    """The session object with a peer's offer."""
    return {"sdp_type": "offer", "sdp": peer.offer()}


@asynccontextmanager
async def load_calls(served: Served, app: BusinessApp, load: LoadPeers) -> AsyncIterator[LoadCalls]:
    """For a server with its app; the devices are closed on the way out."""
    async with aiohttp.ClientSession() as http:
        calls = LoadCalls(served, app, http, load, [])
        try:
            yield calls
        finally:
            for device in calls.devices:
                await device.close()
