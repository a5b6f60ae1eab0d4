"""Apps, Pages and users as their operator makes, changes and removes them.

Owns what may be removed, and what goes with it: everything that hangs on it. A Page is in use while it has a live call or owes
webhooks of its calls, an app while it is owed webhooks; then they are removed only with `force`, which ends the Page's calls. An
app with a live call stays, because the call is another's, too. Tokens are `tokens.py`'s, people `people.py`'s. Knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pagecalls.clock import Clock
from pagecalls.store.base import App, Page, Store, Token, TokenKind, Transaction, User
from pagecalls.switchboard.credentials import digest
from pagecalls.switchboard.directory import PAGE_SCOPES, NewApp
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.people import People
from pagecalls.switchboard.registers import InUse, Taken, count_of, known_app, known_page, known_user
from pagecalls.types import AppId, PageId, UserId

SLICE = 100
"""Webhooks that go in one unit of work."""


class Accounts:
    """The operator's service for apps, Pages and users. Every method is one unit of work, but for those that delete an app or a
    Page."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, people: People) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._people = people

    # --- apps ---------------------------------------------------------------------------------------------------------

    async def apps(self, after: str, limit: int) -> list[App]:
        """Up to `limit` after the id `after`."""
        return await self._store.read(lambda tx: tx.apps(after, limit))

    async def app(self, app_id: AppId) -> App:
        """Raises `NoSuch`."""
        return await self._store.read(lambda tx: known_app(tx, app_id))

    async def create_app(self, name: str, app_id: AppId | None = None, shape: Callable[[App], App] = lambda app: app) -> App:
        """`shape`: what the new app is to look like before it is stored. Raises `Taken`."""
        app = shape(App(app_id or self._ids.app_id(), name, self._ids.app_secret(), created_at=self._clock.now()))

        def work(tx: Transaction) -> App:
            if tx.app(app.id) is not None:
                raise Taken("app", app.id)
            tx.put_app(app)
            return app

        return await self._store.write(work)

    async def create_app_on_page(self, name: str, page_id: PageId, shape: Callable[[App], App] = lambda app: app) -> NewApp:
        """An app with full rights on a Page, and the token that holds them. Raises `NoSuch` for the Page."""
        now = self._clock.now()
        app = shape(App(self._ids.app_id(), name, self._ids.app_secret(), created_at=now))
        text = self._ids.access_token()

        def work(tx: Transaction) -> NewApp:
            page = known_page(tx, page_id)
            tx.put_app(app)
            tx.put_token(Token(digest(text), TokenKind.PAGE, app.id, page_id, PAGE_SCOPES, issued_at=now))
            return NewApp(app, page, text)

        return await self._store.write(work)

    async def change_app(self, app_id: AppId, change: Callable[[App], App]) -> App:
        """Raises `NoSuch`."""

        def work(tx: Transaction) -> App:
            app = change(known_app(tx, app_id))
            tx.put_app(app)
            return app

        return await self._store.write(work)

    async def rotate_secret(self, app_id: AppId) -> App:
        """A new secret, from now on the only one: for signatures, proofs and `<app id>|<secret>`. Raises `NoSuch`."""
        secret = self._ids.app_secret()
        return await self.change_app(app_id, lambda app: replace(app, secret=secret))

    async def delete_app(self, app_id: AppId, force: bool) -> None:
        """With its tokens, subscriptions and webhooks. Raises `NoSuch`, `InUse`; with `force`, owed webhooks are lost."""

        def check(tx: Transaction) -> None:
            known_app(tx, app_id)
            live = tx.live_calls_of_app(app_id)
            if live:
                raise InUse(f"App {app_id} has {count_of(live, 'live call')}; end what it has accepted or started first.")
            owed = tx.owed_webhooks(app_id)
            if owed and not force:
                raise InUse(f"App {app_id} is still owed {count_of(owed, 'webhook')}, which would be lost.", force_helps=True)

        def finish(tx: Transaction) -> None:
            check(tx)
            tx.delete_app(app_id)

        await self._store.read(check)
        # Most of what goes are webhooks; all at once would keep calls from the store for seconds.
        while await self._store.write(lambda tx: tx.forget_app_webhooks(app_id, force, SLICE)) == SLICE:
            pass
        await self._store.write(finish)

    # --- Pages --------------------------------------------------------------------------------------------------------

    async def pages(self, after: str, limit: int) -> list[Page]:
        """Up to `limit` after the id `after`."""
        return await self._store.read(lambda tx: tx.pages(after, limit))

    async def page(self, page_id: PageId) -> Page:
        """Raises `NoSuch`."""
        return await self._store.read(lambda tx: known_page(tx, page_id))

    async def create_page(
        self, name: str, page_id: PageId | None = None, shape: Callable[[Page], Page] = lambda page: page
    ) -> Page:
        """A Page that takes and makes calls, but for `shape`; its call settings are the server's defaults. Raises `Taken`."""
        page = shape(Page(page_id or self._ids.page_id(), name, created_at=self._clock.now()))

        def work(tx: Transaction) -> Page:
            if tx.page(page.id) is not None:
                raise Taken("Page", page.id)
            tx.put_page(page)
            return page

        return await self._store.write(work)

    async def change_page(self, page_id: PageId, change: Callable[[Page], Page]) -> Page:
        """Raises `NoSuch`."""

        def work(tx: Transaction) -> Page:
            page = change(known_page(tx, page_id))
            tx.put_page(page)
            return page

        return await self._store.write(work)

    async def delete_page(self, page_id: PageId, force: bool) -> None:
        """With its tokens, subscriptions, settings, and all its people as if they were erased one by one.

        Raises `NoSuch`, `InUse`; with `force`, live calls are ended and owed webhooks are lost, but for `terminate`.
        """

        def check(tx: Transaction) -> None:
            known_page(tx, page_id)
            live = tx.live_calls_of_page(page_id)
            owed = tx.owed_page_webhooks(page_id)
            if force or not (live or owed):
                return
            in_use = " and ".join(count_of(*each) for each in ((live, "live call"), (owed, "owed webhook")) if each[0])
            raise InUse(f"Page {page_id} has {in_use}.", force_helps=True)

        def finish(tx: Transaction) -> bool:
            if tx.consumers(page_id, ("", ""), 1):
                return False  # somebody came while the others were erased
            tx.delete_page(page_id)
            return True

        await self._store.read(check)
        is_gone = False
        while not is_gone:
            await self._people.erase_all(page_id)
            is_gone = await self._store.write(finish)

    # --- users --------------------------------------------------------------------------------------------------------

    async def users(self, after: str, limit: int) -> list[User]:
        """Up to `limit` after the id `after`."""
        return await self._store.read(lambda tx: tx.users(after, limit))

    async def user(self, user_id: UserId) -> User:
        """Raises `NoSuch`."""
        return await self._store.read(lambda tx: known_user(tx, user_id))

    async def create_user(self, name: str, user_id: UserId | None = None) -> User:
        """Raises `Taken`."""
        user = User(user_id or self._ids.user_id(), name, self._clock.now())

        def work(tx: Transaction) -> User:
            if tx.user(user.id) is not None:
                raise Taken("user", user.id)
            tx.put_user(user)
            return user

        return await self._store.write(work)

    async def rename_user(self, user_id: UserId, name: str) -> User:
        """Raises `NoSuch`."""

        def work(tx: Transaction) -> User:
            user = replace(known_user(tx, user_id), name=name)
            tx.put_user(user)
            return user

        return await self._store.write(work)

    async def delete_user(self, user_id: UserId) -> None:
        """With its tokens. Raises `NoSuch`."""

        def work(tx: Transaction) -> None:
            known_user(tx, user_id)
            tx.delete_user(user_id)

        await self._store.write(work)
