"""Requests of the platform's Python SDK, as recorded in `tests/data/graph/sdk/`, sent byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pagecalls.call.versions import Advance
from pagecalls.switchboard.base import (
    AcceptRequest,
    Caller,
    CallReply,
    ConnectRequest,
    EndRequest,
    MediaUpdateRequest,
)
from pagecalls.types import CallId, MessageId, Platform, Psid, SdpType, Session, Track, TrackLabel
from tests.asgi_client import Reply
from tests.conformance.graph.world import ANSWER, APP, CALL_ID, OFFER, PAGE, World

RECORDED = Path(__file__).parents[2] / "data" / "graph" / "sdk"
OFFERED = Session(SdpType.OFFER, OFFER)
TRACKS = (Track("s t", TrackLabel.DEFAULT_AUDIO),)


async def replay(world: World, name: str) -> Reply:
    head, _, body = (RECORDED / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    request_line, *lines = head.decode().split("\r\n")
    method, target, _ = request_line.split(" ")
    return await world.ask(method, target, dict(line.split(": ", 1) for line in lines), body)


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("connect", ConnectRequest(Psid("2002"), OFFERED, TRACKS, Platform.MESSENGER)),
        ("accept", AcceptRequest(CallId("c_1"), OFFERED, (), Platform.MESSENGER)),
        ("reject", EndRequest(CallId("c_1"))),
        ("terminate", EndRequest(CallId("c_1"))),
        ("media_update", MediaUpdateRequest(CallId("c_1"), OFFERED, TRACKS, advance=Advance(0, 1))),
    ],
)
async def test_create_call(world: World, name: str, request_: object) -> None:
    world.door.answer = CallReply(CALL_ID, answer=ANSWER, version=0)
    reply = await replay(world, name)
    assert reply.status == 200
    assert reply.json["success"] is True
    assert world.door.asked == [(name, Caller(APP.id, PAGE.id), request_)]


async def test_reading_a_permission(world: World) -> None:
    body: dict[str, Any] = (await replay(world, "permission")).json
    assert body["data"][0]["permission"]["status"] == "NO_PERMISSION"


async def test_sending_a_message(world: World) -> None:
    now = world.clock.now()
    await world.store.write(lambda tx: tx.note_contact(PAGE.id, Psid("2002"), now))
    reply = await replay(world, "message")
    assert reply.status == 200
    message = await world.store.read(lambda tx: tx.message(MessageId(reply.json["message_id"])))
    assert message is not None
    assert [button.expires_at for button in message.buttons] == [now + 3 * 86_400]


async def test_subscribing_on_the_page(world: World) -> None:
    assert (await replay(world, "read_subscribed")).json == {"data": []}
    assert (await replay(world, "subscribe_page")).json == {"success": True}
    assert (await replay(world, "read_subscribed")).json["data"][0]["subscribed_fields"] == ["calls", "messages"]
    assert (await replay(world, "unsubscribe_page")).json == {"success": True}
    assert (await replay(world, "read_subscribed")).json == {"data": []}


async def test_subscribing_the_app(world: World) -> None:
    assert (await replay(world, "subscribe_app")).json == {"success": True}
    assert world.verifier.asked == [("http://127.0.0.1:9/hook?x=1", "vt")]
    assert (await replay(world, "read_subscriptions")).json["data"][0]["fields"] == [{"name": "calls", "version": "v26.0"}]
    assert (await replay(world, "unsubscribe_app")).json == {"success": True}
    assert (await replay(world, "read_subscriptions")).json == {"data": []}


async def test_call_settings(world: World) -> None:
    """Nested values as JSON text in a form; `summary` on reading."""
    assert (await replay(world, "change_settings")).json == {"success": True, "result": "success"}
    body: dict[str, Any] = (await replay(world, "read_settings")).json
    hours = body["call_hours"]
    assert body == {"data": [{"audio_enabled": True, "call_hours": hours}], "audio_enabled": True, "call_hours": hours}
    assert hours["weekly_operating_hours"] == [{"day_of_week": "MONDAY", "open_time": "0900", "close_time": "1700"}]


async def test_reading_the_page(world: World) -> None:
    assert (await replay(world, "read_page")).json == {"id": PAGE.id, "name": PAGE.name}


def test_every_recording_is_used() -> None:
    used = {
        "connect", "accept", "reject", "terminate", "media_update", "permission", "read_subscribed", "subscribe_page",
        "unsubscribe_page", "subscribe_app", "read_subscriptions", "unsubscribe_app", "read_page", "read_settings",
        "change_settings", "message",
    }  # fmt: skip
    assert {path.stem for path in RECORDED.glob("*.http")} == used
