"""The moment from which an offer of ours counts as being in its side's hands, and the signs that it was applied.

An offer goes out in a response, a webhook or a notification, and nobody says whether it was applied. When it was handed over, its
streams start (messenger-calling 6.6, 3); when the peer is seen to receive one, that is noted, and copy A stops (6.6, 4); when
nothing is seen, the journal says so and nothing else happens (6.6, 5). All of it is a change of media facts under the call's
lock.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from pagecalls.clock import Clock
from pagecalls.switchboard.base import Release
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.media import CallMedia
from pagecalls.switchboard.timers import Timers
from pagecalls.types import CallId, Side

SIGN_S = 10.0
"""After this long without a sign that the streams of an offer are received, the journal says so (messenger-calling 6.6, 5)."""

Change = Callable[[CallMedia], CallMedia]


class Keeper(Protocol):
    """Who keeps the calls."""

    @property
    def clock(self) -> Clock:
        """The clock of deadlines."""
        ...

    @property
    def timers(self) -> Timers:
        """What waits for that clock."""
        ...

    @property
    def journal(self) -> Journal:
        """Where people read."""
        ...

    async def change_media(self, call_id: CallId, prepare: Callable[[], Change]) -> None:
        """With the call's lock held: ask `prepare` for the change, and make it in one unit of work."""
        ...

    async def media_of(self, call_id: CallId) -> CallMedia | None:
        """The media facts of a live call."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside the caller."""
        ...


class HandOvers:
    """Offers on their way to the two sides of each call."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._waiting: dict[CallId, dict[Side, int]] = {}
        """Versions that were handed over, until the call's lock is had."""

    def release(self, call_id: CallId, side: Side, version: int, first: Release = lambda: None) -> Release:
        """What is to be called when the frame or response that carries an offer is with the socket. `first` is called before."""

        def released() -> None:
            first()
            self.handed_over(call_id, side, version)

        return released

    def handed_over(self, call_id: CallId, side: Side, version: int) -> None:
        """Our offer of that version is in the hands of `side`. Returns at once.

        Both sides often have theirs within a moment of each other; what comes until the lock is had shares one write.
        """
        is_first = call_id not in self._waiting
        waiting = self._waiting.setdefault(call_id, {})
        waiting[side] = max(waiting.get(side, version), version)
        if is_first:
            self._keeper.spawn(self._start(call_id, waiting))

    async def confirmed(self, call_id: CallId, side: Side, ssrcs: frozenset[int]) -> None:
        """The peer of `side` was seen to receive these streams, or said that it does."""
        await self._keeper.change_media(call_id, lambda: lambda media: _confirmed(media, side, ssrcs))

    def await_sign(self, call_id: CallId, side: Side) -> None:
        """Have the journal say it if there is no sign in time."""
        self._keeper.timers.once(self._keeper.clock.now() + SIGN_S, lambda: self._note_no_sign(call_id, side))

    async def _start(self, call_id: CallId, waiting: dict[Side, int]) -> None:
        def prepare() -> Change:
            del self._waiting[call_id]
            return lambda media: _started(media, waiting)

        try:
            await self._keeper.change_media(call_id, prepare)
        finally:
            if self._waiting.get(call_id) is waiting:
                del self._waiting[call_id]
        for side in waiting:
            self.await_sign(call_id, side)

    async def _note_no_sign(self, call_id: CallId, side: Side) -> None:
        media = await self._keeper.media_of(call_id)
        leg = media.leg(side) if media is not None else None
        if leg is not None and (labels := leg.unconfirmed()):
            names = [label.value for label in labels]
            self._keeper.journal.note("no_sign_of_renegotiation", call_id, side=side.value, after_s=SIGN_S, tracks=names)


def _started(media: CallMedia, versions: dict[Side, int]) -> CallMedia:
    for side, version in versions.items():
        if (leg := media.leg(side)) is not None:
            media = media.with_leg(side, leg.handed_over(version))
    return media


def _confirmed(media: CallMedia, side: Side, ssrcs: frozenset[int]) -> CallMedia:
    leg = media.leg(side)
    return media if leg is None else media.with_leg(side, leg.confirmed(ssrcs))
