"""What changes around a call and does not end it; who hears of its end; and a device that is gone with its leg."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from pagecalls.demo.business import GraphRefused
from pagecalls.demo.device import DeviceRefused
from pagecalls.types import Side

from .conftest import AIORTC, CHROMIUM, World, offered


async def test_a_call_goes_on_when_its_app_unsubscribes(world: World) -> None:
    """The app that has the call can still end it, and is told nothing more (messenger-calling 3.2, row 36)."""
    device = await world.device()
    call_id = await world.connected(device)
    url = f"{world.base_url}/v26.0/{world.page_id}/subscribed_apps?access_token={world.app.token}"
    async with world.http.delete(url) as response:
        assert await response.json() == {"success": True}
    await world.settle()
    assert call_id in world.engine.calls
    await world.app.call("terminate", call_id=call_id)
    assert (await device.expect("call.ended", call_id=call_id)).params["reason"] == "completed"
    await world.settle()
    assert world.app.events(call_id) == ["connect"]


async def test_a_call_goes_on_when_the_permission_expires(world: World) -> None:
    """Permission is looked at when a call is started, and not again (messenger-calling 3.2, row 36)."""
    await world.grant(ttl_s=10)
    device = await world.device()
    call_id = (await world.app.call("connect", to=world.psid, session=offered(CHROMIUM)))["call_id"]
    await device.expect("call.incoming", call_id=call_id)
    await world.advance(11)
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.up(call_id)
    await device.expect("call.connected", call_id=call_id)
    assert "terminate" not in world.app.events(call_id)


@pytest.mark.parametrize("accepted", [False, True])
async def test_every_app_hears_of_the_end(world: World, accepted: bool) -> None:
    """The owner, the app that ended it, and those that had no part in it (messenger-calling 7.8)."""
    second = await world.second_app()
    device = await world.device()
    call_id = await world.start_call(device)
    await asyncio.gather(world.app.expect("connect", call_id), second.expect("connect", call_id))
    if accepted:
        await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
        await world.app.call("terminate", call_id=call_id)
    else:
        await second.call("reject", call_id=call_id)
    ends = await asyncio.gather(world.app.expect("terminate", call_id), second.expect("terminate", call_id))
    assert ends[0].item == ends[1].item
    assert [app.events(call_id) for app in (world.app, second)] == [["connect", "terminate"]] * 2


async def test_socket_and_leg_of_a_device_are_gone(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    leg = (await world.media(call_id)).consumer
    assert leg is not None
    await device.close()
    await world.settle()
    world.engine.goes_silent(leg.id)
    await world.advance(30.1)
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Failed"
    again = await world.device()
    assert again.received == []
    assert await world.is_clean()


async def test_an_ended_call_is_known_for_days(world: World) -> None:
    """Requests about it are answered as about a call that is over (messenger-calling 3.3)."""
    device = await world.device()
    call_id = await world.connected(device)
    await device.request("call.hangup", call_id=call_id)
    await world.app.expect("terminate", call_id)
    for _ in range(7):
        await world.advance(24 * 3600 - 60)
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("terminate", call_id=call_id)
    assert (refused.value.error["code"], refused.value.error["error_subcode"]) == (2018396, 9901302)


async def test_a_devices_figures_are_in_the_journal(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    assert await device.request("call.stats", call_id=call_id, stats={"rtt": 3}) == {}
    journal = await world.admin("GET", "/_pagecalls/journal?after=0")
    told = [entry["facts"]["stats"] for entry in journal["entries"] if entry["kind"] == "device_stats"]
    assert told == ['{"rtt":3}']


async def test_a_device_cannot_fill_the_journal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry a second of a call that goes on, and none of one that is over."""
    monkeypatch.setattr("pagecalls.switchboard.consumers.STATS_EVERY_S", 30.0)
    device = await world.device()
    call_id = await world.connected(device)
    other = await world.device((await world.session())["access_token"])
    other_call = await world.connected(other)
    for number in range(5):
        assert await device.request("call.stats", call_id=call_id, stats=number) == {}
    assert await other.request("call.stats", call_id=other_call, stats="other") == {}
    assert [facts["stats"] for facts in await world.noted("device_stats")] == ["0", '"other"']
    await world.advance(30)
    assert await device.request("call.stats", call_id=call_id, stats=5) == {}
    await device.request("call.hangup", call_id=call_id)
    await world.advance(30)
    with pytest.raises(DeviceRefused) as refused:
        await device.request("call.stats", call_id=call_id, stats=6)
    assert refused.value.data["type"] == "OAuthException"
    assert [facts["stats"] for facts in await world.noted("device_stats")] == ["0", '"other"', "5"]


async def test_the_answer_for_a_device_names_the_businesss_stream(world: World) -> None:
    """Its first answer is `sendrecv`, with the stream id that the offer after it repeats (consumer-protocol)."""
    device = await world.device()
    started = await device.request("call.start", page_id=world.page_id, session=offered(CHROMIUM))
    answer = started["session"]["sdp_response"]["sdp"]
    (msid,) = [line for line in answer.splitlines() if line.startswith("a=msid:")]
    stream = msid.split()[0].removeprefix("a=msid:")
    assert stream.endswith(":DEFAULT")
    assert "a=sendrecv" in answer
    await world.app.call("accept", call_id=started["call_id"], session=offered(AIORTC))
    told = await device.expect("call.accepted", call_id=started["call_id"])
    offer = told.params["session"]["sdp_renegotiation"]["sdp"]
    assert f"a=msid:{stream} " in offer
    business = (await world.media(started["call_id"])).leg(Side.BUSINESS)
    assert business is not None
    assert stream not in business.connection.audio_line.far_msid


async def test_accept_in_every_form(world: World) -> None:
    """`session` as an object, as JSON text in a form, and flat: each answer can be read in both places (12.2)."""
    url = f"{world.base_url}/v26.0/me/calls?access_token={world.app.token}"
    device = await world.device()
    bodies: tuple[tuple[str, dict[str, Any]], ...] = (
        ("json", {"action": "accept", "session": offered(AIORTC)}),
        ("data", {"action": "ACCEPT", "session": json.dumps(offered(AIORTC))}),
        ("json", {"action": "accept", "sdp": AIORTC}),
        ("data", {"action": "Accept", "sdp": AIORTC.replace("\r\n", "\\r\\n"), "sdp_type": "OFFER"}),
    )
    for encoding, body in bodies:
        call_id = await world.start_call(device)
        sent: dict[str, Any] = {encoding: {**body, "call_id": call_id}}
        async with world.http.post(url, **sent) as response:
            answer = await response.json()
            assert response.status == 200, answer
        assert answer["sdp"] == answer["session"]["sdp_response"]["sdp"]
        assert answer["sdp"].startswith("v=0\r\n")
        await world.app.call("terminate", call_id=call_id)
