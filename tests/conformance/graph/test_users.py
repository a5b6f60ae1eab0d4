"""Users, the Pages that they reach, and the way to a Page token (graph-platform 1, 2.2 and 3.4, ruling 16)."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from pagecalls.errors import TokenFault
from pagecalls.store.base import PageTask, TokenFilter, TokenKind, Transaction, UserPage
from pagecalls.switchboard.credentials import digest
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.registers import NoSuch
from pagecalls.switchboard.tokens import AccessTokens, TokenOrder
from pagecalls.switchboard.user_pages import UserPages
from pagecalls.switchboard.user_tokens import UserTokens
from pagecalls.types import UserId
from tests.conformance.graph.people import (
    ALAN,
    ALAN_TOKEN,
    GRACE,
    GRACE_NARROW_TOKEN,
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
    OTHER_APP,
    OTHER_PAGE,
    PAGE,
    PAGE_TOKEN,
    USER_TOKEN,
    World,
    error_of,
    facts,
)

REJECT = {"action": "reject", "call_id": "c_1"}


@pytest.fixture(autouse=True)
async def filled(world: World) -> None:
    await world.store.write(people)


async def page_token(world: World, token: str = GRACE_TOKEN) -> str:
    (entry,) = (await world.get("/me/accounts", token)).json["data"]
    return str(entry["access_token"])


async def made_tokens(world: World, user_id: UserId = GRACE.id) -> int:
    which = TokenFilter(user_id=user_id, kind=TokenKind.PAGE)
    return len(await world.store.read(lambda tx: tx.tokens(which, "", 100)))


@pytest.mark.parametrize("path", ["/me", f"/v26.0/{GRACE.id}", f"/v20.0/{GRACE.id}/"])
async def test_a_users_own_node(world: World, path: str) -> None:
    assert (await world.get(path, GRACE_TOKEN)).json == {"id": "3001", "name": "Grace"}
    assert (await world.get(path, GRACE_TOKEN, fields="id")).json == {"id": "3001"}


async def test_a_system_users_own_node(world: World) -> None:
    assert (await world.get("/me", ROBOT_TOKEN)).json == {"id": ROBOT.id, "name": "Robot"}


async def test_fields_of_a_user(world: World) -> None:
    reply = await world.get("/me", GRACE_TOKEN, fields="name,accounts{name,tasks}")
    account = {"id": PAGE.id, "name": PAGE.name, "tasks": ["MESSAGING", "MANAGE"]}
    assert reply.json == {"id": "3001", "name": "Grace", "accounts": {"data": [account]}}
    reply = await world.get("/me", GRACE_TOKEN, fields="email")
    assert facts(reply) == (400, 100, 9905011)
    assert error_of(reply)["message"] == "(#100) Tried accessing nonexisting field (email) on node type (User)"
    assert facts(await world.get("/me", GRACE_TOKEN, fields="name{first}")) == (400, 100, 9905011)


@pytest.mark.parametrize("token", [ALAN_TOKEN, PAGE_TOKEN, APP_TOKEN, USER_TOKEN])
async def test_nobody_else_sees_a_user(world: World, token: str) -> None:
    assert facts(await world.get(f"/{GRACE.id}", token)) == (400, 100, 33)
    assert facts(await world.get(f"/{GRACE.id}/accounts", token)) == (400, 100, 33)


async def test_a_user_changes_nothing_here(world: World) -> None:
    assert facts(await world.post(f"/{GRACE.id}", {}, GRACE_TOKEN)) == (400, 100, 33)
    assert facts(await world.post("/me/accounts", {}, GRACE_TOKEN)) == (400, 100, 33)


async def test_users_among_ids(world: World) -> None:
    reply = await world.get("/", GRACE_TOKEN, ids=f"me,{PAGE.id}")
    assert reply.json == {"me": {"id": GRACE.id, "name": "Grace"}, PAGE.id: {"id": PAGE.id, "name": PAGE.name}}
    assert facts(await world.get("/", GRACE_TOKEN, ids=f"me,{ALAN.id}")) == (400, 100, 33)


async def test_a_users_own_node_spends_nothing_of_a_pages(world: World) -> None:
    headers = (await world.get("/me", GRACE_TOKEN)).headers
    assert "x-app-usage" in headers
    assert "x-page-usage" not in headers
    assert "x-page-usage" in (await world.get(f"/{PAGE.id}", GRACE_TOKEN)).headers


async def test_accounts(world: World) -> None:
    reply = await world.get("/v26.0/me/accounts", GRACE_TOKEN, summary="true")
    (entry,) = reply.json["data"]
    token = entry["access_token"]
    assert list(reply.json) == ["data"]
    assert entry == {"id": PAGE.id, "access_token": token, "name": PAGE.name, "tasks": ["MESSAGING", "MANAGE"]}
    assert (await world.get(f"/{GRACE.id}/accounts", GRACE_TOKEN)).json["data"] == [entry]
    assert (await world.get("/me/accounts", ALAN_TOKEN)).json == {"data": []}


async def test_the_token_is_a_pages(world: World) -> None:
    token = await page_token(world)
    assert token.startswith("EAA")
    assert (await world.call(REJECT, token)).status == 200
    assert world.door.asked[-1][1].app_id == APP.id
    assert (await world.get("/me", token)).json == {"id": PAGE.id, "name": PAGE.name}
    assert facts(await world.call(REJECT, token, OTHER_PAGE.id)) == (403, 200, 9905004)


async def test_it_is_the_same_at_every_reading(world: World) -> None:
    token = await page_token(world)
    assert [await page_token(world) for _ in range(3)] == [token] * 3
    assert (await world.get(f"/{PAGE.id}", GRACE_TOKEN, fields="access_token")).json["access_token"] == token
    assert await made_tokens(world) == 1
    again = replace(await stored(world, GRACE_TOKEN), digest=digest("EAAagain"), issued_at=NOW + 60)
    await world.store.write(lambda tx: tx.put_token(again))
    assert await page_token(world, "EAAagain") == token


async def stored(world: World, text: str) -> Any:
    return await world.store.read(lambda tx: tx.token(digest(text)))


async def test_each_app_and_set_of_permissions_has_its_own(world: World) -> None:
    narrow = replace(await stored(world, GRACE_TOKEN), digest=digest("EAAless"), scopes=frozenset({"pages_show_list"}))
    await world.store.write(lambda tx: tx.put_token(narrow))
    texts = {await page_token(world, token) for token in (GRACE_TOKEN, GRACE_OTHER_APP_TOKEN, "EAAless", ROBOT_TOKEN)}
    assert len(texts) == 4
    assert facts(await world.call(REJECT, await page_token(world, "EAAless"))) == (403, 200, 9905003)
    other = await stored(world, await page_token(world, GRACE_OTHER_APP_TOKEN))
    assert (other.app_id, other.page_id, other.user_id, other.scopes) == (OTHER_APP.id, PAGE.id, GRACE.id, SCOPES)


async def test_another_server_makes_other_tokens(world: World) -> None:
    token = await page_token(world)
    elsewhere = UserTokens(world.store, world.clock, b"another key")
    assert await elsewhere.page_token(await stored(world, GRACE_TOKEN), PAGE.id) != token


async def test_from_a_short_token_comes_a_short_one(world: World) -> None:
    lasting, short = await page_token(world), await page_token(world, GRACE_SHORT_TOKEN)
    assert (await stored(world, lasting)).expires_at is None
    assert (await stored(world, short)).expires_at == NOW + 90_000
    world.clock.advance(NOW + 90_000 - world.clock.now())
    assert facts(await world.get("/me", short)) == (400, 190, 463)
    assert (await world.get("/me", lasting)).status == 200


async def test_a_token_that_was_taken_back_is_not_given_out_again(world: World) -> None:
    first = await page_token(world)
    revoked = replace(await stored(world, first), fault=TokenFault.REVOKED)
    await world.store.write(lambda tx: tx.put_token(revoked))
    assert facts(await world.get("/me", first)) == (400, 190, 467)
    second = await page_token(world)
    assert second != first
    assert (await world.get("/me", second)).status == 200


async def test_a_text_that_ended_never_comes_again(world: World) -> None:
    texts = [await page_token(world)]
    tokens = AccessTokens(world.store, world.clock, Ids(random.Random(1)))

    async def forget(handle: str) -> None:
        await tokens.delete(handle)

    async def run_out(handle: str) -> None:
        await tokens.change(handle, None, 60)
        world.clock.advance(61)

    async def rotate(handle: str) -> None:
        await tokens.rotate(handle)

    async def forget_what_ran_out(handle: str) -> None:
        await run_out(handle)
        await forget(handle)

    for end in (forget, run_out, rotate, forget_what_ran_out):
        await end(digest(texts[-1])[:16])
        assert error_of(await world.get("/me", texts[-1]))["code"] == 190
        texts.append(await page_token(world))
        assert (await world.get("/me", texts[-1])).status == 200
        assert await page_token(world) == texts[-1]
    assert len(set(texts)) == len(texts)


async def test_a_user_who_is_made_anew_has_none_of_the_old_tokens(world: World) -> None:
    old = await page_token(world)

    def anew(tx: Transaction) -> None:
        tx.delete_user(GRACE.id)
        people(tx)

    await world.store.write(anew)
    assert await page_token(world) != old
    assert facts(await world.get("/me", old)) == (400, 190, None)


async def test_it_ends_when_the_user_no_longer_reaches_the_page(world: World) -> None:
    token = await page_token(world)
    reach = UserPages(world.store)
    await reach.take(GRACE.id, PAGE.id)
    assert facts(await world.get("/me", token)) == (400, 190, 492)
    assert (await world.get("/me/accounts", GRACE_TOKEN)).json == {"data": []}
    with pytest.raises(NoSuch):
        await reach.take(GRACE.id, PAGE.id)
    await reach.put(UserPage(GRACE.id, PAGE.id, (PageTask.ANALYZE,)))
    assert (await world.get("/me", token)).status == 200


async def test_a_system_users_token_for_a_page_ends_with_their_reach(world: World) -> None:
    tokens = AccessTokens(world.store, world.clock, Ids(random.Random(1)))
    text = (await tokens.issue(TokenOrder(TokenKind.SYSTEM_USER, APP.id, PAGE.id, ROBOT.id))).text
    assert (await world.call(REJECT, text)).status == 200
    await UserPages(world.store).take(ROBOT.id, PAGE.id)
    assert facts(await world.call(REJECT, text)) == (400, 190, 492)


async def test_accounts_need_their_permission(world: World) -> None:
    reply = await world.get("/me/accounts", GRACE_NARROW_TOKEN)
    assert facts(reply) == (403, 200, 9905003)
    assert "pages_show_list" in error_of(reply)["message"]
    assert facts(await world.get("/me", GRACE_NARROW_TOKEN, fields="accounts")) == (403, 200, 9905003)
    assert await made_tokens(world) == 0


async def test_accounts_of_what_is_no_user(world: World) -> None:
    for path in ("/me/accounts", f"/{PAGE.id}/accounts"):
        reply = await world.get(path)
        assert facts(reply) == (400, 2500, 9905005)
        assert error_of(reply)["message"] == "Unknown path components: /accounts"
    assert facts(await world.get("/me/accounts", APP_TOKEN)) == (400, 2500, None)
    assert facts(await world.get("/me/accounts", "")) == (400, 2500, None)
    assert facts(await world.get("/shop/accounts", GRACE_TOKEN)) == (404, 803, None)


async def test_pages_of_accounts(world: World) -> None:
    def work(tx: Transaction) -> None:
        tx.put_user_page(UserPage(GRACE.id, OTHER_PAGE.id, (PageTask.MANAGE,)))

    await world.store.write(work)
    first = (await world.get("/me/accounts", GRACE_TOKEN, limit="1", fields="name,is_calling_eligible")).json
    assert first["data"] == [{"id": PAGE.id, "name": PAGE.name, "is_calling_eligible": True}]
    after = first["paging"]["cursors"]["after"]
    second = (await world.get("/me/accounts", GRACE_TOKEN, limit="1", fields="name", after=after)).json
    assert second["data"] == [{"id": OTHER_PAGE.id, "name": OTHER_PAGE.name}]
    assert "next" not in second["paging"]
    assert facts(await world.get("/me/accounts", GRACE_TOKEN, fields="colour")) == (400, 100, 9905011)
    nested = (await world.get("/me", GRACE_TOKEN, fields="accounts.limit(1){name}")).json["accounts"]
    assert f"/v26.0/{GRACE.id}/accounts?" in nested["paging"]["next"]


async def test_a_user_reads_the_page_that_they_reach(world: World) -> None:
    assert (await world.get(f"/{PAGE.id}", GRACE_TOKEN)).json == {"id": PAGE.id, "name": PAGE.name}
    read = (await world.get(f"/{PAGE.id}", GRACE_TOKEN, fields="access_token,is_calling_eligible")).json
    assert read == {"id": PAGE.id, "access_token": await page_token(world), "is_calling_eligible": True}
    assert facts(await world.get(f"/{OTHER_PAGE.id}", GRACE_TOKEN)) == (403, 210, None)
    assert facts(await world.get(f"/{PAGE.id}", GRACE_NARROW_TOKEN)) == (403, 210, None)
    assert facts(await world.get(f"/{PAGE.id}", ALAN_TOKEN)) == (403, 210, None)


async def test_a_users_token_does_nothing_else_on_a_page(world: World) -> None:
    assert facts(await world.call(REJECT, GRACE_TOKEN)) == (403, 210, None)
    assert facts(await world.post("/me/calls", REJECT, GRACE_TOKEN)) == (403, 210, None)
    assert facts(await world.get(f"/{PAGE.id}", GRACE_TOKEN, fields="subscribed_apps")) == (403, 210, None)


async def test_a_system_user_acts_for_the_pages_that_they_have_a_task_on(world: World) -> None:
    assert (await world.call(REJECT, ROBOT_TOKEN)).status == 200
    assert (await world.get(f"/{PAGE.id}", ROBOT_TOKEN, fields="subscribed_apps")).json["subscribed_apps"] == {"data": []}
    assert facts(await world.call(REJECT, ROBOT_TOKEN, OTHER_PAGE.id)) == (403, 210, None)
    token = (await world.get(f"/{PAGE.id}", ROBOT_TOKEN, fields="access_token")).json["access_token"]
    assert token == await page_token(world, ROBOT_TOKEN)
    assert token != ROBOT_TOKEN
