"""Several requests in one (graph-platform 6, ruling 7): each answered as if it had come alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from starlette.types import Message

from pagecalls.errors import UnknownCall
from pagecalls.switchboard.base import Caller, CallReply, EndRequest
from pagecalls.types import CallId
from tests.asgi_client import Reply, Socket, scope_of
from tests.conformance.graph.world import (
    APP,
    APP_TOKEN,
    BARE_TOKEN,
    OTHER_PAGE,
    OTHER_PAGE_TOKEN,
    PAGE,
    PAGE_TOKEN,
    PSID,
    STRICT_APP,
    STRICT_TOKEN,
    World,
    error_of,
    facts,
    proof,
)

CALLS = f"{PAGE.id}/calls"
Members = Sequence[object]


def ends(call_id: str, **more: object) -> dict[str, object]:
    return {"method": "POST", "relative_url": CALLS, "body": f"action=terminate&call_id={call_id}", **more}


async def send(world: World, members: Members, token: str = PAGE_TOKEN, **more: object) -> Reply:
    return await world.post("/v26.0/", {"batch": members, **more}, token)


async def entries(world: World, members: Members, token: str = PAGE_TOKEN, **more: object) -> list[Any]:
    reply = await send(world, members, token, **more)
    assert reply.status == 200, reply.content
    found: list[Any] = reply.json
    assert len(found) == len(members)
    return found


def body_of(entry: Any) -> Any:
    assert isinstance(entry["body"], str)
    return json.loads(entry["body"])


def asked_calls(world: World) -> list[str]:
    return [request.call_id for _, _, request in world.door.asked if isinstance(request, EndRequest)]


# --- the form ---------------------------------------------------------------------------------------------------------


async def test_what_the_sdk_sends(world: World) -> None:
    """As recorded of it: a form on the versioned root, token and proof in the query."""
    members = [
        {"body": "action=terminate&call_id=c_1", "method": "POST", "relative_url": CALLS},
        {"method": "GET", "relative_url": f"{PAGE.id}/messenger_call_permissions?psid={PSID}"},
        {"body": "action=dance", "method": "POST", "relative_url": CALLS},
    ]
    query = urlencode({"access_token": PAGE_TOKEN, "appsecret_proof": proof(APP.secret, PAGE_TOKEN)})
    form = urlencode({"batch": json.dumps(members, separators=(",", ":"))}).encode()
    reply = await world.ask("POST", f"/v26.0/?{query}", {"content-type": "application/x-www-form-urlencoded"}, form)
    assert reply.status == 200
    done, permission, refused = reply.json
    assert [entry["code"] for entry in reply.json] == [200, 200, 400]
    assert body_of(done) == {"success": True, "call_id": "c_" + "x" * 43}
    assert body_of(permission)["permission"]["status"] == "no_permission"
    assert body_of(refused)["error"]["error_subcode"] == body_of(refused)["error_subcode"] == 9905011
    assert world.door.asked == [("terminate", Caller(APP.id, PAGE.id), EndRequest(CallId("c_1")))]


@pytest.mark.parametrize("path", ["/", "/v26.0", "/v26.0/", "/me", f"/v26.0/{PAGE.id}/", "/404404", "/nobody"])
async def test_on_the_root_and_on_any_node(world: World, path: str) -> None:
    reply = await world.post(path, {"batch": [{"relative_url": "me"}]})
    assert (reply.status, body_of(reply.json[0])) == (200, {"id": PAGE.id, "name": PAGE.name})


async def test_in_every_encoding(world: World) -> None:
    text = json.dumps([{"relative_url": "me"}])
    bearer = {"authorization": f"Bearer {PAGE_TOKEN}"}
    brackets = urlencode({"batch[0][relative_url]": "me", "batch[0][method]": "GET"}).encode()
    form = {**bearer, "content-type": "application/x-www-form-urlencoded"}
    multipart = f'--b\r\nContent-Disposition: form-data; name="batch"\r\n\r\n{text}\r\n--b--\r\n'.encode()
    replies = [
        await world.ask("POST", f"/?batch={quote(text)}", bearer),
        await world.ask("GET", f"/?method=post&batch={quote(text)}", bearer),
        await world.ask("POST", "/", form, urlencode({"batch": text}).encode()),
        await world.ask("POST", "/", form, brackets),
        await world.ask("POST", "/", {**bearer, "content-type": "multipart/form-data; boundary=b"}, multipart),
        await world.post("/", {"batch": text}),
        await world.post("/", {"batch": [json.dumps({"relative_url": "me"})]}),
    ]
    for reply in replies:
        assert (reply.status, body_of(reply.json[0])["id"]) == (200, PAGE.id)


async def test_an_edge_has_no_batch_and_a_get_is_none(world: World) -> None:
    assert facts(await world.post(f"/{CALLS}", {"batch": [{"relative_url": "me"}]})) == (400, 100, 9905010)
    assert facts(await world.get("/", batch='[{"relative_url":"me"}]')) == (400, 2500, 9905005)


async def test_how_an_entry_looks(world: World) -> None:
    (entry,) = await entries(world, [{"relative_url": "me"}])
    assert list(entry) == ["code", "headers", "body"]
    headers = {line["name"]: line["value"] for line in entry["headers"]}
    assert entry["headers"][0] == {"name": "Content-Type", "value": "application/json; charset=UTF-8"}
    assert headers["Facebook-API-Version"] == "v26.0"
    assert headers["ETag"].startswith('"')
    (bare,) = await entries(world, [{"relative_url": "me"}], include_headers=False)
    assert list(bare) == ["code", "body"]
    reply = await send(world, [{"relative_url": "me"}])
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"
    assert reply.headers["facebook-api-version"] == "v26.0"


async def test_each_request_has_a_trace_of_its_own(world: World) -> None:
    first, second = await entries(world, [{"relative_url": "404404"}, {"relative_url": "404404"}])
    assert body_of(first)["error"]["fbtrace_id"] != body_of(second)["error"]["fbtrace_id"]


async def test_an_empty_batch(world: World) -> None:
    assert await entries(world, []) == []


# --- one request of it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["me", "/me", "/v26.0/me", "v26.0/me/", f"{PAGE.id}?fields=id,name#x", "%6De"])
async def test_relative_urls(world: World, url: str) -> None:
    (entry,) = await entries(world, [{"relative_url": url}])
    assert (entry["code"], body_of(entry)["id"]) == (200, PAGE.id)


async def test_a_request_may_name_another_version(world: World) -> None:
    found = await entries(world, [{"relative_url": url} for url in ("me", "v21.0/me", "v3.0/me", "v99.0/me")])
    versions = [next(line["value"] for line in each["headers"] if line["name"] == "Facebook-API-Version") for each in found]
    assert versions == ["v26.0", "v21.0", "v20.0", "v26.0"]
    assert body_of(found[3])["error"]["code"] == 2500


async def test_without_a_version_around_it_each_app_has_its_own(world: World) -> None:
    right = proof(STRICT_APP.secret, STRICT_TOKEN)
    reply = await world.post("/", {"batch": [{"relative_url": "me"}], "appsecret_proof": right}, STRICT_TOKEN)
    assert {"name": "Facebook-API-Version", "value": "v23.0"} in reply.json[0]["headers"]


@pytest.mark.parametrize(
    "body",
    [
        "action=REJECT&call_id=c_1",
        {"action": "reject", "call_id": "c_1"},
        '{"action":"reject","call_id":"c_1"}',
    ],
)
async def test_bodies(world: World, body: object) -> None:
    (entry,) = await entries(world, [{"method": "post", "relative_url": CALLS, "body": body}])
    assert entry["code"] == 200
    assert asked_calls(world) == ["c_1"]


async def test_headers_of_a_request(world: World) -> None:
    json_type = [{"name": "Content-Type", "value": "application/json"}]
    (first,) = await entries(world, [{"method": "POST", "relative_url": CALLS, "headers": json_type, "body": "action=reject"}])
    assert body_of(first)["error"]["error_subcode"] == 9905012
    (page,) = await entries(world, [{"relative_url": "me"}])
    etag = next(line["value"] for line in page["headers"] if line["name"] == "ETag")
    known = [{"name": "If-None-Match", "value": etag}]
    (same,) = await entries(world, [{"relative_url": "me", "headers": known}])
    assert (same["code"], same["body"]) == (304, "")
    bearer = [{"name": "Authorization", "value": f"Bearer {OTHER_PAGE_TOKEN}"}]
    snowman = [{"name": "authorization", "value": "Bearer \u2603"}]
    other, odd = await entries(world, [{"relative_url": "me", "headers": bearer}, {"relative_url": "me", "headers": snowman}])
    assert body_of(other)["id"] == OTHER_PAGE.id
    assert body_of(odd)["error"]["code"] == 190


async def test_head_and_unknown_verbs(world: World) -> None:
    head, odd = await entries(world, [{"method": "HEAD", "relative_url": "me"}, {"method": "dance", "relative_url": "me"}])
    assert (head["code"], head["body"]) == (200, "")
    assert body_of(odd)["error"]["message"].startswith("Unsupported dance request.")


async def test_an_error_of_ours_is_one_entry(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.door.answer = RuntimeError("secret")
    failed, fine = await entries(world, [ends("c_1"), {"relative_url": "me"}])
    assert (failed["code"], fine["code"]) == (500, 200)
    assert "secret" not in failed["body"]
    assert caplog.records


async def test_reserved_parameters_of_a_request_and_of_the_batch(world: World) -> None:
    members = [{"relative_url": "me?pretty=1"}, {"relative_url": "404404?suppress_http_code=1"}]
    reply = await world.post("/?pretty=1", {"batch": members, "include_headers": "false"})
    assert reply.content.startswith(b'[\n   {\n      "code": 200,')
    assert reply.json[0]["body"].startswith('{\n   "id"')
    assert (reply.json[1]["code"], body_of(reply.json[1])["error"]["code"]) == (200, 100)


async def test_a_batch_in_a_batch_is_refused(world: World) -> None:
    inner = json.dumps([{"relative_url": "me"}])
    (entry,) = await entries(world, [{"method": "POST", "relative_url": "/", "body": urlencode({"batch": inner})}])
    assert (entry["code"], body_of(entry)["error"]["message"]) == (400, "(#100) batch: a batch cannot hold another one.")


async def test_the_operators_paths_are_out_of_reach(world: World) -> None:
    for url in ("_pagecalls/clock", "/metrics", "https://example.org/x", "../_pagecalls/ready"):
        (entry,) = await entries(world, [{"relative_url": url}])
        assert body_of(entry)["error"]["code"] in (803, 2500)


# --- who asks -----------------------------------------------------------------------------------------------------------


async def test_a_batch_needs_a_token_that_is_good(world: World) -> None:
    members = [{"relative_url": f"me?access_token={PAGE_TOKEN}"}]
    assert facts(await send(world, members, "")) == (400, 104, None)
    assert facts(await send(world, members, "garbage")) == (400, 190, None)
    assert facts(await world.post("/me", {"batch": members}, "")) == (400, 2500, None)
    assert facts(await send(world, members, appsecret_proof="x")) == (400, 100, 9905002)


async def test_requests_may_bring_tokens_of_their_own(world: World) -> None:
    own, in_url, in_body, around = await entries(
        world,
        [
            {"relative_url": "me", "access_token": OTHER_PAGE_TOKEN},
            {"relative_url": f"me?access_token={OTHER_PAGE_TOKEN}"},
            {"method": "POST", "relative_url": CALLS, "body": f"action=reject&call_id=c&access_token={BARE_TOKEN}"},
            {"relative_url": "me"},
        ],
    )
    assert [body_of(each)["id"] for each in (own, in_url, around)] == [OTHER_PAGE.id, OTHER_PAGE.id, PAGE.id]
    assert (in_body["code"], body_of(in_body)["error"]["error_subcode"]) == (403, 9905003)


async def test_the_proof_goes_with_the_token_that_it_proves(world: World) -> None:
    right = proof(STRICT_APP.secret, STRICT_TOKEN)
    same, other, back = await entries(
        world,
        [
            {"relative_url": "me"},
            {"relative_url": "me", "access_token": OTHER_PAGE_TOKEN},
            {"relative_url": "me", "access_token": STRICT_TOKEN},
        ],
        STRICT_TOKEN,
        appsecret_proof=right,
    )
    assert [each["code"] for each in (same, other, back)] == [200, 200, 200]
    (without,) = await entries(world, [{"relative_url": "me", "access_token": STRICT_TOKEN}])
    assert body_of(without)["error"]["error_subcode"] == 9905002
    url = f"me?access_token={STRICT_TOKEN}&appsecret_proof={right}"
    (its_own,) = await entries(world, [{"relative_url": url}])
    assert its_own["code"] == 200


async def test_an_app_token_around_page_tokens(world: World) -> None:
    page, app = await entries(
        world, [{"relative_url": "me", "access_token": PAGE_TOKEN}, {"relative_url": f"{APP.id}/subscriptions"}], APP_TOKEN
    )
    assert (body_of(page)["id"], body_of(app)) == (PAGE.id, {"data": []})


# --- order and references -----------------------------------------------------------------------------------------------


async def until(condition: Callable[[], object]) -> None:
    """A few hundred turns of the loop are more than any of these needs, threads of the store included."""
    for _ in range(5_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come to that")


class Gated:
    """Every `terminate` waits until its call is let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._gates: dict[str, asyncio.Event] = {}

    async def terminate(self, _door: object, _caller: Caller, request: EndRequest) -> CallReply:
        self.begun.append(request.call_id)
        await self._gates.setdefault(request.call_id, asyncio.Event()).wait()
        return CallReply(request.call_id)

    def open(self, call_id: str) -> None:
        self._gates.setdefault(call_id, asyncio.Event()).set()


def _gated(world: World, monkeypatch: pytest.MonkeyPatch) -> Gated:
    gate = Gated()

    async def terminate(door: object, caller: Caller, request: EndRequest) -> CallReply:
        return await gate.terminate(door, caller, request)

    monkeypatch.setattr(type(world.door), "terminate", terminate)
    return gate


async def test_one_call_in_order_and_different_calls_side_by_side(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = _gated(world, monkeypatch)
    task = asyncio.create_task(entries(world, [ends("c_1"), ends("c_2"), ends("c_1"), {"relative_url": "me"}]))
    await until(lambda: len(gate.begun) == 2)
    assert gate.begun == ["c_1", "c_2"]
    for _ in range(50):
        await asyncio.sleep(0)
    assert gate.begun == ["c_1", "c_2"]
    gate.open("c_2")
    gate.open("c_1")
    assert [entry["code"] for entry in await task] == [200] * 4
    assert gate.begun == ["c_1", "c_2", "c_1"]


async def test_depends_on_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = _gated(world, monkeypatch)
    members = [ends("c_2", depends_on="first"), ends("c_1", name="first")]
    task = asyncio.create_task(entries(world, members))
    await until(lambda: gate.begun)
    for _ in range(50):
        await asyncio.sleep(0)
    assert gate.begun == ["c_1"]
    gate.open("c_1")
    gate.open("c_2")
    assert [entry["code"] for entry in await task] == [200, 200]
    assert gate.begun == ["c_1", "c_2"]


async def test_a_result_is_handed_on(world: World) -> None:
    members = [
        {"name": "page", "relative_url": "me"},
        {"relative_url": "?ids={result=page:$.id}&fields=name"},
        {"relative_url": "{result=page:$['id']}/messenger_call_permissions?psid=" + PSID},
        ends("%7Bresult%3Dpage%3A%24.name%7D"),
        {"method": "POST", "relative_url": CALLS, "body": {"action": "reject", "call_id": "{result=page:$.name}"}},
    ]
    omitted, several, permission, form, from_json = await entries(world, members)
    assert omitted is None
    assert body_of(several) == {PAGE.id: {"id": PAGE.id, "name": PAGE.name}}
    assert [each["code"] for each in (permission, form, from_json)] == [200] * 3
    assert asked_calls(world) == ["Tea House", "Tea House"]


async def test_what_is_put_in_cannot_break_out(world: World) -> None:
    world.door.answer = CallReply(CallId("a&action=reject /%?#é"))
    members = [ends("c_1", name="first"), ends("{result=first:$.call_id}")]
    first, second = await entries(world, members)
    assert (first["code"], second["code"]) == (200, 200)
    assert [(name, request.call_id) for name, _, request in world.door.asked if isinstance(request, EndRequest)] == [
        ("terminate", "c_1"),
        ("terminate", "a&action=reject /%?#é"),
    ]


async def test_which_answers_are_left_out(world: World) -> None:
    """Only those of reading requests: clients repeat what was answered with null."""
    members = [
        {"name": "a", "relative_url": "me"},
        {"name": "b", "relative_url": "me", "omit_response_on_success": False},
        {"relative_url": "me", "omit_response_on_success": True, "depends_on": ["a", "b", "c"]},
        ends("c_1", name="c"),
        ends("c_2", omit_response_on_success=True),
        {"relative_url": "404404", "omit_response_on_success": "true"},
    ]
    assert [entry and entry["code"] for entry in await entries(world, members)] == [None, 200, None, 200, 200, 400]


async def test_what_depends_on_a_failure_is_not_done(world: World) -> None:
    world.door.answer = UnknownCall()
    members = [ends("c_1", name="first"), ends("c_2", depends_on="first"), ends("{result=first:$.call_id}")]
    first, second, third = await entries(world, members)
    assert body_of(first)["error"]["code"] == 2018390
    for index, entry in ((1, second), (2, third)):
        assert facts(
            Reply(entry["code"], {"x-fb-request-id": body_of(entry)["error"]["fbtrace_id"]}, entry["body"].encode())
        ) == (
            400,
            100,
            9905011,
        )
        assert body_of(entry)["error"]["message"] == f'(#100) batch[{index}]: it depends on "first", which failed.'
    assert asked_calls(world) == ["c_1"]


async def test_a_reference_that_finds_nothing(world: World) -> None:
    members = [{"name": "page", "relative_url": "me"}, ends("{result=page:$.colour}")]
    _, second = await entries(world, members)
    assert body_of(second)["error"]["message"] == "(#100) batch[1]: {result=page:$.colour} finds nothing."
    assert world.door.asked == []


async def test_references_deep_in_a_body_harm_their_own_request_only(world: World) -> None:
    deep = '{"x":' + "[" * 700 + '"{result=page:$.id}"' + "]" * 700 + "}"
    as_json = [{"name": "Content-Type", "value": "application/json"}]
    members: Members = [
        {"name": "page", "relative_url": "me", "omit_response_on_success": False},
        {"method": "POST", "relative_url": CALLS, "headers": as_json, "body": deep},
        ends("c_1"),
    ]
    first, second, third = await entries(world, members)
    assert (first["code"], third["code"]) == (200, 200)
    assert body_of(second)["error"]["message"] == "(#100) batch[1]: its body is nested too deeply for references in it."
    assert asked_calls(world) == ["c_1"]


# --- batches that are refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ("{", "batch has a value"),
        ("x", "batch has a value"),
        ({"relative_url": "me"}, "batch has a value"),
        (7, "batch has a value"),
        ([7], "batch[0] has a value"),
        ([None], "batch[0] has a value"),
        ([{"method": "GET"}], "The parameter batch[0][relative_url] is required."),
        ([{"relative_url": ["me"]}], "batch[0][relative_url] has a value"),
        ([{"relative_url": "me", "method": 1.5}], "batch[0][method] has a value"),
        ([{"relative_url": "me", "body": [1]}], "batch[0][body] has a value"),
        ([{"relative_url": "me", "headers": "x"}], "batch[0][headers] has a value"),
        ([{"relative_url": "me", "headers": [{"value": "x"}]}], "The parameter batch[0][headers][0][name] is required."),
        ([{"relative_url": "me", "omit_response_on_success": "perhaps"}], "batch[0][omit_response_on_success] has a value"),
        ([{"relative_url": "me"}] * 51, "at most 50 requests are allowed, these are 51"),
        ([{"relative_url": "me", "name": "a"}] * 2, 'batch[0]: the name "a" is used twice'),
        ([{"relative_url": "me", "depends_on": "b"}], 'batch[0]: there is no request with the name "b"'),
        ([{"relative_url": "{result=b:$.id}"}], 'batch[0]: there is no request with the name "b"'),
        ([{"relative_url": "me", "name": "a", "depends_on": "a"}], "batch[0]: it waits for itself"),
        ([{"relative_url": "me", "name": "a", "body": "x={result=a:$.id}"}], "batch[0]: it waits for itself"),
        (
            [
                {"relative_url": "me", "name": "a", "depends_on": "b"},
                {"relative_url": "me", "name": "b", "depends_on": ["c"]},
                {"relative_url": "{result=a:$.id}", "name": "c"},
            ],
            "batch[0]: it waits for itself",
        ),
        ([{"relative_url": "{result=a:$..id}", "name": "a"}], "the path $..id is not one of names, positions and *"),
        ([{"relative_url": "x{result=a:$.a}" * 101, "name": "a"}], "more than 100 references"),
    ],
)
async def test_a_batch_that_makes_no_sense_is_refused_as_a_whole(world: World, members: object, words: str) -> None:
    reply = await world.post("/v26.0/", {"batch": members})
    assert reply.status == 400
    error = error_of(reply)
    assert error["code"] == 100
    assert error["error_subcode"] in (9905010, 9905011)
    assert words in error["message"]
    assert world.door.asked == []


async def test_fifty_are_served(world: World) -> None:
    assert {entry["code"] for entry in await entries(world, [{"relative_url": "me"}] * 50)} == {200}


async def test_references_that_grow_are_cut_short(world: World) -> None:
    """A few bytes of text must not become gigabytes."""
    world.door.answer = CallReply(CallId("x" * 200_000))
    bomb = {"action": "terminate", "call_id": "c_2", "pad": "{result=first:$.call_id}" * 90}
    _, second = await entries(world, [ends("c_1", name="first"), {"method": "POST", "relative_url": CALLS, "body": bomb}])
    assert body_of(second)["error"]["message"] == "(#100) batch[1]: what the batch refers to is larger than 1048576 characters."
    assert asked_calls(world) == ["c_1"]


async def test_a_broken_body_and_one_that_is_too_large(world: World) -> None:
    headers = {"authorization": f"Bearer {PAGE_TOKEN}", "content-type": "application/json"}
    assert facts(await world.ask("POST", "/v26.0/", headers, b'{"batch":')) == (400, 100, 9905012)
    assert facts(await world.ask("POST", "/v26.0/", headers, b" " * (1024 * 1024 + 1))) == (413, 1, None)


async def test_files(world: World) -> None:
    """No edge takes any; those that are named must have come."""
    text = json.dumps([{"relative_url": "me", "attached_files": "a,b"}, {"relative_url": "me", "attached_files": "c"}])
    parts = [f'--b\r\nContent-Disposition: form-data; name="batch"\r\n\r\n{text}\r\n']
    parts += [f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.png"\r\n\r\n!\r\n' for name in "ab"]
    headers = {"authorization": f"Bearer {PAGE_TOKEN}", "content-type": "multipart/form-data; boundary=b"}
    reply = await world.ask("POST", "/", headers, ("".join(parts) + "--b--\r\n").encode())
    there, missing = reply.json
    assert there["code"] == 200
    assert body_of(missing)["error"]["message"] == '(#100) batch[1]: no file "c" came with the batch.'


# --- time, webhooks, figures --------------------------------------------------------------------------------------------


async def test_what_could_not_begin_in_time_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    world = await World.open(monotonic=lambda: now[0], batch_start_s=10.0)
    gate = _gated(world, monkeypatch)
    members = [ends("c_1", name="first"), ends("c_1"), ends("c_2", depends_on="first"), {"relative_url": "me"}]
    task = asyncio.create_task(entries(world, members))
    await until(lambda: gate.begun)
    now[0] = 11.0
    gate.open("c_1")
    first, second, third, _ = await task
    assert (first["code"], second, third) == (200, None, None)
    assert gate.begun == ["c_1"]
    await world.store.close()


async def test_webhooks_leave_when_the_array_is_out(world: World) -> None:
    socket = Socket([json.dumps({"batch": [ends("c_1"), ends("c_2"), ends("c_1")]}).encode()])
    released_at_send: list[int] = []

    async def note(message: Message) -> None:
        await socket.send(message)
        released_at_send.append(world.door.released)

    headers = [("content-type", "application/json"), ("authorization", f"Bearer {PAGE_TOKEN}")]
    await world.app(scope_of("POST", "/v26.0/", headers), socket.receive, note)
    assert socket.reply.status == 200
    assert released_at_send == [0, 0]
    assert world.door.released == 3


async def test_webhooks_of_what_was_done_leave_if_the_batch_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = _gated(world, monkeypatch)
    reject = {"method": "POST", "relative_url": CALLS, "body": "action=reject&call_id=c_2"}
    task = asyncio.create_task(send(world, [ends("c_1"), reject]))
    await until(lambda: gate.begun and world.door.asked)
    for _ in range(50):
        await asyncio.sleep(0)
    assert world.door.released == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.door.released == 1


async def test_metrics_hear_of_each_request(world: World) -> None:
    await send(world, [{"relative_url": "me"}, ends("c_1"), {"relative_url": "404404"}])
    assert sorted(world.seen[:-1]) == [("calls", "terminate", 200), ("node", "", 200), ("node", "", 400)]
    assert world.seen[-1] == ("batch", "", 200)
