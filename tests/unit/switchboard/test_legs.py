"""What the engine is asked for, and what becomes of its refusals."""

from __future__ import annotations

import random

import pytest

from pagecalls.clock import SteppedClock
from pagecalls.media.fake import FakeEngine
from pagecalls.media.protocol import LegApply
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.legs import Legs
from pagecalls.types import CallId, Side
from tests.unit.switchboard.test_media import call, leg


@pytest.mark.parametrize(("code", "is_lost"), [("bad_state", False), ("unknown_leg", True), ("gone", True)])
async def test_a_refusal_ends_the_call_or_stands_in_the_journal(code: str, is_lost: bool) -> None:
    """An engine that is another one by now cannot carry the call; one that refuses a state of it is a fault of ours."""
    clock = SteppedClock(100.0)
    engine, journal, lost = FakeEngine(clock), Journal(clock), list[CallId]()
    legs = Legs(engine, clock, Ids(random.Random(1)), journal)
    legs.on_lost = lost.append
    media = call(leg("b", "chrome-156-audio-offer.sdp"), leg("k", "chrome-156-audio-offer.sdp"))
    engine.refuse_next(LegApply, code)
    await legs.apply(CallId("call"), media, Side.BUSINESS)
    found = [(entry["kind"], entry["facts"]) for entry in await journal.after(0, 0)]
    why = {"code": code, "why": "the test asked for this"}
    assert (found, lost) == (([], [CallId("call")]) if is_lost else ([("engine_refused", why)], []))
