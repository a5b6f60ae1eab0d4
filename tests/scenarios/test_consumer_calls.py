"""A consumer rings the Page: every way that call can go (messenger-calling 3.2, rows 1 to 9 and 19 to 34)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pagecalls.call.events import Event
from pagecalls.demo.business import GraphRefused
from pagecalls.demo.device import DeviceRefused
from pagecalls.store.base import Transaction
from pagecalls.types import CallId, Side

from .conftest import AIORTC, CHROMIUM, FIREFOX, World, offered


async def permission(world: World) -> dict[str, object]:
    answer = await world.app.get(f"/v26.0/{world.page_id}/messenger_call_permissions?psid={world.psid}")
    found: dict[str, object] = answer["permission"]
    return found


async def test_answered_and_hung_up_by_the_consumer(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    await device.request("call.hangup", call_id=call_id)
    ended = (await world.app.expect("terminate", call_id)).item
    assert ended["status"] == "Completed"
    assert ended["end_time"] - ended["start_time"] == ended["duration"] >= 1
    assert world.app.events(call_id) == ["connect", "terminate"]
    told = (await device.expect("call.ended", call_id=call_id)).params
    assert (told["reason"], told["status"], told["duration"]) == ("completed", "Completed", ended["duration"])
    assert [n.method for n in device.received] == ["call.ringing", "call.accepted", "call.connected", "call.ended"]
    assert (await permission(world))["status"] == "has_permission"
    assert await world.is_clean()


async def test_the_connect_webhook_says_who_calls(world: World) -> None:
    call_id = await world.start_call(await world.device())
    body = (await world.app.expect("connect", call_id)).body
    item = body["entry"][0]["calls"][0]
    assert body["object"] == "page"
    assert body["entry"][0]["id"] == item["to"] == world.page_id
    assert item["from"] == world.psid
    assert item["call_direction"] == "user_initiated"


async def test_accept_answers_with_both_descriptions(world: World) -> None:
    call_id = await world.start_call(await world.device())
    answer = await world.app.call("accept", call_id=call_id, session=offered(FIREFOX))
    session = answer["session"]
    assert answer["success"] is True
    assert answer["call_id"] == call_id
    assert session["version"] == 0
    assert session["sdp_response"] == {"sdp_type": "answer", "sdp": answer["sdp"]}
    assert "a=group:BUNDLE 0 1" in session["sdp_renegotiation"]["sdp"]
    assert "id" not in answer


async def test_terminated_by_the_business(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    assert (await world.app.call("terminate", call_id=call_id)) == {"success": True, "call_id": call_id}
    assert (await device.expect("call.ended", call_id=call_id)).params["reason"] == "completed"
    # A repeat within 30 s is answered as before; later it is an error (2.5).
    assert (await world.app.call("terminate", call_id=call_id))["success"] is True
    await world.advance(31)
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("terminate", call_id=call_id)
    assert (refused.value.status, refused.value.error["code"], refused.value.error["error_subcode"]) == (400, 2018396, 9901302)
    assert world.app.events(call_id).count("terminate") == 1


@pytest.mark.parametrize("action", ["reject", "terminate"])
async def test_rejected(world: World, action: str) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    await world.app.call(action, call_id=call_id)
    ended = (await world.app.expect("terminate", call_id)).item
    assert ended["status"] == "Completed"
    assert "duration" not in ended
    assert (await device.expect("call.ended", call_id=call_id)).params["reason"] == "rejected"
    assert (await permission(world))["status"] == "has_permission"
    await world.advance(31)
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("reject", call_id=call_id)
    assert refused.value.error["error_subcode"] == 9901301
    assert await world.is_clean()


async def test_cancelled_by_the_consumer(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    await device.request("call.hangup", call_id=call_id)
    assert "duration" not in (await world.app.expect("terminate", call_id)).item
    assert (await device.expect("call.ended")).params["reason"] == "cancelled"
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    assert refused.value.error["error_subcode"] == 9901302
    assert await world.is_clean()


async def test_nobody_answers(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    await world.advance(59)
    assert "terminate" not in world.app.events(call_id)
    await world.advance(1.1)
    ended = (await world.app.expect("terminate", call_id)).item
    assert ended["status"] == "Completed"
    assert "duration" not in ended
    assert (await device.expect("call.ended")).params["reason"] == "not_answered"
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    assert refused.value.error["error_subcode"] == 9901303
    granted = await permission(world)
    assert granted["status"] == "has_permission"
    assert granted["expiration_time"] == pytest.approx(ended["end_time"] + 604_800, abs=2)
    assert await world.is_clean()


async def test_two_apps_accept_at_once(world: World) -> None:
    second = await world.second_app()
    call_id = await world.start_call(await world.device())
    await asyncio.gather(world.app.expect("connect", call_id), second.expect("connect", call_id))
    replies = await asyncio.gather(
        *(app.call("accept", call_id=call_id, session=offered(AIORTC)) for app in (world.app, second)), return_exceptions=True
    )
    refused = [reply for reply in replies if isinstance(reply, GraphRefused)]
    assert len(refused) == 1
    assert (refused[0].status, refused[0].error["code"], refused[0].error["error_subcode"]) == (403, 2018394, 9901202)
    assert len(world.engine.legs) == 2
    loser = (world.app, second)[replies.index(refused[0])]
    with pytest.raises(GraphRefused) as not_owner:
        await loser.call("terminate", call_id=call_id)
    assert not_owner.value.error["error_subcode"] == 9901201


async def test_a_repeated_accept_gets_the_same_answer(world: World) -> None:
    call_id = await world.start_call(await world.device())
    first = await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    assert await world.app.call("accept", call_id=call_id, session=offered(AIORTC)) == first
    with pytest.raises(GraphRefused) as other:
        await world.app.call("accept", call_id=call_id, session=offered(CHROMIUM))
    assert other.value.error["error_subcode"] == 9901204
    await world.up(call_id)
    await world.advance(31)
    with pytest.raises(GraphRefused) as late:
        await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    assert late.value.error["error_subcode"] == 9901204
    assert len(world.engine.legs) == 2


async def test_media_does_not_come_up(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    await world.up(call_id, Side.CONSUMER)
    await world.advance(20.1)
    ended = (await world.app.expect("terminate", call_id)).item
    assert ended["status"] == "Failed"
    assert "duration" not in ended
    assert (await device.expect("call.ended")).params["reason"] == "failed"
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("terminate", call_id=call_id)
    assert refused.value.error["code"] == 2018395
    assert await world.is_clean()


async def test_a_leg_falls_silent(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    leg = (await world.media(call_id)).business
    assert leg is not None
    world.engine.goes_silent(leg.id)
    await world.advance(30.1)
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Failed"
    assert (await device.expect("call.ended")).params["reason"] == "media_timeout"


async def test_the_business_closes_its_browser(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    leg = (await world.media(call_id)).business
    assert leg is not None
    world.engine.peer_bye(leg.id)
    await world.advance(5.1)
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Completed"


async def test_the_engine_dies(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    world.engine.die()
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Failed"
    assert (await device.expect("call.ended")).params["reason"] == "server_error"
    with pytest.raises(DeviceRefused) as refused:
        await world.start_call(device)
    assert refused.value.data["is_transient"] is True
    world.engine.come_back()
    await world.start_call(device)


async def test_the_copies(world: World) -> None:
    """A from the start; B once the offer is handed over; A stops when the far side reports on B (6.6)."""
    device = await world.device()
    call_id = await world.connected(device)
    for side in Side:
        leg = (await world.media(call_id)).leg(side)
        assert leg is not None
        assert leg.b_line is not None
        assert (leg.is_a_on, leg.is_b_on) == (True, True)
        assert leg.b_line.far_ssrc is not None
        world.engine.accepts(leg.id, leg.a_ssrc)
        await world.settle()
        assert (await world.media(call_id)).leg(side) == leg
        world.engine.accepts(leg.id, leg.b_line.far_ssrc)
        await world.settle()
        leg = (await world.media(call_id)).leg(side)
        assert leg is not None
        assert (leg.is_a_on, leg.is_b_on) == (False, True)


async def test_offers_handed_over_together_share_one_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = world.server.calls
    with monkeypatch.context() as patched:
        patched.setattr(calls.hand_overs, "handed_over", lambda call_id, side, version: None)
        call_id = await world.connected(await world.device())
        await world.settle()
    write, writes = calls.store.write, []

    async def counted(work: Callable[[Transaction], Any]) -> Any:
        writes.append(work)
        return await write(work)

    monkeypatch.setattr(calls.store, "write", counted)
    offers: dict[Side, int] = {}
    for side in Side:
        leg = (await world.media(call_id)).leg(side)
        assert leg is not None
        offers[side] = leg.offered
    for side, version in offers.items():
        calls.hand_overs.handed_over(CallId(call_id), side, version)
    await calls.settled()
    assert len(writes) == 1
    for side in Side:
        leg = (await world.media(call_id)).leg(side)
        assert leg is not None
        assert leg.is_b_on
        applied = world.engine.legs[leg.id].applied
        assert applied is not None
        assert applied.rev == leg.rev


async def test_an_answer_to_the_renegotiation_is_a_sign(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    reoffer = (await device.expect("call.accepted")).params["session"]["sdp_renegotiation"]["sdp"]
    answer = reoffer.replace("a=sendonly", "a=x").replace("a=recvonly", "a=sendonly").replace("a=x", "a=recvonly")
    answer = answer.replace("a=setup:passive", "a=setup:active")
    await device.request("call.answer", call_id=call_id, version=1, session={"sdp_type": "answer", "sdp": answer})
    leg = (await world.media(call_id)).consumer
    assert leg is not None
    assert not leg.is_a_on


async def test_no_sign_of_the_renegotiation_is_only_noted(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    await world.advance(10.1)
    leg = (await world.media(call_id)).business
    assert leg is not None
    assert (leg.is_a_on, leg.is_b_on) == (True, True)
    journal = await world.admin("GET", "/_pagecalls/journal?after=0")
    assert [entry["facts"]["side"] for entry in journal["entries"] if entry["kind"] == "no_sign_of_renegotiation"]
    assert world.app.events(call_id) == ["connect"]


async def test_digits_reach_the_business_leg(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.call("accept", call_id=call_id, session=offered(CHROMIUM))
    await world.up(call_id)
    await device.request("call.dtmf", call_id=call_id, digits="15#")
    for bad in ("", "x", "1" * 33):
        with pytest.raises(DeviceRefused) as refused:
            await device.request("call.dtmf", call_id=call_id, digits=bad)
        assert refused.value.data["error_subcode"] == 9905011
    await world.advance(3)
    journal = await world.admin("GET", "/_pagecalls/journal?after=0")
    assert [e["facts"]["digit"] for e in journal["entries"] if e["kind"] == "dtmf_sent"] == ["1", "5", "#"]


async def test_digits_without_telephone_event_are_dropped(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    assert await device.request("call.dtmf", call_id=call_id, digits="1") == {}
    journal = await world.admin("GET", "/_pagecalls/journal?after=0")
    assert [e["facts"]["why"] for e in journal["entries"] if e["kind"] == "dtmf_dropped"] == ["no_telephone_event"]


async def test_one_live_call_per_consumer_and_page(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    with pytest.raises(DeviceRefused) as busy:
        await world.start_call(device)
    assert busy.value.data["reason"] == "busy"
    await world.grant()
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("connect", to=world.psid, session=offered(CHROMIUM))
    assert (refused.value.error["code"], refused.value.error["error_subcode"]) == (551, 9901206)
    assert refused.value.error["error_data"]["call_id"] == call_id
    assert len(world.engine.legs) == 1


async def test_the_device_comes_back_in_time(world: World) -> None:
    first = await world.device()
    call_id = await world.connected(first)
    await first.close()
    await world.settle()
    await world.advance(29)
    again = await world.device()
    resumed = (await again.expect("call.resumed")).params
    assert (resumed["call_id"], resumed["state"]) == (call_id, "ACTIVE")
    await again.request("call.hangup", call_id=call_id)
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Completed"


async def test_an_offer_that_went_astray_comes_with_the_resumption(world: World) -> None:
    first = await world.device()
    call_id = await world.start_call(first)
    await first.close()
    await world.settle()
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    await world.settle()
    leg = (await world.media(call_id)).consumer
    assert leg is not None
    assert not leg.is_b_on
    again = await world.device()
    session = (await again.expect("call.resumed")).params["session"]
    assert session["version"] == 1
    assert "a=group:BUNDLE 0 1" in session["sdp_renegotiation"]["sdp"]
    await world.settle()
    leg = (await world.media(call_id)).consumer
    assert leg is not None
    assert leg.is_b_on


async def test_the_device_that_rang_is_gone_for_good(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    await device.close()
    await world.settle()
    await world.advance(30.1)
    assert "duration" not in (await world.app.expect("terminate", call_id)).item
    assert await world.is_clean()


async def test_nobody_is_subscribed(world: World) -> None:
    """The derived ring target is META: no webhook, and accept is refused (ruling 13)."""
    url = f"{world.base_url}/v26.0/{world.page_id}/subscribed_apps?access_token={world.app.token}"
    async with world.http.delete(url) as response:
        assert await response.json() == {"success": True}
    device = await world.device()
    call_id = await world.start_call(device)
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    assert refused.value.error["error_subcode"] == 9901203
    await world.advance(60.1)
    assert (await device.expect("call.ended")).params["reason"] == "not_answered"
    assert world.app.received == []


async def test_a_clock_that_is_set_back_while_a_deadline_is_handled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is not due any more, and is met when it is due again."""
    calls, clock = world.server.calls, world.server.clock
    call_id = await world.start_call(await world.device())
    happened = calls.happened

    async def set_back(call_id: CallId, event: Event) -> None:
        clock._offset_s -= 100
        await happened(call_id, event)

    with monkeypatch.context() as patch:
        patch.setattr(calls, "happened", set_back)
        await world.advance(60)
    live = await calls.load(CallId(call_id))
    assert live is not None
    assert live.call.state.is_live
    await world.advance(100)
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Completed"
