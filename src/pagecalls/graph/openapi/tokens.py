"""`/oauth/access_token`, `/debug_token`, a user's node and their Pages for the documents (graph-platform 1, 2.5 and 2.6)."""

from __future__ import annotations

from pagecalls.graph.oauth import GrantType
from pagecalls.graph.openapi.contract import Kind, Member, Schema
from pagecalls.graph.openapi.edge import Edge
from pagecalls.store.base import PageTask, TokenKind

_GRANT = (
    Member("client_id", Kind.STRING, "The app's id.", is_required=True),
    Member("client_secret", Kind.STRING, "Its secret.", is_required=True),
    Member(
        "grant_type",
        Kind.STRING,
        "`client_credentials`: the app's own token. `fb_exchange_token`: a lasting one for a short one. Left out: a code's.",
        choices=tuple(grant.value for grant in GrantType),
    ),
    Member("code", Kind.STRING, "The code; good once."),
    Member("redirect_uri", Kind.STRING, "With the code, if it was made for one."),
    Member("fb_exchange_token", Kind.STRING, "The user's token that is to be exchanged."),
)
GRANT = Schema("TokenRequest", "Who asks for what token.", _GRANT)
ISSUED = Schema(
    "TokenResponse",
    "A token.",
    (
        Member("access_token", Kind.STRING, "The token.", is_required=True),
        Member("token_type", Kind.STRING, "`bearer`.", is_required=True),
        Member("expires_in", Kind.INTEGER, "Seconds; not there for a token without an end."),
    ),
)

_SCOPE = (
    Member("scope", Kind.STRING, "A permission.", is_required=True),
    Member("target_ids", Kind.ARRAY, "The Pages that it is for; not there when it is for all.", items=Kind.STRING),
)
INSPECTED = Schema(
    "TokenFacts",
    "What a token is.",
    (
        Member(
            "data",
            Kind.OBJECT,
            "The facts. Of a text that never was a token there are `is_valid`, `scopes` and `error` only.",
            is_required=True,
            members=(
                Member("is_valid", Kind.BOOLEAN, "Whether it is good now.", is_required=True),
                Member("scopes", Kind.ARRAY, "Its permissions; none if it is not good.", is_required=True, items=Kind.STRING),
                Member("app_id", Kind.STRING, "Its app."),
                Member("application", Kind.STRING, "The app's name."),
                Member("type", Kind.STRING, "Its kind.", choices=tuple(kind.value.upper() for kind in TokenKind)),
                Member("profile_id", Kind.STRING, "Its Page."),
                Member("user_id", Kind.STRING, "Its user."),
                Member("issued_at", Kind.INTEGER, "Unix seconds."),
                Member("expires_at", Kind.INTEGER, "Unix seconds; 0 for never."),
                Member("data_access_expires_at", Kind.INTEGER, "0: never."),
                Member("granular_scopes", Kind.ARRAY, "Permissions with what they are for.", members=_SCOPE),
                Member(
                    "error",
                    Kind.OBJECT,
                    "Why it is not good.",
                    members=(
                        Member("code", Kind.INTEGER, "190.", is_required=True),
                        Member("subcode", Kind.INTEGER, "The particular case."),
                        Member("message", Kind.STRING, "For developers.", is_required=True),
                    ),
                ),
            ),
        ),
    ),
)

_FIELDS = Member("fields", Kind.STRING, "Names with commas between them.")
NODE = Schema(
    "TokenNode",
    "Whom a token stands for: a user, or a Page.",
    (
        Member("id", Kind.STRING, "The id.", is_required=True),
        Member("name", Kind.STRING, "The name."),
    ),
)
ACCOUNTS = Schema(
    "UserAccounts",
    "The Pages that a user reaches.",
    (
        Member(
            "data",
            Kind.ARRAY,
            "The Pages, in order of id.",
            is_required=True,
            members=(
                Member("id", Kind.STRING, "The Page.", is_required=True),
                Member("name", Kind.STRING, "Its name."),
                Member("access_token", Kind.STRING, "The app's token for it; the same at every reading."),
                Member("tasks", Kind.ARRAY, f"What the user may do: {', '.join(PageTask)}.", items=Kind.STRING),
            ),
        ),
    ),
)

_ISSUE_TEXT = (
    "No token is looked at. A code comes from the operator and gives a user's token that is good for two hours; exchanged, it is "
    "good for sixty days. An app's own token is always the same, until its secret changes."
)

EDGES = (
    Edge(
        path="/oauth/access_token",
        method="POST",
        operation_id="postOauthAccessToken",
        summary="Get a token",
        text=_ISSUE_TEXT,
        body=GRANT,
        answer=ISSUED,
        answer_text="The token.",
        places=(),
        is_page_edge=False,
        needs_token=False,
    ),
    Edge(
        path="/oauth/access_token",
        method="GET",
        operation_id="getOauthAccessToken",
        summary="Get a token, with all in the query",
        text=_ISSUE_TEXT,
        query=_GRANT,
        answer=ISSUED,
        answer_text="The token.",
        places=(),
        is_page_edge=False,
        needs_token=False,
    ),
    Edge(
        path="/debug_token",
        method="GET",
        operation_id="getDebugToken",
        summary="What is this token?",
        text="Asked with an app token of the same app, or with the token itself.",
        query=(Member("input_token", Kind.STRING, "The token in question.", is_required=True),),
        answer=INSPECTED,
        answer_text="What is known of it, good or not.",
        places=(),
        is_page_edge=False,
    ),
    Edge(
        path="/me",
        method="GET",
        operation_id="getMe",
        summary="Whom does this token stand for?",
        text="A user with a user's token, a Page with a Page's.",
        query=(_FIELDS,),
        answer=NODE,
        answer_text="`id` and what `fields` names, else the name.",
        places=(),
    ),
    Edge(
        path="/me/accounts",
        method="GET",
        operation_id="getMeAccounts",
        summary="Which Pages does this user reach?",
        text="With a user's token that has `pages_show_list`. The way to a Page token.",
        query=(
            _FIELDS,
            Member("limit", Kind.INTEGER, "At most so many, 25 by default."),
            Member("after", Kind.STRING, "A cursor of the page before."),
        ),
        answer=ACCOUNTS,
        answer_text="Some of the Pages; `paging` says how to go on.",
        places=(),
        is_page_edge=False,
    ),
)
