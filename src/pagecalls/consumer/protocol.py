"""What a device may send: one text frame becomes one typed request, or the error reply that it earns.

Owns the order of the checks and which fault is which JSON-RPC code. Knows no socket, no call and no time. `decode` is total: no
frame, however odd, makes it raise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeGuard, TypeVar

import msgspec

from pagecalls.call.versions import advance_of
from pagecalls.consumer.messages import (
    AcceptParams,
    AnswerParams,
    DeclineParams,
    DtmfParams,
    ErrorCode,
    HangupParams,
    MediaUpdateParams,
    Method,
    Params,
    PingParams,
    ReplyParams,
    RequestId,
    RevokeParams,
    SendParams,
    SessionIn,
    StartParams,
    StatsParams,
    TrackIn,
)
from pagecalls.errors import (
    ConnectionFault,
    InvalidValue,
    MissingParameter,
    PageCallsError,
    UnknownPath,
    UnreadableBody,
    UnusableConnection,
)
from pagecalls.http import NotJson, parse_json
from pagecalls.switchboard.base import MediaUpdateRequest
from pagecalls.types import CallId, SdpType, Session, Track, TrackLabel, TrackStatus

MAX_ID_CHARS = 256
_MAX_ID = 2**63 - 1

E = TypeVar("E", bound=StrEnum)


class Answer(StrEnum):
    """`response` of `permission.reply`."""

    APPROVE = "approve"
    REJECT = "reject"


PARAMS_OF: Mapping[Method, type[Params]] = {
    Method.CALL_START: StartParams,
    Method.CALL_ACCEPT: AcceptParams,
    Method.CALL_DECLINE: DeclineParams,
    Method.CALL_HANGUP: HangupParams,
    Method.CALL_MEDIA_UPDATE: MediaUpdateParams,
    Method.CALL_ANSWER: AnswerParams,
    Method.CALL_DTMF: DtmfParams,
    Method.CALL_STATS: StatsParams,
    Method.PERMISSION_REPLY: ReplyParams,
    Method.PERMISSION_REVOKE: RevokeParams,
    Method.MESSAGE_SEND: SendParams,
    Method.PING: PingParams,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed request. Without `wants_reply` it came as a JSON-RPC notification and nothing is sent back."""

    id: RequestId
    wants_reply: bool
    method: Method
    params: Params


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame that is no request of ours. `cause` becomes the `data` of the reply."""

    id: RequestId
    wants_reply: bool
    code: ErrorCode
    message: str
    cause: PageCallsError


def decode(text: str | bytes) -> Request | Refused:
    """One text frame (JSON-RPC 2.0; one message a frame, so no batches)."""
    try:
        message = parse_json(text)
    except NotJson:
        return unreadable()
    if not isinstance(message, dict):
        return _invalid(None, InvalidValue("message"))
    request_id = message.get("id")
    if not _is_id(request_id):
        return _invalid(None, InvalidValue("id"))
    if message.get("jsonrpc") != "2.0":
        return _invalid(request_id, InvalidValue("jsonrpc"))
    name = message.get("method")
    if not isinstance(name, str):
        return _invalid(request_id, InvalidValue("method") if "method" in message else MissingParameter("method"))
    return _request(request_id, "id" in message, name, message.get("params", {}))


def unreadable() -> Refused:
    """What a frame earns that is not JSON: a broken text, or a binary frame."""
    cause = UnreadableBody("application/json")
    return Refused(None, True, ErrorCode.UNREADABLE, str(cause), cause)


def offer_of(session: SessionIn | None) -> Session:
    """The offer that `call.start` and `call.accept` must bring. Raises `UnusableConnection`."""
    return _description(session, SdpType.OFFER)


def answer_of(session: SessionIn | None) -> Session:
    """The answer that `call.answer` brings. Raises `UnusableConnection`."""
    return _description(session, SdpType.ANSWER)


def update_of(params: MediaUpdateParams) -> MediaUpdateRequest:
    """What `call.media_update` asks. Raises `InvalidValue`, `MissingParameter`, `UnusableConnection`."""
    advance = advance_of(params.from_version, params.to_version)
    call_id = CallId(params.call_id)
    tracks = tracks_of(params.tracks) if params.tracks is not None else None
    if params.session is not None:
        if params.session.sdp is None:
            return MediaUpdateRequest(call_id, None)
        is_answer = params.session.sdp_type.lower() == SdpType.ANSWER
        session = _description(params.session, SdpType.ANSWER if is_answer else SdpType.OFFER)
        return MediaUpdateRequest(call_id, session, tracks, advance=advance)
    if tracks is None:
        raise MissingParameter("session")
    return MediaUpdateRequest(call_id, None, tracks, advance=advance)


def is_approval(params: ReplyParams) -> bool:
    """What `permission.reply` says. Raises `InvalidValue`."""
    return _member(Answer, params.response, "response") is Answer.APPROVE


def tracks_of(tracks: list[TrackIn] | None) -> tuple[Track, ...]:
    """The wire's `tracks`. Raises `InvalidValue`."""
    return tuple(
        Track(
            track.msid,
            _member(TrackLabel, track.label, f"tracks[{index}].label"),
            _member(TrackStatus, track.status, f"tracks[{index}].status"),
        )
        for index, track in enumerate(tracks or [])
    )


def _request(request_id: RequestId, wants_reply: bool, name: str, params: object) -> Request | Refused:
    try:
        method = Method(name)
    except ValueError:
        text = f"There is no method {name[:64]!r}."
        return Refused(request_id, wants_reply, ErrorCode.UNKNOWN_METHOD, text, UnknownPath(f"/{name[:64]}"))
    try:
        return Request(request_id, wants_reply, method, _params(PARAMS_OF[method], params))
    except PageCallsError as fault:
        return Refused(request_id, wants_reply, ErrorCode.INVALID_PARAMS, str(fault), fault)


def _params(shape: type[Params], params: object) -> Params:
    """Member by member, so that the fault names its parameter."""
    params = {} if params is None else params
    if not isinstance(params, dict):
        raise InvalidValue("params")
    for field in msgspec.structs.fields(shape):
        if field.encode_name not in params:
            if field.required:
                raise MissingParameter(field.encode_name)
            continue
        try:
            msgspec.convert(params[field.encode_name], field.type)
        except (msgspec.ValidationError, RecursionError):
            raise InvalidValue(field.encode_name) from None
    built = msgspec.convert(params, shape)
    _check_content(built)
    return built


def _check_content(params: Params) -> None:
    """What a shape alone cannot say, while the fault still counts as one of the parameters."""
    match params:
        case StartParams() | AcceptParams():
            offer_of(params.session)
            tracks_of(params.tracks)
        case AnswerParams():
            answer_of(params.session)
        case MediaUpdateParams():
            update_of(params)
        case ReplyParams():
            is_approval(params)
        case _:
            pass


def _description(session: SessionIn | None, wanted: SdpType) -> Session:
    if session is None or session.sdp is None:
        raise UnusableConnection(ConnectionFault.SESSION_ABSENT)
    if session.sdp_type.lower() != wanted:
        raise UnusableConnection(ConnectionFault.WRONG_SDP_TYPE, f"expected {wanted}")
    return Session(wanted, session.sdp)


def _member(kind: type[E], value: str, parameter: str) -> E:
    try:
        return kind(value.lower())  # any case, as on the Graph side (messenger-calling 1.1)
    except ValueError:
        raise InvalidValue(parameter, tuple(member.value for member in kind), value[:64]) from None


def _is_id(value: object) -> TypeGuard[RequestId]:
    if isinstance(value, str):
        return len(value) <= MAX_ID_CHARS
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) <= _MAX_ID
    return value is None or isinstance(value, float)


def _invalid(request_id: RequestId, cause: PageCallsError) -> Refused:
    """JSON-RPC 2.0 section 5: replied to even without an id, as it cannot be told from a request."""
    return Refused(request_id, True, ErrorCode.INVALID_REQUEST, str(cause), cause)
