"""The fake engine's cues, its timers on the test clock, and what can be looked at. The contract itself: tests/contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pagecalls.clock import SteppedClock
from pagecalls.media.fake import PROFILE, FakeEngine
from pagecalls.media.protocol import (
    PROTOCOL_VERSION,
    AnyEvent,
    CallCreate,
    CallCreateOk,
    CallRoute,
    Codec,
    Done,
    EngineError,
    Extensions,
    Fingerprint,
    Hello,
    HelloOk,
    LegApply,
    LegBye,
    LegConsentLost,
    LegCreate,
    LegDtls,
    LegDtmf,
    LegDtmfDone,
    LegFailed,
    LegIce,
    Output,
    RecvTrack,
    Remote,
    Route,
    SendTrack,
    Stats,
    Timers,
    TrackAccepted,
    TrackFirstRtp,
    TrackRef,
    TrackStalled,
)

CODECS = [Codec(key="opus/48000/2", pt=111), Codec(key="telephone-event/48000", pt=110)]
REMOTE = Remote(ufrag="abcd", pwd="x" * 24, fingerprints=[Fingerprint(alg="sha-256", value=":".join(["AB"] * 32))])


class Stage:
    """A call with the legs `b` and `k`, routed both ways."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.engine = FakeEngine(self.clock)
        self._events = self.engine.events()

    async def build(self, timers: Timers | None = None, send: list[SendTrack] | None = None) -> None:
        await self.engine.call_create("c")
        for leg in ("b", "k"):
            await self.engine.leg_create("c", leg)
            await self.engine.leg_apply(state(leg, timers or Timers(), send))
        await self.engine.call_route(CallRoute(call="c", rev=1, routes=[route("b", "k"), route("k", "b")]))

    def pass_s(self, seconds: float) -> int:
        self.clock.advance(seconds)
        return self.engine.tick()

    async def told(self) -> list[AnyEvent | None]:
        """Everything told so far but `stats`, which comes by itself."""
        await self.engine.stop()
        return [event async for event in self._events if not isinstance(event, Stats)]

    async def kinds(self) -> list[type[object]]:
        return [type(event) for event in await self.told()]


def state(leg: str, timers: Timers, send: list[SendTrack] | None = None) -> LegApply:
    outputs = [Output(ssrc=11, mid="0"), Output(ssrc=12, mid="1")]
    sent = SendTrack(track="out", kind="audio", cname="c", codecs=CODECS, ext=Extensions(), outputs=outputs)
    received = RecvTrack(track="in", mid="0", kind="audio", ssrcs=[77], codecs=CODECS, ext=Extensions())
    return LegApply(leg=leg, rev=1, remote=REMOTE, timers=timers, recv=[received], send=[sent] if send is None else send)


def route(from_leg: str, to_leg: str, on: bool = True) -> Route:
    return Route(from_=TrackRef(leg=from_leg, track="in"), to=TrackRef(leg=to_leg, track="out"), on=on)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.build()
    yield stage
    await stage.engine.stop()


# --- cues -------------------------------------------------------------------------------------------------------------


async def test_a_peer_comes_up(stage: Stage) -> None:
    stage.engine.peer_up("b", "10.0.0.1:5")
    assert await stage.told() == [
        LegIce(seq=1, call="c", leg="b", remote="10.0.0.1:5"),
        LegDtls(seq=2, call="c", leg="b", profile=PROFILE, handshake_ms=1.0),
    ]
    leg = stage.engine.legs["b"].stats(stage.clock.now())
    assert (leg.ice, leg.dtls, leg.profile, leg.remote, leg.silent_ms) == ("connected", "connected", PROFILE, "10.0.0.1:5", 0)


async def test_a_peer_that_the_leg_does_not_know_cannot_come_up(stage: Stage) -> None:
    await stage.engine.leg_create("c", "new")
    with pytest.raises(EngineError, match="bad_state"):
        stage.engine.peer_up("new")
    with pytest.raises(EngineError, match="unknown_leg"):
        stage.engine.peer_up("nobody")


async def test_the_first_packet_of_each_stream_is_told(stage: Stage) -> None:
    stage.engine.hears("k", "in")
    stage.engine.hears("k", "in")
    stage.engine.hears("k", "in", ssrc=78)
    assert await stage.told() == [
        TrackFirstRtp(seq=1, call="c", leg="k", track="in", ssrc=77),
        TrackFirstRtp(seq=2, call="c", leg="k", track="in", ssrc=78),
    ]
    with pytest.raises(EngineError, match="unknown_track"):
        stage.engine.hears("k", "else")


async def test_the_first_report_on_each_output_is_told(stage: Stage) -> None:
    stage.engine.accepts("b", 12)
    stage.engine.accepts("b", 12, "nack")
    stage.engine.accepts("b", 11, "pli")
    assert await stage.told() == [
        TrackAccepted(seq=1, call="c", leg="b", track="out", ssrc=12, by="rr"),
        TrackAccepted(seq=2, call="c", leg="b", track="out", ssrc=11, by="pli"),
    ]
    with pytest.raises(EngineError, match="unknown_track"):
        stage.engine.accepts("b", 99)


async def test_a_failed_leg_is_gone(stage: Stage) -> None:
    last = stage.engine.legs["b"].stats(stage.clock.now())
    stage.engine.peer_fails("b", "fingerprint")
    assert await stage.told() == [LegFailed(seq=1, call="c", leg="b", why="fingerprint", stats=last)]
    assert list(stage.engine.legs) == ["k"]


async def test_packets_go_along_routes_that_are_on_to_legs_that_are_up(stage: Stage) -> None:
    engine = stage.engine
    assert engine.flows("k", "in") == []
    engine.peer_up("b")
    assert engine.flows("k", "in") == [TrackRef(leg="b", track="out")]
    engine.hears("k", "in")
    counted = {(t.track, t.direction): t.packets for t in engine.legs["b"].stats(0).tracks}
    assert counted == {("in", "recv"): 0, ("out", "send"): 1}
    await engine.call_route(CallRoute(call="c", rev=2, routes=[route("k", "b", on=False)]))
    assert engine.flows("k", "in") == []
    assert engine.routes("c") == [route("k", "b", on=False)]


async def test_figures_are_those_of_the_virtual_packets(stage: Stage) -> None:
    engine = stage.engine
    stage.pass_s(2)
    engine.peer_up("k")
    engine.peer_up("b", "10.0.0.1:5")
    engine.peer_up("b", "10.0.0.1:5")
    engine.peer_up("b", "10.0.0.1:6")
    stage.pass_s(1)
    for _ in range(3):
        engine.hears("k", "in", ssrc=78)
    engine.measures("b", rtt_ms=40.0, mos=4.2, jitter_ms=1.5)
    engine.measures("k", rtt_ms=20.0, jitter_ms=2.5)
    business, consumer = (engine.legs[leg].stats(stage.clock.now()) for leg in "bk")
    assert (business.ice_ms, business.dtls_ms, business.path_changes) == (2000.0, 1.0, 1)
    assert (business.rtt_ms, business.srtt_ms, business.mos) == (40.0, 40.0, 4.2)
    received, sent = consumer.tracks[0], business.tracks[1]
    assert (received.ssrcs, received.packets, received.lost, received.duplicates) == ([78], 3, 0, 0)
    assert (received.first_rtp_ms, received.jitter_ms) == (3000.0, 2.5)
    assert (sent.packets, sent.bytes, sent.first_rtp_ms, sent.remote_lost) == (3, 240, 3000.0, None)


async def test_the_first_route_that_is_on_feeds_a_track(stage: Stage) -> None:
    await stage.engine.leg_create("c", "m")
    stage.engine.peer_up("b")
    await stage.engine.call_route(CallRoute(call="c", rev=2, routes=[route("m", "b"), route("k", "b")]))
    assert stage.engine.flows("m", "in") == [TrackRef(leg="b", track="out")]
    assert stage.engine.flows("k", "in") == []


# --- timers -----------------------------------------------------------------------------------------------------------


async def test_a_peer_that_is_up_is_heard_for_ever(stage: Stage) -> None:
    stage.engine.peer_up("b")
    stage.pass_s(3600)
    assert await stage.kinds() == [LegIce, LegDtls]


async def test_a_silent_peer_is_warned_of_and_then_dead(stage: Stage) -> None:
    stage.engine.peer_up("b")
    stage.engine.hears("b", "in")
    stage.engine.goes_silent("b")
    stage.pass_s(4.9)
    stage.pass_s(10)
    stage.pass_s(15)
    assert (await stage.told())[3:] == [
        TrackStalled(seq=4, call="c", leg="b", track="in", silent_ms=5000),
        LegConsentLost(seq=6, call="c", leg="b", silent_ms=15_000),
    ]
    assert stage.pass_s(0.2) == 1
    assert "b" not in stage.engine.legs


async def test_a_peer_that_is_heard_again_starts_afresh(stage: Stage) -> None:
    stage.engine.peer_up("b")
    stage.engine.goes_silent("b")
    stage.pass_s(20)
    stage.engine.hears("b", "in")
    stage.pass_s(29)
    stage.engine.goes_silent("b")
    stage.pass_s(15)
    assert await stage.kinds() == [LegIce, LegDtls, LegConsentLost, TrackFirstRtp, TrackStalled, LegConsentLost]


async def test_a_muted_track_stalls_once(stage: Stage) -> None:
    stage.engine.peer_up("b")
    stage.engine.hears("b", "in")
    stage.engine.mutes("b", "in")
    stage.pass_s(60)
    stage.pass_s(60)
    assert await stage.kinds() == [LegIce, LegDtls, TrackFirstRtp, TrackStalled]


async def test_a_peer_that_says_goodbye(stage: Stage) -> None:
    stage.engine.peer_up("b")
    stage.engine.peer_bye("b")
    stage.pass_s(4.9)
    stage.pass_s(0.1)
    told = await stage.told()
    assert told[2:] == [LegBye(seq=3, call="c", leg="b")]
    assert "b" in stage.engine.legs
    stage.pass_s(25)
    assert "b" not in stage.engine.legs


async def test_events_of_one_tick_come_in_order_of_time() -> None:
    stage = Stage()
    await stage.build(Timers(conn_ms=20_000, dead_ms=8_000, bye_ms=1_000))
    stage.engine.peer_up("b")
    stage.engine.peer_bye("b")
    stage.pass_s(60)
    told = await stage.told()
    assert [(type(event), getattr(event, "leg", "")) for event in told[2:]] == [
        (LegBye, "b"),
        (LegFailed, "b"),
        (LegFailed, "k"),
    ]
    assert [event.why for event in told if isinstance(event, LegFailed)] == ["dead", "conn_timeout"]


async def test_timers_that_are_off() -> None:
    stage = Stage()
    await stage.build(Timers(conn_ms=None, dead_ms=None, bye_ms=None))
    stage.engine.peer_up("b")
    stage.engine.peer_bye("b")
    stage.pass_s(14)
    assert await stage.kinds() == [LegIce, LegDtls]


async def test_the_connection_timer_starts_when_it_is_first_set_and_ends_when_up(stage: Stage) -> None:
    await stage.engine.leg_apply(_with_conn("b", 2))
    stage.pass_s(15)
    await stage.engine.leg_apply(_with_conn("b", 3))
    await stage.engine.leg_apply(_with_conn("k", 2))
    stage.engine.peer_up("k")
    stage.pass_s(5)
    failed = [event for event in await stage.told() if isinstance(event, LegFailed)]
    assert [(event.seq, event.leg, event.why, event.detail) for event in failed] == [
        (4, "b", "conn_timeout", "not connected in time")
    ]


async def test_stats_come_every_five_seconds_while_there_are_legs(stage: Stage) -> None:
    assert [stage.pass_s(4.9), stage.pass_s(0.1), stage.pass_s(600)] == [0, 1, 1]
    await stage.engine.call_close("c")
    assert stage.pass_s(600) == 0


# --- digits -----------------------------------------------------------------------------------------------------------


async def test_digits_keep_their_pace(stage: Stage) -> None:
    stage.engine.peer_up("b")
    assert (await stage.engine.leg_dtmf(LegDtmf(leg="b", track="out", digits="1,a"))).queued == 3
    assert stage.pass_s(0.499) == 0
    assert stage.pass_s(0.001) == 1
    # The gap of 0.1 s, the pause of 1 s, the next digit of 0.5 s.
    assert stage.pass_s(1.599) == 0
    assert (await stage.engine.leg_dtmf(LegDtmf(leg="b", track="out", digits="2"))).queued == 1
    assert stage.pass_s(0.001) == 1
    assert stage.pass_s(60) == 2
    digits = [event.digit for event in await stage.told() if isinstance(event, LegDtmfDone)]
    assert digits == ["1", "A", "2"]


async def test_digits_wait_until_the_peer_is_up(stage: Stage) -> None:
    await stage.engine.leg_dtmf(LegDtmf(leg="b", track="out", digits="1"))
    stage.pass_s(4)
    stage.engine.peer_up("b")
    assert stage.pass_s(0.4) == 0
    assert stage.pass_s(0.1) == 1


async def test_digits_of_a_track_that_is_gone_are_dropped(stage: Stage) -> None:
    stage.engine.peer_up("b")
    await stage.engine.leg_dtmf(LegDtmf(leg="b", track="out", digits="12"))
    await stage.engine.leg_apply(_changed("b", 2, []))
    stage.pass_s(4)
    assert await stage.kinds() == [LegIce, LegDtls]


# --- the engine as a whole --------------------------------------------------------------------------------------------


async def test_death_and_return(stage: Stage) -> None:
    stage.engine.peer_up("b")
    stage.engine.die()
    assert (stage.engine.calls, dict(stage.engine.legs)) == ([], {})
    with pytest.raises(EngineError, match="gone"):
        _ = stage.engine.hello
    with pytest.raises(EngineError, match="gone"):
        await stage.engine.call_create("c")
    stage.engine.come_back()
    await stage.build()
    stage.engine.peer_up("k")
    assert [event and event.seq for event in await stage.told()] == [1, 2, None, 1, 2]


async def test_hello_is_checked(stage: Stage) -> None:
    hello = await stage.engine.start()
    assert await stage.engine.ask(Hello(proto=PROTOCOL_VERSION, data_dir="00000000"), HelloOk) == hello
    with pytest.raises(EngineError, match="proto_mismatch"):
        await stage.engine.ask(Hello(proto=PROTOCOL_VERSION + 1, data_dir="00000000"), HelloOk)
    with pytest.raises(EngineError, match="data_dir_mismatch"):
        await stage.engine.ask(Hello(proto=PROTOCOL_VERSION, data_dir="else"), HelloOk)


async def test_what_was_asked_is_kept_in_order() -> None:
    engine = FakeEngine(SteppedClock(), capacity=1)
    await engine.call_create("c")
    with pytest.raises(EngineError, match="full"):
        await engine.call_create("d")
    assert engine.history == [CallCreate(call="c"), CallCreate(call="d")]


async def test_a_test_can_have_a_command_refused(stage: Stage) -> None:
    stage.engine.refuse_next(LegCreate, "full")
    await stage.engine.call_create("d")
    with pytest.raises(EngineError, match="full"):
        await stage.engine.leg_create("d", "l")
    await stage.engine.leg_create("d", "l")


async def test_a_command_is_answered_by_its_own_reply_alone(stage: Stage) -> None:
    with pytest.raises(TypeError):
        await stage.engine.ask(CallCreate(call="x"), Done)
    assert await stage.engine.ask(CallCreate(call="y"), CallCreateOk) == CallCreateOk(worker=0)


def _with_conn(leg: str, rev: int) -> LegApply:
    return LegApply(leg=leg, rev=rev, remote=REMOTE, timers=Timers(conn_ms=20_000), recv=[], send=[])


def _changed(leg: str, rev: int, send: list[SendTrack]) -> LegApply:
    return LegApply(leg=leg, rev=rev, remote=REMOTE, timers=Timers(), recv=[], send=send)
