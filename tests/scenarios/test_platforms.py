"""The reference's three platforms on a Page (ruling 6): Messenger and Instagram share one dialect, WhatsApp needs a number."""

from __future__ import annotations

import pytest

from pagecalls.demo.business import GraphRefused
from pagecalls.types import Side

from .conftest import AIORTC, CHROMIUM, World, offered


async def test_a_call_of_an_instagram_consumer(world: World) -> None:
    opened = await world.session(platform="instagram", name="Ada")
    device = await world.device(opened["access_token"])
    call_id = await world.start_call(device)
    connect = await world.app.expect("connect", call_id)
    assert (connect.body["object"], connect.body["entry"][0]["id"]) == ("instagram", world.page_id)
    assert connect.item["from"] == opened["psid"]
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    assert (refused.value.error["code"], refused.value.error["error_subcode"]) == (100, 9905011)
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC), platform="INSTAGRAM")
    await world.up(call_id)
    await device.expect("call.connected", call_id=call_id)
    await world.app.call("terminate", call_id=call_id, platform=None)
    ended = await world.app.expect("terminate", call_id)
    assert (ended.body["object"], ended.item["status"]) == ("instagram", "Completed")
    assert ended.item["duration"] >= 1
    assert await world.is_clean()


async def test_a_call_to_an_instagram_consumer(world: World) -> None:
    """Without `platform` it is that of the consumer."""
    opened = await world.session(platform="instagram")
    device = await world.device(opened["access_token"])
    grant = {"psid": opened["psid"], "page_id": world.page_id, "ttl_s": 600}
    await world.admin("POST", "/_pagecalls/permissions", grant)
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("connect", to=opened["psid"], session=offered(CHROMIUM))
    assert refused.value.error["error_subcode"] == 9905011
    connected = await world.app.call("connect", to=opened["psid"], session=offered(CHROMIUM), platform=None)
    call_id = connected["call_id"]
    await device.expect("call.incoming", call_id=call_id)
    await device.request("call.accept", call_id=call_id, session=offered(CHROMIUM))
    await world.up(call_id, Side.BUSINESS, Side.CONSUMER)
    events = [await world.app.expect("connect", call_id), await world.app.expect("call_status", call_id, call_status="accepted")]
    events.append(await world.app.expect("media_update", call_id))
    await device.request("call.hangup", call_id=call_id)
    events.append(await world.app.expect("terminate", call_id))
    assert {event.body["object"] for event in events} == {"instagram"}
    assert await world.is_clean()


async def test_instagram_events_need_a_subscription_of_their_own(world: World) -> None:
    """The second app is subscribed to the object `page` alone."""
    second = await world.second_app()
    opened = await world.session(platform="instagram")
    call_id = await world.start_call(await world.device(opened["access_token"]))
    await world.app.expect("connect", call_id)
    await world.app.call("reject", call_id=call_id, platform="instagram")
    await world.app.expect("terminate", call_id)
    await world.settle()
    assert second.events(call_id) == []


@pytest.mark.parametrize("action", ["connect", "accept", "reject", "terminate", "media_update", "pre_accept"])
async def test_whatsapp_on_a_page_without_a_number(world: World, action: str) -> None:
    call_id = await world.start_call(await world.device())
    with pytest.raises(GraphRefused) as refused:
        await world.app.call(action, platform="WhatsApp", call_id=call_id, to=world.psid, session=offered(AIORTC))
    assert (refused.value.status, refused.value.error["code"], refused.value.error["error_subcode"]) == (400, 100, 9905011)
    assert refused.value.error["message"] == "(#100) This Page has no WhatsApp number linked to it."
    assert (await world.app.call("reject", call_id=call_id))["success"] is True
