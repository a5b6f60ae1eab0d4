"""What the engine and the courier report, as events of calls."""

from __future__ import annotations

import asyncio
import logging
from typing import assert_never

from pagecalls.call.events import Event, LegBye, LegFailed, LegUp, MediaLost
from pagecalls.media import protocol
from pagecalls.store.base import OutboxRow, WebhookKind
from pagecalls.switchboard.calls import Calls
from pagecalls.types import CallId, Side
from pagecalls.webhooks import payloads
from pagecalls.webhooks.base import Outcome

log = logging.getLogger("pagecalls.switchboard")

HAND_OVER_S = 1.0
"""A webhook that carries an offer counts as handed over this long after its first attempt began (messenger-calling 6.6, 3)."""


class MediaEvents:
    """Reads the engine's events for as long as the server runs."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._run(), name="media-events")

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async for event in self._calls.engine.events():
            try:
                self._handle(event)
            except Exception:
                # Whatever is wrong with one event, the next must be heard.
                log.exception("an event of the engine could not be handled")

    def _handle(self, event: protocol.AnyEvent | None) -> None:
        journal = self._calls.journal
        match event:
            case None:
                journal.note("engine_lost")
                self._calls.spawn(self._calls.end_all(MediaLost()))
            case protocol.LegIce():
                journal.note("ice", event.call, side=self._side(event.leg), remote=event.remote)
            case protocol.LegDtls():
                journal.note(
                    "dtls", event.call, side=self._side(event.leg), profile=event.profile, handshake_ms=event.handshake_ms
                )
                self._happened(event.leg, LegUp)
            case protocol.TrackFirstRtp():
                journal.note("first_packet", event.call, side=self._side(event.leg), track=event.track, ssrc=event.ssrc)
            case protocol.TrackStalled():
                journal.note("stalled", event.call, side=self._side(event.leg), track=event.track, silent_ms=event.silent_ms)
            case protocol.TrackAccepted():
                journal.note("stream_confirmed", event.call, side=self._side(event.leg), ssrc=event.ssrc, by=event.by)
                self._calls.spawn(self._track_accepted(event))
            case protocol.LegDtmfDone():
                journal.note("dtmf_sent", event.call, digit=event.digit)
            case protocol.LegConsentLost():
                journal.note("leg_silent", event.call, side=self._side(event.leg), silent_ms=event.silent_ms)
            case protocol.LegFailed():
                self._leg_failed(event)
            case protocol.LegBye():
                journal.note("leg_bye", event.call, side=self._side(event.leg))
                self._happened(event.leg, LegBye)
            case protocol.Stats():
                for leg in event.legs:
                    self._calls.legs.told_figures(leg)
            case _:
                assert_never(event)

    def _leg_failed(self, event: protocol.LegFailed) -> None:
        calls = self._calls
        calls.journal.note("leg_failed", event.call, side=self._side(event.leg), why=event.why, detail=event.detail)
        if event.stats is not None:
            calls.legs.told_figures(event.stats)
        found = calls.legs.owner(event.leg)
        if found is not None:
            calls.spawn(calls.happened(found[0], LegFailed(found[1], event.why)))

    def _happened(self, leg: str, event: type[LegUp] | type[LegBye]) -> None:
        found = self._calls.legs.owner(leg)
        if found is not None:
            call_id, side = found
            fact: Event = event(side)
            self._calls.spawn(self._calls.happened(call_id, fact))

    async def _track_accepted(self, event: protocol.TrackAccepted) -> None:
        found = self._calls.legs.owner(event.leg)
        if found is not None:
            await self._calls.hand_overs.confirmed(*found, frozenset({event.ssrc}))

    def _side(self, leg: str) -> str:
        found = self._calls.legs.owner(leg)
        return found[1].value if found is not None else "unknown"

    # --- the courier's reports ----------------------------------------------------------------------------------------

    def on_attempt(self, row: OutboxRow) -> None:
        """An attempt begins; an offer counts as handed over `HAND_OVER_S` later."""
        self._calls.journal.note("webhook", row.call_id, event=row.kind.value, app_id=row.app_id, attempt=row.attempts + 1)
        if row.kind is WebhookKind.MEDIA_UPDATE and row.attempts == 0 and row.call_id is not None:
            self.hand_over_soon(row.call_id, payloads.version_of(row.body))

    def on_outcome(self, row: OutboxRow, outcome: Outcome) -> None:
        """A 2xx: an offer is in the business's hands."""
        self._calls.journal.note(
            "webhook_answer",
            row.call_id,
            event=row.kind.value,
            app_id=row.app_id,
            status=outcome.status,
            error=outcome.error or None,
        )
        if outcome.ok and row.kind is WebhookKind.MEDIA_UPDATE and row.call_id is not None:
            self._calls.hand_overs.handed_over(row.call_id, Side.BUSINESS, payloads.version_of(row.body))

    def hand_over_soon(self, call_id: CallId, version: int) -> None:
        """The business's offer of that version is on its way: it counts as handed over `HAND_OVER_S` from now."""

        async def hand_over() -> None:
            self._calls.hand_overs.handed_over(call_id, Side.BUSINESS, version)

        self._calls.timers.once(self._calls.clock.now() + HAND_OVER_S, hand_over)
