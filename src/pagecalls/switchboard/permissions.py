"""May a Page call a person: what is known of it, who changes it, the answer to a request (messenger-calling 8.1 to 8.3).

What a call earns is granted where its end is stored (`calls.py`); a request is sent by `messages.py`, under the rules that stand
here.
"""

from __future__ import annotations

from dataclasses import dataclass

from pagecalls.call import permission
from pagecalls.call.limits import DAY_S, REQUESTS_PER_DAY
from pagecalls.clock import Clock
from pagecalls.errors import (
    ClosedHow,
    InvalidValue,
    NoSuchConsumer,
    PermissionHeld,
    RequestClosed,
    RequestRateReached,
    UnknownObject,
)
from pagecalls.store.base import PermissionRequest, RequestState, Store, Transaction, WebhookKind
from pagecalls.switchboard.announcements import Announcement, Announcements
from pagecalls.switchboard.base import DeviceIdentity, PermissionReply
from pagecalls.switchboard.call_settings import effective, must_call_consumers, must_have_audio
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.journal import Journal
from pagecalls.types import Direction, PageId, Psid
from pagecalls.webhooks import payloads


@dataclass(frozen=True, slots=True)
class _Answered:
    """A request was answered: what holds now, and the webhooks that say so."""

    expires_at: float | None
    rows: list[int]


class Grants:
    """What an operator does with a permission, with a server or without one."""

    def __init__(self, store: Store, clock: Clock, journal: Journal) -> None:
        self._store = store
        self._clock = clock
        self._journal = journal

    async def grant(self, page_id: PageId, psid: Psid, ttl_s: float) -> float:
        """Let the Page call the consumer for `ttl_s` from now, or as long as it may already; when that ends.

        Raises `UnknownObject`, `NoSuchConsumer`.
        """
        now = self._clock.now()

        def work(tx: Transaction) -> float:
            _must_know(tx, page_id, psid)
            expires_at = permission.granted(tx.permission(page_id, psid), now, ttl_s)
            tx.put_permission(page_id, psid, expires_at)
            return expires_at

        expires_at = await self._store.write(work)
        self._journal.note("permission_granted", page_id=page_id, psid=psid, expires_at=int(expires_at))
        return expires_at

    async def revoke(self, page_id: PageId, psid: Psid) -> bool:
        """Take the permission away; whether there was one. Calls go on (8.2). Raises `UnknownObject`, `NoSuchConsumer`."""

        def work(tx: Transaction) -> bool:
            _must_know(tx, page_id, psid)
            return tx.delete_permission(page_id, psid)

        was_there = await self._store.write(work)
        self._journal.note("permission_revoked", page_id=page_id, psid=psid, was_there=was_there)
        return was_there


class Permissions(Grants):
    """Reads, grants, revokes, and takes answers. Every method is one unit of work."""

    def __init__(self, calls: Calls, calls_per_consumer_24h: int | None = None) -> None:
        """`calls_per_consumer_24h` as in `DialRules`: it is told where a permission is read."""
        super().__init__(calls.store, calls.clock, calls.journal)
        self._calls = calls
        self._announcements = Announcements(calls)
        self._calls_per_consumer_24h = calls_per_consumer_24h

    async def read(self, page_id: PageId, psid: Psid) -> permission.PermissionView:
        """The state of the call permission (8.1).

        Raises `UnknownObject`, `BusinessCallingOff`, `CallingOff`, `NoSuchConsumer`.
        """
        now = self._clock.now()

        def work(tx: Transaction) -> permission.PermissionView:
            page = tx.page(page_id)
            if page is None:
                raise UnknownObject("get", page_id)
            must_call_consumers(page)
            must_have_audio(effective(tx, page_id, self._calls.default_settings))
            if tx.consumer(page_id, psid) is None:
                raise NoSuchConsumer
            return permission.view(
                tx.permission(page_id, psid),
                now,
                requests_in_24h=requests_today(tx, page_id, psid, now),
                calling_on=page.is_calling_eligible,
                is_rate_free=is_rate_free(tx, page_id, psid, self._calls_per_consumer_24h, now),
            )

        return await self._store.read(work)

    # --- the consumer -------------------------------------------------------------------------------------------------

    async def revoke_own(self, device: DeviceIdentity, page_id: PageId) -> None:
        """The consumer takes it back. Raises `InvalidValue` for another Page than the device's."""
        if page_id != device.page_id:
            raise InvalidValue("page_id", got=page_id)
        await self.revoke(page_id, device.psid)

    async def reply(self, device: DeviceIdentity, request_id: str, is_approved: bool) -> PermissionReply:
        """The consumer's answer to a request; the first of its devices to answer counts. Raises `RequestClosed`."""
        now = self._clock.now()
        answered = await self._store.write(lambda tx: self._answer(tx, device, request_id, is_approved, now))
        state = RequestState.APPROVED if is_approved else RequestState.REJECTED
        who = {"page_id": device.page_id, "psid": device.psid}
        self._journal.note("permission_reply", request_id=request_id, response=state.value, **who)
        return PermissionReply(answered.expires_at, self._announcements.release(answered.rows))

    def _answer(self, tx: Transaction, device: DeviceIdentity, request_id: str, is_approved: bool, now: float) -> _Answered:
        page_id, psid = device.page_id, device.psid
        _must_be_open(tx.permission_request(request_id), device, now)
        tx.answer_request(request_id, RequestState.APPROVED if is_approved else RequestState.REJECTED)
        tx.note_contact(page_id, psid, now)
        expires_at = None
        if is_approved:
            expires_at = permission.granted(tx.permission(page_id, psid), now)
            tx.put_permission(page_id, psid, expires_at)
        announcement = Announcement(
            page_id,
            payloads.object_of(device.platform),
            WebhookKind.CALL_PERMISSION_REPLY,
            lambda _event_id: payloads.call_permission_reply(device.platform, page_id, psid, expires_at, now),
            psid,
        )
        return _Answered(expires_at, self._announcements.write(tx, announcement, now))


def requests_today(tx: Transaction, page_id: PageId, psid: Psid, now: float) -> int:
    """Requests that were sent in the rolling day (8.3)."""
    return tx.requests_sent(page_id, psid, now - DAY_S)


def is_rate_free(tx: Transaction, page_id: PageId, psid: Psid, per_24h: int | None, now: float) -> bool:
    """Whether the Page may start one more call to the consumer within a day; always without a limit (ruling 19)."""
    if per_24h is None:
        return True
    return tx.calls_begun(page_id, psid, Direction.BUSINESS_INITIATED, now - DAY_S) < per_24h


def must_be_askable(tx: Transaction, page_id: PageId, psid: Psid, now: float) -> None:
    """What a request needs (8.3). Raises `PermissionHeld`, `RequestRateReached`."""
    expires_at = tx.permission(page_id, psid)
    if expires_at is not None and permission.holds(expires_at, now):
        raise PermissionHeld(expires_at)
    if requests_today(tx, page_id, psid, now) >= REQUESTS_PER_DAY:
        raise RequestRateReached


def _must_be_open(request: PermissionRequest | None, device: DeviceIdentity, now: float) -> None:
    if request is None or (request.page_id, request.psid) != (device.page_id, device.psid):
        raise RequestClosed(ClosedHow.UNKNOWN)
    if request.state is RequestState.REPLACED:
        raise RequestClosed(ClosedHow.REPLACED)
    if request.state is not RequestState.OPEN:
        raise RequestClosed(ClosedHow.ANSWERED)
    if request.expires_at <= now:
        raise RequestClosed(ClosedHow.EXPIRED)


def _must_know(tx: Transaction, page_id: PageId, psid: Psid) -> None:
    if tx.page(page_id) is None:
        raise UnknownObject("post", page_id)
    if tx.consumer(page_id, psid) is None:
        raise NoSuchConsumer
