"""Meta's Python SDK as the business, unchanged but for the address of the Graph API, with sound in its calls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from facebook_business.exceptions import FacebookRequestError

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from tests.interop.sdk import Sdk
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Call, Plan, Start, World, offered

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_it_answers_and_ends_a_call_with_sound(own_world: World, sdk: Sdk, start: Start) -> None:
    world = own_world
    business, consumer = await start(AiortcPeer(tone_hz=BUSINESS_HZ)), await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.ring(business, consumer, Plan())
    accepted = await sdk.call("ACCEPT", call_id=call.id, session=offered(await business.offer()))
    assert accepted["call_id"] == call.id
    await business.apply_answer(accepted["session"]["sdp_response"]["sdp"])
    await business.apply_renegotiation(accepted["session"]["sdp_renegotiation"]["sdp"])
    await world.device.expect("call.connected", call_id=call.id)
    call.settled_at = asyncio.get_running_loop().time()
    await call.check_sound()

    assert await sdk.refused("REJECT", call_id=call.id) == (100, 9901205)
    assert await sdk.refused("TERMINATE", call_id="c_unknown") == (2018390, 9901001)
    assert await sdk.call("TERMINATE", call_id=call.id) == {"call_id": call.id}
    await world.ended(call, "Completed")


async def test_it_rejects_a_call_and_calls_back(own_world: World, sdk: Sdk, start: Start) -> None:
    """The rejected call has given the permission that the call back needs (messenger-calling 8.2)."""
    world = own_world
    (before,) = await sdk.list(sdk.page.get_messenger_call_permissions, psid=world.psid)
    assert before["permission"]["status"] == "NO_PERMISSION"
    business, consumer = await start(AiortcPeer(tone_hz=BUSINESS_HZ)), await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    first = await world.ring(business, consumer, Plan())
    assert await sdk.call("REJECT", call_id=first.id) == {"call_id": first.id}
    await world.ended(first, "Completed")
    (after,) = await sdk.list(sdk.page.get_messenger_call_permissions, psid=world.psid)
    assert after["permission"]["status"] == "HAS_PERMISSION"

    consumer = await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    connected = await sdk.call("CONNECT", to=world.psid, session=offered(await business.offer()))
    assert connected["id"] == connected["call_id"]
    call = Call(connected["call_id"], business, consumer)
    world.calls.append(call.id)
    await business.apply_answer(connected["session"]["sdp_response"]["sdp"])
    await world.pick_up(call, Plan())
    await call.check_sound()
    assert await sdk.call("TERMINATE", call_id=call.id) == {"call_id": call.id}
    await world.ended(call, "Completed")


async def test_it_manages_call_settings(own_world: World, sdk: Sdk) -> None:
    """What it wrote it reads, what it switched off is off, and a refusal is an exception."""
    hours = {
        "timezone_id": "America/New_York",
        "weekly_operating_hours": [{"day_of_week": "MONDAY", "open_time": "0900", "close_time": "1730"}],
    }
    written = {"audio_enabled": False, "icon_enabled": True, "video_enabled": False, "call_hours": hours}
    answer = await asyncio.to_thread(
        sdk.page.create_messenger_call_setting, params={**written, "call_routing": {"ring_target": "PARTNERS"}}
    )
    assert answer.export_all_data() == {"result": "success"}
    (read,) = await sdk.list(sdk.page.get_messenger_call_settings)
    assert read == {**written, "call_routing": {"ring_target": "PARTNERS"}}
    assert await sdk.refused("CONNECT", to=own_world.psid, session=offered("v=0")) == (2018389, 1893056)
    with pytest.raises(FacebookRequestError) as refused:
        await asyncio.to_thread(sdk.page.create_messenger_call_setting, params={"call_hours": {**hours, "timezone_id": "Mars"}})
    error: Any = refused.value
    assert error.api_error_subcode() == 9903001


async def test_it_manages_subscriptions(own_world: World, sdk: Sdk) -> None:
    """At both levels; the callback is verified on the way. What is unsubscribed is told nothing more."""
    dev, app = own_world.dev, own_world.app
    assert [entry["id"] for entry in await sdk.list(sdk.page.get_subscribed_apps)] == [dev.app.id]
    await asyncio.to_thread(sdk.page.delete_subscribed_apps)
    assert await sdk.list(sdk.page.get_subscribed_apps) == []
    await asyncio.to_thread(sdk.page.create_subscribed_app, params={"subscribed_fields": ["calls"]})
    (entry,) = await sdk.list(sdk.page.get_subscribed_apps)
    assert entry["subscribed_fields"] == ["calls"]

    wanted = {"object": "page", "callback_url": app.url, "verify_token": dev.verify_token, "fields": ["calls"]}
    await asyncio.to_thread(sdk.app.create_subscription, params=wanted)
    pages = [each for each in await sdk.list(sdk.app.get_subscriptions) if each["object"] == "page"]
    assert [each["callback_url"] for each in pages] == [app.url]
    with pytest.raises(FacebookRequestError):
        await asyncio.to_thread(sdk.app.create_subscription, params={**wanted, "verify_token": "another"})
    await asyncio.to_thread(sdk.app.delete_subscriptions, params={"object": "page"})
    assert "page" not in [each["object"] for each in await sdk.list(sdk.app.get_subscriptions)]
