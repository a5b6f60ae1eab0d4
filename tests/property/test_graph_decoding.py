"""Whatever arrives on a Graph path: the answer is JSON, no 5xx, and released exactly when the switchboard was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
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
