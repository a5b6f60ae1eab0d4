"""What happened to a call, in the past tense. Each event is a fact; `machine.apply` decides what follows.

Requests of the API and of devices may be refused (a `CallError` is raised and nothing changes). Facts of media, time and the
server never are: where they mean nothing any more, they change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pagecalls.call.versions import Advance
from pagecalls.types import AppId, DeviceId, Side


@dataclass(frozen=True, slots=True)
class AcceptRequested:
    """API accept. `digest`: SHA-256 hex of the offer's text, for the replay rule."""

    app: AppId
    digest: str


@dataclass(frozen=True, slots=True)
class RejectRequested:
    """API reject."""

    app: AppId


@dataclass(frozen=True, slots=True)
class TerminateRequested:
    """API terminate."""

    app: AppId


@dataclass(frozen=True, slots=True)
class MediaUpdateRequested:
    """API media_update, before its description and tracks are looked at."""

    app: AppId


@dataclass(frozen=True, slots=True)
class ConsumerUpdateRequested:
    """The same of a consumer's device."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class MediaChanged:
    """What a side asked of its media has been read and can be done; its versions are still to be judged.

    `digest`: SHA-256 hex of what it asked for. `is_visible`: the other side will see or hear a difference. `is_offer_due`:
    the side's description proves that it never applied our last offer (ruling 15), or needs one for a picture that it receives
    again.
    """

    side: Side
    advance: Advance | None
    digest: str
    is_visible: bool = True
    is_offer_due: bool = False


@dataclass(frozen=True, slots=True)
class DeviceRang:
    """`call.incoming` reached a device."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class DeviceLost:
    """A device's socket is gone."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class DeviceReturned:
    """The device is connected again with the same token."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class ConsumerAccepted:
    """A ringing device picked up. `by_calling`: it did so by calling the Page that was just calling it (3.3)."""

    device: DeviceId
    by_calling: bool = False


@dataclass(frozen=True, slots=True)
class ConsumerDeclined:
    """A ringing device declined."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class ConsumerHungUp:
    """The consumer's device ends its call: a cancel before accept, a hang-up after it."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class LegUp:
    """ICE pair and DTLS are there."""

    side: Side


@dataclass(frozen=True, slots=True)
class LegFailed:
    """The engine gave the leg up."""

    side: Side
    why: Literal["dtls", "fingerprint", "conn_timeout", "dead", "internal"]


@dataclass(frozen=True, slots=True)
class LegBye:
    """close_notify and T_bye passed."""

    side: Side


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """Time moved; every deadline at or before `now` is due."""


@dataclass(frozen=True, slots=True)
class ServerStopping:
    """Orderly stop after the drain (row 35)."""


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The engine is gone, or a restart finds no leg of the call (row 35)."""


Event = (
    AcceptRequested
    | RejectRequested
    | TerminateRequested
    | MediaUpdateRequested
    | ConsumerUpdateRequested
    | MediaChanged
    | DeviceRang
    | DeviceLost
    | DeviceReturned
    | ConsumerAccepted
    | ConsumerDeclined
    | ConsumerHungUp
    | LegUp
    | LegFailed
    | LegBye
    | DeadlinePassed
    | ServerStopping
    | MediaLost
)
