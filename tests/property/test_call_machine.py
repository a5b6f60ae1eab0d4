"""The call machine under every event in every state, and under long random lives.

A life starts one of the three kinds of call and then throws arbitrary events at it while time moves on. What must hold after each
step is written once, in `check_step`; what must hold of a whole life is in `check_life`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from pagecalls.call.effects import (
    CloseMedia,
    Effect,
    GrantPermission,
    NotifyTerminate,
    OfferFarTracks,
    Replay,
    StartMedia,
    TellCollision,
    TellConnected,
    TellEnded,
)
from pagecalls.call.events import (
    AcceptRequested,
    ConsumerAccepted,
    ConsumerDeclined,
    ConsumerHungUp,
    ConsumerUpdateRequested,
    DeadlinePassed,
    DeviceLost,
    DeviceRang,
    DeviceReturned,
    Event,
    LegBye,
    LegFailed,
    LegUp,
    MediaChanged,
    MediaLost,
    MediaUpdateRequested,
    RejectRequested,
    ServerStopping,
    TerminateRequested,
)
from pagecalls.call.limits import PERMISSION_S
from pagecalls.call.machine import apply, start_business_call, start_user_call
from pagecalls.call.model import Call
from pagecalls.call.states import CallState, DeadlineKind
from pagecalls.call.versions import Advance
from pagecalls.errors import CallError
from pagecalls.types import AppId, CallId, DeviceId, Direction, PageId, Platform, Psid, Side

Start = Callable[[], Call]

START = 1000.0
OWNER = AppId("1")
PHONE = DeviceId("phone")
REQUESTS = (
    AcceptRequested,
    RejectRequested,
    TerminateRequested,
    MediaUpdateRequested,
    ConsumerAccepted,
    ConsumerDeclined,
    ConsumerHungUp,
    ConsumerUpdateRequested,
    MediaChanged,
)

apps = st.sampled_from([OWNER, AppId("2")])
devices = st.sampled_from([PHONE, DeviceId("tablet"), DeviceId("watch")])
sides = st.sampled_from(Side)
whys = st.sampled_from(["dtls", "fingerprint", "conn_timeout", "dead", "internal"])

steps_of_one = st.integers(0, 4).map(lambda at: Advance(at, at + 1))

by_kind: dict[type[Event], st.SearchStrategy[Event]] = {
    AcceptRequested: st.builds(AcceptRequested, apps, st.sampled_from(["offer", "another"])),
    RejectRequested: st.builds(RejectRequested, apps),
    TerminateRequested: st.builds(TerminateRequested, apps),
    MediaUpdateRequested: st.builds(MediaUpdateRequested, apps),
    ConsumerUpdateRequested: st.builds(ConsumerUpdateRequested, devices),
    MediaChanged: st.builds(
        MediaChanged, sides, st.none() | steps_of_one, st.sampled_from(["X", "Y"]), st.booleans(), st.booleans()
    ),
    DeviceRang: st.builds(DeviceRang, devices),
    DeviceLost: st.builds(DeviceLost, devices),
    DeviceReturned: st.builds(DeviceReturned, devices),
    ConsumerAccepted: st.builds(ConsumerAccepted, devices, st.booleans()),
    ConsumerDeclined: st.builds(ConsumerDeclined, devices),
    ConsumerHungUp: st.builds(ConsumerHungUp, devices),
    LegUp: st.builds(LegUp, sides),
    LegFailed: st.builds(LegFailed, sides, whys),
    LegBye: st.builds(LegBye, sides),
    DeadlinePassed: st.just(DeadlinePassed()),
    ServerStopping: st.just(ServerStopping()),
    MediaLost: st.just(MediaLost()),
}
any_event = st.one_of(list(by_kind.values()))
# Endings would cut most lives short, so the long walks meet them rarely.
mild_event = st.one_of(
    [by_kind[kind] for kind in (AcceptRequested, DeviceRang, DeviceLost, DeviceReturned, ConsumerAccepted, MediaChanged, LegUp)]
)
pauses = st.sampled_from([0.0, 0.5, 5.0, 14.9, 15.0, 29.9, 30.0, 31.0, 60.0])


def start_routed() -> Call:
    return _start_user_call(is_routed=True)


def start_unrouted() -> Call:
    return _start_user_call(is_routed=False)


def _start_user_call(*, is_routed: bool) -> Call:
    return start_user_call(
        id=CallId("c"),
        page_id=PageId("10"),
        psid=Psid("20"),
        platform=Platform.MESSENGER,
        device=PHONE,
        is_routed=is_routed,
        now=START,
    )[0]


def start_outbound() -> Call:
    return start_business_call(
        id=CallId("c"), page_id=PageId("10"), psid=Psid("20"), platform=Platform.MESSENGER, owner=OWNER, now=START
    )[0]


starts = st.sampled_from([start_routed, start_unrouted, start_outbound])


@dataclass
class Life:
    """A call, its clock, and all that it has caused so far."""

    call: Call
    now: float = START
    effects: list[Effect] = field(default_factory=list)
    was_active: bool = False
    owners: set[AppId] = field(default_factory=set)

    def meet(self, event: Event, pause_s: float = 0) -> None:
        """One step, checked."""
        self.now += pause_s
        before = self.call
        try:
            self.call, effects = apply(before, event, self.now)
        except CallError:
            assert isinstance(event, REQUESTS), "a fact was refused"
            return
        check_step(before, event, self.call, effects, self.now)
        self.effects += effects
        self.was_active |= self.call.state is CallState.ACTIVE
        self.owners |= {self.call.owner} if self.call.owner else set()

    def count(self, kind: type[Effect]) -> int:
        return sum(isinstance(effect, kind) for effect in self.effects)


def check_step(before: Call, event: Event, after: Call, effects: tuple[Effect, ...], now: float) -> None:
    assert isinstance(after.state, CallState)
    assert all(isinstance(effect, get_args(Effect)) for effect in effects)
    check_versions(before, after, effects)
    assert before.owner in (None, after.owner)
    assert before.connected_at in (None, after.connected_at)
    same = ("id", "page_id", "psid", "platform", "direction", "created_at", "is_routed")
    assert all(getattr(before, name) == getattr(after, name) for name in same)
    if not before.state.is_live:
        assert after == before
        assert all(isinstance(effect, Replay | TellEnded) for effect in effects)
    if isinstance(event, DeadlinePassed):
        assert after.next_deadline is None or after.next_deadline > now
    if any(isinstance(effect, Replay | TellCollision) for effect in effects):
        assert after == before
        assert len(effects) == 1
    check_call(after)


def check_versions(before: Call, after: Call, effects: tuple[Effect, ...]) -> None:
    """No counter falls, and each offer has the highest number that there is."""
    for side in Side:
        assert after.counter(side).current >= before.counter(side).current
    for effect in effects:
        if isinstance(effect, OfferFarTracks):
            assert effect.version == after.counter(effect.side).current


def check_call(call: Call) -> None:
    """What makes a call legal, whatever its past."""
    is_over = not call.state.is_live
    assert (call.ended_at is not None) is (call.end_reason is not None) is is_over
    assert call.end_reason is None or call.end_reason.is_failure is (call.state is CallState.FAILED)
    assert is_over or call.ended_by is None
    assert (call.connected_at is not None) is (call.state is CallState.ACTIVE) or is_over
    assert call.state is not CallState.ACTIVE or call.up == frozenset(Side)
    kinds = [deadline.kind for deadline in call.deadlines if deadline.device is None]
    assert len(kinds) == len(set(kinds))
    waiting = {deadline.device for deadline in call.deadlines if deadline.kind is DeadlineKind.DEVICE_AWAY}
    match call.state:
        case CallState.RINGING_IN:
            assert kinds == [DeadlineKind.RING_IN]
            assert call.owner is None
            assert waiting == call.away
        case CallState.DIALING:
            assert kinds == [DeadlineKind.DIAL]
            assert not waiting
            assert not call.ringing
        case CallState.RINGING_OUT:
            assert set(kinds) == {DeadlineKind.RING_OUT} | (set() if call.ringing else {DeadlineKind.DIAL})
            assert waiting == call.away <= call.ringing
        case CallState.CONNECTING | CallState.ACTIVE:
            assert call.deadlines == ()
            assert call.owner is not None
            assert call.device is not None
        case CallState.COMPLETED | CallState.FAILED:
            assert call.deadlines == ()


def check_life(life: Life) -> None:
    """What must hold of everything that a call ever caused."""
    call = life.call
    is_over = not call.state.is_live
    assert life.count(CloseMedia) == is_over
    assert life.count(NotifyTerminate) == (is_over and call.is_routed)
    assert (call.connected_at is not None) is life.was_active
    assert life.count(TellConnected) == life.was_active
    assert life.count(StartMedia) <= 1
    assert len(life.owners) <= 1
    grants = [effect for effect in life.effects if isinstance(effect, GrantPermission)]
    is_unaccepted = call.direction is Direction.USER_INITIATED and call.owner is None
    assert len(grants) == (is_over and (life.was_active or is_unaccepted))
    assert all(call.ended_at is not None and grant.expires_at == call.ended_at + PERMISSION_S for grant in grants)
    for side in Side:
        offered = [effect for effect in life.effects if isinstance(effect, OfferFarTracks) and effect.side is side]
        versions = [effect.version for effect in offered]
        assert versions == sorted(set(versions)), "a version was used twice or went down"
        assert call.counter(side).current >= max(versions, default=0)


# --- random lives -----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    start=starts,
    steps=st.lists(st.tuples(mild_event, pauses), max_size=12),
    rest=st.lists(st.tuples(any_event, pauses), max_size=12),
)
def test_a_random_life(start: Start, steps: list[tuple[Event, float]], rest: list[tuple[Event, float]]) -> None:
    life = Life(start())
    check_call(life.call)
    for event, pause_s in steps + rest:
        life.meet(event, pause_s)
    check_life(life)


@settings(deadline=None)
@given(start=starts, steps=st.lists(st.tuples(mild_event, pauses), max_size=12))
def test_no_call_rings_for_ever(start: Start, steps: list[tuple[Event, float]]) -> None:
    """However it got here: a call that still rings ends when its deadlines pass, and nobody has to do anything for it."""
    life = Life(start())
    for event, pause_s in steps:
        life.meet(event, pause_s)
    rings = life.call.state in (CallState.RINGING_IN, CallState.DIALING, CallState.RINGING_OUT)
    life.meet(DeadlinePassed(), 60)
    assert not rings or life.call.state is CallState.COMPLETED


# --- every state times every event ------------------------------------------------------------------------------------

RINGS = (DeviceRang(PHONE), DeviceRang(DeviceId("tablet")))
PICKED_UP = (*RINGS, ConsumerAccepted(PHONE))
TAKEN = (AcceptRequested(OWNER, "offer"),)
BOTH_UP = (LegUp(Side.BUSINESS), LegUp(Side.CONSUMER))
PATHS: list[tuple[Start, tuple[Event, ...], CallState]] = [
    (start_routed, (), CallState.RINGING_IN),
    (start_unrouted, (), CallState.RINGING_IN),
    (start_routed, (DeviceLost(PHONE),), CallState.RINGING_IN),
    (start_outbound, (), CallState.DIALING),
    (start_outbound, RINGS, CallState.RINGING_OUT),
    (start_outbound, (DeviceRang(PHONE), DeviceLost(PHONE)), CallState.RINGING_OUT),
    (start_routed, TAKEN, CallState.CONNECTING),
    (start_outbound, PICKED_UP, CallState.CONNECTING),
    (start_routed, TAKEN + BOTH_UP, CallState.ACTIVE),
    (start_routed, (*TAKEN, *BOTH_UP, DeviceLost(PHONE)), CallState.ACTIVE),
    (start_outbound, PICKED_UP + BOTH_UP, CallState.ACTIVE),
    (start_routed, (RejectRequested(OWNER),), CallState.COMPLETED),
    (start_outbound, (*RINGS, TerminateRequested(OWNER)), CallState.COMPLETED),
    (start_unrouted, (ConsumerHungUp(PHONE),), CallState.COMPLETED),
    (start_routed, (MediaLost(),), CallState.FAILED),
    (start_outbound, (ServerStopping(),), CallState.FAILED),
]


def test_the_paths_lead_to_every_state() -> None:
    for start, events, state in PATHS:
        life = Life(start())
        for event in events:
            life.meet(event)
        assert life.call.state is state
    assert {state for _, _, state in PATHS} == set(CallState)
    assert set(by_kind) == set(get_args(Event))


@settings(deadline=None, max_examples=50)  # one example is some 250 lives
@given(events=st.fixed_dictionaries(by_kind), pause_s=pauses)
def test_every_state_times_every_event(events: dict[type[Event], Event], pause_s: float) -> None:
    for start, path, _ in PATHS:
        for event in events.values():
            life = Life(start())
            for earlier in path:
                life.meet(earlier)
            life.meet(event, pause_s)
            check_life(life)
