"""The ledger finds what it is there to find."""

from __future__ import annotations

import asyncio

import pytest

from tests.resilience.ledger import Ledger


async def told(ledger: Ledger, event: str, octets: bytes = b"", **members: str) -> None:
    await ledger.told({"id": "c", "event": event, **members}, octets or event.encode(), 1.0)


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


async def test_two_different_ends() -> None:
    ledger = Ledger()
    await told(ledger, "connect")
    await told(ledger, "terminate", b"one", status="Completed")
    await told(ledger, "terminate", b"two", status="Completed")
    assert "two ways" in ledger.faults(set())[0]


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
