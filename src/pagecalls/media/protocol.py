"""The media port: what the control plane asks of a media engine, and what the engine reports.

This is the one written list of commands and events. `crates/pagecalls-media/src/protocol.rs` states the same list in Rust, and
the engine prints it with `--protocol`; `tests/contract/test_media_protocol.py` compares the two.

On the wire a frame is a big-endian u32 length and that many bytes of JSON, at most 1 MiB. A command carries `id` and `op`; its
reply carries the same `id` and either `ok` (the reply's body) or `err` (`code`, `message`). An event carries `ev` and `seq`,
which counts from 1 without gaps for the life of the engine.

The engine knows no SDP, no versions and no policy. Each leg gets its full desired state (`LegApply`, with a growing `rev`) and
the engine makes it so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol

import msgspec

PROTOCOL_VERSION = 3
MAX_FRAME_BYTES = 1024 * 1024


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that crosses the border. Unknown members are ignored, as in the Rust side."""


# --- values -----------------------------------------------------------------------------------------------------------


class Candidate(Record, frozen=True, kw_only=True):
    """A host candidate that the engine listens on, as a peer should see it."""

    proto: Literal["udp", "tcp"]
    ip: str
    port: int


HashName = Literal["sha-1", "sha-256", "sha-384", "sha-512"]
HASH_NAMES: dict[str, HashName] = {"sha-1": "sha-1", "sha-256": "sha-256", "sha-384": "sha-384", "sha-512": "sha-512"}


class Fingerprint(Record, frozen=True, kw_only=True):
    """A certificate hash as in `a=fingerprint` (RFC 8122): lower-case algorithm, upper-case hex with colons."""

    alg: HashName
    value: str


class Remote(Record, frozen=True, kw_only=True):
    """The peer's transport facts. Any one of `fingerprints` may match its certificate.

    `role` is ours: `passive` means that the engine is the DTLS server.
    """

    ufrag: str
    pwd: str
    fingerprints: list[Fingerprint]
    role: Literal["passive", "active"] = "passive"


class Timers(Record, frozen=True, kw_only=True):
    """Milliseconds; `None` is off.

    `conn_ms` starts when it first becomes set on a leg that is not up, and reports `leg.failed` with `conn_timeout`. `dead_ms`
    is the silence (nothing authenticated: STUN, SRTP, SRTCP) after which a leg that once was heard fails with `dead`. `bye_ms`
    is the wait after the peer's close_notify before `leg.bye` (messenger-calling 3.1).
    """

    conn_ms: int | None = None
    dead_ms: int | None = 30_000
    bye_ms: int | None = 5_000


class Codec(Record, frozen=True, kw_only=True):
    """`key` is `name/clock[/channels]` in lower case: `opus/48000/2`, `telephone-event/8000`, `vp8/90000`.

    `rtx_pt` is the payload type of its repeats (RFC 4588, `apt`), which are no codec of their own.
    """

    key: str
    pt: int
    rtx_pt: int | None = None


class Extensions(Record, frozen=True, kw_only=True):
    """Negotiated RTP header extension ids (RFC 8285); `None` where not negotiated.

    `mid` sdes:mid, `level` ssrc-audio-level, `twcc` transport-wide-cc, `ast` abs-send-time, `rot` video-orientation,
    `ctype` video-content-type.
    """

    mid: int | None = None
    level: int | None = None
    twcc: int | None = None
    ast: int | None = None
    rot: int | None = None
    ctype: int | None = None


class RecvTrack(Record, frozen=True, kw_only=True):
    """A track that the peer sends us.

    A packet finds its track by SSRC, then MID, then the only track that has its payload type, then the first track of the kind
    without a stream. That holds for its RTX streams too, which `rtx_ssrcs` names or their payload type shows.

    `fb` are the agreed kinds of feedback as SDP names them: `nack`, `nack pli`, `ccm fir`, `goog-remb`, `transport-cc`.
    """

    track: str
    mid: str
    kind: Literal["audio", "video"]
    ssrcs: list[int] = []
    rtx_ssrcs: list[int] = []
    codecs: list[Codec]
    ext: Extensions
    fb: list[str] = []


class Output(Record, frozen=True, kw_only=True):
    """One copy of a sent track: equal payload, payload type, sequence number and timestamp; own SSRC and MID (messenger-calling
    6.6). `rtx_ssrc` carries its repeats; without one, or where the codec has no `rtx_pt`, they go out plain on `ssrc`."""

    ssrc: int
    mid: str
    rtx_ssrc: int | None = None


class SendTrack(Record, frozen=True, kw_only=True):
    """A track that we send to the peer, in one numbering, on one or more outputs."""

    track: str
    kind: Literal["audio", "video"]
    cname: str
    codecs: list[Codec]
    ext: Extensions
    fb: list[str] = []
    outputs: list[Output]


class TrackRef(Record, frozen=True, kw_only=True):
    """A track on a leg."""

    leg: str
    track: str


class OutputRef(Record, frozen=True, kw_only=True):
    """One output of a leg."""

    leg: str
    ssrc: int


class Route(Record, frozen=True, kw_only=True):
    """Packets of the received track `from_` go out on the sent track `to` while `on`; otherwise they are received and go no
    further."""

    from_: TrackRef = msgspec.field(name="from")
    to: TrackRef
    on: bool = True


class TrackCounters(Record, frozen=True, kw_only=True):
    """Figures of one direction of one track since its start; `None` is not known yet, or not for this direction.

    A track that had flowed and is no longer desired is still told, without `ssrcs`. When its name is desired again, its sums go
    on.

    `ssrcs`: the streams that carried a received track, the present outputs of a sent one. `packets` and `bytes` (payload) count
    each packet once, however often it came and on however many outputs it went. `bitrate_bps`: since the last `stats` event, or
    in the interval before while that is less than 1 s ago. `first_rtp_ms`: the first packet, counted from the apply that brought
    the track. `lost`: on the hop between this peer and the engine, after RFC 3550 A.3; towards the peer as its reports tell.

    Received tracks: `jitter_ms` (RFC 3550 A.8, telephone events left out), `reordered` (came after a later one), `duplicates`,
    `late` (more than 128 behind, so lost). Sent tracks: what the receiver reports of the whole way from the source:
    `remote_lost`, `remote_fraction_lost` (0 to 1, its last interval), `remote_jitter_ms`; the last two only while the report is
    younger than 15 s. `remote_reports`: how many there were.

    Video tracks, from their first packet on: `nacks`, `plis`, `firs` count the feedback messages that went to the sender of the
    track (received tracks: the engine's own and those passed on; sent tracks: those that came from the receiver). `rtx_packets`
    are the repeats that came or went as RTX streams, padding left out; they are in no other figure. A repeat that goes out plain,
    since the receiver has no RTX, counts here too.
    """

    track: str
    direction: Literal["recv", "send"]
    ssrcs: list[int] = []
    packets: int
    bytes: int
    bitrate_bps: int | None = None
    first_rtp_ms: float | None = None
    lost: int | None = None
    jitter_ms: float | None = None
    reordered: int | None = None
    duplicates: int | None = None
    late: int | None = None
    remote_lost: int | None = None
    remote_fraction_lost: float | None = None
    remote_jitter_ms: float | None = None
    remote_reports: int | None = None
    nacks: int | None = None
    plis: int | None = None
    firs: int | None = None
    rtx_packets: int | None = None


class LegStats(Record, frozen=True, kw_only=True):
    """One leg's state and figures; `None` is not known yet.

    `auth_failures` counts packets that SRTP or STUN refused, repeats left out, `dropped` those that no track wanted. `ice_ms`:
    from the first apply to the first valid pair. `dtls_ms`: from the first DTLS record to the keys. `path_changes`: moves to
    another address of the peer. `rtt_ms`, `srtt_ms`: engine to peer and back, the last measurement and a smoothed value;
    `rtt_measurements`: how many there were. `mos`: what the person at this leg may think of the sound that comes to them, 1 to
    4.5, over the whole way.
    """

    call: str
    leg: str
    rev: int
    ice: Literal["new", "connected"]
    dtls: Literal["new", "connecting", "connected", "closed", "failed"]
    profile: str | None = None
    remote: str | None = None
    silent_ms: int | None = None
    auth_failures: int = 0
    dropped: int = 0
    ice_ms: float | None = None
    dtls_ms: float | None = None
    path_changes: int = 0
    rtt_ms: float | None = None
    srtt_ms: float | None = None
    rtt_measurements: int = 0
    mos: float | None = None
    tracks: list[TrackCounters] = []


class WorkerCounters(Record, frozen=True, kw_only=True):
    """Datagrams that one worker of the engine lost or refused since it began.

    `unsent`: neither the kernel nor the queue of the TCP connection took them. `overflowed`: found the receive buffer full;
    `None` where the kernel does not tell. `strangers`: on a path of no leg, and no check that names one. `limited`: checks beyond
    what strangers may cause. `on_others_paths`: checks on a path on which another leg hears its peer. `handshakes`: beyond what
    may wait.
    """

    worker: int
    unsent: int = 0
    overflowed: int | None = None
    strangers: int = 0
    limited: int = 0
    on_others_paths: int = 0
    handshakes: int = 0


# --- commands and their replies ---------------------------------------------------------------------------------------


class Command(Record, frozen=True, kw_only=True, tag_field="op"):
    """What the control plane asks."""


class HelloOk(Record, frozen=True, kw_only=True):
    """The engine's self-description. `candidates` has one list per worker.

    `settings` is the text that it was started with (`--settings`); it means nothing to the engine.
    """

    proto: int
    data_dir: str
    node: str
    pid: int
    fingerprint: Fingerprint
    candidates: list[list[Candidate]]
    capacity: int
    settings: str


class Hello(Command, frozen=True, kw_only=True, tag="hello"):
    """Must be the first command of a connection; the newest connection that passes it owns the engine.

    Errors: `proto_mismatch`, `data_dir_mismatch`, `ending`.
    """

    proto: int
    data_dir: str


class CallCreateOk(Record, frozen=True, kw_only=True):
    """The worker that carries both legs."""

    worker: int


class CallCreate(Command, frozen=True, kw_only=True, tag="call.create"):
    """Errors: `exists`, `full`, `ending` once the engine was told to take no new calls."""

    call: str


class LegCreateOk(Record, frozen=True, kw_only=True):
    """Our ICE credentials and candidates for this leg."""

    ufrag: str
    pwd: str
    candidates: list[Candidate]


class LegCreate(Command, frozen=True, kw_only=True, tag="leg.create"):
    """A new leg that listens for its peer's checks as soon as `leg.apply` names the peer. Errors: `unknown_call`, `exists`,
    `full`."""

    call: str
    leg: str


class LegRestartOk(Record, frozen=True, kw_only=True):
    """Our new ICE credentials for this leg; the candidates stay."""

    ufrag: str
    pwd: str


class LegRestart(Command, frozen=True, kw_only=True, tag="leg.restart"):
    """An ICE restart (RFC 8445 9): new local credentials. Errors: `unknown_leg`.

    The old ones stay valid until the first authentic check with the new ones; checks with the old ones are ignored from then on.
    The peer's new credentials come with the next `leg.apply`. DTLS, SRTP and the path that media takes go on until a check with
    the new credentials moves it. Asked again before such a check, it makes new ones once more and forgets those that nobody used.
    """

    leg: str


class LegApplyOk(Record, frozen=True, kw_only=True):
    """The revision that is now in force: the highest seen."""

    rev: int


class LegApply(Command, frozen=True, kw_only=True, tag="leg.apply"):
    """The leg's full desired state. A `rev` at or below the one in force changes nothing. Errors: `unknown_leg`, `bad_state`.

    An output whose SSRC stays keeps its stream; one that is gone stops; a new one starts.
    """

    leg: str
    rev: int
    remote: Remote | None = None
    timers: Timers
    recv: list[RecvTrack]
    send: list[SendTrack]


class CallRouteOk(Record, frozen=True, kw_only=True):
    """The revision that is now in force."""

    rev: int


class CallRoute(Command, frozen=True, kw_only=True, tag="call.route"):
    """The call's full routing table; a `rev` at or below the one in force changes nothing. Errors: `unknown_call`,
    `unknown_leg`."""

    call: str
    rev: int
    routes: list[Route]


class LegDtmfOk(Record, frozen=True, kw_only=True):
    """Digits now waiting, the new ones included."""

    queued: int


class LegDtmf(Command, frozen=True, kw_only=True, tag="leg.dtmf"):
    """RFC 4733 events on a sent audio track; `,` is a pause of 1 s; at most 32 wait (messenger-calling 10).

    Errors: `unknown_leg`, `unknown_track`, `no_telephone_event`, `queue_full`, `bad_digits`.
    """

    leg: str
    track: str
    digits: str
    tone_ms: int = 500
    gap_ms: int = 100


class Done(Record, frozen=True, kw_only=True):
    """Nothing to report."""


class LegCloseOk(Record, frozen=True, kw_only=True):
    """The leg's last figures."""

    stats: LegStats


class LegClose(Command, frozen=True, kw_only=True, tag="leg.close"):
    """BYE, close_notify, and the leg is gone. Errors: `unknown_leg`."""

    leg: str


class CallCloseOk(Record, frozen=True, kw_only=True):
    """The last figures of every leg."""

    legs: list[LegStats]


class CallClose(Command, frozen=True, kw_only=True, tag="call.close"):
    """Closes every leg of the call. Errors: `unknown_call`."""

    call: str


class SnapshotOk(Record, frozen=True, kw_only=True):
    """One page. `seq` is the number of the last event sent before it; what a page shows may be newer, never older.

    `accepted` are the outputs for which `track.accepted` was told. `next` is the `after` of the next page, `None` on the last.
    """

    seq: int
    legs: list[LegStats]
    calls: list[str]
    accepted: list[OutputRef] = []
    next: str | None = None


class Snapshot(Command, frozen=True, kw_only=True, tag="snapshot"):
    """What the engine holds of the calls whose ids come after `after`, in order of id, as much as fits; or one call of it.

    A call that is there from the first page to the last is in exactly one page, whatever comes and goes meanwhile.
    """

    call: str | None = None
    after: str | None = None


class PingOk(Record, frozen=True, kw_only=True):
    """Every worker is alive; what each has lost and refused, in order."""

    workers: list[WorkerCounters] = []


class Ping(Command, frozen=True, kw_only=True, tag="ping"):
    """Answered when every worker has come round to it: a sign of life."""


class Exit(Command, frozen=True, kw_only=True, tag="exit"):
    """Ends all legs and the process."""


type_of_reply: dict[type[Command], type[Record]] = {
    Hello: HelloOk,
    CallCreate: CallCreateOk,
    LegCreate: LegCreateOk,
    LegRestart: LegRestartOk,
    LegApply: LegApplyOk,
    CallRoute: CallRouteOk,
    LegDtmf: LegDtmfOk,
    LegClose: LegCloseOk,
    CallClose: CallCloseOk,
    Snapshot: SnapshotOk,
    Ping: PingOk,
    Exit: Done,
}


# --- events -----------------------------------------------------------------------------------------------------------


class Event(Record, frozen=True, kw_only=True, tag_field="ev"):
    """What the engine reports."""

    seq: int


class LegIce(Event, frozen=True, kw_only=True, tag="leg.ice"):
    """The leg has its first valid pair, or moved to a new one."""

    call: str
    leg: str
    remote: str


class LegDtls(Event, frozen=True, kw_only=True, tag="leg.dtls"):
    """The handshake is done and the fingerprint matched: the leg is up. `handshake_ms` counts from the first DTLS record."""

    call: str
    leg: str
    profile: str
    handshake_ms: float


class TrackFirstRtp(Event, frozen=True, kw_only=True, tag="track.first_rtp"):
    """The first authenticated packet of a received stream."""

    call: str
    leg: str
    track: str
    ssrc: int


class TrackStalled(Event, frozen=True, kw_only=True, tag="track.stalled"):
    """A received track that had flowed has been silent for 5 s (legal: mute, DTX); once until it flows again."""

    call: str
    leg: str
    track: str
    silent_ms: int


class TrackAccepted(Event, frozen=True, kw_only=True, tag="track.accepted"):
    """The first report block, NACK, PLI or FIR that names this output: the far side receives it (messenger-calling 6.6, 4)."""

    call: str
    leg: str
    track: str
    ssrc: int
    by: Literal["rr", "nack", "pli", "fir"]


class LegDtmfDone(Event, frozen=True, kw_only=True, tag="leg.dtmf_done"):
    """A queued digit has been sent whole."""

    call: str
    leg: str
    track: str
    digit: str


class LegConsentLost(Event, frozen=True, kw_only=True, tag="leg.consent_lost"):
    """Nothing authenticated for 15 s; a warning, once until the leg is heard again."""

    call: str
    leg: str
    silent_ms: int


class LegFailed(Event, frozen=True, kw_only=True, tag="leg.failed"):
    """The leg is over and gone; `stats` are its last figures, `None` if a fault made them unsafe to read.

    `why`: `dtls` (handshake error), `fingerprint` (certificate is not the one in the SDP), `conn_timeout`, `dead`, `internal`.
    """

    call: str
    leg: str
    why: Literal["dtls", "fingerprint", "conn_timeout", "dead", "internal"]
    detail: str = ""
    stats: LegStats | None = None


class LegBye(Event, frozen=True, kw_only=True, tag="leg.bye"):
    """close_notify came and nothing more within `bye_ms`. The leg stays until it is closed."""

    call: str
    leg: str


class Stats(Event, frozen=True, kw_only=True, tag="stats"):
    """Legs, each every 5 s. Not all come in one event, nor at one time."""

    legs: list[LegStats]


AnyCommand = (
    Hello | CallCreate | LegCreate | LegRestart | LegApply | CallRoute | LegDtmf | LegClose | CallClose | Snapshot | Ping | Exit
)
AnyEvent = (
    LegIce | LegDtls | TrackFirstRtp | TrackStalled | TrackAccepted | LegDtmfDone | LegConsentLost | LegFailed | LegBye | Stats
)


class EngineError(Exception):
    """The engine refused a command (`code`, as listed at each command) or is not there (`code="gone"`)."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


class MediaEngine(Protocol):
    """A media engine, as the switchboard sees it. `engine.py` speaks to the real one, `fake.py` plays one."""

    @property
    def hello(self) -> HelloOk:
        """What the engine said of itself at the start. Raises `EngineError("gone")` while there is none."""
        ...

    @property
    def workers(self) -> Sequence[WorkerCounters]:
        """What the workers told of themselves last; empty before they have, and while there is no engine."""
        ...

    @property
    def is_ending(self) -> bool:
        """Whether the engine was told to end and takes no new calls, as far as a refusal (`ending`) has told."""
        ...

    async def call_create(self, call: str) -> CallCreateOk: ...
    async def leg_create(self, call: str, leg: str) -> LegCreateOk: ...
    async def leg_restart(self, leg: str) -> LegRestartOk: ...
    async def leg_apply(self, command: LegApply) -> LegApplyOk: ...
    async def call_route(self, command: CallRoute) -> CallRouteOk: ...
    async def leg_dtmf(self, command: LegDtmf) -> LegDtmfOk: ...
    async def leg_close(self, leg: str) -> LegCloseOk: ...
    async def call_close(self, call: str) -> CallCloseOk: ...
    async def snapshot(self, call: str | None = None) -> SnapshotOk:
        """Everything, all pages put together, or one call. `seq` is that of the first page."""
        ...

    def events(self) -> AsyncIterator[AnyEvent | None]:
        """Events in order, for one consumer. `None` says that the engine is lost and all its calls with it."""
        ...
