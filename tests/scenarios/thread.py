"""A Page and a person who write to each other: what both send, and what each of them sees."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from pagecalls.demo.business import GraphRefused
from pagecalls.demo.device import ConsumerDevice, DeviceRefused

from .conftest import World

Json = dict[str, Any]
DAY_S = 86_400
WEEK_S = 7 * DAY_S
OPTIN: Json = {"template_type": "calling_optin"}


def templated(payload: Json) -> Json:
    return {"attachment": {"type": "template", "payload": payload}}


def button(title: str = "Call us", days: int = 7) -> Json:
    """A template with one call button."""
    call = {"type": "audio_call", "title": title, "expires_in_days": days}
    return templated({"template_type": "button", "text": "Questions?", "buttons": [call]})


async def write(world: World, message: Json, to: str = "", **more: Any) -> str:
    """`POST messages`; the message's id."""
    body = {"recipient": {"id": to or world.psid}, "message": message, **more}
    answer = await world.app.post(f"/v26.0/{world.page_id}/messages", body)
    assert answer["recipient"] == {"id": to or world.psid, "message_id": answer["message_id"]}
    await world.settle()
    return str(answer["message_id"])


async def ask(world: World) -> str:
    """A permission request; its id."""
    return await write(world, templated(OPTIN))


async def say(world: World, device: ConsumerDevice, text: str = "Hello") -> None:
    """The consumer writes."""
    assert (await device.request("message.send", page_id=world.page_id, text=text))["message_id"].startswith("m_")


async def answer(device: ConsumerDevice, request_id: str, response: str = "approve") -> Json:
    return await device.request("permission.reply", request_id=request_id, response=response)


async def permission(world: World, psid: str = "") -> Json:
    """What the Page reads: the entry as the reference spells it."""
    body = await world.app.get(f"/v26.0/{world.page_id}/messenger_call_permissions?psid={psid or world.psid}")
    (entry,) = body["data"]
    found: Json = entry
    return found


async def is_held(world: World) -> bool:
    return bool((await permission(world))["permission"]["status"] == "HAS_PERMISSION")


async def left_s(world: World) -> float:
    """How long the permission still lasts."""
    expires_at: float = (await permission(world))["permission"]["expiration_time"]
    return expires_at - world.server.clock.now()


async def refused(request: Awaitable[object]) -> tuple[int, int | None]:
    """Code and subcode of the refusal, on either side."""
    try:
        await request
    except GraphRefused as refusal:
        return refusal.error["code"], refusal.error.get("error_subcode")
    except DeviceRefused as refusal:
        return refusal.data["code"], refusal.data.get("error_subcode")
    raise AssertionError("it was not refused")


async def seen(device: ConsumerDevice, method: str) -> list[Json]:
    """What the device was told by that method up to now."""
    await device.request("ping")
    return [each.params for each in device.received if each.method == method]
