"""Load, apply, save, act: the one path that every change of a call takes.

An event goes through the state machine under the pair's lock. Call, media facts and outbox rows are committed together; only
then the engine, the devices and the timers learn of it. The doors (`business.py`, `consumers.py`), the updates (`updates.py`) and
the media events (`media_events.py`) feed this path; it knows none of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from pagecalls.call import effects as do
from pagecalls.call.events import DeadlinePassed, DeviceLost, DeviceRang, Event, MediaLost, ServerStopping
from pagecalls.call.machine import apply
from pagecalls.call.model import Call
from pagecalls.call.settings import DEFAULT_SETTINGS
from pagecalls.call.states import CallState
from pagecalls.clock import Clock
from pagecalls.errors import CallError, Unavailable
from pagecalls.media.protocol import MediaEngine
from pagecalls.store.base import CallRecord, Page, Store, Transaction
from pagecalls.switchboard.base import Ended, Release, Wakeable
from pagecalls.switchboard.desired import revised
from pagecalls.switchboard.devices import Devices
from pagecalls.switchboard.handover import Change, HandOvers
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.legs import Legs
from pagecalls.switchboard.locks import Locks
from pagecalls.switchboard.media import CallMedia
from pagecalls.switchboard.notices import Notices, Written
from pagecalls.switchboard.offers import Offer, Offers, has_video, make_offers, shown_tracks, unreadable
from pagecalls.switchboard.timers import Timers
from pagecalls.types import CallId, DeviceId, Direction, PageId, Psid, Side

log = logging.getLogger("pagecalls.switchboard")

UPDATE_WAIT_S = 2.0
"""Real seconds that a media update waits for what else is being done to its call (messenger-calling 4.2, 7)."""

AGAIN_S = 1.0
"""A fact that could not be stored is tried again after this, as there is nobody who would ask again."""


@dataclass(frozen=True, slots=True)
class Live:
    """A call as it stands in the store, decoded. `is_video_on`: whether its Page wants pictures, when that was looked up; so it
    must be where a description is to be answered."""

    call: Call
    media: CallMedia
    is_video_on: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """What a committed step left behind. `offers`: the renegotiation offers that it made."""

    live: Live
    effects: tuple[do.Effect, ...]
    offers: Offers = field(default_factory=dict)


class Calls:
    """The heart of the switchboard."""

    def __init__(self, store: Store, engine: MediaEngine, clock: Clock, ids: Ids, journal: Journal, devices: Devices) -> None:
        self.store = store
        self.engine = engine
        self.clock = clock
        self.courier: Wakeable = _Nobody()
        self.ids = ids
        self.journal = journal
        self.devices = devices
        self.notices = Notices(ids)
        self.locks = Locks()
        self.timers = Timers(clock, self._deadline_passed)
        self.legs = Legs(engine, clock, ids, journal)
        self.legs.on_lost = lambda call_id: self.spawn(self.happened(call_id, MediaLost()))
        self.hand_overs = HandOvers(self)
        self._pairs: dict[CallId, tuple[PageId, Psid]] = {}
        """Every live call, in order of creation, and whose it is, which never changes: saves a look-up before the lock."""
        self.default_settings = DEFAULT_SETTINGS
        """Call settings of a Page that never set any (messenger-calling 9.1)."""
        self.update_wait_s = UPDATE_WAIT_S
        self.is_closed = False
        """The server stops: no new calls."""
        self.quiet = asyncio.Event()
        """Set while there is no live call."""
        self.quiet.set()
        self.entered: Counter[CallState] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- reading ------------------------------------------------------------------------------------------------------

    async def load(self, call_id: CallId) -> Live | None:
        """The call as it stands, live or ended."""
        return await self.find(lambda tx: tx.call(call_id))

    async def find(self, pick: Callable[[Transaction], CallRecord | None]) -> Live | None:
        """The call that `pick` finds, with what its Page wants now, in one unit of work."""

        def work(tx: Transaction) -> tuple[CallRecord, bool] | None:
            record = pick(tx)
            return None if record is None else (record, self.is_video_on(tx, record.call.page_id))

        found = await self.store.read(work)
        return decoded(*found) if found is not None else None

    def is_video_on(self, tx: Transaction, page_id: PageId) -> bool:
        """Whether the Page wants pictures (messenger-calling 9.3)."""
        return (tx.call_settings(page_id) or self.default_settings).video_enabled

    async def media_of(self, call_id: CallId) -> CallMedia | None:
        """The media facts of a live call."""
        live = await self.load(call_id)
        return live.media if live is not None and live.call.state.is_live else None

    @asynccontextmanager
    async def locked(self, call_id: CallId, patience_s: float | None = None) -> AsyncIterator[Live | None]:
        """The call as it stands, with its pair's lock held for the length of the block.

        Raises `StillHeld` if the lock cannot be had within `patience_s` real seconds.
        """
        async with self._holding(call_id, patience_s) as is_known:
            yield await self.load(call_id) if is_known else None

    @asynccontextmanager
    async def _holding(self, call_id: CallId, patience_s: float | None = None) -> AsyncIterator[bool]:
        """The lock alone; whether there is such a call."""
        pair = self._pairs.get(call_id) or await self._pair(call_id)
        if pair is None:
            yield False
            return
        async with self.locks.hold(*pair, patience_s):
            yield True

    async def _pair(self, call_id: CallId) -> tuple[PageId, Psid] | None:
        found = await self.load(call_id)
        return (found.call.page_id, found.call.psid) if found is not None else None

    # --- changing -----------------------------------------------------------------------------------------------------

    async def happened(self, call_id: CallId, event: Event) -> None:
        """A fact that nobody waits for: apply it if the call still exists, later if it cannot be stored now."""
        try:
            async with self.locked(call_id) as live:
                if live is not None:
                    await self.step(live, event)
        except Unavailable:
            self.again(lambda: self.happened(call_id, event))

    async def step(self, live: Live, *events: Event) -> Step:
        """Apply `events` and commit what follows, together. The lock is held by the caller. Raises `CallError`, and then nothing
        has changed."""
        now = self.clock.now()
        call = live.call
        effects: tuple[do.Effect, ...] = ()
        for event in events:
            call, more = apply(call, event, now)
            effects += more
        if call == live.call:
            step = Step(live, effects)
            # A deadline that was due is none yet if the clock has been set back since: it must be waited for again.
            self.timers.schedule(call)
            # Nothing to store, and yet somebody may have to hear of it: a device that rang too late.
            await self._act(live, step, None)
            return step
        return await self.commit(live, call, live.media, effects, now)

    async def commit(self, before: Live | None, call: Call, media: CallMedia, effects: tuple[do.Effect, ...], now: float) -> Step:
        """Store the call, its media and its webhooks in one transaction, then act. `before` `None`: the call is new.

        `media`: the facts to go on with; what `effects` ask of them is done here.
        """
        shown, offers = make_offers(media, effects, self.ids)
        asked, media = media, revised(before.media if before is not None else None, shown)
        record = CallRecord(call, msgspec.json.encode(media))

        def work(tx: Transaction) -> tuple[Written, Page | None]:
            tx.put_call(record)
            if before is None and call.direction is Direction.USER_INITIATED:
                tx.note_contact(call.page_id, call.psid, now)
            rows = self.notices.write(tx, call, effects, offers.get(Side.BUSINESS), now)
            for effect in effects:
                if isinstance(effect, do.GrantPermission):
                    old = tx.permission(call.page_id, call.psid)
                    tx.put_permission(call.page_id, call.psid, max(old or 0.0, effect.expires_at))
            return rows, tx.page(call.page_id)

        rows, page = await self.store.write(work)
        if late := self.notices.written(call.id, rows):
            self.spawn(self.release_rows(late))
        self._note_life(call)
        self._note_step(before, call, asked, shown)
        if before is not None:
            self._note_copies(call.id, before.media, media)
        is_video_on = before is None or before.is_video_on
        step = Step(Live(call, media, is_video_on), effects, offers)
        await self._act(before, step, page)
        if rows.ids and not rows.is_held:
            self.courier.wake()
        return step

    async def change_media(self, call_id: CallId, prepare: Callable[[], Change]) -> None:
        """A change of media facts that decides nothing and of which nobody is told: read and written in one unit of work.

        `prepare` is asked for it once the lock is held.
        """
        async with self._holding(call_id) as is_known:
            if is_known:
                await self._change_media(call_id, prepare())

    async def _change_media(self, call_id: CallId, change: Change) -> None:
        def work(tx: Transaction) -> tuple[CallMedia, CallMedia] | None:
            record = tx.call(call_id)
            if record is None or not record.call.state.is_live:
                return None
            live = decoded(record)
            media = revised(live.media, change(live.media))
            if media == live.media:
                return None
            tx.put_call(CallRecord(live.call, msgspec.json.encode(media)))
            return live.media, media

        try:
            changed = await self.store.write(work)
        except Unavailable:
            self.again(lambda: self.change_media(call_id, lambda: change))
            return
        if changed is not None:
            await self.legs.follow(call_id, *changed)
            self._note_copies(call_id, *changed)

    def take_in(self, live: Live) -> None:
        """Enter a call of an earlier run into the books: its pair, its legs, its deadlines."""
        self._note_life(live.call)
        self.legs.take_in(live.call.id, live.media)

    def _note_life(self, call: Call) -> None:
        self.timers.schedule(call)
        if call.state.is_live:
            self._pairs[call.id] = (call.page_id, call.psid)
            self.quiet.clear()
        else:
            self._pairs.pop(call.id, None)
            if not self._pairs:
                self.quiet.set()

    def _note_step(self, before: Live | None, call: Call, asked: CallMedia, media: CallMedia) -> None:
        """For people: a new state, and tracks that a side has no codec for."""
        if before is None or before.call.state is not call.state:
            self.entered[call.state] += 1
            self.journal.note(
                "call",
                call.id,
                page_id=call.page_id,
                state=call.state.value,
                reason=call.end_reason.value if call.end_reason else None,
            )
        if media is not asked:
            for side in Side:
                if labels := unreadable(asked, media, side):
                    self.journal.note("no_common_codec", call.id, side=side.value, tracks=[label.value for label in labels])

    def _note_copies(self, call_id: CallId, before: CallMedia, media: CallMedia) -> None:
        for side in Side:
            leg, old = media.leg(side), before.leg(side)
            if leg is not None and old is not None and (leg.is_a_on, leg.is_b_on) != (old.is_a_on, old.is_b_on):
                self.journal.note("copies", call_id, side=side.value, a=leg.is_a_on, b=leg.is_b_on)

    async def _act(self, before: Live | None, step: Step, page: Page | None) -> None:
        """Media first: what has to stop has stopped before anybody reads of it (messenger-calling 6.6, 8)."""
        call, media = step.live.call, step.live.media
        if call.state.is_live:
            await self.legs.follow(call.id, before.media if before is not None else None, media)
        for effect in step.effects:
            match effect:
                case do.OfferFarTracks(Side.CONSUMER, _, by) if by is not do.Carrier.RESPONSE:
                    self._hand_to_device(step.live, step.offers[Side.CONSUMER])
                case do.TellConnected():
                    line = self.devices.line(call.device)
                    if line is not None and call.connected_at is not None:
                        line.connected(call.id, call.connected_at)
                case do.TellEnded(reason, devices):
                    told = devices or _concerned(before, call)
                    ended = Ended(call.id, reason, reason.is_failure, None if devices else call.duration_s)
                    self.devices.ended(told, ended, self.clock.now())
                case do.CloseMedia():
                    await self.legs.close_call(call.id, media)
                case do.RingDevices():
                    await self._ring(step.live, page)
                case _:
                    pass  # webhooks and permissions are in the transaction; the rest stands in a response, or follows it

    def _hand_to_device(self, live: Live, offer: Offer) -> None:
        line = self.devices.line(live.call.device)
        if line is None:
            return  # it comes with `call.resumed`
        call_id = live.call.id
        released = self.hand_overs.release(call_id, Side.CONSUMER, offer.version)
        if offer.by is do.Carrier.PICK_UP:
            line.accepted(call_id, offer.sdp, offer.version, released)
        else:
            line.media_update(call_id, offer.sdp, offer.version, shown_tracks(live.media, Side.CONSUMER), released)

    async def _ring(self, live: Live, page: Page | None) -> None:
        """All of the consumer's devices, and one write however many they are: the app waits for its answer."""
        rung: list[DeviceId] = []
        for device, line in self.devices.of(live.call.page_id, live.call.psid):
            line.incoming(live.call.id, live.call.page_id, page.name if page else "", has_video(live.media.business))
            rung.append(device.device_id)
        try:
            await self.step(live, *map(DeviceRang, rung))
        except Unavailable:
            # The call is stored and its answer is good: its devices' ringing must not take them back.
            self.again(partial(self._rang, live.call.id, rung))

    async def _rang(self, call_id: CallId, rung: Sequence[DeviceId]) -> None:
        """Devices have been rung, and that could not be stored then. They may be gone by now, or the call taken or over."""
        try:
            async with self.locked(call_id) as live:
                if live is not None:
                    gone = [device_id for device_id in rung if self.devices.line(device_id) is None]
                    await self.step(live, *map(DeviceRang, rung), *map(DeviceLost, gone))
        except Unavailable:
            self.again(partial(self._rang, call_id, rung))

    # --- release, time, end -------------------------------------------------------------------------------------------

    def hold_webhooks(self, call_id: CallId) -> Release:
        """Hold the call's webhooks back until the returned function is called."""
        self.notices.hold(call_id)
        is_done = False

        def release() -> None:
            nonlocal is_done
            if not is_done:
                is_done = True
                self.spawn(self.release_rows(self.notices.let_go(call_id)))

        return release

    async def release_rows(self, rows: Sequence[int]) -> None:
        """Let held outbox rows go (ruling 18)."""
        if not rows:
            return
        now = self.clock.now()
        try:
            await self.store.write(lambda tx: tx.release_outbox(rows, now))
        except Unavailable:
            self.again(lambda: self.release_rows(rows))
            return
        self.courier.wake()

    def again(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Later. A server that stops before leaves it to the next one, which finds the call as it is stored."""
        self.timers.once(self.clock.now() + AGAIN_S, work)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside the caller; a fault is logged, `settled` waits for it."""
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Return when nothing that was spawned is still running."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except CallError as error:
            log.debug("a late event changed nothing: %s", error)
        except Exception:
            log.exception("a background step failed")

    async def _deadline_passed(self, call_id: CallId) -> None:
        await self.happened(call_id, DeadlinePassed())

    async def end_all(self, event: MediaLost | ServerStopping) -> None:
        """Every live call takes `event`: the engine is lost, or the server stops. Together, as they then share flushes.

        The books say which those are: a read of the store that fails would leave all of them as they are.
        """
        await asyncio.gather(*(self._guard(self.happened(call_id, event)) for call_id in list(self._pairs)))


class _Nobody:
    """Stands in until the courier exists: it needs this switchboard's hooks, and this switchboard wakes it."""

    def wake(self) -> None:
        pass


def decoded(record: CallRecord, is_video_on: bool = True) -> Live:
    """A call as it stands in the store."""
    return Live(record.call, msgspec.json.decode(record.media, type=CallMedia), is_video_on)


def _concerned(before: Live | None, call: Call) -> frozenset[DeviceId]:
    """Devices that have to do with an ended call: those that rang, and the one that was in it."""
    ringing = before.call.ringing if before is not None else frozenset()
    return ringing | ({call.device} if call.device is not None else frozenset())
