"""Apps, Pages, users, tokens and subscriptions as plain dictionaries, for the store's oracle."""

from __future__ import annotations

from pagecalls.store.base import (
    App,
    AppSubscription,
    Hold,
    OutboxRow,
    Page,
    PageSubscription,
    Token,
    TokenFilter,
    User,
)
from pagecalls.types import AppId, PageId, UserId
from tests.contract.model_settings import ModelSettings


class ModelAccounts(ModelSettings):
    rows: dict[int, OutboxRow]

    def __init__(self) -> None:
        super().__init__()
        self.app_by_id: dict[AppId, App] = {}
        self.page_by_id: dict[PageId, Page] = {}
        self.user_by_id: dict[UserId, User] = {}
        self.tokens_by_digest: dict[str, Token] = {}
        self.app_subs: dict[tuple[AppId, str], AppSubscription] = {}
        self.page_subs: dict[tuple[AppId, PageId], PageSubscription] = {}

    def app(self, app_id: AppId) -> App | None:
        return self.app_by_id.get(app_id)

    def apps(self, after: str, limit: int) -> list[App]:
        return [self.app_by_id[key] for key in sorted(self.app_by_id) if key > after][:limit]

    def put_app(self, app: App) -> None:
        self.app_by_id[app.id] = app

    def delete_app(self, app_id: AppId) -> None:
        self.tokens_by_digest = {key: each for key, each in self.tokens_by_digest.items() if each.app_id != app_id}
        self.app_subs = {key: each for key, each in self.app_subs.items() if key[0] != app_id}
        self.page_subs = {key: each for key, each in self.page_subs.items() if key[0] != app_id}
        self.rows = {key: each for key, each in self.rows.items() if each.app_id != app_id}
        self.app_by_id.pop(app_id, None)

    def owed_webhooks(self, app_id: AppId) -> int:
        rows = [row for row in self.rows.values() if row.app_id == app_id]
        return len([row for row in rows if row.hold in (Hold.HELD, Hold.READY)])

    def forget_app_webhooks(self, app_id: AppId, owed_too: bool, limit: int) -> int:
        rows = [key for key, row in sorted(self.rows.items()) if row.app_id == app_id]
        gone = [key for key in rows if owed_too or self.rows[key].settled_at is not None][:limit]
        for key in gone:
            del self.rows[key]
        return len(gone)

    def page(self, page_id: PageId) -> Page | None:
        return self.page_by_id.get(page_id)

    def pages(self, after: str, limit: int) -> list[Page]:
        return [self.page_by_id[key] for key in sorted(self.page_by_id) if key > after][:limit]

    def put_page(self, page: Page) -> None:
        self.page_by_id[page.id] = page

    def delete_page(self, page_id: PageId) -> None:
        self.tokens_by_digest = {key: each for key, each in self.tokens_by_digest.items() if each.page_id != page_id}
        self.page_subs = {key: each for key, each in self.page_subs.items() if key[1] != page_id}
        self.settings.pop(page_id, None)
        self.page_by_id.pop(page_id, None)

    def user(self, user_id: UserId) -> User | None:
        return self.user_by_id.get(user_id)

    def users(self, after: str, limit: int) -> list[User]:
        return [self.user_by_id[key] for key in sorted(self.user_by_id) if key > after][:limit]

    def put_user(self, user: User) -> None:
        self.user_by_id[user.id] = user

    def delete_user(self, user_id: UserId) -> None:
        self.tokens_by_digest = {key: each for key, each in self.tokens_by_digest.items() if each.user_id != user_id}
        self.user_by_id.pop(user_id, None)

    def token(self, digest: str) -> Token | None:
        return self.tokens_by_digest.get(digest)

    def token_by_handle(self, handle: str) -> Token | None:
        return next((each for each in self.tokens_by_digest.values() if each.digest.startswith(handle)), None)

    def tokens(self, which: TokenFilter, after: str, limit: int) -> list[Token]:
        found = [self.tokens_by_digest[key] for key in sorted(self.tokens_by_digest) if key > after]
        return [each for each in found if _fits(each, which)][:limit]

    def made_tokens(self, user_id: UserId, app_id: AppId, expires_at: float | None) -> list[Token]:
        found = self.tokens(TokenFilter(app_id=app_id, user_id=user_id), "", len(self.tokens_by_digest))
        return [each for each in found if each.seed is not None and each.expires_at == expires_at]

    def delete_token(self, digest: str) -> None:
        self.tokens_by_digest.pop(digest, None)

    def put_token(self, token: Token) -> None:
        self.tokens_by_digest[token.digest] = token

    def app_subscriptions(self, app_id: AppId) -> list[AppSubscription]:
        return [self.app_subs[key] for key in sorted(self.app_subs) if key[0] == app_id]

    def app_subscription(self, app_id: AppId, object_: str) -> AppSubscription | None:
        return self.app_subs.get((app_id, object_))

    def put_app_subscription(self, subscription: AppSubscription) -> None:
        self.app_subs[subscription.app_id, subscription.object] = subscription

    def delete_app_subscription(self, app_id: AppId, object_: str) -> None:
        self.app_subs.pop((app_id, object_), None)

    def page_subscription(self, app_id: AppId, page_id: PageId) -> PageSubscription | None:
        return self.page_subs.get((app_id, page_id))

    def put_page_subscription(self, subscription: PageSubscription) -> None:
        self.page_subs[subscription.app_id, subscription.page_id] = subscription

    def delete_page_subscription(self, app_id: AppId, page_id: PageId) -> None:
        self.page_subs.pop((app_id, page_id), None)

    def subscribers(self, page_id: PageId, object_: str, field_: str) -> list[AppId]:
        on_page = {sub.app_id for sub in self.page_subs.values() if sub.page_id == page_id and field_ in sub.fields}
        at_app = {
            sub.app_id for sub in self.app_subs.values() if sub.object == object_ and sub.is_active and field_ in sub.fields
        }
        return sorted(on_page & at_app)

    def has_page_subscriber(self, page_id: PageId, field_: str) -> bool:
        return any(sub.page_id == page_id and field_ in sub.fields for sub in self.page_subs.values())


def _fits(token: Token, which: TokenFilter) -> bool:
    pairs = (
        (which.app_id, token.app_id),
        (which.page_id, token.page_id),
        (which.user_id, token.user_id),
        (which.kind, token.kind),
    )
    return all(wanted in (None, has) for wanted, has in pairs)
