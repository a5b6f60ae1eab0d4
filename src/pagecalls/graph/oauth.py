"""`/oauth/access_token` and `/debug_token` (graph-platform 2.5 and 2.6).

The first takes no token; who asks proves itself by the app's secret. Its errors have words and codes of their own. What is given
out, and who may ask about which token, is the switchboard's business.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from pagecalls.errors import MissingOAuthParameter
from pagecalls.graph.envelope import find_row
from pagecalls.graph.params import Params
from pagecalls.graph.visit import Answer, OpenVisit, TokenVisit
from pagecalls.http import Json, JsonObject
from pagecalls.store.base import App, Token, TokenKind
from pagecalls.switchboard.oauth import Inspection, Issued, OAuthDesk


class GrantType(StrEnum):
    """`grant_type`; left out, it is a code's."""

    CLIENT_CREDENTIALS = "client_credentials"
    AUTHORIZATION_CODE = "authorization_code"
    EXCHANGE_TOKEN = "fb_exchange_token"


async def issue_token(visit: OpenVisit) -> Answer:
    """A token for the app's secret alone, for a code, or for another token."""
    params, desk = visit.params, visit.services.oauth
    client_id, client_secret = _needed(params, "client_id"), _needed(params, "client_secret")
    app = await desk.client(client_id, client_secret)
    visit.spend(app.id)  # not before: whoever guesses at a secret must not use up the app's requests
    grant = params.choice("grant_type", GrantType) or GrantType.AUTHORIZATION_CODE
    return Answer(_token_body(await _issue(desk, app, grant, params)))


async def _issue(desk: OAuthDesk, app: App, grant: GrantType, params: Params) -> Issued:
    match grant:
        case GrantType.CLIENT_CREDENTIALS:
            return desk.app_token(app)
        case GrantType.AUTHORIZATION_CODE:
            return await desk.redeem(app, _needed(params, "code"), params.text("redirect_uri"))
        case GrantType.EXCHANGE_TOKEN:
            return await desk.exchange(app, _needed(params, "fb_exchange_token"))
        case _:
            assert_never(grant)


def _needed(params: Params, key: str) -> str:
    text = params.text(key)
    if text is None:
        raise MissingOAuthParameter(key)
    return text


def _token_body(issued: Issued) -> JsonObject:
    body: JsonObject = {"access_token": issued.access_token, "token_type": "bearer"}
    if issued.expires_in_s is not None:
        body["expires_in"] = int(issued.expires_in_s)
    return body


async def inspect_token(visit: TokenVisit) -> Answer:
    """What `input_token` is, whatever has become of it."""
    text = visit.params.required_text("input_token")
    identity = visit.identity
    found = await visit.services.oauth.inspect(identity.token, identity.text, text)
    return Answer({"data": _inspected(found)})


def _inspected(found: Inspection) -> JsonObject:
    data: JsonObject = {}
    if found.token is not None and found.app is not None:
        data.update(_facts(found.token, found.app))
    scopes: list[Json] = [*sorted(found.token.scopes)] if found.token is not None else []
    data["is_valid"] = found.fault is None
    data["scopes"] = scopes if found.fault is None else []
    if found.fault is not None:
        row = find_row(found.fault)
        error: JsonObject = {"code": row.code, "message": str(found.fault)}
        if row.subcode is not None:
            error["subcode"] = row.subcode
        data["error"] = error
    elif found.token is not None:
        page_id = found.token.page_id
        data["granular_scopes"] = [
            {"scope": scope} if page_id is None else {"scope": scope, "target_ids": [page_id]} for scope in scopes
        ]
    return data


def _facts(token: Token, app: App) -> JsonObject:
    """Members that a token has whether it is valid or not. 0: never."""
    facts: JsonObject = {
        "app_id": app.id,
        "type": token.kind.value.upper(),
        "application": app.name,
        "data_access_expires_at": 0,
        "expires_at": 0 if token.expires_at is None else int(token.expires_at),
    }
    if token.kind is not TokenKind.APP and token.issued_at:
        facts["issued_at"] = int(token.issued_at)
    if token.page_id is not None:
        facts["profile_id"] = token.page_id
    if token.user_id is not None:
        facts["user_id"] = token.user_id
    return facts
