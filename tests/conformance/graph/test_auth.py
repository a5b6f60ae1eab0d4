"""Tokens, proofs and rights (graph-platform 2, messenger-calling 1.2, rulings 5, 10 and 16)."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest

from pagecalls.errors import TokenFault
from pagecalls.store.base import Token, TokenKind
from pagecalls.switchboard.credentials import digest
from tests.conformance.graph.world import (
    APP,
    APP_TOKEN,
    BARE_TOKEN,
    EXPIRED_TOKEN,
    OTHER_PAGE,
    OTHER_PAGE_TOKEN,
    PAGE,
    PAGE_TOKEN,
    REVOKED_TOKEN,
    STRICT_APP,
    STRICT_TOKEN,
    SYSTEM_TOKEN,
    USER_TOKEN,
    World,
    error_of,
    facts,
    proof,
)

CALLS = f"/v26.0/{PAGE.id}/calls"
REJECT = {"action": "reject", "call_id": "c_1"}
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "OAuth", "OAUTH"])
async def test_the_header_in_both_spellings(world: World, scheme: str) -> None:
    reply = await world.ask("POST", CALLS, {**JSON, "authorization": f"{scheme} {PAGE_TOKEN}"}, json.dumps(REJECT).encode())
    assert reply.status == 200


@pytest.mark.parametrize("name", ["access_token", "oauth_token"])
async def test_each_parameter_in_query_and_body(world: World, name: str) -> None:
    body = json.dumps(REJECT).encode()
    assert (await world.ask("POST", f"{CALLS}?{name}={PAGE_TOKEN}", JSON, body)).status == 200
    assert (await world.ask("POST", CALLS, JSON, json.dumps({**REJECT, name: PAGE_TOKEN}).encode())).status == 200
    assert (await world.ask("POST", CALLS, FORM, urlencode({**REJECT, name: PAGE_TOKEN}).encode())).status == 200


async def test_precedence_of_the_places(world: World) -> None:
    """Each step takes the winner away; the Page that answers tells which token was believed."""
    places = [
        ("body", "access_token", PAGE_TOKEN),
        ("query", "access_token", OTHER_PAGE_TOKEN),
        ("query", "oauth_token", PAGE_TOKEN),
        ("header", "", OTHER_PAGE_TOKEN),
    ]
    for used in range(len(places)):
        rest = places[used:]
        query = urlencode({name: token for place, name, token in rest if place == "query"})
        body = {name: token for place, name, token in rest if place == "body"}
        headers = {**JSON, "authorization": f"Bearer {OTHER_PAGE_TOKEN}"}
        await world.ask("POST", f"/me/calls?{query}", headers, json.dumps({**REJECT, **body}).encode())
        expected = PAGE.id if places[used][2] == PAGE_TOKEN else OTHER_PAGE.id
        assert world.door.asked[-1][1].page_id == expected


async def test_an_empty_parameter_counts_as_absent(world: World) -> None:
    headers = {**JSON, "authorization": f"Bearer {PAGE_TOKEN}"}
    body = json.dumps({**REJECT, "access_token": ""}).encode()
    assert (await world.ask("POST", f"{CALLS}?access_token=&oauth_token=", headers, body)).status == 200


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic abc"}, {"authorization": "Bearer "}, {"authorization": ""}])
async def test_no_token(world: World, headers: dict[str, str]) -> None:
    reply = await world.ask("POST", CALLS, {**JSON, **headers}, json.dumps(REJECT).encode())
    assert facts(reply) == (400, 104, None)
    assert error_of(reply)["message"] == "An access token is required to request this resource."
    assert reply.headers["www-authenticate"] == (
        'OAuth "Facebook Platform" "invalid_request" "An access token is required to request this resource."'
    )


@pytest.mark.parametrize(
    ("fault", "subcode", "words"),
    [
        (TokenFault.APP_REMOVED, 458, f"The user has not authorized application {APP.id}."),
        (TokenFault.CHECKPOINT, 459, "security check"),
        (TokenFault.PASSWORD_CHANGED, 460, "because the user changed their password"),
        (TokenFault.UNCONFIRMED, 464, "not confirmed"),
        (TokenFault.REVOKED, 467, "revoked"),
        (TokenFault.ROLE_MISSING, 492, "role"),
    ],
)
async def test_a_token_that_was_taken_back_says_why(world: World, fault: TokenFault, subcode: int, words: str) -> None:
    token = Token(digest("EAAgone"), TokenKind.PAGE, APP.id, PAGE.id, frozenset({"pages_messaging"}), fault=fault)
    await world.store.write(lambda tx: tx.put_token(token))
    reply = await world.call(REJECT, "EAAgone")
    assert facts(reply) == (400, 190, subcode)
    assert error_of(reply)["message"].startswith("Error validating access token: ")
    assert words in error_of(reply)["message"]
    assert reply.headers["www-authenticate"].startswith('OAuth "Facebook Platform" "invalid_token" ')


@pytest.mark.parametrize(
    ("token", "subcode", "words"),
    [
        ("garbage", None, "Invalid OAuth access token - Cannot parse access token"),
        ("Bearer EAA123", None, "Malformed access token Bearer..."),
        ("EAA12\n3", None, "Malformed access token EAA12\\n..."),
        (EXPIRED_TOKEN, 463, "Session has expired on Monday, 21-Sep-26 14:13:20 UTC. The current time is Monday, 21-Sep-26"),
        (REVOKED_TOKEN, 467, "revoked"),
        (f"{APP.id}|wrong-secret", None, "Cannot parse"),
        ("t\u00f6ken\u2603", None, "Cannot parse"),
        ("t\u00f6ken \u2603", None, "Malformed access token t\\xf6ken ..."),
    ],
)
async def test_a_bad_token(world: World, token: str, subcode: int | None, words: str) -> None:
    reply = await world.ask("POST", f"{CALLS}?access_token={quote(token)}", JSON, json.dumps(REJECT).encode())
    assert facts(reply) == (400, 190, subcode)
    error = error_of(reply)
    assert words in error["message"]
    assert token not in error["message"]
    assert error["type"] == "OAuthException"
    assert reply.headers["www-authenticate"].startswith('OAuth "Facebook Platform" "invalid_token" "')
    assert world.door.asked == []


@pytest.mark.parametrize("given", [proof(APP.secret, PAGE_TOKEN), proof(APP.secret, PAGE_TOKEN).upper(), ""])
async def test_a_right_proof_or_none_where_none_is_needed(world: World, given: str) -> None:
    assert (await world.get("/me", appsecret_proof=given)).status == 200


@pytest.mark.parametrize("given", ["x", proof(APP.secret, "another"), proof(STRICT_APP.secret, PAGE_TOKEN), "\u2603"])
async def test_a_wrong_proof_is_refused_although_none_is_needed(world: World, given: str) -> None:
    reply = await world.get("/me", appsecret_proof=given)
    assert facts(reply) == (400, 100, 9905002)
    error = error_of(reply)
    assert error["type"] == "GraphMethodException"
    assert error["message"] == "Invalid appsecret_proof provided in the API argument"


async def test_a_proof_that_is_required(world: World) -> None:
    reply = await world.get("/me", STRICT_TOKEN)
    assert facts(reply) == (400, 100, 9905002)
    assert error_of(reply)["message"] == "API calls from the server require an appsecret_proof argument"
    right = proof(STRICT_APP.secret, STRICT_TOKEN)
    assert (await world.get("/me", STRICT_TOKEN, appsecret_proof=right)).status == 200
    body = {**REJECT, "appsecret_proof": right}
    assert (await world.call(body, STRICT_TOKEN)).status == 200


@pytest.mark.parametrize(("age_s", "status"), [(0, 200), (299, 200), (301, 400), (-301, 400)])
async def test_a_proof_with_a_time_holds_five_minutes(world: World, age_s: int, status: int) -> None:
    stamp = str(int(world.clock.now()) - age_s)
    right = proof(APP.secret, f"{PAGE_TOKEN}|{stamp}")
    assert (await world.get("/me", appsecret_proof=right, appsecret_time=stamp)).status == status


async def test_a_proof_with_a_time_must_sign_the_time(world: World) -> None:
    for stamp in (str(int(world.clock.now())), "soon", "-1", "9" * 40):
        reply = await world.get("/me", appsecret_proof=proof(APP.secret, PAGE_TOKEN), appsecret_time=stamp)
        assert facts(reply) == (400, 100, 9905002)


@pytest.mark.parametrize("token", [USER_TOKEN, APP_TOKEN])
@pytest.mark.parametrize(
    ("method", "edge"),
    [
        ("POST", "/calls"),
        ("GET", "/messenger_call_permissions"),
        ("POST", "/subscribed_apps"),
        ("GET", "/subscribed_apps"),
        ("GET", ""),
    ],
)
async def test_page_edges_want_a_page_token(world: World, method: str, edge: str, token: str) -> None:
    reply = await world.ask(method, f"/v26.0/{PAGE.id}{edge}?access_token={quote(token)}")
    assert facts(reply) == (403, 210, None)
    assert error_of(reply)["message"] == "(#210) A page access token is required to request this resource."


async def test_a_system_user_with_the_page_counts_as_the_page(world: World) -> None:
    assert (await world.call(REJECT, SYSTEM_TOKEN)).status == 200
    assert (await world.get("/me", SYSTEM_TOKEN)).json["id"] == PAGE.id
    assert facts(await world.call(REJECT, SYSTEM_TOKEN, OTHER_PAGE.id)) == (403, 200, 9905004)


async def test_a_token_of_another_page(world: World) -> None:
    reply = await world.call(REJECT, OTHER_PAGE_TOKEN)
    assert facts(reply) == (403, 200, 9905004)
    assert error_of(reply)["type"] == "OAuthException"


@pytest.mark.parametrize(
    ("method", "edge", "scope"),
    [
        ("POST", "/calls", "pages_messaging"),
        ("GET", "/messenger_call_permissions", "pages_messaging"),
        ("POST", "/subscribed_apps", "pages_manage_metadata"),
        ("GET", "/subscribed_apps", "pages_manage_metadata"),
        ("DELETE", "/subscribed_apps", "pages_manage_metadata"),
    ],
)
async def test_a_permission_that_is_missing_is_named(world: World, method: str, edge: str, scope: str) -> None:
    reply = await world.ask(method, f"/v26.0/{PAGE.id}{edge}?access_token={BARE_TOKEN}")
    assert facts(reply) == (403, 200, 9905003)
    assert scope in error_of(reply)["message"]


async def test_the_order_of_the_checks(world: World) -> None:
    """Each request is wrong in every later way too (graph-platform 4.1, then messenger-calling 1.4)."""
    noise = {"content-type": "application/json"}

    async def ask(path: str, token: str, extra: str = "") -> tuple[int, int, int | None]:
        return facts(await world.ask("POST", f"{path}?access_token={quote(token)}{extra}", noise, b"{broken"))

    assert await ask("/v99.0/77/calls", "") == (400, 2500, 9905005)
    assert await ask("/v26.0/77/calls", "") == (400, 104, None)
    assert await ask("/v26.0/77/calls", "garbage", "&appsecret_proof=x") == (400, 190, None)
    assert await ask("/v26.0/77/calls", USER_TOKEN, "&appsecret_proof=x") == (400, 100, 9905002)
    assert await ask("/v26.0/77/calls", USER_TOKEN) == (400, 100, 33)
    assert await ask(CALLS, USER_TOKEN) == (403, 210, None)
    assert await ask(f"/v26.0/{OTHER_PAGE.id}/calls", BARE_TOKEN) == (403, 200, 9905004)
    assert await ask(CALLS, BARE_TOKEN) == (403, 200, 9905003)
    assert await ask(CALLS, PAGE_TOKEN) == (400, 100, 9905012)
