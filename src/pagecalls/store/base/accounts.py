"""Apps, Pages, tokens and webhook subscriptions, as they are kept.

Secrets of apps are kept as they are, because webhooks are signed with them; tokens are kept as SHA-256 digests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pagecalls.errors import TokenFault
from pagecalls.types import AppId, PageId, UserId

HANDLE_CHARS = 16
"""So many hex characters of a token's digest name it in lists: enough to be alone, useless to somebody who wants in."""


@dataclass(frozen=True, slots=True)
class App:
    """An integration. `secret` signs its webhooks and proves its requests; it stays out of `repr`. `created_at`: Unix seconds."""

    id: AppId
    name: str
    secret: str = field(repr=False)
    default_version: str = "v26.0"
    require_proof: bool = False
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Page:
    """A Page. `is_calling_eligible`: messenger-calling 8.5. Without `may_call_consumers` only consumers call. `created_at`: Unix
    seconds."""

    id: PageId
    name: str
    is_calling_eligible: bool = True
    may_call_consumers: bool = True
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class User:
    """Whom a user's or system user's token stands for."""

    id: UserId
    name: str
    created_at: float = 0.0


class TokenKind(StrEnum):
    """graph-platform 2.2."""

    PAGE = "page"
    APP = "app"
    USER = "user"
    SYSTEM_USER = "system_user"


@dataclass(frozen=True, slots=True)
class Token:
    """An access token by its digest (SHA-256 hex of its text). `issued_at`, `expires_at`: Unix seconds, `None` never.

    `fault`: why it is no longer good, whatever its time; `None` while it is. `seed`: what its text is made from again, with a key
    that is not stored; `None` for a text that chance made.
    """

    digest: str
    kind: TokenKind
    app_id: AppId
    page_id: PageId | None
    scopes: frozenset[str]
    expires_at: float | None = None
    fault: TokenFault | None = None
    user_id: UserId | None = None
    issued_at: float = 0.0
    seed: str | None = field(default=None, repr=False)

    @property
    def handle(self) -> str:
        """Its public name."""
        return self.digest[:HANDLE_CHARS]


@dataclass(frozen=True, slots=True)
class TokenFilter:
    """Which tokens a list holds: those that have all that is named here."""

    app_id: AppId | None = None
    page_id: PageId | None = None
    user_id: UserId | None = None
    kind: TokenKind | None = None


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

    def app(self, app_id: AppId) -> App | None:
        """The app, if it exists."""
        ...

    def apps(self, after: str, limit: int) -> list[App]:
        """Up to `limit` apps whose id stands after `after` as text, in that order."""
        ...

    def put_app(self, app: App) -> None:
        """Insert or replace."""
        ...

    def delete_app(self, app_id: AppId) -> None:
        """Delete it with its tokens, its subscriptions and its webhooks, delivered or not; nothing happens if there is none."""
        ...

    def owed_webhooks(self, app_id: AppId) -> int:
        """How many webhooks still have to be delivered to the app."""
        ...

    def forget_app_webhooks(self, app_id: AppId, owed_too: bool, limit: int) -> int:
        """Delete at most `limit` of the app's webhooks that are done with, or of all with `owed_too`, oldest first. How many."""
        ...

    def owed_page_webhooks(self, page_id: PageId) -> int:
        """How many webhooks of the Page's calls still have to be delivered."""
        ...

    def page(self, page_id: PageId) -> Page | None:
        """The Page, if it exists."""
        ...

    def pages(self, after: str, limit: int) -> list[Page]:
        """Up to `limit` Pages whose id stands after `after` as text, in that order."""
        ...

    def put_page(self, page: Page) -> None:
        """Insert or replace."""
        ...

    def delete_page(self, page_id: PageId) -> None:
        """Delete it with its tokens, subscriptions and settings. Its consumers must have been erased before."""
        ...

    def user(self, user_id: UserId) -> User | None:
        """The user, if there is one."""
        ...

    def users(self, after: str, limit: int) -> list[User]:
        """Up to `limit` users whose id stands after `after` as text, in that order."""
        ...

    def put_user(self, user: User) -> None:
        """Insert or replace."""
        ...

    def delete_user(self, user_id: UserId) -> None:
        """Delete it with its tokens; nothing happens if there is none."""
        ...

    def token(self, digest: str) -> Token | None:
        """The access token, if it was ever given out."""
        ...

    def token_by_handle(self, handle: str) -> Token | None:
        """The access token whose digest begins with `handle`, which is lower-case hex."""
        ...

    def tokens(self, which: TokenFilter, after: str, limit: int) -> list[Token]:
        """Up to `limit` of the tokens whose digest stands after `after`, in that order."""
        ...

    def made_tokens(self, user_id: UserId, app_id: AppId, expires_at: float | None) -> list[Token]:
        """The user's tokens of the app that have a seed and this end, good or not, in order of digest."""
        ...

    def put_token(self, token: Token) -> None:
        """Insert or replace."""
        ...

    def delete_token(self, digest: str) -> None:
        """Delete; nothing happens if there is none."""
        ...

    def app_subscriptions(self, app_id: AppId) -> list[AppSubscription]:
        """The app's subscriptions, in order of object."""
        ...

    def app_subscription(self, app_id: AppId, object_: str) -> AppSubscription | None:
        """The app's subscription to one object, active or not."""
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
