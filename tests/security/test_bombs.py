"""Small requests that ask for much work: what one costs is bounded by its size, not by what it says.

Work is counted in CPU of this process. The bound is ten times and more what the dearest of them takes on a slow machine, and far
below what each took, or would take, without its limit.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pagecalls.errors import UnreadableBody
from pagecalls.graph.decoding import file_names, parse_body, parse_query
from pagecalls.graph.request import parse_address
from pagecalls.http import MAX_BODY_BYTES, NotJson, parse_json
from pagecalls.switchboard.directory import MAX_SUBSCRIBED_FIELDS
from tests.conformance.graph.world import APP, APP_TOKEN, World

MIB = MAX_BODY_BYTES
BOUND_S = 1.5
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"


@contextmanager
def bounded() -> Iterator[None]:
    """The work in it takes no longer than any request may."""
    began = time.process_time()
    yield
    assert time.process_time() - began < BOUND_S


def parts(head: bytes, count: int = 250) -> bytes:
    return (b"--x\r\nContent-Disposition: form-data" + head + b"\r\n\r\n1\r\n") * count + b"--x--"


BODIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "separators": (FORM, lambda: b"&" * MIB),
    "fields": (FORM, lambda: b"a=b&" * (MIB // 4)),
    "escapes": (FORM, lambda: b"a=" + b"%41" * (MIB // 3)),
    "broken escapes": (FORM, lambda: b"a=" + b"%zz" * (MIB // 3)),
    "one deep name": (FORM, lambda: b"a" + b"[b]" * (MIB // 3) + b"=1"),
    "many deep names": (FORM, lambda: b"&".join(b"a" + b"[b]" * 1300 + b"=1" for _ in range(260))),
    "open brackets": (FORM, lambda: b"&".join(b"a" + b"[" * 4000 + b"=1" for _ in range(260))),
    "nested lists": ("application/json", lambda: b"[" * MIB),
    "nested objects": ("application/json", lambda: b'{"a":' * (MIB // 5)),
    "small lists": ("application/json", lambda: b'{"a":[' + b"[]," * (MIB // 3 - 10) + b"[]]}"),
    "the same key": ("application/json", lambda: b"{" + b",".join(b'"k":0' for _ in range(MIB // 6)) + b"}"),
    "a long number": ("application/json", lambda: b'{"a":' + b"9" * (MIB - 10) + b"}"),
    "long numbers": ("application/json", lambda: b'{"a":[' + b",".join(b"9" * 4000 for _ in range(250)) + b"]}"),
    "tiny numbers": ("application/json", lambda: b'{"a":[' + b",".join(b"1e-999999999" for _ in range(70_000)) + b"]}"),
    "boundaries": (MULTIPART, lambda: b"--x\r\n" * (MIB // 5) + b"--x--"),
    "parts": (MULTIPART, lambda: parts(b'; name="a"', 1990)),
    "quotes": (MULTIPART, lambda: parts(b"; " + b'a="' * 1300)),
    "backslashes": (MULTIPART, lambda: parts(b'; name="' + b"\\a" * 1900)),
    "options": (MULTIPART, lambda: parts(b"; " * 1900)),
    "blanks": (MULTIPART, lambda: parts(b";" + b" " * 3900)),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_read_or_refused_with_little_work(name: str) -> None:
    content_type, make = BODIES[name]
    body = make()[:MIB]
    with bounded():
        for read in (parse_body, file_names):
            try:
                read(content_type, body)
            except UnreadableBody:
                continue


@pytest.mark.parametrize(
    "value", ["; a" * 20_000, ";" + " " * 60_000, ";" + "a" * 60_000, '; a="' * 15_000, ";a=" + "\\" * 60_000]
)
def test_a_content_type_is_read_with_little_work(value: str) -> None:
    with bounded():
        try:
            parse_body("multipart/form-data" + value, b"x")
        except UnreadableBody:
            return


@pytest.mark.parametrize("path", ["/a" * 30_000, "/" * 60_000, "/%2f" * 15_000])
def test_an_address_is_read_with_little_work(path: str) -> None:
    with bounded():
        parse_address(path)


def test_numbers_nobody_can_hold_are_refused() -> None:
    for text in ("9" * 5000, "-" + "9" * 5000, "1e400"):
        with pytest.raises(NotJson):
            parse_json(text)


def test_more_fields_than_anybody_needs_are_refused() -> None:
    with pytest.raises(UnreadableBody):
        parse_query(b"&".join(b"a%d=1" % number for number in range(2001)))


# --- batches and answers ------------------------------------------------------------------------------------------------


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = await World.open()
    yield world
    await world.store.close()


async def batch(world: World, members: list[dict[str, Any]]) -> tuple[int, Any]:
    with bounded():
        reply = await world.post("/v26.0/", {"batch": members})
    return reply.status, reply.json


def me(**members: Any) -> dict[str, Any]:
    return {"method": "POST", "relative_url": "me/calls", **members}


async def test_an_app_does_not_fill_the_store_with_its_wishes(world: World) -> None:
    """Each request adds to the fields before; the whole of them stays small."""
    fields = [f"a{number}" for number in range(MAX_SUBSCRIBED_FIELDS)]

    async def subscribe(some: list[str], verify_token: str = "v") -> tuple[int, int | None]:
        body = {"object": "page", "callback_url": "http://r.example/", "verify_token": verify_token, "fields": some}
        reply = await world.post(f"/v26.0/{APP.id}/subscriptions", body, APP_TOKEN)
        return reply.status, reply.json.get("error", {}).get("error_subcode")

    assert await subscribe(fields) == (200, None)
    assert await subscribe(["one_more"]) == (400, 9905011)
    assert await subscribe(["a" * 101]) == (400, 9905011)
    assert await subscribe(fields[:1], "v" * 2049) == (400, 9905011)
    assert await subscribe(fields[:1]) == (200, None)


async def test_references_multiply_nothing(world: World) -> None:
    """Forty-nine requests that each refer to a large answer have one limit together."""
    fields = [f"{'a' * 90}{number}" for number in range(MAX_SUBSCRIBED_FIELDS)]
    body = {"object": "page", "callback_url": "http://r.example/", "verify_token": "v", "fields": fields}
    assert (await world.post(f"/v26.0/{APP.id}/subscriptions", body, APP_TOKEN)).status == 200
    large = {"name": "a", "relative_url": f"{APP.id}/subscriptions", "access_token": APP_TOKEN, "omit_response_on_success": False}
    filled = me(body="action=terminate&call_id=x&y=" + "{result=a:$}" * 2)
    status, entries = await batch(world, [large, *[filled] * 49])
    assert status == 200
    refused = [entry for entry in entries[1:] if entry["code"] == 400]
    assert 0 < len(refused) < 49
    assert all("larger than" in entry["body"] for entry in refused)
    for each in ("{result=a:$.data.*.fields.*.name}" * 50, "{result=a:$.*.*.*.*}" * 50):
        assert (await batch(world, [large, *[me(body=f"x={each}")] * 49]))[0] in (200, 400)


@pytest.mark.parametrize(
    "members",
    [
        [{}] * 300_000,
        [me(body="x" * 20_000)] * 50,
        [me(body="&" * 20_000)] * 50,
        [me(body="a" + "[b]" * 6_000)] * 50,
        [me(headers=[{"name": "x", "value": "y"}] * 500)] * 50,
        [me(depends_on=[f"n{number}" for number in range(500)])] * 50,
        [{"name": f"n{n}", "relative_url": "me", "depends_on": [f"n{m}" for m in range(n)]} for n in range(50)],
        [me(body="{result=" * 2_500)] * 50,
        [me(body="{result=a:$" + ".b" * 9_000 + "}")] * 50,
        [me(body="{result=a:$" + "['" * 9_000 + "}")] * 50,
        [{"relative_url": "?batch=" + "[" * 20_000}] * 50,
        [{"relative_url": "me?fields=" + "id," * 6_000}] * 50,
        [{"relative_url": "me?fields=" + "a{" * 9_000}] * 50,
    ],
    ids=[
        "many",
        "long",
        "fields",
        "deep",
        "headers",
        "unknown names",
        "all wait",
        "openings",
        "steps",
        "quotes",
        "nested",
        "names",
        "braces",
    ],
)
async def test_a_batch_is_bounded_work(world: World, members: list[dict[str, Any]]) -> None:
    with bounded():
        reply = await world.ask(
            "POST",
            "/v26.0/",
            {"Authorization": "Bearer EAApage", "Content-Type": "application/json"},
            json.dumps({"batch": members}).encode()[:MIB],
        )
    assert reply.status in (200, 400)
    assert len(reply.content) < MIB


async def test_a_batch_holds_no_other(world: World) -> None:
    status, entries = await batch(world, [{"method": "POST", "relative_url": "/", "body": {"batch": [{"relative_url": "me"}]}}])
    assert (status, entries[0]["code"]) == (200, 400)


@pytest.mark.parametrize(
    "query",
    [
        "fields=" + "id," * 20_000,
        "fields=" + "a{" * 20_000,
        "fields=a" + ".b(c)" * 10_000,
        "ids=" + "1," * 20_000,
        "limit=" + "9" * 50_000,
    ],
    ids=["names", "braces", "modifiers", "ids", "a number"],
)
async def test_a_reading_request_is_bounded_work(world: World, query: str) -> None:
    with bounded():
        reply = await world.ask("GET", f"/v26.0/me/subscribed_apps?{query}", {"Authorization": "Bearer EAApage"})
    assert reply.status in (200, 400)
    assert len(reply.content) < 4096


@pytest.mark.parametrize("token", ["|" * 50_000, "9" * 30_000 + "|" + "x" * 30_000, "\u00e9" * 30_000, "%00" * 15_000])
async def test_a_token_of_any_length_is_looked_up_and_refused(world: World, token: str) -> None:
    with bounded():
        reply = (
            await world.get("/v26.0/me", token=token)
            if "\u00e9" not in token
            else await world.get("/v26.0/me", access_token=token)
        )
    assert reply.json["error"]["code"] == 190
    assert len(reply.content) < 4096
