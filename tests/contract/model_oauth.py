"""Authorization codes and users' Pages as plain dictionaries, for the store's oracle."""

from __future__ import annotations

from pagecalls.store.base import OAuthCode, UserPage
from pagecalls.types import AppId, PageId, UserId
from tests.contract.model_accounts import ModelAccounts


class ModelOAuth(ModelAccounts):
    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, OAuthCode] = {}
        self.reach: dict[tuple[UserId, PageId], UserPage] = {}

    def oauth_code(self, digest: str) -> OAuthCode | None:
        return self.codes.get(digest)

    def put_oauth_code(self, code: OAuthCode) -> None:
        self.codes[code.digest] = code

    def forget_oauth_codes(self, before: float) -> None:
        self.codes = {key: each for key, each in self.codes.items() if each.expires_at >= before}

    def user_page(self, user_id: UserId, page_id: PageId) -> UserPage | None:
        return self.reach.get((user_id, page_id))

    def user_pages(self, user_id: UserId) -> list[UserPage]:
        return [self.reach[key] for key in sorted(self.reach) if key[0] == user_id]

    def put_user_page(self, user_page: UserPage) -> None:
        self.reach[user_page.user_id, user_page.page_id] = user_page

    def delete_user_page(self, user_id: UserId, page_id: PageId) -> None:
        self.reach.pop((user_id, page_id), None)

    def delete_app(self, app_id: AppId) -> None:
        super().delete_app(app_id)
        self.codes = {key: each for key, each in self.codes.items() if each.app_id != app_id}

    def delete_page(self, page_id: PageId) -> None:
        super().delete_page(page_id)
        self.reach = {key: each for key, each in self.reach.items() if key[1] != page_id}

    def delete_user(self, user_id: UserId) -> None:
        super().delete_user(user_id)
        self.codes = {key: each for key, each in self.codes.items() if each.user_id != user_id}
        self.reach = {key: each for key, each in self.reach.items() if key[0] != user_id}
