"""Both sides change their media at once: the worked example of messenger-calling 4.4 in both lock orders, and its neighbours."""

from __future__ import annotations

import asyncio

import pytest

from pagecalls.demo.business import GraphRefused
from pagecalls.demo.device import DeviceRefused
from pagecalls.sdp.description import parse
from pagecalls.types import Side
from tests.scenarios.conftest import World
from tests.scenarios.talk import Talk, sections, text, track


def codes(refused: pytest.ExceptionInfo[GraphRefused]) -> tuple[int, int, int | None]:
    return refused.value.status, refused.value.error["code"], refused.value.error.get("error_subcode")


async def test_the_consumer_takes_the_lock_first(world: World) -> None:
    talk = await Talk.begun(world)
    talk.consumer.peer.add("video")
    await talk.device_offers()  # V = 1; the webhook is on its way, and the business does not look at it yet
    before = talk.business.peer.offer()
    camera = talk.business.peer.add("video")
    crossed = talk.business.peer.offer()
    engine_before = list(world.engine.history)
    answer = await talk.business_asks(
        session=text(crossed), tracks=[track(camera, "default_video")], from_version=0, to_version=1
    )
    assert answer == {"success": False, "call_id": talk.call_id, "version": 1}
    assert world.engine.history == engine_before, "nothing is applied"
    assert "call.media_update" not in await talk.told()
    # It rolls back, applies webhook 1 and tries again.
    talk.business.peer.transceivers.pop()
    talk.business.peer.used_mids.discard("2")
    assert talk.business.peer.offer() == before
    talk.business.take(await talk.webhook(1))
    camera = talk.business.peer.add("video")
    answer = await talk.business_offers(track(camera, "default_video"))
    assert (answer["session"]["version"], "sdp_renegotiation" in answer["session"]) == (2, False)
    assert [label["label"] for label in (await talk.notice(3))["tracks"]] == ["default_audio", "default_video"]
    await talk.device_asks(tracks=[track(talk.consumer.peer.transceivers[0].track, "default_audio", "disabled")])
    assert (await talk.webhook(3))["version"] == 3
    assert [each["version"] for each in await talk.noted("collision")] == [1]


async def test_the_business_takes_the_lock_first(world: World) -> None:
    talk = await Talk.begun(world)
    camera = talk.business.peer.add("video")
    answer = await talk.business_offers(track(camera, "default_video"), from_version=0, to_version=1)
    assert answer["session"]["version"] == 1
    talk.consumer.take((await talk.notice(2))["session"])
    talk.consumer.peer.add("video")
    await talk.device_offers()
    offer = talk.business.take(await talk.webhook(2))
    assert [each[:2] for each in sections(offer)] == [("0", "audio"), ("1", "audio"), ("2", "video"), ("3", "video")]
    assert talk.business.version == 2


@pytest.mark.parametrize("lead", range(-6, 7, 2))
async def test_at_the_same_moment_one_of_the_two_orders_happens(world: World, lead: int) -> None:
    """Whoever has the lock first: the loser is told so, handles what is on its way, and gets through the next time."""
    talk = await Talk.begun(world)
    talk.business.peer.add("video")
    talk.consumer.peer.add("video")

    async def after(turns: int, what: asyncio.Future[dict[str, object]] | object) -> object:
        for _ in range(max(0, turns)):
            await asyncio.sleep(0)
        return await what  # type: ignore[misc]

    by_business, by_device = await asyncio.gather(
        after(lead, talk.business_asks(session=text(talk.business.peer.offer()), **talk.business.next())),
        after(-lead, talk.device_asks(session=text(talk.consumer.peer.offer()), **talk.consumer.next())),
    )
    won = {Side.BUSINESS: by_business["success"], Side.CONSUMER: by_device["success"]}  # type: ignore[index]
    assert sorted(won.values()) == [False, True]
    call = await world.server.calls.load(talk.call_id)  # type: ignore[arg-type]
    assert call is not None
    # The loser's own counter moved by the winner's offer alone, the winner's by its update alone.
    assert (call.call.business.current, call.call.consumer.current) == (1, 2)


async def test_a_device_that_comes_too_late_is_told_the_same_way(world: World) -> None:
    talk = await Talk.begun(world)
    talk.business.peer.add("video")
    await talk.business_offers()
    talk.consumer.peer.add("video")
    crossed = talk.consumer.peer.offer()
    result = await talk.device_asks(session=text(crossed), **talk.consumer.next())
    assert result == {"success": False, "call_id": talk.call_id, "version": 2}
    assert world.app.events(talk.call_id) == ["connect"]


async def test_a_lost_reply_is_given_again_whatever_happened_since(world: World) -> None:
    talk = await Talk.begun(world)
    talk.business.peer.add("video")
    session = text(talk.business.peer.offer())
    first = await talk.business_asks(session=session, from_version=0, to_version=1)
    commands = len(world.engine.history)
    assert await talk.business_asks(session=session, from_version="0", to_version="1") == first
    talk.consumer.peer.add("video")
    await talk.device_asks(session=text(talk.consumer.peer.offer()))
    assert await talk.business_asks(session=session, from_version=0, to_version=1) == first
    assert (await talk.told()).count("call.media_update") == 1
    assert len(world.engine.history) > commands
    other = await talk.business_asks(session=session, tracks=[track("track2", "screen_video")], from_version=0, to_version=1)
    assert (other["success"], other["version"]) == (False, 2)


async def test_a_lost_reply_with_a_folded_offer_is_given_again_whole(world: World) -> None:
    talk = await Talk.begun(world, applies=False)
    talk.business.peer.add("video")
    session = text(talk.business.peer.offer())
    first = await talk.business_asks(session=session, from_version=0, to_version=1)
    assert first["session"]["version"] == 2
    assert await talk.business_asks(session=session, from_version=0, to_version=1) == first


@pytest.mark.parametrize("base", [1, 2])
async def test_a_client_that_counted_its_first_offers_is_followed(world: World, base: int) -> None:
    talk = await Talk.begun(world)
    talk.business.version = base
    talk.business.peer.add("video")
    answer = await talk.business_offers()
    assert answer["session"]["version"] == base + 1
    talk.consumer.peer.add("video")
    await talk.device_offers(from_version=2, to_version=3)
    assert (await talk.webhook(base + 2))["version"] == base + 2


@pytest.mark.parametrize(("asked_from", "asked_to"), [(0, 2), (0, 0), (3, 4), (1, 0)])
async def test_numbers_that_cannot_be(world: World, asked_from: int, asked_to: int) -> None:
    talk = await Talk.begun(world)
    with pytest.raises(GraphRefused) as refused:
        await talk.business_asks(tracks=[], from_version=asked_from, to_version=asked_to)
    assert codes(refused) == (400, 100, 9901208)
    assert refused.value.error["error_data"] == {"current_version": 0}
    with pytest.raises(DeviceRefused) as device:
        await talk.device_asks(tracks=[], from_version=asked_from + 1, to_version=asked_to + 1)
    assert device.value.data["error_subcode"] == 9901208


async def test_numbers_may_be_left_out(world: World) -> None:
    talk = await Talk.begun(world)
    for version in (1, 2):
        assert (await talk.business_asks(tracks=[]))["version"] == version
        assert (await talk.device_asks(tracks=[]))["version"] == version + 1


async def test_a_webhook_that_was_missed_is_in_the_next_one(world: World) -> None:
    """Every offer of ours is complete: a business that sees only version 2 is at 2."""
    talk = await Talk.begun(world)
    talk.consumer.peer.add("video")
    await talk.device_offers()
    talk.consumer.peer.add("video")
    await talk.device_offers()
    offer = talk.business.take(await talk.webhook(2))
    assert [each[1:] for each in sections(offer)[2:]] == [("video", "sendonly"), ("video", "sendonly")]
    talk.business.peer.add("audio")
    answer = await talk.business_offers()
    assert answer["session"]["version"] == 3
    assert len(parse(answer["sdp"]).media) == 4
