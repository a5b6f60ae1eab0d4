"""Everything that can go wrong, by whose fault it is.

    PageCallsError
    ├── CallerError                 the request cannot be done; the caller can change that
    │   ├── AccessError             token and rights
    │   │   NoToken, BadToken, WrongProof, MissingScope, PageTokenRequired, AppTokenRequired, WrongPage,
    │   │   CurrentUserUnknown, WrongClientSecret, UninspectableToken
    │   ├── AddressError            the path names nothing that we serve
    │   │   UnknownObject, UnknownAlias, UnknownPath, UnknownApp
    │   ├── RequestError            the parameters
    │   │   BodyTooLarge, UnreadableBody, MissingParameter, InvalidValue, UnknownField, MalformedFields, UnusableBatch,
    │   │   CallbackUnverified, UnusableSetting, UnusableTemplate, UnusableMetrics, MissingOAuthParameter, UnusableCode
    │   ├── RateError               too much in too short a time; transient
    │   │   AppRateReached, UserRateReached, PageRateReached, UseCaseRateReached
    │   └── CallError               the call, its state or its parties
    │       CallingNotAllowed, CallingOff, BusinessCallingOff, NoLinkedNumber, UnknownCall, NotInCall, NotOwner,
    │       AlreadyTaken, NotRouted, CallFailed, CallEnded, AlreadyConnected, WrongState, NoPermission, NoSuchConsumer,
    │       ConsumerUnavailable, ConsumerBusy, CallRateReached, MediaConflict, NotOffered, OutsideWindow,
    │       PermissionHeld, RequestRateReached, RequestClosed, NoLiveButton
    ├── PeerError                   a description that a peer sent is unusable
    │   MalformedSdp, UnusableConnection
    └── OurFault                    the caller may try again later
        InternalFault, Unavailable

Each class carries typed fields and makes its text in `__str__`; names in capitals in the docstrings are those of
messenger-calling 1.4. HTTP statuses and Graph codes are known to `graph/envelope.py` alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum


class PageCallsError(Exception):
    """Root of the tree."""


class CallerError(PageCallsError):
    """The caller's mistake."""


class PeerError(PageCallsError):
    """A description that cannot be used."""


class OurFault(PageCallsError):
    """Our fault, or our limit; transient."""


# --- access -----------------------------------------------------------------------------------------------------------


class AccessError(CallerError):
    """Token and rights."""


class NoToken(AccessError):
    """E_NO_TOKEN."""

    def __str__(self) -> str:
        return "An access token is required to request this resource."


class CurrentUserUnknown(AccessError):
    """`me` without a token that stands for a node (graph-platform 1)."""

    def __str__(self) -> str:
        return "An active access token must be used to query information about the current user."


class TokenFault(StrEnum):
    """Why a token is refused (graph-platform 2.4)."""

    UNPARSEABLE = "unparseable"
    MALFORMED = "malformed"
    EXPIRED = "expired"
    REVOKED = "revoked"
    """Taken back, or logged out."""
    APP_REMOVED = "app_removed"
    """The user has taken the app's rights back."""
    CHECKPOINT = "checkpoint"
    """The user's account is held until they have passed a check."""
    PASSWORD_CHANGED = "password_changed"
    UNCONFIRMED = "unconfirmed"
    """The user's account was never confirmed."""
    ROLE_MISSING = "role_missing"
    """The user has lost the role that the token stands for."""


SHOWN_OF_TOKEN = 6
"""So many characters of a malformed token are shown: enough for a stray `Bearer`, too few for a secret."""


def _date(at: float) -> str:
    """A date as the platform prints it, `Saturday, 30-Mar-24 16:00:00 UTC` (graph-platform 2.4)."""
    return datetime.fromtimestamp(at, UTC).strftime("%A, %d-%b-%y %H:%M:%S UTC")


class BadToken(AccessError):
    """E_BAD_TOKEN. `expired_at` and `now`, Unix seconds, only with `EXPIRED`; `text`, what was given as a token, with
    `MALFORMED`; `app_id` with `APP_REMOVED`."""

    def __init__(self, fault: TokenFault, expired_at: float = 0, now: float = 0, text: str = "", app_id: str = "") -> None:
        super().__init__(fault)
        self.fault = fault
        self.text = text
        self.app_id = app_id
        self.expired_at = expired_at
        self.now = now

    def __str__(self) -> str:
        match self.fault:
            case TokenFault.EXPIRED:
                return (
                    f"Error validating access token: Session has expired on {_date(self.expired_at)}. "
                    f"The current time is {_date(self.now)}."
                )
            case TokenFault.REVOKED:
                return "Error validating access token: The session is invalid because the token was revoked."
            case TokenFault.APP_REMOVED:
                return f"Error validating access token: The user has not authorized application {self.app_id}."
            case TokenFault.CHECKPOINT:
                return "Error validating access token: The user's account is locked until they have passed a security check."
            case TokenFault.PASSWORD_CHANGED:
                return (
                    "Error validating access token: The session has been invalidated because the user changed their password "
                    "or Facebook has changed the session for security reasons."
                )
            case TokenFault.UNCONFIRMED:
                return "Error validating access token: The user's account is not confirmed."
            case TokenFault.ROLE_MISSING:
                return "Error validating access token: The user no longer has the role that this token stands for."
            case TokenFault.MALFORMED:
                return f"Malformed access token {ascii(self.text[:SHOWN_OF_TOKEN])[1:-1]}..."
            case TokenFault.UNPARSEABLE:
                return "Invalid OAuth access token - Cannot parse access token"


class WrongProof(AccessError):
    """E_PROOF: `appsecret_proof` missing where required, or wrong."""

    def __init__(self, missing: bool) -> None:
        super().__init__(missing)
        self.missing = missing

    def __str__(self) -> str:
        if self.missing:
            return "API calls from the server require an appsecret_proof argument"
        return "Invalid appsecret_proof provided in the API argument"


class MissingScope(AccessError):
    """E_SCOPE."""

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self.scope = scope

    def __str__(self) -> str:
        return f"(#200) This token lacks the permission {self.scope}."


class PageTokenRequired(AccessError):
    """E_TOKEN_KIND."""

    def __str__(self) -> str:
        return "(#210) A page access token is required to request this resource."


class AppTokenRequired(AccessError):
    """An app's own node, asked with another token (graph-platform 4.1, code 15)."""

    def __str__(self) -> str:
        return "(#15) This method must be called with an app access_token."


class WrongPage(AccessError):
    """E_WRONG_PAGE."""

    def __str__(self) -> str:
        return "(#200) This token belongs to another Page."


class WrongClientSecret(AccessError):
    """An app did not prove itself (graph-platform 2.5)."""

    def __str__(self) -> str:
        return "Error validating client secret."


class UninspectableToken(AccessError):
    """A token asked about by somebody who may not (graph-platform 2.6)."""

    def __str__(self) -> str:
        return "(#100) Only a token of the same app, given as an app token, or the input_token itself may ask about it."


# --- address ----------------------------------------------------------------------------------------------------------


class AddressError(CallerError):
    """The path names nothing that we serve."""


class UnknownObject(AddressError):
    """E_NO_PAGE and E_METHOD: an unknown id, the id of something else, or a verb that the edge does not have."""

    def __init__(self, method: str, object_id: str) -> None:
        super().__init__(method, object_id)
        self.method = method.lower()
        self.object_id = object_id

    def __str__(self) -> str:
        return (
            f"Unsupported {self.method} request. Object with ID '{self.object_id}' does not exist, cannot be loaded "
            "due to missing permissions, or does not support this operation."
        )


class UnknownAlias(AddressError):
    """E_ALIAS."""

    def __init__(self, alias: str) -> None:
        super().__init__(alias)
        self.alias = alias

    def __str__(self) -> str:
        return f"(#803) Some of the aliases you requested do not exist: {self.alias}"


class UnknownPath(AddressError):
    """E_VERSION: an unknown version or edge. `rest` starts with a slash."""

    def __init__(self, rest: str) -> None:
        super().__init__(rest)
        self.rest = rest

    def __str__(self) -> str:
        return f"Unknown path components: {self.rest}"


class UnknownApp(AddressError):
    """No app has this `client_id` (graph-platform 2.5, code 101)."""

    def __str__(self) -> str:
        return "Error validating application. Invalid application ID."


# --- request ----------------------------------------------------------------------------------------------------------


class RequestError(CallerError):
    """The parameters."""


class BodyTooLarge(RequestError):
    """E_SIZE."""

    def __str__(self) -> str:
        return "The request body is larger than 1 MiB."


class UnreadableBody(RequestError):
    """E_BODY."""

    def __init__(self, content_type: str) -> None:
        super().__init__(content_type)
        self.content_type = content_type

    def __str__(self) -> str:
        return f"The request body could not be read as {self.content_type}."


class MissingParameter(RequestError):
    """E_MISSING."""

    def __init__(self, parameter: str) -> None:
        super().__init__(parameter)
        self.parameter = parameter

    def __str__(self) -> str:
        return f"(#100) The parameter {self.parameter} is required."


class InvalidValue(RequestError):
    """E_VALUE. `allowed`, where there is a list, and `got` are shown in the text (graph-platform 3.2)."""

    def __init__(self, parameter: str, allowed: tuple[str, ...] = (), got: str = "") -> None:
        super().__init__(parameter, allowed, got)
        self.parameter = parameter
        self.allowed = allowed
        self.got = got

    def __str__(self) -> str:
        if self.allowed:
            values = ", ".join(value.upper() for value in self.allowed)
            return f'(#100) Param {self.parameter} must be one of {{{values}}} - got "{self.got}".'
        return f"(#100) {self.parameter} has a value that is not allowed."


class UnknownField(RequestError):
    """E_VALUE, in the words of graph-platform 3.3: `fields` names a member that the node does not have."""

    def __init__(self, field: str, node_type: str) -> None:
        super().__init__(field, node_type)
        self.field = field
        self.node_type = node_type

    def __str__(self) -> str:
        return f"(#100) Tried accessing nonexisting field ({self.field}) on node type ({self.node_type})"


class MalformedFields(RequestError):
    """`fields` does not follow its grammar (graph-platform 3.3, code 2500). `at` counts characters from 0."""

    def __init__(self, expected: str, at: int) -> None:
        super().__init__(expected, at)
        self.expected = expected
        self.at = at

    def __str__(self) -> str:
        return f"(#2500) Syntax error in fields: expected {self.expected} at character {self.at}."


class UnusableBatch(RequestError):
    """E_VALUE: a batch, or one request of it, that cannot be carried out as it stands (graph-platform 6)."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"(#100) {self.where}: {self.reason}."


class CallbackUnverified(RequestError):
    """The verification handshake of a callback URL failed (graph-platform 7.3, code 2200)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"(#2200) {self.reason}"


class SettingFault(StrEnum):
    """What E_SETTINGS' subcodes 9903001..9903008 name, in that order (messenger-calling 9.2)."""

    ZONE = "timezone_id is no zone of the IANA database"
    TIME = "a time is four digits from 0000 to 2359"
    CLOSES_TOO_EARLY = "close_time must be later than open_time on the same day"
    DAY_TWICE = "a day stands there more than once"
    DAY = "day_of_week is none of MONDAY to SUNDAY"
    RING_TARGET = "ring_target is neither META nor PARTNERS"
    NOT_SUBSCRIBED = "PARTNERS needs this app to be subscribed to calls on the Page"
    NOTHING_GIVEN = "no setting is given"


class UnusableSetting(RequestError):
    """E_SETTINGS. `setting` names the parameter as the request spells it, or the edge when there was none."""

    def __init__(self, setting: str, fault: SettingFault) -> None:
        super().__init__(setting, fault)
        self.setting = setting
        self.fault = fault

    def __str__(self) -> str:
        return f"(#100) Setting {self.setting} is wrong: {self.fault.value}."


class TemplateFault(StrEnum):
    """What E_TEMPLATE's subcodes 9902010..9902013 name, in that order (messenger-calling 8.4)."""

    UNKNOWN = "there is no such template"
    TTL = "ttl_days is an integer from 1 to 7"
    DAYS = "expires_in_days is an integer from 1 to 7"
    NO_TITLE = "an audio_call button needs a title"


class UnusableTemplate(RequestError):
    """E_TEMPLATE. `what` names the parameter as the request spells it."""

    def __init__(self, what: str, fault: TemplateFault) -> None:
        super().__init__(what, fault)
        self.what = what
        self.fault = fault

    def __str__(self) -> str:
        return f"(#100) Template {self.what} is wrong: {self.fault.value}."


class MetricsFault(StrEnum):
    """What E_METRICS' subcodes 9904001..9904005 name, in that order (messenger-calling 11.3)."""

    IN_PROGRESS = "the call is still in progress"
    TOO_LATE = "the call ended more than 24 hours ago"
    ALREADY_SUBMITTED = "there is a report on this call already"
    BAD_REASON = "end_call_reason"
    BAD_STATS = "stats"


class UnusableMetrics(RequestError):
    """E_METRICS. `detail` may name the parameter or the value."""

    def __init__(self, fault: MetricsFault, detail: str = "") -> None:
        super().__init__(fault, detail)
        self.fault = fault
        self.detail = detail

    def __str__(self) -> str:
        return f"(#100) Metrics cannot be taken: {self.fault.value}{f' ({self.detail})' if self.detail else ''}."


class MissingOAuthParameter(RequestError):
    """A parameter of `/oauth/access_token` (graph-platform 2.5, code 101)."""

    def __init__(self, parameter: str) -> None:
        super().__init__(parameter)
        self.parameter = parameter

    def __str__(self) -> str:
        return f"Missing {self.parameter} parameter."


class CodeFault(StrEnum):
    """Why an authorization code gives no token."""

    UNKNOWN = "is not valid"
    USED = "has been used"
    EXPIRED = "has expired"
    OTHER_REDIRECT = "was made for another redirect_uri"


class UnusableCode(RequestError):
    """An authorization code (graph-platform 2.5)."""

    def __init__(self, fault: CodeFault) -> None:
        super().__init__(fault)
        self.fault = fault

    def __str__(self) -> str:
        return f"This authorization code {self.fault.value}."


# --- rates ------------------------------------------------------------------------------------------------------------


class UseCase(StrEnum):
    """The platform's business use cases that a Page token spends in (graph-platform 5 and 8)."""

    PAGES = "pages"
    MESSENGER = "messenger"
    INSTAGRAM = "instagram"


class RateError(CallerError):
    """Too much in too short a time (graph-platform 8)."""


class AppRateReached(RateError):
    """E_APP_RATE: the limit of an app, reached with its own token or a user's."""

    def __str__(self) -> str:
        return "(#4) Application request limit reached"


class UserRateReached(RateError):
    """The limit of one user's token (code 17)."""

    def __str__(self) -> str:
        return "(#17) User request limit reached"


class PageRateReached(RateError):
    """The limit of one Page, reached with tokens that are not the Page's (code 32)."""

    def __str__(self) -> str:
        return "(#32) Page request limit reached"


class UseCaseRateReached(RateError):
    """The limit of one Page in one use case, reached with its own token (codes 80001, 80002 and 80006)."""

    def __init__(self, use_case: UseCase) -> None:
        super().__init__(use_case)
        self.use_case = use_case

    def __str__(self) -> str:
        match self.use_case:
            case UseCase.PAGES:
                code, account = 80001, "Page"
            case UseCase.INSTAGRAM:
                code, account = 80002, "Instagram"
            case UseCase.MESSENGER:
                code, account = 80006, "Messenger"
        return f"(#{code}) There have been too many calls to this {account} account. Wait a bit and try again."


# --- call -------------------------------------------------------------------------------------------------------------


class CallError(CallerError):
    """The call, its state or its parties."""


class CallingNotAllowed(CallError):
    """E_NOT_ALLOWED: the Page is not eligible."""

    def __str__(self) -> str:
        return "(#2018389) Calling is not open to this Page."


class CallingOff(CallError):
    """E_CALLING_OFF: `audio_enabled` is false."""

    def __str__(self) -> str:
        return "(#2018389) Call settings are not enabled for this Page."


class BusinessCallingOff(CallError):
    """E_BIZ_CALL_OFF: the Page takes calls, but may not start any."""

    def __str__(self) -> str:
        return "(#10) Business-initiated calling is not open to this Page."


class NoLinkedNumber(CallError):
    """`platform` is `whatsapp`, and the Page has no WhatsApp number (ruling 6, whatsapp-calling 16 row 1)."""

    def __str__(self) -> str:
        return "(#100) This Page has no WhatsApp number linked to it."


class UnknownCall(CallError):
    """E_CALL_ID."""

    def __str__(self) -> str:
        return "(#2018390) No such call on this Page."


class NotInCall(CallError):
    """E_NOT_IN_CALL: the call is another Page's."""

    def __str__(self) -> str:
        return "(#2018393) This Page is not part of the call."


class NotOwner(CallError):
    """E_NOT_OWNER."""

    def __str__(self) -> str:
        return "(#2018394) Another app controls this call."


class AlreadyTaken(CallError):
    """E_TAKEN."""

    def __str__(self) -> str:
        return "(#2018394) The call was already accepted by another app."


class NotRouted(CallError):
    """E_NOT_ROUTED."""

    def __str__(self) -> str:
        return "(#2018394) Incoming calls of this Page are not routed to partner apps."


class CallFailed(CallError):
    """E_FAILED."""

    def __str__(self) -> str:
        return "(#2018395) The call has failed."


class EndedHow(StrEnum):
    """The three subcodes of E_ENDED."""

    REJECTED = "rejected"
    ENDED = "ended"
    RANG_OUT = "rang_out"


class CallEnded(CallError):
    """E_ENDED."""

    def __init__(self, how: EndedHow) -> None:
        super().__init__(how)
        self.how = how

    def __str__(self) -> str:
        return "(#2018396) The call is over."


class AlreadyConnected(CallError):
    """E_CONNECTED: the owner accepts again with another description."""

    def __str__(self) -> str:
        return "(#100) The call is already accepted by this app."


class WrongState(CallError):
    """E_STATE. `hint` says what would do instead, if anything."""

    def __init__(self, action: str, state: str, hint: str = "") -> None:
        super().__init__(action, state, hint)
        self.action = action
        self.state = state
        self.hint = hint

    def __str__(self) -> str:
        return f"(#100) {self.action} is not possible while the call is {self.state}.{' ' + self.hint if self.hint else ''}"


class NoPermission(CallError):
    """E_NO_PERMISSION. The only call error that speaks of a permission given (messenger-calling 1.3)."""

    def __str__(self) -> str:
        return "(#10) The consumer has not given permission to call."


class NoSuchConsumer(CallError):
    """E_NO_USER."""

    def __str__(self) -> str:
        return "(#100) No matching user found"


class ConsumerUnavailable(CallError):
    """E_UNAVAILABLE (only with `strict_reach`, ruling 19)."""

    def __str__(self) -> str:
        return "(#551) This person isn't available right now."


class ConsumerBusy(CallError):
    """E_BUSY. `call_id` is set when the call in progress is this Page's."""

    def __init__(self, call_id: str | None) -> None:
        super().__init__(call_id)
        self.call_id = call_id

    def __str__(self) -> str:
        return "(#551) A call with this person is already in progress."


class CallRateReached(CallError):
    """E_CALL_RATE: this consumer has been called as often as `call_rate_per_consumer_24h` allows (ruling 19)."""

    def __str__(self) -> str:
        return "(#613) The call rate limit towards this person is reached."


class MediaConflict(CallError):
    """E_CONFLICT."""

    def __init__(self, current_version: int) -> None:
        super().__init__(current_version)
        self.current_version = current_version

    def __str__(self) -> str:
        return "(#100) Conflicting media status."


class NotOffered(CallError):
    """A consumer's call that the Page does not take; no call exists (messenger-calling 9.3). `reason` as in consumer-protocol."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"The Page does not take this call: {self.reason}."


class OutsideWindow(CallError):
    """E_WINDOW: the consumer has been silent for too long to be written to (messenger-calling 8.4)."""

    def __str__(self) -> str:
        return "(#10) This message is sent outside of allowed window."


class PermissionHeld(CallError):
    """E_OPTIN_HELD: no need to ask. `until`, Unix seconds."""

    def __init__(self, until: float) -> None:
        super().__init__(until)
        self.until = until

    def __str__(self) -> str:
        return f"(#100) Permission is already held until {int(self.until)}."


class RequestRateReached(CallError):
    """E_OPTIN_RATE: this consumer was asked as often as messenger-calling 8.3 allows."""

    def __str__(self) -> str:
        return "(#613) Two permission requests were already sent in this thread within 24 hours."


class ClosedHow(StrEnum):
    """Why a permission request takes no answer (messenger-calling 8.3, consumer-protocol)."""

    UNKNOWN = "there is no such request"
    EXPIRED = "it has expired"
    REPLACED = "a newer request has taken its place"
    ANSWERED = "it was answered already"


class RequestClosed(CallError):
    """A consumer answers a permission request that takes no answer."""

    def __init__(self, how: ClosedHow) -> None:
        super().__init__(how)
        self.how = how

    def __str__(self) -> str:
        return f"(#100) This permission request cannot be answered: {self.how.value}."


class NoLiveButton(CallError):
    """A consumer calls by a message that has no call button, or none that works any more (messenger-calling 8.4)."""

    def __str__(self) -> str:
        return "(#100) This message has no call button that works."


# --- descriptions -----------------------------------------------------------------------------------------------------


class MalformedSdp(PeerError):
    """E_SDP. `line` counts from 1; 0 is the text as a whole."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"(#2018392) The SDP could not be parsed: line {self.line}, {self.reason}."


class ConnectionFault(StrEnum):
    """What E_CONN's subcodes 9901101..9901113 name, in that order (messenger-calling 1.4; there is no ..09)."""

    SESSION_ABSENT = "session"
    WRONG_SDP_TYPE = "sdp_type"
    NO_BUNDLE = "BUNDLE"
    NO_RTCP_MUX = "rtcp-mux"
    NO_CREDENTIALS = "ICE credentials or fingerprint"
    DTLS_ROLE = "DTLS role"
    NO_OPUS = "audio with Opus"
    LINES_CHANGED = "m-lines"
    UNKNOWN_MSID = "track msid"
    LABEL_MISFIT = "track label"
    TOO_MANY_TRACKS = "more than 4 tracks"
    VIDEO_OFF = "video is not enabled on this Page"


class UnusableConnection(PeerError):
    """E_CONN. `detail` may name the line or the value."""

    def __init__(self, fault: ConnectionFault, detail: str = "") -> None:
        super().__init__(fault, detail)
        self.fault = fault
        self.detail = detail

    def __str__(self) -> str:
        return f"(#2018391) A connection parameter is unusable: {self.fault.value}{f' ({self.detail})' if self.detail else ''}."


# --- ours -------------------------------------------------------------------------------------------------------------


class InternalFault(OurFault):
    """E_INTERNAL: an unexpected fault; the cause is in the log, never in the answer."""

    def __str__(self) -> str:
        return "An unexpected error has occurred. Please retry your request later."


class Unavailable(OurFault):
    """The server is draining or its media engine is gone; same code as E_INTERNAL."""

    def __str__(self) -> str:
        return "The service is temporarily unavailable. Please retry your request later."
