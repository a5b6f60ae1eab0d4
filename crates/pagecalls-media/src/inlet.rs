//! One received track and one stream that carries it: which payload types it takes, and what is counted of it.
//!
//! A track of video may have streams of repeats (RTX, RFC 4588) beside those of its media. They are counted apart: a repeat is no packet
//! of the track, and what a stream of repeats loses is no loss of it.

use std::time::{Duration, Instant};

use crate::keyframes::Ask;
use crate::protocol::{Kind, RecvTrack};
use crate::quality::Rate;
use crate::stats::Reception;
use crate::translate::{clock_hz, is_event};

/// A track that had flowed and is silent for this long has stalled.
const STALLED: Duration = Duration::from_secs(5);

/// Feedback messages that asked a sender for something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// For packets.
    pub nacks: u64,
    /// For pictures.
    pub plis: u64,
    /// For pictures, in full.
    pub firs: u64,
}

/// What was counted of a received track, over all streams that have carried it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Packets received.
    pub packets: u64,
    /// Payload bytes received.
    pub bytes: u64,
    /// Packets that did not come; see [`Reception::lost`].
    pub lost: i64,
    /// Packets that came after one with a higher number.
    pub reordered: u64,
}

impl Totals {
    /// These and what was counted of one stream more.
    #[must_use]
    pub fn with(self, reception: &Reception) -> Self {
        Self {
            packets: self.packets + reception.packets(),
            bytes: self.bytes + reception.bytes(),
            lost: self.lost + reception.lost(),
            reordered: self.reordered + reception.reordered(),
        }
    }
}

/// A received track.
pub struct Inlet {
    /// Tells this track from every other of the call, also from an earlier one of the same name.
    pub uid: u32,
    /// Its desired state.
    pub desired: RecvTrack,
    /// When a desired state brought the track that has flowed since.
    pub since: Instant,
    /// When the first packet came, on whichever stream.
    pub first: Option<Instant>,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that came so late that they cannot be told from repeats.
    pub late: u64,
    /// The bit rate of the payload.
    pub rate: Rate,
    /// What was asked of its sender.
    pub requests: Requests,
    /// Repeats that came on streams of their own.
    pub rtx_packets: u64,
    /// What was counted of streams that gave up their places.
    over: Totals,
    /// When the latest of these was heard last, and its jitter.
    over_jitter: Option<(Instant, Option<f64>)>,
    /// Payload types with their clocks; `None` for telephone events.
    clocks: Vec<(u8, Option<u32>)>,
    stall_told: bool,
}

impl Inlet {
    /// A track that no packet has come of.
    #[must_use]
    pub fn new(uid: u32, desired: RecvTrack, now: Instant) -> Self {
        let mut inlet = Self {
            uid,
            desired,
            since: now,
            first: None,
            duplicates: 0,
            late: 0,
            rate: Rate::default(),
            requests: Requests::default(),
            rtx_packets: 0,
            over: Totals::default(),
            over_jitter: None,
            clocks: Vec::new(),
            stall_told: false,
        };
        inlet.read_clocks();
        inlet
    }

    /// Takes the desired state that holds from now on.
    pub fn take_over(&mut self, desired: RecvTrack) {
        self.desired = desired;
        self.read_clocks();
    }

    /// A track that was gone is desired again: what was counted of it goes on.
    pub fn come_back(&mut self, uid: u32, desired: RecvTrack) {
        self.uid = uid;
        self.stall_told = false;
        self.take_over(desired);
    }

    /// A packet of the track came, and how long its payload is.
    pub fn flows(&mut self, payload_len: usize, now: Instant) {
        self.stall_told = false;
        if self.first.is_none() {
            self.first = Some(now);
            self.rate.begin(payload_len as u64, now);
        }
    }

    /// Whether the track has stalled, told once until it flows again.
    pub fn stalls(&mut self, silence: Duration) -> bool {
        let stalls = silence >= STALLED && !self.stall_told;
        self.stall_told |= stalls;
        stalls
    }

    /// Keeps what was counted of a stream that is over.
    pub fn keep(&mut self, source: &Source) {
        if source.is_rtx {
            return;
        }
        self.over = self.over.with(&source.reception);
        let is_latest = self
            .over_jitter
            .is_none_or(|(heard, _)| heard <= source.heard);
        if is_latest {
            self.over_jitter = Some((source.heard, source.reception.jitter_ms()));
        }
    }

    fn read_clocks(&mut self) {
        let codecs = self.desired.codecs.iter();
        let clock = |codec| (!is_event(codec)).then(|| clock_hz(&codec.key));
        self.clocks = codecs.map(|codec| (codec.pt, clock(codec))).collect();
    }

    /// What was counted of streams that are over: of a track that is gone, all that there is.
    #[must_use]
    pub fn totals_before(&self) -> Totals {
        self.over
    }

    /// The jitter of the one among these that was heard last.
    #[must_use]
    pub fn jitter_ms_before(&self) -> Option<f64> {
        self.over_jitter.and_then(|(_, jitter_ms)| jitter_ms)
    }

    /// Whether it is video.
    #[must_use]
    pub fn is_video(&self) -> bool {
        self.desired.kind == Kind::Video
    }

    /// The id of the transport-wide number in its packets, where that counts: on video (ruling 20).
    #[must_use]
    pub fn numbers_id(&self) -> Option<u8> {
        self.desired.ext.twcc.filter(|_| self.is_video())
    }

    /// Whether a payload type is one of its media, or of its repeats.
    #[must_use]
    pub fn takes(&self, pt: u8, is_rtx: bool) -> bool {
        let mut codecs = self.desired.codecs.iter();
        codecs.any(|codec| {
            if is_rtx {
                codec.rtx_pt == Some(pt)
            } else {
                codec.pt == pt
            }
        })
    }

    /// Whether a packet of this payload type is a repeat; `None` if it is nothing to the track.
    #[must_use]
    pub fn role(&self, pt: u8) -> Option<bool> {
        [false, true]
            .into_iter()
            .find(|is_rtx| self.takes(pt, *is_rtx))
    }

    /// The clock of this payload type's timestamps; `None` for telephone events and what was not agreed on.
    #[must_use]
    pub fn clock(&self, pt: u8) -> Option<u32> {
        let mut clocks = self.clocks.iter();
        clocks.find(|(known, _)| *known == pt)?.1
    }
}

/// A stream (SSRC) that carries a received track.
pub struct Source {
    /// Its SSRC.
    pub ssrc: u32,
    /// The track's place among the leg's.
    pub inlet: usize,
    /// Whether it carries repeats.
    pub is_rtx: bool,
    /// The key frame that it was asked for.
    pub ask: Ask,
    /// What has arrived.
    pub reception: Reception,
    /// When the last packet came.
    pub heard: Instant,
    /// When a report about it last went to its sender, ours or one passed back; at first when the stream began.
    pub reported: Instant,
    /// Whether any report went.
    pub was_reported: bool,
}
