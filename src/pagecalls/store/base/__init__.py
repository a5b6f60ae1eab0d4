"""The store port: what is kept, and the one unit of work.

A unit of work is a plain function over a `Transaction`. It runs whole or not at all; `Store.write` returns its result only after
the commit is durable, so memory is never ahead of the disk. Reads run on the last committed state.

Each module here holds the values of one area and what a unit of work does with them; this one joins them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from pagecalls.store.base.accounts import AccountRows as AccountRows
from pagecalls.store.base.accounts import App as App
from pagecalls.store.base.accounts import AppSubscription as AppSubscription
from pagecalls.store.base.accounts import Page as Page
from pagecalls.store.base.accounts import PageSubscription as PageSubscription
from pagecalls.store.base.accounts import Token as Token
from pagecalls.store.base.accounts import TokenFilter as TokenFilter
from pagecalls.store.base.accounts import TokenKind as TokenKind
from pagecalls.store.base.accounts import User as User
from pagecalls.store.base.calls import CallRecord as CallRecord
from pagecalls.store.base.calls import CallRows as CallRows
from pagecalls.store.base.calls import LiveCallExists as LiveCallExists
from pagecalls.store.base.consumers import Consumer as Consumer
from pagecalls.store.base.consumers import ConsumerRows as ConsumerRows
from pagecalls.store.base.consumers import ConsumerToken as ConsumerToken
from pagecalls.store.base.deliveries import Attempt as Attempt
from pagecalls.store.base.deliveries import DeliveryRows as DeliveryRows
from pagecalls.store.base.deliveries import FailingReceiver as FailingReceiver
from pagecalls.store.base.messages import CallButton as CallButton
from pagecalls.store.base.messages import Message as Message
from pagecalls.store.base.messages import MessageKind as MessageKind
from pagecalls.store.base.messages import MessageRows as MessageRows
from pagecalls.store.base.messages import PermissionRequest as PermissionRequest
from pagecalls.store.base.messages import RequestState as RequestState
from pagecalls.store.base.metrics import MetricsRecord as MetricsRecord
from pagecalls.store.base.metrics import MetricsRows as MetricsRows
from pagecalls.store.base.oauth import OAuthCode as OAuthCode
from pagecalls.store.base.oauth import OAuthRows as OAuthRows
from pagecalls.store.base.oauth import PageTask as PageTask
from pagecalls.store.base.oauth import UserPage as UserPage
from pagecalls.store.base.outbox import DropReason as DropReason
from pagecalls.store.base.outbox import Hold as Hold
from pagecalls.store.base.outbox import OutboxEntry as OutboxEntry
from pagecalls.store.base.outbox import OutboxKey as OutboxKey
from pagecalls.store.base.outbox import OutboxRow as OutboxRow
from pagecalls.store.base.outbox import OutboxRows as OutboxRows
from pagecalls.store.base.outbox import WebhookKind as WebhookKind
from pagecalls.store.base.outbox import about as about
from pagecalls.store.base.settings import SettingsRows as SettingsRows
from pagecalls.store.base.upkeep import Past as Past
from pagecalls.store.base.upkeep import Room as Room
from pagecalls.store.base.upkeep import UpkeepRows as UpkeepRows

T = TypeVar("T")


class Transaction(
    AccountRows,
    OAuthRows,
    ConsumerRows,
    SettingsRows,
    MessageRows,
    MetricsRows,
    CallRows,
    OutboxRows,
    DeliveryRows,
    UpkeepRows,
    Protocol,
):
    """One unit of work. Every method is synchronous and runs on the store's own thread."""


class Store(Protocol):
    """A durable store. One implementation today (`sqlite.py`), on a file or on `:memory:`."""

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` whole or not at all; its result after the commit is durable. Whatever `work` raises is raised here."""
        ...

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which must not write, on the committed state."""
        ...

    async def close(self) -> None:
        """Finish what is queued, then close. May be called again."""
        ...
