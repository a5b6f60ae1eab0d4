"""The reference of the calls edge as data: endpoint, members, answers, ways to show a token.

The only place where they are written. OpenAPI document, page and Markdown are made from it, so they cannot differ. Words that the
server itself compares come from where it compares them. Knows no format, no host and no version.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pagecalls.call.states import Action
from pagecalls.graph.versions import SERVED
from pagecalls.switchboard.base import MAX_TRACKS
from pagecalls.types import Platform, TrackLabel, TrackStatus

TITLE = "Page Calls"
SUMMARY = "Start, take, change and end a call"
PATH = "/{page_id}/calls"
METHOD = "POST"
OPERATION_ID = "postPageCalls"
CONTENT_TYPE = "application/json"

ABOUT = (
    "Calls between a Page and a person on Messenger, Instagram or WhatsApp. One endpoint takes five actions; what happens "
    "meanwhile comes to the app's webhook."
)
OPERATION_TEXT = (
    "Does what `action` says. Parameters may also come as a form, as multipart or in the query: objects are then JSON text, and "
    "the body wins over the query. Values of a closed set are taken in any case of letters; `sdp` and `sdp_type` may stand "
    "at the top in place of `session`. Unknown members are ignored."
)


class Kind(StrEnum):
    """JSON's types, in JSON Schema's words; `ANY` is every one of them."""

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    OBJECT = "object"
    ARRAY = "array"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object. `members`: those of an object, or of each object in an array; `items`: what else an array holds."""

    name: str
    kind: Kind
    text: str
    is_required: bool = False
    choices: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    max_items: int | None = None
    items: Kind = Kind.OBJECT


@dataclass(frozen=True, slots=True)
class Schema:
    """An object with a name of its own."""

    name: str
    text: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One HTTP status. `is_ours`: the reference does not list it, but this server gives it (ruling 16)."""

    status: int
    text: str
    schema: Schema
    is_ours: bool = False


class Place(StrEnum):
    """Where a token stands."""

    QUERY = "query"
    HEADER = "header"


@dataclass(frozen=True, slots=True)
class Scheme:
    """A way to show a token. `parameter` is the query parameter, or the header."""

    name: str
    place: Place
    parameter: str
    text: str


def _choices(words: Iterable[StrEnum]) -> tuple[str, ...]:
    return tuple(sorted(word.value for word in words))


def _text(name: str, text: str) -> Member:
    return Member(name, Kind.STRING, text, is_required=True)


PAGE_ID = Member("page_id", Kind.STRING, "The Page's id, or `me` for the Page that the token belongs to.", is_required=True)

TRACK = (
    _text(
        "msid", "Which track of the session: `<stream id> <track id>` as `a=msid` has it, or one of the two where that is clear."
    ),
    Member(
        "label", Kind.STRING, "What the track is for. Each label is used once.", is_required=True, choices=_choices(TrackLabel)
    ),
    Member("status", Kind.STRING, "Whether it goes to the other side now.", is_required=True, choices=_choices(TrackStatus)),
)

REQUEST = Schema(
    "PageCallsRequest",
    "One action on one call.",
    (
        Member(
            "platform",
            Kind.STRING,
            "The service that the person uses. Left out, it is that of the call, or of the person in `to`.",
            choices=_choices(Platform),
        ),
        Member("call_id", Kind.STRING, "The call. Every action needs it but `connect`, which makes a new one."),
        Member(
            "action",
            Kind.STRING,
            "`connect` calls a person; `accept` and `reject` answer a call that rings; `media_update` changes the media of a "
            "call; `terminate` ends it.",
            is_required=True,
            choices=_choices(Action),
        ),
        Member("to", Kind.STRING, "The page-scoped id of the person to call. Only `connect` looks at it, and needs it."),
        Member(
            "session",
            Kind.OBJECT,
            "The app's SDP. Needed by `connect` and `accept`; in a `media_update` this or `tracks`.",
            members=(
                _text("sdp_type", "`offer`. The app offers and the server answers; an `answer` is taken in a `media_update`."),
                _text("sdp", "The description itself (RFC 8866)."),
            ),
        ),
        Member(
            "tracks",
            Kind.ARRAY,
            "What the app's own tracks are, and whether they are on. Without `session` it switches tracks that are known. Tracks "
            "that are not listed stay as they are.",
            members=TRACK,
            max_items=MAX_TRACKS,
        ),
        Member(
            "from_version",
            Kind.INTEGER,
            "For `media_update`: the version that the change starts from. If the other side was faster, nothing is changed, and "
            "the answer has `success` false and the version of now.",
        ),
        Member(
            "to_version", Kind.INTEGER, "The version after the change, one more than `from_version`. Both are given, or neither."
        ),
    ),
)

RESPONSE = Schema(
    "PageCallsResponse",
    "What came of the action.",
    (
        Member("success", Kind.BOOLEAN, "Whether the action was carried out.", is_required=True),
        Member("call_id", Kind.STRING, "The call; after `connect` the new one."),
        Member(
            "session",
            Kind.OBJECT,
            "The server's SDP. Only in the answer to an offer.",
            members=(
                Member(
                    "sdp_response",
                    Kind.OBJECT,
                    "The answer to the offer in the request.",
                    is_required=True,
                    members=(_text("sdp", "To be applied as the remote description."), _text("sdp_type", "It is `answer`.")),
                ),
                Member(
                    "sdp_renegotiation",
                    Kind.OBJECT,
                    "An offer of the server that shows the person's tracks. Always there after `accept`.",
                    members=(
                        _text("sdp", "To be applied after the answer; nothing needs to be sent back."),
                        _text("sdp_type", "It is `offer`."),
                    ),
                ),
            ),
        ),
    ),
)

BEYOND = (
    Member("id", Kind.STRING, "The new call once more, after `connect`."),
    Member("version", Kind.INTEGER, "The version of now: after a change without SDP, and when `success` is false."),
    Member("session.version", Kind.INTEGER, "The version of now, beside the SDP."),
    Member("sdp", Kind.STRING, "A copy of the answer."),
    Member("sdp_type", Kind.STRING, "`answer`, beside the copy."),
)
"""Members of a successful answer that the reference does not list (messenger-calling 2.1): told to people, in no schema."""

ERROR = Schema(
    "StandardError",
    "Why the request was not carried out.",
    (
        Member("message", Kind.STRING, "For developers.", is_required=True),
        Member("type", Kind.STRING, "The family: `OAuthException` or `GraphMethodException`."),
        Member("code", Kind.INTEGER, "The error's number, by which programs tell errors apart.", is_required=True),
        Member(
            "error_subcode", Kind.INTEGER, "The particular case, where there is one. Those from 9900000 are this server's own."
        ),
        Member("is_transient", Kind.BOOLEAN, "Whether the same request may succeed later."),
        Member("error_data", Kind.ANY, "More facts, such as the call in progress; an object."),
        Member("error_user_msg", Kind.STRING, "For the person in front of the app, where there is something to tell."),
        Member("error_user_title", Kind.STRING, "A heading for it."),
        Member("fbtrace_id", Kind.STRING, "The request's id, also in the header `x-fb-request-id` and in the server's log."),
    ),
)

ERROR_BODY_TEXT = (
    "The members of `StandardError`, and once more the same under `error`, where the platform's own clients look for them."
)

REFUSALS = (
    AnswerRow(400, "The request cannot be carried out: token, parameters, SDP or the call's state are in the way.", ERROR),
    AnswerRow(403, "The token, the app or the Page may not do this.", ERROR),
    AnswerRow(404, "The path names a Page by an alias that nobody has.", ERROR, is_ours=True),
    AnswerRow(413, "The body is larger than 1 MiB.", ERROR, is_ours=True),
    AnswerRow(500, "The server failed; the same request may succeed later.", ERROR, is_ours=True),
    AnswerRow(503, "The server takes no new calls now; the same request may succeed later.", ERROR, is_ours=True),
)

ANSWERS = (
    AnswerRow(
        200, "The action was looked at; `success` says whether it was carried out, `session` holds the server's SDP.", RESPONSE
    ),
    *REFUSALS,
)

SCHEMAS = (REQUEST, RESPONSE, ERROR)

SCHEMES = (
    Scheme("OAuthToken__access_token", Place.QUERY, "access_token", "The token as a query parameter."),
    Scheme("OAuthToken__oauth_token", Place.QUERY, "oauth_token", "The same under its other name."),
    Scheme("OAuthToken__Authorization", Place.HEADER, "Authorization", "The token as `Bearer <token>` in the header."),
)
AUTHENTICATION_TEXT = (
    "A Page access token with the permission `pages_messaging`, in one of these places; one is enough. A query parameter wins "
    "over the header."
)

VERSIONS = tuple(sorted(SERVED, key=lambda version: float(version[1:])))
"""Oldest first. All behave alike."""
