//! What a peer sends: packets at a steady pace, each with the time it left and whose it is.

use std::time::Duration;

use pagecalls_media::rtp::{Fields, write_header};
use pagecalls_media::srtp::Outbound;
use serde::Deserialize;

use crate::measure::now_ns;
use crate::net::SLOT_LEN;

/// A voice, 25 dB below full scale (RFC 6464).
const LEVEL: [u8; 1] = [0x80 + 25];
/// Octets of a [`Stamp`].
const STAMP_LEN: usize = 20;
const NS_PER_S: u64 = 1_000_000_000;
/// The longest payload: what a slot holds beside header, extension and tag.
const MAX_OCTETS: u16 = SLOT_LEN as u16 - 100;

/// How a stream looks. The default is sound: Opus at 32 kbit/s, a packet in 20 ms.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shape {
    /// Its source.
    pub ssrc: u32,
    /// Its payload type.
    pub pt: u8,
    /// The id of the audio level in the header extension; 0 for none.
    pub level_id: u8,
    /// The id of the MID in the header extension; 0 for none.
    pub mid_id: u8,
    /// The MID.
    pub mid: String,
    /// The id of the transport-wide number in the header extension; 0 for none.
    pub twcc_id: u8,
    /// Times at which it sends, a second.
    pub per_s: f64,
    /// Packets at each of them: those of one frame.
    pub burst: u16,
    /// Octets of payload.
    pub octets: u16,
    /// Its clock.
    pub clock_hz: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            ssrc: 0,
            pt: 111,
            level_id: 0,
            mid_id: 0,
            mid: String::new(),
            twcc_id: 0,
            per_s: 50.0,
            burst: 1,
            octets: 80,
            clock_hz: 48_000,
        }
    }
}

impl Shape {
    /// Whether it can be sent; else why not.
    pub fn check(&self) -> Result<(), &'static str> {
        match self {
            Self { ssrc: 0, .. } => Err("a stream needs an SSRC"),
            Self { burst: 0, .. } => Err("a burst has at least one packet"),
            Self { octets, .. } if *octets > MAX_OCTETS => Err("the payload is too long"),
            Self { per_s, .. } if !(0.01..=10_000.0).contains(per_s) => {
                Err("a stream sends 0.01 to 10000 times a second")
            }
            Self { pt, .. } if *pt > 127 => Err("a payload type has 7 bits"),
            Self { mid, .. } if mid.len() > 16 => Err("the MID is too long"),
            _ => Ok(()),
        }
    }

    /// Time between two bursts.
    #[must_use]
    pub fn interval_ns(&self) -> u64 {
        Duration::from_secs_f64(1.0 / self.per_s).as_nanos() as u64
    }
}

/// What stands at the start of each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the packet left.
    pub sent_ns: u64,
    /// Which process sent it.
    pub token: u64,
    /// Which of its peers.
    pub peer: u32,
}

impl Stamp {
    fn write(self, payload: &mut [u8]) {
        if let Some(space) = payload.get_mut(..STAMP_LEN) {
            space[..8].copy_from_slice(&self.sent_ns.to_be_bytes());
            space[8..16].copy_from_slice(&self.token.to_be_bytes());
            space[16..].copy_from_slice(&self.peer.to_be_bytes());
        }
    }

    /// The stamp of a payload, if it is long enough for one.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let word = |at: usize| payload.get(at..at + 8)?.try_into().ok();
        let peer = payload.get(16..STAMP_LEN)?.try_into().ok()?;
        Some(Self {
            sent_ns: u64::from_be_bytes(word(0)?),
            token: u64::from_be_bytes(word(8)?),
            peer: u32::from_be_bytes(peer),
        })
    }
}

/// A stream of one peer.
#[derive(Debug)]
pub struct Stream {
    /// How it looks.
    pub shape: Shape,
    /// Whether it sends.
    pub on: bool,
    /// Grows whenever it starts or stops.
    pub epoch: u32,
    /// Packets since the last mark.
    pub sent: u64,
    seq: u16,
    ts: u32,
    has_begun: bool,
}

impl Stream {
    /// One that has sent nothing; numbers begin where `seed` says.
    #[must_use]
    pub fn new(shape: Shape, seed: u32) -> Self {
        Self {
            shape,
            on: false,
            epoch: 0,
            sent: 0,
            // Well below the wrap, so that no packet of the first seconds is taken for one from before it.
            seq: seed as u16 >> 2,
            ts: seed,
            has_begun: false,
        }
    }

    /// Whether it has sent anything.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Goes on to the next frame: what the packets of a burst have in common.
    pub fn next_frame(&mut self) {
        let ticks = u64::from(self.shape.clock_hz) * self.shape.interval_ns();
        let step = (ticks + NS_PER_S / 2) / NS_PER_S;
        self.ts = self.ts.wrapping_add(step as u32);
    }

    /// Writes and protects the next packet, the one with this number in its burst and this one among all of the peer's; returns its
    /// length, 0 if that failed.
    pub fn write(
        &mut self,
        slot: &mut [u8],
        (number, of_all): (u16, u16),
        stamp: Stamp,
        outbound: &mut Outbound,
    ) -> usize {
        let shape = &self.shape;
        // Of sound the first packet of a spurt is marked, of pictures the last of a frame (RFC 3551 4.1, RFC 7741 4.1).
        let marker = match shape.burst {
            1 => !self.has_begun,
            burst => number + 1 == burst,
        };
        let fields = Fields {
            pt: shape.pt,
            marker,
            padding: false,
            seq: self.seq,
            ts: self.ts,
            ssrc: shape.ssrc,
        };
        let of_all = of_all.to_be_bytes();
        // An id of 0 is left out by `write_header`.
        let elements = [
            (shape.level_id, &LEVEL[..]),
            (shape.mid_id, shape.mid.as_bytes()),
            (shape.twcc_id, &of_all[..]),
        ];
        let Some(header_len) = write_header(slot, &fields, elements.into_iter()) else {
            return 0;
        };
        let len = header_len + usize::from(shape.octets);
        slot[header_len..len].fill(0x55);
        stamp.write(&mut slot[header_len..len]);
        let Ok(len) = outbound.protect_rtp(slot, header_len, len) else {
            return 0;
        };
        self.seq = self.seq.wrapping_add(1);
        self.sent += 1;
        self.has_begun = true;
        len
    }

    /// A stamp of now.
    #[must_use]
    pub fn stamp(token: u64, peer: u32) -> Stamp {
        Stamp {
            sent_ns: now_ns(),
            token,
            peer,
        }
    }
}
