"""Two apps want the same call: whatever the timing, one of them has it (messenger-calling 3.3)."""

from __future__ import annotations

import asyncio
import random

from pagecalls.demo.business import BusinessApp, GraphRefused
from pagecalls.demo.device import ConsumerDevice
from tests.scenarios.conftest import AIORTC, CHROMIUM, World, offered

RACES = 1_000
LANES = 4
"""Consumers who call at the same time, so that the races of different calls run into each other too."""
LONGEST_LEAD = 12
"""Turns of the event loop that one app may be ahead: up to where its accept is done before the other's arrives."""

TAKEN = (403, 2018394, 9901202)
NOT_OWNER = (403, 2018394, 9901201)


async def test_a_thousand_accept_races_have_one_winner_each(world: World) -> None:
    apps = (world.app, await world.second_app())
    devices = [await world.device()]
    for number in range(1, LANES):
        session = await world.session(psid=f"5000000000000{number:03}")
        devices.append(await world.device(session["access_token"]))
    lanes = (_lane(world, apps, device, random.Random(number)) for number, device in enumerate(devices))
    wins = [winner for lane in await asyncio.gather(*lanes) for winner in lane]
    assert len(wins) == RACES
    # Each app wins some: else this would not have been a race.
    assert 0 < sum(wins) < RACES
    assert await world.is_clean()


async def _lane(world: World, apps: tuple[BusinessApp, BusinessApp], device: ConsumerDevice, chance: random.Random) -> list[int]:
    return [await _race(world, apps, device, chance) for _ in range(RACES // LANES)]


async def _race(world: World, apps: tuple[BusinessApp, BusinessApp], device: ConsumerDevice, chance: random.Random) -> int:
    """One call, accepted by both apps, ended by the winner; returns which that was."""
    call_id = await world.start_call(device)
    lead = chance.randint(-LONGEST_LEAD, LONGEST_LEAD)
    offers = [chance.choice((AIORTC, CHROMIUM)) for _ in apps]
    tries = (_accept(app, call_id, sdp, wait) for app, sdp, wait in zip(apps, offers, (max(lead, 0), max(-lead, 0)), strict=True))
    first, second = await asyncio.gather(*tries)
    assert (first is None) != (second is None), (first, second)
    winner = 0 if first is None else 1
    assert (first or second) == TAKEN
    media = await world.media(call_id)
    assert {leg.id for leg in (media.business, media.consumer) if leg is not None} == await _legs(world, call_id)
    assert await _terminate(apps[1 - winner], call_id) == NOT_OWNER
    assert await _terminate(apps[winner], call_id) is None
    return winner


async def _legs(world: World, call_id: str) -> set[str]:
    """The legs that the engine has of a call: two, whoever won."""
    legs = {leg.leg for leg in (await world.engine.snapshot(call_id)).legs}
    assert len(legs) == 2
    return legs


async def _accept(app: BusinessApp, call_id: str, sdp: str, turns: int) -> tuple[int, int, int] | None:
    for _ in range(turns):
        await asyncio.sleep(0)
    return await _outcome(app, "accept", call_id=call_id, session=offered(sdp))


async def _terminate(app: BusinessApp, call_id: str) -> tuple[int, int, int] | None:
    return await _outcome(app, "terminate", call_id=call_id)


async def _outcome(app: BusinessApp, action: str, **members: object) -> tuple[int, int, int] | None:
    """`None` if it was done, else status, code and subcode."""
    try:
        await app.call(action, **members)
    except GraphRefused as refused:
        return refused.status, refused.error["code"], refused.error["error_subcode"]
    return None
