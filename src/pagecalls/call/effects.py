"""What must be done, in the imperative. The switchboard does them in the order given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pagecalls.call.states import EndReason
from pagecalls.types import DeviceId, Side


class Audience(StrEnum):
    """Who receives a webhook (messenger-calling 3.2)."""

    ALL = "all"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class NotifyConnect:
    """`connect` webhook to all subscribed apps."""


@dataclass(frozen=True, slots=True)
class NotifyStatus:
    """`call_status` webhook (`ringing` or `accepted`) to the owner."""

    status: str


class Carrier(StrEnum):
    """What takes an offer of ours to its side."""

    RESPONSE = "response"
    """The answer to the request that caused it."""
    PICK_UP = "pick_up"
    """The news that the other side has accepted: `call.accepted`, or the `media_update` webhook after `accepted`."""
    UPDATE = "update"
    """The news that the other side's media has changed: `call.media_update`, or the `media_update` webhook."""


@dataclass(frozen=True, slots=True)
class OfferFarTracks:
    """The far side's tracks, as they are now, are offered to `side` as `version` of its peer connection."""

    side: Side
    version: int
    by: Carrier


@dataclass(frozen=True, slots=True)
class NotifyTerminate:
    """`terminate` webhook to all subscribed apps; earlier webhooks of the call are not retried any more (ruling 9)."""


@dataclass(frozen=True, slots=True)
class RingDevices:
    """Ring every connected device of the consumer; each that was reached comes back as `DeviceRang`."""


@dataclass(frozen=True, slots=True)
class TellRinging:
    """`call.ringing` to the device that started the call."""


@dataclass(frozen=True, slots=True)
class TellConnected:
    """`call.connected` to the consumer's device."""


@dataclass(frozen=True, slots=True)
class TellEnded:
    """`call.ended` to `devices`, or to every device that has to do with the call if empty. `reason` gives the status."""

    reason: EndReason
    devices: frozenset[DeviceId] = frozenset()


@dataclass(frozen=True, slots=True)
class StartMedia:
    """Both sides have accepted: T_conn starts and sound is let through both ways."""


@dataclass(frozen=True, slots=True)
class CloseMedia:
    """BYE and close_notify on every leg; the engine forgets the call."""


@dataclass(frozen=True, slots=True)
class GrantPermission:
    """An implicit permission until `expires_at`, Unix seconds (messenger-calling 8.2)."""

    expires_at: float


@dataclass(frozen=True, slots=True)
class Replay:
    """Answer as before: the same request, within 30 s. Nothing else happens."""


@dataclass(frozen=True, slots=True)
class TellCollision:
    """Answer that the update came too late: the side has not seen `version` yet. Nothing else happens (4.3)."""

    version: int


Effect = (
    NotifyConnect
    | NotifyStatus
    | OfferFarTracks
    | NotifyTerminate
    | RingDevices
    | TellRinging
    | TellConnected
    | TellEnded
    | StartMedia
    | CloseMedia
    | GrantPermission
    | Replay
    | TellCollision
)
