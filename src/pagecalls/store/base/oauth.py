"""Authorization codes, and which users reach which Pages, as they are kept. Of a code only the SHA-256 digest is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pagecalls.types import AppId, PageId, UserId


class PageTask(StrEnum):
    """What a user may do for a Page, in the platform's words."""

    ADVERTISE = "ADVERTISE"
    ANALYZE = "ANALYZE"
    CREATE_CONTENT = "CREATE_CONTENT"
    MANAGE = "MANAGE"
    MESSAGING = "MESSAGING"
    MODERATE = "MODERATE"


@dataclass(frozen=True, slots=True)
class UserPage:
    """A user reaches a Page, with these tasks, of which there is at least one."""

    user_id: UserId
    page_id: PageId
    tasks: tuple[PageTask, ...]


@dataclass(frozen=True, slots=True)
class OAuthCode:
    """A code that an app may turn into a user's token once, before `expires_at` (Unix seconds).

    `redirect_uri`: what must be given with it; `None` if nothing has to.
    """

    digest: str
    app_id: AppId
    user_id: UserId
    scopes: frozenset[str]
    redirect_uri: str | None
    expires_at: float
    is_used: bool = False


class OAuthRows(Protocol):
    """What a unit of work does with codes and with users' Pages."""

    def oauth_code(self, digest: str) -> OAuthCode | None:
        """The code, used or not."""
        ...

    def put_oauth_code(self, code: OAuthCode) -> None:
        """Insert or replace."""
        ...

    def forget_oauth_codes(self, before: float) -> None:
        """Delete the codes that expired before then."""
        ...

    def user_page(self, user_id: UserId, page_id: PageId) -> UserPage | None:
        """The user's tasks on the Page, if they reach it."""
        ...

    def user_pages(self, user_id: UserId) -> list[UserPage]:
        """Every Page that the user reaches, in order of its id as text."""
        ...

    def put_user_page(self, user_page: UserPage) -> None:
        """Insert or replace."""
        ...

    def delete_user_page(self, user_id: UserId, page_id: PageId) -> None:
        """Delete; nothing happens if there is none."""
        ...
