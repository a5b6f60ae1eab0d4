"""A call whose two ends renegotiate by the book: each has a peer that makes offers and takes ours, and counts its versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pagecalls.demo.device import ConsumerDevice
from pagecalls.media.protocol import Route, SendTrack
from pagecalls.sdp.description import Description, MediaSection, parse, serialize
from pagecalls.switchboard.media import Leg
from pagecalls.types import Side
from tests.unit.sdp.peer import Peer

from .conftest import World, offered

Json = dict[str, Any]


def text(description: Description) -> Json:
    """An offer as it crosses the wire."""
    return offered(serialize(description))


def track(msid: str, label: str, status: str = "enabled") -> Json:
    return {"msid": msid, "label": label, "status": status}


def sections(sdp: str) -> list[tuple[str, str, str]]:
    """Mid, media and direction of each m-line; those with port 0 are `off`."""
    return [(each.mid, each.media, each.direction.value if each.is_live else "off") for each in parse(sdp).media]


def section(sdp: str, mid: str) -> MediaSection:
    return next(each for each in parse(sdp).media if each.mid == mid)


@dataclass
class End:
    """One end: its peer connection and its counter."""

    peer: Peer = field(default_factory=Peer)
    version: int = 0

    def next(self) -> Json:
        """The versions of its next update."""
        return {"from_version": self.version, "to_version": self.version + 1}

    def apply_answer(self, session: Json) -> None:
        """Apply the server's answer to its update, and count."""
        self.peer.apply(parse(session["sdp_response"]["sdp"]))
        self.version = session["version"]

    def take(self, session: Json) -> str:
        """Apply an offer of the server's, and count it."""
        self.version = session["version"]
        sdp: str = session["sdp_renegotiation"]["sdp"]
        self.peer.take(parse(sdp))
        return sdp


@dataclass
class Talk:
    """A call that is up on both sides, unless a test stopped before that."""

    world: World
    device: ConsumerDevice
    call_id: str = ""
    business: End = field(default_factory=End)
    consumer: End = field(default_factory=End)

    # --- starting -----------------------------------------------------------------------------------------------------

    @classmethod
    async def begun(cls, world: World, *, applies: bool = True) -> Talk:
        """A consumer's call, accepted and up. Without `applies` the business ignores our offer."""
        talk = cls(world, await world.device())
        talk.consumer.peer.add("audio")
        talk.business.peer.add("audio")
        started = await talk.device.request("call.start", page_id=world.page_id, session=text(talk.consumer.peer.offer()))
        talk.call_id = str(started["call_id"])
        talk.consumer.peer.apply(parse(started["session"]["sdp_response"]["sdp"]))
        await world.app.expect("connect", talk.call_id)
        accepted = await world.app.call("accept", call_id=talk.call_id, session=text(talk.business.peer.offer()))
        talk.business.peer.apply(parse(accepted["sdp"]))
        if applies:
            talk.business.take(accepted["session"])
        talk.consumer.take((await talk.device.expect("call.accepted", call_id=talk.call_id)).params["session"])
        await world.up(talk.call_id)
        await talk.device.expect("call.connected", call_id=talk.call_id)
        return talk

    # --- updates ------------------------------------------------------------------------------------------------------

    async def business_asks(self, **members: Any) -> Json:
        """A `media_update` as it is; nothing is applied."""
        answer = await self.world.app.call("media_update", call_id=self.call_id, **members)
        await self.world.settle()
        return answer

    async def business_offers(self, *tracks: Json, **members: Any) -> Json:
        """The business's next offer, with its versions; it applies the answer, and our offer if there is one."""
        given = {"tracks": list(tracks)} if tracks else {}
        asked = self.business.next() | given | members
        answer = await self.business_asks(session=text(self.business.peer.offer()), **asked)
        session = answer["session"]
        self.business.apply_answer(session)
        if "sdp_renegotiation" in session:
            self.business.take(session)
        return answer

    async def device_asks(self, **members: Any) -> Json:
        """A `call.media_update` as it is; nothing is applied."""
        result = await self.device.request("call.media_update", call_id=self.call_id, **members)
        await self.world.settle()
        return result

    async def device_offers(self, *tracks: Json, **members: Any) -> Json:
        """The device's next offer, likewise."""
        given = {"tracks": list(tracks)} if tracks else {}
        asked = self.consumer.next() | given | members
        result = await self.device_asks(session=text(self.consumer.peer.offer()), **asked)
        session = result["session"]
        self.consumer.apply_answer(session)
        if "sdp_renegotiation" in session:
            self.consumer.take(session)
        return result

    async def webhook(self, version: int) -> Json:
        """The `session` of the `media_update` webhook with that version."""
        await self.world.settle()
        found = [each.item["session"] for each in self.world.app.received if each.event == "media_update"]
        return next(session for session in found if session["version"] == version)

    async def notice(self, version: int) -> Json:
        """The `call.media_update` with that version."""
        await self.device.request("ping")  # whatever was sent before its answer has come
        told = [each.params for each in self.device.received if each.method == "call.media_update"]
        return next(params for params in told if params["session"]["version"] == version)

    # --- looking in ---------------------------------------------------------------------------------------------------

    async def leg(self, side: Side) -> Leg:
        leg = (await self.world.media(self.call_id)).leg(side)
        assert leg is not None
        return leg

    async def sent(self, side: Side) -> dict[str, SendTrack]:
        """What the engine sends to `side`, by track."""
        applied = self.world.engine.legs[(await self.leg(side)).id].applied
        assert applied is not None
        return {one.track: one for one in applied.send}

    async def outputs(self, side: Side, name: str) -> list[tuple[int, str]]:
        """Source and mid of each copy of a track that goes to `side`; none if the track does not exist."""
        one = (await self.sent(side)).get(name)
        return [(output.ssrc, output.mid) for output in one.outputs] if one is not None else []

    async def routes(self, side: Side) -> dict[str, bool]:
        """Which tracks of `side` have a way to the other side, and whether it is open."""
        leg = (await self.leg(side)).id
        routes: list[Route] = self.world.engine.routes(self.call_id)
        return {route.from_.track: route.on for route in routes if route.from_.leg == leg}

    async def noted(self, kind: str) -> list[Json]:
        """The facts of the journal's entries of that kind."""
        return await self.world.noted(kind)

    async def told(self) -> list[str]:
        """The methods of what the device was told up to now."""
        await self.device.request("ping")
        return [each.method for each in self.device.received]
