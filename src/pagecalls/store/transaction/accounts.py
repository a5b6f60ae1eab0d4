"""Apps, Pages, tokens and subscriptions on SQLite."""

from __future__ import annotations

from pagecalls.store.base.accounts import App, AppSubscription, Page, PageSubscription, Token, TokenKind
from pagecalls.store.codec import names_of, names_text
from pagecalls.store.transaction.base import Rows
from pagecalls.types import AppId, PageId


class SqliteAccounts(Rows):
    """Implements `base.accounts.AccountRows`."""

    def meta(self, key: str) -> str | None:
        """The value stored under `key`."""
        row = self._run("meta", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put_meta(self, key: str, value: str) -> None:
        """Insert or replace."""
        self._run("put_meta", (key, value))

    def app(self, app_id: AppId) -> App | None:
        """The app, if it exists."""
        row = self._run("app", (app_id,)).fetchone()
        return None if row is None else _app(*row)

    def apps(self) -> list[App]:
        """Every app, in order of id."""
        return [_app(*row) for row in self._run("apps")]

    def put_app(self, app: App) -> None:
        """Insert or replace."""
        self._run("put_app", (app.id, app.name, app.secret, app.default_version, int(app.require_proof)))

    def page(self, page_id: PageId) -> Page | None:
        """The Page, if it exists."""
        row = self._run("page", (page_id,)).fetchone()
        return None if row is None else Page(row[0], row[1], bool(row[2]))

    def put_page(self, page: Page) -> None:
        """Insert or replace."""
        self._run("put_page", (page.id, page.name, int(page.is_calling_eligible)))

    def token(self, digest: str) -> Token | None:
        """The access token, if it was ever given out."""
        row = self._run("token", (digest,)).fetchone()
        if row is None:
            return None
        digest, kind, app_id, page_id, scopes, expires_at, is_revoked = row
        return Token(digest, TokenKind(kind), app_id, page_id, frozenset(names_of(scopes)), expires_at, bool(is_revoked))

    def put_token(self, token: Token) -> None:
        """Insert or replace."""
        scopes = names_text(sorted(token.scopes))
        owner = (token.digest, token.kind.value, token.app_id, token.page_id)
        self._run("put_token", (*owner, scopes, token.expires_at, int(token.is_revoked)))

    def app_subscriptions(self, app_id: AppId) -> list[AppSubscription]:
        """The app's subscriptions, in order of object."""
        rows = self._run("app_subscriptions", (app_id,))
        return [_app_subscription(*row) for row in rows]

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


def _app(app_id: AppId, name: str, secret: str, default_version: str, require_proof: int) -> App:
    return App(app_id, name, secret, default_version, bool(require_proof))


def _app_subscription(
    app_id: AppId, object_: str, callback_url: str, verify_token: str, fields: str, is_active: int
) -> AppSubscription:
    return AppSubscription(app_id, object_, callback_url, verify_token, names_of(fields), bool(is_active))
