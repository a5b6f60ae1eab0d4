"""The business's door: the five actions of `POST /{page_id}/calls`.

Each action checks in the order of messenger-calling 1.4: the call, its end, its owner, its state, and only then the description.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pagecalls.call import permission
from pagecalls.call.effects import Effect, Replay
from pagecalls.call.events import AcceptRequested, Event, MediaUpdateRequested, RejectRequested, TerminateRequested
from pagecalls.call.machine import apply, start_business_call
from pagecalls.errors import (
    CallingNotAllowed,
    CallRateReached,
    ConnectionFault,
    ConsumerBusy,
    ConsumerUnavailable,
    InvalidValue,
    NoPermission,
    NoSuchConsumer,
    NotInCall,
    UnknownCall,
    UnknownObject,
    UnusableConnection,
)
from pagecalls.sdp.description import Description, parse
from pagecalls.sdp.negotiate import render_answer
from pagecalls.sdp.profile import check_offer
from pagecalls.store.base import Consumer, LiveCallExists, Page, Transaction
from pagecalls.switchboard.base import AcceptRequest, Caller, CallReply, ConnectRequest, EndRequest, MediaUpdateRequest
from pagecalls.switchboard.calls import Calls, Live
from pagecalls.switchboard.directory import is_rate_free
from pagecalls.switchboard.media import AcceptReply, Leg
from pagecalls.types import PageId, Platform, Psid, SdpType, Session, Side


def read_offer(session: Session | None) -> Description:
    """The offer in a request, parsed and checked. Raises `PeerError`."""
    if session is None:
        raise UnusableConnection(ConnectionFault.SESSION_ABSENT)
    if session.sdp_type is not SdpType.OFFER:
        raise UnusableConnection(ConnectionFault.WRONG_SDP_TYPE, session.sdp_type.value)
    description = parse(session.sdp)
    check_offer(description)
    return description


@dataclass(frozen=True, slots=True)
class DialRules:
    """When a consumer may not be called although the permission is there (ruling 19). Both are off by default.

    `calls_per_consumer_24h`: how many calls a Page may start to one consumer in a day. `needs_device`: a consumer without a
    connected device is refused at once instead of ringing in vain.
    """

    calls_per_consumer_24h: int | None = None
    needs_device: bool = False


class Business:
    """Implements `BusinessDoor`."""

    def __init__(self, calls: Calls, rules: DialRules = DialRules()) -> None:
        self._calls = calls
        self._rules = rules

    async def connect(self, caller: Caller, request: ConnectRequest) -> CallReply:
        """Call a consumer (2.2). The answer is the business's own; the consumer rings from the commit on."""
        calls = self._calls
        async with calls.locks.hold(caller.page_id, request.to):
            consumer = await self._may_connect(caller.page_id, request.to, request.platform)
            offer = read_offer(request.session)
            now = calls.clock.now()
            call_id = calls.ids.call_id()
            call, effects = start_business_call(
                id=call_id, page_id=caller.page_id, psid=request.to, platform=consumer.platform, owner=caller.app_id, now=now
            )
            media = calls.new_media()
            await calls.create_call(call_id)
            release = calls.hold_webhooks(call_id)
            try:
                media = await calls.open_leg(call_id, media, Side.BUSINESS, offer, request.tracks)
                step = await calls.commit(None, call, media, effects, now)
            except LiveCallExists:
                release()
                await calls.close_media(call_id, media)
                raise ConsumerBusy(None) from None
            except BaseException:
                release()
                await calls.close_media(call_id, media)
                raise
            await calls.apply_media(call_id, step.live.media, Side.BUSINESS)
        return CallReply(call_id, _answer(media.business), version=call.version, release=release)

    async def accept(self, caller: Caller, request: AcceptRequest) -> CallReply:
        """Answer a consumer's call (2.3). A bad offer never takes ownership; the same offer again gets the same answer."""
        calls = self._calls
        async with calls.locked(request.call_id) as found:
            live = self._of_page(found, caller, request.platform)
            text = request.session.sdp if request.session is not None else ""
            event = AcceptRequested(caller.app_id, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
            now = calls.clock.now()
            call, effects = apply(live.call, event, now)
            if _is_replay(effects) and live.media.accept_reply is not None:
                reply = live.media.accept_reply
                return CallReply(request.call_id, reply.answer, reply.renegotiation, version=0)
            offer = read_offer(request.session)
            media = await calls.open_leg(request.call_id, live.media, Side.BUSINESS, offer, request.tracks)
            release = calls.hold_webhooks(request.call_id)
            try:
                step = await calls.commit(live.call, call, media, effects, now)
            except BaseException:
                release()
                if media.business is not None:
                    await calls.close_leg(media.business.id)
                raise
        stored = step.live.media.accept_reply or AcceptReply(_answer(media.business), None)

        def handed_over() -> None:
            release()
            calls.handed_over(request.call_id, Side.BUSINESS)

        return CallReply(request.call_id, stored.answer, stored.renegotiation, version=0, release=handed_over)

    async def reject(self, caller: Caller, request: EndRequest) -> CallReply:
        """Decline a consumer's ringing call (2.4)."""
        return await self._end(caller, request, RejectRequested(caller.app_id))

    async def terminate(self, caller: Caller, request: EndRequest) -> CallReply:
        """End a call, or give up an unanswered one (2.5)."""
        return await self._end(caller, request, TerminateRequested(caller.app_id))

    async def media_update(self, caller: Caller, request: MediaUpdateRequest) -> CallReply:
        """Refused by the state machine until media can change in mid-call."""
        async with self._calls.locked(request.call_id) as found:
            live = self._of_page(found, caller, request.platform)
            await self._calls.step(live, MediaUpdateRequested(caller.app_id))
        return CallReply(request.call_id, version=live.call.version)

    async def _end(self, caller: Caller, request: EndRequest, event: Event) -> CallReply:
        calls = self._calls
        async with calls.locked(request.call_id) as found:
            live = self._of_page(found, caller, request.platform)
            release = calls.hold_webhooks(request.call_id)
            try:
                await calls.step(live, event)
            except BaseException:
                release()
                raise
        return CallReply(request.call_id, release=release)

    def _of_page(self, live: Live | None, caller: Caller, platform: Platform | None) -> Live:
        if live is None:
            raise UnknownCall
        if live.call.page_id != caller.page_id:
            raise NotInCall
        _check_platform(platform, live.call.platform)
        return live

    async def _may_connect(self, page_id: PageId, psid: Psid, platform: Platform | None) -> Consumer:
        now = self._calls.clock.now()

        def work(tx: Transaction) -> tuple[Page | None, Consumer | None, float | None, str | None, bool]:
            live = tx.live_call(page_id, psid)
            is_free = is_rate_free(tx, page_id, psid, self._rules.calls_per_consumer_24h, now)
            live_id = live.call.id if live else None
            return tx.page(page_id), tx.consumer(page_id, psid), tx.permission(page_id, psid), live_id, is_free

        page, consumer, expires_at, live_id, is_free = await self._calls.store.read(work)
        if page is None:
            raise UnknownObject("post", page_id)
        if not page.is_calling_eligible:
            raise CallingNotAllowed
        if consumer is None:
            raise NoSuchConsumer
        _check_platform(platform, consumer.platform)
        if not permission.holds(expires_at, now):
            raise NoPermission
        if live_id is not None:
            raise ConsumerBusy(live_id)
        if self._rules.needs_device and not self._calls.devices.of(page_id, psid):
            raise ConsumerUnavailable
        if not is_free:
            raise CallRateReached
        return consumer


def _check_platform(given: Platform | None, actual: Platform) -> None:
    if given is not None and given is not actual:
        raise InvalidValue("platform", got=given.value)


def _is_replay(effects: tuple[Effect, ...]) -> bool:
    return any(isinstance(effect, Replay) for effect in effects)


def _answer(leg: Leg | None) -> str:
    return render_answer(leg.connection) if leg is not None else ""
