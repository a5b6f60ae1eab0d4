"""Calls over the whole server: a business app on one side, a consumer's device on the other, foreign WebRTC stacks on both.

Everything goes over the public interface: Graph requests, webhooks, the consumer protocol. The control face is asked only for
permissions, the journal, the figures of a call and the count of legs. Time is real here, as the engine's is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiohttp
import pytest

from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice
from pagecalls.demo.peers.base import Peer
from pagecalls.demo.peers.listening import Heard
from pagecalls.demo.serving import Served, serving
from pagecalls.demo.updates import BusinessWay, DeviceWay, Updates
from pagecalls.dev import DevFile

BUSINESS_HZ = 620
CONSUMER_HZ = 1000
LEVEL_DBFS = -12.0
"""Of the tone that every peer sends; two copies played at once would be louder or broken."""

LATE_S = 3.0
ONCE_AFTER_S = 2.0
"""Copies have this long to settle once both descriptions are applied (ruling 12)."""
SOUND_WITHIN_S = 1.0
"""From both legs' DTLS to the first sound (messenger-calling 12.2)."""
WAIT_S = 10.0

Json = dict[str, Any]
AnyPeer = TypeVar("AnyPeer", bound=Peer)


class Start(Protocol):
    """Starts a peer that is closed after the test."""

    async def __call__(self, peer: AnyPeer) -> AnyPeer: ...


class Applied(Enum):
    """When a side applies the server's renegotiation offer; the answer to its own offer it always applies at once."""

    AT_ONCE = "at once"
    LATE = "late"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a call is set up. `business_offer` and `consumer_offer` may change the text of an offer before it is sent;
    `to_business` and `to_consumer` that of every description before the peer gets it."""

    business: Applied = Applied.AT_ONCE
    consumer: Applied = Applied.AT_ONCE
    gather: bool = True
    business_offer: Callable[[str], str] = str
    consumer_offer: Callable[[str], str] = str
    to_business: Callable[[str], str] = str
    to_consumer: Callable[[str], str] = str


@dataclass(slots=True)
class Call:
    """A call whose signalling is done. `late` are the offers that are still to be applied; `settled_at` is `loop.time()`. The
    versions are those of each side's counter."""

    id: str
    business: Peer
    consumer: Peer
    late: list[tuple[Peer, str]] = field(default_factory=list)
    settled_at: float = 0.0
    business_version: int = 0
    consumer_version: int = 0

    async def apply_late(self) -> None:
        """Hear the far side without the offers first; `LATE_S` after the set-up apply them."""
        await self.hear(window_s=0.5)
        await asyncio.sleep(self.settled_at + LATE_S - asyncio.get_running_loop().time())
        for peer, offer in self.late:
            await peer.apply_renegotiation(offer)
        self.settled_at = asyncio.get_running_loop().time()

    async def hear(self, *, window_s: float = 1.0) -> tuple[Heard, Heard]:
        """What business and consumer hear now: each the other's tone, in silence an empty result after `WAIT_S`."""
        return await asyncio.gather(
            self.business.hear(window_s=window_s, timeout_s=WAIT_S), self.consumer.hear(window_s=window_s, timeout_s=WAIT_S)
        )

    async def check_sound(self) -> None:
        """Each side hears the other's tone within `SOUND_WITHIN_S`, and once, whole and at its level when copies have settled."""
        await self.hear(window_s=0.3)
        await asyncio.sleep(self.settled_at + ONCE_AFTER_S - asyncio.get_running_loop().time())
        at_business, at_consumer = await self.hear()
        check_tone(at_business, CONSUMER_HZ)
        check_tone(at_consumer, BUSINESS_HZ)
        business, consumer = await self.business.stats(), await self.consumer.stats()
        assert business.connected_at is not None
        assert consumer.connected_at is not None
        both_up_at = max(business.connected_at, consumer.connected_at)
        for heard in (at_business, at_consumer):
            assert heard.first_audio_at is not None
            assert heard.first_audio_at - both_up_at < SOUND_WITHIN_S, heard
        for stats in (business, consumer):
            assert stats.packets_lost <= stats.packets_received * 0.01, stats


def check_tone(heard: Heard, frequency_hz: int) -> None:
    """This tone, on one track, without holes."""
    assert heard.is_tone(frequency_hz), heard
    sound = heard.audible[0].sound
    assert sound.level_dbfs == pytest.approx(LEVEL_DBFS, abs=2), heard
    assert sound.continuity >= 0.9, heard


STILL_TRIES = 4
"""Seconds in which a picture that was stopped must come to rest. A busy machine is late with what it shows."""


async def check_still(peer: Peer, *others: int) -> None:
    """Nothing but `others` moves at the peer for a second, as soon as what was on its way is shown."""
    await peer.see(timeout_s=0.5)
    for _ in range(STILL_TRIES):
        seen = await peer.see(timeout_s=1.0)
        if seen.shows(*others):
            return
    raise AssertionError(seen)


@dataclass(slots=True)
class World:
    """A server, its development app as the business, and one consumer of its own with one device."""

    server: Served
    app: BusinessApp
    http: aiohttp.ClientSession
    device: ConsumerDevice
    psid: str
    calls: list[str] = field(default_factory=list)

    @property
    def dev(self) -> DevFile:
        """Addresses and identities."""
        return self.server.dev

    # --- calls --------------------------------------------------------------------------------------------------------

    async def consumer_calls(self, business: Peer, consumer: Peer, plan: Plan | None = None) -> Call:
        """A consumer rings the Page, the business accepts; returns when both legs are up."""
        plan = plan or Plan()
        call = await self.ring(business, consumer, plan)
        await self.accept(call, plan)
        await self.device.expect("call.connected", call_id=call.id)
        return call

    async def ring(self, business: Peer, consumer: Peer, plan: Plan) -> Call:
        """The consumer's half of such a call: its answer is applied, the business knows of the call."""
        offer = plan.consumer_offer(await consumer.offer(gather=plan.gather))
        started = await self.device.request("call.start", page_id=self.dev.page.id, session=offered(offer))
        call = Call(started["call_id"], business, consumer)
        self.calls.append(call.id)
        await consumer.apply_answer(plan.to_consumer(started["session"]["sdp_response"]["sdp"]))
        await self.app.expect("connect", call.id, call_direction="user_initiated")
        return call

    async def accept(self, call: Call, plan: Plan) -> None:
        """The business's half."""
        offer = plan.business_offer(await call.business.offer(gather=plan.gather))
        accepted = await self.app.call("accept", call_id=call.id, session=offered(offer))
        await call.business.apply_answer(plan.to_business(accepted["session"]["sdp_response"]["sdp"]))
        business_offer = plan.to_business(accepted["session"]["sdp_renegotiation"]["sdp"])
        await self._renegotiate(call, call.business, plan.business, business_offer)
        told = await self.device.expect("call.accepted", call_id=call.id)
        call.consumer_version = told.params["session"]["version"]
        consumer_offer = plan.to_consumer(told.params["session"]["sdp_renegotiation"]["sdp"])
        await self._renegotiate(call, call.consumer, plan.consumer, consumer_offer)

    async def business_calls(self, business: Peer, consumer: Peer, plan: Plan | None = None) -> Call:
        """The business calls the consumer, who picks up; returns when both legs are up."""
        plan = plan or Plan()
        call = await self.dial(business, consumer, plan)
        await self.pick_up(call, plan)
        return call

    async def dial(self, business: Peer, consumer: Peer, plan: Plan) -> Call:
        """The business's half of such a call: its answer is applied."""
        await self.grant()
        offer = plan.business_offer(await business.offer(gather=plan.gather))
        connected = await self.app.call("connect", to=self.psid, session=offered(offer))
        call = Call(connected["call_id"], business, consumer)
        self.calls.append(call.id)
        await business.apply_answer(plan.to_business(connected["session"]["sdp_response"]["sdp"]))
        return call

    async def pick_up(self, call: Call, plan: Plan) -> None:
        """The consumer's half of such a call, and what the business is told of it; returns when both legs are up."""
        await self.device.expect("call.incoming", call_id=call.id)
        offer = plan.consumer_offer(await call.consumer.offer(gather=plan.gather))
        accepted = await self.device.request("call.accept", call_id=call.id, session=offered(offer))
        await call.consumer.apply_answer(plan.to_consumer(accepted["session"]["sdp_response"]["sdp"]))
        consumer_offer = plan.to_consumer(accepted["session"]["sdp_renegotiation"]["sdp"])
        await self._renegotiate(call, call.consumer, plan.consumer, consumer_offer)
        update = (await self.app.expect("media_update", call.id)).item
        call.business_version = update["session"]["version"]
        business_offer = plan.to_business(update["session"]["sdp_renegotiation"]["sdp"])
        await self._renegotiate(call, call.business, plan.business, business_offer)
        await self.device.expect("call.connected", call_id=call.id)

    async def _renegotiate(self, call: Call, peer: Peer, applied: Applied, offer: str) -> None:
        if applied is Applied.AT_ONCE:
            await peer.apply_renegotiation(offer)
        elif applied is Applied.LATE:
            call.late.append((peer, offer))
        call.settled_at = asyncio.get_running_loop().time()

    def updates(self, call: Call, plan: Plan | None = None) -> tuple[Updates, Updates]:
        """How business and consumer change their media from now on."""
        plan = plan or Plan()
        return (
            Updates(call.business, BusinessWay(self.app, call.id), version=call.business_version, to_peer=plan.to_business),
            Updates(call.consumer, DeviceWay(self.device, call.id), version=call.consumer_version, to_peer=plan.to_consumer),
        )

    async def hang_up(self, call: Call) -> None:
        """The consumer hangs up, and the business is told of a completed call."""
        await self.device.request("call.hangup", call_id=call.id)
        await self.ended(call, "Completed")

    async def ended(self, call: Call, status: str, timeout_s: float = WAIT_S) -> Json:
        """The `terminate` webhook of the call, which must say `status`."""
        item = (await self.app.expect("terminate", call.id, timeout_s)).item
        assert item["status"] == status, item
        return item

    # --- control ------------------------------------------------------------------------------------------------------

    async def grant(self) -> None:
        """Permission to call the consumer."""
        await self._admin("POST", "permissions", {"psid": self.psid, "page_id": self.dev.page.id, "ttl_s": 3600})

    async def journal(self, call_id: str | None, kind: str) -> list[Json]:
        """The facts of one kind about one call, in order."""
        page = await self._admin("GET", "journal?after=0&wait_s=0")
        return [entry["facts"] for entry in page["entries"] if entry["kind"] == kind and entry["call_id"] == call_id]

    async def report(self, call_id: str) -> Json:
        """The call with its legs and their figures."""
        return await self._admin("GET", f"calls/{call_id}")

    async def history(self) -> str:
        """All that the journal knows of this world's calls, for people."""
        page = await self._admin("GET", "journal?after=0&wait_s=0")
        entries = [entry for entry in page["entries"] if entry["call_id"] in (*self.calls, None)]
        return "\n".join(f"{entry['at']:.3f} {entry['kind']:24} {entry['facts']}" for entry in entries)

    async def legs(self) -> int:
        """Legs that the server still holds, of any call."""
        async with self.http.get(f"{self.dev.base_url}/metrics") as response:
            text = await response.text()
        return sum(int(float(line.split()[-1])) for line in text.splitlines() if line.startswith("pagecalls_media_legs{"))

    async def _admin(self, method: str, path: str, body: Json | None = None) -> Json:
        headers = {"Authorization": f"Bearer {self.dev.admin_token}"}
        url = f"{self.dev.base_url}/_pagecalls/{path}"
        async with self.http.request(method, url, json=body, headers=headers) as response:
            answer: Json = await response.json()
        assert response.status == 200, answer
        return answer

    async def close(self) -> None:
        """End what is left, and see that nothing stays behind."""
        for call_id in self.calls:
            if "terminate" not in self.app.events(call_id):
                await self.app.call("terminate", call_id=call_id)
        await self.device.close()
        assert await self.legs() == 0


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = WAIT_S) -> None:
    """Ask again and again until it is so. Raises `TimeoutError`."""
    async with asyncio.timeout(within_s):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


def offered(sdp: str) -> Json:
    """A `session` with this offer."""
    return {"sdp_type": "offer", "sdp": sdp}


@asynccontextmanager
async def a_server(folder: Path, options: Sequence[str] = (), *, workers: int = 1) -> AsyncIterator[tuple[Served, BusinessApp]]:
    """A server process with its development app subscribed to a receiver here."""
    app = BusinessApp()
    await app.start()
    try:
        async with serving(folder, app.url, ["--verbose", *options], workers=workers) as served:
            dev = served.dev
            app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret, dev.verify_token)
            yield served, app
    finally:
        await app.close()


@asynccontextmanager
async def a_world(server: Served, app: BusinessApp) -> AsyncIterator[World]:
    """A fresh consumer with a connected device."""
    async with aiohttp.ClientSession() as http:
        body = {"page_id": server.dev.page.id}
        async with http.post(f"{server.dev.base_url}/consumer/v1/sessions", json=body) as response:
            session = await response.json()
        device = ConsumerDevice()
        await device.connect(server.dev.base_url, session["access_token"])
        world = World(server, app, http, device, session["psid"])
        try:
            yield world
        finally:
            await world.close()
