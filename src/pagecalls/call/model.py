"""One call as a value. Only `machine.apply` makes a changed one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pagecalls.call.states import Action, CallState, DeadlineKind, EndReason
from pagecalls.call.versions import Counter
from pagecalls.types import AppId, CallId, DeviceId, Direction, PageId, Platform, Psid, Side


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something is due at `at` (Unix seconds). `device` belongs to `DEVICE_AWAY` alone."""

    kind: DeadlineKind
    at: float
    device: DeviceId | None = None


@dataclass(frozen=True, slots=True)
class EndedBy:
    """The API action that ended the call, for the 30 s replay (messenger-calling 2.5)."""

    app: AppId
    action: Action
    at: float


@dataclass(frozen=True, slots=True)
class AcceptedWith:
    """The accepted offer, for the 30 s replay of accept (messenger-calling 2.3). `digest`: SHA-256 hex of the offer's text."""

    digest: str
    at: float


@dataclass(frozen=True, slots=True)
class Call:
    """The whole signalling state of one call. Times are Unix seconds.

    `business` and `consumer` count the versions of the two peer connections (messenger-calling 4.1).
    `ringing` are devices that ring now, or that rang when the call ended; `device` is the consumer's device that is in the call.
    `away` are those of them without a socket. `up` are the sides whose leg is up.
    """

    id: CallId
    page_id: PageId
    psid: Psid
    platform: Platform
    direction: Direction
    state: CallState
    created_at: float
    is_routed: bool = True
    owner: AppId | None = None
    device: DeviceId | None = None
    ringing: frozenset[DeviceId] = frozenset()
    away: frozenset[DeviceId] = frozenset()
    up: frozenset[Side] = frozenset()
    deadlines: tuple[Deadline, ...] = ()
    business: Counter = Counter()
    consumer: Counter = Counter()
    accepted: AcceptedWith | None = None
    connected_at: float | None = None
    ended_at: float | None = None
    end_reason: EndReason | None = None
    ended_by: EndedBy | None = None

    def counter(self, side: Side) -> Counter:
        """The counter of a side's peer connection."""
        return self.business if side is Side.BUSINESS else self.consumer

    def with_counter(self, side: Side, counter: Counter) -> Call:
        """The same call with another counter of that side."""
        return replace(self, business=counter) if side is Side.BUSINESS else replace(self, consumer=counter)

    @property
    def next_deadline(self) -> float | None:
        """When something is due next, Unix seconds."""
        return min((deadline.at for deadline in self.deadlines), default=None)

    @property
    def duration_s(self) -> int | None:
        """Whole seconds of conversation, rounded up, at least 1; `None` if it never connected (messenger-calling 3.1)."""
        if self.connected_at is None or self.ended_at is None:
            return None
        return max(1, -int(-(self.ended_at - self.connected_at) // 1))
