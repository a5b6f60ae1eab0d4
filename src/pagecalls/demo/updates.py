"""How one side of a call changes its media, as a client of the public interface does it: offers, versions, collisions.

Owns the side's own counter of versions (messenger-calling 4) and what is said of the tracks. The same for both sides: only the
way to the server differs, a Graph request and a webhook, or a request and a notification on the device's socket. The peer does
the SDP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pagecalls.demo.business import BusinessApp, Received
from pagecalls.demo.device import ConsumerDevice, Notification
from pagecalls.demo.peers.base import OwnTrack, Peer, Source

Json = dict[str, Any]

_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class ServerOffer:
    """What the server has told this side: `sdp` is None when only tracks changed; `tracks` as told, empty to a business."""

    version: int
    sdp: str | None
    tracks: tuple[Json, ...]


class Way(Protocol):
    """How a side speaks to the server and hears of the far side."""

    async def update(self, members: Json) -> Json:
        """Send one `media_update`; the answer may be a collision. Raises the way's own refusal."""
        ...

    async def newest(self, beyond: int, timeout_s: float) -> ServerOffer:
        """The offer of the highest version above `beyond`, now or later. Raises `TimeoutError`."""
        ...


class BusinessWay:
    """Graph requests, and `media_update` webhooks."""

    def __init__(self, app: BusinessApp, call_id: str) -> None:
        self._app = app
        self._call_id = call_id

    async def update(self, members: Json) -> Json:
        """See `Way.update`. Raises `GraphRefused`."""
        return await self._app.call("media_update", call_id=self._call_id, **members)

    async def newest(self, beyond: int, timeout_s: float) -> ServerOffer:
        """See `Way.newest`."""

        def is_new(received: Received) -> bool:
            return bool(received.item["session"]["version"] > beyond)

        await self._app.expect("media_update", self._call_id, timeout_s, where=is_new)
        mine = [each for each in self._app.received if each.item["id"] == self._call_id and each.event == "media_update"]
        return _server_offer(max((each.item for each in mine), key=lambda item: int(item["session"]["version"])))


class DeviceWay:
    """Requests and notifications of a consumer's device."""

    def __init__(self, device: ConsumerDevice, call_id: str) -> None:
        self._device = device
        self._call_id = call_id

    async def update(self, members: Json) -> Json:
        """See `Way.update`. Raises `DeviceRefused`."""
        return await self._device.request("call.media_update", call_id=self._call_id, **members)

    async def newest(self, beyond: int, timeout_s: float) -> ServerOffer:
        """See `Way.newest`."""

        def is_new(notification: Notification) -> bool:
            return bool(notification.params["session"]["version"] > beyond)

        await self._device.expect("call.media_update", timeout_s, where=is_new, call_id=self._call_id)
        mine = [
            each.params
            for each in self._device.received
            if each.method == "call.media_update" and each.params["call_id"] == self._call_id
        ]
        return _server_offer(max(mine, key=lambda params: int(params["session"]["version"])))


class Updates:
    """One side's changes. `version` is its counter after set-up; `to_peer` may change a description before the peer gets it."""

    def __init__(self, peer: Peer, way: Way, *, version: int, to_peer: Callable[[str], str] = str) -> None:
        self.version = version
        self._peer = peer
        self._way = way
        self._to_peer = to_peer

    async def change(self) -> None:
        """Tell the server what the peer sends now; after a collision the far side's change is applied first, then again."""
        while not await self.try_change():
            await self.take()

    async def try_change(self, *, restarts_ice: bool = False) -> bool:
        """The same, once: False after a collision, and the offer is rolled back then."""
        offer = await self._peer.offer(gather=False, restarts_ice=restarts_ice)
        # While a call is held Firefox names no track, as it sends none.
        tracks = [_track(track, is_on=True) for track in await self._peer.own_tracks() if track.msid is not None]
        answer = await self._send({"session": {"sdp_type": "offer", "sdp": offer}, "tracks": tracks})
        if not answer["success"]:
            await self._peer.roll_back()
            return False
        session = answer["session"]
        self.version = session["version"]
        await self._peer.apply_answer(self._to_peer(session["sdp_response"]["sdp"]))
        if "sdp_renegotiation" in session:
            await self._peer.apply_renegotiation(self._to_peer(session["sdp_renegotiation"]["sdp"]))
        return True

    async def switch(self, source: Source, is_on: bool) -> None:
        """Enable or disable a track without SDP (5.3)."""
        (track,) = [track for track in await self._peer.own_tracks() if track.source is source]
        while not (answer := await self._send({"tracks": [_track(track, is_on=is_on)]}))["success"]:
            await self.take()
        self.version = answer["version"]

    async def take(self, *, timeout_s: float = _WAIT_S) -> ServerOffer:
        """Apply the far side's change that is not applied yet: every offer is complete, so the newest is enough."""
        offer = await self._way.newest(self.version, timeout_s)
        if offer.sdp is not None:
            await self._peer.apply_renegotiation(self._to_peer(offer.sdp))
        self.version = offer.version
        return offer

    async def _send(self, members: Json) -> Json:
        return await self._way.update({"from_version": self.version, "to_version": self.version + 1, **members})


def _track(track: OwnTrack, *, is_on: bool) -> Json:
    return {"msid": track.msid, "label": track.source, "status": "enabled" if is_on else "disabled"}


def _server_offer(members: Json) -> ServerOffer:
    session = members["session"]
    renegotiation = session.get("sdp_renegotiation")
    return ServerOffer(
        version=session["version"],
        sdp=renegotiation["sdp"] if renegotiation else None,
        tracks=tuple(members.get("tracks", ())),
    )
