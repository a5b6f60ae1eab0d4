"""The ledger finds what it is there to find."""

from __future__ import annotations

import asyncio

import pytest

from tests.resilience.ledger import Ledger


async def told(ledger: Ledger, event: str, octets: bytes = b"", **members: object) -> None:
    await ledger.told({"id": "c", "event": event, **members}, octets or event.encode(), 1.0)


async def ended(ledger: Ledger) -> None:
    await told(ledger, "terminate", status="Completed")


async def status(ledger: Ledger, what: str) -> None:
    await told(ledger, "call_status", call_status=what)


async def media(ledger: Ledger, version: int, octets: bytes = b"") -> None:
    await told(ledger, "media_update", octets, session={"version": version})


async def test_a_call_that_was_told_as_it_should_has_no_fault() -> None:
    ledger = Ledger()
    ledger.started("c")
    await told(ledger, "connect")
    ledger.accepted("c")
    ledger.hung_up("c")
    await told(ledger, "terminate", status="Completed")
    await told(ledger, "terminate", status="Completed")
    assert ledger.faults(set()) == []
    assert ledger.repeated == 1
    assert ledger.close_books() == 1


async def test_an_end_that_was_never_told() -> None:
    ledger = Ledger()
    ledger.started("c")
    await told(ledger, "connect")
    assert "never told" in ledger.faults(set())[0]
    assert ledger.faults({"c"}) == []
    with pytest.raises(TimeoutError, match="no terminate"):
        await ledger.all_ended(set(), 0.01)


async def test_a_lost_connect() -> None:
    ledger = Ledger()
    ledger.accepted("c")
    await told(ledger, "terminate", status="Completed")
    assert "connect never came" in ledger.faults(set())[0]


async def test_an_end_before_the_beginning() -> None:
    ledger = Ledger()
    await told(ledger, "terminate", status="Completed")
    await told(ledger, "connect")
    assert "no connect" in ledger.faults(set())[0]


async def test_what_is_told_again_in_other_octets() -> None:
    for event in ("connect", "terminate", "media_update"):
        ledger = Ledger()
        await told(ledger, "connect")
        await media(ledger, 1)
        await ended(ledger)
        assert ledger.faults(set()) == []
        await told(ledger, event, b"other", status="Completed", session={"version": 1})
        assert "in 2 ways" in ledger.faults(set())[0]


async def test_a_call_that_was_picked_up_has_its_states_and_the_consumers_media() -> None:
    for lost in ("ringing", "accepted", "media", None):
        ledger = Ledger()
        ledger.started("c")
        ledger.picked_up("c")
        await told(ledger, "connect")
        for what in [each for each in ("ringing", "accepted") if each != lost]:
            await status(ledger, what)
        if lost != "media":
            await media(ledger, 1)
        await ended(ledger)
        assert ["only these came" in fault for fault in ledger.faults(set())] == ([] if lost is None else [True])


async def test_a_change_of_media_that_was_acknowledged_and_never_told() -> None:
    ledger = Ledger()
    ledger.accepted("c")
    ledger.changed("c")
    ledger.changed("c")
    await told(ledger, "connect")
    await media(ledger, 1)
    await media(ledger, 1)
    await ended(ledger)
    assert "told 2 times" in ledger.faults(set())[0]


async def test_webhooks_out_of_order() -> None:
    ledger = Ledger()
    await told(ledger, "connect")
    await media(ledger, 2)
    await media(ledger, 1)
    await ended(ledger)
    assert "out of order" in ledger.faults(set())[0]
    late = Ledger()
    await told(late, "connect")
    await ended(late)
    await status(late, "ringing")
    assert "out of order" in late.faults(set())[0]


async def test_a_hang_up_that_failed_is_a_fault_unless_the_engine_was_killed() -> None:
    for is_excused in (False, True):
        ledger = Ledger()
        ledger.hung_up("c")
        if is_excused:
            ledger.excuse_open()
        await told(ledger, "connect")
        await told(ledger, "terminate", status="Failed")
        assert bool(ledger.faults(set())) is not is_excused


async def test_waiting_ends_when_the_webhook_comes() -> None:
    ledger = Ledger()
    waiting = asyncio.create_task(ledger.expect("c", "connect", 5.0))
    await asyncio.sleep(0)
    await told(ledger, "connect")
    assert await waiting == 1.0
