"""From an error to the answer that a Graph client reads. The only place that knows HTTP statuses and Graph codes.

One table, `ROWS`, holds every error class of `pagecalls.errors` (messenger-calling 1.4, rulings 1, 2 and 16); classes whose
subcode depends on a field have a row for each value of it. `docs/errors.md` is written from the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from pagecalls.errors import (
    AlreadyConnected,
    AlreadyTaken,
    AppRateReached,
    AppTokenRequired,
    BadToken,
    BodyTooLarge,
    BusinessCallingOff,
    CallbackUnverified,
    CallEnded,
    CallFailed,
    CallingNotAllowed,
    CallingOff,
    CallRateReached,
    ClosedHow,
    CodeFault,
    ConnectionFault,
    ConsumerBusy,
    ConsumerUnavailable,
    CurrentUserUnknown,
    EndedHow,
    InternalFault,
    InvalidValue,
    MalformedFields,
    MalformedSdp,
    MediaConflict,
    MetricsFault,
    MissingOAuthParameter,
    MissingParameter,
    MissingScope,
    NoLinkedNumber,
    NoLiveButton,
    NoPermission,
    NoSuchConsumer,
    NotInCall,
    NotOffered,
    NoToken,
    NotOwner,
    NotRouted,
    OutsideWindow,
    PageCallsError,
    PageRateReached,
    PageTokenRequired,
    PermissionHeld,
    RequestClosed,
    RequestRateReached,
    SettingFault,
    TemplateFault,
    TokenFault,
    Unavailable,
    UninspectableToken,
    UnknownAlias,
    UnknownApp,
    UnknownCall,
    UnknownField,
    UnknownObject,
    UnknownPath,
    UnreadableBody,
    UnusableBatch,
    UnusableCode,
    UnusableConnection,
    UnusableMetrics,
    UnusableSetting,
    UnusableTemplate,
    UseCase,
    UseCaseRateReached,
    UserRateReached,
    WrongClientSecret,
    WrongPage,
    WrongProof,
    WrongState,
)
from pagecalls.http import JsonObject, header_safe

Key: TypeAlias = "type[PageCallsError] | tuple[type[PageCallsError], StrEnum]"

_HEADER_TEXT_LIMIT = 500


class ErrorType(StrEnum):
    """The wire's `type`."""

    OAUTH = "OAuthException"
    GRAPH_METHOD = "GraphMethodException"


@dataclass(frozen=True, slots=True)
class Row:
    """How one error looks on the wire. `name` is that of messenger-calling 1.4, or of graph-platform 4.1 where 1.4 has none.

    `user` is the pair of `error_user_title` and `error_user_msg`, for cases that a person in front of an app may be told.
    """

    name: str
    http: int
    code: int
    subcode: int | None = None
    type: ErrorType = ErrorType.OAUTH
    is_transient: bool = False
    user: tuple[str, str] | None = None


_LOST = ("Call unavailable", "This call can no longer be reached.")
_OVER = ("Call ended", "This call is over.")
_BUSY = ("Person is busy", "This person is in another call. Try again later.")
_AWAY = ("Person is not available", "This person cannot be reached right now.")
_OFTEN = ("Too many calls", "This person has been called often today. Try again later.")
_ASKED = ("Already asked", "This person was asked for permission twice today. Try again tomorrow.")
_SILENT = ("Message not sent", "This person has not written lately.")
_ASK = ("Permission needed", "Ask this person for permission before you call.")
_ELSEWHERE = ("Call taken", "This call is handled elsewhere.")
_CLOSED = ("Calling is off", "Calling is not available for this Page.")
_RETRY = ("Please try again", "Something went wrong on our side. Try again in a moment.")

CONNECTION_SUBCODES: Mapping[ConnectionFault, int] = MappingProxyType(
    {
        ConnectionFault.SESSION_ABSENT: 9901101,
        ConnectionFault.WRONG_SDP_TYPE: 9901102,
        ConnectionFault.NO_BUNDLE: 9901103,
        ConnectionFault.NO_RTCP_MUX: 9901104,
        ConnectionFault.NO_CREDENTIALS: 9901105,
        ConnectionFault.DTLS_ROLE: 9901106,
        ConnectionFault.NO_OPUS: 9901107,
        ConnectionFault.LINES_CHANGED: 9901108,
        ConnectionFault.UNKNOWN_MSID: 9901110,
        ConnectionFault.LABEL_MISFIT: 9901111,
        ConnectionFault.TOO_MANY_TRACKS: 9901112,
        ConnectionFault.VIDEO_OFF: 9901113,
    }
)

SETTING_SUBCODES: Mapping[SettingFault, int] = MappingProxyType(
    {
        SettingFault.ZONE: 9903001,
        SettingFault.TIME: 9903002,
        SettingFault.CLOSES_TOO_EARLY: 9903003,
        SettingFault.DAY_TWICE: 9903004,
        SettingFault.DAY: 9903005,
        SettingFault.RING_TARGET: 9903006,
        SettingFault.NOT_SUBSCRIBED: 9903007,
        SettingFault.NOTHING_GIVEN: 9903008,
    }
)

TEMPLATE_SUBCODES: Mapping[TemplateFault, int] = MappingProxyType(
    {
        TemplateFault.UNKNOWN: 9902010,
        TemplateFault.TTL: 9902011,
        TemplateFault.DAYS: 9902012,
        TemplateFault.NO_TITLE: 9902013,
    }
)

METRICS_SUBCODES: Mapping[MetricsFault, int] = MappingProxyType(
    {
        MetricsFault.IN_PROGRESS: 9904001,
        MetricsFault.TOO_LATE: 9904002,
        MetricsFault.ALREADY_SUBMITTED: 9904003,
        MetricsFault.BAD_REASON: 9904004,
        MetricsFault.BAD_STATS: 9904005,
    }
)

ROWS: Mapping[Key, Row] = MappingProxyType(
    {
        NoToken: Row("E_NO_TOKEN", 400, 104),
        CurrentUserUnknown: Row("E_NO_ME", 400, 2500),
        (BadToken, TokenFault.UNPARSEABLE): Row("E_BAD_TOKEN", 400, 190),
        (BadToken, TokenFault.MALFORMED): Row("E_BAD_TOKEN", 400, 190),
        (BadToken, TokenFault.EXPIRED): Row("E_BAD_TOKEN", 400, 190, 463),
        (BadToken, TokenFault.REVOKED): Row("E_BAD_TOKEN", 400, 190, 467),
        (BadToken, TokenFault.APP_REMOVED): Row("E_BAD_TOKEN", 400, 190, 458),
        (BadToken, TokenFault.CHECKPOINT): Row("E_BAD_TOKEN", 400, 190, 459),
        (BadToken, TokenFault.PASSWORD_CHANGED): Row("E_BAD_TOKEN", 400, 190, 460),
        (BadToken, TokenFault.UNCONFIRMED): Row("E_BAD_TOKEN", 400, 190, 464),
        (BadToken, TokenFault.ROLE_MISSING): Row("E_BAD_TOKEN", 400, 190, 492),
        WrongProof: Row("E_PROOF", 400, 100, 9905002, ErrorType.GRAPH_METHOD),
        MissingScope: Row("E_SCOPE", 403, 200, 9905003),
        PageTokenRequired: Row("E_TOKEN_KIND", 403, 210),
        AppTokenRequired: Row("E_APP_TOKEN", 400, 15),
        WrongPage: Row("E_WRONG_PAGE", 403, 200, 9905004),
        WrongClientSecret: Row("E_CLIENT_SECRET", 400, 1),
        UninspectableToken: Row("E_INSPECT", 400, 100),
        UnknownObject: Row("E_NO_PAGE, E_METHOD", 400, 100, 33, ErrorType.GRAPH_METHOD),
        UnknownAlias: Row("E_ALIAS", 404, 803),
        UnknownPath: Row("E_VERSION", 400, 2500, 9905005),
        UnknownApp: Row("E_APP_ID", 400, 101),
        BodyTooLarge: Row("E_SIZE", 413, 1),
        UnreadableBody: Row("E_BODY", 400, 100, 9905012),
        MissingParameter: Row("E_MISSING", 400, 100, 9905010),
        InvalidValue: Row("E_VALUE", 400, 100, 9905011),
        UnknownField: Row("E_VALUE", 400, 100, 9905011),
        MalformedFields: Row("E_FIELDS", 400, 2500),
        UnusableBatch: Row("E_VALUE", 400, 100, 9905011),
        CallbackUnverified: Row("E_CALLBACK", 400, 2200),
        **{(UnusableSetting, fault): Row("E_SETTINGS", 400, 100, subcode) for fault, subcode in SETTING_SUBCODES.items()},
        **{(UnusableTemplate, fault): Row("E_TEMPLATE", 400, 100, subcode) for fault, subcode in TEMPLATE_SUBCODES.items()},
        **{(UnusableMetrics, fault): Row("E_METRICS", 400, 100, subcode) for fault, subcode in METRICS_SUBCODES.items()},
        MissingOAuthParameter: Row("E_APP_ID", 400, 101),
        **{(UnusableCode, fault): Row("E_CODE", 400, 100) for fault in CodeFault},
        AppRateReached: Row("E_APP_RATE", 403, 4, is_transient=True),
        UserRateReached: Row("E_USER_RATE", 400, 17, is_transient=True),
        PageRateReached: Row("E_PAGE_RATE", 400, 32, is_transient=True),
        (UseCaseRateReached, UseCase.PAGES): Row("E_USE_CASE_RATE", 400, 80001, is_transient=True),
        (UseCaseRateReached, UseCase.INSTAGRAM): Row("E_USE_CASE_RATE", 400, 80002, is_transient=True),
        (UseCaseRateReached, UseCase.MESSENGER): Row("E_USE_CASE_RATE", 400, 80006, is_transient=True),
        CallingNotAllowed: Row("E_NOT_ALLOWED", 403, 2018389, user=_CLOSED),
        CallingOff: Row("E_CALLING_OFF", 403, 2018389, 1893056, user=_CLOSED),
        BusinessCallingOff: Row("E_BIZ_CALL_OFF", 403, 10, 9902002, user=_CLOSED),
        NotOffered: Row("E_NOT_OFFERED", 403, 2018389, user=_CLOSED),
        NoLinkedNumber: Row("E_VALUE", 400, 100, 9905011),
        UnknownCall: Row("E_CALL_ID", 400, 2018390, 9901001, user=_LOST),
        **{(UnusableConnection, fault): Row("E_CONN", 400, 2018391, subcode) for fault, subcode in CONNECTION_SUBCODES.items()},
        MalformedSdp: Row("E_SDP", 400, 2018392, 9901190),
        NotInCall: Row("E_NOT_IN_CALL", 403, 2018393, user=_LOST),
        NotOwner: Row("E_NOT_OWNER", 403, 2018394, 9901201, user=_ELSEWHERE),
        AlreadyTaken: Row("E_TAKEN", 403, 2018394, 9901202, user=_ELSEWHERE),
        NotRouted: Row("E_NOT_ROUTED", 403, 2018394, 9901203, user=_ELSEWHERE),
        CallFailed: Row("E_FAILED", 400, 2018395, user=_OVER),
        (CallEnded, EndedHow.REJECTED): Row("E_ENDED", 400, 2018396, 9901301, user=_OVER),
        (CallEnded, EndedHow.ENDED): Row("E_ENDED", 400, 2018396, 9901302, user=_OVER),
        (CallEnded, EndedHow.RANG_OUT): Row("E_ENDED", 400, 2018396, 9901303, user=_OVER),
        AlreadyConnected: Row("E_CONNECTED", 400, 100, 9901204),
        WrongState: Row("E_STATE", 400, 100, 9901205),
        NoPermission: Row("E_NO_PERMISSION", 403, 10, 9902001, user=_ASK),
        NoSuchConsumer: Row("E_NO_USER", 400, 100, 2018001),
        ConsumerUnavailable: Row("E_UNAVAILABLE", 400, 551, 1545041, user=_AWAY),
        ConsumerBusy: Row("E_BUSY", 400, 551, 9901206, user=_BUSY),
        CallRateReached: Row("E_CALL_RATE", 400, 613, 9901207, is_transient=True, user=_OFTEN),
        MediaConflict: Row("E_CONFLICT", 400, 100, 9901208, is_transient=True),
        OutsideWindow: Row("E_WINDOW", 403, 10, 2018278, user=_SILENT),
        PermissionHeld: Row("E_OPTIN_HELD", 400, 100, 9902004),
        RequestRateReached: Row("E_OPTIN_RATE", 400, 613, 9902003, is_transient=True, user=_ASKED),
        (RequestClosed, ClosedHow.UNKNOWN): Row("E_REQUEST", 400, 100, 9902005),
        (RequestClosed, ClosedHow.EXPIRED): Row("E_REQUEST", 400, 100, 9902006),
        (RequestClosed, ClosedHow.REPLACED): Row("E_REQUEST", 400, 100, 9902007),
        (RequestClosed, ClosedHow.ANSWERED): Row("E_REQUEST", 400, 100, 9902008),
        NoLiveButton: Row("E_BUTTON", 400, 100, 9902009),
        InternalFault: Row("E_INTERNAL", 500, 2, is_transient=True, user=_RETRY),
        Unavailable: Row("E_INTERNAL", 503, 2, is_transient=True, user=_RETRY),
    }
)

_CALLING_CODES = range(2018389, 2018397)


def row_key(error: PageCallsError) -> Key:
    """Where `error` stands in `ROWS`."""
    match error:
        case BadToken() | UnusableConnection() | UnusableSetting() | UnusableTemplate():
            return (type(error), error.fault)
        case UnusableMetrics() | UnusableCode():
            return (type(error), error.fault)
        case CallEnded() | RequestClosed():
            return (type(error), error.how)
        case UseCaseRateReached():
            return (UseCaseRateReached, error.use_case)
        case _:
            return type(error)


def find_row(error: PageCallsError, swap_codes: bool = False) -> Row:
    """The row of `error`. `swap_codes`: the calling codes move to the subcode, under code 100 (ruling 1)."""
    row = ROWS[row_key(error)]
    if swap_codes and row.code in _CALLING_CODES:
        return Row(row.name, row.http, 100, row.code, row.type, row.is_transient, row.user)
    return row


def error_object(error: PageCallsError, fbtrace_id: str, swap_codes: bool = False) -> JsonObject:
    """The members of the reference's StandardError. `error_data` is always an object: one client crashes on anything else."""
    row = find_row(error, swap_codes)
    members: JsonObject = {"message": str(error), "type": row.type.value, "code": row.code}
    if row.subcode is not None:
        members["error_subcode"] = row.subcode
    members["is_transient"] = row.is_transient
    members["error_data"] = _error_data(error)
    if row.user is not None:
        members["error_user_title"], members["error_user_msg"] = row.user
    members["fbtrace_id"] = fbtrace_id
    return members


def error_body(members: JsonObject, is_page_edge: bool) -> JsonObject:
    """The body: under `error` for every client, and on Page edges bare as well, as the reference has it (ruling 2)."""
    return {"error": members, **members} if is_page_edge else {"error": members}


def error_headers(error: PageCallsError, swap_codes: bool = False) -> dict[str, str]:
    """`www-authenticate` of every OAuthException, in the platform's own form (graph-platform 5)."""
    row = find_row(error, swap_codes)
    if row.type is not ErrorType.OAUTH:
        return {}
    what = "invalid_token" if row.code == 190 else "invalid_code" if isinstance(error, UnusableCode) else "invalid_request"
    text = header_safe(str(error)[:_HEADER_TEXT_LIMIT]).replace('"', '\\"')
    return {"www-authenticate": f'OAuth "Facebook Platform" "{what}" "{text}"'}


def _error_data(error: PageCallsError) -> JsonObject:
    match error:
        case ConsumerBusy(call_id=str() as call_id):
            return {"call_id": call_id}
        case MediaConflict(current_version=version):
            return {"current_version": version}
        case PermissionHeld(until=until):
            return {"expiration_time": int(until)}
        case _:
            return {}
