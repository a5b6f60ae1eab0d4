"""What the API answers, as values, and how they are read from a body. Knows no HTTP and no error.

The server of this project writes what messenger-calling 2.1, 8.1 and 8.4 say. The platform's pages print an answer also as bare
text or at the top of the body, and a permission also without `data`; both are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pagecalls.client.grants import Accounts, IssuedToken, TokenFacts, User
from pagecalls.client.members import Members, WrongShape
from pagecalls.client.settings import CallSettings
from pagecalls.types import SdpType, Session

START_CALL = "start_call"
REQUEST_PERMISSION = "send_call_permission_request"


@dataclass(frozen=True, slots=True)
class Connected:
    """Answer to `connect`. `version` is where the own counter starts."""

    call_id: str
    answer: Session
    version: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """Answer to `accept`. `renegotiation` is an offer with the consumer's tracks, to be applied after `answer`."""

    call_id: str
    answer: Session
    renegotiation: Session | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """Answer to `reject` and `terminate`."""

    call_id: str


@dataclass(frozen=True, slots=True)
class MediaUpdated:
    """Answer to `media_update`.

    `answer` when an offer was sent. `renegotiation` when a change of the consumer's is folded in: an offer to be applied after
    the answer. `version` is what the own counter is to be now; `None` from a server that does not say when no versions were sent.
    """

    call_id: str
    answer: Session | None = None
    renegotiation: Session | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """How often an action is allowed; `time_period` is an ISO 8601 duration."""

    time_period: str
    max_allowed: int | None
    current_usage: int | None


@dataclass(frozen=True, slots=True)
class PermittedAction:
    """One action towards the consumer, and whether it would be let through now."""

    name: str
    is_allowed: bool
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Permission:
    """Answer of `messenger_call_permissions`. `expires_at`, Unix seconds, only while permission is held."""

    is_held: bool
    expires_at: int | None = None
    actions: tuple[PermittedAction, ...] = ()

    @property
    def may_call(self) -> bool:
        """Whether `connect` would be let through."""
        return self._allows(START_CALL)

    @property
    def may_request(self) -> bool:
        """Whether the consumer may be asked for permission."""
        return self._allows(REQUEST_PERMISSION)

    def _allows(self, name: str) -> bool:
        return any(action.is_allowed for action in self.actions if action.name == name)


@dataclass(frozen=True, slots=True)
class SettingsStored:
    """Answer to a change of call settings: all of it holds from now on."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Answer to a message. `message_id` is also the id of the request that a `CallingOptin` makes."""

    psid: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Reported:
    """A report on a call was taken."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature that was asked about."""

    name: str
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class Features:
    """Answer of `business_messaging_feature_status`, in the order of asking."""

    entries: tuple[Feature, ...]

    def is_enabled(self, name: str) -> bool:
        """Whether the feature is open; `False` for one that was not asked about."""
        return any(entry.is_enabled for entry in self.entries if entry.name == name)


Result: TypeAlias = (
    Connected
    | Accepted
    | Ended
    | MediaUpdated
    | Permission
    | CallSettings
    | SettingsStored
    | Sent
    | Reported
    | Features
    | IssuedToken
    | TokenFacts
    | User
    | Accounts
)
"""Any answer."""


def connected(body: Members) -> Connected:
    """Raises `WrongShape`."""
    return Connected(_call_id(body), _required_answer(body), _version(body) or 0)


def accepted(body: Members) -> Accepted:
    """Raises `WrongShape`."""
    return Accepted(_call_id(body), _required_answer(body), _renegotiation(body), _version(body) or 0)


def ended(body: Members, call_id: str) -> Ended:
    """`call_id`: that of the request, for a server that does not repeat it. Raises `WrongShape`."""
    return Ended(body.text("call_id") or call_id)


def media_updated(body: Members, call_id: str, to_version: int | None) -> MediaUpdated:
    """`call_id` and `to_version` as in the request. Raises `WrongShape`."""
    renegotiation = _renegotiation(body)
    version = _version(body)
    if version is None and to_version is not None:
        version = to_version + (renegotiation is not None)  # a folded offer counts as well (messenger-calling 4.1)
    return MediaUpdated(body.text("call_id") or call_id, answer_of(body), renegotiation, version)


def permission(body: Members) -> Permission:
    """Raises `WrongShape`."""
    entries = body.objects("data")
    entry = entries[0] if entries else body
    state = entry.required_object("permission")
    is_held = state.required_text("status").upper() == "HAS_PERMISSION"
    actions = tuple(_action(action) for action in entry.objects("actions"))
    return Permission(is_held, state.number("expiration_time"), actions)


def sent(body: Members) -> Sent:
    """Each of the three shapes that the guides print. Raises `WrongShape`."""
    recipient = body.object("recipient") or Members({}, "recipient")
    psid = body.text("recipient_id") or recipient.required_text("id")
    return Sent(psid, body.text("message_id") or recipient.required_text("message_id"))


def features(body: Members) -> Features:
    """Raises `WrongShape`."""
    entries = body.objects("data")
    return Features(tuple(Feature(each.required_text("feature"), _is_enabled(each)) for each in entries))


def answer_of(body: Members) -> Session | None:
    """The answer, where the body has one. Raises `WrongShape`."""
    return description(_session(body), "sdp_response", SdpType.ANSWER) or description(body, "sdp", SdpType.ANSWER)


def description(body: Members, name: str, sdp_type: SdpType) -> Session | None:
    """A description: an object, or bare SDP, which is then of `sdp_type`. Raises `WrongShape`."""
    value = body.values.get(name)
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        return Session(sdp_type, value)
    members = body.object(name)
    if members is None:
        return None
    named = (members.text("sdp_type") or sdp_type.value).lower()
    if named not in (SdpType.OFFER.value, SdpType.ANSWER.value):
        raise WrongShape(f"{name}.sdp_type is neither offer nor answer")
    return Session(SdpType(named), members.required_text("sdp"))


def _call_id(body: Members) -> str:
    return body.text("call_id") or body.required_text("id")


def _session(body: Members) -> Members:
    return body.object("session") or Members({})


def _required_answer(body: Members) -> Session:
    answer = answer_of(body)
    if answer is None:
        raise WrongShape("session.sdp_response is missing")
    return answer


def _renegotiation(body: Members) -> Session | None:
    return description(_session(body), "sdp_renegotiation", SdpType.OFFER)


def _version(body: Members) -> int | None:
    version = _session(body).number("version")
    return body.number("version") if version is None else version


def _is_enabled(members: Members) -> bool:
    return members.required_text("status").upper() == "ENABLED"


def _action(members: Members) -> PermittedAction:
    allowed = members.flag("can_perform")
    if allowed is None:
        allowed = members.flag("can_perform_action")
    limits = tuple(_limit(limit) for limit in members.objects("limits"))
    return PermittedAction(members.required_text("action_name"), bool(allowed), limits)


def _limit(members: Members) -> Limit:
    most = members.number("max_allowed")
    if most is None:
        most = members.number("max_allowed_per_user")
    return Limit(members.required_text("time_period"), most, members.number("current_usage"))
