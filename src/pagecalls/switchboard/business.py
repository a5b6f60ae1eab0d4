"""The business's door: the five actions of `POST /{page_id}/calls`.

Each action checks in the order of messenger-calling 1.4: the call, its end, its owner, its state, and only then the description.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pagecalls.call import permission
from pagecalls.call.effects import Replay
from pagecalls.call.events import AcceptRequested, Event, MediaUpdateRequested, RejectRequested, TerminateRequested
from pagecalls.call.machine import apply, start_business_call
from pagecalls.call.settings import CallSettings
from pagecalls.errors import (
    AlreadyConnected,
    CallRateReached,
    ConsumerBusy,
    ConsumerUnavailable,
    InvalidValue,
    NoPermission,
    NoSuchConsumer,
    NotInCall,
    UnknownCall,
    UnknownObject,
)
from pagecalls.store.base import Consumer, Transaction
from pagecalls.switchboard.base import AcceptRequest, Caller, CallReply, ConnectRequest, EndRequest, MediaUpdateRequest
from pagecalls.switchboard.call_settings import effective, must_start_calls
from pagecalls.switchboard.calls import Calls, Live
from pagecalls.switchboard.entries import begin, join, read_offer
from pagecalls.switchboard.permissions import is_rate_free
from pagecalls.switchboard.updates import update
from pagecalls.types import PageId, Platform, Psid, Side


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
            consumer, settings = await self._may_connect(caller.page_id, request.to, request.platform)
            offer = read_offer(request.session)
            call, effects = start_business_call(
                id=calls.ids.call_id(),
                page_id=caller.page_id,
                psid=request.to,
                platform=consumer.platform,
                owner=caller.app_id,
                now=calls.clock.now(),
            )
            entry = await begin(calls, call, effects, Side.BUSINESS, offer, request.tracks, settings)
        return CallReply(call.id, entry.reply.answer, version=entry.reply.version, release=entry.release)

    async def accept(self, caller: Caller, request: AcceptRequest) -> CallReply:
        """Answer a consumer's call (2.3). A bad offer never takes ownership; the same offer again gets the same answer."""
        calls, call_id = self._calls, request.call_id
        async with calls.locked(call_id) as found:
            live = self._of_page(found, caller, request.platform)
            text = request.session.sdp if request.session is not None else ""
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            outcome = apply(live.call, AcceptRequested(caller.app_id, digest), calls.clock.now())
            if outcome[1] == (Replay(),):
                reply = live.media.business.reply_to(digest) if live.media.business is not None else None
                if reply is None:
                    raise AlreadyConnected
                return CallReply(call_id, reply.answer, reply.renegotiation, reply.version)
            entry = await join(calls, live, outcome, Side.BUSINESS, request.session, request.tracks, digest)
        reply = entry.reply
        release = calls.hand_overs.release(call_id, Side.BUSINESS, reply.version, entry.release)
        return CallReply(call_id, reply.answer, reply.renegotiation, reply.version, release=release)

    async def reject(self, caller: Caller, request: EndRequest) -> CallReply:
        """Decline a consumer's ringing call (2.4)."""
        return await self._end(caller, request, RejectRequested(caller.app_id))

    async def terminate(self, caller: Caller, request: EndRequest) -> CallReply:
        """End a call, or give up an unanswered one (2.5)."""
        return await self._end(caller, request, TerminateRequested(caller.app_id))

    async def media_update(self, caller: Caller, request: MediaUpdateRequest) -> CallReply:
        """Change the business's media in mid-call (2.6)."""
        return await update(
            self._calls,
            Side.BUSINESS,
            MediaUpdateRequested(caller.app_id),
            request,
            lambda found: self._of_page(found, caller, request.platform),
        )

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

    async def _may_connect(self, page_id: PageId, psid: Psid, platform: Platform | None) -> tuple[Consumer, CallSettings]:
        now = self._calls.clock.now()

        def work(tx: Transaction) -> tuple[CallSettings, Consumer | None, float | None, str | None, bool]:
            page = tx.page(page_id)
            if page is None:
                raise UnknownObject("post", page_id)
            settings = effective(tx, page_id, self._calls.default_settings)
            must_start_calls(page, settings)
            live = tx.live_call(page_id, psid)
            is_free = is_rate_free(tx, page_id, psid, self._rules.calls_per_consumer_24h, now)
            live_id = live.call.id if live else None
            return settings, tx.consumer(page_id, psid), tx.permission(page_id, psid), live_id, is_free

        settings, consumer, expires_at, live_id, is_free = await self._calls.store.read(work)
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
        return consumer, settings


def _check_platform(given: Platform | None, actual: Platform) -> None:
    if given is not None and given is not actual:
        raise InvalidValue("platform", got=given.value)
