"""One request to one reply: asks the door, renders what it says.

Owns which door method serves which request, and how an exception becomes a JSON-RPC error. Knows no socket: the caller hands in
the frame's text and sends the reply. The error object itself comes from the Graph side's table, which `server/` hands in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from pagecalls.call.states import EndReason
from pagecalls.clock import Clock
from pagecalls.consumer import protocol
from pagecalls.consumer.messages import (
    AcceptParams,
    AcceptResult,
    AnswerParams,
    DeclineParams,
    DtmfParams,
    ErrorCode,
    HangupParams,
    MediaUpdateParams,
    Nothing,
    PickUpSession,
    PingParams,
    PingResult,
    ReplyParams,
    ReplyResult,
    Result,
    RevokeParams,
    SendParams,
    SendResult,
    StartParams,
    StartResult,
    StartSession,
    StatsParams,
    UpdateResult,
    UpdateSession,
    answer,
    error_frame,
    offer,
    result_frame,
)
from pagecalls.consumer.protocol import Refused, Request
from pagecalls.errors import (
    CallingNotAllowed,
    CallingOff,
    ConsumerBusy,
    InternalFault,
    MissingScope,
    NotOffered,
    PageCallsError,
    RequestError,
)
from pagecalls.switchboard.base import CallReply, ConsumerDoor, DeviceIdentity, Release
from pagecalls.types import CallId, PageId

log = logging.getLogger(__name__)

ErrorTable = Callable[[Exception], Mapping[str, object]]
"""An exception to the Graph side's error object: `message`, `type`, `code`, `error_subcode`, `fbtrace_id`."""


def forbidden(errors: ErrorTable, message: str) -> dict[str, object]:
    """The body of a 403 that concerns no call: the error object with words of its own."""
    return {"error": dict(errors(MissingScope("consumer"))) | {"message": message}}


def no_release() -> None:
    """The release of a frame that holds nothing back."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A frame to send, or `None` where the device asked for no reply; `release` is due once it left or can no longer leave."""

    frame: str | None
    release: Release = no_release


class Dispatcher:
    """Serves the requests of one device, one after the other."""

    def __init__(self, door: ConsumerDoor, device: DeviceIdentity, clock: Clock, errors: ErrorTable) -> None:
        self._door = door
        self._device = device
        self._clock = clock
        self._errors = errors

    async def serve(self, text: str | bytes) -> Reply:
        """The reply to one frame: text, or bytes for a binary frame. Raises nothing but `CancelledError`."""
        request = protocol.decode(text) if isinstance(text, str) else protocol.unreadable()
        if isinstance(request, Refused):
            return self._error(request, request.code, request.message, request.cause)
        try:
            result, release = await self._ask(request)
        except PageCallsError as fault:
            code = ErrorCode.INVALID_PARAMS if isinstance(fault, RequestError) else ErrorCode.REFUSED
            return self._error(request, code, str(fault), fault)
        except Exception:
            log.exception("%s failed", request.method.value)
            unexpected = InternalFault()
            return self._error(request, ErrorCode.INTERNAL, str(unexpected), unexpected)
        return Reply(result_frame(request.id, result) if request.wants_reply else None, release)

    async def _ask(self, request: Request) -> tuple[Result, Release]:
        door, device = self._door, self._device
        match request.params:
            case StartParams() as p:
                started = await door.call_start(
                    device, PageId(p.page_id), protocol.offer_of(p.session), protocol.tracks_of(p.tracks), p.message_id
                )
                session = StartSession(sdp_response=answer(started.answer))
                return StartResult(call_id=started.call_id, session=session), started.release
            case AcceptParams() as p:
                return await self._accept(p)
            case DeclineParams() as p:
                await door.call_decline(device, CallId(p.call_id))
            case HangupParams() as p:
                await door.call_hangup(device, CallId(p.call_id))
            case MediaUpdateParams() as p:
                changed = await door.call_media_update(device, protocol.update_of(p))
                return _updated(changed), changed.release
            case AnswerParams() as p:
                await door.call_answer(device, CallId(p.call_id), p.version, protocol.answer_of(p.session))
            case DtmfParams() as p:
                await door.call_dtmf(device, CallId(p.call_id), p.digits)
            case StatsParams() as p:
                await door.call_stats(device, CallId(p.call_id), p.stats)
            case ReplyParams() as p:
                replied = await door.permission_reply(device, p.request_id, protocol.is_approval(p))
                until = None if replied.expires_at is None else int(replied.expires_at)
                return ReplyResult(expiration_timestamp=until), replied.release
            case RevokeParams() as p:
                await door.permission_revoke(device, PageId(p.page_id))
            case SendParams() as p:
                return SendResult(message_id=await door.message_send(device, PageId(p.page_id), p.text)), no_release
            case PingParams():
                return PingResult(time=int(self._clock.now() * 1000)), no_release
            case _ as never:
                assert_never(never)
        return Nothing(), no_release

    async def _accept(self, params: AcceptParams) -> tuple[Result, Release]:
        picked_up = await self._door.call_accept(
            self._device, CallId(params.call_id), protocol.offer_of(params.session), protocol.tracks_of(params.tracks)
        )
        session = PickUpSession(
            sdp_response=answer(picked_up.answer), sdp_renegotiation=offer(picked_up.renegotiation), version=picked_up.version
        )
        return AcceptResult(session=session), picked_up.release

    def _error(self, request: Request | Refused, code: ErrorCode, message: str, cause: Exception) -> Reply:
        if not request.wants_reply:
            return Reply(None)
        data = dict(self._errors(cause))
        if isinstance(request, Request) and isinstance(request.params, StartParams):
            reason = refusal_reason(cause)
            if reason is not None:
                data["reason"] = reason
        return Reply(error_frame(request.id, code, message, data))


def _updated(reply: CallReply) -> UpdateResult:
    if reply.answer is None or reply.version is None:
        return UpdateResult(success=not reply.is_collision, call_id=reply.call_id, version=reply.version)
    session = UpdateSession(
        sdp_response=answer(reply.answer), sdp_renegotiation=offer(reply.renegotiation), version=reply.version
    )
    return UpdateResult(success=True, call_id=reply.call_id, session=session)


def refusal_reason(cause: Exception) -> str | None:
    """`reason` beside the error members when a Page does not take a call (consumer-protocol, Methods)."""
    match cause:
        case NotOffered():
            return cause.reason
        case ConsumerBusy():
            return EndReason.BUSY.value
        case CallingOff() | CallingNotAllowed():
            return EndReason.CALLING_DISABLED.value
        case _:
            return None
