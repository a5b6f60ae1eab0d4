"""The one door to a call: two ways to start it, and `apply` for all that happens to it afterwards.

Pure: the same call, event and time give the same outcome. What an outcome means is written in `transitions`.
"""

from __future__ import annotations

from pagecalls.call.deadlines import with_deadline
from pagecalls.call.effects import Effect, NotifyConnect, RingDevices, TellRinging
from pagecalls.call.events import Event
from pagecalls.call.limits import DIAL_S, RING_IN_S
from pagecalls.call.model import Call
from pagecalls.call.moves import Outcome
from pagecalls.call.states import CallState, DeadlineKind
from pagecalls.call.transitions import TABLE
from pagecalls.types import AppId, CallId, DeviceId, Direction, PageId, Platform, Psid


def apply(call: Call, event: Event, now: float) -> Outcome:
    """The call after `event` at `now` (Unix seconds), and what must be done, in order.

    Raises a `CallError` when a request of the business or of a device is refused; then nothing has changed. Facts never raise.
    """
    return TABLE[call.state, type(event)].do(call, event, now)


def start_user_call(
    *, id: CallId, page_id: PageId, psid: Psid, platform: Platform, device: DeviceId, is_routed: bool, now: float
) -> Outcome:
    """Row 1: a consumer calls the Page. Without `is_routed` it rings where no app hears of it (messenger-calling 9.3)."""
    call = Call(
        id=id,
        page_id=page_id,
        psid=psid,
        platform=platform,
        direction=Direction.USER_INITIATED,
        state=CallState.RINGING_IN,
        created_at=now,
        is_routed=is_routed,
        device=device,
    )
    effects: tuple[Effect, ...] = (NotifyConnect(), TellRinging()) if is_routed else ()
    return with_deadline(call, DeadlineKind.RING_IN, now + RING_IN_S), effects


def start_business_call(*, id: CallId, page_id: PageId, psid: Psid, platform: Platform, owner: AppId, now: float) -> Outcome:
    """Row 3: an app calls a consumer, and owns the call from here on."""
    call = Call(
        id=id,
        page_id=page_id,
        psid=psid,
        platform=platform,
        direction=Direction.BUSINESS_INITIATED,
        state=CallState.DIALING,
        created_at=now,
        owner=owner,
    )
    return with_deadline(call, DeadlineKind.DIAL, now + DIAL_S), (NotifyConnect(), RingDevices())
