"""Calls that one side holds and takes up again, as its offers say it (messenger-calling 6.5; decision 42)."""

from __future__ import annotations

from typing import Any

import pytest

from pagecalls.sdp.description import parse
from pagecalls.types import Side

from .conftest import World
from .talk import Talk, text


@pytest.mark.parametrize("sends", [True, False], ids=["sendonly", "inactive"])
@pytest.mark.parametrize("applies", [True, False], ids=["applies", "never-applies"])
@pytest.mark.parametrize("side", list(Side))
async def test_a_call_that_is_held_and_resumed(world: World, side: Side, applies: bool, sends: bool) -> None:
    """The engine takes every state of it, those of later updates and of an ICE restart too."""
    talk = await Talk.begun(world, applies=applies or side is Side.CONSUMER)
    end, asks = (talk.business, talk.business_asks) if side is Side.BUSINESS else (talk.consumer, talk.device_asks)
    if not applies:
        end.peer.transceivers = end.peer.transceivers[:1]

    async def offers() -> Any:
        session = (await asks(session=text(end.peer.offer()), **end.next()))["session"]
        end.apply_answer(session)
        if "sdp_renegotiation" in session:
            if applies:
                end.take(session)
            await world.settle()
        end.version = session["version"]
        return session

    names = {each.mid: each.track for each in end.peer.transceivers}
    for _ in range(2):
        for each in end.peer.transceivers:
            each.receives, each.track = False, each.track if sends else ""
        held = await offers()
        assert not any(each.direction.sends for each in parse(held["sdp_response"]["sdp"]).media)
        for each in end.peer.transceivers:
            each.receives, each.track = True, names[each.mid]
        await offers()
        mids = {mid for _, mid in await talk.outputs(side, "default_audio")}
        assert mids & {each.mid for each in end.peer.transceivers}, "it hears nothing"
        assert await talk.routes(side.other) == {"default_audio": True}
    await offers()
    end.peer.restart_ice("freshufrag")
    await offers()
    leg = world.engine.legs[(await talk.leg(side)).id]
    assert leg.applied is not None
    assert leg.applied.remote is not None
    assert leg.applied.remote.ufrag == "freshufrag"
    assert await world.noted("engine_refused") == []
    assert await world.noted("no_common_codec") == []
