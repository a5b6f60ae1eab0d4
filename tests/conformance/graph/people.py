"""Users for the Graph face's world: one with tokens of both kinds, who reaches a Page, and one who reaches nothing."""

from __future__ import annotations

from dataclasses import replace

from pagecalls.store.base import PageTask, Token, TokenKind, Transaction, User, UserPage
from pagecalls.switchboard.credentials import digest
from pagecalls.types import UserId
from tests.conformance.graph.world import APP, OTHER_APP, PAGE

GRACE = User(UserId("3001"), "Grace")
ALAN = User(UserId("3002"), "Alan")
GRACE_TOKEN = "EAAgrace"
GRACE_SHORT_TOKEN = "EAAshort"
GRACE_NARROW_TOKEN = "EAAnarrow"
GRACE_OTHER_APP_TOKEN = "EAAgraceother"
ALAN_TOKEN = "EAAalan"
ROBOT = User(UserId("3003"), "Robot")
ROBOT_TOKEN = "EAArobot"

SCOPES = frozenset({"pages_messaging", "pages_manage_metadata", "pages_show_list"})
NOW = 1_790_000_000.0
USERS = Token("", TokenKind.USER, APP.id, None, SCOPES, user_id=GRACE.id, issued_at=NOW)
TOKENS = {
    GRACE_TOKEN: USERS,
    GRACE_SHORT_TOKEN: replace(USERS, expires_at=NOW + 90_000, issued_at=NOW + 82_800),
    GRACE_NARROW_TOKEN: replace(USERS, scopes=frozenset({"pages_messaging"})),
    GRACE_OTHER_APP_TOKEN: replace(USERS, app_id=OTHER_APP.id),
    ALAN_TOKEN: replace(USERS, user_id=ALAN.id),
    ROBOT_TOKEN: replace(USERS, kind=TokenKind.SYSTEM_USER, user_id=ROBOT.id),
}


def people(tx: Transaction) -> None:
    """Make the world know them."""
    for user in (GRACE, ALAN, ROBOT):
        tx.put_user(user)
    for text, token in TOKENS.items():
        tx.put_token(replace(token, digest=digest(text)))
    tx.put_user_page(UserPage(GRACE.id, PAGE.id, (PageTask.MESSAGING, PageTask.MANAGE)))
    tx.put_user_page(UserPage(ROBOT.id, PAGE.id, (PageTask.MESSAGING,)))
