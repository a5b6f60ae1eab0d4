"""The store port: what is kept, and the one unit of work.

A unit of work is a plain function over a `Transaction`. It runs whole or not at all; `Store.write` returns its result only after
the commit is durable, so memory is never ahead of the disk. Reads run on the last committed state.

Secrets of apps are kept as they are, because webhooks are signed with them; tokens are kept as SHA-256 digests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

from pagecalls.call.model import Call
from pagecalls.types import AppId, CallId, DeviceId, Direction, PageId, Platform, Psid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class App:
    """An integration. `secret` signs its webhooks and proves its requests; it stays out of `repr`."""

    id: AppId
    name: str
    secret: str = field(repr=False)
    default_version: str = "v26.0"
    require_proof: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A Page. `is_calling_eligible` is the one flag of messenger-calling 8.5."""

    id: PageId
    name: str
    is_calling_eligible: bool = True


class TokenKind(StrEnum):
    """graph-platform 2.2."""

    PAGE = "page"
    APP = "app"
    USER = "user"
    SYSTEM_USER = "system_user"


@dataclass(frozen=True, slots=True)
class Token:
    """An access token by its digest (SHA-256 hex of its text). `expires_at` Unix seconds, `None` never."""

    digest: str
    kind: TokenKind
    app_id: AppId
    page_id: PageId | None
    scopes: frozenset[str]
    expires_at: float | None = None
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class AppSubscription:
    """One object's webhook subscription of an app (graph-platform 7.2)."""

    app_id: AppId
    object: str
    callback_url: str
    verify_token: str = field(repr=False)
    fields: tuple[str, ...] = ()
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class PageSubscription:
    """An app's fields on one Page (graph-platform 7.4)."""

    app_id: AppId
    page_id: PageId
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Consumer:
    """A person as one Page knows them."""

    psid: Psid
    page_id: PageId
    platform: Platform
    name: str


@dataclass(frozen=True, slots=True)
class ConsumerToken:
    """A consumer's token by its digest; it is also the identity of one device."""

    digest: str
    psid: Psid
    page_id: PageId
    device_id: DeviceId
    expires_at: float


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call with its media facts.

    `media` is the switchboard's own JSON (legs, connections, stored replies); the store keeps it whole.
    """

    call: Call
    media: bytes = b"{}"


class Hold(StrEnum):
    """Where an outbox row stands."""

    HELD = "held"
    """Written, but its cause's response is not out yet (ruling 18)."""
    READY = "ready"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    """Given up after its schedule, or stale (ruling 9)."""


class WebhookKind(StrEnum):
    """The events of messenger-calling 7 that this server sends."""

    CONNECT = "connect"
    CALL_STATUS = "call_status"
    MEDIA_UPDATE = "media_update"
    TERMINATE = "terminate"


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One webhook for one app. `body` holds the exact bytes of every attempt; `object` finds the app's callback URL.

    `id` is 0 until the row is stored; ids grow in the order of writing. `next_at`: Unix seconds of the next attempt.
    """

    event_id: str
    app_id: AppId
    object: str
    call_id: CallId | None
    kind: WebhookKind
    body: bytes
    created_at: float
    hold: Hold
    next_at: float
    attempts: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class OutboxKey:
    """Where a due outbox row belongs, without its bytes."""

    id: int
    app_id: AppId
    call_id: CallId | None
    attempts: int


class LiveCallExists(Exception):
    """The consumer and the Page already have a live call (the partial unique index has the last word)."""


class Transaction(Protocol):
    """One unit of work. Every method is synchronous and runs on the store's own thread."""

    # metadata
    def meta(self, key: str) -> str | None:
        """The value stored under `key`."""
        ...

    def put_meta(self, key: str, value: str) -> None:
        """Insert or replace."""
        ...

    # apps, Pages, tokens
    def app(self, app_id: AppId) -> App | None:
        """The app, if it exists."""
        ...

    def apps(self) -> list[App]:
        """Every app, in order of id."""
        ...

    def put_app(self, app: App) -> None:
        """Insert or replace."""
        ...

    def page(self, page_id: PageId) -> Page | None:
        """The Page, if it exists."""
        ...

    def put_page(self, page: Page) -> None:
        """Insert or replace."""
        ...

    def token(self, digest: str) -> Token | None:
        """The access token, if it was ever given out."""
        ...

    def put_token(self, token: Token) -> None:
        """Insert or replace."""
        ...

    # subscriptions
    def app_subscriptions(self, app_id: AppId) -> list[AppSubscription]:
        """The app's subscriptions, in order of object."""
        ...

    def put_app_subscription(self, subscription: AppSubscription) -> None:
        """Insert, or replace the app's subscription to the same object."""
        ...

    def delete_app_subscription(self, app_id: AppId, object_: str) -> None:
        """Delete; nothing happens if there is none."""
        ...

    def page_subscription(self, app_id: AppId, page_id: PageId) -> PageSubscription | None:
        """The app's fields on the Page."""
        ...

    def put_page_subscription(self, subscription: PageSubscription) -> None:
        """Insert or replace."""
        ...

    def delete_page_subscription(self, app_id: AppId, page_id: PageId) -> None:
        """Delete; nothing happens if there is none."""
        ...

    def subscribers(self, page_id: PageId, object_: str, field_: str) -> list[AppId]:
        """Apps that have `field_` on the Page and, in an active subscription to `object_`, at app level (graph-platform 7.1)."""
        ...

    def has_page_subscriber(self, page_id: PageId, field_: str) -> bool:
        """Whether any app has `field_` on the Page, whatever stands at app level (the derived ring target, ruling 13)."""
        ...

    # consumers
    def consumer(self, page_id: PageId, psid: Psid) -> Consumer | None:
        """The person, if the Page knows them."""
        ...

    def put_consumer(self, consumer: Consumer) -> None:
        """Insert or replace."""
        ...

    def consumer_token(self, digest: str) -> ConsumerToken | None:
        """The consumer's token, if it was ever given out."""
        ...

    def put_consumer_token(self, token: ConsumerToken) -> None:
        """Insert or replace."""
        ...

    def permission(self, page_id: PageId, psid: Psid) -> float | None:
        """When the call permission expires, Unix seconds; `None` if there never was one."""
        ...

    def put_permission(self, page_id: PageId, psid: Psid, expires_at: float) -> None:
        """Insert or replace."""
        ...

    # calls
    def call(self, call_id: CallId) -> CallRecord | None:
        """The call, live or ended."""
        ...

    def put_call(self, record: CallRecord) -> None:
        """Insert or replace. Raises `LiveCallExists`."""
        ...

    def live_call(self, page_id: PageId, psid: Psid) -> CallRecord | None:
        """The consumer's live call with the Page; there is at most one."""
        ...

    def live_calls(self) -> list[CallRecord]:
        """Every live call, in order of creation."""
        ...

    def calls_begun(self, page_id: PageId, psid: Psid, direction: Direction, since: float) -> int:
        """How many calls between the two began after `since`, in that direction, live or over."""
        ...

    def calls_due(self, now: float) -> list[CallId]:
        """Live calls with a deadline at or before `now`, earliest first."""
        ...

    def next_deadline(self) -> float | None:
        """The earliest deadline of any live call, Unix seconds."""
        ...

    # outbox
    def add_outbox(self, rows: Iterable[OutboxRow]) -> list[int]:
        """Store rows in order; the ids given to them."""
        ...

    def release_outbox(self, ids: Sequence[int], now: float) -> None:
        """HELD rows among `ids` become READY, due at `now`."""
        ...

    def release_all_outbox(self, now: float) -> int:
        """Recovery at start: every HELD row becomes READY (ruling 18). The number released."""
        ...

    def pending_outbox(self) -> list[OutboxRow]:
        """READY rows in order of id."""
        ...

    def due_outbox(self, now: float, per_app: int) -> list[OutboxKey]:
        """READY rows due at or before `now`: of each app, at most `per_app` never tried, in order of id, then as many retries.

        A row never tried stays out while an earlier row of its app and call is HELD, so first attempts keep the order of writing.
        """
        ...

    def next_outbox_at(self, now: float) -> float | None:
        """When the next READY row is due after `now`, Unix seconds."""
        ...

    def outbox_row(self, row_id: int) -> OutboxRow | None:
        """One row, whatever its hold."""
        ...

    def is_untried(self, call_id: CallId, kind: WebhookKind) -> bool:
        """Whether the call has a HELD or READY row of this kind for which no attempt has come to an end."""
        ...

    def outbox_delivered(self, row_id: int, now: float) -> None:
        """The receiver acknowledged; the attempt that did it is counted."""
        ...

    def outbox_failed(self, row_id: int, attempts: int, next_at: float | None) -> None:
        """Note a failed attempt; `next_at` `None` gives the row up."""
        ...

    def drop_stale_outbox(self, call_id: CallId) -> None:
        """HELD or READY rows of the call that were tried at least once and are not `terminate` are DROPPED (ruling 9)."""
        ...


class Store(Protocol):
    """A durable store. One implementation today (`sqlite.py`), on a file or on `:memory:`."""

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` whole or not at all; its result after the commit is durable. Whatever `work` raises is raised here."""
        ...

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which must not write, on the committed state."""
        ...

    async def close(self) -> None:
        """Finish what is queued, then close. May be called again."""
        ...
