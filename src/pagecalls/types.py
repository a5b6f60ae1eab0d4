"""The words that every part shares: identifiers, sides, tracks, hours. Read this file first.

Nothing here knows HTTP, SDP, storage or time. An identifier is never a bare `str`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

AppId = NewType("AppId", str)
"""An app, decimal digits: one integration that holds tokens and receives webhooks."""

PageId = NewType("PageId", str)
"""A Page, decimal digits."""

UserId = NewType("UserId", str)
"""A person or system user on the business's side, decimal digits: whom a user token stands for."""

Psid = NewType("Psid", str)
"""A page-scoped consumer id, decimal digits."""

CallId = NewType("CallId", str)
"""`c_` and 43 url-safe base64 characters (messenger-calling 2)."""

LegId = NewType("LegId", str)
"""One peer's transport inside a call, unique per engine."""

MessageId = NewType("MessageId", str)
"""`m_` and 32 url-safe base64 characters. A permission request has the id of the message that it is."""

DeviceId = NewType("DeviceId", str)
"""One consumer device: its token's identity, stable across reconnects with the same token."""


class Platform(StrEnum):
    """Where the consumer writes and calls from (the reference's `platform`)."""

    MESSENGER = "messenger"
    INSTAGRAM = "instagram"
    WHATSAPP = "whatsapp"


class Side(StrEnum):
    """The two ends of a call."""

    BUSINESS = "business"
    CONSUMER = "consumer"

    @property
    def other(self) -> Side:
        """The far end."""
        return Side.CONSUMER if self is Side.BUSINESS else Side.BUSINESS


class Direction(StrEnum):
    """Who started the call, spelled as in the `connect` webhook (messenger-calling 7.2)."""

    USER_INITIATED = "user_initiated"
    BUSINESS_INITIATED = "business_initiated"


class MediaKind(StrEnum):
    """The media of one m-line or track."""

    AUDIO = "audio"
    VIDEO = "video"


class TrackLabel(StrEnum):
    """The four track labels of the reference (messenger-calling 5.1).

    `kind`: the m-line kind that a label fits (5.2, 4).
    """

    kind: MediaKind

    DEFAULT_AUDIO = "default_audio"
    DEFAULT_VIDEO = "default_video"
    SCREEN_AUDIO = "screen_audio"
    SCREEN_VIDEO = "screen_video"

    def __init__(self, value: str) -> None:
        self.kind = MediaKind.AUDIO if value.endswith("audio") else MediaKind.VIDEO


class TrackStatus(StrEnum):
    """Whether a track is forwarded."""

    ENABLED = "enabled"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Track:
    """One entry of the wire's `tracks[]`."""

    msid: str
    label: TrackLabel
    status: TrackStatus = TrackStatus.ENABLED


class SdpType(StrEnum):
    """The two description types of the offer/answer model (RFC 3264)."""

    OFFER = "offer"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Session:
    """A description as it crosses the wire: its type and its text, CRLF line ends on output."""

    sdp_type: SdpType
    sdp: str


class RingTarget(StrEnum):
    """Who is rung by a consumer's call: the platform's own inbox (here the built-in console), or the subscribed apps."""

    META = "META"
    PARTNERS = "PARTNERS"


class Day(StrEnum):
    """Days as the contract writes them, in the order of ISO 8601."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


@dataclass(frozen=True, slots=True)
class OpenHours:
    """One day's hours, `HHMM` each: the opening is included, the closing is not, but for `2359`, the end of the day."""

    day_of_week: Day
    open_time: str
    close_time: str


@dataclass(frozen=True, slots=True)
class CallHours:
    """When a Page takes calls: on the wall clock of `timezone_id` (IANA), on the days named, each at most once (messenger-calling
    9.2). With none it is always closed. The names of the members are also those of the stored form and of the operator's JSON."""

    timezone_id: str
    weekly: tuple[OpenHours, ...]
