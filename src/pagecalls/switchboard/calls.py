"""Load, apply, save, act: the one path that every change of a call takes.

An event goes through the state machine under the pair's lock. Call, media facts and outbox rows are committed together; only
then the engine, the devices and the timers learn of it. The doors (`business.py`, `consumers.py`) and the media events
(`media_events.py`) feed this path; it knows none of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from pagecalls.call import effects as do
from pagecalls.call.events import DeadlinePassed, DeviceRang, Event, MediaLost, ServerStopping
from pagecalls.call.machine import apply
from pagecalls.call.model import Call
from pagecalls.call.states import CallState
from pagecalls.clock import Clock
from pagecalls.errors import CallError, Unavailable
from pagecalls.media.protocol import EngineError, LegStats, MediaEngine
from pagecalls.sdp.connection import FarTrack
from pagecalls.sdp.description import Description
from pagecalls.sdp.negotiate import answer_first, append_tracks, render_answer, render_offer
from pagecalls.store.base import CallRecord, Page, Store, Transaction
from pagecalls.switchboard.base import Ended, Release, Wakeable
from pagecalls.switchboard.devices import Devices
from pagecalls.switchboard.figures import Figures, journal_facts
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.locks import Locks
from pagecalls.switchboard.media import AcceptReply, CallMedia, Leg, leg_state, routing, transport, with_copies
from pagecalls.switchboard.notices import Notices, WebhookOffer, Written
from pagecalls.switchboard.timers import Timers
from pagecalls.types import CallId, DeviceId, LegId, PageId, Psid, Side, Track, TrackLabel

log = logging.getLogger("pagecalls.switchboard")

SIGN_OF_B_S = 10.0
"""After this long without a sign of the B copy, the journal says so; nothing else happens (messenger-calling 6.6, 5)."""


@dataclass(frozen=True, slots=True)
class Live:
    """A call as it stands in the store, decoded."""

    call: Call
    media: CallMedia


@dataclass(frozen=True, slots=True)
class Offers:
    """Renegotiation offers that one step made, by side: version and text."""

    business: WebhookOffer | None = None
    consumer: WebhookOffer | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What a committed step left behind."""

    live: Live
    effects: tuple[do.Effect, ...]
    offers: Offers


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
        self.legs: dict[LegId, tuple[CallId, Side]] = {}
        self.figures = Figures()
        self._handed: dict[CallId, set[Side]] = {}
        """Sides that have their offer, until the call's lock is had and copy B starts."""
        self._pairs: dict[CallId, tuple[PageId, Psid]] = {}
        """Whose a live call is, which never changes: saves a look-up before the lock."""
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
        record = await self.store.read(lambda tx: tx.call(call_id))
        return decoded(record) if record is not None else None

    @asynccontextmanager
    async def locked(self, call_id: CallId) -> AsyncIterator[Live | None]:
        """The call as it stands, with its pair's lock held for the length of the block."""
        async with self._holding(call_id) as is_known:
            yield await self.load(call_id) if is_known else None

    @asynccontextmanager
    async def _holding(self, call_id: CallId) -> AsyncIterator[bool]:
        """The lock alone; whether there is such a call."""
        pair = self._pairs.get(call_id) or await self._pair(call_id)
        if pair is None:
            yield False
            return
        async with self.locks.hold(*pair):
            yield True

    async def _pair(self, call_id: CallId) -> tuple[PageId, Psid] | None:
        found = await self.load(call_id)
        return (found.call.page_id, found.call.psid) if found is not None else None

    # --- changing -----------------------------------------------------------------------------------------------------

    async def happened(self, call_id: CallId, event: Event) -> None:
        """A fact that nobody waits for: apply it if the call still exists."""
        async with self.locked(call_id) as live:
            if live is not None:
                await self.step(live, event)

    async def step(self, live: Live, event: Event, media: CallMedia | None = None) -> Step:
        """Apply `event` and commit what follows. The lock is held by the caller. Raises `CallError`, and then nothing has
        changed.

        `media`: the media facts to go on with, if the caller made new ones for this event.
        """
        now = self.clock.now()
        call, effects = apply(live.call, event, now)
        if call == live.call and media is None:
            return Step(live, effects, Offers())
        return await self.commit(live.call, call, media or live.media, effects, now)

    async def commit(self, before: Call | None, call: Call, media: CallMedia, effects: tuple[do.Effect, ...], now: float) -> Step:
        """Store the call, its media and its webhooks in one transaction, then act. `before` `None`: the call is new."""
        media, offers = self._offer(media, effects)
        webhook_offer = None if _offers_in_response(effects, Side.BUSINESS) else offers.business
        record = CallRecord(call, msgspec.json.encode(media))

        def work(tx: Transaction) -> tuple[Written, Page | None]:
            tx.put_call(record)
            rows = self.notices.write(tx, call, effects, webhook_offer, now)
            for effect in effects:
                if isinstance(effect, do.GrantPermission):
                    old = tx.permission(call.page_id, call.psid)
                    tx.put_permission(call.page_id, call.psid, max(old or 0.0, effect.expires_at))
            return rows, tx.page(call.page_id)

        rows, page = await self.store.write(work)
        if late := self.notices.written(call.id, rows):
            self.spawn(self._release(late))
        self._note_life(call)
        if before is None or before.state is not call.state:
            self.entered[call.state] += 1
            self.journal.note("call", call.id, state=call.state.value, reason=call.end_reason.value if call.end_reason else None)
        step = Step(Live(call, media), effects, offers)
        await self._act(before, step, page)
        if rows.ids and not rows.is_held:
            self.courier.wake()
        return step

    def take_in(self, live: Live) -> None:
        """Enter a call of an earlier run into the books: its pair, its legs, its deadlines."""
        self._note_life(live.call)
        for side in Side:
            leg = live.media.leg(side)
            if leg is not None:
                self.legs[leg.id] = (live.call.id, side)

    def _note_life(self, call: Call) -> None:
        self.timers.schedule(call)
        if call.state.is_live:
            self._pairs[call.id] = (call.page_id, call.psid)
            self.quiet.clear()
        else:
            self._pairs.pop(call.id, None)
            if not self._pairs:
                self.quiet.set()

    async def _act(self, before: Call | None, step: Step, page: Page | None) -> None:
        call, media = step.live.call, step.live.media
        for effect in step.effects:
            match effect:
                case do.StartMedia():
                    await self.apply_media(call.id, media, *Side, routes=True)
                case do.OfferFarTracks(Side.CONSUMER, version, False) if step.offers.consumer is not None:
                    line = self.devices.line(call.device)
                    if line is not None:
                        line.accepted(call.id, step.offers.consumer.sdp, version, self._handed_over(call.id, Side.CONSUMER))
                case do.TellConnected():
                    line = self.devices.line(call.device)
                    if line is not None and call.connected_at is not None:
                        line.connected(call.id, call.connected_at)
                case do.TellEnded(reason, devices):
                    told = devices or _concerned(before, call)
                    ended = Ended(call.id, reason, reason.is_failure, None if devices else call.duration_s)
                    for line in self.devices.lines(told):
                        line.ended(ended)
                case do.CloseMedia():
                    await self.close_media(call.id, media)
                case do.RingDevices():
                    await self._ring(step.live, page)
                case _:
                    pass  # webhooks and permissions are in the transaction; `TellRinging` follows the response

    async def _ring(self, live: Live, page: Page | None) -> None:
        for device, line in self.devices.of(live.call.page_id, live.call.psid):
            line.incoming(live.call.id, live.call.page_id, page.name if page else "", video=False)
            live = (await self.step(live, DeviceRang(device.device_id))).live

    # --- media --------------------------------------------------------------------------------------------------------

    def new_media(self) -> CallMedia:
        """Media facts of a call without legs yet. Raises `Unavailable` while there is no engine, and when the server stops."""
        if self.is_closed:
            raise Unavailable
        try:
            node = self.engine.hello.node
        except EngineError as error:
            raise Unavailable from error
        return CallMedia(node, business_stream=self.ids.stream_id(), consumer_stream=self.ids.stream_id())

    async def create_call(self, call_id: CallId) -> None:
        """Make the call known to the engine. Raises `Unavailable`."""
        try:
            await self.engine.call_create(call_id)
        except EngineError as error:
            raise Unavailable from error

    async def open_leg(
        self, call_id: CallId, media: CallMedia, side: Side, offer: Description, tracks: Iterable[Track]
    ) -> CallMedia:
        """A leg for `side` that answers `offer`. Raises `PeerError`, `Unavailable`; then the engine keeps nothing of it."""
        leg_id = self.ids.leg_id()
        try:
            created = await self.engine.leg_create(call_id, leg_id)
            ours = transport(created, self.engine.hello.fingerprint)
        except EngineError as error:
            raise Unavailable from error
        try:
            shown = FarTrack(TrackLabel.DEFAULT_AUDIO, media.stream(side.other), self.ids.track_id(), 0)
            connection = answer_first(offer, tracks=tuple(tracks), transport=ours, session_id=self.ids.session_id(), far=shown)
        except BaseException:
            await self.close_leg(leg_id)
            raise
        taken = frozenset(ssrc for line in connection.lines for ssrc in line.peer_ssrcs)
        self.legs[leg_id] = (call_id, side)
        return media.with_leg(side, Leg(leg_id, connection, self.ids.ssrc(taken)))

    def _offer(self, media: CallMedia, effects: Iterable[do.Effect]) -> tuple[CallMedia, Offers]:
        """Append the far side's sound to each side that the effects name, and let sound through if they say so."""
        offers = Offers()
        for effect in effects:
            match effect:
                case do.OfferFarTracks(side, version, in_response):
                    leg = media.leg(side)
                    if leg is None:
                        continue
                    far = FarTrack(
                        TrackLabel.DEFAULT_AUDIO, media.stream(side.other), self.ids.track_id(), self.ids.ssrc(leg.ssrcs)
                    )
                    connection = append_tracks(leg.connection, [far])
                    media = media.with_leg(side, replace(leg, connection=connection, rev=leg.rev + 1))
                    made = WebhookOffer(version, render_offer(connection))
                    if in_response and side is Side.BUSINESS:
                        media = replace(media, accept_reply=AcceptReply(render_answer(leg.connection), made.sdp))
                    offers = replace(offers, business=made) if side is Side.BUSINESS else replace(offers, consumer=made)
                case do.StartMedia():
                    media = replace(media, is_through=True, route_rev=media.route_rev + 1)
                case _:
                    pass
        return media, offers

    async def apply_media(self, call_id: CallId, media: CallMedia, *sides: Side, routes: bool = False) -> None:
        """Send the desired state of `sides`, and the routing table, to the engine.

        An engine that is gone, or is another one by now, cannot carry this call any more: the call is told so, for what the
        engine's own loss ended may not have included it yet.
        """
        commands: list[Coroutine[Any, Any, Any]] = [
            self.engine.leg_apply(leg_state(media, side)) for side in sides if media.leg(side) is not None
        ]
        if routes:
            commands.append(self.engine.call_route(routing(call_id, media)))
        for outcome in await asyncio.gather(*commands, return_exceptions=True):
            if isinstance(outcome, EngineError):
                log.warning("the engine refused the media of %s: %s", call_id, outcome)
                if outcome.code in ("gone", "unknown_call", "unknown_leg"):
                    self.spawn(self.happened(call_id, MediaLost()))
            elif isinstance(outcome, BaseException):
                raise outcome

    async def close_leg(self, leg_id: LegId) -> None:
        """Undo a leg."""
        found = self.legs.pop(leg_id, None)
        if found is not None:
            self.figures.forget_leg(found[0], leg_id)
        try:
            await self.engine.leg_close(leg_id)
        except EngineError as error:
            log.debug("leg %s was gone already: %s", leg_id, error)

    async def close_media(self, call_id: CallId, media: CallMedia) -> None:
        """End everything that the engine has of the call, and note what its legs had carried."""
        sides = {leg.id: side for side in Side if (leg := media.leg(side)) is not None}
        for leg_id in sides:
            self.legs.pop(leg_id, None)
        try:
            closed = await self.engine.call_close(call_id)
        except EngineError as error:
            log.debug("media of %s was gone already: %s", call_id, error)
        else:
            for stats in closed.legs:
                if (side := sides.get(LegId(stats.leg))) is not None:
                    self.figures.told(call_id, side, stats, self.clock.now())
        for figures in self.figures.ended(call_id):
            self.journal.note("stats", call_id, side=figures.side.value, **journal_facts(figures))

    def told_figures(self, stats: LegStats) -> None:
        """The engine's figures of a leg, which may be gone by now."""
        found = self.legs.get(LegId(stats.leg))
        if found is not None:
            self.figures.told(*found, stats, self.clock.now())

    # --- the two copies (messenger-calling 6.6) ---------------------------------------------------------------------

    def handed_over(self, call_id: CallId, side: Side) -> None:
        """The renegotiation offer is in the hands of `side`: copy B starts (rule 3). Returns at once.

        Both sides often have theirs within a moment of each other; what comes until the lock is had shares one write.
        """
        waiting = self._handed.setdefault(call_id, set())
        waiting.add(side)
        if len(waiting) == 1:
            self.spawn(self._start_b(call_id, waiting))

    def await_sign(self, call_id: CallId, side: Side) -> None:
        """Have the journal say it if there is no sign of copy B in time (rule 5)."""
        self.timers.once(self.clock.now() + SIGN_OF_B_S, lambda: self._note_no_sign(call_id, side))

    def _handed_over(self, call_id: CallId, side: Side) -> Release:
        return lambda: self.handed_over(call_id, side)

    async def _start_b(self, call_id: CallId, sides: set[Side]) -> None:
        try:
            async with self._holding(call_id):
                del self._handed[call_id]
                await self._set_copies(call_id, sides, is_b_on=True)
        finally:
            if self._handed.get(call_id) is sides:
                del self._handed[call_id]
        for side in sides:
            self.await_sign(call_id, side)

    async def b_accepted(self, call_id: CallId, side: Side) -> None:
        """A sign that `side` plays copy B: copy A stops for good (rule 4)."""
        async with self._holding(call_id):
            await self._set_copies(call_id, {side}, is_b_on=True, is_a_on=False)

    async def _set_copies(self, call_id: CallId, sides: Set[Side], *, is_b_on: bool, is_a_on: bool | None = None) -> None:
        """Nothing to decide and nobody to tell: read and written in one unit of work. The lock is held by the caller."""

        def work(tx: Transaction) -> tuple[CallMedia, CallMedia] | None:
            record = tx.call(call_id)
            if record is None or not record.call.state.is_live:
                return None
            live = decoded(record)
            media = with_copies(live.media, sides, is_b_on=is_b_on, is_a_on=is_a_on)
            if media != live.media:
                tx.put_call(CallRecord(live.call, msgspec.json.encode(media)))
            return live.media, media

        found = await self.store.write(work)
        if found is None:
            return
        before, media = found
        changed = [side for side in Side if media.leg(side) != before.leg(side)]
        await self.apply_media(call_id, media, *changed)
        for side in changed:
            leg = media.leg(side)
            if leg is not None:
                self.journal.note("copies", call_id, side=side.value, a=leg.is_a_on, b=leg.is_b_on)

    async def _note_no_sign(self, call_id: CallId, side: Side) -> None:
        live = await self.load(call_id)
        leg = live.media.leg(side) if live is not None else None
        if live is not None and live.call.state.is_live and leg is not None and leg.is_a_on:
            self.journal.note("no_sign_of_renegotiation", call_id, side=side.value, after_s=SIGN_OF_B_S)

    # --- release, time, end -------------------------------------------------------------------------------------------

    def hold_webhooks(self, call_id: CallId) -> Release:
        """Hold the call's webhooks back until the returned function is called."""
        self.notices.hold(call_id)
        is_done = False

        def release() -> None:
            nonlocal is_done
            if not is_done:
                is_done = True
                self.spawn(self._release(self.notices.let_go(call_id)))

        return release

    async def _release(self, rows: list[int]) -> None:
        if rows:
            now = self.clock.now()
            await self.store.write(lambda tx: tx.release_outbox(rows, now))
            self.courier.wake()

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
        """Every live call takes `event`: the engine is lost, or the server stops. Together, as they then share flushes."""
        records = await self.store.read(lambda tx: tx.live_calls())
        await asyncio.gather(*(self._guard(self.happened(record.call.id, event)) for record in records))


class _Nobody:
    """Stands in until the courier exists: it needs this switchboard's hooks, and this switchboard wakes it."""

    def wake(self) -> None:
        pass


def decoded(record: CallRecord) -> Live:
    """A call as it stands in the store."""
    return Live(record.call, msgspec.json.decode(record.media, type=CallMedia))


def _offers_in_response(effects: Iterable[do.Effect], side: Side) -> bool:
    return any(isinstance(effect, do.OfferFarTracks) and effect.side is side and effect.in_response for effect in effects)


def _concerned(before: Call | None, call: Call) -> frozenset[DeviceId]:
    """Devices that have to do with an ended call: those that rang, and the one that was in it."""
    ringing = before.ringing if before is not None else frozenset()
    return ringing | ({call.device} if call.device is not None else frozenset())
