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


@dataclass(frozen=True, slots=True)
class OfferFarTracks:
    """The far side's tracks are offered to `side` on appended lines.

    To the business by a `media_update` webhook with `version`; to the consumer's device by `call.accepted` or a response.
    `in_response`: the offer goes out in the response of the request that caused it and belongs to version 0.
    """

    side: Side
    version: int
    in_response: bool


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
)
