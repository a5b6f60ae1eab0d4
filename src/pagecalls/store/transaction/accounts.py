"""Apps, Pages, tokens and subscriptions on SQLite."""

from __future__ import annotations

from pagecalls.errors import TokenFault
from pagecalls.store.base.accounts import App, AppSubscription, Page, PageSubscription, Token, TokenFilter, TokenKind, User
from pagecalls.store.codec import Column, names_of, names_text
from pagecalls.store.transaction.base import Rows
from pagecalls.types import AppId, PageId, UserId


class SqliteAccounts(Rows):
    """Implements `base.accounts.AccountRows`."""

    def app(self, app_id: AppId) -> App | None:
        """The app, if it exists."""
        row = self._run("app", (app_id,)).fetchone()
        return None if row is None else _app(*row)

    def apps(self, after: str, limit: int) -> list[App]:
        """Up to `limit` apps after the id `after`."""
        return [_app(*row) for row in self._run("apps", (after, limit))]

    def put_app(self, app: App) -> None:
        """Insert or replace."""
        self._run("put_app", (app.id, app.name, app.secret, app.default_version, int(app.require_proof), app.created_at))

    def delete_app(self, app_id: AppId) -> None:
        """Delete it with what hangs on it."""
        for name in ("delete_app_tokens", "delete_app_subscriptions", "delete_app_page_subscriptions", "delete_app_outbox"):
            self._run(name, (app_id,))
        self._run("delete_app", (app_id,))

    def owed_webhooks(self, app_id: AppId) -> int:
        """How many webhooks still have to be delivered to the app."""
        (count,) = self._run("owed_webhooks", {"app_id": app_id}).fetchone()
        return int(count)

    def forget_app_webhooks(self, app_id: AppId, owed_too: bool, limit: int) -> int:
        """Delete at most `limit` of the app's webhooks, the oldest first. How many."""
        return self._run("forget_app_webhooks", {"app_id": app_id, "owed_too": int(owed_too), "limit": limit}).rowcount

    def owed_page_webhooks(self, page_id: PageId) -> int:
        """How many webhooks of the Page's calls still have to be delivered."""
        (count,) = self._run("owed_page_webhooks", (page_id,)).fetchone()
        return int(count)

    def page(self, page_id: PageId) -> Page | None:
        """The Page, if it exists."""
        row = self._run("page", (page_id,)).fetchone()
        return None if row is None else _page(*row)

    def pages(self, after: str, limit: int) -> list[Page]:
        """Up to `limit` Pages after the id `after`."""
        return [_page(*row) for row in self._run("pages", (after, limit))]

    def put_page(self, page: Page) -> None:
        """Insert or replace."""
        flags = (int(page.is_calling_eligible), int(page.may_call_consumers))
        self._run("put_page", (page.id, page.name, *flags, page.created_at))

    def delete_page(self, page_id: PageId) -> None:
        """Delete it with what hangs on it."""
        for name in ("delete_page_tokens", "delete_page_subscriptions", "delete_page_settings", "delete_page"):
            self._run(name, (page_id,))

    def user(self, user_id: UserId) -> User | None:
        """The user, if there is one."""
        row = self._run("user", (user_id,)).fetchone()
        return None if row is None else User(*row)

    def users(self, after: str, limit: int) -> list[User]:
        """Up to `limit` users after the id `after`."""
        return [User(*row) for row in self._run("users", (after, limit))]

    def put_user(self, user: User) -> None:
        """Insert or replace."""
        self._run("put_user", (user.id, user.name, user.created_at))

    def delete_user(self, user_id: UserId) -> None:
        """Delete it with its tokens."""
        for name in ("delete_user_tokens", "delete_user"):
            self._run(name, (user_id,))

    def token(self, digest: str) -> Token | None:
        """The access token, if it was ever given out."""
        row = self._run("token", (digest,)).fetchone()
        return None if row is None else _token(*row)

    def token_by_handle(self, handle: str) -> Token | None:
        """The access token whose digest begins with `handle`."""
        row = self._run("token_by_handle", {"handle": handle}).fetchone()
        return None if row is None else _token(*row)

    def tokens(self, which: TokenFilter, after: str, limit: int) -> list[Token]:
        """Up to `limit` of the tokens after the digest `after`."""
        owners: dict[str, Column] = {"app_id": which.app_id, "page_id": which.page_id, "user_id": which.user_id}
        kind = None if which.kind is None else which.kind.value
        rows = self._run("tokens", {**owners, "kind": kind, "after": after, "limit": limit})
        return [_token(*row) for row in rows]

    def made_tokens(self, user_id: UserId, app_id: AppId, expires_at: float | None) -> list[Token]:
        """The user's tokens of the app that have a seed and this end."""
        return [_token(*row) for row in self._run("made_tokens", (user_id, app_id, expires_at))]

    def put_token(self, token: Token) -> None:
        """Insert or replace."""
        scopes = names_text(sorted(token.scopes))
        owner = (token.digest, token.kind.value, token.app_id, token.page_id)
        fault = None if token.fault is None else token.fault.value
        self._run("put_token", (*owner, scopes, token.expires_at, fault, token.user_id, token.issued_at, token.seed))

    def delete_token(self, digest: str) -> None:
        """Delete; nothing happens if there is none."""
        self._run("delete_token", (digest,))

    def app_subscriptions(self, app_id: AppId) -> list[AppSubscription]:
        """The app's subscriptions, in order of object."""
        rows = self._run("app_subscriptions", (app_id,))
        return [_app_subscription(*row) for row in rows]

    def app_subscription(self, app_id: AppId, object_: str) -> AppSubscription | None:
        """The app's subscription to one object, active or not."""
        row = self._run("app_subscription", (app_id, object_)).fetchone()
        return None if row is None else _app_subscription(*row)

    def put_app_subscription(self, subscription: AppSubscription) -> None:
        """Insert or replace the subscription to the same object."""
        target = (subscription.app_id, subscription.object, subscription.callback_url, subscription.verify_token)
        self._run("put_app_subscription", (*target, names_text(subscription.fields), int(subscription.is_active)))

    def delete_app_subscription(self, app_id: AppId, object_: str) -> None:
        """Delete; nothing happens if there is none."""
        self._run("delete_app_subscription", (app_id, object_))

    def page_subscription(self, app_id: AppId, page_id: PageId) -> PageSubscription | None:
        """The app's fields on the Page."""
        row = self._run("page_subscription", (app_id, page_id)).fetchone()
        return None if row is None else PageSubscription(row[0], row[1], names_of(row[2]))

    def put_page_subscription(self, subscription: PageSubscription) -> None:
        """Insert or replace."""
        self._run("put_page_subscription", (subscription.app_id, subscription.page_id, names_text(subscription.fields)))

    def delete_page_subscription(self, app_id: AppId, page_id: PageId) -> None:
        """Delete; nothing happens if there is none."""
        self._run("delete_page_subscription", (app_id, page_id))

    def subscribers(self, page_id: PageId, object_: str, field_: str) -> list[AppId]:
        """Apps with the field at both levels, in order of id (graph-platform 7.1)."""
        return [row[0] for row in self._run("subscribers", {"page_id": page_id, "object": object_, "field": field_})]

    def has_page_subscriber(self, page_id: PageId, field_: str) -> bool:
        """Whether any app has the field on the Page (ruling 13)."""
        return self._run("has_page_subscriber", {"page_id": page_id, "field": field_}).fetchone() is not None


def _app(app_id: AppId, name: str, secret: str, default_version: str, require_proof: int, created_at: float) -> App:
    return App(app_id, name, secret, default_version, bool(require_proof), created_at)


def _page(page_id: PageId, name: str, is_calling_eligible: int, may_call_consumers: int, created_at: float) -> Page:
    return Page(page_id, name, bool(is_calling_eligible), bool(may_call_consumers), created_at)


def _token(
    digest: str,
    kind: str,
    app_id: AppId,
    page_id: PageId | None,
    scopes: str,
    expires_at: float | None,
    fault: str | None,
    user_id: UserId | None,
    issued_at: float,
    seed: str | None,
) -> Token:
    why = None if fault is None else TokenFault(fault)
    named = frozenset(names_of(scopes))
    return Token(digest, TokenKind(kind), app_id, page_id, named, expires_at, why, user_id, issued_at, seed)


def _app_subscription(
    app_id: AppId, object_: str, callback_url: str, verify_token: str, fields: str, is_active: int
) -> AppSubscription:
    return AppSubscription(app_id, object_, callback_url, verify_token, names_of(fields), bool(is_active))
