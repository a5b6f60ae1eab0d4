"""`/oauth/access_token` and `/debug_token` (graph-platform 2.5 and 2.6)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from pagecalls.errors import TokenFault
from pagecalls.store.base import TokenKind
from pagecalls.switchboard.credentials import digest
from pagecalls.switchboard.oauth import LONG_TOKEN_S, SHORT_TOKEN_S, CodeRequest
from pagecalls.switchboard.registers import NoSuch
from pagecalls.types import AppId, PageId, UserId
from tests.asgi_client import Reply
from tests.conformance.graph.people import (
    ALAN,
    ALAN_TOKEN,
    GRACE,
    GRACE_OTHER_APP_TOKEN,
    GRACE_SHORT_TOKEN,
    GRACE_TOKEN,
    NOW,
    ROBOT,
    ROBOT_TOKEN,
    SCOPES,
    people,
)
from tests.conformance.graph.world import (
    APP,
    APP_TOKEN,
    EXPIRED_TOKEN,
    OTHER_APP,
    OTHER_PAGE,
    PAGE,
    PAGE_TOKEN,
    REVOKED_TOKEN,
    STRICT_APP,
    USER_TOKEN,
    World,
    error_of,
    facts,
)

CLIENT = {"client_id": APP.id, "client_secret": APP.secret}
OTHER_CLIENT = {"client_id": OTHER_APP.id, "client_secret": OTHER_APP.secret}
REDIRECT = "https://desk.example/done?x=1"


@pytest.fixture(autouse=True)
async def filled(world: World) -> None:
    await world.store.write(people)
    world.clock.advance(NOW + 83_000 - world.clock.now())


async def issue(world: World, params: dict[str, str], path: str = "/v26.0/oauth/access_token") -> Reply:
    return await world.ask("GET", f"{path}?{urlencode(params)}")


async def a_code(world: World, **members: Any) -> str:
    asked = CodeRequest(APP.id, GRACE.id, SCOPES)
    return (await world.services.oauth.make_code(replace(asked, **members))).code


async def stored(world: World, text: str) -> Any:
    return await world.store.read(lambda tx: tx.token(digest(text)))


# --- what all grants share ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/oauth/access_token", "/v26.0/oauth/access_token", "/v20.0/oauth/access_token/"])
@pytest.mark.parametrize("encoding", ["query", "form", "json"])
async def test_every_way_to_ask(world: World, path: str, encoding: str) -> None:
    params = {**CLIENT, "grant_type": "client_credentials"}
    if encoding == "query":
        reply = await issue(world, params, path)
    elif encoding == "form":
        headers = {"content-type": "application/x-www-form-urlencoded"}
        reply = await world.ask("POST", path, headers, urlencode(params).encode())
    else:
        reply = await world.ask("POST", path, {"content-type": "application/json"}, json.dumps(params).encode())
    assert reply.status == 200
    assert list(reply.json) == ["access_token", "token_type"]


async def test_a_token_sent_along_is_not_looked_at(world: World) -> None:
    params = {**CLIENT, "grant_type": "client_credentials"}
    plain = (await issue(world, params)).json
    for token in ("garbage", EXPIRED_TOKEN, PAGE_TOKEN):
        given = {**params, "access_token": token, "appsecret_proof": "wrong"}
        assert (await world.ask("GET", f"/oauth/access_token?{urlencode(given)}", {"authorization": "Bearer x"})).json == plain


@pytest.mark.parametrize("name", ["client_id", "client_secret", "code"])
async def test_a_missing_parameter(world: World, name: str) -> None:
    params = {**CLIENT, "code": "x"}
    del params[name]
    reply = await issue(world, params)
    assert facts(reply) == (400, 101, None)
    assert error_of(reply)["message"] == f"Missing {name} parameter."
    assert list(reply.json) == ["error"]


async def test_an_unknown_app(world: World) -> None:
    for client_id in ("404", "x", PAGE.id):
        reply = await issue(world, {**CLIENT, "client_id": client_id})
        assert facts(reply) == (400, 101, None)
        assert error_of(reply)["message"] == "Error validating application. Invalid application ID."


async def test_a_wrong_secret(world: World) -> None:
    for secret in ("x", OTHER_APP.secret, "\u2603"):
        reply = await issue(world, {**CLIENT, "client_secret": secret, "grant_type": "client_credentials"})
        assert facts(reply) == (400, 1, None)
        assert error_of(reply)["message"] == "Error validating client secret."
        assert reply.headers["www-authenticate"].startswith('OAuth "Facebook Platform" "invalid_request" ')


async def test_an_app_without_a_secret_proves_nothing(world: World) -> None:
    await world.store.write(lambda tx: tx.put_app(replace(APP, secret="")))
    for secret in ("", "x"):
        reply = await issue(world, {**CLIENT, "client_secret": secret, "grant_type": "client_credentials"})
        assert reply.status == 400
    assert facts(await world.get(f"/{APP.id}/subscriptions", f"{APP.id}|")) == (400, 190, None)


@pytest.mark.parametrize("text", ["%ED%A0%80", "%00", "%F0%9F%8D%B5", "a%7Cb%7Cc", "x" * 10_000])
async def test_strange_texts_are_refused_like_any_other(world: World, text: str) -> None:
    """Whether as an app, a secret, a code or a token."""
    for query in (
        f"client_id={text}&client_secret=x",
        f"client_id={APP.id}&client_secret={text}",
        f"client_id={APP.id}&client_secret={APP.secret}&code={text}&redirect_uri={text}",
        f"client_id={APP.id}&client_secret={APP.secret}&grant_type=fb_exchange_token&fb_exchange_token={text}",
    ):
        assert (await world.ask("GET", f"/oauth/access_token?{query}")).status == 400
    reply = await world.ask("GET", f"/debug_token?input_token={text}", {"authorization": f"Bearer {APP_TOKEN}"})
    assert (reply.status, reply.json["data"]["is_valid"]) == (200, False)


async def test_what_is_not_served(world: World) -> None:
    assert facts(await issue(world, {**CLIENT, "grant_type": "password"})) == (400, 100, 9905011)
    assert facts(await world.ask("DELETE", "/oauth/access_token")) == (400, 100, 33)
    assert facts(await world.ask("GET", "/v26.0/oauth/client_code")) == (400, 2500, 9905005)
    assert facts(await world.ask("GET", "/v26.0/oauth/access_token/x")) == (400, 2500, 9905005)
    assert facts(await world.ask("GET", "/oauth/access_token?client_id=%5B1%5D")) == (400, 101, None)


# --- client_credentials -------------------------------------------------------------------------------------------------


async def test_an_app_token(world: World) -> None:
    params = {**CLIENT, "grant_type": "client_credentials"}
    token = (await issue(world, params)).json["access_token"]
    assert token.startswith(f"{APP.id}|")
    assert token != APP_TOKEN
    assert (await issue(world, params)).json["access_token"] == token
    assert (await world.get(f"/{APP.id}/subscriptions", token)).status == 200
    assert facts(await world.get(f"/{OTHER_APP.id}/subscriptions", token)) == (400, 100, 33)
    await world.store.write(lambda tx: tx.put_app(replace(APP, secret="a new one")))
    assert facts(await world.get(f"/{APP.id}/subscriptions", token)) == (400, 190, None)


# --- codes --------------------------------------------------------------------------------------------------------------


async def test_a_code_gives_a_users_token(world: World) -> None:
    reply = await issue(world, {**CLIENT, "code": await a_code(world)})
    token = reply.json["access_token"]
    assert reply.json == {"access_token": token, "token_type": "bearer", "expires_in": 7200}
    kept = await stored(world, token)
    now = world.clock.now()
    assert (kept.kind, kept.app_id, kept.page_id, kept.user_id) == (TokenKind.USER, APP.id, None, GRACE.id)
    assert (kept.scopes, kept.issued_at, kept.expires_at) == (SCOPES, now, now + SHORT_TOKEN_S)
    assert (await world.get("/me", token)).json["name"] == "Grace"
    world.clock.advance(7200)
    assert facts(await world.get("/me", token)) == (400, 190, 463)


async def test_a_code_is_used_once(world: World) -> None:
    params = {**CLIENT, "code": await a_code(world), "grant_type": "authorization_code"}
    assert (await issue(world, params)).status == 200
    reply = await issue(world, params)
    assert facts(reply) == (400, 100, None)
    assert error_of(reply)["message"] == "This authorization code has been used."
    assert reply.headers["www-authenticate"] == (
        'OAuth "Facebook Platform" "invalid_code" "This authorization code has been used."'
    )


@pytest.mark.parametrize(("age_s", "status"), [(599, 200), (600, 400)])
async def test_a_code_lasts_ten_minutes(world: World, age_s: float, status: int) -> None:
    code = await a_code(world)
    world.clock.advance(age_s)
    reply = await issue(world, {**CLIENT, "code": code})
    assert reply.status == status
    if status == 400:
        assert error_of(reply)["message"] == "This authorization code has expired."


async def test_of_many_at_once_one_gets_the_token(world: World) -> None:
    params = {**CLIENT, "code": await a_code(world)}
    replies = await asyncio.gather(*(issue(world, params) for _ in range(20)))
    assert sorted(reply.status for reply in replies) == [200] + [400] * 19


async def test_a_code_belongs_to_its_app(world: World) -> None:
    code = await a_code(world)
    for params in ({**OTHER_CLIENT, "code": code}, {**CLIENT, "code": "AQnobody"}):
        reply = await issue(world, params)
        assert facts(reply) == (400, 100, None)
        assert error_of(reply)["message"] == "This authorization code is not valid."
    assert (await issue(world, {**CLIENT, "code": code})).status == 200


async def test_the_address_that_a_code_was_made_for(world: World) -> None:
    code = await a_code(world, redirect_uri=REDIRECT)
    for given in ({}, {"redirect_uri": "https://evil.example/"}):
        reply = await issue(world, {**CLIENT, "code": code, **given})
        assert facts(reply) == (400, 100, None)
        assert error_of(reply)["message"] == "This authorization code was made for another redirect_uri."
    assert (await issue(world, {**CLIENT, "code": code, "redirect_uri": REDIRECT})).status == 200
    anywhere = await a_code(world)
    assert (await issue(world, {**CLIENT, "code": anywhere, "redirect_uri": REDIRECT})).status == 200


async def test_only_the_digest_of_a_code_is_kept(world: World) -> None:
    code = await a_code(world)
    assert await world.store.read(lambda tx: tx.oauth_code(code)) is None
    assert await world.store.read(lambda tx: tx.oauth_code(digest(code))) is not None


async def test_old_codes_are_forgotten(world: World) -> None:
    old = await a_code(world)
    world.clock.advance(600 + 86_401)
    await a_code(world)
    assert await world.store.read(lambda tx: tx.oauth_code(digest(old))) is None


async def test_a_code_may_bring_a_page_along(world: World) -> None:
    code = await a_code(world, user_id=ALAN.id, page_id=PAGE.id)
    token = (await issue(world, {**CLIENT, "code": code})).json["access_token"]
    (page,) = (await world.get("/me/accounts", token)).json["data"]
    assert (page["id"], len(page["tasks"])) == (PAGE.id, 6)
    await a_code(world, page_id=PAGE.id)
    (kept,) = (await world.get("/me/accounts", GRACE_TOKEN)).json["data"]
    assert kept["tasks"] == ["MESSAGING", "MANAGE"]


@pytest.mark.parametrize("unknown", [{"app_id": AppId("404")}, {"user_id": UserId("404")}, {"page_id": PageId("404")}])
async def test_a_code_for_nobody(world: World, unknown: dict[str, str]) -> None:
    with pytest.raises(NoSuch, match="404"):
        await a_code(world, **unknown)


# --- fb_exchange_token --------------------------------------------------------------------------------------------------


async def exchange(world: World, token: str, client: dict[str, str] = CLIENT) -> Reply:
    return await issue(world, {**client, "grant_type": "fb_exchange_token", "fb_exchange_token": token})


@pytest.mark.parametrize(("token", "kind"), [(GRACE_SHORT_TOKEN, TokenKind.USER), (ROBOT_TOKEN, TokenKind.SYSTEM_USER)])
async def test_a_token_that_lasts(world: World, token: str, kind: TokenKind) -> None:
    reply = await exchange(world, token)
    text = reply.json["access_token"]
    assert reply.json == {"access_token": text, "token_type": "bearer", "expires_in": 5_183_999}
    old, new = await stored(world, token), await stored(world, text)
    assert (new.kind, new.user_id, new.app_id, new.scopes) == (kind, old.user_id, APP.id, SCOPES)
    assert (new.issued_at, new.expires_at) == (world.clock.now(), world.clock.now() + LONG_TOKEN_S)
    assert (await world.get("/me", token)).status == 200


async def test_a_page_token_of_a_token_that_lasts_has_no_end(world: World) -> None:
    lasting = (await exchange(world, GRACE_SHORT_TOKEN)).json["access_token"]
    (page,) = (await world.get("/me/accounts", lasting)).json["data"]
    world.clock.advance(LONG_TOKEN_S)
    assert facts(await world.get("/me", lasting)) == (400, 190, 463)
    assert (await world.get("/me", page["access_token"])).status == 200


async def test_tokens_that_are_not_exchanged(world: World) -> None:
    assert facts(await exchange(world, GRACE_OTHER_APP_TOKEN)) == (400, 100, 9905011)
    assert facts(await exchange(world, PAGE_TOKEN)) == (400, 100, 9905011)
    assert facts(await exchange(world, APP_TOKEN)) == (400, 100, 9905011)
    assert facts(await exchange(world, "garbage")) == (400, 190, None)
    assert facts(await exchange(world, EXPIRED_TOKEN)) == (400, 190, 463)
    assert facts(await exchange(world, REVOKED_TOKEN)) == (400, 190, 467)
    reply = await issue(world, {**CLIENT, "grant_type": "fb_exchange_token"})
    assert (facts(reply), error_of(reply)["message"]) == ((400, 101, None), "Missing fb_exchange_token parameter.")


# --- debug_token --------------------------------------------------------------------------------------------------------


async def inspect(world: World, token: str, asker: str = APP_TOKEN) -> dict[str, Any]:
    reply = await world.get("/v26.0/debug_token", asker, input_token=token)
    assert reply.status == 200
    assert list(reply.json) == ["data"]
    data: dict[str, Any] = reply.json["data"]
    return data


async def test_a_pages_token(world: World) -> None:
    kept = await stored(world, PAGE_TOKEN)
    await world.store.write(lambda tx: tx.put_token(replace(kept, issued_at=NOW + 0.9, user_id=GRACE.id)))
    assert await inspect(world, PAGE_TOKEN) == {
        "app_id": APP.id,
        "type": "PAGE",
        "application": APP.name,
        "data_access_expires_at": 0,
        "expires_at": 0,
        "issued_at": int(NOW),
        "profile_id": PAGE.id,
        "user_id": GRACE.id,
        "is_valid": True,
        "scopes": ["pages_manage_metadata", "pages_messaging"],
        "granular_scopes": [
            {"scope": "pages_manage_metadata", "target_ids": [PAGE.id]},
            {"scope": "pages_messaging", "target_ids": [PAGE.id]},
        ],
    }


async def test_a_users_and_a_system_users_token(world: World) -> None:
    data = await inspect(world, GRACE_SHORT_TOKEN)
    assert (data["type"], data["user_id"], data["expires_at"]) == ("USER", GRACE.id, int(NOW + 90_000))
    assert "profile_id" not in data
    assert data["granular_scopes"] == [{"scope": scope} for scope in sorted(SCOPES)]
    data = await inspect(world, ROBOT_TOKEN)
    assert (data["type"], data["user_id"], data["expires_at"]) == ("SYSTEM_USER", ROBOT.id, 0)


async def test_an_apps_token(world: World) -> None:
    from_secret = (await issue(world, {**CLIENT, "grant_type": "client_credentials"})).json["access_token"]
    for token in (APP_TOKEN, from_secret):
        data = await inspect(world, token)
        assert (data["type"], data["is_valid"], data["scopes"], data["app_id"]) == ("APP", True, [], APP.id)
        assert "issued_at" not in data


async def test_tokens_that_are_no_longer_good(world: World) -> None:
    for token, subcode in ((EXPIRED_TOKEN, 463), (REVOKED_TOKEN, 467)):
        data = await inspect(world, token)
        assert (data["is_valid"], data["scopes"], data["app_id"], data["type"]) == (False, [], APP.id, "PAGE")
        assert (data["error"]["code"], data["error"]["subcode"]) == (190, subcode)
        assert data["error"]["message"].startswith("Error validating access token: ")
        assert "granular_scopes" not in data


@pytest.mark.parametrize("fault", TokenFault)
async def test_every_fault_of_a_token(world: World, fault: TokenFault) -> None:
    kept = await stored(world, PAGE_TOKEN)
    await world.store.write(lambda tx: tx.put_token(replace(kept, fault=fault)))
    data = await inspect(world, PAGE_TOKEN)
    assert (data["is_valid"], data["error"]["code"]) == (False, 190)


async def test_what_is_no_token(world: World) -> None:
    assert await inspect(world, "garbage") == {
        "is_valid": False,
        "scopes": [],
        "error": {"code": 190, "message": "Invalid OAuth access token - Cannot parse access token"},
    }
    assert (await inspect(world, "two words"))["error"]["code"] == 190


async def test_a_token_may_ask_about_itself(world: World) -> None:
    for token in (PAGE_TOKEN, GRACE_TOKEN, ROBOT_TOKEN, APP_TOKEN):
        assert (await inspect(world, token, token))["is_valid"] is True


@pytest.mark.parametrize(
    ("asker", "token"),
    [
        (PAGE_TOKEN, GRACE_TOKEN),
        (GRACE_TOKEN, ALAN_TOKEN),
        (GRACE_TOKEN, "garbage"),
        (APP_TOKEN, GRACE_OTHER_APP_TOKEN),
        (f"{OTHER_APP.id}|{OTHER_APP.secret}", PAGE_TOKEN),
        (f"{OTHER_APP.id}|{OTHER_APP.secret}", EXPIRED_TOKEN),
    ],
)
async def test_who_may_not_ask(world: World, asker: str, token: str) -> None:
    reply = await world.get("/debug_token", asker, input_token=token)
    assert facts(reply) == (400, 100, None)
    assert error_of(reply)["type"] == "OAuthException"
    assert list(reply.json) == ["error"]


async def test_a_bad_asker(world: World) -> None:
    assert facts(await world.get("/debug_token", "", input_token=PAGE_TOKEN)) == (400, 104, None)
    assert facts(await world.get("/debug_token", "garbage", input_token=PAGE_TOKEN)) == (400, 190, None)
    assert facts(await world.get("/debug_token", EXPIRED_TOKEN, input_token=EXPIRED_TOKEN)) == (400, 190, 463)
    strict = f"{STRICT_APP.id}|{STRICT_APP.secret}"
    assert facts(await world.get("/debug_token", strict, input_token=strict)) == (400, 100, 9905002)
    reply = await world.get("/debug_token", APP_TOKEN)
    assert (facts(reply)[:2], error_of(reply)["message"]) == ((400, 100), "(#100) The parameter input_token is required.")
    assert facts(await world.post("/debug_token", {"input_token": APP_TOKEN}, APP_TOKEN)) == (400, 100, 33)


async def test_in_a_batch(world: World) -> None:
    code = await a_code(world)
    batch = [
        {"method": "GET", "relative_url": f"oauth/access_token?{urlencode({**CLIENT, 'code': code})}"},
        {"method": "GET", "relative_url": f"debug_token?input_token={quote(PAGE_TOKEN)}"},
        {"method": "GET", "relative_url": "me/accounts", "access_token": GRACE_TOKEN},
    ]
    reply = await world.post("/v26.0/", {"batch": batch}, APP_TOKEN)
    assert [member["code"] for member in reply.json] == [200, 200, 200]


async def test_another_page_is_no_reason_to_ask(world: World) -> None:
    """The Page of a token decides nothing here: the app does."""
    data = await inspect(world, "EAAother")
    assert data["profile_id"] == OTHER_PAGE.id
    assert facts(await world.get("/debug_token", USER_TOKEN, input_token="EAAother")) == (400, 100, None)
