"""What can be asked of a Page, one class each: the five actions of `POST /{page_id}/calls`, settings, messages, permissions.

Reports and features are in `reports.py`, tokens and users in `tokens.py`.

A request knows its parameters, how its answer is read, and whether it may be sent a second time when the answer to the first got
lost. It knows no host, no token and no socket.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Generic, TypeVar

from pagecalls.client import results
from pagecalls.client.members import Json, JsonObject, Members, present
from pagecalls.client.messages import Content, message_of
from pagecalls.client.settings import ALWAYS_OPEN, AlwaysOpen, CallSettings, call_settings, hours_object
from pagecalls.types import CallHours, Platform, RingTarget, SdpType, Session, Track

R_co = TypeVar("R_co", bound=results.Result, covariant=True)


class Verb(StrEnum):
    """The HTTP methods in use."""

    GET = "GET"
    POST = "POST"


class Action(StrEnum):
    """The reference's `action`."""

    CONNECT = "connect"
    ACCEPT = "accept"
    REJECT = "reject"
    TERMINATE = "terminate"
    MEDIA_UPDATE = "media_update"


class Request(ABC, Generic[R_co]):
    """One request to a Page, and what its answer will be."""

    __slots__ = ()
    verb: ClassVar[Verb] = Verb.POST
    edge: ClassVar[str] = "calls"

    def path(self, page: str) -> str:
        """Below the version. `page` is the Page, encoded."""
        return f"{page}/{self.edge}"

    @property
    @abstractmethod
    def may_repeat(self) -> bool:
        """Whether a second sending does no harm if the first was carried out."""

    @abstractmethod
    def parameters(self) -> JsonObject:
        """The members of the body, or of the query of a `GET`."""

    @abstractmethod
    def read(self, body: Members) -> R_co:
        """The answer of a success body. Raises `WrongShape`."""


class Reading(Request[R_co]):
    """What all that only read share."""

    __slots__ = ()
    verb: ClassVar[Verb] = Verb.GET

    @property
    def may_repeat(self) -> bool:
        """Yes: it changes nothing."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest(Request[results.Connected]):
    """Call the consumer `to` (messenger-calling 2.2). `sdp` is an offer. `platform` `None`: that of the consumer.

    Never repeated: the contract knows no repeat of it. After a lost answer a further `connect` says E_BUSY with the `call_id`.
    """

    to: str
    sdp: str
    tracks: Sequence[Track] = ()
    platform: Platform | None = None

    @property
    def may_repeat(self) -> bool:
        """No: there is no replay."""
        return False

    def parameters(self) -> JsonObject:
        """The reference's members."""
        return _calls(Action.CONNECT, self.platform, to=self.to, session=_offer(self.sdp), tracks=_tracks(self.tracks))

    def read(self, body: Members) -> results.Connected:
        """See `results.connected`."""
        return results.connected(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRequest(Request[results.Accepted]):
    """Take a consumer's call (2.3). `sdp` is an offer. The same offer within 30 s gets the same answer again."""

    call_id: str
    sdp: str
    tracks: Sequence[Track] = ()
    platform: Platform | None = None

    @property
    def may_repeat(self) -> bool:
        """Yes (2.3, replay)."""
        return True

    def parameters(self) -> JsonObject:
        """The reference's members."""
        return _calls(Action.ACCEPT, self.platform, self.call_id, session=_offer(self.sdp), tracks=_tracks(self.tracks))

    def read(self, body: Members) -> results.Accepted:
        """See `results.accepted`."""
        return results.accepted(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectRequest(Request[results.Ended]):
    """Refuse a consumer's call that rings (2.4)."""

    call_id: str
    platform: Platform | None = None

    @property
    def may_repeat(self) -> bool:
        """Yes (2.5, replay)."""
        return True

    def parameters(self) -> JsonObject:
        """The reference's members."""
        return _calls(Action.REJECT, self.platform, self.call_id)

    def read(self, body: Members) -> results.Ended:
        """See `results.ended`."""
        return results.ended(body, self.call_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateRequest(Request[results.Ended]):
    """End a call (2.5)."""

    call_id: str
    platform: Platform | None = None

    @property
    def may_repeat(self) -> bool:
        """Yes (2.5, replay)."""
        return True

    def parameters(self) -> JsonObject:
        """The reference's members."""
        return _calls(Action.TERMINATE, self.platform, self.call_id)

    def read(self, body: Members) -> results.Ended:
        """See `results.ended`."""
        return results.ended(body, self.call_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaUpdateRequest(Request[results.MediaUpdated]):
    """Change the media of a call, in one of four forms (2.6):

    - `sdp`, and `tracks` if they are to be named: a new offer.
    - `tracks` alone: known tracks are enabled or disabled without SDP.
    - `enabled_tracks`, a list of msids: these are enabled, all others disabled (an older form).
    - `sdp` with `sdp_type` `ANSWER`: the answer to the server's offer, which no server needs.

    `from_version` is the own counter, `to_version` one more; both or neither. Raises `ValueError` for what is none of this.
    """

    call_id: str
    sdp: str | None = None
    sdp_type: SdpType = SdpType.OFFER
    tracks: Sequence[Track] | None = None
    enabled_tracks: Sequence[str] | None = None
    from_version: int | None = None
    to_version: int | None = None
    platform: Platform | None = None

    def __post_init__(self) -> None:
        if self.sdp is None and self.tracks is None and self.enabled_tracks is None:
            raise ValueError("one of sdp, tracks and enabled_tracks is needed")
        if (self.from_version is None) != (self.to_version is None):
            raise ValueError("from_version and to_version go together")

    @property
    def is_offer(self) -> bool:
        """Whether an answer is due."""
        return self.sdp is not None and self.sdp_type is SdpType.OFFER

    @property
    def may_repeat(self) -> bool:
        """With versions, by which the server knows it again (4.2 rule 4); or as an answer, which changes no version."""
        return self.to_version is not None or (self.sdp is not None and self.sdp_type is SdpType.ANSWER)

    def parameters(self) -> JsonObject:
        """The reference's members."""
        named: list[Json] | None = None if self.enabled_tracks is None else [*self.enabled_tracks]
        return _calls(
            Action.MEDIA_UPDATE,
            self.platform,
            self.call_id,
            session=None if self.sdp is None else _session(Session(self.sdp_type, self.sdp)),
            tracks=None if self.tracks is None else [_track(track) for track in self.tracks],
            enabled_tracks=named,
            from_version=self.from_version,
            to_version=self.to_version,
        )

    def read(self, body: Members) -> results.MediaUpdated:
        """See `results.media_updated`."""
        return results.media_updated(body, self.call_id, self.to_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionRequest(Reading[results.Permission]):
    """May the Page call this consumer (8.1)?"""

    edge: ClassVar[str] = "messenger_call_permissions"

    psid: str

    def parameters(self) -> JsonObject:
        """The query."""
        return {"psid": self.psid}

    def read(self, body: Members) -> results.Permission:
        """See `results.permission`."""
        return results.permission(body)


@dataclass(frozen=True, slots=True)
class CallSettingsRequest(Reading[CallSettings]):
    """The Page's call settings (9.1)."""

    edge: ClassVar[str] = "messenger_call_settings"

    def parameters(self) -> JsonObject:
        """None."""
        return {}

    def read(self, body: Members) -> CallSettings:
        """See `settings.call_settings`."""
        return call_settings(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCallSettingsRequest(Request[results.SettingsStored]):
    """Change any subset of the Page's call settings (9.2); `None` leaves one as it is. New hours replace all earlier ones.

    Raises `ValueError` if there is nothing to change.
    """

    edge: ClassVar[str] = "messenger_call_settings"

    audio_enabled: bool | None = None
    icon_enabled: bool | None = None
    video_enabled: bool | None = None
    ring_target: RingTarget | None = None
    call_hours: CallHours | AlwaysOpen | None = None

    def __post_init__(self) -> None:
        if not self.parameters():
            raise ValueError("at least one setting is needed")

    @property
    def may_repeat(self) -> bool:
        """Yes: afterwards the same holds."""
        return True

    def parameters(self) -> JsonObject:
        """The reference's members."""
        members: JsonObject = {
            "audio_enabled": self.audio_enabled,
            "icon_enabled": self.icon_enabled,
            "video_enabled": self.video_enabled,
            "call_routing": None if self.ring_target is None else {"ring_target": self.ring_target.value},
            "call_hours": hours_object(self.call_hours) if isinstance(self.call_hours, CallHours) else None,
        }
        given = present(members)
        if self.call_hours is ALWAYS_OPEN:
            given["call_hours"] = None
        return given

    def read(self, body: Members) -> results.SettingsStored:
        """What says no is an error before this."""
        return results.SettingsStored()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRequest(Request[results.Sent]):
    """Write to a consumer who has been in touch (8.4). `human_agent`: 7 days after that, instead of 24 hours.

    Never repeated: the contract knows no repeat of it, and a person would see it twice.
    """

    edge: ClassVar[str] = "messages"

    to: str
    content: Content
    human_agent: bool = False

    @property
    def may_repeat(self) -> bool:
        """No: there is no replay."""
        return False

    def parameters(self) -> JsonObject:
        """The platform's members."""
        kind: JsonObject = {"messaging_type": "RESPONSE"}
        if self.human_agent:
            kind = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
        return {"recipient": {"id": self.to}, **kind, "message": message_of(self.content)}

    def read(self, body: Members) -> results.Sent:
        """See `results.sent`."""
        return results.sent(body)


AnyRequest = Request[results.Result]
"""What a batch is made of."""


def _calls(action: Action, platform: Platform | None, call_id: str | None = None, **members: Json) -> JsonObject:
    """The members that are there, in the reference's order."""
    named: JsonObject = {"platform": None if platform is None else platform.value, "call_id": call_id, "action": action.value}
    return present({**named, **members})


def _offer(sdp: str) -> JsonObject:
    return _session(Session(SdpType.OFFER, sdp))


def _session(session: Session) -> JsonObject:
    return {"sdp_type": session.sdp_type.value, "sdp": session.sdp}


def _track(track: Track) -> JsonObject:
    return {"msid": track.msid, "label": track.label.value, "status": track.status.value}


def _tracks(tracks: Sequence[Track]) -> list[Json] | None:
    return [_track(track) for track in tracks] or None
