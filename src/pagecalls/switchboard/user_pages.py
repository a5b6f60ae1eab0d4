"""Which users reach which Pages, and with which tasks, as their operator sets it. Knows no HTTP."""

from __future__ import annotations

from pagecalls.store.base import PageTask, Store, Transaction, UserPage
from pagecalls.switchboard.registers import NoSuch, known_page, known_user
from pagecalls.types import PageId, UserId


class UserPages:
    """The operator's service. Every method is one unit of work."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, user_page: UserPage) -> None:
        """Let the user reach the Page. Raises `NoSuch`."""

        def work(tx: Transaction) -> None:
            known_user(tx, user_page.user_id)
            known_page(tx, user_page.page_id)
            tx.put_user_page(user_page)

        await self._store.write(work)

    async def of(self, user_id: UserId) -> list[UserPage]:
        """The Pages that the user reaches. Raises `NoSuch`."""

        def work(tx: Transaction) -> list[UserPage]:
            known_user(tx, user_id)
            return tx.user_pages(user_id)

        return await self._store.read(work)

    async def take(self, user_id: UserId, page_id: PageId) -> None:
        """Let the user no longer reach the Page, which ends the Page tokens made for them. Raises `NoSuch`."""

        def work(tx: Transaction) -> None:
            known_user(tx, user_id)
            if tx.user_page(user_id, page_id) is None:
                raise NoSuch("Page that the user reaches:", page_id)
            tx.delete_user_page(user_id, page_id)

        await self._store.write(work)


def reach(tx: Transaction, user_id: UserId, page_id: PageId) -> None:
    """Let the user reach the Page with every task, unless they reach it already."""
    if tx.user_page(user_id, page_id) is None:
        tx.put_user_page(UserPage(user_id, page_id, tuple(PageTask)))
