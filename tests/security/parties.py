"""Everybody who may knock: apps, Pages, people, and a token of each kind; and what the contract says to each of them.

`expected` is written from ruling 16 and graph-platform 2 and 4.1, not from the code: token, node, verb, kind of token, Page,
permission, in this order. An edge is served to somebody only if `PAGE_EDGES_NEED` and its neighbours say what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from pagecalls.errors import TokenFault
from pagecalls.store.base import (
    App,
    Consumer,
    ConsumerToken,
    Page,
    PageTask,
    Token,
    TokenKind,
    Transaction,
    User,
    UserPage,
)
from pagecalls.switchboard.credentials import digest
from pagecalls.types import AppId, DeviceId, PageId, Platform, Psid, UserId
from tests.scenarios.conftest import World

Refusal: TypeAlias = tuple[int, int, int | None]
"""HTTP status, code, subcode."""

FAR = 4_000_000_000.0
BOTH = frozenset({"pages_messaging", "pages_manage_metadata"})

SHOP = App(AppId("7001"), "Shop", "shop-secret")
HELP = App(AppId("7002"), "Help", "help-secret")
OTHER = App(AppId("7003"), "Other", "other-secret")
TEA = Page(PageId("6001"), "Tea House")
BOOKS = Page(PageId("6002"), "Book House")
BIKES = Page(PageId("6003"), "Bike House")
ADA = Consumer(Psid("5001"), TEA.id, Platform.MESSENGER, "Ada Tealover")
BOB = Consumer(Psid("5002"), TEA.id, Platform.MESSENGER, "Bob Tealover")
GRACE = User(UserId("8001"), "Grace Pageowner")
ALAN = User(UserId("8002"), "Alan Pageless")
ROBOT = User(UserId("8003"), "Robot Pageworker")
CY = Consumer(Psid("5003"), BOOKS.id, Platform.MESSENGER, "Cy Booklover")


class Who(Enum):
    """A caller, by what it shows. `SHOP` and `HELP` share the Tea House, `SHOP` has the Book House too, `OTHER` one."""

    SHOP_AT_TEA = auto()
    HELP_AT_TEA = auto()
    SHOP_AT_BOOKS = auto()
    OTHER_AT_BIKES = auto()
    SYSTEM_USER_AT_TEA = auto()
    SYSTEM_USER_NOWHERE = auto()
    SYSTEM_USER_WITH_A_TASK = auto()
    USER = auto()
    USER_OF_TEA = auto()
    USER_OF_TEA_WHO_SHOWS_NO_LIST = auto()
    OTHER_USER = auto()
    APP = auto()
    OTHER_APP = auto()
    APP_WITH_A_WRONG_SECRET = auto()
    MESSAGING_ONLY = auto()
    METADATA_ONLY = auto()
    NO_PERMISSION = auto()
    EXPIRED = auto()
    REVOKED = auto()
    APP_REMOVED = auto()
    CHECKPOINT = auto()
    PASSWORD_CHANGED = auto()
    UNCONFIRMED = auto()
    ROLE_MISSING = auto()
    CONSUMER = auto()
    ADMIN = auto()
    GARBAGE = auto()
    NOBODY = auto()


@dataclass(frozen=True, slots=True)
class Bearer:
    """What a believed token stands for."""

    kind: TokenKind
    app: App
    page: Page | None = None
    scopes: frozenset[str] = frozenset()
    user: User | None = None
    reaches: Page | None = None


LIST = frozenset({"pages_show_list"})
BELIEVED: Mapping[Who, Bearer] = {
    Who.SHOP_AT_TEA: Bearer(TokenKind.PAGE, SHOP, TEA, BOTH),
    Who.HELP_AT_TEA: Bearer(TokenKind.PAGE, HELP, TEA, BOTH),
    Who.SHOP_AT_BOOKS: Bearer(TokenKind.PAGE, SHOP, BOOKS, BOTH),
    Who.OTHER_AT_BIKES: Bearer(TokenKind.PAGE, OTHER, BIKES, BOTH),
    Who.SYSTEM_USER_AT_TEA: Bearer(TokenKind.SYSTEM_USER, SHOP, TEA, BOTH),
    Who.SYSTEM_USER_NOWHERE: Bearer(TokenKind.SYSTEM_USER, SHOP, None, BOTH),
    Who.SYSTEM_USER_WITH_A_TASK: Bearer(TokenKind.SYSTEM_USER, SHOP, None, BOTH, ROBOT, TEA),
    Who.USER: Bearer(TokenKind.USER, SHOP, None, BOTH),
    Who.USER_OF_TEA: Bearer(TokenKind.USER, SHOP, None, BOTH | LIST, GRACE, TEA),
    Who.USER_OF_TEA_WHO_SHOWS_NO_LIST: Bearer(TokenKind.USER, SHOP, None, BOTH, GRACE, TEA),
    Who.OTHER_USER: Bearer(TokenKind.USER, SHOP, None, BOTH | LIST, ALAN),
    Who.APP: Bearer(TokenKind.APP, SHOP),
    Who.OTHER_APP: Bearer(TokenKind.APP, OTHER),
    Who.MESSAGING_ONLY: Bearer(TokenKind.PAGE, SHOP, TEA, frozenset({"pages_messaging"})),
    Who.METADATA_ONLY: Bearer(TokenKind.PAGE, SHOP, TEA, frozenset({"pages_manage_metadata"})),
    Who.NO_PERMISSION: Bearer(TokenKind.PAGE, SHOP, TEA),
}

FAULTS: Mapping[Who, TokenFault] = {
    Who.REVOKED: TokenFault.REVOKED,
    Who.APP_REMOVED: TokenFault.APP_REMOVED,
    Who.CHECKPOINT: TokenFault.CHECKPOINT,
    Who.PASSWORD_CHANGED: TokenFault.PASSWORD_CHANGED,
    Who.UNCONFIRMED: TokenFault.UNCONFIRMED,
    Who.ROLE_MISSING: TokenFault.ROLE_MISSING,
}
"""Tokens that are no longer good, and why (graph-platform 2.4)."""

NOT_BELIEVED: Mapping[Who, Refusal] = {
    Who.EXPIRED: (400, 190, 463),
    Who.REVOKED: (400, 190, 467),
    Who.APP_REMOVED: (400, 190, 458),
    Who.CHECKPOINT: (400, 190, 459),
    Who.PASSWORD_CHANGED: (400, 190, 460),
    Who.UNCONFIRMED: (400, 190, 464),
    Who.ROLE_MISSING: (400, 190, 492),
    Who.APP_WITH_A_WRONG_SECRET: (400, 190, None),
    Who.CONSUMER: (400, 190, None),
    Who.ADMIN: (400, 190, None),
    Who.GARBAGE: (400, 190, None),
}


class Node(Enum):
    """What a path may name."""

    TEA = TEA.id
    ME = "me"
    UNKNOWN = "404404"
    AN_APP = SHOP.id
    A_PERSON = ADA.psid
    A_USER = GRACE.id
    ALIAS = "teahouse"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a verb of a Page's edge needs: one of `scopes`, if any; `app`: an app's own token will do as well; `user`: so will
    that of a user who reaches the Page and may list theirs."""

    scopes: frozenset[str] = frozenset()
    app: bool = False
    user: bool = False


_MESSAGING = Needs(frozenset({"pages_messaging"}))
_METADATA = Needs(frozenset({"pages_manage_metadata"}))
_EITHER = Needs(_MESSAGING.scopes | _METADATA.scopes)

PAGE_EDGES_NEED: Mapping[str, Mapping[str, Needs]] = {
    "": {"GET": Needs(user=True)},
    "calls": {"POST": _MESSAGING},
    "messenger_call_permissions": {"GET": _MESSAGING},
    "messenger_call_settings": {"GET": _EITHER, "POST": _EITHER},
    "messages": {"POST": _MESSAGING},
    "call_metrics": {"POST": _MESSAGING},
    "business_messaging_feature_status": {"POST": _MESSAGING},
    "subscribed_apps": {"GET": _METADATA, "POST": _METADATA, "DELETE": Needs(_METADATA.scopes, app=True)},
}
"""messenger-calling 1.2."""

APP_EDGES_NEED: Mapping[str, frozenset[str]] = {"subscriptions": frozenset({"GET", "POST", "DELETE"})}
"""The app's own token (graph-platform 7.2)."""

USER_EDGES_NEED: Mapping[str, Mapping[str, frozenset[str]]] = {"": {"GET": frozenset()}, "accounts": {"GET": LIST}}
"""The user's own token, with all of these permissions (graph-platform 1)."""

FIXED_PATHS_NEED: Mapping[tuple[str, str], frozenset[str]] = {
    ("oauth", "access_token"): frozenset({"GET", "POST"}),
    ("debug_token", ""): frozenset({"GET"}),
}
"""Paths without a node: the first needs an app's secret and no token, the second any token (graph-platform 2.5 and 2.6)."""

VERBS = ("GET", "POST", "DELETE", "PUT", "PATCH")
UNSUPPORTED: Refusal = (400, 100, 33)
TOKEN_KIND: Refusal = (403, 210, None)
WRONG_PAGE: Refusal = (403, 200, 9905004)
SCOPE: Refusal = (403, 200, 9905003)
CURRENT_USER: Refusal = (400, 2500, None)
UNKNOWN_EDGE: Refusal = (400, 2500, 9905005)
APP_TOKEN: Refusal = (400, 15, None)


def text_of(world: World, who: Who) -> str | None:
    """The token as it is shown."""
    match who:
        case Who.NOBODY:
            return None
        case Who.APP:
            return f"{SHOP.id}|{SHOP.secret}"
        case Who.OTHER_APP:
            return f"{OTHER.id}|{OTHER.secret}"
        case Who.APP_WITH_A_WRONG_SECRET:
            return f"{SHOP.id}|{OTHER.secret}"
        case Who.ADMIN:
            return world.server.dev.admin_token
        case _:
            return f"EAA{who.name}"


def fill(tx: Transaction) -> None:
    """Make the store know them all."""
    for app in (SHOP, HELP, OTHER):
        tx.put_app(app)
    for page in (TEA, BOOKS, BIKES):
        tx.put_page(page)
    for user in (GRACE, ALAN, ROBOT):
        tx.put_user(user)
    for user in (GRACE, ROBOT):
        tx.put_user_page(UserPage(user.id, TEA.id, (PageTask.MESSAGING,)))
    for consumer in (ADA, BOB, CY):
        tx.put_consumer(consumer)
        tx.put_consumer_token(
            ConsumerToken(digest(f"device-{consumer.psid}"), consumer.psid, consumer.page_id, DeviceId(consumer.psid), FAR)
        )
    tx.put_consumer_token(ConsumerToken(digest("EAACONSUMER"), ADA.psid, TEA.id, DeviceId("consumer"), FAR))
    for who, bearer in BELIEVED.items():
        if bearer.kind is not TokenKind.APP:
            page_id = bearer.page.id if bearer.page else None
            user_id = bearer.user.id if bearer.user else None
            tx.put_token(Token(digest(f"EAA{who.name}"), bearer.kind, bearer.app.id, page_id, bearer.scopes, user_id=user_id))
    tx.put_token(Token(digest("EAAEXPIRED"), TokenKind.PAGE, SHOP.id, TEA.id, BOTH, expires_at=1.0))
    for who, fault in FAULTS.items():
        tx.put_token(Token(digest(f"EAA{who.name}"), TokenKind.PAGE, SHOP.id, TEA.id, BOTH, fault=fault))


def expected(who: Who, node: Node, edge: str, verb: str) -> Refusal | None:
    """What `verb` of a Page's edge answers; `None` if it is let through."""
    needs = PAGE_EDGES_NEED[edge].get(verb)
    if who in NOT_BELIEVED:
        return NOT_BELIEVED[who]
    if who is Who.NOBODY:
        return CURRENT_USER if node is Node.ME else (400, 104, None)
    bearer = BELIEVED[who]
    page = TEA
    if not edge and bearer.user is not None and node.value in ("me", bearer.user.id):
        return None if verb == "GET" else UNSUPPORTED
    match node:
        case Node.ALIAS:
            return 404, 803, None
        case Node.UNKNOWN | Node.AN_APP | Node.A_PERSON | Node.A_USER:
            return UNSUPPORTED
        case Node.ME:
            if bearer.kind is TokenKind.APP:
                return CURRENT_USER
            if bearer.page is None:
                return TOKEN_KIND
            page = bearer.page
        case Node.TEA:
            pass
    if needs is None:
        return UNSUPPORTED
    if bearer.kind is TokenKind.APP and needs.app:
        return None
    return _on_page(bearer, page, needs)


def _on_page(bearer: Bearer, page: Page, needs: Needs) -> Refusal | None:
    if bearer.kind is TokenKind.USER and needs.user and bearer.reaches == page and bearer.scopes >= LIST:
        return None
    own = bearer.page or (bearer.reaches if bearer.kind is TokenKind.SYSTEM_USER else None)
    if bearer.kind not in (TokenKind.PAGE, TokenKind.SYSTEM_USER) or own is None:
        return TOKEN_KIND
    if own != page:
        return WRONG_PAGE
    return SCOPE if needs.scopes and not needs.scopes & bearer.scopes else None


def expected_of_app(who: Who, node: str, has_verb: bool) -> Refusal | None:
    """What a verb of an app's edge answers; `None` if it is let through."""
    if who in NOT_BELIEVED:
        return NOT_BELIEVED[who]
    if who is Who.NOBODY:
        return CURRENT_USER if node == "me" else (400, 104, None)
    bearer = BELIEVED[who]
    if not node.isdigit() and node != "app":
        return 404, 803, None
    if node not in ("app", bearer.app.id):
        return UNSUPPORTED
    if bearer.kind is not TokenKind.APP:
        return APP_TOKEN
    return None if has_verb else UNSUPPORTED


def expected_of_user(who: Who, node: str, edge: str, verb: str) -> Refusal | None:
    """What a verb of a user's edge (not of their node, see `expected`) answers; `None` if it is let through."""
    if who in NOT_BELIEVED:
        return NOT_BELIEVED[who]
    if who is Who.NOBODY:
        return CURRENT_USER if node == "me" else (400, 104, None)
    bearer = BELIEVED[who]
    if bearer.page is not None and node in ("me", bearer.page.id):
        return UNKNOWN_EDGE
    if node == "me" and bearer.kind is TokenKind.APP:
        return CURRENT_USER
    if not node.isdigit() and node != "me":
        return 404, 803, None
    if bearer.user is None or node not in ("me", bearer.user.id):
        return UNSUPPORTED
    needs = USER_EDGES_NEED[edge].get(verb)
    if needs is None:
        return UNSUPPORTED
    return None if needs <= bearer.scopes else SCOPE
