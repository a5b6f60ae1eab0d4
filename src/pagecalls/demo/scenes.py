"""The two calls of the demo: who dials, who answers, and what each hears.

Signalling is public interface on both sides: the Graph API with webhooks, and the consumer protocol. Media is a foreign
WebRTC stack on either side.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice
from pagecalls.demo.peers.base import Peer
from pagecalls.demo.peers.listening import Heard
from pagecalls.demo.timeline import Lane, Timeline

LISTEN_S = 2.0
SOUND_WITHIN_S = 10.0
PICK_UP_AFTER_S = 0.5
CONNECTED_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Ear:
    """What one side heard of the other.

    `lost` counts packets missing of those that it received; `first_sound_s` runs from the moment both legs were up.
    """

    side: str
    peer: str
    expected_hz: int
    heard: Heard
    received: int
    lost: int
    first_sound_s: float | None

    @property
    def is_right(self) -> bool:
        """The far side's tone, once."""
        return self.heard.is_tone(self.expected_hz)

    def describe(self) -> str:
        """For people."""
        if not self.heard.audible:
            return "heard nothing"
        loudest = self.heard.loudest
        copies = "" if len(self.heard.audible) == 1 else f" on {len(self.heard.audible)} tracks at once"
        return f"heard {loudest.frequency_hz:.0f} Hz at {loudest.level_dbfs:.0f} dBFS{copies} (expected {self.expected_hz} Hz)"


@dataclass(frozen=True, slots=True)
class CallResult:
    """One call: what both sides heard and how it ended."""

    title: str
    ears: tuple[Ear, Ear]
    status: str
    duration_s: int | None

    @property
    def is_right(self) -> bool:
        """Both sides heard the other, and the call ended as a completed one."""
        return all(ear.is_right for ear in self.ears) and self.status == "Completed"


@dataclass
class Stage:
    """Everything that a call needs. Tones are each side's own."""

    app: BusinessApp
    device: ConsumerDevice
    timeline: Timeline
    page_id: str
    psid: str


@dataclass(frozen=True, slots=True)
class Voice:
    """A peer and the tone that it sends."""

    peer: Peer
    tone_hz: int


async def consumer_calls(stage: Stage, business: Voice, consumer: Voice) -> CallResult:
    """A consumer rings the Page; the business accepts; the consumer hangs up."""
    app, device, line = stage.app, stage.device, stage.timeline
    await asyncio.gather(business.peer.start(), consumer.peer.start())
    offer = await consumer.peer.offer()
    line.add(Lane.CONSUMER, f"call.start with an offer of {consumer.peer.name}")
    started = await device.request("call.start", page_id=stage.page_id, session={"sdp_type": "offer", "sdp": offer})
    call_id = started["call_id"]
    await consumer.peer.apply_answer(started["session"]["sdp_response"]["sdp"])
    await app.expect("connect", call_id)
    offer = await business.peer.offer()
    line.add(Lane.BUSINESS, f"POST /calls accept with an offer of {business.peer.name}")
    accepted = await app.call("accept", call_id=call_id, session={"sdp_type": "offer", "sdp": offer})
    line.add(Lane.BUSINESS, "200: answer and renegotiation offer")
    await business.peer.apply_answer(accepted["session"]["sdp_response"]["sdp"])
    await business.peer.apply_renegotiation(accepted["session"]["sdp_renegotiation"]["sdp"])
    told = await device.expect("call.accepted", call_id=call_id)
    await consumer.peer.apply_renegotiation(told.params["session"]["sdp_renegotiation"]["sdp"])
    await device.expect("call.connected", CONNECTED_WITHIN_S, call_id=call_id)
    ears = await _listen(stage, business, consumer)
    line.add(Lane.CONSUMER, "call.hangup")
    await device.request("call.hangup", call_id=call_id)
    return await _end(stage, "A consumer calls the Page", call_id, ears)


async def business_calls(stage: Stage, business: Voice, consumer: Voice) -> CallResult:
    """The business calls the consumer, whose permission the first call has given; the business hangs up."""
    app, device, line = stage.app, stage.device, stage.timeline
    await asyncio.gather(business.peer.start(), consumer.peer.start())
    offer = await business.peer.offer()
    line.add(Lane.BUSINESS, f"POST /calls connect with an offer of {business.peer.name}")
    connected = await app.call("connect", to=stage.psid, session={"sdp_type": "offer", "sdp": offer})
    line.add(Lane.BUSINESS, "200: answer")
    call_id = connected["call_id"]
    await business.peer.apply_answer(connected["session"]["sdp_response"]["sdp"])
    await device.expect("call.incoming", call_id=call_id)
    offer = await consumer.peer.offer()
    await asyncio.sleep(PICK_UP_AFTER_S)
    line.add(Lane.CONSUMER, f"call.accept with an offer of {consumer.peer.name}")
    picked_up = await device.request("call.accept", call_id=call_id, session={"sdp_type": "offer", "sdp": offer})
    await consumer.peer.apply_answer(picked_up["session"]["sdp_response"]["sdp"])
    await consumer.peer.apply_renegotiation(picked_up["session"]["sdp_renegotiation"]["sdp"])
    update = await app.expect("media_update", call_id)
    await business.peer.apply_renegotiation(update.item["session"]["sdp_renegotiation"]["sdp"])
    await device.expect("call.connected", CONNECTED_WITHIN_S, call_id=call_id)
    ears = await _listen(stage, business, consumer)
    line.add(Lane.BUSINESS, "POST /calls terminate")
    await app.call("terminate", call_id=call_id)
    return await _end(stage, "The Page calls the consumer", call_id, ears)


async def _listen(stage: Stage, business: Voice, consumer: Voice) -> tuple[Ear, Ear]:
    """Both sides listen at once; first until sound is there, then for the copies to settle, then for the measured window."""
    await asyncio.gather(*(voice.peer.hear(window_s=0.5, timeout_s=SOUND_WITHIN_S) for voice in (business, consumer)))
    await asyncio.sleep(LISTEN_S)  # "once" counts from 2 s after both descriptions are applied (ruling 12)
    heard = await asyncio.gather(*(voice.peer.hear(window_s=1.0, timeout_s=SOUND_WITHIN_S) for voice in (business, consumer)))
    ears = (
        await _ear("business", business, consumer, heard[0]),
        await _ear("consumer", consumer, business, heard[1]),
    )
    for lane, ear in zip((Lane.BUSINESS, Lane.CONSUMER), ears, strict=True):
        stage.timeline.add(lane, f"{ear.describe()}, lost {ear.lost}/{ear.received + ear.lost}")
    return ears


async def _ear(side: str, own: Voice, far: Voice, heard: Heard) -> Ear:
    stats, far_stats = await own.peer.stats(), await far.peer.stats()
    delay = None
    if heard.first_audio_at is not None and stats.connected_at is not None and far_stats.connected_at is not None:
        delay = max(0.0, heard.first_audio_at - max(stats.connected_at, far_stats.connected_at))
    return Ear(side, own.peer.name, far.tone_hz, heard, stats.packets_received, max(0, stats.packets_lost), delay)


async def _end(stage: Stage, title: str, call_id: str, ears: tuple[Ear, Ear]) -> CallResult:
    ended = (await stage.app.expect("terminate", call_id)).item
    return CallResult(title, ears, str(ended["status"]), ended.get("duration"))
