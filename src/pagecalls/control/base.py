"""What the operator's face needs of the others, and how it says no.

The collaborators come as protocols; who implements them is the composition root's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias, TypeVar

import msgspec
from prometheus_client import CollectorRegistry
from starlette.types import Receive

from pagecalls.call.settings import CallSettings, SettingsChange
from pagecalls.clock import Clock
from pagecalls.http import HostGuard, Response
from pagecalls.switchboard.accounts import Accounts
from pagecalls.switchboard.base import Release, Trial
from pagecalls.switchboard.deliveries import Alert, DeliveryFilter, DeliveryPage, DeliveryReport, Replayed
from pagecalls.switchboard.oauth import OAuthDesk
from pagecalls.switchboard.people import People
from pagecalls.switchboard.registers import InUse, NoSuch, OperatorFault, Taken
from pagecalls.switchboard.report import CallReport
from pagecalls.switchboard.tokens import AccessTokens
from pagecalls.switchboard.user_pages import UserPages
from pagecalls.types import AppId, CallId, PageId, Psid

T = TypeVar("T")

LONGEST_STEP_S = 10 * 366 * 24 * 3600.0
"""The largest time span that a request may name."""


class Permissions(Protocol):
    """Call permissions, as far as an operator changes them."""

    async def grant(self, page_id: PageId, psid: Psid, ttl_s: float) -> float:
        """See `switchboard.permissions.Permissions.grant`."""
        ...

    async def revoke(self, page_id: PageId, psid: Psid) -> bool:
        """See `switchboard.permissions.Permissions.revoke`."""
        ...


class Journal(Protocol):
    """What happened, in numbered entries: `seq`, `at` (Unix seconds), `kind`, and more by kind."""

    async def after(self, seq: int, wait_s: float) -> Sequence[Mapping[str, object]]:
        """Entries with a number above `seq`; waits up to `wait_s` for the first if there are none."""
        ...


class Calls(Protocol):
    """What is known of single calls."""

    async def call_report(self, call_id: CallId) -> CallReport | None:
        """See `CallReports.call_report`."""
        ...


class CallSettingsOffice(Protocol):
    """Pages' call settings."""

    async def read(self, page_id: PageId) -> CallSettings:
        """See `PageSettings.read`."""
        ...

    async def change(self, page_id: PageId, change: SettingsChange, app_id: AppId | None) -> tuple[CallSettings, Release]:
        """See `PageSettings.change`."""
        ...


class Deliveries(Protocol):
    """The switchboard's delivery log."""

    async def page(self, wanted: DeliveryFilter, before: int | None, limit: int) -> DeliveryPage:
        """See `Deliveries.page`."""
        ...

    async def delivery(self, row_id: int) -> DeliveryReport | None:
        """See `Deliveries.delivery`."""
        ...

    async def replay_ids(self, ids: Sequence[int]) -> Replayed:
        """See `Deliveries.replay_ids`."""
        ...

    async def replay(self, wanted: DeliveryFilter) -> Replayed:
        """See `Deliveries.replay`."""
        ...

    async def alerts(self) -> Sequence[Alert]:
        """See `Deliveries.alerts`."""
        ...

    async def try_out(self, app_id: AppId, object_: str) -> Trial | None:
        """See `Deliveries.try_out`."""
        ...


@dataclass(frozen=True, slots=True)
class Office:
    """The operator's services. `versions`: what an app's default version can be."""

    accounts: Accounts
    tokens: AccessTokens
    people: People
    oauth: OAuthDesk
    user_pages: UserPages
    versions: frozenset[str]


@dataclass(frozen=True, slots=True)
class ControlParts:
    """Everything that the face is built from.

    `advance` moves the clock and returns when all that was due by then has been handled (ruling 17). `unready` tells why the
    server takes no calls now, `None` if it does.
    """

    admin_token: str = field(repr=False)
    hosts: HostGuard
    registry: CollectorRegistry
    clock: Clock
    advance: Callable[[float], Awaitable[None]]
    unready: Callable[[], str | None]
    office: Office
    permissions: Permissions
    journal: Journal
    calls: Calls
    settings: CallSettingsOffice
    deliveries: Deliveries


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """One request after its body was read. `receive` only tells when the client goes away. `named`: what the path names, by the
    names of its route."""

    query: Mapping[str, str]
    body: bytes
    receive: Receive
    named: Mapping[str, str] = field(default_factory=dict)


Handler: TypeAlias = Callable[[ControlParts, ControlRequest], Awaitable[Response]]


class Refusal(StrEnum):
    """`error.code` of this face's errors."""

    FOREIGN_HOST = "foreign_host"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_LARGE = "too_large"
    BAD_REQUEST = "bad_request"
    CONFLICT = "conflict"
    """It cannot be done now, because of what else there is."""
    UNAVAILABLE = "unavailable"
    """Nothing can be stored now; asked again later it may work."""
    INTERNAL = "internal"


_STATUS = {
    Refusal.FOREIGN_HOST: 403,
    Refusal.UNAUTHORIZED: 401,
    Refusal.NOT_FOUND: 404,
    Refusal.METHOD_NOT_ALLOWED: 405,
    Refusal.TOO_LARGE: 413,
    Refusal.BAD_REQUEST: 400,
    Refusal.CONFLICT: 409,
    Refusal.UNAVAILABLE: 503,
    Refusal.INTERNAL: 500,
}


class Refused(Exception):
    """The request is not done; the face answers `{"error":{"message","code"}}`."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(refusal, message)
        self.refusal = refusal
        self.message = message

    @property
    def response(self) -> Response:
        """The answer."""
        headers = {"www-authenticate": "Bearer"} if self.refusal is Refusal.UNAUTHORIZED else {}
        return Response(_STATUS[self.refusal], {"error": {"message": self.message, "code": self.refusal.value}}, headers)


def refusal_of(fault: OperatorFault) -> Refused:
    """How this face says what the operator's services say."""
    match fault:
        case NoSuch():
            return Refused(Refusal.NOT_FOUND, str(fault))
        case InUse(force_helps=True):
            return Refused(Refusal.CONFLICT, f"{fault} With force=true it goes all the same.")
        case InUse() | Taken():
            return Refused(Refusal.CONFLICT, str(fault))
        case _:
            return Refused(Refusal.BAD_REQUEST, str(fault))


def decode(body: bytes, shape: type[T]) -> T:
    """The body as `shape`. Raises `Refused` with what is wrong and where."""
    try:
        return msgspec.json.decode(body or b"{}", type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Refused(Refusal.BAD_REQUEST, f"The body does not fit: {error}.") from error
