"""A media engine in memory: the contract of `protocol.py` without packets, on the injected clock (ruling 17).

Tests play the peers by cues (`peer_up`, `hears`, `peer_bye`, ...), move the clock and call `tick`. What was asked and what is in
force can be looked at: `history`, `legs`, `routes`, `flows`. It refuses what the real engine refuses, with the same codes;
`tests/contract/test_media_engine.py` holds both to one suite.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from pagecalls.clock import Clock
from pagecalls.media.commands import Commands, R
from pagecalls.media.fake_leg import HANDSHAKE_MS, FakeLeg
from pagecalls.media.protocol import (
    PROTOCOL_VERSION,
    AnyEvent,
    CallClose,
    CallCloseOk,
    CallCreate,
    CallCreateOk,
    CallRoute,
    CallRouteOk,
    Candidate,
    Command,
    Done,
    EngineError,
    Exit,
    Fingerprint,
    Hello,
    HelloOk,
    LegApply,
    LegApplyOk,
    LegClose,
    LegCloseOk,
    LegCreate,
    LegCreateOk,
    LegDtls,
    LegDtmf,
    LegDtmfOk,
    LegFailed,
    LegIce,
    LegRestart,
    LegRestartOk,
    LegStats,
    OutputRef,
    Ping,
    PingOk,
    Record,
    Route,
    Snapshot,
    SnapshotOk,
    Stats,
    TrackAccepted,
    TrackFirstRtp,
    TrackRef,
    WorkerCounters,
)

STATS_S = 5.0
MAX_LEGS = 16
PAGE_CALLS = 3
"""Few, so that tests meet pages."""
CANDIDATE = Candidate(proto="udp", ip="127.0.0.1", port=40000)
FINGERPRINT = Fingerprint(alg="sha-256", value=":".join(f"{byte:02X}" for byte in range(32)))
PROFILE = "SRTP_AEAD_AES_128_GCM"


@dataclass(slots=True)
class _Call:
    legs: list[str] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    route_rev: int | None = None


class FakeEngine(Commands):
    """A `MediaEngine` whose peers are played by the test."""

    def __init__(self, clock: Clock, data_dir_id: str = "00000000", capacity: int = 2000) -> None:
        self._clock = clock
        self._data_dir_id = data_dir_id
        self._capacity = capacity
        self._calls: dict[str, _Call] = {}
        self._legs: dict[str, FakeLeg] = {}
        self._made_credentials = 0
        self._worker = WorkerCounters(worker=0, overflowed=0)
        self._seq = 0
        self._stats_at: float | None = None
        self._is_gone = False
        self._is_draining = False
        self.is_ending = False
        self._refusals: list[tuple[type[Command], EngineError]] = []
        self._events: asyncio.Queue[AnyEvent | type[StopAsyncIteration] | None] = asyncio.Queue()
        self.history: list[Command] = []
        """Every command, done or refused, in the order in which they came."""

    # --- the port -----------------------------------------------------------------------------------------------------

    async def start(self) -> HelloOk:
        """As `EngineProcess.start`: a newer owner takes the engine over; what nobody has read by then is lost to it."""
        self._events = asyncio.Queue()
        return self.hello

    async def stop(self) -> None:
        """As `EngineProcess.stop`: ends the events."""
        self._events.put_nowait(StopAsyncIteration)

    async def hand_over(self) -> None:
        """As `EngineProcess.hand_over`: ends the events and keeps the calls. A `twin` is what the next server finds."""
        self._events.put_nowait(StopAsyncIteration)

    @property
    def hello(self) -> HelloOk:
        """What this engine says of itself."""
        if self._is_gone:
            raise EngineError("gone", "the engine died")
        return HelloOk(
            proto=PROTOCOL_VERSION,
            data_dir=self._data_dir_id,
            node="fake",
            pid=1,
            fingerprint=FINGERPRINT,
            candidates=[[CANDIDATE]],
            capacity=self._capacity,
            settings="",
        )

    @property
    def workers(self) -> Sequence[WorkerCounters]:
        """The one worker, as of now."""
        return () if self._is_gone else (self._worker,)

    async def events(self) -> AsyncIterator[AnyEvent | None]:
        """Events in order, for one consumer; `None` at `die`. Ends with `stop`."""
        while not isinstance(event := await self._events.get(), type):
            yield event

    async def ask(self, command: Command, reply: type[R]) -> R:
        """Do a command. Others run in between, as they would with a real engine."""
        self.history.append(command)
        await asyncio.sleep(0)
        if self._is_gone:
            raise EngineError("gone", "the engine died")
        for place, (kind, refusal) in enumerate(self._refusals):
            if isinstance(command, kind):
                del self._refusals[place]
                raise refusal
        done = self._do(command)
        if not isinstance(done, reply):
            raise TypeError(f"{type(command).__name__} is not answered by {reply.__name__}")
        return done

    def _do(self, command: Command) -> Record:
        match command:
            case Hello():
                return self._greet(command)
            case CallCreate():
                return self._create_call(command)
            case LegCreate():
                return self._create_leg(command)
            case LegRestart():
                return self._restart(self._leg(command.leg))
            case LegApply():
                return LegApplyOk(rev=self._leg(command.leg).apply(command, self._clock.now()))
            case CallRoute():
                return CallRouteOk(rev=self._route(command))
            case LegDtmf():
                return LegDtmfOk(queued=self._leg(command.leg).queue_digits(command, self._clock.now()))
            case LegClose():
                return LegCloseOk(stats=self._drop(self._leg(command.leg)))
            case CallClose():
                return CallCloseOk(legs=self._close(command.call))
            case Snapshot():
                return self._snapshot(command.call, command.after)
            case Ping():
                return PingOk(workers=list(self.workers))
            case Exit():
                self.die()
            case _:
                raise EngineError("bad_command", type(command).__name__)
        return Done()

    def _greet(self, command: Hello) -> HelloOk:
        if command.proto != PROTOCOL_VERSION:
            raise EngineError("proto_mismatch", str(PROTOCOL_VERSION))
        if command.data_dir != self._data_dir_id:
            raise EngineError("data_dir_mismatch", self._data_dir_id)
        return self.hello

    def _create_call(self, command: CallCreate) -> CallCreateOk:
        if command.call in self._calls:
            raise EngineError("exists", command.call)
        if self._is_draining:
            self.is_ending = True
            raise EngineError("ending", "no new calls")
        if len(self._calls) >= self._capacity:
            raise EngineError("full", f"{self._capacity} calls are up")
        self._calls[command.call] = _Call()
        return CallCreateOk(worker=0)

    def _create_leg(self, command: LegCreate) -> LegCreateOk:
        call = self._call(command.call)
        if command.leg in self._legs:
            raise EngineError("exists", command.leg)
        if len(call.legs) >= MAX_LEGS:
            raise EngineError("full", "too many legs in this call")
        leg = FakeLeg(command.call, command.leg, *self._new_credentials())
        self._legs[leg.id] = leg
        call.legs.append(leg.id)
        if self._stats_at is None:
            self._stats_at = self._clock.now() + STATS_S
        return LegCreateOk(ufrag=leg.ufrag, pwd=leg.pwd, candidates=[CANDIDATE])

    def _restart(self, leg: FakeLeg) -> LegRestartOk:
        leg.ufrag, leg.pwd = self._new_credentials()
        leg.restarts += 1
        return LegRestartOk(ufrag=leg.ufrag, pwd=leg.pwd)

    def _new_credentials(self) -> tuple[str, str]:
        self._made_credentials += 1
        return f"fake{self._made_credentials:04}", f"{self._made_credentials:024}"

    def _route(self, command: CallRoute) -> int:
        call = self._call(command.call)
        if call.route_rev is not None and command.rev <= call.route_rev:
            return call.route_rev
        for end in (end for route in command.routes for end in (route.from_, route.to)):
            if end.leg not in call.legs:
                raise EngineError("unknown_leg", end.leg)
        call.routes = command.routes
        call.route_rev = command.rev
        return command.rev

    def _close(self, call: str) -> list[LegStats]:
        figures = [self._drop(self._legs[leg]) for leg in list(self._call(call).legs)]
        del self._calls[call]
        return figures

    def _snapshot(self, only: str | None, after: str | None) -> SnapshotOk:
        now = self._clock.now()
        wanted = [call for call in sorted(self._calls) if call == only or (only is None and call > (after or ""))]
        calls = wanted[:PAGE_CALLS]
        legs = [self._legs[leg] for call in calls for leg in self._calls[call].legs]
        return SnapshotOk(
            seq=self._seq,
            legs=[leg.stats(now) for leg in legs],
            calls=calls,
            accepted=[
                OutputRef(leg=leg.id, ssrc=ssrc) for leg in legs for ssrc in sorted(leg.accepted) if leg.output_track(ssrc)
            ],
            next=calls[-1] if len(wanted) > len(calls) else None,
        )

    def _call(self, call: str) -> _Call:
        try:
            return self._calls[call]
        except KeyError:
            raise EngineError("unknown_call", call) from None

    def _leg(self, leg: str) -> FakeLeg:
        try:
            return self._legs[leg]
        except KeyError:
            raise EngineError("unknown_leg", leg) from None

    def _drop(self, leg: FakeLeg) -> LegStats:
        del self._legs[leg.id]
        self._calls[leg.call].legs.remove(leg.id)
        if not self._legs:
            self._stats_at = None
        return leg.stats(self._clock.now())

    # --- cues: what the peers do --------------------------------------------------------------------------------------

    def peer_up(self, leg: str, remote: str = "127.0.0.1:50000") -> None:
        """ICE has a pair and DTLS is done. The peer is heard from now on."""
        peer = self._leg(leg)
        if peer.applied is None or peer.applied.remote is None:
            raise EngineError("bad_state", f"{leg} does not know its peer yet")
        peer.heard()
        peer.paired(remote, self._clock.now())
        peer.dtls, peer.profile = "connected", PROFILE
        peer.next_digit_at = max(peer.next_digit_at, self._clock.now())
        self._emit(LegIce(seq=0, call=peer.call, leg=leg, remote=remote))
        self._emit(LegDtls(seq=0, call=peer.call, leg=leg, profile=PROFILE, handshake_ms=HANDSHAKE_MS))

    def peer_fails(self, leg: str, why: Literal["dtls", "fingerprint", "conn_timeout", "dead", "internal"]) -> None:
        """The leg is over and gone."""
        peer = self._leg(leg)
        self._emit(LegFailed(seq=0, call=peer.call, leg=leg, why=why))

    def hears(self, leg: str, track: str, ssrc: int | None = None) -> None:
        """The peer sends a packet on a received track; it goes on along the routes."""
        peer = self._leg(leg)
        desired = next((one for one in (peer.applied.recv if peer.applied else []) if one.track == track), None)
        if desired is None:
            raise EngineError("unknown_track", track)
        source = (track, ssrc if ssrc is not None else next(iter(desired.ssrcs), 1))
        peer.heard()
        peer.track_silent_since[track] = None
        peer.stall_told.discard(track)
        peer.received.count(track, self._clock.now())
        for target in self.flows(leg, track):
            self._legs[target.leg].sent.count(target.track, self._clock.now())
        if source not in peer.sources:
            peer.sources.add(source)
            self._emit(TrackFirstRtp(seq=0, call=peer.call, leg=leg, track=track, ssrc=source[1]))

    def accepts(self, leg: str, ssrc: int, by: Literal["rr", "nack", "pli", "fir"] = "rr") -> None:
        """The peer reports on one of our outputs; only the first report is told."""
        peer = self._leg(leg)
        track = peer.output_track(ssrc)
        if track is None:
            raise EngineError("unknown_track", f"no output {ssrc}")
        peer.heard()
        if ssrc not in peer.accepted:
            peer.accepted.add(ssrc)
            self._emit(TrackAccepted(seq=0, call=peer.call, leg=leg, track=track, ssrc=ssrc, by=by))

    def measures(self, leg: str, rtt_ms: float, mos: float | None = None, jitter_ms: float | None = None) -> None:
        """What the next figures say of the way to this peer. The jitter is that of all its received tracks."""
        peer = self._leg(leg)
        peer.rtt_ms, peer.mos, peer.jitter_ms = rtt_ms, mos, jitter_ms
        peer.rtt_measurements += 1

    def counts(self, worker: WorkerCounters) -> None:
        """What the worker has lost and refused by now."""
        self._worker = worker

    def mutes(self, leg: str, track: str) -> None:
        """The peer sends nothing more on this track, and is there all the same."""
        self._leg(leg).track_silent_since[track] = self._clock.now()

    def goes_silent(self, leg: str) -> None:
        """Nothing at all comes from the peer any more."""
        self._leg(leg).silence(self._clock.now())

    def peer_bye(self, leg: str) -> None:
        """The peer sends close_notify and nothing more."""
        peer = self._leg(leg)
        peer.heard()
        peer.dtls, peer.closed_at = "closed", self._clock.now()
        peer.silence(self._clock.now())

    def die(self) -> None:
        """The engine is lost, and all its calls."""
        self._calls.clear()
        self._legs.clear()
        self._stats_at = None
        self._is_gone = True
        self._events.put_nowait(None)

    def drain(self) -> None:
        """SIGTERM: no new calls."""
        self._is_draining = True

    def come_back(self) -> None:
        """A new engine runs in its place and knows nothing."""
        self._seq = 0
        self._worker = WorkerCounters(worker=0, overflowed=0)
        self._is_gone = self._is_draining = self.is_ending = False

    def twin(self, clock: Clock) -> FakeEngine:
        """An engine of its own in this one's state, which nobody owns: what is there after the server was killed."""
        twin = FakeEngine(clock, self._data_dir_id, self._capacity)
        twin._calls, twin._legs = copy.deepcopy((self._calls, self._legs))
        twin._made_credentials, twin._seq, twin._stats_at = self._made_credentials, self._seq, self._stats_at
        return twin

    def refuse_next(self, kind: type[Command], code: str) -> None:
        """The next command of this kind fails with `code`."""
        self._refusals.append((kind, EngineError(code, "the test asked for this")))

    def tick(self) -> int:
        """Do what has fallen due by the clock, in order of time; how many events came of it.

        However far the clock jumped, `stats` comes once.
        """
        before, now = self._seq, self._clock.now()
        while due := [one for leg in self._legs.values() for one in leg.due() if one[0] <= now]:
            at, happens = min(due, key=lambda one: one[0])
            event = happens(at)
            if event is not None:
                self._emit(event)
        if self._stats_at is not None and self._stats_at <= now:
            self._stats_at = now + STATS_S
            self._emit(Stats(seq=0, legs=[leg.stats(now) for leg in self._legs.values()]))
        return self._seq - before

    def _emit(self, event: AnyEvent) -> None:
        self._seq += 1
        if isinstance(event, LegFailed):
            event = msgspec.structs.replace(event, stats=self._drop(self._legs[event.leg]))
        self._events.put_nowait(msgspec.structs.replace(event, seq=self._seq))

    # --- looking in ---------------------------------------------------------------------------------------------------

    @property
    def legs(self) -> Mapping[str, FakeLeg]:
        """The legs that exist."""
        return self._legs

    @property
    def calls(self) -> list[str]:
        """The calls that exist."""
        return list(self._calls)

    def routes(self, call: str) -> list[Route]:
        """The call's routing table."""
        return self._call(call).routes

    def flows(self, leg: str, track: str) -> list[TrackRef]:
        """The sent tracks that a received track feeds now: on, both ends there, and the far leg up.

        Of several routes to one sent track, the first that is on feeds it.
        """
        routes = [route for route in self._calls[self._leg(leg).call].routes if route.on]
        targets = []
        for route in routes:
            far = self._legs.get(route.to.leg)
            first = next(other for other in routes if other.to == route.to)
            is_ours = route.from_ == TrackRef(leg=leg, track=track)
            if is_ours and first is route and far is not None and far.is_up and far.send_track(route.to.track) is not None:
                targets.append(route.to)
        return targets
