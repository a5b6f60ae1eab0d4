"""A server that starts finds calls in its store and calls in the engine: which of them go on (ruling 14).

The engine's snapshot is the truth about media, the store is the truth about everything else.

- A stored live call that has all its legs in the engine goes on. What happened to it while no server ran is read from the
  snapshot and told as the events that would have come: a leg is up, a leg said goodbye, a copy was seen to arrive.
- A stored live call that misses a leg has failed.
- What the engine has and no stored live call owns is closed: its call ended, or was never stored.

Sockets do not outlive a server, so every device is away, with the 30 s to come back that a lost socket gives. What the earlier
run had only in memory follows from what is stored: deadlines from the call, a pending hand-over from its outbox.

A server may be killed at any point of this and the next one starts again: each step is a fact applied to what is stored by then,
and facts that are known already change nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pagecalls.call.events import DeviceLost, Event, LegBye, LegUp, MediaLost
from pagecalls.media.protocol import EngineError, LegStats, SnapshotOk, Timers
from pagecalls.store.base import WebhookKind
from pagecalls.switchboard.calls import Calls, Live, decoded
from pagecalls.switchboard.media import Leg
from pagecalls.switchboard.media_events import MediaEvents
from pagecalls.types import CallId, LegId, Side

log = logging.getLogger("pagecalls.switchboard")

AT_ONCE = 64
"""Calls that are taken over at the same time: enough to share the store's flushes."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of the calls that were found."""

    kept: int
    failed: int
    closed: int
    """Calls of the engine that nobody owns."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the engine has."""

    calls: frozenset[CallId] = frozenset()
    legs: dict[LegId, LegStats] = field(default_factory=dict)
    accepted: frozenset[tuple[LegId, int]] = frozenset()

    @classmethod
    def of(cls, snapshot: SnapshotOk) -> Found:
        """The snapshot by names."""
        return cls(
            frozenset(CallId(call) for call in snapshot.calls),
            {LegId(leg.leg): leg for leg in snapshot.legs},
            frozenset((LegId(output.leg), output.ssrc) for output in snapshot.accepted),
        )

    def has_all_of(self, live: Live) -> bool:
        """Whether the call can go on: it has a leg, and each of its legs is there."""
        legs = _legs(live)
        return bool(legs) and live.call.id in self.calls and all(leg.id in self.legs for _, leg in legs)


async def adopt(calls: Calls, media_events: MediaEvents) -> Adopted:
    """Join what is stored with what the engine has. Before the doors open, timers run and events are read."""
    found = await _look(calls)
    lives = [decoded(record) for record in await calls.store.read(lambda tx: tx.live_calls())]
    for live in lives:
        calls.take_in(live)
    kept = [live for live in lives if found.has_all_of(live)]
    lost = [live for live in lives if not found.has_all_of(live)]
    stray = found.calls - {live.call.id for live in lives}
    await _some_at_once(_fail(calls, live.call.id) for live in lost)
    await _some_at_once(_close(calls, call_id) for call_id in sorted(stray))
    await _some_at_once(_go_on(calls, media_events, live, found) for live in kept)
    adopted = Adopted(len(kept), len(lost), len(stray))
    if lives or stray:
        log.warning("calls of an earlier run: %d go on, %d have failed, %d were not ours any more", *_counts(adopted))
        calls.journal.note("adopted", None, kept=adopted.kept, failed=adopted.failed, closed=adopted.closed)
    return adopted


async def _look(calls: Calls) -> Found:
    try:
        return Found.of(await calls.engine.snapshot())
    except EngineError as error:
        # Lost between its start and now: its loss is told as an event, and no call can go on.
        log.warning("the engine's calls cannot be read: %s", error)
        return Found()


async def _fail(calls: Calls, call_id: CallId) -> None:
    await calls.happened(call_id, MediaLost())


async def _close(calls: Calls, call_id: CallId) -> None:
    try:
        await calls.engine.call_close(call_id)
    except EngineError as error:
        log.debug("call %s was gone already: %s", call_id, error)


async def _go_on(calls: Calls, media_events: MediaEvents, live: Live, found: Found) -> None:
    """One call: first the engine is brought to what is stored, then the call learns what it missed."""
    ours = {leg.id for _, leg in _legs(live)}
    for leg_id in [leg.leg for leg in found.legs.values() if leg.call == live.call.id and leg.leg not in ours]:
        await calls.legs.close(LegId(leg_id))
    for _, leg in _legs(live):
        calls.legs.told_figures(found.legs[leg.id])
    behind = [side for side, leg in _legs(live) if found.legs[leg.id].rev < leg.rev]
    # The engine ignores a routing table that it has already.
    await calls.legs.apply(live.call.id, live.media, *behind, routes=live.media.route_rev > 0)
    for event in _missed(live, found):
        await calls.happened(live.call.id, event)
    for side, leg in _legs(live):
        await _take_up_offers(calls, media_events, live.call.id, side, leg, found)


def _missed(live: Live, found: Found) -> Iterator[Event]:
    """What the call has to learn. Devices first: whose leg is gone too has left."""
    devices = live.call.ringing | ({live.call.device} if live.call.device is not None else frozenset())
    yield from (DeviceLost(device) for device in sorted(devices))
    for side, leg in _legs(live):
        stats = found.legs[leg.id]
        if stats.profile is not None:
            yield LegUp(side)
        if _has_said_goodbye(stats):
            yield LegBye(side)


def _has_said_goodbye(leg: LegStats) -> bool:
    """close_notify came, and T_bye has passed since: the event for it may have come while nobody listened."""
    bye_ms = Timers().bye_ms
    return leg.dtls == "closed" and leg.silent_ms is not None and bye_ms is not None and leg.silent_ms >= bye_ms


async def _take_up_offers(calls: Calls, media_events: MediaEvents, call_id: CallId, side: Side, leg: Leg, found: Found) -> None:
    """Signs that came, signs that are missing, and the last offer (messenger-calling 6.6); a device gets that when it is back."""
    heard = frozenset(shown.ssrc for shown in leg.shown if (leg.id, shown.ssrc) in found.accepted)
    if not heard <= {shown.ssrc for shown in leg.shown if shown.is_confirmed}:
        await calls.hand_overs.confirmed(call_id, side, heard)
    elif leg.unconfirmed():
        calls.hand_overs.await_sign(call_id, side)
    if side is Side.BUSINESS and leg.is_owed:
        # Its response is out or lost, or its webhook was tried. One that still waits counts from its first attempt.
        is_waiting = await calls.store.read(lambda tx: tx.is_untried(call_id, WebhookKind.MEDIA_UPDATE))
        if not is_waiting:
            media_events.hand_over_soon(call_id, leg.offered)


def _legs(live: Live) -> list[tuple[Side, Leg]]:
    return [(side, leg) for side in Side if (leg := live.media.leg(side)) is not None]


def _counts(adopted: Adopted) -> tuple[int, int, int]:
    return adopted.kept, adopted.failed, adopted.closed


async def _some_at_once(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of it, `AT_ONCE` at a time. One call's fault is no other's."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(each: Coroutine[Any, Any, None]) -> None:
        async with limit:
            try:
                await each
            except Exception:
                log.exception("a call of an earlier run could not be taken over")

    await asyncio.gather(*(one(each) for each in work))
