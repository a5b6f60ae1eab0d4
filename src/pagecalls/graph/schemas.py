"""The bodies of successful answers, member by member in the order of the contract (messenger-calling 2.1, 7.8, 8.1 and 8.4)."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from pagecalls.call.limits import REQUESTS_PER_DAY
from pagecalls.call.permission import PermissionView
from pagecalls.call.settings import CallSettings
from pagecalls.call.states import Action
from pagecalls.http import Json
from pagecalls.switchboard.base import CallReply
from pagecalls.types import SdpType


class SdpObject(msgspec.Struct, frozen=True):
    """A description, an object everywhere."""

    sdp_type: str
    sdp: str


class SessionBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """`session` of a call answer; only there when there is an answer."""

    sdp_response: SdpObject
    sdp_renegotiation: SdpObject | UnsetType = UNSET
    version: int | UnsetType = UNSET


class CallBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answer of `POST /{page_id}/calls`. `sdp` and `sdp_type` repeat the answer for clients that look at the top."""

    success: bool
    call_id: str
    id: str | UnsetType = UNSET
    session: SessionBody | UnsetType = UNSET
    version: int | UnsetType = UNSET
    sdp: str | UnsetType = UNSET
    sdp_type: str | UnsetType = UNSET


def call_body(action: Action, reply: CallReply) -> CallBody:
    """The table of messenger-calling 2.1, and the answer to an update that came too late (4.3)."""
    new_id = reply.call_id if action is Action.CONNECT else UNSET
    version = UNSET if reply.version is None else reply.version
    if reply.answer is None:
        return CallBody(
            not reply.is_collision, reply.call_id, new_id, version=version if action is Action.MEDIA_UPDATE else UNSET
        )
    renegotiation = UNSET if reply.renegotiation is None else SdpObject(SdpType.OFFER.value, reply.renegotiation)
    session = SessionBody(SdpObject(SdpType.ANSWER.value, reply.answer), renegotiation, version)
    return CallBody(True, reply.call_id, new_id, session, sdp=reply.answer, sdp_type=SdpType.ANSWER.value)


class Limit(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often an action is allowed. The doubled name serves readers of the older guide."""

    time_period: str
    max_allowed: int
    max_allowed_per_user: int | UnsetType = UNSET
    current_usage: int | UnsetType = UNSET


class PermittedAction(msgspec.Struct, frozen=True, omit_defaults=True):
    """One action towards the consumer, and whether it would be let through now."""

    action_name: str
    can_perform: bool
    can_perform_action: bool | UnsetType = UNSET
    limits: tuple[Limit, ...] | UnsetType = UNSET


class PermissionState(msgspec.Struct, frozen=True, omit_defaults=True):
    """`expiration_time`, Unix seconds, only while permission is held."""

    status: str
    expiration_time: int | UnsetType = UNSET


class PermissionEntry(msgspec.Struct, frozen=True):
    """The one member of `data`, as the reference spells it."""

    permission: PermissionState
    actions: tuple[PermittedAction, ...]


class PermissionBody(msgspec.Struct, frozen=True):
    """Answer of `GET messenger_call_permissions`: once for readers of the reference, once for readers of the guides."""

    data: tuple[PermissionEntry]
    permission: PermissionState
    actions: tuple[PermittedAction, ...]


def permission_body(facts: PermissionView) -> PermissionBody:
    """messenger-calling 8.1."""
    expiry = UNSET if facts.expires_at is None or not facts.has_permission else int(facts.expires_at)
    status = "HAS_PERMISSION" if facts.has_permission else "NO_PERMISSION"
    return PermissionBody(
        data=(PermissionEntry(PermissionState(status, expiry), _actions(facts, doubled=False)),),
        permission=PermissionState(status.lower(), expiry),
        actions=_actions(facts, doubled=True),
    )


def _actions(facts: PermissionView, doubled: bool) -> tuple[PermittedAction, ...]:
    limit = Limit("PT24H", REQUESTS_PER_DAY, REQUESTS_PER_DAY if doubled else UNSET, facts.requests_in_24h)
    return (
        PermittedAction("send_call_permission_request", facts.can_request, facts.can_request if doubled else UNSET, (limit,)),
        PermittedAction("start_call", facts.can_call, facts.can_call if doubled else UNSET),
    )


class Recipient(msgspec.Struct, frozen=True):
    """Where one of the guides prints the id of a message."""

    id: str
    message_id: str


class SentBody(msgspec.Struct, frozen=True):
    """Answer of `POST messages`, in the three shapes that the guides print (messenger-calling 8.4)."""

    recipient_id: str
    message_id: str
    recipient: Recipient


def sent_body(to: str, message_id: str) -> SentBody:
    """The same two ids in every shape."""
    return SentBody(to, message_id, Recipient(to, message_id))


SUCCESS: Json = {"success": True}
"""What actions without a result answer."""


class RoutingBody(msgspec.Struct, frozen=True):
    """`call_routing`."""

    ring_target: str


class DayBody(msgspec.Struct, frozen=True):
    """One entry of `weekly_operating_hours`."""

    day_of_week: str
    open_time: str
    close_time: str


class HoursBody(msgspec.Struct, frozen=True):
    """`call_hours`."""

    timezone_id: str
    weekly_operating_hours: tuple[DayBody, ...]


class SettingsEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one member of `data`."""

    audio_enabled: bool
    icon_enabled: bool
    video_enabled: bool
    call_routing: RoutingBody
    call_hours: HoursBody | UnsetType = UNSET


class SettingsBody(SettingsEntry, frozen=True, omit_defaults=True, kw_only=True):
    """Answer of `GET messenger_call_settings`: once for readers of the reference, once bare."""

    data: tuple[SettingsEntry]


def settings_body(settings: CallSettings) -> SettingsBody:
    """messenger-calling 9.1. Raises `ValueError` for a ring target that was not derived."""
    if settings.ring_target is None:
        raise ValueError("the ring target is still to be derived")
    hours: HoursBody | UnsetType = UNSET
    if settings.call_hours is not None:
        days = tuple(DayBody(each.day_of_week, each.open_time, each.close_time) for each in settings.call_hours.weekly)
        hours = HoursBody(settings.call_hours.timezone_id, days)
    routing = RoutingBody(settings.ring_target.value)
    entry = SettingsEntry(settings.audio_enabled, settings.icon_enabled, settings.video_enabled, routing, hours)
    return SettingsBody(**msgspec.structs.asdict(entry), data=(entry,))


SETTINGS_STORED: Json = {"success": True, "result": "success"}
"""What a change of settings answers: `result` is the reference's, `success` that of some guides (9.2)."""
