"""The events that a Page's webhook brings: their signature, and their bodies as values (messenger-calling 7, graph-platform 7).

Pure: bytes in, events out; the HTTP server is the app's own. A newer server's members are left alone, and so are its kinds of
events. Events come at least once: `event_id` tells a repeat, where the server gives one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from pagecalls.client.errors import ClientError
from pagecalls.client.members import Members, WrongShape, decode
from pagecalls.client.results import description
from pagecalls.client.settings import CallSettings, told_settings
from pagecalls.types import Direction, Platform, SdpType, Session

SIGNATURE_HEADER = "X-Hub-Signature-256"


class WebhookError(ClientError):
    """A request to the webhook that is not to be acted upon."""


class BadSignature(WebhookError):
    """It was not signed with the app's secret. Answer 403."""


class BadEvent(WebhookError):
    """It is signed, but its body is not what the contract says. Answer 200 all the same, or it comes again."""


class CallStatusKind(StrEnum):
    """What a device of the called consumer does."""

    RINGING = "ringing"
    ACCEPTED = "accepted"


class Outcome(StrEnum):
    """Whether a call ended in the ordinary way, spelled as on the wire. Rejected and unanswered are ordinary."""

    COMPLETED = "Completed"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all have. `timestamp` is Unix seconds; `event_id` is the same at every delivery of one event."""

    call_id: str
    page_id: str
    platform: Platform
    timestamp: int
    event_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect(Event):
    """A call has begun (7.2). `psid` is the consumer in both directions."""

    psid: str
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatus(Event):
    """A call of the business rings or was picked up (7.3)."""

    psid: str
    status: CallStatusKind


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaUpdate(Event):
    """The server's offer (7.4). Apply it and set the own counter to `version`; an older one that comes late is dropped."""

    version: int
    offer: Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminate(Event):
    """The call is over (7.5). Times are Unix seconds. `duration_s` is `None` for a call that never connected."""

    outcome: Outcome
    started_at: int | None
    ended_at: int | None
    duration_s: int | None


CallEvent: TypeAlias = Connect | CallStatus | MediaUpdate | Terminate
"""Any event of a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettingsUpdate:
    """The Page's call settings were written (7.7): all that hold now. `timestamp` is Unix seconds."""

    page_id: str
    timestamp: int
    settings: CallSettings


class PermissionAnswer(StrEnum):
    """What a consumer says to a permission request."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionReply:
    """A consumer answered a permission request (7.6). `expires_at`, Unix seconds, only after an approval."""

    page_id: str
    platform: Platform
    timestamp: int
    psid: str
    answer: PermissionAnswer
    expires_at: int | None


AnyEvent: TypeAlias = CallEvent | CallSettingsUpdate | PermissionReply
"""Any event at all."""

Kind = TypeVar("Kind", bound=StrEnum)


def receive(app_secret: str, body: bytes, signature: str | None) -> tuple[AnyEvent, ...]:
    """Check and read one delivery: the raw body, and the value of `SIGNATURE_HEADER`. Raises `BadSignature` and `BadEvent`."""
    verify(app_secret, body, signature)
    return parse(body)


def verify(app_secret: str, body: bytes, signature: str | None) -> None:
    """Raises `BadSignature` unless `signature` belongs to exactly these bytes. Takes the same time for every wrong value."""
    expected = "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), (signature or "").encode("utf-8", "replace")):
        raise BadSignature(f"{SIGNATURE_HEADER} does not belong to this body")


def challenge(query: Mapping[str, str], verify_token: str) -> str:
    """What to answer to the handshake of a subscription, a `GET` with this query. Raises `BadSignature` for a foreign one."""
    token = query.get("hub.verify_token", "")
    is_ours = hmac.compare_digest(token.encode("utf-8", "replace"), verify_token.encode())
    if query.get("hub.mode") != "subscribe" or not is_ours:
        raise BadSignature("hub.verify_token is not ours")
    return query.get("hub.challenge", "")


def parse(body: bytes) -> tuple[AnyEvent, ...]:
    """The events in one body, in order; none if it tells of other things. Raises `BadEvent`."""
    try:
        return tuple(_events(Members.of(decode(body))))
    except WrongShape as error:
        raise BadEvent(str(error)) from error


def _events(body: Members) -> list[AnyEvent]:
    platform = _PLATFORMS.get(body.required_text("object"))
    if platform is None:
        return []
    events: list[AnyEvent] = []
    for entry in body.objects("entry"):
        reply = entry.object("call_permission_reply")
        if reply is not None:
            events.append(_permission_reply(entry, reply, platform))
        for item in entry.objects("calls"):
            read = _READERS.get(item.required_text("event"))
            if read is not None:
                events.append(read(item, entry.required_text("id"), platform))
        if "call_settings" in entry:
            events.append(_settings(entry))
    return events


def _permission_reply(entry: Members, reply: Members, platform: Platform) -> PermissionReply:
    return PermissionReply(
        page_id=entry.required_text("id"),
        platform=platform,
        timestamp=entry.required_number("timestamp"),
        psid=entry.required_object("sender").required_text("id"),
        answer=_kind(reply, "response", PermissionAnswer),
        expires_at=reply.number("expiration_timestamp"),
    )


def _connect(item: Members, page_id: str, platform: Platform) -> Connect:
    return Connect(
        call_id=item.required_text("id"),
        page_id=page_id,
        platform=platform,
        timestamp=item.required_number("timestamp"),
        event_id=item.text("event_id"),
        psid=item.required_text("from"),
        direction=_kind(item, "call_direction", Direction),
    )


def _call_status(item: Members, page_id: str, platform: Platform) -> CallStatus:
    return CallStatus(
        call_id=item.required_text("id"),
        page_id=page_id,
        platform=platform,
        timestamp=item.required_number("timestamp"),
        event_id=item.text("event_id"),
        psid=item.required_text("recipient_id"),
        status=_kind(item, "call_status", CallStatusKind),
    )


def _media_update(item: Members, page_id: str, platform: Platform) -> MediaUpdate:
    session = item.required_object("session")
    offer = description(session, "sdp_renegotiation", SdpType.OFFER)
    if offer is None:
        raise WrongShape("session.sdp_renegotiation is missing")
    return MediaUpdate(
        call_id=item.required_text("id"),
        page_id=page_id,
        platform=platform,
        timestamp=item.required_number("timestamp"),
        event_id=item.text("event_id"),
        version=session.required_number("version"),
        offer=offer,
    )


def _terminate(item: Members, page_id: str, platform: Platform) -> Terminate:
    return Terminate(
        call_id=item.required_text("id"),
        page_id=page_id,
        platform=platform,
        timestamp=item.required_number("timestamp"),
        event_id=item.text("event_id"),
        outcome=_kind(item, "status", Outcome),
        started_at=item.number("start_time"),
        ended_at=item.number("end_time"),
        duration_s=item.number("duration"),
    )


def _settings(entry: Members) -> CallSettingsUpdate:
    return CallSettingsUpdate(
        page_id=entry.required_text("id"),
        timestamp=entry.required_number("time"),
        settings=told_settings(entry.required_object("call_settings")),
    )


def _kind(item: Members, name: str, kinds: type[Kind]) -> Kind:
    """One of an enum's values, in any case."""
    text = item.required_text(name)
    for kind in kinds:
        if kind.value.lower() == text.lower():
            return kind
    raise WrongShape(f"{name} is {text[:40]!r}")


_PLATFORMS: Mapping[str, Platform] = MappingProxyType({"page": Platform.MESSENGER, "instagram": Platform.INSTAGRAM})

_READERS: Mapping[str, Callable[[Members, str, Platform], CallEvent]] = MappingProxyType(
    {"connect": _connect, "call_status": _call_status, "media_update": _media_update, "terminate": _terminate}
)
