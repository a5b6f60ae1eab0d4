"""The delivery log of a whole server: every webhook is in it, can be sent once more, and receivers that fail are told of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.media.fake import FakeEngine
from pagecalls.store.base import FailingReceiver
from pagecalls.types import AppId
from pagecalls.webhooks import signing

from .conftest import AIORTC, World, a_world, offered

DAY_S = 24 * 3600.0


async def rejected_call(world: World) -> str:
    device = await world.device()
    call_id = await world.start_call(device)
    await world.settle()
    await world.app.call("reject", call_id=call_id)
    await world.settle()
    await device.close()
    return call_id


async def log(world: World, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.admin("GET", f"/_pagecalls/deliveries{query}"))["data"]
    return found


async def alerts(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.admin("GET", "/_pagecalls/alerts"))["data"]
    return found


async def metrics(world: World) -> list[str]:
    headers = {"Authorization": f"Bearer {world.server.dev.admin_token}"}
    async with world.http.get(world.base_url + "/metrics", headers=headers) as response:
        return (await response.text()).splitlines()


async def journal(world: World) -> list[str]:
    entries = (await world.admin("GET", "/_pagecalls/journal"))["entries"]
    return [entry["kind"] for entry in entries if entry["kind"] in ("webhook_alert", "webhook_recovered", "webhook_disabled")]


async def subscribe(world: World) -> None:
    dev = world.server.dev
    subscription = {
        "object": "page",
        "callback_url": world.app.url,
        "verify_token": dev.verify_token,
        "fields": "calls",
        "access_token": f"{dev.app.id}|{dev.app.secret}",
    }
    await world.app.post(f"/v26.0/{dev.app.id}/subscriptions", subscription)
    await world.settle()


async def is_active(world: World) -> bool:
    dev = world.server.dev
    token = f"{dev.app.id}|{dev.app.secret}"
    url = f"{world.base_url}/v26.0/{dev.app.id}/subscriptions"
    async with world.http.get(url, params={"access_token": token}) as response:
        answer = await response.json()
    return bool(next(each["active"] for each in answer["data"] if each["object"] == "page"))


async def test_every_webhook_of_a_call_is_in_the_log(world: World) -> None:
    call_id = await rejected_call(world)
    found = await log(world, f"?call_id={call_id}")
    assert [(each["kind"], each["state"], each["attempts"]) for each in found] == [
        ("terminate", "delivered", 1),
        ("connect", "delivered", 1),
    ]
    one = await world.admin("GET", f"/_pagecalls/deliveries/{found[1]['id']}")
    (received, _) = [each for each in world.app.received if each.item["id"] == call_id]
    assert one["body"].encode() == received.raw
    assert signing.verify(world.server.dev.app.secret, received.raw, one["headers"]["X-Hub-Signature-256"])
    assert (one["log"][0]["attempt"], one["log"][0]["status"]) == (1, 200)


async def test_a_call_is_told_once_more_in_order_with_the_same_bytes(world: World) -> None:
    call_id = await rejected_call(world)
    before = [each.raw for each in world.app.received]
    reply = await world.admin("POST", "/_pagecalls/deliveries/replay", {"call_id": call_id})
    await world.settle()
    assert (len(reply["replayed"]), reply["skipped"], reply["left"]) == (2, [], 0)
    assert [each.raw for each in world.app.received] == before * 2
    assert [each["attempts"] for each in await log(world, f"?call_id={call_id}")] == [2, 2]


async def test_an_offer_that_is_sent_once_more_changes_nothing_of_a_call(world: World) -> None:
    """Its streams have started; a repeat of the first offer neither starts nor stops any."""
    await world.grant()
    device = await world.device()
    made = await world.app.call("connect", to=world.psid, session=offered(AIORTC))
    call_id = made["call_id"]
    await device.expect("call.incoming", call_id=call_id)
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.up(call_id)
    (offer,) = await log(world, f"?call_id={call_id}&kind=media_update")
    before = await world.media(call_id)
    await world.admin("POST", "/_pagecalls/deliveries/replay", {"ids": [offer["id"]]})
    await world.settle()
    assert [each.event for each in world.app.received].count("media_update") == 2
    assert await world.media(call_id) == before


async def test_a_receiver_that_fails_is_told_of_until_it_takes_something(world: World) -> None:
    app_id = world.server.dev.app.id
    gauge = f'pagecalls_webhook_alert{{app="{app_id}",object="page"}} 1.0'
    world.app.status = 500
    await rejected_call(world)
    await world.advance(600)
    assert (await alerts(world), await journal(world)) == ([], [])
    await world.advance(301)
    (alert,) = await alerts(world)
    assert (alert["app_id"], alert["object"], alert["callback_url"], alert["last"]) == (app_id, "page", world.app.url, "500")
    assert alert["disabled_at"] is None
    assert gauge in await metrics(world)
    assert await journal(world) == ["webhook_alert"]
    world.app.status = 200
    await world.advance(3600)
    assert (await alerts(world), await journal(world)) == ([], ["webhook_alert", "webhook_recovered"])
    assert gauge not in await metrics(world)


async def test_a_new_callback_ends_an_alert(world: World) -> None:
    world.app.status = 500
    await rejected_call(world)
    await world.advance(901)
    assert len(await alerts(world)) == 1
    await subscribe(world)
    assert await alerts(world) == []
    assert not [line for line in await metrics(world) if line.startswith("pagecalls_webhook_alert{")]


async def test_after_a_week_of_failure_a_subscription_is_off_until_the_app_subscribes_again(world: World) -> None:
    app_id, now = AppId(world.server.dev.app.id), world.server.clock.now()
    failing = FailingReceiver(app_id, "page", now - 7 * DAY_S, 99, "500", alerted_at=now - 6 * DAY_S)
    await world.server.calls.store.write(lambda tx: tx.put_failing_receiver(failing))
    assert await is_active(world)
    world.app.status = 500
    call_id = await rejected_call(world)
    assert not await is_active(world)
    assert (await alerts(world))[0]["disabled_at"] is not None
    assert await journal(world) == ["webhook_disabled"]
    await world.advance(60)
    (connect,) = await log(world, f"?call_id={call_id}")
    assert connect["state"] == "dropped"
    world.app.status = 200
    await subscribe(world)
    assert (await is_active(world), await alerts(world)) == (True, [])
    assert [each["kind"] for each in await log(world, f"?call_id={await rejected_call(world)}")] == ["terminate", "connect"]


async def test_what_was_found_out_about_a_receiver_survives_a_restart(tmp_path: Path, app: BusinessApp) -> None:
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        app.status = 500
        await rejected_call(world)
        await world.advance(901)
        assert len(await alerts(world)) == 1
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        await world.settle()
        assert len(await alerts(world)) == 1
        assert await journal(world) == []
        assert [line for line in await metrics(world) if line.startswith("pagecalls_webhook_alert{")]


async def test_a_start_with_a_callback_switches_its_subscription_on_again(tmp_path: Path, app: BusinessApp) -> None:
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        app_id, now = AppId(world.server.dev.app.id), clock.now()
        failing = FailingReceiver(app_id, "page", now - 7 * DAY_S, 99, "500", alerted_at=now - 6 * DAY_S)
        await world.server.calls.store.write(lambda tx: tx.put_failing_receiver(failing))
        app.status = 500
        await rejected_call(world)
        assert not await is_active(world)
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        await world.settle()
        assert (await is_active(world), await alerts(world)) == (True, [])


async def test_a_callback_is_tried_out(world: World) -> None:
    dev = world.server.dev
    reply = await world.admin("POST", "/_pagecalls/deliveries/test", {"app_id": dev.app.id})
    assert reply["verification"]["success"], reply
    assert (reply["event"]["success"], reply["event"]["status"]) == (True, 200)
    body = reply["event"]["body"].encode()
    assert signing.verify(dev.app.secret, body, reply["event"]["headers"]["X-Hub-Signature-256"])
    assert json.loads(body)["entry"][0]["calls"][0]["event"] == "terminate"
    assert await log(world) == []


async def test_slashes_are_escaped_on_demand(tmp_path: Path, app: BusinessApp) -> None:
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock), escape_slashes=True) as world:
        await world.grant()
        device = await world.device()
        made = await world.app.call("connect", to=world.psid, session=offered(AIORTC))
        await device.expect("call.incoming", call_id=made["call_id"])
        await device.request("call.accept", call_id=made["call_id"], session=offered(AIORTC))
        offer = await world.app.expect("media_update", made["call_id"])
        assert b"opus\\/48000" in offer.raw
        assert not set(b"<%@") & set(offer.raw)
        assert b"/" not in offer.raw.replace(b"\\/", b"")
        assert "opus/48000" in offer.item["session"]["sdp_renegotiation"]["sdp"]
