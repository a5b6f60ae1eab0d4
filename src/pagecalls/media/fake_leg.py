"""One leg of the fake engine: its desired state, what its scripted peer does, and its timers.

The rules are those of `protocol.py`, as the real engine reads them. A peer that came up is heard for ever, as a real one is by
its consent checks, until the script says that it is silent. Times are Unix seconds of the injected clock, handed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal

from pagecalls.media.protocol import (
    AnyEvent,
    EngineError,
    Extensions,
    LegApply,
    LegBye,
    LegConsentLost,
    LegDtmf,
    LegDtmfDone,
    LegFailed,
    LegStats,
    RecvTrack,
    Remote,
    SendTrack,
    Timers,
    TrackCounters,
    TrackStalled,
)

CONSENT_LOST_S = 15.0
STALLED_S = 5.0
PAUSE_S = 1.0
QUEUE_DIGITS = 32
PACKET_BYTES = 80
HANDSHAKE_MS = 1.0
DIGITS = frozenset("0123456789*#ABCD")

Due = tuple[float, Callable[[float], AnyEvent | None]]
"""When something falls due, and what then happens; the event, if there is one, has no number yet."""


@dataclass(slots=True)
class _Tone:
    track: str
    digit: str
    tone_s: float
    gap_s: float


@dataclass(slots=True)
class Flow:
    """Virtual packets by track: how many, since when it was desired, and when the first went."""

    packets: dict[str, int] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    first_at: dict[str, float] = field(default_factory=dict)

    def desire(self, before: Collection[str], tracks: Collection[str], now: float) -> None:
        """These tracks are desired. One that has flowed counts from its first time, one that has not from its last."""
        self.since |= {track: now for track in tracks if track not in before and track not in self.first_at}

    def gone(self, tracks: Collection[str]) -> list[str]:
        """Those that have flowed and are no longer desired."""
        return [track for track in self.first_at if track not in tracks]

    def first_ms(self, track: str) -> float | None:
        """When the first packet came, from when the track was desired."""
        first = self.first_at.get(track)
        return None if first is None else round((first - self.since[track]) * 1000, 3)

    def count(self, track: str, now: float) -> None:
        """One packet more."""
        self.packets[track] = self.packets.get(track, 0) + 1
        self.first_at.setdefault(track, now)


@dataclass(slots=True)
class FakeLeg:
    """What the engine knows of one peer."""

    call: str
    id: str
    ufrag: str
    pwd: str
    applied: LegApply | None = None
    is_ice_up: bool = False
    dtls: Literal["new", "connecting", "connected", "closed", "failed"] = "new"
    profile: str | None = None
    remote: str | None = None
    applied_at: float | None = None
    paired_at: float | None = None
    path_changes: int = 0
    restarts: int = 0
    rtt_ms: float | None = None
    rtt_measurements: int = 0
    mos: float | None = None
    jitter_ms: float | None = None
    conn_since: float | None = None
    closed_at: float | None = None
    silent_since: float | None = None
    is_heard: bool = False
    consent_told: bool = False
    bye_told: bool = False
    track_silent_since: dict[str, float | None] = field(default_factory=dict)
    stall_told: set[str] = field(default_factory=set)
    sources: set[tuple[str, int]] = field(default_factory=set)
    accepted: set[int] = field(default_factory=set)
    retired: set[int] = field(default_factory=set)
    received: Flow = field(default_factory=Flow)
    sent: Flow = field(default_factory=Flow)
    digits: deque[_Tone] = field(default_factory=deque)
    next_digit_at: float = 0.0

    # --- desired state ------------------------------------------------------------------------------------------------

    @property
    def timers(self) -> Timers:
        """Those in force."""
        return Timers() if self.applied is None else self.applied.timers

    @property
    def is_up(self) -> bool:
        """Whether media can flow."""
        return self.dtls == "connected"

    def output_track(self, ssrc: int) -> str | None:
        """The sent track that has an output with this SSRC."""
        sends = [] if self.applied is None else self.applied.send
        return next((track.track for track in sends for output in track.outputs if output.ssrc == ssrc), None)

    def _owner(self, ssrc: int) -> str | None:
        """The sent track one of whose streams has this SSRC, repeats included."""
        sends = [] if self.applied is None else self.applied.send
        return next((track.track for track in sends if ssrc in _ssrcs(track)), None)

    def send_track(self, name: str) -> SendTrack | None:
        """A sent track."""
        sends = [] if self.applied is None else self.applied.send
        return next((track for track in sends if track.track == name), None)

    def apply(self, command: LegApply, now: float) -> int:
        """Take a desired state; the revision in force. Raises `EngineError("bad_state")`, changing nothing."""
        if self.applied is not None and command.rev <= self.applied.rev:
            return self.applied.rev
        self._check(command)
        sends = [] if self.applied is None else self.applied.send
        self.received.desire(self._names("recv"), [track.track for track in command.recv], now)
        self.sent.desire(self._names("send"), [track.track for track in command.send], now)
        self.applied = command
        self.applied_at = now if self.applied_at is None else self.applied_at
        self._forget_streams()
        self.retired |= {ssrc for track in sends for ssrc in _ssrcs(track) if self._owner(ssrc) is None}
        self.digits = deque(tone for tone in self.digits if self.send_track(tone.track) is not None)
        if command.timers.conn_ms is None:
            self.conn_since = None
        elif self.conn_since is None:
            self.conn_since = now
        return command.rev

    def _names(self, direction: Literal["recv", "send"]) -> list[str]:
        """The desired tracks."""
        if self.applied is None:
            return []
        tracks: list[RecvTrack] | list[SendTrack] = self.applied.recv if direction == "recv" else self.applied.send
        return [track.track for track in tracks]

    def _forget_streams(self) -> None:
        """A received track that is no longer desired has no streams: none of it stalls, and the next one is its first."""
        names = self._names("recv")
        self.sources = {source for source in self.sources if source[0] in names}
        self.track_silent_since = {track: since for track, since in self.track_silent_since.items() if track in names}
        self.stall_told.intersection_update(names)

    def _check(self, command: LegApply) -> None:
        outputs = [(ssrc, track.track) for track in command.send for ssrc in _ssrcs(track)]
        for place, (ssrc, track) in enumerate(outputs):
            moved = self._owner(ssrc) not in (None, track)
            if ssrc in self.retired or moved or any(other == ssrc for other, _ in outputs[:place]):
                raise EngineError("bad_state", f"output ssrc {ssrc} was or is used for another stream")
        for tracks in (command.recv, command.send):
            if len({track.track for track in tracks}) != len(tracks):
                raise EngineError("bad_state", "a track is listed twice")
            for one in tracks:
                _check_numbers(one.track, [pt for codec in one.codecs for pt in (codec.pt, codec.rtx_pt or 0)], one.ext)
        if command.remote is not None:
            _check_fingerprints(command.remote)

    # --- digits -------------------------------------------------------------------------------------------------------

    def queue_digits(self, command: LegDtmf, now: float) -> int:
        """All of the digits or none; how many wait. Raises `EngineError` as `LegDtmf` lists."""
        track = self.send_track(command.track)
        if track is None:
            raise EngineError("unknown_track", command.track)
        if not any(codec.key.startswith("telephone-event/") for codec in track.codecs):
            raise EngineError("no_telephone_event", command.track)
        digits = command.digits.upper()
        if not digits or not set(digits) <= DIGITS | {","}:
            raise EngineError("bad_digits", command.digits)
        waiting = len(self.digits) - self._is_playing(now) + len(digits)
        if waiting > QUEUE_DIGITS:
            raise EngineError("queue_full", "too many digits wait")
        if not self.digits:
            self.next_digit_at = max(self.next_digit_at, now)
        self.digits.extend(_Tone(command.track, digit, command.tone_ms / 1000, command.gap_ms / 1000) for digit in digits)
        return waiting

    def _is_playing(self, now: float) -> bool:
        return self.is_up and bool(self.digits) and self.next_digit_at <= now

    def _digit_done(self, now: float) -> AnyEvent | None:
        tone = self.digits.popleft()
        if tone.digit == ",":
            self.next_digit_at = now
            return None
        self.next_digit_at = now + tone.gap_s
        return LegDtmfDone(seq=0, call=self.call, leg=self.id, track=tone.track, digit=tone.digit)

    # --- silence ------------------------------------------------------------------------------------------------------

    def heard(self) -> None:
        """Something authentic came from the peer."""
        self.is_heard = True
        self.silent_since = None
        self.consent_told = False

    def paired(self, remote: str, now: float) -> None:
        """ICE has a pair, or another one than before."""
        self.path_changes += self.is_ice_up and remote != self.remote
        self.paired_at = now if self.paired_at is None else self.paired_at
        self.is_ice_up, self.remote = True, remote

    def silence(self, now: float) -> None:
        """From now on nothing comes."""
        if self.silent_since is None:
            self.silent_since = now
        for track, since in self.track_silent_since.items():
            self.track_silent_since[track] = now if since is None else since

    # --- timers -------------------------------------------------------------------------------------------------------

    def due(self) -> Iterator[Due]:
        """Everything that will fall due if nothing else happens."""
        timers = self.timers
        if self.conn_since is not None and timers.conn_ms is not None and self.profile is None:
            yield self.conn_since + timers.conn_ms / 1000, self._conn_timeout
        if self.silent_since is not None and self.is_heard:
            if timers.dead_ms is not None:
                yield self.silent_since + timers.dead_ms / 1000, self._dead
            if not self.consent_told:
                yield self.silent_since + CONSENT_LOST_S, self._consent_lost
        if self.closed_at is not None and timers.bye_ms is not None and not self.bye_told:
            yield self.closed_at + timers.bye_ms / 1000, self._bye
        for track, since in self.track_silent_since.items():
            if since is not None and track not in self.stall_told:
                yield since + STALLED_S, self._stalled(track)
        if self.digits and self.is_up:
            tone = self.digits[0]
            yield self.next_digit_at + (PAUSE_S if tone.digit == "," else tone.tone_s), self._digit_done

    def _conn_timeout(self, now: float) -> AnyEvent:
        return LegFailed(seq=0, call=self.call, leg=self.id, why="conn_timeout", detail="not connected in time")

    def _dead(self, now: float) -> AnyEvent:
        return LegFailed(seq=0, call=self.call, leg=self.id, why="dead", detail=f"silent for {self._silent_ms(now)} ms")

    def _consent_lost(self, now: float) -> AnyEvent:
        self.consent_told = True
        return LegConsentLost(seq=0, call=self.call, leg=self.id, silent_ms=self._silent_ms(now))

    def _bye(self, now: float) -> AnyEvent:
        self.bye_told = True
        return LegBye(seq=0, call=self.call, leg=self.id)

    def _stalled(self, track: str) -> Callable[[float], AnyEvent]:
        def stalled(now: float) -> AnyEvent:
            self.stall_told.add(track)
            return TrackStalled(seq=0, call=self.call, leg=self.id, track=track, silent_ms=int(STALLED_S * 1000))

        return stalled

    # --- telling ------------------------------------------------------------------------------------------------------

    def stats(self, now: float) -> LegStats:
        """State and counters."""
        applied = self.applied
        recv, send = self._names("recv"), self._names("send")
        received = [self._received(track) for track in recv]
        sent = [self._sent(track) for track in send]
        gone = [self._received(track) for track in self.received.gone(recv)]
        gone += [self._sent(track) for track in self.sent.gone(send)]
        return LegStats(
            call=self.call,
            leg=self.id,
            rev=0 if applied is None else applied.rev,
            ice="connected" if self.is_ice_up else "new",
            dtls=self.dtls,
            profile=self.profile,
            remote=self.remote,
            silent_ms=self._silent_ms(now) if self.is_heard else None,
            ice_ms=self._after_apply(self.paired_at),
            dtls_ms=None if self.profile is None else HANDSHAKE_MS,
            path_changes=self.path_changes,
            rtt_ms=self.rtt_ms,
            srtt_ms=self.rtt_ms,
            rtt_measurements=self.rtt_measurements,
            mos=self.mos,
            tracks=received + sent + gone,
        )

    def _received(self, track: str) -> TrackCounters:
        """Virtual packets are never lost, late or doubled."""
        packets = self.received.packets.get(track, 0)
        none_or_unknown = 0 if packets else None
        return TrackCounters(
            track=track,
            direction="recv",
            ssrcs=sorted(ssrc for name, ssrc in self.sources if name == track),
            packets=packets,
            bytes=packets * PACKET_BYTES,
            first_rtp_ms=self.received.first_ms(track),
            lost=none_or_unknown,
            jitter_ms=self.jitter_ms if packets else None,
            reordered=none_or_unknown,
            duplicates=none_or_unknown,
            late=none_or_unknown,
        )

    def _sent(self, track: str) -> TrackCounters:
        packets, desired = self.sent.packets.get(track, 0), self.send_track(track)
        return TrackCounters(
            track=track,
            direction="send",
            ssrcs=[] if desired is None else [output.ssrc for output in desired.outputs],
            packets=packets,
            bytes=packets * PACKET_BYTES,
            first_rtp_ms=self.sent.first_ms(track),
        )

    def _after_apply(self, at: float | None) -> float | None:
        return None if at is None or self.applied_at is None else round((at - self.applied_at) * 1000, 3)

    def _silent_ms(self, now: float) -> int:
        return 0 if self.silent_since is None else round((now - self.silent_since) * 1000)


def _ssrcs(track: SendTrack) -> list[int]:
    """Those of a sent track, repeats included."""
    return [ssrc for output in track.outputs for ssrc in (output.ssrc, output.rtx_ssrc) if ssrc is not None]


def _check_numbers(track: str, payload_types: list[int], ext: Extensions) -> None:
    if any(not 0 <= pt <= 127 for pt in payload_types):
        raise EngineError("bad_state", f"payload type of track {track}")
    if 0 in (ext.mid, ext.level, ext.twcc, ext.ast, ext.rot, ext.ctype):
        raise EngineError("bad_state", f"extension id 0 of track {track}")


_HASH_BYTES = {"sha-1": 20, "sha-256": 32, "sha-384": 48, "sha-512": 64}


def _check_fingerprints(remote: Remote) -> None:
    if not remote.fingerprints:
        raise EngineError("bad_state", "no fingerprint")
    for fingerprint in remote.fingerprints:
        pairs = fingerprint.value.split(":")
        is_hex = all(len(pair) == 2 and not set(pair.lower()) - set("0123456789abcdef") for pair in pairs)
        if not is_hex or len(pairs) != _HASH_BYTES[fingerprint.alg]:
            raise EngineError("bad_state", f"fingerprint {fingerprint.value}")
