"""The business calls a consumer: every way that call can go (messenger-calling 3.2, rows 3 and 10 to 36)."""

from __future__ import annotations

from typing import Any

import pytest

from pagecalls.demo.business import GraphRefused
from pagecalls.demo.device import ConsumerDevice, DeviceRefused
from pagecalls.switchboard.calls import Step
from pagecalls.types import CallId, Side

from .conftest import AIORTC, CHROMIUM, World, offered


async def dialled(world: World) -> str:
    await world.grant()
    connected = await world.app.call("connect", to=world.psid, session=offered(CHROMIUM))
    assert connected["id"] == connected["call_id"]
    assert connected["session"]["version"] == 0
    assert "sdp_renegotiation" not in connected["session"]
    return str(connected["call_id"])


async def ringing(world: World) -> tuple[ConsumerDevice, str]:
    device = await world.device()
    call_id = await dialled(world)
    await device.expect("call.incoming", call_id=call_id)
    return device, call_id


async def test_picked_up_and_terminated(world: World) -> None:
    device, call_id = await ringing(world)
    assert (await world.app.expect("connect", call_id)).item["call_direction"] == "business_initiated"
    status = (await world.app.expect("call_status", call_id)).item
    assert (status["call_status"], status["recipient_id"]) == ("ringing", world.psid)
    picked_up = await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    assert picked_up["session"]["sdp_response"]["sdp_type"] == "answer"
    assert picked_up["session"]["sdp_renegotiation"]["sdp_type"] == "offer"
    update = (await world.app.expect("media_update", call_id)).item
    assert update["session"]["version"] == 1
    assert "a=group:BUNDLE 0 1" in update["session"]["sdp_renegotiation"]["sdp"]
    await world.up(call_id)
    await device.expect("call.connected", call_id=call_id)
    await world.app.call("terminate", call_id=call_id)
    ended = (await world.app.expect("terminate", call_id)).item
    assert ended["status"] == "Completed"
    assert ended["duration"] >= 1
    assert world.app.events(call_id) == ["connect", "call_status", "call_status", "media_update", "terminate"]
    assert (await device.expect("call.ended")).params["reason"] == "completed"
    assert await world.is_clean()


async def test_copy_b_starts_when_the_webhook_is_acknowledged(world: World) -> None:
    device, call_id = await ringing(world)
    await world.app.expect("call_status", call_id, call_status="ringing")
    await world.settle()
    world.app.status = 500
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.settle()
    leg = (await world.media(call_id)).business
    assert leg is not None
    assert (leg.is_a_on, leg.is_b_on) == (True, False)
    await world.advance(3.1)  # the accepted event is not taken; the next one waits 3 s for it (ruling 8)
    await world.advance(1.1)  # handed over 1 s after its first attempt
    leg = (await world.media(call_id)).business
    assert leg is not None
    assert leg.is_b_on


async def test_without_permission(world: World) -> None:
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("connect", to=world.psid, session=offered(CHROMIUM))
    assert (refused.value.status, refused.value.error["code"], refused.value.error["error_subcode"]) == (403, 10, 9902001)
    assert await world.is_clean()


async def test_permission_runs_out(world: World) -> None:
    await world.grant(ttl_s=60)
    await world.advance(61)
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("connect", to=world.psid, session=offered(CHROMIUM))
    assert refused.value.error["error_subcode"] == 9902001


async def test_unknown_consumer(world: World) -> None:
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("connect", to="123456", session=offered(CHROMIUM))
    assert (refused.value.error["code"], refused.value.error["error_subcode"]) == (100, 2018001)


async def test_declined(world: World) -> None:
    device, call_id = await ringing(world)
    await device.request("call.decline", call_id=call_id)
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Completed"
    assert (await device.expect("call.ended")).params["reason"] == "declined"
    assert world.app.events(call_id) == ["connect", "call_status", "terminate"]
    assert await world.is_clean()


async def test_given_up_by_the_business(world: World) -> None:
    device, call_id = await ringing(world)
    await world.app.call("terminate", call_id=call_id)
    assert (await device.expect("call.ended")).params["reason"] == "cancelled"
    with pytest.raises(DeviceRefused) as refused:
        await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    assert refused.value.data["code"] == 2018396
    assert await world.is_clean()


async def test_nobody_picks_up(world: World) -> None:
    device, call_id = await ringing(world)
    await world.advance(60.1)
    assert "duration" not in (await world.app.expect("terminate", call_id)).item
    assert (await device.expect("call.ended")).params["reason"] == "no_answer"
    assert await world.is_clean()


async def test_no_device_rings(world: World) -> None:
    call_id = await dialled(world)
    await world.advance(14)
    assert "terminate" not in world.app.events(call_id)
    await world.advance(1.1)
    assert "duration" not in (await world.app.expect("terminate", call_id)).item
    assert world.app.events(call_id) == ["connect", "terminate"]


async def test_a_device_that_connects_late_rings(world: World) -> None:
    call_id = await dialled(world)
    await world.advance(10)
    device = await world.device()
    await device.expect("call.incoming", call_id=call_id)
    await world.app.expect("call_status", call_id, call_status="ringing")


async def test_the_first_device_has_the_call(world: World) -> None:
    other_token = (await world.session(psid=world.psid))["access_token"]
    first, second = await world.device(), await world.device(other_token)
    call_id = await dialled(world)
    await first.expect("call.incoming", call_id=call_id)
    await second.expect("call.incoming", call_id=call_id)
    await second.request("call.accept", call_id=call_id, session=offered(AIORTC))
    assert (await first.expect("call.ended")).params["reason"] == "answered_elsewhere"
    with pytest.raises(DeviceRefused):
        await first.request("call.accept", call_id=call_id, session=offered(AIORTC))
    assert [n.method for n in second.received] == ["call.incoming"]


async def two_ringing(world: World) -> tuple[str, ConsumerDevice, ConsumerDevice, str]:
    """A call that rings on two devices, and the token of the second."""
    token = str((await world.session(psid=world.psid))["access_token"])
    first, second = await world.device(), await world.device(token)
    call_id = await dialled(world)
    await first.expect("call.incoming", call_id=call_id)
    await second.expect("call.incoming", call_id=call_id)
    return call_id, first, second, token


async def test_all_devices_ring_with_one_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app's answer does not wait for a flush for each of them."""
    calls, commits = world.server.calls, 0
    commit = calls.commit

    async def counted(*args: Any) -> Step:
        nonlocal commits
        commits += 1
        return await commit(*args)

    devices = [await world.device((await world.session(psid=world.psid))["access_token"]) for _ in range(5)]
    monkeypatch.setattr(calls, "commit", counted)
    call_id = await dialled(world)
    assert commits == 2
    for device in devices:
        await device.expect("call.incoming", call_id=call_id)
    live = await calls.load(CallId(call_id))
    assert live is not None
    assert len(live.call.ringing) == 5
    await world.app.expect("call_status", call_id)
    await world.settle()
    assert world.app.events(call_id) == ["connect", "call_status"]


async def test_a_device_that_was_away_when_another_answered_is_told_once(world: World) -> None:
    call_id, first, second, token = await two_ringing(world)
    await world.leave(second)
    await first.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.advance(29)
    back = await world.device(token)
    assert (await back.expect("call.ended", call_id=call_id)).params["reason"] == "answered_elsewhere"
    await world.leave(back)
    again = await world.device(token)
    await again.request("ping")
    assert again.received == []


async def test_a_device_that_was_away_when_the_call_ended_is_told(world: World) -> None:
    call_id, first, second, token = await two_ringing(world)
    await world.leave(second)
    await world.app.call("terminate", call_id=call_id)
    back = await world.device(token)
    told = (await back.expect("call.ended", call_id=call_id)).params
    assert told == (await first.expect("call.ended", call_id=call_id)).params
    assert [each.method for each in back.received] == ["call.ended"]


async def test_a_device_in_a_call_that_ended_while_it_was_away_is_told_before_the_next_one_rings(world: World) -> None:
    call_id, first, _, _ = await two_ringing(world)
    await first.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.leave(first)
    await world.app.call("terminate", call_id=call_id)
    next_id = (await world.app.call("connect", to=world.psid, session=offered(CHROMIUM)))["call_id"]
    back = await world.device()
    await back.expect("call.incoming", call_id=next_id)
    assert [(each.method, each.params["call_id"]) for each in back.received] == [
        ("call.ended", call_id),
        ("call.incoming", next_id),
    ]


async def test_after_30_s_an_end_is_old_news(world: World) -> None:
    call_id, _, second, token = await two_ringing(world)
    await world.leave(second)
    await world.app.call("terminate", call_id=call_id)
    await world.advance(31)
    back = await world.device(token)
    await back.request("ping")
    assert back.received == []


async def test_the_last_ringing_device_is_gone(world: World) -> None:
    device, call_id = await ringing(world)
    await device.close()
    await world.settle()
    await world.advance(30.1)
    assert "terminate" not in world.app.events(call_id)
    await world.advance(15.1)
    assert "duration" not in (await world.app.expect("terminate", call_id)).item


@pytest.mark.parametrize("action", ["accept", "reject"])
async def test_actions_for_the_other_direction(world: World, action: str) -> None:
    _, call_id = await ringing(world)
    session = {"session": offered(AIORTC)} if action == "accept" else {}
    with pytest.raises(GraphRefused) as refused:
        await world.app.call(action, call_id=call_id, **session)
    assert refused.value.error["error_subcode"] == 9901205


async def test_only_the_owner_steers(world: World) -> None:
    second = await world.second_app()
    _, call_id = await ringing(world)
    for action in ("terminate", "media_update"):
        with pytest.raises(GraphRefused) as refused:
            await second.call(action, call_id=call_id, session=offered(AIORTC))
        assert (refused.value.status, refused.value.error["error_subcode"]) == (403, 9901201)
    await second.expect("connect", call_id)
    await world.app.expect("call_status", call_id)
    assert second.events(call_id) == ["connect"]


async def test_the_business_leg_fails_while_it_rings(world: World) -> None:
    device, call_id = await ringing(world)
    leg = (await world.media(call_id)).business
    assert leg is not None
    world.engine.peer_fails(leg.id, "dtls")
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Failed"
    assert (await device.expect("call.ended")).params["reason"] == "failed"


async def test_nobody_is_heard_before_pick_up(world: World) -> None:
    device, call_id = await ringing(world)
    await world.up(call_id, Side.BUSINESS)
    assert world.engine.routes(call_id) == []
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.settle()
    assert len(world.engine.routes(call_id)) == 2


async def test_a_disabled_track_is_not_forwarded(world: World) -> None:
    await world.grant()
    device = await world.device()
    tracks = [{"msid": "607b06d1-e4dc-44ee-84fb-129b92d441c2", "label": "DEFAULT_AUDIO", "status": "disabled"}]
    connected = await world.app.call("connect", to=world.psid, session=offered(CHROMIUM), tracks=tracks)
    call_id = connected["call_id"]
    await device.expect("call.incoming", call_id=call_id)
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.settle()
    business = (await world.media(call_id)).business
    assert business is not None
    assert {route.from_.leg == business.id: route.on for route in world.engine.routes(call_id)} == {True: False, False: True}


# --- both sides call each other (3.3) -------------------------------------------------------------------------------------


async def test_a_consumer_that_calls_while_it_is_called_picks_up(world: World) -> None:
    other = await world.device((await world.session(psid=world.psid))["access_token"])
    device, call_id = await ringing(world)
    started = await device.request("call.start", page_id=world.page_id, session=offered(AIORTC))
    assert started["call_id"] == call_id
    assert started["session"]["sdp_response"]["sdp_type"] == "answer"
    accepted = (await device.expect("call.accepted", call_id=call_id)).params
    assert accepted["session"]["version"] == 1
    assert "a=group:BUNDLE 0 1" in accepted["session"]["sdp_renegotiation"]["sdp"]
    assert (await other.expect("call.ended", call_id=call_id)).params["reason"] == "answered_elsewhere"
    await world.app.expect("media_update", call_id)
    assert world.app.events(call_id) == ["connect", "call_status", "call_status", "media_update"]
    await world.up(call_id)
    assert (await device.expect("call.connected", call_id=call_id)).params["call_id"] == call_id
    await world.settle()
    for side in Side:
        leg = (await world.media(call_id)).leg(side)
        assert leg is not None
        assert leg.is_b_on
    with pytest.raises(DeviceRefused) as busy:
        await other.request("call.start", page_id=world.page_id, session=offered(AIORTC))
    assert busy.value.data["reason"] == "busy"


async def test_a_consumer_that_calls_back_with_a_bad_offer_is_still_called(world: World) -> None:
    device, call_id = await ringing(world)
    with pytest.raises(DeviceRefused) as refused:
        await device.request("call.start", page_id=world.page_id, session=offered(AIORTC.replace("opus/48000/2", "G722/8000")))
    assert refused.value.data["error_subcode"] == 9901107
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    assert len(world.engine.legs) == 2
