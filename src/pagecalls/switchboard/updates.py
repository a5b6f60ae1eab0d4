"""`media_update` and `call.media_update`: a side changes its media in mid-call (messenger-calling 2.6, 4, 5 and 6.7).

One story for both sides. What is asked is read first (`_read`, pure): a description is answered, or known tracks change without
one. Then the state machine judges the versions, and only then anything happens: new ICE credentials, one commit with the offer to
the other side, the reply. A reply is kept, as it may be lost and asked for again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from pagecalls.call.effects import Effect, Replay, TellCollision
from pagecalls.call.events import ConsumerUpdateRequested, MediaChanged, MediaUpdateRequested
from pagecalls.call.machine import apply
from pagecalls.call.model import Call
from pagecalls.call.states import Action
from pagecalls.errors import ConnectionFault, MediaConflict, UnusableConnection, WrongState
from pagecalls.sdp.connection import Connection, FarSide, MediaSettings, Transport
from pagecalls.sdp.description import Description, parse
from pagecalls.sdp.negotiate import read_answer, render_answer
from pagecalls.sdp.renegotiate import answer_next, is_ice_restart
from pagecalls.sdp.tracks import enable_only, set_tracks
from pagecalls.switchboard.base import CallReply, MediaUpdateRequest
from pagecalls.switchboard.calls import Calls, Live
from pagecalls.switchboard.entries import media_settings, read_offer
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.locks import StillHeld
from pagecalls.switchboard.media import CallMedia, Leg, Reply
from pagecalls.switchboard.offers import view_of
from pagecalls.types import CallId, SdpType, Session, Side, TrackLabel

MayAsk = MediaUpdateRequested | ConsumerUpdateRequested
Look = Callable[[Live | None], Live]
"""Whether the caller has anything to do with a call that was found. Raises `CallError`."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a request makes of a leg's connection.

    `offer` and `answer` are there if it came with a description. `withdrawn`: tracks of ours that it proves never to have been
    applied. `heard`: sources of ours that it shows to be received. `is_lit`: it receives again where it had stopped a picture.
    """

    connection: Connection
    offer: Description | None = None
    answer: str | None = None
    withdrawn: tuple[TrackLabel, ...] = ()
    heard: frozenset[int] = frozenset()
    is_lit: bool = False

    @property
    def is_offer_due(self) -> bool:
        """Whether tracks have to be offered to the side anew."""
        return bool(self.withdrawn) or self.is_lit


async def update(calls: Calls, side: Side, may_ask: MayAsk, request: MediaUpdateRequest, look: Look) -> CallReply:
    """Do what `request` says. Raises `CallError`, `PeerError`, `Unavailable`, in the order of messenger-calling 1.4."""

    def judged(found: Live | None) -> Live:
        live = look(found)
        apply(live.call, may_ask, calls.clock.now())
        return live

    if request.session is not None and request.session.sdp_type is SdpType.ANSWER:
        return await take_answer(calls, judged(await calls.load(request.call_id)), side, request.session)
    try:
        async with calls.locked(request.call_id, calls.update_wait_s) as found:
            return await _update(calls, judged(found), side, request)
    except StillHeld:
        live = judged(await calls.load(request.call_id))
        raise MediaConflict(live.call.counter(side).current) from None


async def take_answer(calls: Calls, live: Live, side: Side, session: Session) -> CallReply:
    """An answer to an offer of ours: a sign that it was applied, welcome and never waited for (6.7). Raises `MalformedSdp`."""
    answer = parse(session.sdp)
    leg = live.media.leg(side)
    heard = _sources(leg.connection, read_answer(leg.connection, answer)) if leg is not None else frozenset()
    if heard:
        await calls.hand_overs.confirmed(live.call.id, side, heard)
    return CallReply(live.call.id, version=live.call.counter(side).current)


async def _update(calls: Calls, live: Live, side: Side, request: MediaUpdateRequest) -> CallReply:
    """Read what is asked, judge it, and only then do it."""
    leg, far = live.media.leg(side), live.media.leg(side.other)
    if leg is None:
        raise WrongState(Action.MEDIA_UPDATE, live.call.state)
    far_side = far.connection.as_far_side() if far is not None else None
    settings = media_settings(live.is_video_on)
    change, digest = read(leg, request, far_side, settings), digest_of(request)
    is_visible = view_of(change.connection) != view_of(leg.connection)
    event = MediaChanged(side, request.advance, digest, is_visible, is_offer_due=change.is_offer_due)
    call, effects = apply(live.call, event, calls.clock.now())
    reply = Reply(digest, change.answer, None, call.counter(side).current)
    match effects:
        case (TellCollision(version),):
            calls.journal.note("collision", call.id, side=side.value, version=version)
            return CallReply(call.id, version=version, is_collision=True)
        case (Replay(),):
            return _call_reply(call.id, leg.reply_to(digest) or reply)
    if change.offer is not None and is_ice_restart(leg.connection, change.offer):
        change = read(leg, request, far_side, settings, await calls.legs.restart(leg))
        reply = replace(reply, answer=change.answer)
    media = live.media.with_leg(side, after(leg, change, calls.ids).replied(reply))
    return await _make(calls, live, side, change, call, media, effects)


async def _make(
    calls: Calls, live: Live, side: Side, change: Change, call: Call, media: CallMedia, effects: tuple[Effect, ...]
) -> CallReply:
    release = calls.hold_webhooks(call.id)
    try:
        step = await calls.commit(live, call, media, effects, calls.clock.now())
    except BaseException:
        release()
        raise
    _note(calls, call, side, change)
    leg = step.live.media.leg(side)
    if leg is None:
        raise LookupError(side)
    reply = _call_reply(call.id, leg.replies[-1])
    if reply.renegotiation is not None:
        release = calls.hand_overs.release(call.id, side, leg.offered, release)
    return replace(reply, release=release)


def _note(calls: Calls, call: Call, side: Side, change: Change) -> None:
    """For people: what was changed, and an offer of ours that turned out never to have been applied."""
    note = calls.journal.note
    if change.withdrawn:
        note("offer_never_applied", call.id, side=side.value, tracks=[label.value for label in change.withdrawn])
    tracks = [f"{label.value} {status.value}" for label, status, _ in view_of(change.connection)]
    version = call.counter(side).current
    note("media_update", call.id, side=side.value, version=version, sdp=change.offer is not None, tracks=tracks)


def read(
    leg: Leg, request: MediaUpdateRequest, far_side: FarSide | None, settings: MediaSettings, transport: Transport | None = None
) -> Change:
    """What `request` would make of the leg. `transport`: our new end, for an ICE restart. Raises `PeerError`."""
    if request.session is not None:
        offer = read_offer(request.session)
        found = answer_next(
            leg.connection,
            offer,
            tracks=request.tracks or (),
            transport=transport,
            far_side=far_side,
            is_a_on=leg.is_a_on,
            settings=settings,
        )
        withdrawn = tuple(line.far_label for line in found.withdrawn if line.far_label is not None)
        heard = _sources(found.connection, found.confirmed)
        return Change(found.connection, offer, render_answer(found.connection, found.resumed), withdrawn, heard, found.is_lit)
    if request.tracks is not None:
        return Change(set_tracks(leg.connection, request.tracks))
    if request.enabled is not None:
        return Change(enable_only(leg.connection, request.enabled))
    raise UnusableConnection(ConnectionFault.SESSION_ABSENT)


def after(leg: Leg, change: Change, ids: Ids) -> Leg:
    """The leg with the change. Sound whose offer was never applied needs copy A; once stopped, for that or while its line did not
    receive, copy A comes back as another source."""
    changed = leg.connected(change.connection).confirmed(change.heard)
    is_unapplied = TrackLabel.DEFAULT_AUDIO in change.withdrawn
    is_back = leg.connection.a_line is None and change.connection.a_line is not None
    if is_back or (is_unapplied and not leg.is_a_on):
        changed = replace(changed, a_ssrc=ids.ssrc(leg.ssrcs))
    return replace(changed, is_a_on=True) if is_unapplied else changed


def digest_of(request: MediaUpdateRequest) -> str:
    """SHA-256 hex of all that an update asks for but its versions."""
    sdp = request.session.sdp if request.session is not None else None
    tracks = [[track.msid, track.label, track.status] for track in request.tracks or ()]
    # ASCII JSON, because the texts are a stranger's and may hold lone surrogates.
    return hashlib.sha256(json.dumps([sdp, tracks, request.enabled]).encode("ascii")).hexdigest()


def _sources(connection: Connection, mids: frozenset[str]) -> frozenset[int]:
    return frozenset(line.far_ssrc for line in connection.lines if line.mid in mids and line.far_ssrc is not None)


def _call_reply(call_id: CallId, reply: Reply) -> CallReply:
    return CallReply(call_id, reply.answer, reply.renegotiation, reply.version)
