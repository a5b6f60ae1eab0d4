"""Bad input on every edge: the contract's error, and no leg, socket or row left behind."""

from __future__ import annotations

import asyncio
import io
import random
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pagecalls.demo.business import GraphRefused
from pagecalls.demo.device import SUBPROTOCOL, DeviceRefused

from .conftest import AIORTC, CHROMIUM, World, offered

UNKNOWN_CALL = "c_" + "A" * 43


def without(start: str) -> str:
    return "\r\n".join(line for line in CHROMIUM.splitlines() if not line.startswith(start)) + "\r\n"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def noise() -> str:
    return "".join(random.Random(7).choices("\x00\r\n=:abcdefmvo0123456789 é€", k=60_000))


BAD_OFFERS = {
    "no bundle": (
        AIORTC.replace("a=group:BUNDLE 0", "a=group:BUNDLE") + AIORTC[AIORTC.index("m=") :].replace("a=mid:0", "a=mid:1"),
        9901103,
    ),
    "no rtcp-mux": (without("a=rtcp-mux"), 9901104),
    "no ufrag": (without("a=ice-ufrag"), 9901105),
    "no pwd": (without("a=ice-pwd"), 9901105),
    "no fingerprint": (without("a=fingerprint"), 9901105),
    "passive": (CHROMIUM.replace("a=setup:actpass", "a=setup:passive"), 9901106),
    "no opus": (CHROMIUM.replace("opus/48000/2", "iLBC/8000"), 9901107),
    "noise": (noise(), 9901190),
    "too long": (CHROMIUM + "a=x:" + "y" * 66_000, 9901190),
    "empty": ("", None),
}


@pytest.mark.parametrize("name", BAD_OFFERS)
async def test_offers(world: World, name: str) -> None:
    sdp, subcode = BAD_OFFERS[name]
    device = await world.device()
    with pytest.raises(DeviceRefused) as by_device:
        await world.start_call(device, sdp)
    await world.grant()
    with pytest.raises(GraphRefused) as by_connect:
        await world.app.call("connect", to=world.psid, session=offered(sdp))
    assert await world.is_clean()
    call_id = await world.start_call(device)
    with pytest.raises(GraphRefused) as by_accept:
        await world.app.call("accept", call_id=call_id, session=offered(sdp))
    for refused in (by_connect.value.error, by_accept.value.error, by_device.value.data):
        if subcode is not None:
            assert refused["error_subcode"] == subcode
        assert refused["code"] in (100, 2018391, 2018392)
        assert refused["fbtrace_id"]
    # The bad offer took nothing: the call still rings and can be accepted.
    assert len(world.engine.legs) == 1
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC))


@pytest.mark.parametrize("action", ["accept", "reject", "terminate", "media_update"])
async def test_unknown_call(world: World, action: str) -> None:
    for call_id in (UNKNOWN_CALL, "x", "c_" + "é" * 43, "1" * 5000):
        with pytest.raises(GraphRefused) as refused:
            await world.app.call(action, call_id=call_id, session=offered(AIORTC))
        assert (refused.value.status, refused.value.error["code"], refused.value.error["error_subcode"]) == (
            400,
            2018390,
            9901001,
        )


async def test_foreign_page(world: World) -> None:
    with pytest.raises(GraphRefused) as refused:
        await world.app.post("/v26.0/123456789/calls", {"action": "reject", "call_id": UNKNOWN_CALL})
    assert (refused.value.status, refused.value.error["code"], refused.value.error["error_subcode"]) == (400, 100, 33)


async def test_dead_token(world: World) -> None:
    world.app.token = "EAAdead"
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("reject", call_id=UNKNOWN_CALL)
    assert (refused.value.status, refused.value.error["code"]) == (400, 190)


async def post_raw(world: World, body: bytes, content_type: str | None) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {world.app.token}"}
    if content_type is not None:
        headers["Content-Type"] = content_type
    url = f"{world.base_url}/v26.0/{world.page_id}/calls"
    async with world.http.post(url, data=io.BytesIO(body), headers=headers, skip_auto_headers=["Content-Type"]) as response:
        answer: dict[str, Any] = await response.json()
        return response.status, answer


@pytest.mark.parametrize(
    ("body", "content_type", "code", "subcode"),
    [
        (b"{broken", "application/json", 100, 9905012),
        (b"[1]", "application/json", 100, 9905012),
        (b'{"action":"reject"}', "application/x-www-form-urlencoded", 100, 9905010),
        (b"\xff\xfe", "application/json", 100, 9905012),
        (b"<xml/>", "text/xml", 100, 9905012),
        (b"{}", "application/json", 100, 9905010),
        (b'{"action":"dance","call_id":"c"}', "application/json", 100, 9905011),
        (b"[" * 100_000, "application/json", 100, 9905012),
    ],
)
async def test_bodies(world: World, body: bytes, content_type: str, code: int, subcode: int) -> None:
    status, answer = await post_raw(world, body, content_type)
    assert (status, answer["error"]["code"], answer["error"].get("error_subcode")) == (400, code, subcode)
    # The reference's bare error and the wrapper say the same (ruling 2).
    assert {key: answer[key] for key in ("message", "code", "fbtrace_id")} == {
        key: answer["error"][key] for key in ("message", "code", "fbtrace_id")
    }


async def test_a_body_over_the_limit(world: World) -> None:
    status, answer = await post_raw(world, b"x" * (1024 * 1024 + 1), "application/json")
    assert (status, answer["error"]["code"]) == (413, 1)


async def test_frames_that_are_not_json_rpc(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.server.dev.consumer.access_token}"}
    async with world.http.ws_connect(world.base_url + "/consumer/v1", protocols=[SUBPROTOCOL], headers=headers) as socket:
        for frame in (
            "hello",
            "[]",
            "{}",
            '{"jsonrpc":"2.0","id":1,"method":"call.fly"}',
            '{"jsonrpc":"2.0","id":2,"method":"call.start"}',
        ):
            await socket.send_str(frame)
            assert "error" in (await socket.receive_json())
        await socket.send_bytes(b"\x00\x01")
        assert "error" in (await socket.receive_json())
        await socket.send_str('{"jsonrpc":"2.0","id":9,"method":"ping"}')
        assert "time" in (await socket.receive_json())["result"]


async def test_a_stranger_at_the_consumers_door(world: World) -> None:
    url = world.base_url + "/consumer/v1"
    for headers, status in (
        ({"Authorization": "Bearer nobody"}, 401),
        ({"Authorization": f"Bearer {world.server.dev.consumer.access_token}", "Origin": "https://evil.example"}, 403),
        ({"Authorization": f"Bearer {world.server.dev.consumer.access_token}", "Host": "evil.example"}, 403),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await world.http.ws_connect(url, protocols=[SUBPROTOCOL], headers=headers)
        assert refused.value.status == status


async def test_one_call_s_trouble_is_not_anothers(world: World) -> None:
    """Hostile requests from everywhere while a call is up: it stays up, and afterwards no descriptor is missing."""
    device = await world.device()
    call_id = await world.connected(device)
    before = descriptors()
    other = await world.device((await world.session())["access_token"])
    chance = random.Random(3)
    for _ in range(60):
        body = chance.randbytes(chance.randrange(2000))
        await post_raw(world, body, chance.choice(["application/json", "multipart/form-data; boundary=x", "text/plain"]))
        with pytest.raises(DeviceRefused):
            await other.request("call.hangup", call_id=call_id)
    assert call_id in world.engine.calls
    await other.close()
    await world.settle()
    await asyncio.sleep(0)
    assert descriptors() <= before + 4
    assert world.app.events(call_id) == ["connect"]
