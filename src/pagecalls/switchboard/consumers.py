"""The consumer's door: what a device can do, and what happens to it when its socket comes and goes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from pagecalls.call.events import ConsumerAccepted, ConsumerDeclined, ConsumerHungUp, DeviceLost, DeviceRang, DeviceReturned
from pagecalls.call.machine import apply, start_user_call
from pagecalls.call.model import Call
from pagecalls.call.states import CallState
from pagecalls.errors import ConsumerBusy, InvalidValue, NotOffered, UnknownCall, WrongState
from pagecalls.media.protocol import EngineError, LegDtmf
from pagecalls.sdp.description import parse
from pagecalls.sdp.negotiate import read_answer, render_answer, render_offer
from pagecalls.store.base import LiveCallExists, Transaction
from pagecalls.switchboard.base import DeviceIdentity, DeviceLine, PickUpReply, StartReply
from pagecalls.switchboard.business import read_offer
from pagecalls.switchboard.calls import Calls, Live
from pagecalls.switchboard.media import SOUND
from pagecalls.switchboard.notices import CALLS_FIELD
from pagecalls.types import CallId, PageId, SdpType, Session, Side, Track

DTMF_ALPHABET = frozenset("0123456789*#ABCDabcd,")
MAX_STATS_BYTES = 8 * 1024
IN_CALL = (CallState.CONNECTING, CallState.ACTIVE)


class Consumers:
    """Implements `ConsumerDoor`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    # --- sockets ------------------------------------------------------------------------------------------------------

    async def device_connected(self, device: DeviceIdentity, line: DeviceLine) -> None:
        """Register the line, give the device its live call back, or ring on it what rings for its consumer."""
        calls = self._calls
        async with calls.locks.hold(device.page_id, device.psid):
            calls.devices.add(device, line)
            live = await self._live_call(device)
            if live is None:
                return
            concerned = live.call.device == device.device_id or device.device_id in live.call.ringing
            if concerned:
                step = await calls.step(live, DeviceReturned(device.device_id))
                self._resume(step.live, line)
            elif live.call.state in (CallState.DIALING, CallState.RINGING_OUT):
                page = await calls.store.read(lambda tx: tx.page(device.page_id))
                line.incoming(live.call.id, device.page_id, page.name if page else "", video=False)
                await calls.step(live, DeviceRang(device.device_id))

    async def device_gone(self, device: DeviceIdentity, line: DeviceLine) -> None:
        """The 30 s for coming back begin, if the device has to do with a call."""
        calls = self._calls
        async with calls.locks.hold(device.page_id, device.psid):
            if not calls.devices.remove(device, line):
                return
            live = await self._live_call(device)
            if live is not None:
                await calls.step(live, DeviceLost(device.device_id))

    # --- calls --------------------------------------------------------------------------------------------------------

    async def call_start(self, device: DeviceIdentity, page_id: PageId, session: Session, tracks: Sequence[Track]) -> StartReply:
        """A call to the Page. Raises `NotOffered` or `ConsumerBusy` where the Page does not take it; no call exists then."""
        if page_id != device.page_id:
            raise InvalidValue("page_id", got=page_id)
        offer = read_offer(session)
        calls = self._calls
        async with calls.locks.hold(page_id, device.psid):
            is_routed = await self._may_start(device)
            now = calls.clock.now()
            call_id = calls.ids.call_id()
            call, effects = start_user_call(
                id=call_id,
                page_id=page_id,
                psid=device.psid,
                platform=device.platform,
                device=device.device_id,
                is_routed=is_routed,
                now=now,
            )
            media = calls.new_media()
            await calls.create_call(call_id)
            release = calls.hold_webhooks(call_id)
            try:
                media = await calls.open_leg(call_id, media, Side.CONSUMER, offer, tracks)
                await calls.commit(None, call, media, effects, now)
            except LiveCallExists:
                release()
                await calls.close_media(call_id, media)
                raise ConsumerBusy(None) from None
            except BaseException:
                release()
                await calls.close_media(call_id, media)
                raise
            await calls.apply_media(call_id, media, Side.CONSUMER)

        def handed_over() -> None:
            release()
            line = calls.devices.line(device.device_id)
            if is_routed and line is not None:
                line.ringing(call_id)

        return StartReply(call_id, render_answer(media.consumer.connection) if media.consumer else "", handed_over)

    async def call_accept(
        self, device: DeviceIdentity, call_id: CallId, session: Session, tracks: Sequence[Track]
    ) -> PickUpReply:
        """Pick up a ringing call. The first device to do so has it."""
        calls = self._calls
        async with calls.locked(call_id) as found:
            live = self._of_consumer(found, device)
            event = ConsumerAccepted(device.device_id)
            apply(live.call, event, calls.clock.now())
            offer = read_offer(session)
            media = await calls.open_leg(call_id, live.media, Side.CONSUMER, offer, tracks)
            try:
                step = await calls.step(live, event, media)
            except BaseException:
                if media.consumer is not None:
                    await calls.close_leg(media.consumer.id)
                raise
        made = step.offers.consumer
        return PickUpReply(
            answer=render_answer(media.consumer.connection) if media.consumer else "",
            renegotiation=made.sdp if made else None,
            version=made.version if made else 0,
            release=lambda: calls.handed_over(call_id, Side.CONSUMER),
        )

    async def call_decline(self, device: DeviceIdentity, call_id: CallId) -> None:
        """Decline a ringing call, on all devices."""
        async with self._calls.locked(call_id) as found:
            await self._calls.step(self._of_consumer(found, device), ConsumerDeclined(device.device_id))

    async def call_hangup(self, device: DeviceIdentity, call_id: CallId) -> None:
        """Cancel before the other side accepted, hang up after it."""
        async with self._calls.locked(call_id) as found:
            await self._calls.step(self._of_consumer(found, device), ConsumerHungUp(device.device_id))

    async def call_answer(self, device: DeviceIdentity, call_id: CallId, version: int, session: Session) -> None:
        """The device's answer to a renegotiation offer: welcome as proof that it was applied, never waited for (6.7)."""
        live = self._in_call(await self._calls.load(call_id), device, "call.answer")
        if session.sdp_type is not SdpType.ANSWER:
            raise InvalidValue("session[sdp_type]", ("answer",), session.sdp_type.value)
        leg = live.media.consumer
        if leg is None or leg.b_line is None:
            return
        if leg.b_line.mid in read_answer(leg.connection, parse(session.sdp)):
            await self._calls.b_accepted(call_id, Side.CONSUMER)

    async def call_dtmf(self, device: DeviceIdentity, call_id: CallId, digits: str) -> None:
        """Keypad digits towards the business. Without telephone-event in its offer they are dropped and noted (10)."""
        live = self._in_call(await self._calls.load(call_id), device, "call.dtmf")
        if not digits or not set(digits) <= DTMF_ALPHABET:
            raise InvalidValue("digits", got=digits[:40])
        if live.media.business is None:
            return
        try:
            await self._calls.engine.leg_dtmf(LegDtmf(leg=live.media.business.id, track=SOUND, digits=digits.upper()))
        except EngineError as error:
            if error.code in ("queue_full", "bad_digits"):
                raise InvalidValue("digits", got=digits[:40]) from error
            self._calls.journal.note("dtmf_dropped", call_id, why=error.code)
        else:
            self._calls.journal.note("dtmf", call_id, count=len(digits))

    async def call_stats(self, device: DeviceIdentity, call_id: CallId, stats: object) -> None:
        """The device's own view of its media, for the journal."""
        self._of_consumer(await self._calls.load(call_id), device)
        text = msgspec.json.encode(stats)
        if len(text) > MAX_STATS_BYTES:
            raise InvalidValue("stats")
        self._calls.journal.note("device_stats", call_id, stats=text.decode())

    async def call_media_update(self, device: DeviceIdentity, call_id: CallId) -> None:
        """Refused until media can change in mid-call."""
        live = self._of_consumer(await self._calls.load(call_id), device)
        raise WrongState("call.media_update", live.call.state.value)

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _resume(self, live: Live, line: DeviceLine) -> None:
        """Give the device its call back, with the offer that could not be handed over while it was away."""
        call, leg = live.call, live.media.consumer
        is_owed = leg is not None and leg.b_line is not None and not leg.is_b_on
        renegotiation = render_offer(leg.connection) if leg is not None and is_owed else None
        released = partial(self._calls.handed_over, call.id, Side.CONSUMER) if is_owed else _nothing
        line.resumed(call.id, call.state.value, renegotiation, call.consumer_version, released)

    async def _live_call(self, device: DeviceIdentity) -> Live | None:
        record = await self._calls.store.read(lambda tx: tx.live_call(device.page_id, device.psid))
        return await self._calls.load(record.call.id) if record is not None else None

    async def _may_start(self, device: DeviceIdentity) -> bool:
        """Whether the call is routed to apps (ruling 13). Raises `NotOffered`, `ConsumerBusy`."""

        def work(tx: Transaction) -> tuple[bool, bool, Call | None]:
            page = tx.page(device.page_id)
            live = tx.live_call(device.page_id, device.psid)
            return (
                page is not None and page.is_calling_eligible,
                tx.has_page_subscriber(device.page_id, CALLS_FIELD),
                live.call if live is not None else None,
            )

        is_eligible, is_routed, live = await self._calls.store.read(work)
        if not is_eligible:
            raise NotOffered("calling_disabled")
        if live is not None:
            raise ConsumerBusy(live.id)
        return is_routed

    def _of_consumer(self, live: Live | None, device: DeviceIdentity) -> Live:
        if live is None or (live.call.page_id, live.call.psid) != (device.page_id, device.psid):
            raise UnknownCall
        return live

    def _in_call(self, found: Live | None, device: DeviceIdentity, action: str) -> Live:
        live = self._of_consumer(found, device)
        if live.call.device != device.device_id:
            raise UnknownCall
        if live.call.state not in IN_CALL:
            raise WrongState(action, live.call.state.value)
        return live


def _nothing() -> None:
    """Nobody waits for this frame."""
