"""Every row of messenger-calling 8.2 and 8.3 on a whole server, the webhook of 7.6, and what devices see of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.media.fake import FakeEngine

from .conftest import AIORTC, World, a_world, offered
from .thread import DAY_S, OPTIN, WEEK_S, answer, ask, is_held, left_s, permission, refused, say, seen, templated, write


async def connect(world: World) -> str:
    return str((await world.app.call("connect", to=world.psid, session=offered(AIORTC)))["call_id"])


# --- by reply ---------------------------------------------------------------------------------------------------------


async def test_an_approval_lasts_seven_days(world: World) -> None:
    device = await world.device()
    await say(world, device)
    request_id = await ask(world)
    (request,) = await seen(device, "permission.request")
    assert request["request_id"] == request_id
    assert request["page"] == {"id": world.page_id, "name": world.server.dev.page.name}
    assert request["expires_at"] == pytest.approx(world.server.clock.now() + WEEK_S, abs=2)
    assert await seen(device, "message") == []

    result = await answer(device, request_id)
    expires_at = result["expiration_timestamp"]
    assert expires_at == pytest.approx(world.server.clock.now() + WEEK_S, abs=2)
    reply = await world.app.expect("call_permission_reply")
    at = reply.item["timestamp"]
    assert reply.body == {
        "object": "page",
        "entry": [
            {
                "id": world.page_id,
                "time": at,
                "sender": {"id": world.psid},
                "recipient": {"id": world.page_id},
                "timestamp": at,
                "call_permission_reply": {"response": "approve", "expiration_timestamp": expires_at},
            }
        ],
    }
    assert at == pytest.approx(world.server.clock.now(), abs=2)
    entry = await permission(world)
    assert entry["permission"] == {"status": "HAS_PERMISSION", "expiration_time": expires_at}
    assert [action["can_perform"] for action in entry["actions"]] == [False, True]
    await connect(world)


async def test_a_rejection_leaves_the_state_as_it_was(world: World) -> None:
    device = await world.device()
    await say(world, device)
    first = await ask(world)
    assert await answer(device, first, "reject") == {}
    reply = await world.app.expect("call_permission_reply")
    assert reply.item["call_permission_reply"] == {"response": "reject"}
    assert not await is_held(world)
    second = await ask(world)
    await world.grant(1000)
    await answer(device, second, "reject")
    assert await left_s(world) == pytest.approx(1000, abs=3)


async def test_an_answer_is_told_after_the_one_before_it(world: World) -> None:
    """First attempts of one person's answers keep their order; nobody else's answer waits for them."""
    device, session = await world.device(), await world.session(name="Grace")
    other = await world.device(session["access_token"])
    for each in (device, other):
        await say(world, each)
    world.app.status = 500
    await answer(device, await ask(world), "reject")
    await world.settle()
    world.app.status = 200
    await answer(device, await ask(world))
    await answer(other, await write(world, templated(OPTIN), to=session["psid"]), "reject")
    await world.settle()
    assert [each.item["sender"]["id"] for each in world.app.received] == [session["psid"]]
    await world.advance(3)
    (_, approval) = world.app.received
    assert (approval.item["sender"]["id"], approval.item["call_permission_reply"]["response"]) == (world.psid, "approve")


async def test_every_subscribed_app_hears_once(world: World) -> None:
    second, third = await world.second_app("calls,call_permission_reply"), await world.second_app()
    device = await world.device()
    await say(world, device)
    await answer(device, await ask(world))
    await world.settle()
    for app, heard in ((world.app, ["call_permission_reply"]), (second, ["call_permission_reply"]), (third, [])):
        assert [each.event for each in app.received] == heard


async def test_an_instagram_consumer(world: World) -> None:
    session = await world.session(platform="instagram", name="Grace")
    device = await world.device(session["access_token"])
    await say(world, device)
    request_id = await write(world, templated({"template_type": "calling_optin"}), to=session["psid"])
    await answer(device, request_id)
    reply = await world.app.expect("call_permission_reply")
    assert reply.body["object"] == "instagram"
    assert reply.item["sender"] == {"id": session["psid"]}


async def test_one_of_several_devices_answers_once(world: World) -> None:
    phone = await world.device()
    tablet = await world.device((await world.session(psid=world.psid))["access_token"])
    await say(world, phone)
    request_id = await ask(world)
    assert [len(await seen(each, "permission.request")) for each in (phone, tablet)] == [1, 1]
    outcomes = await asyncio.gather(
        answer(phone, request_id), answer(tablet, request_id, "reject"), answer(phone, request_id), return_exceptions=True
    )
    assert len([each for each in outcomes if not isinstance(each, Exception)]) == 1
    assert await refused(answer(tablet, request_id)) == (100, 9902008)
    await world.settle()
    assert len(world.app.received) == 1


async def test_requests_that_cannot_be_answered(world: World) -> None:
    device = await world.device()
    other = await world.device((await world.session(name="Eve"))["access_token"])
    await say(world, device)
    first = await ask(world)
    assert await refused(answer(other, first)) == (100, 9902005)
    assert await refused(answer(device, "m_unknown")) == (100, 9902005)
    assert await refused(answer(device, first, "perhaps")) == (100, 9905011)
    second = await ask(world)
    assert await refused(answer(device, first)) == (100, 9902007)
    await world.advance(WEEK_S - 60)
    await answer(device, second, "reject")
    await say(world, device)
    third = await ask(world)
    await world.advance(WEEK_S)
    assert await refused(answer(device, third)) == (100, 9902006)
    await world.settle()
    assert len(world.app.received) == 1


# --- by calls ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["ring out", "cancel", "reject"])
async def test_a_call_that_the_business_missed(world: World, end: str) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    await world.advance(30)
    assert not await is_held(world)
    match end:
        case "ring out":
            await world.advance(30)
        case "cancel":
            await device.request("call.hangup", call_id=call_id)
        case _:
            await world.app.call("reject", call_id=call_id)
    await world.settle()
    assert await left_s(world) == pytest.approx(WEEK_S, abs=3)
    await world.settle()
    assert {each.event for each in world.app.received} == {"connect", "terminate"}  # no webhook of its own


async def test_a_connected_call_of_the_consumer(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    await world.advance(1000)
    assert not await is_held(world)
    await world.app.call("terminate", call_id=call_id)
    assert await left_s(world) == pytest.approx(WEEK_S, abs=3)


async def test_a_connected_call_of_the_business(world: World) -> None:
    device = await world.device()
    await world.grant(60)
    call_id = await connect(world)
    await device.expect("call.incoming", call_id=call_id)
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.up(call_id)
    await world.advance(100)
    assert not await is_held(world)  # the call outlives it
    assert (await world.app.call("terminate", call_id=call_id))["success"]
    assert await left_s(world) == pytest.approx(WEEK_S, abs=3)


async def test_a_call_of_the_business_that_nobody_took_grants_nothing(world: World) -> None:
    device = await world.device()
    await world.grant(1000)
    call_id = await connect(world)
    await device.expect("call.incoming", call_id=call_id)
    await device.request("call.decline", call_id=call_id)
    assert await left_s(world) == pytest.approx(1000, abs=3)


# --- how long ---------------------------------------------------------------------------------------------------------


async def test_no_grant_shortens(world: World) -> None:
    device = await world.device()
    await say(world, device)
    request_id = await ask(world)
    await world.grant(30 * DAY_S)
    result = await answer(device, request_id)
    assert result["expiration_timestamp"] == pytest.approx(world.server.clock.now() + 30 * DAY_S, abs=3)
    await world.grant(60)
    call_id = await world.start_call(device)
    await device.request("call.hangup", call_id=call_id)
    assert await left_s(world) == pytest.approx(30 * DAY_S, abs=3)


async def test_it_ends_after_seven_days(world: World) -> None:
    device = await world.device()
    await say(world, device)
    await answer(device, await ask(world))
    await world.advance(WEEK_S - 60)
    assert await is_held(world)
    await world.advance(60)
    assert not await is_held(world)
    assert await refused(connect(world)) == (10, 9902001)


async def test_the_consumer_takes_it_back(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    await world.grant()
    assert await device.request("permission.revoke", page_id=world.page_id) == {}
    assert not await is_held(world)
    assert await refused(device.request("permission.revoke", page_id="404")) == (100, 9905011)
    assert (await world.app.call("terminate", call_id=call_id))["success"]  # a call goes on
    assert await is_held(world)  # and what it earns is a new grant
    await device.request("permission.revoke", page_id=world.page_id)
    assert await refused(connect(world)) == (10, 9902001)


async def test_the_operator_takes_it_back(world: World) -> None:
    path, who = "/_pagecalls/permissions", {"psid": world.psid, "page_id": world.page_id}
    await world.grant()
    assert (await world.admin("DELETE", path, who))["was_there"] is True
    assert not await is_held(world)
    await world.grant()
    assert (await world.admin("POST", path, {**who, "ttl_s": 0}))["success"] is True
    assert not await is_held(world)
    assert (await world.admin("DELETE", path, who))["was_there"] is False


# --- over a restart ---------------------------------------------------------------------------------------------------


async def test_requests_and_permissions_outlive_the_server(tmp_path: Path, app: BusinessApp) -> None:
    clock = SystemClock()
    engine = FakeEngine(clock)
    async with a_world(tmp_path / "data", app, clock, engine) as world:
        device = await world.device()
        await say(world, device)
        first, second = await ask(world), await ask(world)
    async with a_world(tmp_path / "data", app, clock, engine) as world:
        device = await world.device()
        assert [each["request_id"] for each in await seen(device, "permission.request")] == [second]
        assert await refused(answer(device, first)) == (100, 9902007)
        assert await refused(ask(world)) == (613, 9902003)
        await answer(device, second)
    async with a_world(tmp_path / "data", app, clock, engine) as world:
        assert await is_held(world)
        assert await seen(await world.device(), "permission.request") == []
