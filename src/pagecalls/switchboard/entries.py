"""How a side comes into a call: with a call of its own, or into one that waits for it. The same for the business and a device.

Either way a leg is opened before the commit, because the answer needs its credentials, and undone if the commit fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pagecalls.call.effects import Effect
from pagecalls.call.model import Call
from pagecalls.call.moves import Outcome
from pagecalls.call.settings import CallSettings
from pagecalls.errors import ConnectionFault, ConsumerBusy, Unavailable, UnusableConnection
from pagecalls.sdp.connection import MediaSettings
from pagecalls.sdp.description import Description, parse
from pagecalls.sdp.negotiate import render_answer
from pagecalls.sdp.profile import check_offer
from pagecalls.store.base import LiveCallExists
from pagecalls.switchboard.base import Release
from pagecalls.switchboard.calls import Calls, Live, Step
from pagecalls.switchboard.media import Reply
from pagecalls.types import SdpType, Session, Side, Track


@dataclass(frozen=True, slots=True)
class Entry:
    """A side is in the call. `release` lets the webhooks go that the step caused, when its response is out."""

    step: Step
    reply: Reply
    release: Release


def read_offer(session: Session | None) -> Description:
    """The offer in a request, parsed and checked. Raises `PeerError`."""
    if session is None:
        raise UnusableConnection(ConnectionFault.SESSION_ABSENT)
    if session.sdp_type is not SdpType.OFFER:
        raise UnusableConnection(ConnectionFault.WRONG_SDP_TYPE, session.sdp_type.value)
    description = parse(session.sdp)
    check_offer(description)
    return description


def media_settings(is_video_on: bool) -> MediaSettings:
    """How a description is answered now. What runs already goes on whatever the Page wants since (3.2, row 36)."""
    return MediaSettings(video_enabled=is_video_on)


async def begin(
    calls: Calls,
    call: Call,
    effects: tuple[Effect, ...],
    side: Side,
    offer: Description,
    tracks: Iterable[Track],
    settings: CallSettings,
) -> Entry:
    """A new call of `side`, on a Page with these settings. The lock is held by the caller.

    Raises `ConsumerBusy`, `PeerError`, `Unavailable`; then there is none.
    """
    if calls.is_closed:
        raise Unavailable
    media = calls.legs.new_media()
    await calls.legs.create_call(call.id)
    release = calls.hold_webhooks(call.id)
    try:
        leg = await calls.legs.open(call.id, media, side, offer, tracks, media_settings(settings.video_enabled))
        media = media.with_leg(side, leg)
        step = await calls.commit(None, call, media, effects, call.created_at)
    except BaseException as error:
        release()
        await calls.legs.close_call(call.id, media)
        if isinstance(error, LiveCallExists):
            raise ConsumerBusy(None) from None
        raise
    return Entry(step, Reply("", render_answer(leg.connection), None, call.counter(side).current), release)


async def join(
    calls: Calls, live: Live, outcome: Outcome, side: Side, session: Session | None, tracks: Iterable[Track], digest: str = ""
) -> Entry:
    """`side` picks up, and `outcome` is what the state machine makes of that. Raises `PeerError`, `Unavailable`; then nothing has
    changed. With a `digest` the reply is kept for a repeat."""
    call, effects = outcome
    offer = read_offer(session)
    leg = await calls.legs.open(call.id, live.media, side, offer, tracks, media_settings(live.is_video_on))
    reply = Reply(digest, render_answer(leg.connection), None, call.counter(side).current)
    media = live.media.with_leg(side, leg.replied(reply))
    release = calls.hold_webhooks(call.id)
    try:
        step = await calls.commit(live, call, media, effects, calls.clock.now())
    except BaseException:
        release()
        await calls.legs.close(leg.id)
        raise
    made = step.live.media.leg(side)
    return Entry(step, made.replies[-1] if made is not None else reply, release)
