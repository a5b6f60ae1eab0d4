"""What is asked of the engine for a call: its legs are opened, brought to their desired state, closed; their figures are kept.

Owns which leg belongs to whom. It decides nothing: what a leg should be doing follows from the call's media facts (`desired.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from pagecalls.clock import Clock
from pagecalls.errors import Unavailable
from pagecalls.media.protocol import EngineError, LegStats, MediaEngine
from pagecalls.sdp.connection import FarTrack, MediaSettings, Transport
from pagecalls.sdp.description import Description
from pagecalls.sdp.negotiate import answer_first
from pagecalls.switchboard.desired import leg_state, routing, transport
from pagecalls.switchboard.figures import Figures, journal_facts
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.media import CallMedia, Leg
from pagecalls.types import CallId, LegId, Side, Track, TrackLabel

log = logging.getLogger("pagecalls.switchboard")

GONE = ("gone", "unknown_call", "unknown_leg")
"""The engine is lost, or is another one by now, and cannot carry the call any more."""


class Legs:
    """The engine, in the words of calls."""

    def __init__(self, engine: MediaEngine, clock: Clock, ids: Ids, journal: Journal) -> None:
        self.engine = engine
        self.figures = Figures()
        self._clock = clock
        self._ids = ids
        self._journal = journal
        self._owners: dict[LegId, tuple[CallId, Side]] = {}
        self.on_lost: Callable[[CallId], None] = _nobody
        """Told of a call that the engine cannot carry any more: what the engine's own loss ended may not have included it."""

    # --- whose is it --------------------------------------------------------------------------------------------------

    def owner(self, leg: str) -> tuple[CallId, Side] | None:
        """The call and side of a leg that is there."""
        return self._owners.get(LegId(leg))

    def __len__(self) -> int:
        return len(self._owners)

    def owners(self) -> list[tuple[CallId, Side]]:
        """The call and side of every leg that is there."""
        return list(self._owners.values())

    def take_in(self, call_id: CallId, media: CallMedia) -> None:
        """Enter the legs of a call of an earlier run."""
        for side in Side:
            if (leg := media.leg(side)) is not None:
                self._owners[leg.id] = (call_id, side)

    # --- opening ------------------------------------------------------------------------------------------------------

    def new_media(self) -> CallMedia:
        """Media facts of a call without legs yet. Raises `Unavailable` while there is no engine."""
        try:
            node = self.engine.hello.node
        except EngineError as error:
            raise Unavailable from error
        return CallMedia(node, business_stream=self._ids.stream_id(), consumer_stream=self._ids.stream_id())

    async def create_call(self, call_id: CallId) -> None:
        """Make the call known to the engine. Raises `Unavailable`."""
        try:
            await self.engine.call_create(call_id)
        except EngineError as error:
            raise Unavailable from error

    async def open(
        self,
        call_id: CallId,
        media: CallMedia,
        side: Side,
        offer: Description,
        tracks: Iterable[Track],
        settings: MediaSettings,
    ) -> Leg:
        """A leg for `side` that answers `offer`. Raises `PeerError`, `Unavailable`; then the engine keeps nothing of it."""
        leg_id = self._ids.leg_id()
        try:
            created = await self.engine.leg_create(call_id, leg_id)
            ours = transport(created, self.engine.hello.fingerprint)
        except EngineError as error:
            raise Unavailable from error
        far = media.leg(side.other)
        try:
            connection = answer_first(
                offer,
                tracks=tuple(tracks),
                transport=ours,
                session_id=self._ids.session_id(),
                far=FarTrack(TrackLabel.DEFAULT_AUDIO, media.stream(side.other), self._ids.track_id(), 0),
                far_side=far.connection.as_far_side() if far is not None else None,
                settings=settings,
            )
        except BaseException:
            await self.close(leg_id)
            raise
        taken = frozenset(ssrc for line in connection.lines for ssrc in (*line.peer_ssrcs, *line.peer_rtx_ssrcs))
        self._owners[leg_id] = (call_id, side)
        return Leg(leg_id, connection, self._ids.ssrc(taken))

    async def restart(self, leg: Leg) -> Transport:
        """Our end of the leg's transport with new ICE credentials. Raises `Unavailable`."""
        before = leg.connection.transport
        try:
            new = await self.engine.leg_restart(leg.id)
        except EngineError as error:
            raise Unavailable from error
        return Transport(new.ufrag, new.pwd, before.fingerprint, before.candidates)

    # --- the desired state --------------------------------------------------------------------------------------------

    async def follow(self, call_id: CallId, before: CallMedia | None, media: CallMedia) -> None:
        """Bring the engine from one state of a call's media to the next."""
        known = {leg.id: leg.rev for side in Side if before is not None and (leg := before.leg(side)) is not None}
        changed = [side for side in Side if (leg := media.leg(side)) is not None and known.get(leg.id) != leg.rev]
        await self.apply(call_id, media, *changed, routes=media.route_rev > (before.route_rev if before is not None else 0))

    async def apply(self, call_id: CallId, media: CallMedia, *sides: Side, routes: bool = False) -> None:
        """Send the desired state of `sides`, and the routing table, to the engine."""
        commands: list[Coroutine[Any, Any, Any]] = [
            self.engine.leg_apply(leg_state(media, side)) for side in sides if media.leg(side) is not None
        ]
        if routes:
            commands.append(self.engine.call_route(routing(call_id, media)))
        for outcome in await asyncio.gather(*commands, return_exceptions=True):
            if isinstance(outcome, EngineError):
                log.warning("the engine refused the media of %s: %s", call_id, outcome, extra={"call_id": call_id})
                if outcome.code in GONE:
                    self.on_lost(call_id)
                else:
                    self._journal.note("engine_refused", call_id, code=outcome.code, why=outcome.message)
            elif isinstance(outcome, BaseException):
                raise outcome

    # --- closing ------------------------------------------------------------------------------------------------------

    async def close(self, leg_id: LegId) -> None:
        """Undo a leg."""
        found = self._owners.pop(leg_id, None)
        if found is not None:
            self.figures.forget_leg(found[0], leg_id)
        try:
            await self.engine.leg_close(leg_id)
        except EngineError as error:
            log.debug("leg %s was gone already: %s", leg_id, error)

    async def close_call(self, call_id: CallId, media: CallMedia) -> None:
        """End everything that the engine has of the call, and note what its legs had carried."""
        sides = {leg.id: side for side in Side if (leg := media.leg(side)) is not None}
        for leg_id in sides:
            self._owners.pop(leg_id, None)
        try:
            closed = await self.engine.call_close(call_id)
        except EngineError as error:
            log.debug("media of %s was gone already: %s", call_id, error)
        else:
            for stats in closed.legs:
                if (side := sides.get(LegId(stats.leg))) is not None:
                    self.figures.told(call_id, side, stats, self._clock.now())
        for figures in self.figures.ended(call_id):
            self._journal.note("stats", call_id, side=figures.side.value, **journal_facts(figures))

    def told_figures(self, stats: LegStats) -> None:
        """The engine's figures of a leg, which may be gone by now."""
        found = self.owner(stats.leg)
        if found is not None:
            self.figures.told(*found, stats, self._clock.now())


def _nobody(call_id: CallId) -> None:
    pass
