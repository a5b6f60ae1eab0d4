"""Who is who: apps, Pages, tokens, consumers and subscriptions, as the faces need them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from pagecalls.call.limits import DAY_S
from pagecalls.clock import Clock
from pagecalls.errors import InvalidValue, UnknownObject
from pagecalls.store.base import (
    App,
    AppSubscription,
    Consumer,
    ConsumerToken,
    Page,
    PageSubscription,
    Store,
    Token,
    Transaction,
)
from pagecalls.switchboard.base import CallbackVerifier, DeviceIdentity, Wakeable
from pagecalls.switchboard.credentials import digest, fault_of, find_token, unknown
from pagecalls.switchboard.ids import Ids
from pagecalls.types import AppId, DeviceId, PageId, Platform, Psid

CONSUMER_TOKEN_S = 30.0 * DAY_S
MAX_SUBSCRIBED_FIELDS = 500
"""Of one object of an app; the platform has some hundred names, and any other is stored as well."""
PAGE_SCOPES = frozenset({"pages_messaging", "pages_manage_metadata", "pages_show_list"})


def device_digest(name: str) -> str:
    """What the store keeps of a device with a voucher. Another function than `digest`, because the name is no secret: nobody can
    give it as a token and be taken for the device."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=32, person=b"pagecalls device").hexdigest()


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that is believed, its app, and the Page that it is for, if any."""

    token: Token
    app: App
    page: Page | None


@dataclass(frozen=True, slots=True)
class NewSession:
    """A consumer's identity and the token just made for it. `expires_at` Unix seconds."""

    consumer: Consumer
    page: Page
    access_token: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Voucher:
    """A person for whom the operator's identity system vouches until `expires_at`, Unix seconds.

    `device_name`: the same for the same device. `name` `None`: as it was.
    """

    device_name: str = field(repr=False)
    psid: Psid
    page_id: PageId
    platform: Platform
    name: str | None
    expires_at: float


@dataclass(frozen=True, slots=True)
class NewApp:
    """An app with its Page token, whose text is known only now."""

    app: App
    page: Page
    access_token: str


class Directory:
    """Look-ups and registrations over the store. Every method is one unit of work."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, verifier: CallbackVerifier, courier: Wakeable | None = None) -> None:
        """`courier` hears of new callbacks."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._verifier = verifier
        self._courier = courier

    # --- tokens -------------------------------------------------------------------------------------------------------

    async def bearer(self, text: str) -> Bearer:
        """Who bears the token `text`: see `find_token`. Raises `BadToken`."""

        now = self._clock.now()

        def work(tx: Transaction) -> Bearer:
            token = find_token(tx, text)
            app = tx.app(token.app_id) if token is not None else None
            if token is None or app is None:
                raise unknown(text)
            if (fault := fault_of(tx, token, now)) is not None:
                raise fault
            return Bearer(token, app, tx.page(token.page_id) if token.page_id is not None else None)

        return await self._store.read(work)

    async def page(self, page_id: PageId) -> Page | None:
        """The Page, if there is one."""
        return await self._store.read(lambda tx: tx.page(page_id))

    # --- consumers ----------------------------------------------------------------------------------------------------

    async def open_session(self, page_id: PageId, platform: Platform, name: str | None, psid: Psid | None) -> NewSession:
        """A new consumer of the Page, or a further device of a known one. Raises `UnknownObject` for an unknown Page."""
        text, fresh, device = self._ids.consumer_token(), self._ids.psid(), self._ids.device_id()
        now = self._clock.now()
        expires_at = now + CONSUMER_TOKEN_S

        def work(tx: Transaction) -> tuple[Consumer, Page]:
            page = tx.page(page_id)
            if page is None:
                raise UnknownObject("post", page_id)
            known = tx.consumer(page_id, psid) if psid is not None else None
            consumer = known or Consumer(psid or fresh, page_id, platform, name or "Consumer", now)
            if name is not None and consumer.name != name:
                consumer = replace(consumer, name=name)
            if consumer != known:
                tx.put_consumer(consumer)
            tx.put_consumer_token(ConsumerToken(digest(text), consumer.psid, page_id, device, expires_at, now))
            return consumer, page

        consumer, page = await self._store.write(work)
        return NewSession(consumer, page, text, expires_at)

    async def device(self, text: str) -> DeviceIdentity | None:
        """The device behind a consumer's token; `None` if the token is unknown, expired or revoked."""
        now = self._clock.now()

        def work(tx: Transaction) -> DeviceIdentity | None:
            token = tx.consumer_token(digest(text))
            if token is None or token.is_revoked or token.expires_at <= now:
                return None
            consumer = tx.consumer(token.page_id, token.psid)
            if consumer is None:
                return None
            return _identity(token, consumer)

        return await self._store.read(work)

    async def admit(self, voucher: Voucher) -> DeviceIdentity | None:
        """The device of a person who is vouched for; both are made when they first come.

        `None` if there is no such Page, or if the device was revoked.
        """
        known = await self._store.read(lambda tx: _as_vouched(tx, voucher))
        if known is not None:
            return known
        now, device = self._clock.now(), self._ids.device_id()
        return await self._store.write(lambda tx: _take_in(tx, voucher, device, now))

    # --- subscriptions ------------------------------------------------------------------------------------------------

    async def subscribe_app(self, subscription: AppSubscription) -> None:
        """Verify the callback, then store it; earlier fields of the same object stay (graph-platform 7.2).

        Raises `CallbackUnverified`, and `InvalidValue` for more fields than there are; the old subscription then stays as it was.
        """
        await self._verifier.verify(subscription.callback_url, subscription.verify_token)

        def work(tx: Transaction) -> None:
            old = tx.app_subscription(subscription.app_id, subscription.object)
            fields = tuple(dict.fromkeys((*(old.fields if old else ()), *subscription.fields)))
            if len(fields) > MAX_SUBSCRIBED_FIELDS:
                raise InvalidValue("fields")
            tx.put_app_subscription(replace(subscription, fields=fields, is_active=True))
            tx.forget_failures(subscription.app_id, subscription.object)

        await self._store.write(work)
        self._tell_courier()

    async def app_subscriptions(self, app_id: AppId) -> list[AppSubscription]:
        """Every object that the app is subscribed to."""
        return await self._store.read(lambda tx: tx.app_subscriptions(app_id))

    async def unsubscribe_app(self, app_id: AppId, object_: str | None, fields: tuple[str, ...]) -> None:
        """Drop `fields` of `object_`; all fields if empty, all objects if `None`."""

        def work(tx: Transaction) -> None:
            for old in tx.app_subscriptions(app_id):
                if object_ is not None and old.object != object_:
                    continue
                left = tuple(name for name in old.fields if name not in fields) if fields else ()
                if left:
                    tx.put_app_subscription(replace(old, fields=left))
                else:
                    tx.delete_app_subscription(app_id, old.object)
                    tx.forget_failures(app_id, old.object)

        await self._store.write(work)
        self._tell_courier()

    def _tell_courier(self) -> None:
        if self._courier is not None:
            self._courier.wake()

    async def subscribe_page(self, subscription: PageSubscription) -> None:
        """Replace the app's fields on the Page."""
        await self._store.write(lambda tx: tx.put_page_subscription(subscription))

    async def page_subscription(self, app_id: AppId, page_id: PageId) -> PageSubscription | None:
        """The app's fields on the Page, if any."""
        return await self._store.read(lambda tx: tx.page_subscription(app_id, page_id))

    async def unsubscribe_page(self, app_id: AppId, page_id: PageId) -> None:
        """Drop the app's fields on the Page."""
        await self._store.write(lambda tx: tx.delete_page_subscription(app_id, page_id))


def _as_vouched(tx: Transaction, voucher: Voucher) -> DeviceIdentity | None:
    """The device, if all that is stored of it and of its person is as the voucher says."""
    token = tx.consumer_token(device_digest(voucher.device_name))
    consumer = tx.consumer(voucher.page_id, voucher.psid)
    if token is None or token.is_revoked or token.expires_at != voucher.expires_at:
        return None
    if consumer is None or voucher.name not in (None, consumer.name):
        return None
    return _identity(token, consumer)


def _take_in(tx: Transaction, voucher: Voucher, device: DeviceId, now: float) -> DeviceIdentity | None:
    if tx.page(voucher.page_id) is None:
        return None
    owner = (voucher.psid, voucher.page_id)
    fresh = ConsumerToken(device_digest(voucher.device_name), *owner, device, voucher.expires_at, now)
    token = tx.consumer_token(fresh.digest) or fresh
    if token.is_revoked:
        if voucher.expires_at > token.expires_at:
            # The row is kept for as long as any token of the device that was seen, or that token would come to life without it.
            tx.put_consumer_token(replace(token, expires_at=voucher.expires_at))
        return None
    known = tx.consumer(voucher.page_id, voucher.psid)
    consumer = known or Consumer(*owner, voucher.platform, voucher.name or "Consumer", now)
    consumer = replace(consumer, name=voucher.name or consumer.name)
    if consumer != known:
        tx.put_consumer(consumer)
    tx.put_consumer_token(replace(token, expires_at=voucher.expires_at))
    return _identity(token, consumer)


def _identity(token: ConsumerToken, consumer: Consumer) -> DeviceIdentity:
    return DeviceIdentity(token.device_id, token.psid, token.page_id, consumer.platform, consumer.name)
