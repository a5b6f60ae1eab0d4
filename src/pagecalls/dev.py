"""The development identities: one app, one Page, their tokens and one consumer, so that a first call needs no set-up.

Identifiers are the same on every machine; secrets and tokens are random per data directory, unless a seed fixes them (design: 6).
They live in `dev.json` (0600) beside the database, because the database keeps digests only.
"""

from __future__ import annotations

import random
import secrets
from pathlib import Path

import msgspec

from pagecalls.operator_file import write_facts
from pagecalls.store.base import (
    App,
    AppSubscription,
    Consumer,
    ConsumerToken,
    Page,
    PageSubscription,
    Store,
    Token,
    TokenKind,
    Transaction,
)
from pagecalls.switchboard.credentials import digest
from pagecalls.switchboard.directory import PAGE_SCOPES
from pagecalls.types import AppId, DeviceId, PageId, Platform, Psid

DEV_FILE = "dev.json"
APP_ID = AppId("314159265358979")
PAGE_ID = PageId("271828182845904")
PSID = Psid("1618033988749894")
APP_NAME = "Development app"
PAGE_NAME = "Development Page"
CONSUMER_NAME = "Development consumer"
DEVICE_ID = DeviceId("development")
FIELDS = ("calls", "call_permission_reply", "call_settings_update")
FOREVER_S = 10 * 365 * 24 * 3600.0


class DevApp(msgspec.Struct, frozen=True):
    """`app` of dev.json."""

    id: str
    secret: str


class DevPage(msgspec.Struct, frozen=True):
    """`page` of dev.json."""

    id: str
    name: str
    access_token: str


class DevConsumer(msgspec.Struct, frozen=True):
    """`consumer` of dev.json."""

    psid: str
    access_token: str


class DevMedia(msgspec.Struct, frozen=True):
    """`media` of dev.json: `address:port` of every UDP candidate and of the first TCP candidate; null where there is no TCP."""

    udp: list[str]
    tcp: str | None = None


class DevFile(msgspec.Struct, frozen=True):
    """What `pagecalls serve --json` prints and `dev.json` holds."""

    base_url: str
    app: DevApp
    page: DevPage
    verify_token: str
    admin_token: str
    consumer: DevConsumer
    media: DevMedia


def load_or_make(path: Path, seed: str | None, admin_token: str | None = None) -> DevFile:
    """The identities of a data directory; made on the first start. `base_url` and `media` are filled in by `publish`.

    `admin_token`: the operator's own choice; `None` keeps the one that is there.
    """
    try:
        identities = msgspec.json.decode(path.read_bytes(), type=DevFile)
    except (FileNotFoundError, msgspec.DecodeError):
        identities = _make(random.Random(seed) if seed is not None else secrets.SystemRandom())
    return identities if admin_token is None else msgspec.structs.replace(identities, admin_token=admin_token)


def _make(chance: random.Random) -> DevFile:
    return DevFile(
        base_url="",
        app=DevApp(APP_ID, _hex(chance, 16)),
        page=DevPage(PAGE_ID, PAGE_NAME, "EAA" + _hex(chance, 32)),
        verify_token=_hex(chance, 12),
        admin_token=_hex(chance, 24),
        consumer=DevConsumer(PSID, _hex(chance, 24)),
        media=DevMedia([]),
    )


def publish(path: Path, dev: DevFile, base_url: str, media: DevMedia) -> DevFile:
    """Write `dev.json` (0600) with the addresses of this start."""
    dev = msgspec.structs.replace(dev, base_url=base_url, media=media)
    write_facts(path, dev)
    return dev


async def register(store: Store, dev: DevFile, now: float, webhook: str | None) -> DevFile:
    """Make the store know the identities; with `webhook`, subscribe the app to it at both levels.

    What is there already stays as its operator has changed it; the identities as they stand come back.
    """

    def work(tx: Transaction) -> DevFile:
        app = tx.app(APP_ID)
        if app is None:
            app = App(APP_ID, APP_NAME, dev.app.secret, created_at=now)
            tx.put_app(app)
        if tx.page(PAGE_ID) is None:
            tx.put_page(Page(PAGE_ID, PAGE_NAME, created_at=now))
        token = Token(digest(dev.page.access_token), TokenKind.PAGE, APP_ID, PAGE_ID, PAGE_SCOPES, issued_at=now)
        if tx.token(token.digest) is None:
            tx.put_token(token)
        if tx.consumer(PAGE_ID, PSID) is None:
            tx.put_consumer(Consumer(PSID, PAGE_ID, Platform.MESSENGER, CONSUMER_NAME, now))
        device = ConsumerToken(digest(dev.consumer.access_token), PSID, PAGE_ID, DEVICE_ID, now + FOREVER_S, now)
        if tx.consumer_token(device.digest) is None:
            tx.put_consumer_token(device)
        if webhook is not None:
            for known in tx.app_subscriptions(APP_ID):
                if not known.is_active:  # naming the callback switches it on again, as a subscription over HTTP does
                    tx.forget_failures(APP_ID, known.object)
            for object_ in ("page", "instagram"):
                tx.put_app_subscription(AppSubscription(APP_ID, object_, webhook, dev.verify_token, FIELDS))
            tx.put_page_subscription(PageSubscription(APP_ID, PAGE_ID, FIELDS))
        return msgspec.structs.replace(dev, app=DevApp(app.id, app.secret))

    return await store.write(work)


def _hex(chance: random.Random, size: int) -> str:
    return chance.getrandbits(8 * size).to_bytes(size, "big").hex()
