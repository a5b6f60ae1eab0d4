"""A server is killed and started again while its engine goes on: which calls live, and what they have learned (ruling 14)."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from pagecalls.media.protocol import CallClose, LegApply
from pagecalls.store.base import CallRecord
from pagecalls.switchboard.media import NEVER
from pagecalls.types import CallId, LegId, Side

from .conftest import AIORTC, CHROMIUM, World, offered
from .killing import Remains, after_kill
from .talk import Talk


async def leg_of(world: World, call_id: str, side: Side) -> LegId:
    leg = (await world.media(call_id)).leg(side)
    assert leg is not None
    return leg.id


async def state_of(world: World, call_id: str) -> str:
    records = await world.server.calls.store.read(lambda tx: tx.live_calls())
    return next((record.call.state.value for record in records if record.call.id == call_id), "over")


async def noted(world: World, kind: str) -> list[object]:
    """The sides of which the journal says this."""
    return [entry["facts"]["side"] for entry in await world.server.calls.journal.after(0, 0) if entry["kind"] == kind]


async def dialled(world: World) -> str:
    await world.grant()
    return str((await world.app.call("connect", to=world.psid, session=offered(CHROMIUM)))["call_id"])


# --- calls that go on -------------------------------------------------------------------------------------------------


async def test_a_call_goes_on_its_device_comes_back_and_it_ends_as_ever(world: World) -> None:
    call_id = await world.connected(await world.device())
    async with after_kill(world) as again:
        assert (again.engine.calls, len(again.engine.legs)) == ([call_id], 2)
        assert await state_of(again, call_id) == "ACTIVE"
        device = await again.device()
        assert (await device.expect("call.resumed", call_id=call_id)).params["state"] == "ACTIVE"
        assert again.app.events(call_id) == []
        await device.request("call.hangup", call_id=call_id)
        terminate = await again.app.expect("terminate", call_id)
        assert (terminate.item["status"], terminate.item["duration"] >= 1) == ("Completed", True)
        assert await again.is_clean()


async def test_a_call_that_rings_at_the_business_can_be_accepted(world: World) -> None:
    call_id = await world.start_call(await world.device())
    async with after_kill(world) as again:
        await again.app.call("accept", call_id=call_id, session=offered(AIORTC))
        await again.up(call_id)
        assert await state_of(again, call_id) == "ACTIVE"
        assert (await (await again.device()).expect("call.resumed", call_id=call_id)).params["state"] == "ACTIVE"
        await again.app.call("terminate", call_id=call_id)
        assert (await again.app.expect("terminate", call_id)).item["status"] == "Completed"
        assert await again.is_clean()


async def test_another_device_of_the_consumer_still_finds_it_busy(world: World) -> None:
    call_id = await world.connected(await world.device())
    async with after_kill(world) as again:
        other = await again.session(psid=again.psid)
        device = await again.device(other["access_token"])
        await device.request("ping")
        assert device.received == []
        assert await state_of(again, call_id) == "ACTIVE"
        await again.app.call("terminate", call_id=call_id)


# --- time ---------------------------------------------------------------------------------------------------------------


async def test_a_caller_that_does_not_come_back_has_given_up(world: World) -> None:
    call_id = await world.start_call(await world.device())
    async with after_kill(world) as again:
        await again.advance(29)
        assert await state_of(again, call_id) == "RINGING_IN"
        await again.advance(1.1)
        assert (await again.app.expect("terminate", call_id)).item["status"] == "Completed"
        assert await again.is_clean()


async def test_a_caller_that_comes_back_rings_until_its_own_deadline(world: World) -> None:
    call_id = await world.start_call(await world.device())
    await world.advance(20)
    async with after_kill(world) as again:
        device = await again.device()
        assert (await device.expect("call.resumed", call_id=call_id)).params["state"] == "RINGING_IN"
        await again.advance(39)
        assert await state_of(again, call_id) == "RINGING_IN"
        await again.advance(1.1)
        assert (await device.expect("call.ended", call_id=call_id)).params["reason"] == "not_answered"
        assert await again.is_clean()


async def test_a_deadline_that_passed_in_between_is_met_at_once(world: World) -> None:
    call_id = await world.start_call(await world.device())
    async with after_kill(world, lambda left: left.clock.advance(61)) as again:
        assert (await again.app.expect("terminate", call_id)).item["status"] == "Completed"
        assert await again.is_clean()


async def test_a_dialled_call_rings_on_the_device_that_comes(world: World) -> None:
    call_id = await dialled(world)
    async with after_kill(world) as again:
        device = await again.device()
        await device.expect("call.incoming", call_id=call_id)
        await again.app.expect("call_status", call_id)
        await device.request("call.decline", call_id=call_id)
        assert await again.is_clean()


async def test_a_ringing_device_comes_back_and_picks_up(world: World) -> None:
    await world.device()
    call_id = await dialled(world)
    await world.app.expect("call_status", call_id)
    async with after_kill(world) as again:
        device = await again.device()
        assert (await device.expect("call.resumed", call_id=call_id)).params["state"] == "RINGING_OUT"
        await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
        await again.up(call_id)
        assert await state_of(again, call_id) == "ACTIVE"
        await device.request("call.hangup", call_id=call_id)
        assert await again.is_clean()


async def test_ringing_devices_that_stay_away_ring_no_more(world: World) -> None:
    await world.device()
    call_id = await dialled(world)
    await world.app.expect("call_status", call_id)
    async with after_kill(world) as again:
        await again.advance(44)
        assert await state_of(again, call_id) == "RINGING_OUT"
        await again.advance(1.1)
        assert (await again.app.expect("terminate", call_id)).item["status"] == "Completed"
        assert await again.is_clean()


# --- what happened in between --------------------------------------------------------------------------------------------


async def test_legs_that_came_up_in_between_connect_the_call(world: World) -> None:
    call_id = await world.start_call(await world.device())
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    legs = [await leg_of(world, call_id, side) for side in Side]

    def come_up(left: Remains) -> None:
        for leg in legs:
            left.engine.peer_up(leg)

    async with after_kill(world, come_up) as again:
        assert await state_of(again, call_id) == "ACTIVE"
        await again.app.call("terminate", call_id=call_id)
        assert "duration" in (await again.app.expect("terminate", call_id)).item


async def test_legs_that_come_up_while_it_starts_are_told_once(world: World) -> None:
    call_id = await world.start_call(await world.device())
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    legs = {side: await leg_of(world, call_id, side) for side in Side}
    async with after_kill(world, lambda left: left.engine.peer_up(legs[Side.BUSINESS])) as again:
        again.engine.peer_up(legs[Side.CONSUMER])
        await again.settle()
        assert await noted(again, "dtls") == ["consumer"]
        assert await state_of(again, call_id) == "ACTIVE"
        await again.app.call("terminate", call_id=call_id)


async def test_a_leg_that_failed_in_between_fails_the_call(world: World) -> None:
    call_id = await world.connected(await world.device())
    leg = await leg_of(world, call_id, Side.BUSINESS)
    async with after_kill(world, lambda left: left.engine.peer_fails(leg, "dead")) as again:
        assert (await again.app.expect("terminate", call_id)).item["status"] == "Failed"
        assert await again.is_clean()


async def test_a_goodbye_in_between_ends_the_call(world: World) -> None:
    call_id = await world.connected(await world.device())
    leg = await leg_of(world, call_id, Side.BUSINESS)

    def leaves(left: Remains) -> None:
        left.engine.peer_bye(leg)
        left.clock.advance(6)
        left.engine.tick()

    async with after_kill(world, leaves) as again:
        assert (await again.app.expect("terminate", call_id)).item["status"] == "Completed"
        assert await again.is_clean()


async def test_a_goodbye_just_before_is_waited_for(world: World) -> None:
    call_id = await world.connected(await world.device())
    leg = await leg_of(world, call_id, Side.BUSINESS)
    async with after_kill(world, lambda left: left.engine.peer_bye(leg)) as again:
        assert await state_of(again, call_id) == "ACTIVE"
        await again.advance(5.1)
        assert (await again.app.expect("terminate", call_id)).item["status"] == "Completed"


async def test_the_engine_died_too(world: World) -> None:
    call_id = await world.connected(await world.device())

    def dies(left: Remains) -> None:
        left.engine.die()
        left.engine.come_back()

    async with after_kill(world, dies) as again:
        assert (await again.app.expect("terminate", call_id)).item["status"] == "Failed"
        assert await again.is_clean()
        assert await again.start_call(await again.device())


# --- what is stored and what is not --------------------------------------------------------------------------------------


async def test_what_no_stored_call_owns_is_closed(world: World) -> None:
    call_id = await world.connected(await world.device())
    await world.engine.call_create("stray")
    await world.engine.leg_create("stray", "stray-leg")
    await world.engine.leg_create(call_id, "leg that was never stored")
    async with after_kill(world) as again:
        assert again.engine.calls == [call_id]
        assert len(again.engine.legs) == 2
        assert await state_of(again, call_id) == "ACTIVE"
        assert again.app.events(call_id) == []
        await again.app.call("terminate", call_id=call_id)


async def test_what_was_stored_and_never_sent_is_sent(world: World) -> None:
    call_id = await world.connected(await world.device())
    media = await world.media(call_id)

    def lags(left: Remains) -> None:
        for side in Side:
            leg = media.leg(side)
            assert leg is not None
            left.engine.legs[leg.id].applied = None
        left.engine.routes(call_id).clear()
        left.engine._calls[call_id].route_rev = None

    async with after_kill(world, lags) as again:
        await again.settle()
        for side in Side:
            leg = (await again.media(call_id)).leg(side)
            assert leg is not None
            applied = again.engine.legs[leg.id].applied
            assert applied is not None
            assert applied.rev == leg.rev
        assert len(again.engine.routes(call_id)) == 2
        await again.app.call("terminate", call_id=call_id)


async def test_what_is_in_force_is_not_sent_again(world: World) -> None:
    call_id = await world.connected(await world.device())
    async with after_kill(world) as again:
        assert [command for command in again.engine.history if isinstance(command, LegApply | CallClose)] == []
        await again.app.call("terminate", call_id=call_id)


# --- the two copies ------------------------------------------------------------------------------------------------------


async def outputs(world: World, call_id: str, side: Side) -> int:
    await world.settle()
    applied = world.engine.legs[await leg_of(world, call_id, side)].applied
    assert applied is not None
    return len(applied.send[0].outputs)


async def test_an_offer_whose_webhook_was_tried_is_handed_over(world: World) -> None:
    """The wait of 1 s after the first attempt was only in memory; the outbox knows that there was one."""
    device = await world.device()
    call_id = await dialled(world)
    await device.expect("call.incoming", call_id=call_id)
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.app.expect("media_update", call_id)
    await world.settle()
    live = await world.server.calls.load(CallId(call_id))
    assert live is not None
    assert live.media.business is not None
    leg = replace(live.media.business, handed=NEVER)
    record = CallRecord(live.call, msgspec.json.encode(live.media.with_leg(Side.BUSINESS, leg)))
    await world.server.calls.store.write(lambda tx: tx.put_call(record))

    def lags(left: Remains) -> None:
        left.engine.legs[leg.id].applied = None

    async with after_kill(world, lags) as again:
        assert await outputs(again, call_id, Side.BUSINESS) == 1
        await again.advance(1.1)
        assert await outputs(again, call_id, Side.BUSINESS) == 2
        await again.app.call("terminate", call_id=call_id)


async def test_offers_that_still_wait_for_their_webhook_start_with_it(world: World) -> None:
    """Two offers that were never sent: the next server sends both, and their streams start one after the other."""
    talk = await Talk.begun(world)
    await world.settle()
    world.server.calls.hold_webhooks(CallId(talk.call_id))
    for _ in range(2):
        talk.consumer.peer.add("video")
        await talk.device_offers()
    leg = await talk.leg(Side.BUSINESS)
    assert (leg.offered, leg.handed) == (2, 0)
    async with after_kill(world) as again:
        await again.settle()
        await again.advance(1.1)
        assert [each.item["session"]["version"] for each in again.app.received if each.event == "media_update"] == [1, 2]
        applied = again.engine.legs[leg.id].applied
        assert applied is not None
        outputs = {one.track: len(one.outputs) for one in applied.send}
        assert outputs == {"default_audio": 2, "default_video": 1, "screen_video": 1}
        await again.app.call("terminate", call_id=talk.call_id)


async def test_signs_of_several_streams_that_came_in_between_are_learned(world: World) -> None:
    talk = await Talk.begun(world)
    talk.consumer.peer.add("video")
    await talk.device_offers()
    await world.settle()
    leg = await talk.leg(Side.BUSINESS)
    sources = [shown.ssrc for shown in leg.shown]
    assert len(sources) == 2

    def seen(left: Remains) -> None:
        for ssrc in sources:
            left.engine.accepts(leg.id, ssrc)

    async with after_kill(world, seen) as again:
        now = (await again.media(talk.call_id)).business
        assert now is not None
        assert ([shown.is_confirmed for shown in now.shown], now.is_a_on) == ([True, True], False)
        await again.app.call("terminate", call_id=talk.call_id)


async def test_an_update_that_was_stored_and_never_sent_is_made_so(world: World) -> None:
    """The kill came between the commit and the engine's command: a withdrawn stream must not go on."""
    talk = await Talk.begun(world, applies=False)
    await world.settle()
    before = world.engine.legs[(await talk.leg(Side.BUSINESS)).id].applied
    talk.business.peer.add("video")
    await talk.business_offers()
    leg = await talk.leg(Side.BUSINESS)

    def lags(left: Remains) -> None:
        left.engine.legs[leg.id].applied = before

    async with after_kill(world, lags) as again:
        applied = again.engine.legs[leg.id].applied
        assert applied is not None
        assert applied.rev == leg.rev
        await again.app.call("terminate", call_id=talk.call_id)


async def test_a_device_gets_the_offer_that_went_astray(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    await device.close()
    await world.settle()
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    assert await outputs(world, call_id, Side.CONSUMER) == 1
    async with after_kill(world) as again:
        resumed = await (await again.device()).expect("call.resumed", call_id=call_id)
        assert resumed.params["session"]["sdp_renegotiation"]["sdp"]
        assert await outputs(again, call_id, Side.CONSUMER) == 2
        await again.app.call("terminate", call_id=call_id)


async def test_a_copy_that_was_seen_to_arrive_in_between_stops_the_other(world: World) -> None:
    call_id = await world.connected(await world.device())
    leg = (await world.media(call_id)).business
    assert leg is not None
    assert leg.b_line is not None
    ssrc = leg.b_line.far_ssrc
    assert ssrc is not None
    assert await outputs(world, call_id, Side.BUSINESS) == 2
    async with after_kill(world, lambda left: left.engine.accepts(leg.id, ssrc)) as again:
        assert await outputs(again, call_id, Side.BUSINESS) == 1
        await again.app.call("terminate", call_id=call_id)


async def test_a_missing_sign_is_noted_after_a_restart_too(world: World) -> None:
    call_id = await world.connected(await world.device())
    async with after_kill(world) as again:
        await again.advance(10.1)
        assert "business" in await noted(again, "no_sign_of_renegotiation")
        await again.app.call("terminate", call_id=call_id)
