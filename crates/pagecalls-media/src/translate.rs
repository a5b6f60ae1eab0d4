//! How one stream becomes another: sequence numbers, timestamps, payload types and extension ids.
//!
//! Pure state without keys, sockets or clocks. The rules:
//!
//! - A sent track has one numbering for its whole life, whatever feeds it. It starts below 2^15, because a receiver that loses
//!   packets around a first wrap would count the cycles wrong for ever (RFC 3711 3.3.1).
//! - While one source feeds it, `out = in + delta`, so loss and reordering stay visible to the receiver.
//! - A new source, or one that comes back after a pause, goes on one number and one frame after the last packet.
//! - A packet that is put in (a DTMF event into silence) raises the delta, one that is left out lowers it. The last few deltas
//!   are kept, so that a late packet still gets the number that belongs to it, and that no number is ever used for two packets:
//!   with the same key that would break the encryption.

use std::time::Instant;

use crate::bits::{distance16, signed64, unsigned64};
use crate::protocol::{Codec, Extensions};

/// How many changes of the delta are remembered.
const SEGMENTS: usize = 8;

/// From the input number `start` on, `out = in + delta`. Both numbers are extended beyond 16 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Segment {
    start: i64,
    delta: i64,
}

/// Where an input packet goes in the output's numbers (extended; the low 16 bits are sent).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Newer than all before.
    New(u64),
    /// It was overtaken by others.
    Late(u64),
    /// So late that its number is no longer known, or from before a pause.
    TooOld,
}

/// An output number traced back to the source's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This very packet of the source.
    Packet(u16),
    /// Put in by us, after this packet of the source.
    Inserted(u16),
}

/// Numbers so far apart are no loss to anybody. Twice as much is still within the 15 bits that a numbering starts with.
const FAR: u16 = 1 << 13;

/// How far two numbers are from each other, whichever way around is shorter.
#[must_use]
pub fn apart(one: u16, other: u16) -> u16 {
    let ahead = one.wrapping_sub(other);
    ahead.min(ahead.wrapping_neg())
}

/// The numbering of one sent track.
#[derive(Clone, Debug)]
pub struct Numbering {
    clock_hz: u32,
    /// The next new number, extended.
    next: u64,
    /// The last packet's timestamp on the audio clock, and its time.
    last: Option<(u32, Instant)>,
    start_ts: u32,
    ts_delta: u32,
    highest_in: i64,
    segments: [Segment; SEGMENTS],
    used: usize,
}

impl Numbering {
    /// A numbering that has sent nothing. Only 15 bits of `start_seq` count.
    #[must_use]
    pub fn new(clock_hz: u32, start_seq: u16, start_ts: u32) -> Self {
        Self {
            clock_hz,
            next: u64::from(start_seq & 0x7fff),
            last: None,
            start_ts,
            ts_delta: 0,
            highest_in: 0,
            segments: [Segment::default(); SEGMENTS],
            used: 0,
        }
    }

    /// Starts far from where an earlier numbering of the same line stopped, before anything was sent: aiortc keeps one buffer for
    /// a line, whatever the source, and takes numbers that go on a little later for loss.
    #[must_use]
    pub fn far_from(mut self, gone: &Self) -> Self {
        if apart(self.next as u16, gone.next as u16) < FAR {
            self.next ^= u64::from(2 * FAR);
        }
        self
    }

    /// Lets a source go on from here; its packet `seq` at `ts` is the next to come.
    pub fn rebase(&mut self, seq: u16, ts: u32, frame: u32) {
        let start = i64::from(seq);
        self.highest_in = start - 1;
        self.segments[0] = Segment {
            start,
            delta: signed64(self.next) - start,
        };
        self.used = 1;
        let ts_out = self
            .last
            .map_or(self.start_ts, |(last, _)| last.wrapping_add(frame));
        self.ts_delta = ts_out.wrapping_sub(ts);
    }

    /// The place of the source's packet `seq`. Must follow a [`Self::rebase`].
    pub fn place(&mut self, seq: u16) -> Place {
        let input = self.extend(seq);
        let Some(latest) = self.segments[..self.used].last() else {
            return Place::TooOld;
        };
        if input > self.highest_in {
            self.highest_in = input;
            let out = unsigned64(input + latest.delta);
            self.next = out + 1;
            return Place::New(out);
        }
        let segment = self.segments[..self.used]
            .iter()
            .rev()
            .find(|segment| input >= segment.start);
        segment.map_or(Place::TooOld, |segment| {
            Place::Late(unsigned64(input + segment.delta))
        })
    }

    /// The place of the source's packet `seq`, which is no newer than the newest: for a repeat of it. Nothing changes.
    #[must_use]
    pub fn trace(&self, seq: u16) -> Option<u64> {
        let input = self.extend(seq);
        let segments = &self.segments[..self.used];
        let segment = segments.iter().rev().find(|one| input >= one.start)?;
        (input <= self.highest_in).then(|| unsigned64(input + segment.delta))
    }

    /// Leaves the source's packet `seq` out, and closes the gap that it would leave. A late packet changes nothing.
    pub fn skip(&mut self, seq: u16) {
        let input = self.extend(seq);
        let Some(latest) = self.segments[..self.used].last().copied() else {
            return;
        };
        if input > self.highest_in {
            self.highest_in = input;
            self.next = self.next.max(unsigned64(input + latest.delta));
            // A row of packets that are left out needs one segment, not one for each.
            if latest.start == input {
                self.used -= 1;
            }
            self.shift(latest.delta - 1);
        }
    }

    /// A number for a packet of our own.
    pub fn insert(&mut self) -> u64 {
        let out = self.next;
        self.next += 1;
        if let Some(latest) = self.segments[..self.used].last().copied() {
            self.shift(latest.delta + 1);
        }
        out
    }

    /// The output's timestamp for the source's.
    #[must_use]
    pub fn timestamp(&self, ts: u32) -> u32 {
        ts.wrapping_add(self.ts_delta)
    }

    /// Notes that a packet newer than all before was sent with `ts`. Packets that share a timestamp count from the first.
    pub fn sent(&mut self, ts: u32, now: Instant) {
        if self.last.is_none_or(|(last, _)| last != ts) {
            self.last = Some((ts, now));
        }
    }

    /// When the media clock last moved.
    #[must_use]
    pub fn last_sent(&self) -> Option<Instant> {
        self.last.map(|(_, at)| at)
    }

    /// Whether the source's packet `seq` is newer than all before.
    #[must_use]
    pub fn is_new(&self, seq: u16) -> bool {
        self.extend(seq) > self.highest_in
    }

    /// The media clock at `now`, counted on from the last packet.
    #[must_use]
    pub fn timestamp_at(&self, now: Instant) -> u32 {
        self.last.map_or(self.start_ts, |(ts, at)| {
            ts.wrapping_add(ticks(self.clock_hz, at, now))
        })
    }

    /// Traces the output number `seq` back to the present source; `None` when it belongs to an earlier one.
    #[must_use]
    pub fn origin(&self, seq: u16) -> Option<Origin> {
        let distance = distance16(self.next as u16, seq);
        let out = signed64(self.next) + i64::from(distance);
        let mut end = self.highest_in + 1;
        for segment in self.segments[..self.used].iter().rev() {
            if out >= segment.start + segment.delta {
                let input = out - segment.delta;
                // Beyond the segment's end lie the numbers that were put in before the next one began.
                return Some(if input < end {
                    Origin::Packet(low(input))
                } else {
                    Origin::Inserted(low(end - 1))
                });
            }
            end = segment.start;
        }
        None
    }

    fn extend(&self, seq: u16) -> i64 {
        let distance = distance16(low(self.highest_in), seq);
        self.highest_in + i64::from(distance)
    }

    fn shift(&mut self, delta: i64) {
        let segment = Segment {
            start: self.highest_in + 1,
            delta,
        };
        if self.segments[..self.used]
            .last()
            .is_some_and(|last| last.start == segment.start)
        {
            self.used -= 1;
        } else if self.used == SEGMENTS {
            self.segments.copy_within(1.., 0);
            self.used -= 1;
        }
        self.segments[self.used] = segment;
        self.used += 1;
    }
}

/// The 16 bits that are on the wire.
fn low(extended: i64) -> u16 {
    unsigned64(extended) as u16
}

fn ticks(clock_hz: u32, from: Instant, to: Instant) -> u32 {
    (to.saturating_duration_since(from).as_micros() * u128::from(clock_hz) / 1_000_000) as u32
}

/// What to do with a payload type of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Send it under this payload type.
    As(u8),
    /// A telephone event on a clock that the receiver does not take: make the digit anew.
    RemakeEvent,
    /// A telephone event, and the receiver takes none.
    DropEvent,
    /// The receiver does not know the codec.
    Drop,
}

/// A codec that both sides have, and the payload type of its repeats on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The source's payload type.
    pub from_pt: u8,
    /// The source's payload type of repeats.
    pub from_rtx_pt: Option<u8>,
    /// The receiver's payload type.
    pub pt: u8,
    /// The receiver's payload type of repeats.
    pub rtx_pt: Option<u8>,
}

/// Payload types of a received track as the sent track names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadMap {
    payloads: Vec<(u8, Payload)>,
    shared: Vec<Shared>,
}

impl PayloadMap {
    /// Pairs codecs by their key.
    #[must_use]
    pub fn new(from: &[Codec], to: &[Codec]) -> Self {
        let events = to.iter().any(is_event);
        let same = |codec: &Codec| to.iter().find(|other| other.key == codec.key);
        let payload = |codec: &Codec| match same(codec) {
            Some(same) => Payload::As(same.pt),
            None if is_event(codec) && events => Payload::RemakeEvent,
            None if is_event(codec) => Payload::DropEvent,
            None => Payload::Drop,
        };
        let shared = from.iter().filter_map(|codec| {
            let same = same(codec)?;
            Some(Shared {
                from_pt: codec.pt,
                from_rtx_pt: codec.rtx_pt,
                pt: same.pt,
                rtx_pt: same.rtx_pt,
            })
        });
        Self {
            payloads: from
                .iter()
                .map(|codec| (codec.pt, payload(codec)))
                .collect(),
            shared: shared.collect(),
        }
    }

    /// The codec whose packets the source repeats under `pt`: those of an RTX stream, or plain ones.
    #[must_use]
    pub fn repeated(&self, pt: u8, is_rtx: bool) -> Option<Shared> {
        let of = |shared: &Shared| {
            if is_rtx {
                shared.from_rtx_pt
            } else {
                Some(shared.from_pt)
            }
        };
        let mut shared = self.shared.iter();
        shared.find(|shared| of(shared) == Some(pt)).copied()
    }

    /// What to do with `pt`.
    #[must_use]
    pub fn get(&self, pt: u8) -> Payload {
        self.payloads
            .iter()
            .find(|(from, _)| *from == pt)
            .map_or(Payload::Drop, |(_, payload)| *payload)
    }
}

/// Whether a codec is RFC 4733 telephone events.
#[must_use]
pub fn is_event(codec: &Codec) -> bool {
    codec.key.starts_with("telephone-event/")
}

/// The clock rate in a codec key, 8000 if it names none.
#[must_use]
pub fn clock_hz(key: &str) -> u32 {
    key.split('/')
        .nth(1)
        .and_then(|clock| clock.parse().ok())
        .filter(|clock| *clock > 0)
        .unwrap_or(8_000)
}

/// Extensions that are copied from the source, as pairs of (its id, the receiver's id). MID is never copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionMap([Option<(u8, u8)>; 4]);

impl ExtensionMap {
    /// Pairs the extensions that both sides negotiated.
    #[must_use]
    pub fn new(from: &Extensions, to: &Extensions) -> Self {
        let pair = |from: Option<u8>, to: Option<u8>| from.zip(to);
        Self([
            pair(from.level, to.level),
            pair(from.ast, to.ast),
            pair(from.rot, to.rot),
            pair(from.ctype, to.ctype),
        ])
    }

    /// The receiver's id for the source's.
    #[must_use]
    pub fn get(&self, id: u8) -> Option<u8> {
        self.0
            .iter()
            .flatten()
            .find(|(from, _)| *from == id)
            .map(|(_, to)| *to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn numbering() -> Numbering {
        let mut numbering = Numbering::new(48_000, 1_000, 5_000);
        numbering.rebase(65_534, 100, 960);
        numbering
    }

    #[test]
    fn a_stream_on_a_line_that_had_one_starts_far_from_its_numbers() {
        for stopped in (0..=u16::MAX).step_by(97) {
            let mut gone = Numbering::new(90_000, 0, 0);
            gone.next = u64::from(stopped) + (7 << 16);
            for start in (0..1 << 15).step_by(89) {
                let next = Numbering::new(90_000, start, 0).far_from(&gone).next;
                assert!(
                    apart(next as u16, stopped) >= FAR,
                    "{stopped} {start} {next}"
                );
                assert!(next < 1 << 15);
            }
        }
    }

    #[test]
    fn loss_reordering_and_the_wrap_show_through() {
        let mut numbering = numbering();
        let places: Vec<_> = [65_534, 65_535, 1, 0, 2]
            .into_iter()
            .map(|seq| numbering.place(seq))
            .collect();
        assert_eq!(
            places,
            [
                Place::New(1_000),
                Place::New(1_001),
                Place::New(1_003),
                Place::Late(1_002),
                Place::New(1_004)
            ]
        );
        assert_eq!(numbering.place(65_533), Place::TooOld);
    }

    #[test]
    fn a_new_source_goes_on_one_number_and_one_frame_later() {
        let now = Instant::now();
        let mut numbering = numbering();
        assert_eq!(numbering.place(65_534), Place::New(1_000));
        assert_eq!(numbering.timestamp(100), 5_000);
        numbering.sent(5_000, now);
        numbering.rebase(7, 900_000, 960);
        assert_eq!(numbering.place(7), Place::New(1_001));
        assert_eq!(numbering.timestamp(900_000), 5_960);
        assert_eq!(numbering.place(6), Place::TooOld);
    }

    #[test]
    fn inserted_packets_shift_what_follows_and_not_what_was_overtaken() {
        let mut numbering = numbering();
        numbering.place(65_534);
        numbering.place(0);
        assert_eq!((numbering.insert(), numbering.insert()), (1_003, 1_004));
        assert_eq!(numbering.place(65_535), Place::Late(1_001));
        assert_eq!(numbering.place(1), Place::New(1_005));
        assert_eq!(numbering.origin(1_005), Some(Origin::Packet(1)));
        assert_eq!(numbering.origin(1_004), Some(Origin::Inserted(0)));
        assert_eq!(numbering.origin(1_002), Some(Origin::Packet(0)));
        assert_eq!(numbering.origin(999), None);
    }

    #[test]
    fn a_repeat_is_traced_without_a_trace() {
        let mut numbering = numbering();
        numbering.place(65_534);
        numbering.place(1);
        numbering.insert();
        numbering.place(3);
        let before = format!("{numbering:?}");
        let traced = [65_534, 65_535, 0, 1, 2, 3].map(|seq| numbering.trace(seq));
        assert_eq!(traced, [1_000, 1_001, 1_002, 1_003, 1_005, 1_006].map(Some));
        assert_eq!([numbering.trace(4), numbering.trace(65_533)], [None, None]);
        assert_eq!(format!("{numbering:?}"), before);
    }

    #[test]
    fn left_out_packets_leave_no_gap() {
        let mut numbering = numbering();
        numbering.place(65_534);
        numbering.skip(65_535);
        numbering.skip(0);
        assert_eq!(numbering.place(1), Place::New(1_001));
        // One lost before one left out: its number stays free for it.
        numbering.skip(3);
        assert_eq!(numbering.place(4), Place::New(1_003));
        assert_eq!(numbering.place(2), Place::Late(1_002));
    }

    #[test]
    fn no_number_is_used_twice_whatever_comes() {
        let mut numbering = numbering();
        let mut seen = std::collections::HashSet::new();
        let mut state = 1u32;
        let mut seq = 65_534u16;
        let mut inputs = std::collections::HashSet::new();
        for _ in 0..5_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let dice = state >> 16;
            seq = seq.wrapping_add((dice % 3) as u16);
            let late = seq.wrapping_sub((dice / 3 % 5) as u16);
            let out = match dice / 15 % 4 {
                0 => Some(numbering.insert()),
                // SRTP lets no input number through twice.
                1 if inputs.insert(late) => {
                    numbering.skip(late);
                    None
                }
                _ if inputs.insert(late) => match numbering.place(late) {
                    Place::New(out) | Place::Late(out) => Some(out),
                    Place::TooOld => None,
                },
                _ => None,
            };
            if let Some(out) = out {
                assert!(seen.insert(out), "{out} twice");
            }
        }
        assert!(seen.len() > 2_000);
    }

    #[test]
    fn the_clock_runs_on_from_the_last_packet() {
        let now = Instant::now();
        let mut numbering = numbering();
        numbering.sent(5_000, now);
        numbering.sent(5_960, now + Duration::from_millis(20));
        let later = now + Duration::from_millis(120);
        assert_eq!(numbering.timestamp_at(later), 5_960 + 4_800);
    }

    #[test]
    fn payload_types_pair_by_key() {
        let codec = |key: &str, pt| Codec {
            key: key.into(),
            pt,
            rtx_pt: None,
        };
        let from = [
            codec("opus/48000/2", 111),
            codec("telephone-event/8000", 126),
            codec("vp8/90000", 96),
        ];
        let map = PayloadMap::new(
            &from,
            &[
                codec("opus/48000/2", 109),
                codec("telephone-event/48000", 110),
            ],
        );
        assert_eq!(
            [map.get(111), map.get(126), map.get(96), map.get(5)],
            [
                Payload::As(109),
                Payload::RemakeEvent,
                Payload::Drop,
                Payload::Drop
            ]
        );
        let map = PayloadMap::new(&from, &[codec("opus/48000/2", 109)]);
        assert_eq!(map.get(126), Payload::DropEvent);
    }

    #[test]
    fn repeats_are_of_the_codec_that_both_sides_have() {
        let codec = |key: &str, pt, rtx_pt| Codec {
            key: key.into(),
            pt,
            rtx_pt,
        };
        let from = [
            codec("vp8/90000", 96, Some(97)),
            codec("vp9/90000", 98, Some(99)),
        ];
        let map = PayloadMap::new(&from, &[codec("vp8/90000", 120, None)]);
        let shared = Shared {
            from_pt: 96,
            from_rtx_pt: Some(97),
            pt: 120,
            rtx_pt: None,
        };
        assert_eq!(
            [map.repeated(97, true), map.repeated(96, false)],
            [Some(shared); 2]
        );
        let others = [
            map.repeated(96, true),
            map.repeated(97, false),
            map.repeated(99, true),
        ];
        assert_eq!(others, [None; 3]);
    }

    #[test]
    fn only_extensions_of_both_sides_are_copied() {
        let from = Extensions {
            mid: Some(4),
            level: Some(1),
            ast: Some(2),
            ..Extensions::default()
        };
        let to = Extensions {
            mid: Some(3),
            level: Some(6),
            ..Extensions::default()
        };
        let map = ExtensionMap::new(&from, &to);
        assert_eq!([map.get(1), map.get(2), map.get(4)], [Some(6), None, None]);
    }

    #[test]
    fn a_key_names_its_clock() {
        assert_eq!(
            [
                clock_hz("opus/48000/2"),
                clock_hz("telephone-event/8000"),
                clock_hz("odd"),
                clock_hz("x/0")
            ],
            [48_000, 8_000, 8_000, 8_000]
        );
    }
}
