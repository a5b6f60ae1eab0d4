"""The consumer's door: what a device can do, and what happens to it when its socket comes and goes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pagecalls.call.events import (
    ConsumerAccepted,
    ConsumerDeclined,
    ConsumerHungUp,
    ConsumerUpdateRequested,
    DeviceLost,
    DeviceRang,
    DeviceReturned,
)
from pagecalls.call.machine import apply, start_user_call
from pagecalls.call.settings import CallSettings
from pagecalls.call.states import CallState
from pagecalls.errors import ConsumerBusy, InvalidValue, NotOffered, Unavailable, UnknownCall, WrongState
from pagecalls.media.protocol import EngineError, LegDtmf
from pagecalls.sdp.negotiate import render_offer
from pagecalls.store.base import Transaction
from pagecalls.switchboard.base import (
    CallReply,
    DeviceIdentity,
    DeviceLine,
    MediaUpdateRequest,
    PermissionReply,
    PickUpReply,
    StartReply,
)
from pagecalls.switchboard.call_settings import effective, must_be_offered
from pagecalls.switchboard.calls import Calls, Live
from pagecalls.switchboard.desired import SOUND
from pagecalls.switchboard.entries import begin, join, read_offer
from pagecalls.switchboard.media import NEVER
from pagecalls.switchboard.messages import Messages
from pagecalls.switchboard.offers import has_video, shown_tracks
from pagecalls.switchboard.permissions import Permissions
from pagecalls.switchboard.updates import take_answer, update
from pagecalls.types import CallId, MessageId, PageId, RingTarget, SdpType, Session, Side, Track

DTMF_ALPHABET = frozenset("0123456789*#ABCDabcd,")
MAX_STATS_BYTES = 8 * 1024
STATS_EVERY_S = 1.0
IN_CALL = (CallState.CONNECTING, CallState.ACTIVE)
RINGING_HERE = (CallState.DIALING, CallState.RINGING_OUT)
"""The Page calls the consumer."""


class Consumers:
    """Implements `ConsumerDoor`."""

    def __init__(self, calls: Calls, messages: Messages, permissions: Permissions) -> None:
        self._calls = calls
        self._messages = messages
        self._permissions = permissions
        self._stats_told: dict[CallId, float] = {}
        """When stats of a call were written down, the oldest first; no more than those of `STATS_EVERY_S`."""

    # --- sockets ------------------------------------------------------------------------------------------------------

    async def device_connected(self, device: DeviceIdentity, line: DeviceLine) -> None:
        """Register the line, tell the device of an end that it missed, give it its live call back, ring on it what rings for its
        consumer, show messages."""
        calls = self._calls
        async with calls.locks.hold(device.page_id, device.psid):
            calls.devices.add(device, line)
            calls.devices.catch_up(device.device_id, line, calls.clock.now())
            live = await self._live_call(device)
            if live is not None:
                await self._present(live, device, line)
            await self._messages.show_to(device, line)

    async def _present(self, live: Live, device: DeviceIdentity, line: DeviceLine) -> None:
        calls = self._calls
        if live.call.device == device.device_id or device.device_id in live.call.ringing:
            step = await calls.step(live, DeviceReturned(device.device_id))
            self._resume(step.live, line)
        elif live.call.state in RINGING_HERE:
            page = await calls.store.read(lambda tx: tx.page(device.page_id))
            line.incoming(live.call.id, device.page_id, page.name if page else "", has_video(live.media.business))
            await calls.step(live, DeviceRang(device.device_id))

    async def device_gone(self, device: DeviceIdentity, line: DeviceLine) -> None:
        """The 30 s for coming back begin, if the device has to do with a call."""
        if self._calls.devices.remove(device, line):
            await self._lost(device)

    async def _lost(self, device: DeviceIdentity) -> None:
        """Later, if it cannot be stored now: nobody else would tell. By then the device may be back."""
        calls = self._calls
        try:
            async with calls.locks.hold(device.page_id, device.psid):
                if calls.devices.line(device.device_id) is not None:
                    return
                live = await self._live_call(device)
                if live is not None:
                    await calls.step(live, DeviceLost(device.device_id))
        except Unavailable:
            calls.again(lambda: self._lost(device))

    # --- calls --------------------------------------------------------------------------------------------------------

    async def call_start(
        self, device: DeviceIdentity, page_id: PageId, session: Session, tracks: Sequence[Track], message_id: str | None = None
    ) -> StartReply:
        """A call to the Page. Raises `NotOffered` or `ConsumerBusy` where the Page does not take it; no call exists then.

        While the Page calls this very consumer, both want the same: the device picks that call up (3.3). `message_id`: the
        message whose button was tapped; raises `NoLiveButton`.
        """
        if page_id != device.page_id:
            raise InvalidValue("page_id", got=page_id)
        offer = read_offer(session)
        calls = self._calls
        async with calls.locks.hold(page_id, device.psid):
            live = await self._live_call(device)
            if live is not None and live.call.state in RINGING_HERE:
                return await self._call_back(device, live, session, tracks)
            if message_id is not None:
                await self._messages.must_be_button(device, message_id)
            settings = await self._may_start(device, live)
            is_routed = settings.ring_target is RingTarget.PARTNERS
            call, effects = start_user_call(
                id=calls.ids.call_id(),
                page_id=page_id,
                psid=device.psid,
                platform=device.platform,
                device=device.device_id,
                is_routed=is_routed,
                now=calls.clock.now(),
            )
            entry = await begin(calls, call, effects, Side.CONSUMER, offer, tracks, settings)

        def handed_over() -> None:
            entry.release()
            line = calls.devices.line(device.device_id)
            if is_routed and line is not None:
                line.ringing(call.id)

        return StartReply(call.id, entry.reply.answer or "", handed_over)

    async def _call_back(self, device: DeviceIdentity, live: Live, session: Session, tracks: Sequence[Track]) -> StartReply:
        """The device rings, and picks up at once. It is answered as a caller, and then told that it was accepted."""
        calls, call_id = self._calls, live.call.id
        step = await calls.step(live, DeviceRang(device.device_id))
        outcome = apply(step.live.call, ConsumerAccepted(device.device_id, by_calling=True), calls.clock.now())
        # Before the call goes on: a fault here must not take the answer, and the webhooks held for it, with it.
        await calls.store.write(lambda tx: tx.note_contact(device.page_id, device.psid, calls.clock.now()))
        entry = await join(calls, step.live, outcome, Side.CONSUMER, session, tracks)
        reply = entry.reply

        def handed_over() -> None:
            entry.release()
            line = calls.devices.line(device.device_id)
            if line is not None and reply.renegotiation is not None:
                released = calls.hand_overs.release(call_id, Side.CONSUMER, reply.version)
                line.accepted(call_id, reply.renegotiation, reply.version, released)

        return StartReply(call_id, reply.answer or "", handed_over)

    async def call_accept(
        self, device: DeviceIdentity, call_id: CallId, session: Session, tracks: Sequence[Track]
    ) -> PickUpReply:
        """Pick up a ringing call. The first device to do so has it."""
        calls = self._calls
        async with calls.locked(call_id) as found:
            live = self._of_consumer(found, device)
            outcome = apply(live.call, ConsumerAccepted(device.device_id), calls.clock.now())
            entry = await join(calls, live, outcome, Side.CONSUMER, session, tracks)
        reply = entry.reply
        release = calls.hand_overs.release(call_id, Side.CONSUMER, reply.version, entry.release)
        return PickUpReply(reply.answer or "", reply.renegotiation, reply.version, release)

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
        await take_answer(self._calls, live, Side.CONSUMER, session)

    async def call_media_update(self, device: DeviceIdentity, request: MediaUpdateRequest) -> CallReply:
        """Change the device's media in mid-call: the same as the business's `media_update`, the other way."""
        return await update(
            self._calls,
            Side.CONSUMER,
            ConsumerUpdateRequested(device.device_id),
            request,
            lambda found: self._of_consumer(found, device),
        )

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
        """The device's own view of its media, for the journal; what comes too soon after the last is taken and not written."""
        self._in_call(await self._calls.load(call_id), device, "call.stats")
        text = msgspec.json.encode(stats)
        if len(text) > MAX_STATS_BYTES:
            raise InvalidValue("stats")
        if self._is_time_for_stats(call_id):
            self._calls.journal.note("device_stats", call_id, stats=text.decode())

    def _is_time_for_stats(self, call_id: CallId) -> bool:
        """One device must not fill the journal, which is everybody's."""
        now, told = self._calls.clock.now(), self._stats_told
        while told and not now - STATS_EVERY_S < told[oldest := next(iter(told))] <= now:
            del told[oldest]
        if call_id in told:
            return False
        told[call_id] = now
        return True

    # --- permission and messages --------------------------------------------------------------------------------------

    async def permission_reply(self, device: DeviceIdentity, request_id: str, is_approved: bool) -> PermissionReply:
        """See `Permissions.reply`."""
        return await self._permissions.reply(device, request_id, is_approved)

    async def permission_revoke(self, device: DeviceIdentity, page_id: PageId) -> None:
        """See `Permissions.revoke_own`."""
        await self._permissions.revoke_own(device, page_id)

    async def message_send(self, device: DeviceIdentity, page_id: PageId, text: str) -> MessageId:
        """See `Messages.receive`."""
        return await self._messages.receive(device, page_id, text)

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _resume(self, live: Live, line: DeviceLine) -> None:
        """Give the device its call back, with our last offer: what it missed while it was away is in there."""
        call, leg = live.call, live.media.consumer
        if leg is None or leg.offered == NEVER:
            line.resumed(call.id, call.state.value, None, call.consumer.current, (), _nothing)
            return
        released = self._calls.hand_overs.release(call.id, Side.CONSUMER, leg.offered)
        tracks = shown_tracks(live.media, Side.CONSUMER)
        line.resumed(call.id, call.state.value, render_offer(leg.connection), leg.offered, tracks, released)

    async def _live_call(self, device: DeviceIdentity) -> Live | None:
        return await self._calls.find(lambda tx: tx.live_call(device.page_id, device.psid))

    async def _may_start(self, device: DeviceIdentity, live: Live | None) -> CallSettings:
        """The Page's settings, by which the call is begun and routed. Raises `NotOffered`, `ConsumerBusy`."""
        page_id, psid, now = device.page_id, device.psid, self._calls.clock.now()

        def work(tx: Transaction) -> tuple[bool, CallSettings, bool]:
            page = tx.page(page_id)
            settings = effective(tx, page_id, self._calls.default_settings)
            has_button = not settings.icon_enabled and tx.has_live_button(page_id, psid, now)
            return page is not None and page.is_calling_eligible, settings, has_button

        is_eligible, settings, has_button = await self._calls.store.read(work)
        if not is_eligible:
            raise NotOffered("calling_disabled")
        must_be_offered(settings, has_button=has_button, now=now)
        if live is not None:
            raise ConsumerBusy(live.call.id)
        return settings

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
