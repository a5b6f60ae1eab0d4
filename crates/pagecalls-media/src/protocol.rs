//! The control protocol: what the control plane asks, and what the engine reports.
//!
//! This is the Rust half of one written list; `src/pagecalls/media/protocol.py` is the other half and its docstrings say what
//! each member means. `tests/data/protocol.json` holds one sample of each frame, and a test on either side decodes and encodes
//! them all. A frame on the wire is a big-endian `u32` length and that many bytes of JSON; framing lives in [`crate::frames`].
//!
//! This module knows JSON and nothing of calls, sockets or packets.

use std::io;

use serde::{Deserialize, Serialize};

/// The version that `hello` must name.
pub const PROTOCOL_VERSION: u32 = 3;

/// The longest frame that either side may send.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// Declares records together with the list of their member names on the wire, so that the two cannot part.
macro_rules! records {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            $(#[$meta])*
            pub struct $name { $($(#[$field_meta])* #[allow(missing_docs)] pub $field: $type,)* }

            impl $name {
                /// The member names, in the order of declaration.
                pub const MEMBERS: &'static [&'static str] = &[$(stringify!($field)),*];
            }
        )*
    };
}

/// Declares a tagged union of records, and the table of their tags and member names.
macro_rules! union {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $tag:literal,)* }) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        $(#[$meta])*
        pub enum $name { $(#[allow(missing_docs)] #[serde(rename = $tag)] $variant($variant),)* }

        impl $name {
            /// Each tag with its member names.
            pub const TABLE: &'static [(&'static str, &'static [&'static str])] = &[$(($tag, $variant::MEMBERS)),*];
        }

        $(impl From<$variant> for $name {
            fn from(body: $variant) -> Self {
                Self::$variant(body)
            }
        })*
    };
}

/// The transport below a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Proto {
    Udp,
    Tcp,
}

/// A certificate hash function, by its name in `a=fingerprint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum HashName {
    #[serde(rename = "sha-1")]
    Sha1,
    #[serde(rename = "sha-256")]
    Sha256,
    #[serde(rename = "sha-384")]
    Sha384,
    #[serde(rename = "sha-512")]
    Sha512,
}

/// Our part in the DTLS handshake: `passive` is the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Role {
    #[default]
    Passive,
    Active,
}

/// The media of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Kind {
    Audio,
    Video,
}

/// Which way a counted track runs, seen from the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Direction {
    Recv,
    Send,
}

/// How far ICE has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum IceState {
    New,
    Connected,
}

/// How far DTLS has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum DtlsState {
    New,
    Connecting,
    Connected,
    Closed,
    Failed,
}

/// The feedback that showed that an output is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum AcceptedBy {
    Rr,
    Nack,
    Pli,
    Fir,
}

/// Why a leg is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Why {
    Dtls,
    Fingerprint,
    ConnTimeout,
    Dead,
    Internal,
}

#[allow(clippy::unnecessary_wraps)] // serde wants the member's own type.
fn default_dead_ms() -> Option<u64> {
    Some(30_000)
}

#[allow(clippy::unnecessary_wraps)] // As above.
fn default_bye_ms() -> Option<u64> {
    Some(5_000)
}

fn default_on() -> bool {
    true
}

fn default_tone_ms() -> u32 {
    500
}

fn default_gap_ms() -> u32 {
    100
}

records! {
    /// A host candidate that the engine listens on, as a peer should see it.
    Candidate { proto: Proto, ip: String, port: u16, }

    /// A certificate hash as in `a=fingerprint` (RFC 8122).
    Fingerprint { alg: HashName, value: String, }

    /// The peer's transport facts; `role` is ours.
    Remote {
        ufrag: String,
        pwd: String,
        fingerprints: Vec<Fingerprint>,
        #[serde(default)]
        role: Role,
    }

    /// Milliseconds; `None` is off.
    Timers {
        #[serde(default)]
        conn_ms: Option<u64>,
        #[serde(default = "default_dead_ms")]
        dead_ms: Option<u64>,
        #[serde(default = "default_bye_ms")]
        bye_ms: Option<u64>,
    }

    /// A payload type and what it means: `name/clock[/channels]` in lower case.
    Codec {
        key: String,
        pt: u8,
        #[serde(default)]
        rtx_pt: Option<u8>,
    }

    /// Negotiated header extension ids (RFC 8285).
    #[derive(Default)]
    #[serde(default)]
    Extensions {
        mid: Option<u8>,
        level: Option<u8>,
        twcc: Option<u8>,
        ast: Option<u8>,
        rot: Option<u8>,
        ctype: Option<u8>,
    }

    /// A track that the peer sends us.
    RecvTrack {
        track: String,
        mid: String,
        kind: Kind,
        #[serde(default)]
        ssrcs: Vec<u32>,
        #[serde(default)]
        rtx_ssrcs: Vec<u32>,
        codecs: Vec<Codec>,
        ext: Extensions,
        #[serde(default)]
        fb: Vec<String>,
    }

    /// One copy of a sent track.
    Output {
        ssrc: u32,
        mid: String,
        #[serde(default)]
        rtx_ssrc: Option<u32>,
    }

    /// A track that we send to the peer, in one numbering, on one or more outputs.
    SendTrack {
        track: String,
        kind: Kind,
        cname: String,
        codecs: Vec<Codec>,
        ext: Extensions,
        #[serde(default)]
        fb: Vec<String>,
        outputs: Vec<Output>,
    }

    /// A track on a leg.
    TrackRef { leg: String, track: String, }

    /// One copy of a sent track on a leg.
    OutputRef { leg: String, ssrc: u32, }

    /// Packets of the received track `from` go out on the sent track `to` while `on`.
    Route {
        from: TrackRef,
        to: TrackRef,
        #[serde(default = "default_on")]
        on: bool,
    }

    /// Figures of one direction of one track since its start; `None` is not known, or not for this direction.
    TrackCounters {
        track: String,
        direction: Direction,
        #[serde(default)]
        ssrcs: Vec<u32>,
        packets: u64,
        bytes: u64,
        #[serde(default)]
        bitrate_bps: Option<u64>,
        #[serde(default)]
        first_rtp_ms: Option<f64>,
        #[serde(default)]
        lost: Option<i64>,
        #[serde(default)]
        jitter_ms: Option<f64>,
        #[serde(default)]
        reordered: Option<u64>,
        #[serde(default)]
        duplicates: Option<u64>,
        #[serde(default)]
        late: Option<u64>,
        #[serde(default)]
        remote_lost: Option<i64>,
        #[serde(default)]
        remote_fraction_lost: Option<f64>,
        #[serde(default)]
        remote_jitter_ms: Option<f64>,
        #[serde(default)]
        remote_reports: Option<u64>,
        #[serde(default)]
        nacks: Option<u64>,
        #[serde(default)]
        plis: Option<u64>,
        #[serde(default)]
        firs: Option<u64>,
        #[serde(default)]
        rtx_packets: Option<u64>,
    }

    /// One leg's state and counters.
    LegStats {
        call: String,
        leg: String,
        rev: u64,
        ice: IceState,
        dtls: DtlsState,
        #[serde(default)]
        profile: Option<String>,
        #[serde(default)]
        remote: Option<String>,
        #[serde(default)]
        silent_ms: Option<u64>,
        #[serde(default)]
        auth_failures: u64,
        #[serde(default)]
        dropped: u64,
        #[serde(default)]
        ice_ms: Option<f64>,
        #[serde(default)]
        dtls_ms: Option<f64>,
        #[serde(default)]
        path_changes: u64,
        #[serde(default)]
        rtt_ms: Option<f64>,
        #[serde(default)]
        srtt_ms: Option<f64>,
        #[serde(default)]
        rtt_measurements: u64,
        #[serde(default)]
        mos: Option<f64>,
        #[serde(default)]
        tracks: Vec<TrackCounters>,
    }

    /// Datagrams that one worker lost or refused since it began; `None` where the kernel does not tell.
    WorkerCounters {
        worker: u32,
        #[serde(default)]
        unsent: u64,
        #[serde(default)]
        overflowed: Option<u64>,
        #[serde(default)]
        strangers: u64,
        #[serde(default)]
        limited: u64,
        #[serde(default)]
        on_others_paths: u64,
        #[serde(default)]
        handshakes: u64,
    }

    /// Must be the first command of a connection.
    Hello { proto: u32, data_dir: String, }

    /// The engine's self-description.
    HelloOk {
        proto: u32,
        data_dir: String,
        node: String,
        pid: u32,
        fingerprint: Fingerprint,
        candidates: Vec<Vec<Candidate>>,
        capacity: u32,
        settings: String,
    }

    /// A new call.
    CallCreate { call: String, }

    /// The worker that carries both legs.
    CallCreateOk { worker: u32, }

    /// A new leg of a call.
    LegCreate { call: String, leg: String, }

    /// Our ICE credentials and candidates for this leg.
    LegCreateOk { ufrag: String, pwd: String, candidates: Vec<Candidate>, }

    /// New ICE credentials for a leg.
    LegRestart { leg: String, }

    /// Our new ICE credentials for this leg.
    LegRestartOk { ufrag: String, pwd: String, }

    /// The leg's full desired state.
    LegApply {
        leg: String,
        rev: u64,
        #[serde(default)]
        remote: Option<Remote>,
        timers: Timers,
        recv: Vec<RecvTrack>,
        send: Vec<SendTrack>,
    }

    /// The revision that is now in force.
    LegApplyOk { rev: u64, }

    /// The call's full routing table.
    CallRoute { call: String, rev: u64, routes: Vec<Route>, }

    /// The revision that is now in force.
    CallRouteOk { rev: u64, }

    /// Digits to send as RFC 4733 events.
    LegDtmf {
        leg: String,
        track: String,
        digits: String,
        #[serde(default = "default_tone_ms")]
        tone_ms: u32,
        #[serde(default = "default_gap_ms")]
        gap_ms: u32,
    }

    /// Digits now waiting, the new ones included.
    LegDtmfOk { queued: u32, }

    /// Nothing to report.
    Done {}

    /// BYE, `close_notify`, and the leg is gone.
    LegClose { leg: String, }

    /// The leg's last figures.
    LegCloseOk { stats: LegStats, }

    /// Closes every leg of the call.
    CallClose { call: String, }

    /// The last figures of every leg.
    CallCloseOk { legs: Vec<LegStats>, }

    /// One page of what the engine holds, or one call of it.
    Snapshot {
        #[serde(default)]
        call: Option<String>,
        #[serde(default)]
        after: Option<String>,
    }

    /// `seq` is the number of the last event sent before this page, `next` what the next page comes after.
    SnapshotOk {
        seq: u64,
        legs: Vec<LegStats>,
        calls: Vec<String>,
        #[serde(default)]
        accepted: Vec<OutputRef>,
        #[serde(default)]
        next: Option<String>,
    }

    /// Asks for a sign of life.
    Ping {}

    /// Every worker is alive; what each has lost and refused.
    PingOk {
        #[serde(default)]
        workers: Vec<WorkerCounters>,
    }

    /// Ends all legs and the process.
    Exit {}

    /// The leg has its first valid pair, or moved to a new one.
    LegIce { call: String, leg: String, remote: String, }

    /// The handshake is done and the fingerprint matched: the leg is up.
    LegDtls { call: String, leg: String, profile: String, handshake_ms: f64, }

    /// The first authenticated packet of a received stream.
    TrackFirstRtp { call: String, leg: String, track: String, ssrc: u32, }

    /// A received track that had flowed has been silent for 5 s.
    TrackStalled { call: String, leg: String, track: String, silent_ms: u64, }

    /// The first feedback that names this output.
    TrackAccepted { call: String, leg: String, track: String, ssrc: u32, by: AcceptedBy, }

    /// A queued digit has been sent whole.
    LegDtmfDone { call: String, leg: String, track: String, digit: String, }

    /// Nothing authenticated for 15 s.
    LegConsentLost { call: String, leg: String, silent_ms: u64, }

    /// The leg is over and gone; its last figures, unless a fault made them unsafe to read.
    LegFailed {
        call: String,
        leg: String,
        why: Why,
        #[serde(default)]
        detail: String,
        #[serde(default)]
        stats: Option<Box<LegStats>>,
    }

    /// `close_notify` came, and `bye_ms` have passed.
    LegBye { call: String, leg: String, }

    /// Legs, each every 5 s.
    Stats { legs: Vec<LegStats>, }
}

union! {
    /// What the control plane asks.
    #[serde(tag = "op")]
    Command {
        Hello = "hello",
        CallCreate = "call.create",
        LegCreate = "leg.create",
        LegRestart = "leg.restart",
        LegApply = "leg.apply",
        CallRoute = "call.route",
        LegDtmf = "leg.dtmf",
        LegClose = "leg.close",
        CallClose = "call.close",
        Snapshot = "snapshot",
        Ping = "ping",
        Exit = "exit",
    }
}

union! {
    /// The body of a reply; on the wire it carries no tag, since its command is known by `id`.
    #[serde(untagged)]
    Reply {
        HelloOk = "hello",
        CallCreateOk = "call.create",
        LegCreateOk = "leg.create",
        LegRestartOk = "leg.restart",
        LegApplyOk = "leg.apply",
        CallRouteOk = "call.route",
        LegDtmfOk = "leg.dtmf",
        SnapshotOk = "snapshot",
        LegCloseOk = "leg.close",
        CallCloseOk = "call.close",
        PingOk = "ping",
        Done = "done",
    }
}

union! {
    /// What the engine reports. The number `seq` is added when the event is sent ([`Numbered`]).
    #[serde(tag = "ev")]
    Event {
        LegIce = "leg.ice",
        LegDtls = "leg.dtls",
        TrackFirstRtp = "track.first_rtp",
        TrackStalled = "track.stalled",
        TrackAccepted = "track.accepted",
        LegDtmfDone = "leg.dtmf_done",
        LegConsentLost = "leg.consent_lost",
        LegFailed = "leg.failed",
        LegBye = "leg.bye",
        Stats = "stats",
    }
}

/// An event with its number: 1, 2, 3 and so on for the life of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Numbered {
    /// The number.
    pub seq: u64,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// Why the engine refused a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Code {
    ProtoMismatch,
    DataDirMismatch,
    Exists,
    Full,
    Ending,
    UnknownCall,
    UnknownLeg,
    UnknownTrack,
    BadState,
    NoTelephoneEvent,
    QueueFull,
    BadDigits,
    BadCommand,
    Internal,
}

/// A refusal, with a message for the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The machine-readable reason.
    pub code: Code,
    /// What was wrong, in words.
    pub message: String,
}

impl Refusal {
    /// A refusal with this reason and message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// What a command came to.
pub type Outcome = Result<Reply, Refusal>;

/// Why a frame could not be taken as a command.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Not a JSON object with an `id`: nobody could be answered.
    Undecodable,
    /// The `id` was there, but no command that we know.
    BadCommand {
        /// The number to answer to.
        id: u64,
        /// What was wrong.
        message: String,
    },
}

/// Reads a command frame (without its length) into its number and command.
pub fn decode_command(frame: &[u8]) -> Result<(u64, Command), FrameError> {
    #[derive(Deserialize)]
    struct Envelope {
        id: u64,
    }
    let envelope: Envelope = serde_json::from_slice(frame).map_err(|_| FrameError::Undecodable)?;
    match serde_json::from_slice(frame) {
        Ok(command) => Ok((envelope.id, command)),
        Err(error) => Err(FrameError::BadCommand {
            id: envelope.id,
            message: error.to_string(),
        }),
    }
}

/// Writes the frame that answers command `id`, with its length in front.
#[must_use]
pub fn encode_reply(id: u64, outcome: &Outcome) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Body<'a> {
        Ok(&'a Reply),
        Err(&'a Refusal),
    }
    #[derive(Serialize)]
    struct Envelope<'a> {
        id: u64,
        #[serde(flatten)]
        body: Body<'a>,
    }
    let body = match outcome {
        Ok(reply) => Body::Ok(reply),
        Err(refusal) => Body::Err(refusal),
    };
    framed(&Envelope { id, body })
}

/// Writes the frame of an event, with its length in front.
#[must_use]
pub fn encode_event(event: &Numbered) -> Vec<u8> {
    framed(event)
}

/// Bytes that a record takes in a frame.
#[must_use]
pub fn encoded_len(record: &impl Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    write(&mut count, record);
    count.0
}

fn framed(body: &impl Serialize) -> Vec<u8> {
    let mut frame = vec![0; 4];
    write(&mut frame, body);
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

fn write(into: &mut impl io::Write, record: &impl Serialize) {
    // Serialising plain records into memory cannot fail: no maps with odd keys, no I/O.
    serde_json::to_writer(into, record).expect("records serialise");
}

/// The protocol as data: its version and the member names of every record, for tests on the other side.
#[must_use]
pub fn description() -> serde_json::Value {
    let commands: serde_json::Map<_, _> = Command::TABLE
        .iter()
        .map(|(tag, names)| ((*tag).into(), (*names).into()))
        .collect();
    let mut replies: serde_json::Map<_, _> = Reply::TABLE
        .iter()
        .filter(|(tag, _)| *tag != "done")
        .map(|(tag, names)| ((*tag).into(), (*names).into()))
        .collect();
    replies.insert("exit".into(), Done::MEMBERS.into());
    let events: serde_json::Map<_, _> = Event::TABLE
        .iter()
        .map(|(tag, names)| {
            let members: Vec<&str> = std::iter::once("seq")
                .chain(names.iter().copied())
                .collect();
            ((*tag).into(), members.into())
        })
        .collect();
    let values = serde_json::json!({
        "Candidate": Candidate::MEMBERS,
        "Fingerprint": Fingerprint::MEMBERS,
        "Remote": Remote::MEMBERS,
        "Timers": Timers::MEMBERS,
        "Codec": Codec::MEMBERS,
        "Extensions": Extensions::MEMBERS,
        "RecvTrack": RecvTrack::MEMBERS,
        "Output": Output::MEMBERS,
        "SendTrack": SendTrack::MEMBERS,
        "TrackRef": TrackRef::MEMBERS,
        "OutputRef": OutputRef::MEMBERS,
        "Route": Route::MEMBERS,
        "TrackCounters": TrackCounters::MEMBERS,
        "LegStats": LegStats::MEMBERS,
        "WorkerCounters": WorkerCounters::MEMBERS,
    });
    serde_json::json!({
        "version": PROTOCOL_VERSION,
        "commands": commands,
        "replies": replies,
        "events": events,
        "values": values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_with_an_id_and_nonsense_can_be_answered() {
        let got = decode_command(br#"{"id": 7, "op": "leg.fly"}"#);
        assert!(matches!(got, Err(FrameError::BadCommand { id: 7, .. })));
        assert!(matches!(
            decode_command(br#"{"id": 7, "op": "leg.close"}"#),
            Err(FrameError::BadCommand { id: 7, .. })
        ));
    }

    #[test]
    fn a_frame_without_an_id_cannot_be_answered() {
        for frame in [
            &b""[..],
            b"{}",
            b"7",
            b"\xff",
            br#"{"id": -1, "op": "exit"}"#,
        ] {
            assert_eq!(decode_command(frame), Err(FrameError::Undecodable));
        }
    }

    #[test]
    fn defaults_are_those_of_the_written_list() {
        let (_, command) = decode_command(
            br#"{"id":1,"op":"leg.apply","leg":"l","rev":1,"timers":{},"recv":[],"send":[]}"#,
        )
        .unwrap();
        let Command::LegApply(apply) = command else {
            panic!("another command")
        };
        assert_eq!(
            apply.timers,
            Timers {
                conn_ms: None,
                dead_ms: Some(30_000),
                bye_ms: Some(5_000)
            }
        );
    }

    #[test]
    fn unknown_members_are_ignored() {
        let got = decode_command(br#"{"id":3,"op":"exit","later":true}"#);
        assert_eq!(got, Ok((3, Command::Exit(Exit {}))));
    }

    #[test]
    fn a_reply_frame_carries_its_length_and_one_of_ok_and_err() {
        let frame = encode_reply(9, &Ok(Done {}.into()));
        assert_eq!(&frame[..4], &((frame.len() - 4) as u32).to_be_bytes());
        assert_eq!(&frame[4..], br#"{"id":9,"ok":{}}"#);
        let frame = encode_reply(9, &Err(Refusal::new(Code::UnknownLeg, "l")));
        assert_eq!(
            &frame[4..],
            br#"{"id":9,"err":{"code":"unknown_leg","message":"l"}}"#
        );
    }

    #[test]
    fn the_description_names_every_command_and_its_members() {
        let description = description();
        assert_eq!(
            description["commands"]["leg.dtmf"],
            serde_json::json!(["leg", "track", "digits", "tone_ms", "gap_ms"])
        );
        assert_eq!(
            description["events"]["leg.bye"],
            serde_json::json!(["seq", "call", "leg"])
        );
        assert_eq!(description["replies"]["exit"], serde_json::json!([]));
    }
}
