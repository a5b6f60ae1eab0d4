"""Meta's Python SDK writes to a consumer and asks for permission to call, unchanged but for the address of the Graph API."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from facebook_business.exceptions import FacebookRequestError

from tests.interop.sdk import Sdk
from tests.interop.world import Json, World

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    # The SDK takes the answer for a Page, whose `recipient` it believes to be text; the contract has an object there. A tag is an
    # object to it, and text to everybody else.
    pytest.mark.filterwarnings("ignore:Value of recipient is not be compatible:UserWarning"),
    pytest.mark.filterwarnings("ignore:value of tag might not be compatible:UserWarning"),
]

OPTIN = {"template_type": "calling_optin"}
CALL = {"type": "audio_call", "title": "Call us", "expires_in_days": 2}


async def send(world: World, sdk: Sdk, message: Json, **more: Any) -> Json:
    """`create_message`; what it returned, as plain data."""
    params = {"recipient": {"id": world.psid}, "messaging_type": "RESPONSE", "message": message, **more}
    answer: Json = (await asyncio.to_thread(sdk.page.create_message, params=params)).export_all_data()
    return answer


def templated(payload: Json) -> Json:
    return {"attachment": {"type": "template", "payload": payload}}


async def test_it_asks_for_permission_and_reads_it(own_world: World, sdk: Sdk) -> None:
    world, device = own_world, own_world.device
    await device.request("message.send", page_id=world.dev.page.id, text="Hello")
    sent = await send(world, sdk, templated(OPTIN))
    assert sent["recipient"] == {"id": world.psid, "message_id": sent["message_id"]}
    request = await device.expect("permission.request", request_id=sent["message_id"])
    (before,) = await sdk.list(sdk.page.get_messenger_call_permissions, psid=world.psid)
    assert before["permission"] == {"status": "NO_PERMISSION"}
    assert before["actions"][0]["limits"][0]["current_usage"] == 1
    answered = await device.request("permission.reply", request_id=request.params["request_id"], response="approve")
    reply = await world.app.expect("call_permission_reply")
    assert reply.item["call_permission_reply"]["expiration_timestamp"] == answered["expiration_timestamp"]
    (after,) = await sdk.list(sdk.page.get_messenger_call_permissions, psid=world.psid)
    assert after["permission"] == {"status": "HAS_PERMISSION", "expiration_time": answered["expiration_timestamp"]}
    with pytest.raises(FacebookRequestError) as held:
        await send(world, sdk, templated(OPTIN))
    error: Any = held.value
    assert (error.api_error_code(), error.api_error_subcode()) == (100, 9902004)


async def test_it_sends_buttons_and_is_refused_outside_the_window(own_world: World, sdk: Sdk) -> None:
    world, device = own_world, own_world.device
    with pytest.raises(FacebookRequestError) as silent:
        await send(world, sdk, {"text": "Hello"})
    error: Any = silent.value
    assert (error.api_error_code(), error.api_error_subcode()) == (10, 2018278)
    await device.request("message.send", page_id=world.dev.page.id, text="Hello")
    for message in (
        templated({"template_type": "call_prompt", "ttl_days": 3}),
        templated({"template_type": "button", "text": "Questions?", "buttons": [CALL]}),
        templated({"template_type": "generic", "elements": [{"title": "Tea", "buttons": [CALL]}]}),
    ):
        sent = await send(world, sdk, message, notification_type="NO_PUSH")
        shown = await device.expect("message", message_id=sent["message_id"])
        assert [button["type"] for button in shown.params["buttons"]] == ["audio_call"]
    await send(world, sdk, {"text": "Anything else?"}, messaging_type="MESSAGE_TAG", tag="HUMAN_AGENT")
