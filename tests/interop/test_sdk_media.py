"""Meta's Python SDK changes the media of a call; the sound says whether it worked."""

from __future__ import annotations

import re
from typing import Any

import pytest
from facebook_business.exceptions import FacebookRequestError

from tests.interop.sdk import Sdk, rung, took
from tests.interop.world import BUSINESS_HZ, Call, Start, World, offered, until

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def hears(call: Call, frequency_hz: int | None) -> None:
    """Until the consumer hears this tone, or nothing."""

    async def so() -> bool:
        heard = await call.consumer.hear(window_s=0.3, timeout_s=0.5)
        return heard.is_tone(frequency_hz) if frequency_hz is not None else not heard.audible

    await until(so)


async def test_media_updates_in_all_forms(own_world: World, sdk: Sdk, start: Start) -> None:
    """Answer, offer, tracks, the older list, and a collision, which the SDK raises (messenger-calling 2.6 and 4)."""
    world = own_world
    call = await rung(world, start)
    accepted = await sdk.call("ACCEPT", call_id=call.id, session=offered(await call.business.offer()))
    answer = await took(world, call, accepted)
    told = await sdk.call("MEDIA_UPDATE", call_id=call.id, session={"sdp_type": "ANSWER", "sdp": answer})
    assert told == {"call_id": call.id, "version": 0}

    offer = await call.business.offer()
    update = {"call_id": call.id, "session": offered(offer), "from_version": 0, "to_version": 1}
    updated = await sdk.call("MEDIA_UPDATE", **update)
    assert updated["session"]["version"] == 1
    assert await sdk.call("MEDIA_UPDATE", **update) == updated
    await call.business.apply_answer(updated["session"]["sdp_response"]["sdp"])
    await hears(call, BUSINESS_HZ)

    found = re.search(r"^a=msid:(\S+ \S+)", offer, re.MULTILINE)
    assert found is not None
    microphone = {"msid": found[1], "label": "DEFAULT_AUDIO", "status": "DISABLED"}
    muted = await sdk.call("MEDIA_UPDATE", call_id=call.id, tracks=[microphone], from_version=1, to_version=2)
    assert muted == {"call_id": call.id, "version": 2}
    await world.device.expect("call.media_update", call_id=call.id)
    await hears(call, None)

    with pytest.raises(FacebookRequestError) as collided:
        await sdk.call("MEDIA_UPDATE", call_id=call.id, session=offered(offer), from_version=1, to_version=2)
    error: Any = collided.value
    assert (error.http_status(), error.body()) == (200, {"success": False, "call_id": call.id, "version": 2})
    unmuted = await sdk.call("MEDIA_UPDATE", call_id=call.id, enabled_tracks=[found[1]], from_version=2, to_version=3)
    assert unmuted == {"call_id": call.id, "version": 3}
    await hears(call, BUSINESS_HZ)
    await world.hang_up(call)
