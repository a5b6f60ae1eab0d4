"""From an error object to its class. Owns the numbers of the contract, and knows nothing of requests or bytes.

`ROWS` has a line for each case of messenger-calling 1.4 and graph-platform 2.4 and 4.1. What no line names falls to `FAMILIES`,
by its code alone, then to the HTTP status, then to `GraphError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pagecalls.client import errors as e

BAD_REQUEST = 100
_CALLING = range(2018389, 2018397)
_THROTTLES = range(80001, 80015)

TRANSIENT_CODES = frozenset({1, 2, 4, 17, 32, 341, 613, 138004, *_THROTTLES})
"""Worth another attempt later, where the error does not say (graph-platform 4)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One case. No `subcodes`: an error without one. `name` is that of messenger-calling 1.4, or tells the code."""

    name: str
    error: type[e.GraphError]
    code: int
    subcodes: Sequence[int] = ()


ROWS: tuple[Row, ...] = (
    Row("E_NO_TOKEN", e.NoToken, 104),
    Row("E_NO_ME", e.CurrentUserUnknown, 2500),
    Row("E_BAD_TOKEN", e.BadToken, 190),
    Row("E_BAD_TOKEN", e.AppNotAuthorized, 190, (458,)),
    Row("E_BAD_TOKEN", e.AccountBlocked, 190, (459, 464)),
    Row("E_BAD_TOKEN", e.InvalidatedToken, 190, (460,)),
    Row("E_BAD_TOKEN", e.ExpiredToken, 190, (463,)),
    Row("E_BAD_TOKEN", e.RevokedToken, 190, (467,)),
    Row("E_BAD_TOKEN", e.RoleMissing, 190, (492,)),
    Row("E_SESSION", e.BadToken, 102),
    Row("E_PROOF", e.WrongProof, 100, (9905002,)),
    Row("E_SCOPE", e.MissingScope, 200, (9905003,)),
    Row("E_TOKEN_KIND", e.PageTokenRequired, 210),
    Row("E_APP_TOKEN", e.AppTokenRequired, 15),
    Row("E_WRONG_PAGE", e.WrongPage, 200, (9905004,)),
    Row("E_DENIED", e.PermissionDenied, 10),
    Row("E_DENIED", e.PermissionDenied, 200),
    Row("E_DENIED", e.PermissionDenied, 230),
    Row("E_CAPABILITY", e.MissingCapability, 3),
    Row("E_NO_PAGE", e.UnknownObject, 100, (33,)),
    Row("E_METHOD", e.UnknownObject, 100, (33,)),
    Row("E_ALIAS", e.UnknownAlias, 803),
    Row("E_VERSION", e.UnknownPath, 2500, (9905005,)),
    Row("E_APP_ID", e.UnknownApp, 101),
    Row("E_BODY", e.UnreadableBody, 100, (9905012,)),
    Row("E_MISSING", e.MissingParameter, 100, (9905010,)),
    Row("E_VALUE", e.InvalidValue, 100, (9905011,)),
    Row("E_CALLBACK", e.CallbackUnverified, 2200),
    Row("E_TEMPLATE", e.TemplateError, 100, range(9902010, 9902100)),
    Row("E_SETTINGS", e.SettingsError, 100, range(9903000, 9903100)),
    Row("E_METRICS", e.MetricsError, 100, range(9904000, 9904100)),
    Row("E_APP_RATE", e.AppRate, 4),
    Row("E_USER_RATE", e.UserRate, 17),
    Row("E_PAGE_RATE", e.PageRate, 32),
    Row("E_APP_LIMIT", e.AppLimit, 341),
    *(Row("E_USE_CASE_RATE", e.BusinessUseCaseRate, code) for code in _THROTTLES),
    Row("E_CALL_RATE", e.CallRate, 613, (9901207,)),
    Row("E_OPTIN_RATE", e.RequestRate, 613, (9902003,)),
    Row("E_POLICY", e.PolicyError, 368),
    Row("E_UNKNOWN", e.UnknownFault, 1),
    Row("E_UNKNOWN", e.UnknownFault, 1, (99,)),
    Row("E_INTERNAL", e.InternalFault, 2),
    Row("E_NOT_ALLOWED", e.CallingNotAllowed, 2018389),
    Row("E_CALLING_OFF", e.CallingOff, 2018389, (1893056,)),
    Row("E_CALL_ID", e.UnknownCall, 2018390, (9901001,)),
    Row("E_CONN", e.UnusableConnection, 2018391, tuple(fault.value for fault in e.ConnectionFault)),
    Row("E_SDP", e.MalformedSdp, 2018392, (9901190,)),
    Row("E_NOT_IN_CALL", e.NotInCall, 2018393),
    Row("E_NOT_OWNER", e.NotOwner, 2018394, (9901201,)),
    Row("E_TAKEN", e.AlreadyTaken, 2018394, (9901202,)),
    Row("E_NOT_ROUTED", e.NotRouted, 2018394, (9901203,)),
    Row("E_FAILED", e.CallFailed, 2018395),
    Row("E_ENDED", e.CallEnded, 2018396, tuple(how.value for how in e.EndedHow)),
    Row("E_CONNECTED", e.AlreadyConnected, 100, (9901204,)),
    Row("E_STATE", e.WrongState, 100, (9901205,)),
    Row("E_CONFLICT", e.MediaConflict, 100, (9901208,)),
    Row("E_NO_PERMISSION", e.NoPermission, 10, (9902001,)),
    Row("E_NO_USER", e.NoSuchConsumer, 100, (2018001,)),
    Row("E_UNAVAILABLE", e.ConsumerUnavailable, 551, (1545041,)),
    Row("E_BUSY", e.ConsumerBusy, 551, (9901206,)),
    Row("E_WINDOW", e.OutsideWindow, 10, (2018278,)),
    Row("E_OPTIN_HELD", e.PermissionAlreadyHeld, 100, (9902004,)),
    Row("E_BIZ_CALL_OFF", e.BusinessCallsOff, 10, (9902002,)),
)

SHARED_ROWS: tuple[Row, ...] = (
    Row("E_SIZE", e.BodyTooLarge, 1),
    Row("E_FIELDS", e.MalformedFields, 2500),
    Row("E_APP_ID", e.MissingParameter, 101),
    Row("E_CLIENT_SECRET", e.WrongClientSecret, 1),
    Row("E_CODE", e.UnusableCode, 100),
    Row("E_INSPECT", e.UninspectableToken, 100),
)
"""Cases with a code of `ROWS` and no subcode; see `_told_apart`."""

FAMILIES: Mapping[int, type[e.GraphError]] = MappingProxyType(
    {
        1: e.UnknownFault,
        2: e.InternalFault,
        3: e.MissingCapability,
        4: e.AppRate,
        10: e.PermissionDenied,
        100: e.RequestError,
        102: e.BadToken,
        190: e.BadToken,
        **dict.fromkeys(range(200, 300), e.PermissionDenied),
        368: e.PolicyError,
        551: e.ConsumerError,
        613: e.ThrottledError,
        803: e.UnknownAlias,
        2200: e.CallbackUnverified,
        2500: e.AddressError,
        2018389: e.CallingClosedError,
        2018390: e.UnknownCall,
        2018391: e.UnusableConnection,
        2018392: e.MalformedSdp,
        2018393: e.NotInCall,
        2018394: e.CallElsewhereError,
        2018395: e.CallFailed,
        2018396: e.CallEnded,
    }
)
"""What a code says by itself: for a subcode that nobody knows, and for a calling code that stands as the subcode (ruling 1)."""

_EXACT: Mapping[tuple[int, int | None], type[e.GraphError]] = MappingProxyType(
    {(row.code, subcode): row.error for row in ROWS for subcode in row.subcodes or (None,)}
)


def class_of(facts: e.ErrorFacts) -> type[e.GraphError]:
    """The class of one error, the nearest base where the case is not known."""
    code, subcode = facts.code, facts.subcode
    if code is None:
        return _by_status(facts.http_status)
    if code == BAD_REQUEST and subcode is not None and subcode in _CALLING:
        return FAMILIES[subcode]
    return _told_apart(facts) or _EXACT.get((code, subcode)) or FAMILIES.get(code) or _by_status(facts.http_status)


def _told_apart(facts: e.ErrorFacts) -> type[e.GraphError] | None:
    """Cases that share code and subcode with others."""
    match facts:
        case e.ErrorFacts(code=1, http_status=413):
            return e.BodyTooLarge
        case e.ErrorFacts(code=100, subcode=None, type="GraphMethodException"):
            return e.WrongProof  # away from Page edges it has no subcode (graph-platform 2.3)
        case e.ErrorFacts(code=2500, subcode=None) if facts.message.startswith("Unknown path components"):
            return e.UnknownPath  # likewise
        case e.ErrorFacts(code=2500, subcode=None) if "Syntax error" in facts.message:
            return e.MalformedFields
        case e.ErrorFacts(code=1, subcode=None) if "client secret" in facts.message:
            return e.WrongClientSecret
        case e.ErrorFacts(code=101) if facts.message.startswith("Missing "):
            return e.MissingParameter
        case e.ErrorFacts(code=100, subcode=None) if facts.message.startswith("This authorization code"):
            return e.UnusableCode
        case e.ErrorFacts(code=100, subcode=None) if "input_token" in facts.message:
            return e.UninspectableToken
        case _:
            return None


def _by_status(http_status: int) -> type[e.GraphError]:
    if http_status == 401:
        return e.AuthError
    if http_status == 429:
        return e.ThrottledError
    return e.ServerFault if http_status >= 500 else e.GraphError
