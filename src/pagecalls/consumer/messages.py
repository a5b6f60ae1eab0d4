"""The messages of the consumer's protocol and their JSON (spec: consumer-protocol; JSON-RPC 2.0).

Owns the names and shapes on the wire, both ways. Pure: no socket, no clock, and no rule about what is legal when (`protocol.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from pagecalls.call.messages import MAX_TEXT_CHARS

SUBPROTOCOL = "pagecalls.consumer.v1"
MAX_MESSAGE_BYTES = 1024 * 1024

RequestId = str | int | float | None
"""The `id` of a request, given back as it came."""


class Method(StrEnum):
    """What a device may ask."""

    CALL_START = "call.start"
    CALL_ACCEPT = "call.accept"
    CALL_DECLINE = "call.decline"
    CALL_HANGUP = "call.hangup"
    CALL_MEDIA_UPDATE = "call.media_update"
    CALL_ANSWER = "call.answer"
    CALL_DTMF = "call.dtmf"
    CALL_STATS = "call.stats"
    PERMISSION_REPLY = "permission.reply"
    PERMISSION_REVOKE = "permission.revoke"
    MESSAGE_SEND = "message.send"
    PING = "ping"


class Notice(StrEnum):
    """What the server tells a device unasked."""

    INCOMING = "call.incoming"
    RINGING = "call.ringing"
    ACCEPTED = "call.accepted"
    CONNECTED = "call.connected"
    MEDIA_UPDATE = "call.media_update"
    ENDED = "call.ended"
    RESUMED = "call.resumed"
    PERMISSION_REQUEST = "permission.request"
    MESSAGE = "message"


class ErrorCode(IntEnum):
    """JSON-RPC 2.0 section 5.1, and one of its free codes for what the call or its parties do not allow."""

    UNREADABLE = -32700
    INVALID_REQUEST = -32600
    UNKNOWN_METHOD = -32601
    INVALID_PARAMS = -32602
    INTERNAL = -32603
    REFUSED = -32000


class Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of everything below. Members that we do not know are ignored."""


# --- parameters: device to server -------------------------------------------------------------------------------------

Identifier = Annotated[str, Meta(min_length=1, max_length=128)]
PageNumber = Annotated[str, Meta(pattern=r"^[0-9]{1,32}\Z")]


class SessionIn(Wire, frozen=True, kw_only=True):
    """A description. Its type and text are judged in `protocol.py`, which has a contract error for each fault."""

    sdp_type: str = ""
    sdp: str | None = None


class TrackIn(Wire, frozen=True, kw_only=True):
    """One entry of `tracks` (messenger-calling 5.1)."""

    msid: Annotated[str, Meta(min_length=1, max_length=256)]
    label: str
    status: str = "enabled"


class StartParams(Wire, frozen=True, kw_only=True):
    """`call.start`. `message_id`: the message whose call button was tapped, if one was."""

    page_id: PageNumber
    session: SessionIn | None = None
    tracks: Annotated[list[TrackIn], Meta(max_length=64)] | None = None
    message_id: Identifier | None = None


class AcceptParams(Wire, frozen=True, kw_only=True):
    """`call.accept`."""

    call_id: Identifier
    session: SessionIn | None = None
    tracks: Annotated[list[TrackIn], Meta(max_length=64)] | None = None


class DeclineParams(Wire, frozen=True, kw_only=True):
    """`call.decline`."""

    call_id: Identifier


class HangupParams(Wire, frozen=True, kw_only=True):
    """`call.hangup`."""

    call_id: Identifier


class MediaUpdateParams(Wire, frozen=True, kw_only=True):
    """`call.media_update`: both versions or neither, `session` or `tracks`."""

    call_id: Identifier
    from_version: Annotated[int, Meta(ge=0)] | None = None
    to_version: Annotated[int, Meta(ge=0)] | None = None
    session: SessionIn | None = None
    tracks: Annotated[list[TrackIn], Meta(max_length=64)] | None = None


class AnswerParams(Wire, frozen=True, kw_only=True):
    """`call.answer`."""

    call_id: Identifier
    version: Annotated[int, Meta(ge=0)]
    session: SessionIn | None = None


class DtmfParams(Wire, frozen=True, kw_only=True):
    """`call.dtmf`: digits of RFC 4733, events 0 to 15, and `,` for a pause of 1 s."""

    call_id: Identifier
    digits: Annotated[str, Meta(pattern=r"^[0-9*#A-D,]+\Z")]


class StatsParams(Wire, frozen=True, kw_only=True):
    """`call.stats`: the device's own extract of its statistics, in any shape."""

    call_id: Identifier
    stats: object


class ReplyParams(Wire, frozen=True, kw_only=True):
    """`permission.reply`. `response` is `approve` or `reject`."""

    request_id: Identifier
    response: str


class RevokeParams(Wire, frozen=True, kw_only=True):
    """`permission.revoke`: the Page may not call any more."""

    page_id: PageNumber


class SendParams(Wire, frozen=True, kw_only=True):
    """`message.send`."""

    page_id: PageNumber
    text: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARS)]


class PingParams(Wire, frozen=True, kw_only=True):
    """`ping`."""


Params = (
    StartParams
    | AcceptParams
    | DeclineParams
    | HangupParams
    | MediaUpdateParams
    | AnswerParams
    | DtmfParams
    | StatsParams
    | ReplyParams
    | RevokeParams
    | SendParams
    | PingParams
)


# --- bodies: server to device -----------------------------------------------------------------------------------------


class SessionOut(Wire, frozen=True, kw_only=True):
    """A description as it leaves."""

    sdp_type: str
    sdp: str


def offer(sdp: str | None) -> SessionOut | None:
    """An `sdp_renegotiation`, if there is a text for one."""
    return None if sdp is None else SessionOut(sdp_type="offer", sdp=sdp)


def answer(sdp: str) -> SessionOut:
    """An `sdp_response`."""
    return SessionOut(sdp_type="answer", sdp=sdp)


class StartSession(Wire, frozen=True, kw_only=True):
    """`session` in the result of `call.start`."""

    sdp_response: SessionOut


class PickUpSession(Wire, frozen=True, kw_only=True):
    """`session` in the result of `call.accept`; `version` as on the Graph side (messenger-calling 2.1)."""

    sdp_response: SessionOut
    sdp_renegotiation: SessionOut | None = None
    version: int


class OfferSession(Wire, frozen=True, kw_only=True):
    """`session` in a notification."""

    sdp_renegotiation: SessionOut
    version: int


class StartResult(Wire, frozen=True, kw_only=True):
    """Result of `call.start`."""

    call_id: str
    session: StartSession


class AcceptResult(Wire, frozen=True, kw_only=True):
    """Result of `call.accept`."""

    session: PickUpSession


class UpdateSession(Wire, frozen=True, kw_only=True):
    """`session` in the result of `call.media_update`, as on the Graph side (messenger-calling 2.1)."""

    sdp_response: SessionOut
    sdp_renegotiation: SessionOut | None = None
    version: int


class UpdateResult(Wire, frozen=True, kw_only=True):
    """Result of `call.media_update`. `version` stands here when there is no `session`; without `success` nothing was done
    (4.3)."""

    success: bool
    call_id: str
    session: UpdateSession | None = None
    version: int | None = None


class ReplyResult(Wire, frozen=True, kw_only=True):
    """Result of `permission.reply`: until when the Page may call, Unix seconds, after an approval."""

    expiration_timestamp: int | None = None


class SendResult(Wire, frozen=True, kw_only=True):
    """Result of `message.send`."""

    message_id: str


class PingResult(Wire, frozen=True, kw_only=True):
    """Result of `ping`: Unix milliseconds."""

    time: int


class Nothing(Wire, frozen=True, kw_only=True):
    """`{}`."""


Result = StartResult | AcceptResult | UpdateResult | ReplyResult | SendResult | PingResult | Nothing


class PageOut(Wire, frozen=True, kw_only=True):
    """A Page as a device sees it."""

    id: str
    name: str


class Incoming(Wire, frozen=True, kw_only=True):
    """`call.incoming`."""

    call_id: str
    page: PageOut
    video: bool


class Ringing(Wire, frozen=True, kw_only=True):
    """`call.ringing`."""

    call_id: str


class Accepted(Wire, frozen=True, kw_only=True):
    """`call.accepted`."""

    call_id: str
    session: OfferSession | None = None


class Connected(Wire, frozen=True, kw_only=True):
    """`call.connected`: Unix seconds."""

    call_id: str
    connected_at: int


class TrackOut(Wire, frozen=True, kw_only=True):
    """A track of the business: `msid` as our last offer names it, empty while that offers none."""

    msid: str
    label: str
    status: str


class Changed(Wire, frozen=True, kw_only=True):
    """`call.media_update`: the business changed its media. `tracks` are all that it has now."""

    call_id: str
    session: OfferSession
    tracks: tuple[TrackOut, ...]


class EndedOut(Wire, frozen=True, kw_only=True):
    """`call.ended`; `status` as in the terminate webhook, `duration` in seconds."""

    call_id: str
    reason: str
    status: str
    duration: int | None = None


class Resumed(Wire, frozen=True, kw_only=True):
    """`call.resumed`. `session`: our last offer, which may have gone astray while the device was away; its `version` tells.

    `tracks`: what the business has now.
    """

    call_id: str
    state: str
    session: OfferSession | None = None
    tracks: tuple[TrackOut, ...] | None = None


class Asked(Wire, frozen=True, kw_only=True):
    """`permission.request`: the Page asks to be allowed to call; it can be answered until `expires_at`, Unix seconds."""

    request_id: str
    page: PageOut
    expires_at: int


class ButtonOut(Wire, frozen=True, kw_only=True):
    """A button of a message. `expires_at`, Unix seconds, only of one that calls; the others do nothing."""

    type: str
    title: str
    expires_at: int | None = None


class Written(Wire, frozen=True, kw_only=True):
    """`message`: the Page has written. The same message may come again while its button works; `message_id` tells."""

    message_id: str
    page_id: str
    text: str | None = None
    buttons: tuple[ButtonOut, ...] | None = None


Notification = Incoming | Ringing | Accepted | Connected | Changed | EndedOut | Resumed | Asked | Written

NOTICE_OF: Mapping[type[Notification], Notice] = {
    Incoming: Notice.INCOMING,
    Ringing: Notice.RINGING,
    Accepted: Notice.ACCEPTED,
    Connected: Notice.CONNECTED,
    Changed: Notice.MEDIA_UPDATE,
    EndedOut: Notice.ENDED,
    Resumed: Notice.RESUMED,
    Asked: Notice.PERMISSION_REQUEST,
    Written: Notice.MESSAGE,
}


# --- frames -----------------------------------------------------------------------------------------------------------


def result_frame(request_id: RequestId, result: Result) -> str:
    """The reply to a request that was done."""
    return _text({"jsonrpc": "2.0", "id": request_id, "result": result})


def error_frame(request_id: RequestId, code: ErrorCode, message: str, data: Mapping[str, object]) -> str:
    """The reply to a request that was not done. `data` is the error object of the Graph side."""
    error = {"code": int(code), "message": message, "data": dict(data)}
    return _text({"jsonrpc": "2.0", "id": request_id, "error": error})


def notification_frame(body: Notification) -> str:
    """A message that nobody answers."""
    return _text({"jsonrpc": "2.0", "method": NOTICE_OF[type(body)], "params": body})


def _text(message: dict[str, object]) -> str:
    return msgspec.json.encode(message).decode()
