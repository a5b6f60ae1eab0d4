"""Authorization codes and users' Pages on SQLite."""

from __future__ import annotations

from pagecalls.store.base.oauth import OAuthCode, PageTask, UserPage
from pagecalls.store.codec import names_of, names_text
from pagecalls.store.transaction.base import Rows
from pagecalls.types import PageId, UserId


class SqliteOAuth(Rows):
    """Implements `base.oauth.OAuthRows`."""

    def oauth_code(self, digest: str) -> OAuthCode | None:
        """The code, used or not."""
        row = self._run("oauth_code", (digest,)).fetchone()
        if row is None:
            return None
        app_id, user_id, scopes, redirect_uri, expires_at, is_used = row
        return OAuthCode(digest, app_id, user_id, frozenset(names_of(scopes)), redirect_uri, expires_at, bool(is_used))

    def put_oauth_code(self, code: OAuthCode) -> None:
        """Insert or replace."""
        scopes = names_text(sorted(code.scopes))
        whose = (code.digest, code.app_id, code.user_id)
        self._run("put_oauth_code", (*whose, scopes, code.redirect_uri, code.expires_at, int(code.is_used)))

    def forget_oauth_codes(self, before: float) -> None:
        """Delete the codes that expired before then."""
        self._run("forget_oauth_codes", (before,))

    def user_page(self, user_id: UserId, page_id: PageId) -> UserPage | None:
        """The user's tasks on the Page, if they reach it."""
        row = self._run("user_page", (user_id, page_id)).fetchone()
        return None if row is None else UserPage(user_id, page_id, _tasks(row[0]))

    def user_pages(self, user_id: UserId) -> list[UserPage]:
        """Every Page that the user reaches, in order of its id as text."""
        return [UserPage(user_id, page_id, _tasks(tasks)) for page_id, tasks in self._run("user_pages", (user_id,))]

    def put_user_page(self, user_page: UserPage) -> None:
        """Insert or replace."""
        tasks = names_text(task.value for task in user_page.tasks)
        self._run("put_user_page", (user_page.user_id, user_page.page_id, tasks))

    def delete_user_page(self, user_id: UserId, page_id: PageId) -> None:
        """Delete; nothing happens if there is none."""
        self._run("delete_user_page", (user_id, page_id))


def _tasks(text: str) -> tuple[PageTask, ...]:
    return tuple(PageTask(name) for name in names_of(text))
