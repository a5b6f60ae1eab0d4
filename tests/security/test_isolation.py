"""Nobody reads or steers what is not theirs: every token against every edge, verb and kind of node, and what can be guessed.

The edges come from the code's own tables. One of which `parties.py` does not say what it needs fails here.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from pagecalls.call.states import Action
from pagecalls.clock import SystemClock
from pagecalls.consumer.messages import SUBPROTOCOL, Method
from pagecalls.consumer.protocol import PARAMS_OF
from pagecalls.control.app import PROBES, ROUTES
from pagecalls.data_dir import DATABASE
from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice, DeviceRefused
from pagecalls.graph.routes import APP_EDGES, FIXED_PATHS, PAGE_EDGES, USER_EDGES
from pagecalls.media.fake import FakeEngine
from pagecalls.store.base import TokenKind
from pagecalls.types import CallId
from tests.scenarios.conftest import AIORTC, CHROMIUM, World, a_world, offered

from .parties import (
    ADA,
    ALAN,
    APP_EDGES_NEED,
    BELIEVED,
    BIKES,
    BOB,
    BOOKS,
    CY,
    FIXED_PATHS_NEED,
    GRACE,
    HELP,
    NOT_BELIEVED,
    OTHER,
    PAGE_EDGES_NEED,
    SCOPE,
    SHOP,
    TEA,
    TOKEN_KIND,
    UNSUPPORTED,
    USER_EDGES_NEED,
    VERBS,
    WRONG_PAGE,
    Node,
    Refusal,
    Who,
    expected,
    expected_of_app,
    expected_of_user,
    fill,
    text_of,
)

REFUSALS = {(400, 100, 33), (400, 104, None), (403, 210, None), WRONG_PAGE, SCOPE, *NOT_BELIEVED.values()}
"""What nobody who is let through to an edge's handler hears there."""
SECRETS = (SHOP.secret, HELP.secret, BOOKS.name, BIKES.name, ADA.name, BOB.name, CY.name)


@pytest.fixture
async def world(tmp_path: Path, app: BusinessApp) -> AsyncIterator[World]:
    """Everybody is there, and nobody is refused for asking too often."""
    clock = SystemClock()
    limits: dict[str, Any] = {"app_calls_per_hour": None, "page_calls_per_s": None}
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock), **limits) as world:
        await world.server.calls.store.write(fill)
        yield world


async def ask(world: World, who: Who, verb: str, path: str, **params: Any) -> tuple[Refusal | int, str]:
    """How it went, in ruling 16's terms or as a bare 200, and the text of the answer."""
    token = text_of(world, who)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    sent = (texts, None) if verb in ("GET", "DELETE") else (None, texts)
    async with world.http.request(verb, f"{world.base_url}{path}", headers=headers, params=sent[0], data=sent[1]) as response:
        return outcome(response.status, await response.text())


def outcome(status: int, text: str) -> tuple[Refusal | int, str]:
    body = json.loads(text)
    if not isinstance(body, dict) or "error" not in body:
        return status, text
    error = body["error"]
    assert body.get("message", error["message"]) == error["message"]
    return (status, error["code"], error.get("error_subcode")), text


def dump(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is stored."""
    store = sqlite3.connect(folder / DATABASE)
    try:
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {table: sorted(store.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}
    finally:
        store.close()


def page_cells() -> Iterator[tuple[str, str]]:
    yield from ((edge, verb) for edge in PAGE_EDGES for verb in VERBS)


def reading_edges() -> list[str]:
    return [edge for edge, verbs in PAGE_EDGES.items() if edge and "GET" in verbs]


# --- the tables ---------------------------------------------------------------------------------------------------------


def test_of_every_edge_it_is_said_who_may_use_it() -> None:
    for served, said in (
        (PAGE_EDGES, PAGE_EDGES_NEED),
        (APP_EDGES, APP_EDGES_NEED),
        (USER_EDGES, USER_EDGES_NEED),
        (FIXED_PATHS, FIXED_PATHS_NEED),
    ):
        assert {edge: set(verbs) for edge, verbs in served.items()} == {edge: set(verbs) for edge, verbs in said.items()}


@pytest.mark.parametrize("who", Who, ids=lambda who: who.name)
async def test_every_page_edge(world: World, who: Who) -> None:
    """Each cell is refused as the contract says; what is refused changes nothing and tells nothing."""
    before = dump(world.folder)
    let_through = []
    for edge, verb in page_cells():
        for node in Node:
            wanted = expected(who, node, edge, verb)
            if wanted is None:
                let_through.append((edge, verb, node))
                continue
            got, text = await ask(world, who, verb, f"/v26.0/{node.value}/{edge}", psid=ADA.psid)
            assert got == wanted, (who, verb, node, edge)
            assert not [secret for secret in SECRETS if secret in text]
    assert dump(world.folder) == before
    for edge, verb, node in let_through:
        got, _ = await ask(world, who, verb, f"/v26.0/{node.value}/{edge}", psid="404")
        assert got not in REFUSALS, (who, verb, node, edge)


@pytest.mark.parametrize("who", Who, ids=lambda who: who.name)
async def test_every_app_edge(world: World, who: Who) -> None:
    before = dump(world.folder)
    let_through = []
    for edge, verbs in APP_EDGES.items():
        for verb in VERBS:
            for node in (SHOP.id, HELP.id, TEA.id, "404404", "app", "me", "shop"):
                wanted = expected_of_app(who, node, verb in verbs)
                if wanted is None:
                    let_through.append((edge, verb, node))
                    continue
                got, text = await ask(world, who, verb, f"/v26.0/{node}/{edge}")
                assert got == wanted, (who, verb, node, edge)
                assert not [secret for secret in SECRETS if secret in text]
    assert dump(world.folder) == before
    for edge, verb, node in let_through:
        got, _ = await ask(world, who, verb, f"/v26.0/{node}/{edge}", object="page")
        assert got not in REFUSALS | {(400, 15, None)}, (who, verb, node, edge)


@pytest.mark.parametrize("who", Who, ids=lambda who: who.name)
async def test_every_user_edge(world: World, who: Who) -> None:
    """Nobody sees a user but with the user's own token; and it gives out tokens of no Page but those that the user reaches."""
    for edge in (edge for edge in USER_EDGES if edge):
        for verb in VERBS:
            for node in ("me", GRACE.id, ALAN.id, TEA.id, SHOP.id, "404404", "grace"):
                wanted = expected_of_user(who, node, edge, verb)
                before = dump(world.folder)
                got, text = await ask(world, who, verb, f"/v26.0/{node}/{edge}", fields="id,name")
                if wanted is None:
                    assert got == 200
                    reached = BELIEVED[who].reaches
                    assert [page["id"] for page in json.loads(text)["data"]] == ([reached.id] if reached else [])
                else:
                    assert got == wanted, (who, verb, node, edge)
                    assert dump(world.folder) == before
                    assert not [secret for secret in (*SECRETS, GRACE.name, ALAN.name) if secret in text]


@pytest.mark.parametrize("who", Who, ids=lambda who: who.name)
async def test_a_token_is_told_of_to_its_app_and_to_itself(world: World, who: Who) -> None:
    """`/debug_token`: whoever else asks does not even learn whether it is one."""
    for verb in VERBS:
        got, _ = await ask(world, who, verb, "/v26.0/debug_token", input_token="EAASHOP_AT_TEA")
        if who in NOT_BELIEVED:
            assert got == NOT_BELIEVED[who]
        elif who is Who.NOBODY:
            assert got == (400, 104, None)
        elif verb != "GET":
            assert got == UNSUPPORTED
        elif who in (Who.APP, Who.SHOP_AT_TEA):
            assert got == 200
        else:
            assert got == (400, 100, None)
    if who in BELIEVED and BELIEVED[who].kind is not TokenKind.APP:
        said = [await ask(world, who, "GET", "/v26.0/debug_token", input_token=text) for text in ("EAASHOP_AT_BOOKS", "EAAguess")]
        assert [each[0] for each in said] == [(400, 100, None)] * 2 or who is Who.SHOP_AT_BOOKS
        assert TEA.name not in said[0][1]


@pytest.mark.parametrize("who", Who, ids=lambda who: who.name)
async def test_tokens_are_given_out_for_the_apps_secret_alone(world: World, who: Who) -> None:
    """`/oauth/access_token` looks at no token, so none opens it; and of the secrets only that of the app itself."""
    before = dump(world.folder)
    for verb in ("GET", "POST"):
        for secret, grant in ((OTHER.secret, "client_credentials"), ("", ""), (OTHER.secret, "fb_exchange_token")):
            params = {"client_id": SHOP.id, "client_secret": secret, "grant_type": grant, "fb_exchange_token": "EAAUSER_OF_TEA"}
            got, text = await ask(world, who, verb, "/v26.0/oauth/access_token", **params)
            assert got in ((400, 1, None), (400, 101, None))
            assert SHOP.secret not in text
        params = {"client_id": OTHER.id, "client_secret": OTHER.secret, "grant_type": "fb_exchange_token"}
        for theirs in ("EAAUSER_OF_TEA", "EAASHOP_AT_TEA", "EAAguess", "EAAREVOKED"):
            got, _ = await ask(world, who, verb, "/v26.0/oauth/access_token", **params, fb_exchange_token=theirs)
            assert got != 200
        own = {"client_id": SHOP.id, "client_secret": SHOP.secret, "code": "guess"}
        got, _ = await ask(world, who, verb, "/v26.0/oauth/access_token", **own)
        assert got == (400, 100, None)
    assert dump(world.folder) == before


async def test_the_token_of_an_apps_credentials_is_that_apps(world: World) -> None:
    """It acts like `id|secret`, and dies with the secret."""
    params = {"client_id": SHOP.id, "client_secret": SHOP.secret, "grant_type": "client_credentials"}
    _, text = await ask(world, Who.NOBODY, "GET", "/v26.0/oauth/access_token", **params)
    token = json.loads(text)["access_token"]
    assert SHOP.secret not in token
    query = urlencode({"access_token": token})
    for edge in APP_EDGES:
        for node, wanted in ((SHOP.id, 200), (OTHER.id, UNSUPPORTED)):
            assert (await ask(world, Who.NOBODY, "GET", f"/v26.0/{node}/{edge}?{query}"))[0] == wanted
    for edge in PAGE_EDGES:
        got, _ = await ask(world, Who.NOBODY, "GET", f"/v26.0/{TEA.id}/{edge}?{query}")
        assert got in (TOKEN_KIND, UNSUPPORTED)
    await world.server.calls.store.write(lambda tx: tx.put_app(replace(SHOP, secret="another-secret")))
    got, _ = await ask(world, Who.NOBODY, "GET", f"/v26.0/{SHOP.id}/subscriptions?{query}")
    assert got == (400, 190, None)


@pytest.mark.parametrize("who", Who, ids=lambda who: who.name)
async def test_a_member_of_a_batch_has_no_more_rights(world: World, who: Who) -> None:
    """With its own token or that of the batch around it, each request of a batch is answered as if it had come alone."""
    cells = list(page_cells())
    for start in range(0, len(cells), 50):
        some = cells[start : start + 50]
        wanted = [expected(who, Node.TEA, edge, verb) for edge, verb in some]
        members = [{"method": verb, "relative_url": f"{TEA.id}/{edge}?psid={ADA.psid}"} for edge, verb in some]
        token = text_of(world, who)
        if token is not None:
            own = [member | {"access_token": token} for member in members]
            await check_batch(world, Who.OTHER_AT_BIKES, own, wanted)
        refusal, _ = await ask(world, who, "POST", "/v26.0/", batch=members)
        if who in NOT_BELIEVED or who is Who.NOBODY:
            assert refusal == NOT_BELIEVED.get(who, (400, 104, None))
        else:
            await check_batch(world, who, members, wanted)


async def check_batch(world: World, who: Who, members: list[dict[str, str]], wanted: list[Refusal | None]) -> None:
    status, text = await ask(world, who, "POST", "/v26.0/", batch=members)
    assert status == 200
    for member, entry, refusal in zip(members, json.loads(text), wanted, strict=True):
        if refusal is not None and member["method"] not in ("PUT", "PATCH"):
            assert outcome(entry["code"], entry["body"])[0] == refusal, (who, member)


@pytest.mark.parametrize("edge", reading_edges())
async def test_an_edge_asked_for_among_the_fields_of_a_page(world: World, edge: str) -> None:
    """It needs what the edge itself needs, whoever asks for it and in whatever depth."""
    for who in Who:
        wanted = expected(who, Node.TEA, edge, "GET")
        for fields in (edge, f"id,{edge}.limit(5).psid({ADA.psid})", f"name,{edge}.psid({ADA.psid}){{id}}"):
            got, text = await ask(world, who, "GET", f"/v26.0/{TEA.id}", fields=fields, psid=ADA.psid)
            if wanted is not None:
                assert got == wanted, (who, fields)
                assert TEA.name not in text
            else:
                assert got not in REFUSALS, (who, fields)


@pytest.mark.parametrize("who", Who, ids=lambda who: who.name)
async def test_several_nodes_at_once_are_as_closed_as_one(world: World, who: Who) -> None:
    wanted = expected(who, Node.TEA, "", "GET")
    got, text = await ask(world, who, "GET", "/v26.0/", ids=TEA.id)
    assert got == (wanted or 200)
    for other in (BOOKS.id, BIKES.id, "404404", SHOP.id, ADA.psid):
        got, text = await ask(world, who, "GET", "/v26.0/", ids=f"{TEA.id},{other}")
        assert got != 200
        assert TEA.name not in text


# --- what can be guessed ------------------------------------------------------------------------------------------------


async def device(world: World, psid: str) -> ConsumerDevice:
    return await world.device(f"device-{psid}")


def action_params(action: Action, call_id: str) -> dict[str, Any]:
    sdp = {"session": offered(AIORTC)}
    match action:
        case Action.CONNECT:
            return {"to": ADA.psid, **sdp}
        case Action.ACCEPT:
            return {"call_id": call_id, **sdp}
        case Action.MEDIA_UPDATE:
            return {"call_id": call_id, "from_version": 1, "to_version": 2, **sdp}
        case Action.REJECT | Action.TERMINATE:
            return {"call_id": call_id}


async def act(world: World, who: Who, action: Action, call_id: str) -> tuple[Refusal | int, str]:
    return await ask(world, who, "POST", "/v26.0/me/calls", action=action.value, **action_params(action, call_id))


async def subscribe(world: World, who: Who) -> None:
    assert (await ask(world, who, "POST", "/v26.0/me/subscribed_apps", subscribed_fields="calls"))[0] == 200


async def state(world: World, call_id: str) -> str:
    stored = await world.server.calls.store.read(lambda tx: tx.call(CallId(call_id)))
    assert stored is not None
    return stored.call.state.value


@pytest.mark.parametrize("is_up", [False, True], ids=["ringing", "up"])
async def test_a_call_whose_id_is_known_is_still_not_theirs(world: World, is_up: bool) -> None:
    """Another Page's tokens, of the same app or of another, and for a call that is up another app of the same Page."""
    await subscribe(world, Who.SHOP_AT_TEA)
    ada = await device(world, ADA.psid)
    call_id = str((await ada.request("call.start", page_id=TEA.id, session=offered(CHROMIUM)))["call_id"])
    if is_up:
        assert (await act(world, Who.SHOP_AT_TEA, Action.ACCEPT, call_id))[0] == 200
        await world.up(call_id)
    before = await state(world, call_id)
    for action in (each for each in Action if each is not Action.CONNECT):
        for who in (Who.SHOP_AT_BOOKS, Who.OTHER_AT_BIKES):
            got, text = await act(world, who, action, call_id)
            assert got == (403, 2018393, None), (who, action)
            assert "sdp" not in text
        if is_up:
            got, text = await act(world, Who.HELP_AT_TEA, action, call_id)
            assert isinstance(got, tuple)
            assert got[:2] == (403, 2018394) or (action is Action.REJECT and got == (400, 100, 9901205)), action
            assert "sdp" not in text
    assert await state(world, call_id) == before
    assert (await act(world, Who.SHOP_AT_TEA, Action.TERMINATE, call_id))[0] == 200
    # Over or not, it is still nobody else's.
    assert (await act(world, Who.SHOP_AT_BOOKS, Action.TERMINATE, call_id))[0] == (403, 2018393, None)


async def test_a_person_of_another_page_cannot_be_called_or_asked_about(world: World) -> None:
    for who in (Who.SHOP_AT_BOOKS, Who.OTHER_AT_BIKES):
        assert (await act(world, who, Action.CONNECT, ""))[0] == (400, 100, 2018001)
        got, _ = await ask(world, who, "GET", "/v26.0/me/messenger_call_permissions", psid=ADA.psid)
        assert got == (400, 100, 2018001)


async def test_an_app_sees_only_its_own_subscriptions(world: World) -> None:
    await subscribe(world, Who.HELP_AT_TEA)
    _, text = await ask(world, Who.SHOP_AT_TEA, "GET", "/v26.0/me/subscribed_apps")
    assert json.loads(text) == {"data": []}
    assert (await ask(world, Who.SHOP_AT_TEA, "DELETE", "/v26.0/me/subscribed_apps"))[0] == 200
    _, text = await ask(world, Who.HELP_AT_TEA, "GET", "/v26.0/me/subscribed_apps")
    assert len(json.loads(text)["data"]) == 1


async def test_an_etag_of_anothers_answer_opens_nothing(world: World) -> None:
    """304 says "you know it already": only to who may know it."""
    url = f"{world.base_url}/v26.0/{TEA.id}"
    own = {"Authorization": f"Bearer {text_of(world, Who.SHOP_AT_TEA)}"}
    async with world.http.get(url, headers=own) as response:
        etag = response.headers["etag"]
    async with world.http.get(url, headers={**own, "If-None-Match": etag}) as response:
        assert response.status == 304
    for who in Who:
        wanted = expected(who, Node.TEA, "", "GET")
        token = text_of(world, who)
        headers = {"If-None-Match": etag, **({"Authorization": f"Bearer {token}"} if token else {})}
        async with world.http.get(url, headers=headers) as response:
            assert (response.status == 304) == (wanted is None), who


async def test_usage_is_told_of_ones_own_page_or_app_alone(world: World) -> None:
    for who in (Who.SHOP_AT_TEA, Who.SHOP_AT_BOOKS, Who.OTHER_AT_BIKES, Who.APP, Who.OTHER_APP, Who.USER):
        headers = {"Authorization": f"Bearer {text_of(world, who)}"}
        async with world.http.get(f"{world.base_url}/v26.0/{TEA.id}", headers=headers) as response:
            told = {name: value for name, value in response.headers.items() if name.lower().endswith("usage")}
        own = {Who.SHOP_AT_TEA: TEA.id, Who.SHOP_AT_BOOKS: BOOKS.id, Who.OTHER_AT_BIKES: BIKES.id}.get(who)
        text = " ".join(told.values())
        others = {SHOP.id, HELP.id, TEA.id, BOOKS.id, BIKES.id} - {own}
        assert told
        assert not [id_ for id_ in others if id_ in text]


async def test_a_reference_of_a_batch_reaches_nothing_that_a_request_does_not(world: World) -> None:
    """What one request may not read, no other one of the batch can refer to."""
    batch = [
        {"method": "GET", "name": "theirs", "relative_url": str(TEA.id), "omit_response_on_success": False},
        {"method": "GET", "relative_url": "me?fields={result=theirs:$.name}"},
    ]
    status, text = await ask(world, Who.SHOP_AT_BOOKS, "POST", "/v26.0/", batch=batch)
    assert status == 200
    first, second = json.loads(text)
    assert outcome(first["code"], first["body"])[0] == WRONG_PAGE
    assert (second["code"], TEA.name in second["body"]) == (400, False)


@pytest.mark.parametrize("how", ["appsecret_proof", "oauth_token", "access_token", "batch"])
async def test_a_token_that_is_refused_is_not_told_on(world: World, how: str) -> None:
    """No answer repeats a secret of somebody else's, and none says more of a token than that it is no good."""
    for token in (f"{SHOP.id}|wrong", "EAA" + "x" * 300, world.server.dev.admin_token, "device-" + ADA.psid):
        query = urlencode({"oauth_token" if how == "oauth_token" else "access_token": token, "appsecret_proof": "0" * 64})
        path = f"/v26.0/{'' if how == 'batch' else TEA.id}?{query}"
        got, text = await ask(world, Who.NOBODY, "POST" if how == "batch" else "GET", path, batch=[])
        assert got == (400, 190, None)
        assert SHOP.secret not in text
        assert "Invalid OAuth access token" in text


# --- the consumers' side ------------------------------------------------------------------------------------------------

METHODS_ON_A_CALL: dict[Method, dict[str, Any]] = {
    Method.CALL_ACCEPT: {"session": offered(CHROMIUM)},
    Method.CALL_DECLINE: {},
    Method.CALL_HANGUP: {},
    Method.CALL_MEDIA_UPDATE: {"from_version": 1, "to_version": 2, "session": offered(CHROMIUM)},
    Method.CALL_ANSWER: {"version": 1, "session": {"sdp_type": "answer", "sdp": CHROMIUM}},
    Method.CALL_DTMF: {"digits": "1"},
    Method.CALL_STATS: {"stats": {}},
}
METHODS_ON_A_PAGE: dict[Method, dict[str, Any]] = {
    Method.CALL_START: {"session": offered(CHROMIUM)},
    Method.MESSAGE_SEND: {"text": "Hello"},
    Method.PERMISSION_REVOKE: {},
}
METHODS_ON_A_REQUEST: dict[Method, dict[str, Any]] = {Method.PERMISSION_REPLY: {"response": "approve"}}
METHODS_ON_NOTHING = {Method.PING}


def test_of_every_method_it_is_said_what_it_acts_on() -> None:
    assert set(PARAMS_OF) == {*METHODS_ON_A_CALL, *METHODS_ON_A_PAGE, *METHODS_ON_A_REQUEST, *METHODS_ON_NOTHING}


@pytest.mark.parametrize("is_up", [False, True], ids=["ringing", "up"])
async def test_devices_have_no_say_in_the_calls_of_others(world: World, is_up: bool) -> None:
    """Another person of the Page, and a person of another Page, who know the call's id."""
    await subscribe(world, Who.SHOP_AT_TEA)
    ada = await device(world, ADA.psid)
    call_id = str((await ada.request("call.start", page_id=TEA.id, session=offered(CHROMIUM)))["call_id"])
    if is_up:
        assert (await act(world, Who.SHOP_AT_TEA, Action.ACCEPT, call_id))[0] == 200
        await world.up(call_id)
    before = await state(world, call_id), len(world.engine.legs)
    for psid in (BOB.psid, CY.psid):
        other = await device(world, psid)
        for method, params in METHODS_ON_A_CALL.items():
            with pytest.raises(DeviceRefused) as refused:
                await other.request(method.value, call_id=call_id, **params)
            assert (refused.value.data["code"], refused.value.data["error_subcode"]) == (2018390, 9901001), method
            with pytest.raises(DeviceRefused) as unknown:
                await other.request(method.value, call_id="c_" + "A" * 43, **params)
            # Whether such a call exists is not to be found out.
            assert refused.value.data["message"] == unknown.value.data["message"]
        assert not [each for each in other.received if each.params.get("call_id") == call_id]
    assert (await state(world, call_id), len(world.engine.legs)) == before


@pytest.mark.parametrize("method", METHODS_ON_A_PAGE, ids=lambda method: method.value)
async def test_devices_speak_to_their_own_page_alone(world: World, method: Method) -> None:
    bob = await device(world, BOB.psid)
    for page_id in (BOOKS.id, BIKES.id, "404404"):
        with pytest.raises(DeviceRefused) as refused:
            await bob.request(method.value, page_id=page_id, **METHODS_ON_A_PAGE[method])
        assert (refused.value.data["code"], refused.value.data["error_subcode"]) == (100, 9905011)
    assert not world.engine.legs


async def write_to_ada(world: World, who: Who, **payload: Any) -> tuple[Refusal | int, str]:
    message = {"attachment": {"type": "template", "payload": payload}}
    return await ask(world, who, "POST", "/v26.0/me/messages", recipient={"id": ADA.psid}, message=message)


BUTTON = {"type": "audio_call", "title": "Call us"}


async def test_what_was_sent_to_one_person_is_of_no_use_to_another(world: World) -> None:
    """A request to call, and a button that calls, whose ids are known."""
    await subscribe(world, Who.SHOP_AT_TEA)
    ada, bob, cy = [await device(world, psid) for psid in (ADA.psid, BOB.psid, CY.psid)]
    await ada.request("message.send", page_id=TEA.id, text="Hello")
    assert (await write_to_ada(world, Who.SHOP_AT_TEA, template_type="calling_optin"))[0] == 200
    sent = await write_to_ada(world, Who.SHOP_AT_TEA, template_type="button", text="Any time", buttons=[BUTTON])
    assert sent[0] == 200
    request_id = (await ada.expect("permission.request")).params["request_id"]
    message_id = json.loads(sent[1])["message_id"]
    await ada.expect("message", message_id=message_id)
    await world.settle()
    before = dump(world.folder)
    for other in (bob, cy):
        for method, params in METHODS_ON_A_REQUEST.items():
            said = []
            for guess in (request_id, "guess"):
                with pytest.raises(DeviceRefused) as refused:
                    await other.request(method.value, request_id=guess, **params)
                said.append((refused.value.data["code"], refused.value.data.get("error_subcode"), refused.value.data["message"]))
            assert said[0] == said[1]
    with pytest.raises(DeviceRefused):
        await bob.request("call.start", page_id=TEA.id, session=offered(CHROMIUM), message_id=message_id)
    assert dump(world.folder) == before
    assert not [each for each in (*bob.received, *cy.received) if each.method in ("permission.request", "message")]
    assert (await ada.request("permission.reply", request_id=request_id, response="approve"))["expiration_timestamp"]


async def test_nobody_writes_to_the_people_of_another_page(world: World) -> None:
    ada = await device(world, ADA.psid)
    await ada.request("message.send", page_id=TEA.id, text="Hello")
    for who in (Who.SHOP_AT_BOOKS, Who.OTHER_AT_BIKES):
        for payload in ({"template_type": "calling_optin"}, {"template_type": "button", "text": "x", "buttons": [BUTTON]}):
            got, text = await write_to_ada(world, who, **payload)
            assert got in ((400, 100, 2018001), (403, 2018389, 1893056)), (who, payload)
            assert ADA.name not in text
    assert not [each for each in ada.received if each.method in ("permission.request", "message")]


@pytest.mark.parametrize("who", [who for who in Who if who is not Who.CONSUMER], ids=lambda who: who.name)
async def test_a_socket_opens_to_consumers_tokens_only(world: World, who: Who) -> None:
    token = text_of(world, who)
    for headers, query in (({"Authorization": f"Bearer {token}"}, ""), ({}, f"?{urlencode({'access_token': token or ''})}")):
        url = f"{world.base_url}/consumer/v1{query}"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await world.http.ws_connect(url, protocols=[SUBPROTOCOL], headers=headers)
        assert refused.value.status == 401


# --- the operator's side ------------------------------------------------------------------------------------------------


def control_cells() -> list[tuple[str, str]]:
    """Every path and verb, with something in the places of names."""
    return [("/".join(_named(part) for part in path.split("/")), verb) for path, verbs in ROUTES.items() for verb in verbs]


def _named(part: str) -> str:
    return "c_guess" if part.startswith("{") else part


@pytest.mark.parametrize("who", [who for who in Who if who is not Who.ADMIN], ids=lambda who: who.name)
async def test_the_operators_side_opens_to_the_admin_token_only(world: World, who: Who) -> None:
    before = dump(world.folder)
    token = text_of(world, who)
    admin = world.server.dev.admin_token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    for path, verb in [*control_cells(), ("/_pagecalls/nothing", "GET"), ("/_pagecalls", "POST"), ("/_pagecalls/health/", "PUT")]:
        for query in ("", f"?access_token={admin}", f"?admin_token={admin}"):
            async with world.http.request(verb, world.base_url + path + query, headers=headers, data=b"{}") as response:
                wanted = 405 if verb == "PUT" else 401
                assert (response.status, "error" in await response.json()) == (wanted, True), (verb, path)
    assert dump(world.folder) == before


async def test_the_operators_side_opens_to_the_admin_token(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.server.dev.admin_token}"}
    for path, verb in control_cells():
        if path != "/_pagecalls/clock/advance":
            async with world.http.request(verb, world.base_url + path, headers=headers, data=b"{}") as response:
                assert response.status not in (401, 403, 405, 500), (verb, path)


@pytest.mark.parametrize("path", PROBES)
async def test_probes_say_nothing_but_their_answer(world: World, path: str) -> None:
    async with world.http.get(world.base_url + path) as response:
        assert (response.status, set(await response.json())) == (200, {"status"})


async def test_no_token_is_stored_as_it_is_or_shown_to_the_operator(world: World) -> None:
    """The store holds digests; journal, figures and calls speak of ids."""
    await subscribe(world, Who.SHOP_AT_TEA)
    ada = await device(world, ADA.psid)
    call_id = (await ada.request("call.start", page_id=TEA.id, session=offered(CHROMIUM)))["call_id"]
    texts = [text for who in Who if who not in (Who.NOBODY, Who.APP, Who.OTHER_APP, Who.ADMIN) and (text := text_of(world, who))]
    stored = repr({table: rows for table, rows in dump(world.folder).items() if table != "apps"})
    assert not [text for text in (*texts, f"device-{ADA.psid}", world.app.token) if text in stored]
    headers = {"Authorization": f"Bearer {world.server.dev.admin_token}"}
    for path in ("/_pagecalls/journal", "/metrics", f"/_pagecalls/calls/{call_id}"):
        async with world.http.get(world.base_url + path, headers=headers) as response:
            page = await response.text()
            assert response.status == 200
        assert not [text for text in (*texts, SHOP.secret, "ice-pwd", "ice-ufrag", "fingerprint") if text in page]
