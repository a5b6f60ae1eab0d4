"""Apps, Pages, tokens and webhook subscriptions, as they are kept.

Secrets of apps are kept as they are, because webhooks are signed with them; tokens are kept as SHA-256 digests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pagecalls.types import AppId, PageId


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


class AccountRows(Protocol):
    """What a unit of work does with accounts."""

    def meta(self, key: str) -> str | None:
        """The value stored under `key`."""
        ...

    def put_meta(self, key: str, value: str) -> None:
        """Insert or replace."""
        ...

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
