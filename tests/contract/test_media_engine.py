"""One suite for every media engine: the fake in memory, and the real one over its Unix socket."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from pagecalls.clock import SteppedClock
from pagecalls.media.commands import Commands
from pagecalls.media.fake import FakeEngine
from pagecalls.media.process import EngineProcess, EngineSettings
from pagecalls.media.protocol import (
    PROTOCOL_VERSION,
    AnyEvent,
    CallRoute,
    Codec,
    Done,
    EngineError,
    Exit,
    Extensions,
    Fingerprint,
    Hello,
    HelloOk,
    LegApply,
    LegDtmf,
    LegFailed,
    Output,
    Ping,
    PingOk,
    RecvTrack,
    Remote,
    Route,
    SendTrack,
    Snapshot,
    SnapshotOk,
    Timers,
    TrackRef,
    WorkerCounters,
)

OPUS = Codec(key="opus/48000/2", pt=111)
DTMF = Codec(key="telephone-event/48000", pt=110)
EXT = Extensions(mid=4)
PRINT = Fingerprint(alg="sha-256", value=":".join(["AB"] * 32))
REMOTE = Remote(ufrag="abcd", pwd="x" * 24, fingerprints=[PRINT])


@dataclass
class Rig:
    """An engine under test and what only its kind can do."""

    engine: EngineProcess | FakeEngine
    events: AsyncIterator[AnyEvent | None]
    clock: SteppedClock | None = None

    def pass_ms(self, ms: float) -> None:
        """Time that the real engine measures by itself."""
        if self.clock is not None and isinstance(self.engine, FakeEngine):
            self.clock.advance(ms / 1000)
            self.engine.tick()

    def kill(self) -> None:
        if isinstance(self.engine, FakeEngine):
            self.engine.die()
        else:
            os.kill(self.engine.hello.pid, signal.SIGKILL)

    def drain(self) -> None:
        """What SIGTERM does."""
        if isinstance(self.engine, FakeEngine):
            self.engine.drain()
        else:
            os.kill(self.engine.hello.pid, signal.SIGTERM)

    async def next_event(self) -> AnyEvent | None:
        async with asyncio.timeout(5):
            return await anext(self.events)


@pytest.fixture(params=["fake", "real"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    if request.param == "fake":
        clock = SteppedClock()
        fake = FakeEngine(clock)
        yield Rig(fake, fake.events(), clock)
        return
    engine = EngineProcess(EngineSettings(data_dir=tmp_path))
    await engine.start()
    try:
        yield Rig(engine, engine.events())
    finally:
        await engine.stop()


@pytest.fixture
def engine(rig: Rig) -> Commands:
    return rig.engine


def apply(leg: str, rev: int = 1, **changes: object) -> LegApply:
    """A legal state of an audio leg, with changes."""
    state: dict[str, object] = {
        "remote": REMOTE,
        "timers": Timers(),
        "recv": [RecvTrack(track="in", mid="0", kind="audio", ssrcs=[7], codecs=[OPUS], ext=EXT)],
        "send": [sent("out", 1, 2)],
    }
    return LegApply(leg=leg, rev=rev, **(state | changes))  # type: ignore[arg-type]


def sent(track: str, *ssrcs: int, codecs: list[Codec] | None = None, ext: Extensions = EXT) -> SendTrack:
    outputs = [Output(ssrc=ssrc, mid=str(place)) for place, ssrc in enumerate(ssrcs)]
    return SendTrack(track=track, kind="audio", cname="c", codecs=codecs or [OPUS, DTMF], ext=ext, outputs=outputs)


def with_rtx(track: SendTrack, rtx_ssrc: int) -> SendTrack:
    """The track with a stream of repeats on its first output."""
    first = msgspec.structs.replace(track.outputs[0], rtx_ssrc=rtx_ssrc)
    return msgspec.structs.replace(track, outputs=[first, *track.outputs[1:]])


def received(track: str, codecs: list[Codec] | None = None, ext: Extensions = EXT) -> RecvTrack:
    return RecvTrack(track=track, mid="0", kind="audio", codecs=codecs or [OPUS], ext=ext)


def route(from_leg: str, to_leg: str) -> Route:
    return Route(from_=TrackRef(leg=from_leg, track="in"), to=TrackRef(leg=to_leg, track="out"))


async def call_with_legs(engine: Commands, call: str, *legs: str) -> None:
    await engine.call_create(call)
    for leg in legs:
        await engine.leg_create(call, leg)


async def create_and_close(engine: Commands, call: str) -> str | None:
    """A call for a moment; the code with which it is refused."""
    try:
        await engine.call_create(call)
    except EngineError as error:
        return error.code
    await engine.call_close(call)
    return None


async def code_of(command: Awaitable[object]) -> str:
    """The code with which an awaitable command is refused."""
    with pytest.raises(EngineError) as caught:
        await command
    return caught.value.code


# --- hello ------------------------------------------------------------------------------------------------------------


async def test_hello(rig: Rig) -> None:
    hello = rig.engine.hello
    assert hello.proto == PROTOCOL_VERSION
    assert hello.capacity > 0
    assert hello.fingerprint.alg == "sha-256"
    assert len(bytes.fromhex(hello.fingerprint.value.replace(":", ""))) == 32
    assert hello.fingerprint.value == hello.fingerprint.value.upper()
    assert all(0 < candidate.port < 65536 for worker in hello.candidates for candidate in worker)
    assert any(candidate.proto == "udp" for candidate in hello.candidates[0])


async def test_hello_says_the_same_again(rig: Rig) -> None:
    hello = rig.engine.hello
    assert await rig.engine.ask(Hello(proto=PROTOCOL_VERSION, data_dir=hello.data_dir), HelloOk) == hello


# --- calls and legs ---------------------------------------------------------------------------------------------------


async def test_a_call_exists_once(engine: Commands) -> None:
    assert (await engine.call_create("c")).worker == 0
    assert await code_of(engine.call_create("c")) == "exists"


async def test_a_leg_exists_once_in_all_calls(engine: Commands) -> None:
    await call_with_legs(engine, "c", "l")
    await engine.call_create("d")
    assert await code_of(engine.leg_create("c", "l")) == "exists"
    assert await code_of(engine.leg_create("d", "l")) == "exists"


async def test_a_leg_needs_its_call(engine: Commands) -> None:
    assert await code_of(engine.leg_create("c", "l")) == "unknown_call"


async def test_a_leg_has_credentials_of_its_own(rig: Rig) -> None:
    await rig.engine.call_create("c")
    first, second = await rig.engine.leg_create("c", "l1"), await rig.engine.leg_create("c", "l2")
    assert len(first.ufrag) >= 4
    assert len(first.pwd) >= 22
    assert first.ufrag != second.ufrag
    assert first.pwd != second.pwd
    assert first.candidates == rig.engine.hello.candidates[0]


async def test_a_restart_gives_new_credentials_each_time(engine: Commands) -> None:
    assert await code_of(engine.leg_restart("l")) == "unknown_leg"
    await engine.call_create("c")
    created = await engine.leg_create("c", "l")
    await engine.leg_apply(apply("l"))
    first, second = await engine.leg_restart("l"), await engine.leg_restart("l")
    assert len({created.ufrag, first.ufrag, second.ufrag}) == len({created.pwd, first.pwd, second.pwd}) == 3
    assert len(second.ufrag) >= 4
    assert len(second.pwd) >= 22
    again = Remote(ufrag="dcba", pwd="y" * 24, fingerprints=[PRINT])
    assert (await engine.leg_apply(apply("l", 2, remote=again))).rev == 2


async def test_a_call_does_not_take_legs_without_end(engine: Commands) -> None:
    await call_with_legs(engine, "c", *(f"l{number}" for number in range(16)))
    assert await code_of(engine.leg_create("c", "one more")) == "full"


async def test_the_engine_does_not_take_calls_without_end(rig: Rig) -> None:
    for number in range(rig.engine.hello.capacity):
        await rig.engine.call_create(f"c{number}")
    assert await code_of(rig.engine.call_create("one more")) == "full"


async def test_commands_at_the_same_time_get_their_own_replies(engine: Commands) -> None:
    await asyncio.gather(*(engine.call_create(f"c{number}") for number in range(50)))
    legs = await asyncio.gather(*(engine.leg_create(f"c{number}", f"l{number}") for number in range(50)))
    assert len({leg.ufrag for leg in legs}) == 50


# --- the desired state ------------------------------------------------------------------------------------------------


async def test_apply_needs_its_leg(engine: Commands) -> None:
    assert await code_of(engine.leg_apply(apply("l"))) == "unknown_leg"


async def test_only_a_higher_revision_is_applied(engine: Commands) -> None:
    await call_with_legs(engine, "c", "l")
    assert (await engine.leg_apply(apply("l", 0))).rev == 0
    assert (await engine.leg_apply(apply("l", 5))).rev == 5
    assert (await engine.leg_apply(apply("l", 5, send=[]))).rev == 5
    assert (await engine.leg_apply(apply("l", 4, send=[]))).rev == 5
    assert (await engine.leg_dtmf(LegDtmf(leg="l", track="out", digits="1"))).queued == 1
    assert (await engine.leg_apply(apply("l", 6, send=[]))).rev == 6
    assert await code_of(engine.leg_dtmf(LegDtmf(leg="l", track="out", digits="1"))) == "unknown_track"


@pytest.mark.parametrize(
    "changes",
    [
        {"send": [sent("a", 1), sent("b", 1)]},
        {"send": [sent("a", 1, 1)]},
        {"send": [sent("a", 1), sent("a", 2)]},
        {"send": [sent("a", 1), with_rtx(sent("b", 2), 1)]},
        {"send": [with_rtx(sent("a", 1), 1)]},
        {"recv": [received("a"), received("a")]},
        {"send": [sent("a", 1, codecs=[Codec(key="opus/48000/2", pt=128)])]},
        {"recv": [received("a", codecs=[Codec(key="opus/48000/2", pt=200)])]},
        {"recv": [received("a", codecs=[Codec(key="vp8/90000", pt=96, rtx_pt=128)])]},
        {"recv": [received("a", ext=Extensions(mid=0))]},
        {"send": [sent("a", 1, ext=Extensions(level=0))]},
        {"remote": Remote(ufrag="abcd", pwd="x" * 24, fingerprints=[])},
        {"remote": Remote(ufrag="abcd", pwd="x" * 24, fingerprints=[Fingerprint(alg="sha-256", value="AB:CD")])},
        {"remote": Remote(ufrag="abcd", pwd="x" * 24, fingerprints=[Fingerprint(alg="sha-1", value="no")])},
    ],
)
async def test_an_impossible_state_changes_nothing(engine: Commands, changes: dict[str, object]) -> None:
    await call_with_legs(engine, "c", "l")
    await engine.leg_apply(apply("l", 1))
    assert await code_of(engine.leg_apply(apply("l", 2, **changes))) == "bad_state"
    assert [leg.rev for leg in (await engine.snapshot()).legs] == [1]


async def test_the_ssrc_of_an_output_that_is_gone_is_not_used_again(engine: Commands) -> None:
    await call_with_legs(engine, "c", "l")
    await engine.leg_apply(apply("l", 1, send=[sent("out", 1, 2)]))
    await engine.leg_apply(apply("l", 2, send=[sent("out", 2)]))
    assert await code_of(engine.leg_apply(apply("l", 3, send=[sent("out", 2, 1)]))) == "bad_state"
    assert await code_of(engine.leg_apply(apply("l", 3, send=[with_rtx(sent("out", 2), 1)]))) == "bad_state"
    assert (await engine.leg_apply(apply("l", 3, send=[sent("out", 2, 3)]))).rev == 3


async def test_an_output_does_not_move_to_another_track(engine: Commands) -> None:
    await call_with_legs(engine, "c", "l")
    await engine.leg_apply(apply("l", 1, send=[sent("out", 1)]))
    assert await code_of(engine.leg_apply(apply("l", 2, send=[sent("else", 1)]))) == "bad_state"


# --- routes -----------------------------------------------------------------------------------------------------------


async def test_routes_need_their_call_and_legs(engine: Commands) -> None:
    assert await code_of(engine.call_route(CallRoute(call="c", rev=1, routes=[]))) == "unknown_call"
    await call_with_legs(engine, "c", "l1", "l2")
    await call_with_legs(engine, "d", "l3")
    assert await code_of(engine.call_route(CallRoute(call="c", rev=1, routes=[route("l1", "nobody")]))) == "unknown_leg"
    assert await code_of(engine.call_route(CallRoute(call="c", rev=1, routes=[route("l3", "l1")]))) == "unknown_leg"
    assert (await engine.call_route(CallRoute(call="c", rev=1, routes=[route("l1", "l2"), route("l2", "l1")]))).rev == 1


async def test_only_a_higher_routing_revision_is_applied(engine: Commands) -> None:
    await call_with_legs(engine, "c", "l1", "l2")
    assert (await engine.call_route(CallRoute(call="c", rev=3, routes=[]))).rev == 3
    assert (await engine.call_route(CallRoute(call="c", rev=3, routes=[route("l1", "nobody")]))).rev == 3
    assert (await engine.call_route(CallRoute(call="c", rev=2, routes=[]))).rev == 3
    assert (await engine.call_route(CallRoute(call="c", rev=4, routes=[route("l1", "l2")]))).rev == 4


# --- digits -----------------------------------------------------------------------------------------------------------


async def test_digits_need_a_leg_a_track_and_an_event_codec(engine: Commands) -> None:
    assert await code_of(engine.leg_dtmf(LegDtmf(leg="l", track="out", digits="1"))) == "unknown_leg"
    await call_with_legs(engine, "c", "l")
    assert await code_of(engine.leg_dtmf(LegDtmf(leg="l", track="out", digits="1"))) == "unknown_track"
    await engine.leg_apply(apply("l", 1, send=[sent("out", 1, codecs=[OPUS])]))
    assert await code_of(engine.leg_dtmf(LegDtmf(leg="l", track="out", digits="1"))) == "no_telephone_event"


@pytest.mark.parametrize("digits", ["", "1E", "1 2", "\u0661"])
async def test_what_is_no_digit(engine: Commands, digits: str) -> None:
    await call_with_legs(engine, "c", "l")
    await engine.leg_apply(apply("l"))
    assert await code_of(engine.leg_dtmf(LegDtmf(leg="l", track="out", digits=digits))) == "bad_digits"


async def test_digits_wait_all_or_none(engine: Commands) -> None:
    await call_with_legs(engine, "c", "l")
    await engine.leg_apply(apply("l"))
    assert (await engine.leg_dtmf(LegDtmf(leg="l", track="out", digits="0123456789*#ABCD,"))).queued == 17
    assert await code_of(engine.leg_dtmf(LegDtmf(leg="l", track="out", digits="1" * 16))) == "queue_full"
    assert (await engine.leg_dtmf(LegDtmf(leg="l", track="out", digits="1" * 15))).queued == 32
    assert await code_of(engine.leg_dtmf(LegDtmf(leg="l", track="out", digits="1"))) == "queue_full"


# --- end --------------------------------------------------------------------------------------------------------------


async def test_a_closed_leg_is_gone_and_its_name_free(engine: Commands) -> None:
    assert await code_of(engine.leg_close("l")) == "unknown_leg"
    await call_with_legs(engine, "c", "l")
    await engine.leg_close("l")
    assert await code_of(engine.leg_close("l")) == "unknown_leg"
    assert await code_of(engine.leg_apply(apply("l"))) == "unknown_leg"
    await engine.leg_create("c", "l")


async def test_a_closed_call_takes_its_legs_along(engine: Commands) -> None:
    assert await code_of(engine.call_close("c")) == "unknown_call"
    await call_with_legs(engine, "c", "l1", "l2")
    await engine.call_close("c")
    assert await code_of(engine.call_close("c")) == "unknown_call"
    assert await code_of(engine.leg_close("l1")) == "unknown_leg"
    await call_with_legs(engine, "c", "l1")


async def test_what_ends_tells_its_last_figures(engine: Commands) -> None:
    await call_with_legs(engine, "c", "l1", "l2", "l3")
    await engine.leg_apply(apply("l1", 4))
    closed = (await engine.leg_close("l1")).stats
    assert (closed.call, closed.leg, closed.rev) == ("c", "l1", 4)
    assert [(track.track, track.ssrcs, track.packets) for track in closed.tracks] == [("in", [], 0), ("out", [1, 2], 0)]
    assert [leg.leg for leg in (await engine.call_close("c")).legs] == ["l2", "l3"]


async def test_nothing_is_known_of_a_leg_that_was_never_up(engine: Commands) -> None:
    await call_with_legs(engine, "c", "l")
    await engine.leg_apply(apply("l"))
    leg = (await engine.snapshot("c")).legs[0]
    assert (leg.ice_ms, leg.dtls_ms, leg.rtt_ms, leg.srtt_ms, leg.mos, leg.path_changes) == (None, None, None, None, None, 0)
    for track in leg.tracks:
        known = msgspec.to_builtins(track)
        assert {name for name, value in known.items() if value is not None} == {"track", "direction", "ssrcs", "packets", "bytes"}


async def test_snapshot(engine: Commands) -> None:
    await call_with_legs(engine, "c", "l1", "l2")
    await call_with_legs(engine, "d", "l3")
    await engine.leg_apply(apply("l3", 8))
    everything = await engine.snapshot()
    assert everything.seq == 0
    assert sorted(everything.calls) == ["c", "d"]
    assert sorted((leg.call, leg.leg, leg.rev, leg.ice, leg.dtls) for leg in everything.legs) == [
        ("c", "l1", 0, "new", "new"),
        ("c", "l2", 0, "new", "new"),
        ("d", "l3", 8, "new", "new"),
    ]
    one = await engine.snapshot("d")
    assert (one.calls, [leg.leg for leg in one.legs]) == (["d"], ["l3"])
    assert [(t.track, t.direction, t.packets) for t in one.legs[0].tracks] == [("in", "recv", 0), ("out", "send", 0)]
    nothing = await engine.snapshot("e")
    assert (nothing.calls, nothing.legs) == ([], [])


async def test_a_snapshot_in_pages_shows_every_call_once_while_others_come_and_go(engine: Commands) -> None:
    stay = [f"s{number:03}" for number in range(400)]
    go = [f"g{number}" for number in range(40)] + [f"t{number}" for number in range(40)]
    await asyncio.gather(*(call_with_legs(engine, call, f"{call}-b", f"{call}-k") for call in stay + go))
    pages = [await engine.ask(Snapshot(), SnapshotOk)]
    while pages[-1].next is not None:
        if go:
            closed = go.pop()
            await engine.call_close(closed)
            await engine.call_create(f"{closed}-again")
        pages.append(await engine.ask(Snapshot(after=pages[-1].next), SnapshotOk))
    assert len(pages) > 2
    seen = [call for page in pages for call in page.calls]
    assert sorted(set(seen)) == seen
    assert [call for call in seen if call in set(stay)] == stay
    for page in pages:
        assert [leg.call for leg in page.legs] == sorted(leg.call for leg in page.legs)
        assert {leg.call for leg in page.legs} <= set(page.calls)
        assert max(page.calls) <= (page.next or max(page.calls))
    whole = await engine.snapshot()
    assert set(stay) <= set(whole.calls)
    assert len({leg.leg for leg in whole.legs}) == len(whole.legs)
    assert (whole.next, whole.accepted) == (None, [])


async def test_a_snapshot_after_the_last_call_is_empty(engine: Commands) -> None:
    await engine.call_create("c")
    page = await engine.ask(Snapshot(after="c"), SnapshotOk)
    assert (page.calls, page.legs, page.next) == ([], [], None)


async def test_a_sign_of_life_has_every_worker(rig: Rig) -> None:
    told = (await rig.engine.ask(Ping(), PingOk)).workers
    assert told == [WorkerCounters(worker=0, overflowed=0)]
    async with asyncio.timeout(10):
        # The real one is asked once a second.
        while list(rig.engine.workers) != told:
            await rig.engine.ask(Ping(), PingOk)
    rig.kill()
    assert await rig.next_event() is None
    assert list(rig.engine.workers) == []


async def test_an_engine_that_drains_keeps_its_calls_and_takes_no_more(rig: Rig) -> None:
    await rig.engine.call_create("c")
    rig.drain()
    async with asyncio.timeout(5):
        # A signal arrives when it arrives.
        while (code := await create_and_close(rig.engine, "late")) is None:
            pass
    assert code == "ending"
    assert rig.engine.is_ending
    await rig.engine.leg_create("c", "l")
    assert (await rig.engine.snapshot()).calls == ["c"]


async def test_a_leg_that_does_not_come_up_in_time_fails(rig: Rig) -> None:
    await call_with_legs(rig.engine, "c", "l1", "l2")
    await rig.engine.leg_apply(apply("l1", timers=Timers(conn_ms=1)))
    await rig.engine.leg_apply(apply("l2"))
    rig.pass_ms(1)
    failed = await rig.next_event()
    assert isinstance(failed, LegFailed)
    assert (failed.seq, failed.call, failed.leg, failed.why) == (1, "c", "l1", "conn_timeout")
    assert failed.stats is not None
    assert (failed.stats.leg, failed.stats.rev, failed.stats.dtls) == ("l1", 1, "new")
    assert await code_of(rig.engine.leg_close("l1")) == "unknown_leg"
    snapshot = await rig.engine.snapshot()
    assert (snapshot.seq, [leg.leg for leg in snapshot.legs]) == (1, ["l2"])


async def test_a_lost_engine_is_told_once_and_answers_nothing(rig: Rig) -> None:
    await rig.engine.call_create("c")
    rig.kill()
    assert await rig.next_event() is None
    assert await code_of(rig.engine.call_create("d")) == "gone"


async def test_exit_is_a_loss_too(rig: Rig) -> None:
    await rig.engine.ask(Exit(), Done)
    assert await rig.next_event() is None


# --- capacity ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "real"])
async def small(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Commands]:
    """An engine that takes two calls."""
    if request.param == "fake":
        yield FakeEngine(SteppedClock(), capacity=2)
        return
    engine = EngineProcess(EngineSettings(data_dir=tmp_path, max_calls=2, workers=2, tcp_port=0))
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def test_a_full_engine_takes_a_call_when_another_has_ended(small: Commands) -> None:
    await small.call_create("one")
    await small.call_create("two")
    assert await code_of(small.call_create("three")) == "full"
    await small.call_close("one")
    await small.call_create("three")


async def test_media_over_tcp_is_one_more_candidate_and_survives_a_restart(tmp_path: Path) -> None:
    engine = EngineProcess(EngineSettings(data_dir=tmp_path, tcp_port=0, workers=2))
    before = await engine.start()
    try:
        kinds = [[each.proto for each in worker] for worker in before.candidates]
        assert kinds == [["udp", "tcp"], ["udp", "tcp"]]
        os.kill(before.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            assert await anext(engine.events()) is None
            while True:
                try:
                    after = engine.hello
                    break
                except EngineError:
                    await asyncio.sleep(0.01)
        assert after.pid != before.pid
        assert after.candidates == before.candidates
    finally:
        await engine.stop()
