"""Everything that can go wrong with a request, as a tree to catch from.

    ClientError
    ├── TransportError              no answer of the API
    │   ├── NotConnected            nothing was sent
    │   ├── ReplyLost               sent, but no whole answer came: it may have been done or not
    │   │   └── TimedOut
    │   └── UnreadableReply         something answered that is not the API, or not as the contract says
    ├── NotExecuted                 a member of a batch that the server did not get to; it had no effect
    └── GraphError                  the API refused
        ├── AuthError               token and rights
        │   ├── NoToken, CurrentUserUnknown, WrongProof, MissingScope, PageTokenRequired, AppTokenRequired, WrongPage,
        │   │   PermissionDenied, MissingCapability, WrongClientSecret, UninspectableToken
        │   └── BadToken            ExpiredToken, RevokedToken, InvalidatedToken, AppNotAuthorized, AccountBlocked, RoleMissing
        ├── AddressError            UnknownObject, UnknownAlias, UnknownPath, UnknownApp
        ├── RequestError            BodyTooLarge, UnreadableBody, MissingParameter, InvalidValue, MalformedFields,
        │                           CallbackUnverified, TemplateError, SettingsError, MetricsError, UnusableCode
        ├── DescriptionError        the offer or answer that was sent: MalformedSdp, UnusableConnection
        ├── CallError               the call, its state or its parties
        │   ├── CallingClosedError  CallingNotAllowed, CallingOff, BusinessCallsOff
        │   ├── CallUnknownError    UnknownCall, NotInCall
        │   ├── CallOverError       CallEnded, CallFailed
        │   ├── CallElsewhereError  NotOwner, AlreadyTaken, NotRouted
        │   ├── CallStateError      WrongState, AlreadyConnected
        │   ├── StaleVersionError   Collision, MediaConflict
        │   └── ConsumerError       NoPermission, NoSuchConsumer, ConsumerUnavailable, ConsumerBusy, OutsideWindow,
        │                           PermissionAlreadyHeld
        ├── ThrottledError          AppRate, UserRate, PageRate, AppLimit, BusinessUseCaseRate, CallRate, RequestRate
        ├── PolicyError             blocked
        ├── NotProcessed            `success` is false, and nothing says why
        └── ServerFault             InternalFault, UnknownFault

Which answer makes which class stands in `codes.py`. Names in capitals in the docstrings are those of messenger-calling 1.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from pagecalls.client.members import Json


class ClientError(Exception):
    """Root of the tree."""


# --- no answer of the API ---------------------------------------------------------------------------------------------


class TransportError(ClientError):
    """No answer of the API came."""


class NotConnected(TransportError):
    """No connection to the host could be made, so nothing was sent and nothing was done."""


class ReplyLost(TransportError):
    """The request was sent, at least in part, and no whole answer came. What it asked for may have been done or not."""


class TimedOut(ReplyLost):
    """The answer did not come in time."""


class UnreadableReply(TransportError):
    """Something answered that cannot be understood: a proxy's page, or a body without what the contract promises.

    `http_status` is that of the answer, `excerpt` the beginning of its body.
    """

    def __init__(self, reason: str, http_status: int, excerpt: str = "") -> None:
        super().__init__(reason, http_status, excerpt)
        self.reason = reason
        self.http_status = http_status
        self.excerpt = excerpt

    def __str__(self) -> str:
        return f"HTTP {self.http_status}: {self.reason}{f': {self.excerpt}' if self.excerpt else ''}"


class NotExecuted(ClientError):
    """A member of a batch that the server had no time for. It had no effect and may be sent again (graph-platform 6)."""

    def __str__(self) -> str:
        return "The server did not execute this member of the batch."


# --- the API refused --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """The reference's StandardError, with the HTTP status that it came with. `code` is `None` where no error object came."""

    message: str
    http_status: int
    code: int | None = None
    subcode: int | None = None
    type: str = ""
    is_transient: bool = False
    error_data: Mapping[str, Json] = field(default_factory=dict)
    user_title: str = ""
    user_message: str = ""
    fbtrace_id: str = ""


class GraphError(ClientError):
    """The API refused. The members are those of the error object; raised itself only for codes that nothing here knows."""

    def __init__(self, facts: ErrorFacts) -> None:
        super().__init__(facts)
        self.facts = facts
        self.message = facts.message
        self.http_status = facts.http_status
        self.code = facts.code
        self.subcode = facts.subcode
        self.type = facts.type
        self.is_transient = facts.is_transient
        self.error_data = facts.error_data
        self.user_title = facts.user_title
        self.user_message = facts.user_message
        self.fbtrace_id = facts.fbtrace_id

    def __str__(self) -> str:
        facts = {"code": self.code, "subcode": self.subcode, "trace": self.fbtrace_id or None}
        shown = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
        return f"{self.message} [HTTP {self.http_status}{', ' + shown if shown else ''}]"


class AuthError(GraphError):
    """Token and rights."""


class NoToken(AuthError):
    """E_NO_TOKEN."""


class CurrentUserUnknown(AuthError):
    """`me` with a token that stands for no node (graph-platform 1)."""


class BadToken(AuthError):
    """E_BAD_TOKEN: the token cannot be used. Its subclasses say why, where the server does (graph-platform 2.4)."""


class ExpiredToken(BadToken):
    """E_BAD_TOKEN, 463."""


class RevokedToken(BadToken):
    """E_BAD_TOKEN, 467."""


class InvalidatedToken(BadToken):
    """E_BAD_TOKEN, 460: the password was changed, or the session was ended for safety."""


class AppNotAuthorized(BadToken):
    """E_BAD_TOKEN, 458: the person has removed the app."""


class AccountBlocked(BadToken):
    """E_BAD_TOKEN, 459 and 464: the account is at a checkpoint or not confirmed."""


class RoleMissing(BadToken):
    """E_BAD_TOKEN, 492: the token's person has no role on the Page any more."""


class WrongProof(AuthError):
    """E_PROOF: `appsecret_proof` is missing where it is required, or wrong."""


class MissingScope(AuthError):
    """E_SCOPE: the token lacks a permission."""


class PageTokenRequired(AuthError):
    """E_TOKEN_KIND."""


class AppTokenRequired(AuthError):
    """Code 15: an app's own node was asked with another token."""


class WrongPage(AuthError):
    """E_WRONG_PAGE: the token is another Page's."""


class PermissionDenied(AuthError):
    """Codes 10, 200 and 230 without a subcode that says more (graph-platform 4.1)."""


class MissingCapability(AuthError):
    """Code 3: the app is not enabled for this."""


class WrongClientSecret(AuthError):
    """The app did not prove itself (graph-platform 2.5)."""


class UninspectableToken(AuthError):
    """A token asked about by somebody who may not (graph-platform 2.6)."""


class AddressError(GraphError):
    """The path names nothing that the server has."""


class UnknownObject(AddressError):
    """E_NO_PAGE and E_METHOD: an unknown id, the id of something else, or a verb that the edge does not have."""


class UnknownAlias(AddressError):
    """E_ALIAS."""


class UnknownPath(AddressError):
    """E_VERSION: an unknown version or edge."""


class UnknownApp(AddressError):
    """Code 101: the id of the app is wrong."""


class RequestError(GraphError):
    """The parameters."""


class BodyTooLarge(RequestError):
    """E_SIZE: more than 1 MiB."""


class UnreadableBody(RequestError):
    """E_BODY."""


class MissingParameter(RequestError):
    """E_MISSING."""


class InvalidValue(RequestError):
    """E_VALUE."""


class MalformedFields(RequestError):
    """Code 2500: `fields` does not follow its grammar."""


class CallbackUnverified(RequestError):
    """Code 2200: the verification handshake of a callback URL failed."""


class TemplateError(RequestError):
    """E_TEMPLATE."""


class SettingFault(Enum):
    """What is wrong with a call setting: the subcodes of E_SETTINGS."""

    ZONE = 9903001
    TIME = 9903002
    CLOSES_TOO_EARLY = 9903003
    DAY_TWICE = 9903004
    DAY = 9903005
    RING_TARGET = 9903006
    NOT_SUBSCRIBED = 9903007
    NOTHING_GIVEN = 9903008


class SettingsError(RequestError):
    """E_SETTINGS."""

    @property
    def fault(self) -> SettingFault | None:
        """Which rule; `None` from a server that does not say."""
        return next((fault for fault in SettingFault if fault.value == self.subcode), None)


class MetricsFault(Enum):
    """What is wrong with a report on a call: the subcodes of E_METRICS."""

    IN_PROGRESS = 9904001
    TOO_LATE = 9904002
    ALREADY_SUBMITTED = 9904003
    BAD_REASON = 9904004
    BAD_STATS = 9904005


class MetricsError(RequestError):
    """E_METRICS."""

    @property
    def fault(self) -> MetricsFault | None:
        """Which; `None` from a server that does not say."""
        return next((fault for fault in MetricsFault if fault.value == self.subcode), None)


class UnusableCode(RequestError):
    """An authorization code that is unknown, used, expired or made for another address (graph-platform 2.5)."""


class DescriptionError(GraphError):
    """The session description that was sent cannot be used."""


class MalformedSdp(DescriptionError):
    """E_SDP."""


class ConnectionFault(Enum):
    """What is wrong with a connection parameter: the subcodes of E_CONN."""

    SESSION_ABSENT = 9901101
    WRONG_SDP_TYPE = 9901102
    NO_BUNDLE = 9901103
    NO_RTCP_MUX = 9901104
    NO_CREDENTIALS = 9901105
    DTLS_ROLE = 9901106
    NO_OPUS = 9901107
    LINES_CHANGED = 9901108
    UNKNOWN_MSID = 9901110
    LABEL_MISFIT = 9901111
    TOO_MANY_TRACKS = 9901112
    VIDEO_OFF = 9901113


class UnusableConnection(DescriptionError):
    """E_CONN."""

    @property
    def fault(self) -> ConnectionFault | None:
        """Which parameter; `None` from a server that does not say."""
        return next((fault for fault in ConnectionFault if fault.value == self.subcode), None)


class CallError(GraphError):
    """The call, its state or its parties."""


class CallingClosedError(CallError):
    """Calls are not open to this Page."""


class CallingNotAllowed(CallingClosedError):
    """E_NOT_ALLOWED: the Page is not eligible."""


class CallingOff(CallingClosedError):
    """E_CALLING_OFF: the Page's settings have calls off."""


class BusinessCallsOff(CallingClosedError):
    """E_BIZ_CALL_OFF: the Page may be called but not call."""


class CallUnknownError(CallError):
    """The Page has no such call."""


class UnknownCall(CallUnknownError):
    """E_CALL_ID."""


class NotInCall(CallUnknownError):
    """E_NOT_IN_CALL: the call is another Page's."""


class CallOverError(CallError):
    """The call is over."""


class EndedHow(Enum):
    """How a call ended: the subcodes of E_ENDED."""

    REJECTED = 9901301
    ENDED = 9901302
    RANG_OUT = 9901303


class CallEnded(CallOverError):
    """E_ENDED."""

    @property
    def how(self) -> EndedHow | None:
        """`None` from a server that does not say."""
        return next((how for how in EndedHow if how.value == self.subcode), None)


class CallFailed(CallOverError):
    """E_FAILED."""


class CallElsewhereError(CallError):
    """The call is another app's."""


class NotOwner(CallElsewhereError):
    """E_NOT_OWNER."""


class AlreadyTaken(CallElsewhereError):
    """E_TAKEN: another app has accepted the call."""


class NotRouted(CallElsewhereError):
    """E_NOT_ROUTED: incoming calls of this Page do not go to partner apps."""


class CallStateError(CallError):
    """The call is in a state in which this cannot be done."""


class WrongState(CallStateError):
    """E_STATE."""


class AlreadyConnected(CallStateError):
    """E_CONNECTED: this app has accepted the call, with another offer."""


class StaleVersionError(CallError):
    """The update was made from a version that the call is no longer at. Nothing was changed.

    Roll the own offer back, apply the `media_update` webhooks up to `current_version`, and send a new one from there.
    """

    @property
    def current_version(self) -> int | None:
        """The call's version at the server; `None` if the server does not say."""
        value = self.error_data.get("current_version")
        return value if isinstance(value, int) and not isinstance(value, bool) else None


class Collision(StaleVersionError):
    """The answer with HTTP 200 and `success` false (messenger-calling 4.3): the consumer's change came first."""


class MediaConflict(StaleVersionError):
    """E_CONFLICT: versions that do not follow, or another update of this call in work."""


class ConsumerError(CallError):
    """The consumer cannot be called or written to now."""


class NoPermission(ConsumerError):
    """E_NO_PERMISSION: the consumer has not allowed calls."""


class NoSuchConsumer(ConsumerError):
    """E_NO_USER."""


class ConsumerUnavailable(ConsumerError):
    """E_UNAVAILABLE."""


class ConsumerBusy(ConsumerError):
    """E_BUSY."""

    @property
    def call_id(self) -> str | None:
        """The call in progress, when it is this Page's."""
        value = self.error_data.get("call_id")
        return value if isinstance(value, str) else None


class OutsideWindow(ConsumerError):
    """E_WINDOW: the consumer has not written lately."""


class PermissionAlreadyHeld(ConsumerError):
    """E_OPTIN_HELD: there is no need to ask."""


class ThrottledError(GraphError):
    """Too much in too short a time."""


class AppRate(ThrottledError):
    """E_APP_RATE."""


class UserRate(ThrottledError):
    """Code 17."""


class PageRate(ThrottledError):
    """Code 32."""


class AppLimit(ThrottledError):
    """Code 341."""


class BusinessUseCaseRate(ThrottledError):
    """Codes 80001 to 80014."""


class CallRate(ThrottledError):
    """E_CALL_RATE."""


class RequestRate(ThrottledError):
    """E_OPTIN_RATE: this consumer was asked for permission often enough."""


class PolicyError(GraphError):
    """Code 368: blocked by the platform's rules."""


class NotProcessed(GraphError):
    """HTTP 200 with `success` false, for anything but a media update; the server did not say why."""


class ServerFault(GraphError):
    """The server's fault; it may go well later."""


class InternalFault(ServerFault):
    """E_INTERNAL, also while the server drains."""


class UnknownFault(ServerFault):
    """Code 1."""
