"""Meta's Python SDK around its calls, unchanged: reports, features, a user's node, and the Pages that the user reaches."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from facebook_business.adobjects.page import Page
from facebook_business.adobjects.user import User
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from tests.interop.sdk import Sdk, rung
from tests.interop.world import Json, Start, World

pytestmark = pytest.mark.asyncio(loop_scope="package")

# The SDK has no types of its own.
AnyUser: Any = User
AnyPage: Any = Page
AnyApi: Any = FacebookAdsApi
AnySession: Any = FacebookSession
USER_ID = "3001"


async def operator(world: World, path: str, body: Json) -> Json:
    """As an operator."""
    headers = {"Authorization": f"Bearer {world.dev.admin_token}"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{world.dev.base_url}/_pagecalls/{path}", json=body, headers=headers) as response,
    ):
        answer: Json = await response.json()
        assert response.status == 200, answer
        return answer


async def test_it_reports_on_a_call_that_nobody_took(own_world: World, sdk: Sdk, start: Start) -> None:
    world = own_world
    call = await rung(world, start)
    whole = {
        "platform": "MESSENGER",
        "call_id": call.id,
        "end_call_reason": "IGNORE_CALL",
        "end_call_subreason": "nobody was there",
        "call_ended_time": int(datetime.now(UTC).timestamp()),
        "first_audio_packet_received_time": 0,
        "audio_stats": {"jitter_sec": 0.01, "round_trip_time_ms": 40, "packets_lost": 2},
        "video_stats": {"frames": 0},
    }
    assert await refused(sdk, whole) == (100, 9904001)
    await sdk.call("REJECT", call_id=call.id)
    await world.ended(call, "Completed")
    assert await refused(sdk, {**whole, "audio_stats": {"jitter_sec": -1}}) == (100, 9904005)
    assert (await report(sdk, whole)).export_all_data() == {}
    assert await refused(sdk, whole) == (100, 9904003)
    metrics = (await world.report(call.id))["metrics"]
    assert (metrics["end_call_reason"], metrics["audio_stats"]["round_trip_time_s"]) == ("IGNORE_CALL", 0.04)


async def report(sdk: Sdk, params: Json) -> Any:
    return await asyncio.to_thread(sdk.page.create_call_metric, params=params)


async def refused(sdk: Sdk, params: Json) -> tuple[int, int]:
    with pytest.raises(FacebookRequestError) as raised:
        await report(sdk, params)
    error: Any = raised.value
    return error.api_error_code(), error.api_error_subcode()


async def test_it_asks_whether_calling_is_open(sdk: Sdk) -> None:
    ask = sdk.page.create_business_messaging_feature_status
    answer = await asyncio.to_thread(ask, params={"features": [{"feature": "messenger_api_calling"}]})
    assert answer["data"] == [{"feature": "messenger_api_calling", "status": "ENABLED"}]


async def test_from_a_users_token_to_a_pages(own_world: World, sdk: Sdk) -> None:
    """The user's token is made by the operator; from there on the SDK goes its usual way."""
    dev = own_world.dev
    await operator(own_world, "users", {"id": USER_ID, "name": "Grace"})
    await operator(own_world, f"users/{USER_ID}/pages", {"page_id": dev.page.id, "tasks": ["MESSAGING"]})
    order = {"kind": "user", "app_id": dev.app.id, "user_id": USER_ID}
    token = (await operator(own_world, "tokens", order))["token"]["access_token"]

    session = AnySession(dev.app.id, dev.app.secret, token)
    me = AnyUser("me", api=AnyApi(session))
    found = await asyncio.to_thread(me.api_get, fields=["id", "name"])
    assert (found["id"], found["name"]) == (USER_ID, "Grace")
    pages = await asyncio.to_thread(lambda: list(me.get_accounts()))
    (page,) = [each.export_all_data() for each in pages]
    assert (page["id"], page["name"], page["tasks"]) == (dev.page.id, dev.page.name, ["MESSAGING"])
    again = await asyncio.to_thread(AnyPage(dev.page.id, api=AnyApi(session)).api_get, fields=["access_token"])
    assert again["access_token"] == page["access_token"]
    with pytest.raises(FacebookRequestError):
        await asyncio.to_thread(AnyPage(dev.page.id, api=AnyApi(session)).get_subscribed_apps)
    session.requests.close()

    own = AnySession(dev.app.id, dev.app.secret, page["access_token"])
    read = AnyPage(dev.page.id, api=AnyApi(own)).get_messenger_call_permissions
    (permission,) = await asyncio.to_thread(lambda: [dict(item) for item in read(params={"psid": own_world.psid})])
    assert permission["permission"]["status"] == "NO_PERMISSION"
    own.requests.close()
