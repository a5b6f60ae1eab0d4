"""What the operator's services share: how a thing is looked up that must be there, and the three ways in which they say no.

These faults are the operator's, not a caller's of the Graph API, so they are no part of `pagecalls.errors`.
"""

from __future__ import annotations

from pagecalls.store.base import App, Consumer, Page, Transaction, User
from pagecalls.types import AppId, PageId, Psid, UserId


class OperatorFault(Exception):
    """What an operator asked for cannot be done. The text says why."""


class NoSuch(OperatorFault):
    """There is nothing of that kind with that name."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"There is no {kind} {name}.")


class Taken(OperatorFault):
    """The id that was asked for is somebody else's."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"There is a {kind} {name} already.")


class InUse(OperatorFault):
    """It cannot go now. `force_helps`: it would, if asked to go all the same."""

    def __init__(self, text: str, force_helps: bool = False) -> None:
        super().__init__(text)
        self.force_helps = force_helps


class Unfit(OperatorFault):
    """What was asked for does not make sense together."""


def known_app(tx: Transaction, app_id: AppId) -> App:
    """Raises `NoSuch`."""
    if (app := tx.app(app_id)) is None:
        raise NoSuch("app", app_id)
    return app


def known_page(tx: Transaction, page_id: PageId) -> Page:
    """Raises `NoSuch`."""
    if (page := tx.page(page_id)) is None:
        raise NoSuch("Page", page_id)
    return page


def known_user(tx: Transaction, user_id: UserId) -> User:
    """Raises `NoSuch`."""
    if (user := tx.user(user_id)) is None:
        raise NoSuch("user", user_id)
    return user


def known_consumer(tx: Transaction, page_id: PageId, psid: Psid) -> Consumer:
    """Raises `NoSuch`, for the Page or the person."""
    known_page(tx, page_id)
    if (consumer := tx.consumer(page_id, psid)) is None:
        raise NoSuch(f"consumer of Page {page_id}", psid)
    return consumer


def count_of(number: int, what: str) -> str:
    """`1 live call`, `2 live calls`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
