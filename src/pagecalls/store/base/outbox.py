"""Webhooks that wait, and those that were delivered, as they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pagecalls.types import AppId, CallId, PageId, Psid


class Hold(StrEnum):
    """Where an outbox row stands."""

    HELD = "held"
    """Written, but its cause's response is not out yet (ruling 18)."""
    READY = "ready"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    """Not owed any more; `DropReason` says why."""


class DropReason(StrEnum):
    """Why a row is not sent any more."""

    SCHEDULE = "schedule"
    """Every attempt of the schedule failed (graph-platform 7.7)."""
    CALL_OVER = "call_over"
    """It was tried, and then its call was over (ruling 9)."""
    NO_SUBSCRIPTION = "no_subscription"
    """Its app has no subscription to its object any more."""
    DISABLED = "disabled"
    """Its app's subscription was switched off, as its receiver had failed for so long (graph-platform 7.7)."""


class WebhookKind(StrEnum):
    """The events of messenger-calling 7 that this server sends."""

    CONNECT = "connect"
    CALL_STATUS = "call_status"
    MEDIA_UPDATE = "media_update"
    TERMINATE = "terminate"
    CALL_PERMISSION_REPLY = "call_permission_reply"
    CALL_SETTINGS_UPDATE = "call_settings_update"


def about(kind: WebhookKind, page_id: PageId, psid: Psid | None = None) -> str:
    """The same for events of no call of which a receiver must not take the older one for the newer. `psid`: whose the event is,
    if it is a person's; it is found by this when they are erased."""
    return " ".join(part for part in (kind.value, page_id, psid) if part is not None)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One webhook for one app. `body` holds the exact bytes of every attempt; `object` finds the app's callback URL.

    `id` is 0 until the row is stored; ids grow in the order of writing. `next_at`: Unix seconds of the next attempt.
    `settled_at`: when it was delivered or dropped. `replay_at`: since when an operator wants it sent once more. `about`: what an
    event of no call is about; `None` if its place among others does not matter.
    """

    event_id: str
    app_id: AppId
    object: str
    call_id: CallId | None
    kind: WebhookKind
    body: bytes
    created_at: float
    hold: Hold
    next_at: float
    attempts: int = 0
    id: int = 0
    settled_at: float | None = None
    drop_reason: DropReason | None = None
    replay_at: float | None = None
    about: str | None = None

    @property
    def lane(self) -> str | None:
        """Events of one app that share it keep their order: those of a call, or those about the same thing."""
        return self.about if self.call_id is None else self.call_id


@dataclass(frozen=True, slots=True)
class OutboxKey:
    """Where a due outbox row belongs, without its bytes."""

    id: int
    app_id: AppId
    lane: str | None
    attempts: int
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """What an outbox row is found by."""

    id: int
    app_id: AppId
    call_id: CallId | None
    kind: WebhookKind
    hold: Hold
    created_at: float


class OutboxRows(Protocol):
    """What a unit of work does with the outbox."""

    def add_outbox(self, rows: Iterable[OutboxRow]) -> list[int]:
        """Store rows in order; the ids given to them."""
        ...

    def release_outbox(self, ids: Sequence[int], now: float) -> None:
        """HELD rows among `ids` become READY, due at `now`."""
        ...

    def release_all_outbox(self, now: float) -> int:
        """Recovery at start: every HELD row becomes READY (ruling 18). The number released."""
        ...

    def due_outbox(self, now: float, per_app: int) -> list[OutboxKey]:
        """READY rows that are due: of each app, at most `per_app` of calls that were never tried, in order of id, as many of no
        call, then as many retries due at or before `now`. So calls never wait behind a heap of other events.

        A row never tried is due whatever its time, and stays out only while an earlier row of its app and lane is HELD. So first
        attempts keep the order of writing, even when the clock is set back.
        """
        ...

    def next_outbox_at(self, now: float) -> float | None:
        """When the next READY row is due after `now`, Unix seconds."""
        ...

    def outbox_row(self, row_id: int) -> OutboxRow | None:
        """One row, whatever its hold."""
        ...

    def is_untried(self, call_id: CallId, kind: WebhookKind) -> bool:
        """Whether the call has a HELD or READY row of this kind for which no attempt has come to an end."""
        ...

    def outbox_delivered(self, row_id: int, now: float) -> None:
        """The receiver acknowledged; the attempt that did it is counted."""
        ...

    def outbox_failed(self, row_id: int, next_at: float | None) -> None:
        """Count a failed attempt. A READY row is due again at `next_at`, unless that is `None`."""
        ...

    def drop_outbox(self, row_id: int, reason: DropReason, now: float) -> None:
        """A READY row is DROPPED."""
        ...

    def replay_outbox(self, row_id: int, now: float) -> bool:
        """Have a row sent once more. Whether it will be: it is DELIVERED or DROPPED, and so is every earlier one of its app and
        call."""
        ...

    def replays_outbox(self, per_app: int) -> list[OutboxKey]:
        """Rows that are to be sent once more: of each app at most `per_app`, in order of id."""
        ...

    def outbox_replayed(self, row_id: int, is_taken: bool, asked_at: float | None, now: float) -> bool:
        """A row was sent once more: the attempt is counted, and a DROPPED row that was taken is DELIVERED.

        `asked_at`: the `replay_at` that this was for. Whether the row is wanted again, because it was asked for since then.
        """
        ...

    def end_replay(self, row_id: int, asked_at: float | None) -> bool:
        """A row is not sent once more after all. `asked_at` and the result as in `outbox_replayed`."""
        ...

    def outbox_entries(self, app_id: AppId | None, call_id: CallId | None, before: int, limit: int) -> list[OutboxEntry]:
        """Rows of the app and of the call (`None`: of all) with an id below `before`, the newest first."""
        ...

    def drop_stale_outbox(self, call_id: CallId, now: float) -> None:
        """HELD or READY rows of the call that were tried at least once and are not `terminate` are DROPPED (ruling 9)."""
        ...
