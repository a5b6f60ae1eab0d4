"""Whatever arrives on a Graph path: the answer is JSON, no 5xx, and released exactly when the switchboard was asked.

And what is the same request in another encoding is the same request (graph-platform 3.1).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.graph.world import APP, APP_TOKEN, BARE_TOKEN, PAGE, PAGE_TOKEN, USER_TOKEN, World

ACTIONS = ["connect", "ACCEPT", "reject", "terminate", "media_update", "", "dance"]
NAMES = [
    *(
        "action",
        "platform",
        "call_id",
        "to",
        "session",
        "tracks",
        "from_version",
        "to_version",
        "sdp",
        "sdp_type",
        "psid",
        "fields",
    ),
    *("batch", "ids", "method", "pretty", "debug", "suppress_http_code", "limit", "after", "before", "include_headers"),
    *("subscribed_fields", "object", "callback_url", "verify_token", "access_token", "appsecret_proof", "appsecret_time"),
    *("session[sdp]", "tracks[0][label]", "tracks[]", "msid", "label", "status"),
]
WORDS = st.sampled_from(
    ["offer", "ANSWER", "page", "calls", "0", "1", "{}", "[]", "null", "[{}]", '{"sdp":"v=0"}', "", "default_audio"]
)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=6),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES, max_size=8)
KNOWN_SEGMENTS = [
    *("v26.0", "v19.0", "v99.0", "me", "app", PAGE.id, APP.id, "", "%2F", "%FF", "..", "%00"),
    *("calls", "messenger_call_permissions", "subscribed_apps", "subscriptions", "instruments"),
]
SEGMENTS = st.sampled_from(KNOWN_SEGMENTS) | st.text(max_size=5)
PATHS = st.lists(SEGMENTS, max_size=5).map(lambda segments: "/" + "/".join(segments).replace("?", ""))
EDGES = st.sampled_from(
    [
        f"/v26.0/{PAGE.id}/calls",
        "/me/messenger_call_permissions",
        f"/{PAGE.id}/subscribed_apps",
        f"/{APP.id}/subscriptions",
        "/me",
        "/",
        "/v25.0/",
    ]
)
METHODS = st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"])
KNOWN_TYPES = [
    *("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
    *("text/plain", "", "multipart/form-data"),
]
TYPES = st.sampled_from(KNOWN_TYPES) | st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"))
TOKENS = st.sampled_from([PAGE_TOKEN, APP_TOKEN, BARE_TOKEN, USER_TOKEN, "", "garbage"])


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def open_world(loop: asyncio.AbstractEventLoop) -> Iterator[World]:
    world = loop.run_until_complete(World.open())
    yield world
    loop.run_until_complete(world.store.close())


async def holds(world: World, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
    asked, released = len(world.door.asked), world.door.released
    reply = await world.ask(method, target, headers, body)
    assert reply.status in (200, 304, 400, 403, 404, 413), reply.content
    if reply.content:
        json.loads(reply.content)
    assert len(world.door.asked) - asked == world.door.released - released


@settings(max_examples=150, deadline=None)
@given(PATHS, METHODS, TYPES, TOKENS, st.binary(max_size=300))
def test_noise_on_any_path(
    loop: asyncio.AbstractEventLoop, open_world: World, path: str, method: str, content_type: str, token: str, body: bytes
) -> None:
    headers = {"content-type": content_type, "authorization": f"Bearer {token}"}
    loop.run_until_complete(holds(open_world, method, path, headers, body))


@settings(max_examples=300, deadline=None)
@given(EDGES, METHODS, TOKENS, st.sampled_from(ACTIONS), OBJECTS)
def test_any_json_on_our_edges(
    loop: asyncio.AbstractEventLoop, open_world: World, path: str, method: str, token: str, action: str, body: dict[str, object]
) -> None:
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    loop.run_until_complete(holds(open_world, method, path, headers, json.dumps({"action": action, **body}).encode()))


@settings(max_examples=200, deadline=None)
@given(
    EDGES,
    METHODS,
    TOKENS,
    st.sampled_from(ACTIONS),
    st.dictionaries(st.sampled_from(NAMES) | st.text(), WORDS | st.text(), max_size=8),
)
def test_any_form_on_our_edges(
    loop: asyncio.AbstractEventLoop, open_world: World, path: str, method: str, token: str, action: str, fields: dict[str, str]
) -> None:
    encoded = urlencode({"action": action, **fields}, errors="replace")
    headers = {"content-type": "application/x-www-form-urlencoded", "authorization": f"Bearer {token}"}
    loop.run_until_complete(holds(open_world, method, path, headers, encoded.encode()))
    loop.run_until_complete(holds(open_world, method, f"{path}?{encoded}", {"authorization": f"Bearer {token}"}, b""))


# --- batches --------------------------------------------------------------------------------------------------------------

REFERENCES = st.sampled_from(["{result=a:$.id}", "{result=b:$.*}", "{result=a:$.data.*.id}", "{result=c:$}", "{result=a:$..x}"])
URLS = st.lists(
    st.sampled_from(["me", PAGE.id, "calls", "?", "ids=", "&", "/", "v26.0", "fields=name"]) | REFERENCES, max_size=5
).map("/".join)
FORMS = st.dictionaries(st.sampled_from(NAMES), WORDS | REFERENCES, max_size=4).map(urlencode)
MEMBERS = st.fixed_dictionaries(
    {"relative_url": URLS | st.text(max_size=20)},
    optional={
        "method": METHODS | st.text(max_size=5),
        "body": FORMS | OBJECTS | st.text(max_size=30),
        "name": st.sampled_from("abc"),
        "depends_on": st.sampled_from("abcd") | st.just(["a", "b"]),
        "omit_response_on_success": st.booleans() | WORDS,
        "access_token": TOKENS,
        "attached_files": st.sampled_from("xy"),
        "headers": st.lists(st.fixed_dictionaries({"name": TYPES, "value": TYPES}), max_size=2),
    },
)


@settings(max_examples=300, deadline=None)
@given(st.lists(MEMBERS | VALUES, max_size=6))
def test_any_batch(loop: asyncio.AbstractEventLoop, open_world: World, members: list[object]) -> None:
    async def send() -> None:
        headers = {"content-type": "application/json", "authorization": f"Bearer {PAGE_TOKEN}"}
        asked, released = len(open_world.door.asked), open_world.door.released
        reply = await open_world.ask("POST", "/v26.0/", headers, json.dumps({"batch": members}).encode())
        assert reply.status in (200, 400), reply.content
        if reply.status == 200:
            assert len(reply.json) == len(members)
            for entry in reply.json:
                assert entry is None or (entry["code"] < 500 and (entry["body"] == "" or json.loads(entry["body"]) is not None))
        assert len(open_world.door.asked) - asked == open_world.door.released - released

    loop.run_until_complete(send())


# --- encodings ------------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
TRACKS = st.lists(
    st.fixed_dictionaries(
        {
            "msid": TEXTS,
            "label": st.sampled_from(["default_audio", "SCREEN_VIDEO", "Default_Video", "tape"]),
            "status": st.sampled_from(["enabled", "DISABLED", "off"]),
        }
    ),
    min_size=1,
    max_size=5,
)
REQUESTS = st.fixed_dictionaries(
    {"action": st.sampled_from(["connect", "ACCEPT", "Reject", "terminate", "media_update", "dance"])},
    optional={
        "platform": st.sampled_from(["messenger", "INSTAGRAM", "telegraph"]),
        "call_id": TEXTS,
        "to": TEXTS | st.integers(0, 10**15),
        "session": st.fixed_dictionaries({"sdp": TEXTS}, optional={"sdp_type": st.sampled_from(["offer", "ANSWER", "x"])}),
        "tracks": TRACKS,
        "from_version": st.integers(0, 9),
        "to_version": st.integers(0, 9),
    },
)
FORM = "application/x-www-form-urlencoded"
BOUNDARY = "----a-boundary-that-no-text-holds"


def scalar(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def with_texts(request: dict[str, Any]) -> dict[str, str]:
    """Every value as a form carries it: nested ones are JSON text."""
    return {name: scalar(value) for name, value in request.items()}


def with_brackets(request: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}

    def put(name: str, value: object) -> None:
        match value:
            case dict():
                for key, inner in value.items():
                    put(f"{name}[{key}]", inner)
            case list():
                for index, inner in enumerate(value):
                    put(f"{name}[{index}]", inner)
            case _:
                found[name] = scalar(value)

    for name, value in request.items():
        put(name, value)
    return found


def multipart(fields: dict[str, str]) -> bytes:
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    return "".join([*parts, f"--{BOUNDARY}--\r\n"]).encode()


def encodings(request: dict[str, Any]) -> list[tuple[str, str | None, bytes]]:
    """Query, content type and body of every way to say the same."""
    texts, brackets = with_texts(request), with_brackets(request)
    multipart_type = f"multipart/form-data; boundary={BOUNDARY}"
    return [
        ("", "application/json", json.dumps(request).encode()),
        ("", "application/json; charset=utf-8", json.dumps(request, ensure_ascii=False, indent=1).encode()),
        ("", "application/json", json.dumps(texts).encode()),
        ("", None, json.dumps(request).encode()),
        ("", "text/plain", json.dumps(request).encode()),
        ("", FORM, urlencode(texts).encode()),
        ("", FORM, urlencode(brackets).encode()),
        ("", multipart_type, multipart(texts)),
        ("", multipart_type, multipart(brackets)),
        (urlencode(texts), None, b""),
        (urlencode(brackets), "application/json", b"{}"),
        (urlencode({**texts, "action": "dance"}), FORM, urlencode({"action": texts["action"]}).encode()),
    ]


@settings(max_examples=200, deadline=None)
@given(REQUESTS)
def test_every_encoding_means_the_same(loop: asyncio.AbstractEventLoop, open_world: World, request: dict[str, Any]) -> None:
    async def ask(query: str, content_type: str | None, body: bytes) -> tuple[object, ...]:
        headers = {"authorization": f"Bearer {PAGE_TOKEN}"} | ({"content-type": content_type} if content_type else {})
        before = len(open_world.door.asked)
        reply = await open_world.ask("POST", f"/v26.0/{PAGE.id}/calls?{query}", headers, body)
        shown = reply.json.get("error", reply.json)
        return reply.status, {**shown, "fbtrace_id": ""}, open_world.door.asked[before:]

    async def compare() -> None:
        first, *others = [await ask(*encoding) for encoding in encodings(request)]
        for other in others:
            assert other == first

    loop.run_until_complete(compare())
