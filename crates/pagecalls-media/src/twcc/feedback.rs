//! The feedback packet (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1): reading and writing.
//!
//! Statuses of consecutive numbers, packed in chunks, then one time for each packet that arrived. What a hostile peer may claim is
//! bounded: no more than [`MAX_READ`] statuses are looked at, and reading takes no memory.

use crate::rtcp::{Writer, feedback, packet_type, word};

use super::Ticks;

/// So many statuses of a packet are read at most, and of all packets of a compound.
pub const MAX_READ: u16 = 2_048;

/// So many statuses are written into one packet, which keeps it below [`crate::leg::RTCP_BYTES`] whatever they are.
pub const MAX_WRITTEN: usize = 380;

/// Sender, media source, base, count, reference time and the number of the packet.
const HEAD_BYTES: usize = 16;

const SMALL: u8 = 1;
const LARGE: u8 = 2;

/// Statuses in a vector of one bit each, and of two bits each.
const ONE_BIT: usize = 14;
const TWO_BITS: usize = 7;

/// A run of fewer statuses than a vector holds saves nothing.
const LONGEST_RUN: usize = 0x1fff;

/// A packet that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback<'a> {
    /// The number of the first status.
    pub base: u16,
    /// How many statuses follow each other.
    pub count: u16,
    /// Counts the packets of this sender.
    pub number: u8,
    reference: Ticks,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> Feedback<'a> {
    /// Reads the body of an RTCP packet (without its first word); `None` when its chunks do not hold what it announces.
    #[must_use]
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let (head, rest) = body.split_at_checked(HEAD_BYTES)?;
        let (numbers, times) = (word(head, 8)?, word(head, 12)?);
        let count = numbers as u16;
        let (mut covered, mut end) = (0u32, 0);
        while covered < u32::from(count) {
            let chunk = rest.get(end..end + 2)?;
            covered += u32::from(Chunk::read(u16::from_be_bytes([chunk[0], chunk[1]])).left);
            end += 2;
        }
        let (chunks, deltas) = rest.split_at(end);
        Some(Self {
            base: (numbers >> 16) as u16,
            count,
            number: times as u8,
            reference: times & !0xff,
            chunks,
            deltas,
        })
    }

    /// The numbers with the time of arrival on the receiver's clock, `None` for what did not arrive. Ends early at
    /// [`MAX_READ`], at a reserved symbol, and where the times run out.
    #[must_use]
    pub fn statuses(&self) -> Statuses<'a> {
        Statuses {
            number: self.base,
            left: self.count.min(MAX_READ),
            chunks: self.chunks,
            chunk: Chunk::default(),
            deltas: self.deltas,
            time: self.reference,
        }
    }
}

/// The iterator of [`Feedback::statuses`].
#[derive(Clone, Debug)]
pub struct Statuses<'a> {
    number: u16,
    left: u16,
    chunks: &'a [u8],
    chunk: Chunk,
    deltas: &'a [u8],
    time: Ticks,
}

impl Iterator for Statuses<'_> {
    type Item = (u16, Option<Ticks>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        while self.chunk.left == 0 {
            let (word, rest) = self.chunks.split_first_chunk::<2>()?;
            self.chunk = Chunk::read(u16::from_be_bytes(*word));
            self.chunks = rest;
        }
        let arrival = match self.chunk.take() {
            0 => None,
            SMALL => {
                let (delta, rest) = self.deltas.split_first()?;
                self.deltas = rest;
                self.time = self.time.wrapping_add(u32::from(*delta));
                Some(self.time)
            }
            LARGE => {
                let (delta, rest) = self.deltas.split_first_chunk::<2>()?;
                self.deltas = rest;
                let delta = i32::from(i16::from_be_bytes(*delta));
                self.time = self.time.wrapping_add_signed(delta);
                Some(self.time)
            }
            _ => {
                self.left = 0;
                return None;
            }
        };
        let number = self.number;
        self.number = number.wrapping_add(1);
        self.left -= 1;
        Some((number, arrival))
    }
}

/// A chunk on its way through the statuses that it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Chunk {
    /// Statuses that are left.
    left: u16,
    /// Bits of one status; 0 for a run, whose status stays.
    width: u16,
    /// Those of a vector with the next status on top, or the status of a run.
    bits: u16,
}

impl Chunk {
    fn read(word: u16) -> Self {
        match word >> 14 {
            0b10 => Self {
                left: ONE_BIT as u16,
                width: 1,
                bits: word << 2,
            },
            0b11 => Self {
                left: TWO_BITS as u16,
                width: 2,
                bits: word << 2,
            },
            _ => Self {
                left: word & 0x1fff,
                width: 0,
                bits: word >> 13 & 3,
            },
        }
    }

    fn take(&mut self) -> u8 {
        self.left -= 1;
        let symbol = match self.width {
            0 => self.bits,
            width => self.bits >> (16 - width),
        };
        self.bits <<= self.width;
        symbol as u8
    }
}

/// A packet that is put together.
pub struct Builder {
    base: u16,
    statuses: [u8; MAX_WRITTEN],
    used: usize,
    deltas: [u8; 2 * MAX_WRITTEN],
    deltas_used: usize,
    /// The reference time, and the last packet's.
    times: Option<(Ticks, Ticks)>,
}

impl Builder {
    /// Statuses from the number `base` on.
    #[must_use]
    pub fn new(base: u16) -> Self {
        Self {
            base,
            statuses: [0; MAX_WRITTEN],
            used: 0,
            deltas: [0; 2 * MAX_WRITTEN],
            deltas_used: 0,
            times: None,
        }
    }

    /// How many statuses it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The status of the next number. False, and nothing is changed, when it takes a packet of its own: this one is full, or the
    /// time is too far from the last one (8 s).
    pub fn push(&mut self, arrival: Option<Ticks>) -> bool {
        if self.used == MAX_WRITTEN {
            return false;
        }
        let Some(time) = arrival else {
            self.used += 1;
            return true;
        };
        let (reference, last) = self.times.unwrap_or((time & !0xff, time & !0xff));
        let delta = crate::bits::signed32(time.wrapping_sub(last));
        let at = self.deltas_used;
        let symbol = if let Ok(small) = u8::try_from(delta) {
            self.deltas[at] = small;
            SMALL
        } else if let Ok(large) = i16::try_from(delta) {
            self.deltas[at..at + 2].copy_from_slice(&large.to_be_bytes());
            LARGE
        } else {
            return false;
        };
        self.deltas_used += usize::from(symbol);
        self.statuses[self.used] = symbol;
        self.used += 1;
        self.times = Some((reference, time));
        true
    }

    /// Writes the packet. `now` stands for the time if nothing arrived.
    pub fn write(&self, sender: u32, media: u32, number: u8, now: Ticks, writer: &mut Writer<'_>) {
        let mut head = [0; HEAD_BYTES];
        let reference = self.times.map_or(now, |(reference, _)| reference);
        head[..4].copy_from_slice(&sender.to_be_bytes());
        head[4..8].copy_from_slice(&media.to_be_bytes());
        head[8..10].copy_from_slice(&self.base.to_be_bytes());
        head[10..12].copy_from_slice(&(self.used as u16).to_be_bytes());
        head[12..].copy_from_slice(&(reference & !0xff | u32::from(number)).to_be_bytes());
        let mut chunks = [0; 2 * MAX_WRITTEN.div_ceil(TWO_BITS)];
        let mut end = 0;
        let mut rest = &self.statuses[..self.used];
        while !rest.is_empty() {
            let (chunk, taken) = pack(rest);
            chunks[end..end + 2].copy_from_slice(&chunk.to_be_bytes());
            end += 2;
            rest = &rest[taken..];
        }
        let parts: [&[u8]; 3] = [&head, &chunks[..end], &self.deltas[..self.deltas_used]];
        writer.padded_packet(packet_type::RTPFB, feedback::TRANSPORT, &parts);
    }
}

/// The chunk for the first of these statuses, and how many it holds.
fn pack(statuses: &[u8]) -> (u16, usize) {
    let first = statuses[0];
    let run = statuses
        .iter()
        .take(LONGEST_RUN)
        .take_while(|status| **status == first)
        .count();
    let vector = |width: usize, room: usize| {
        let taken = statuses.len().min(room);
        let bits = statuses[..taken]
            .iter()
            .enumerate()
            .fold(0u16, |bits, (place, status)| {
                bits | u16::from(*status) << (14 - width * (place + 1))
            });
        (bits, taken)
    };
    if run >= ONE_BIT || run == statuses.len() {
        return (u16::from(first) << 13 | run as u16, run);
    }
    if statuses.iter().take(ONE_BIT).all(|status| *status <= SMALL) {
        let (bits, taken) = vector(1, ONE_BIT);
        return (0b10 << 14 | bits, taken);
    }
    if run >= TWO_BITS {
        return (u16::from(first) << 13 | run as u16, run);
    }
    let (bits, taken) = vector(2, TWO_BITS);
    (0b11 << 14 | bits, taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::leg::RTCP_BYTES;
    use crate::rtcp::packets;

    fn written(base: u16, arrivals: &[Option<Ticks>]) -> Vec<u8> {
        let mut builder = Builder::new(base);
        assert!(arrivals.iter().all(|arrival| builder.push(*arrival)));
        let mut buffer = [0; RTCP_BYTES];
        let mut writer = Writer::new(&mut buffer);
        builder.write(1, 2, 3, 0x1234_5678, &mut writer);
        let len = writer.len();
        assert!(len > 0, "it always fits");
        buffer[..len].to_vec()
    }

    fn read(packet: &[u8]) -> Vec<(u16, Option<Ticks>)> {
        let body = packets(packet).next().unwrap().body;
        Feedback::parse(body).unwrap().statuses().collect()
    }

    /// The example of libwebrtc's documentation of the format, made by hand: a run of lost ones, a vector of one bit, one of two.
    #[test]
    fn chunks_of_all_kinds_are_read() {
        let body = [
            &[0, 0, 0, 1, 0, 0, 0, 2][..],
            &[0xff, 0xfe, 0, 24],        // 65,534 and so on, 24 statuses
            &[0, 0, 1, 9],               // 64 ms; the ninth packet
            &[0x00, 0x03],               // three lost
            &[0xa0, 0x01],               // 14: the first and the last arrived
            &[0b1100_0110, 0b0000_0000], // 7 of two bits: lost, small, large, lost ...
            &[4, 8, 12, 0xff, 0xf0],     // 1 ms, 2 ms, 3 ms, 4 ms back
        ]
        .concat();
        let feedback = Feedback::parse(&body).unwrap();
        assert_eq!(
            (feedback.base, feedback.count, feedback.number),
            (65_534, 24, 9)
        );
        let arrived: Vec<_> = feedback
            .statuses()
            .filter_map(|(number, time)| Some((number, time?)))
            .collect();
        assert_eq!(arrived, [(1, 260), (14, 268), (16, 280), (17, 264)]);
        assert_eq!(feedback.statuses().count(), 24);
    }

    #[test]
    fn short_runs_long_runs_and_vectors_are_written() {
        let lost = [None; 20];
        assert_eq!(written(0, &lost)[20..22], [0, 20]);
        let steady: Vec<_> = (0..20).map(|step| Some(step * 4)).collect();
        assert_eq!(written(0, &steady)[20..22], [0x20, 20]);
        let mixed = [Some(0), None, Some(1), Some(2)];
        assert_eq!(written(0, &mixed)[20..22], [0b1010_1100, 0]);
        let far = [Some(0), Some(9_000), None];
        assert_eq!(written(0, &far)[20..22], [0b1101_1000, 0]);
        // Padding says so: 16 + 2 + 3 octets.
        assert_eq!((written(0, &far)[0], written(0, &far)[23 + 4]), (0xaf, 3));
    }

    #[test]
    fn a_packet_ends_where_it_is_full_or_time_leaps() {
        let mut builder = Builder::new(0);
        assert!(builder.push(Some(0)));
        assert!(!builder.push(Some(40_000)) && builder.push(Some(32_767)));
        assert!((2..MAX_WRITTEN).all(|_| builder.push(None)));
        assert!(!builder.push(None) && builder.len() == MAX_WRITTEN);
    }

    #[test]
    fn what_is_cut_short_is_refused_or_ends_early() {
        let packet = written(7, &[Some(1), None, Some(9_000)]);
        let body = &packet[4..];
        assert_eq!(Feedback::parse(&body[..17]), None, "no whole chunk");
        assert_eq!(Feedback::parse(&body[..15]), None);
        let cut = Feedback::parse(&body[..20]).unwrap();
        assert_eq!(cut.statuses().count(), 2);
        let reserved = [&body[..16], &[0x60, 3, 0, 0]].concat();
        assert_eq!(Feedback::parse(&reserved).unwrap().statuses().count(), 0);
        let empty_runs = [&body[..16], &[0, 0, 0, 0, 0, 3]].concat();
        assert_eq!(Feedback::parse(&empty_runs).unwrap().statuses().count(), 3);
    }

    #[test]
    fn a_small_packet_cannot_ask_for_much_work() {
        let run = [0x1f, 0xff].repeat(9);
        let body = [&[0; 10][..], &[0xff, 0xff, 0, 0, 0, 0], &run].concat();
        assert_eq!(
            Feedback::parse(&body).unwrap().statuses().count(),
            usize::from(MAX_READ)
        );
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back(
            base: u16,
            start: u32,
            steps in prop::collection::vec(prop::option::weighted(0.8, prop_oneof![8 => 0i32..300, 1 => -9_000i32..9_000]), 1..MAX_WRITTEN),
        ) {
            let mut time = start;
            let arrivals: Vec<_> = steps
                .iter()
                .map(|step| step.map(|step| {
                    time = time.wrapping_add_signed(step);
                    time
                }))
                .collect();
            let numbers = (0..).map(|place: u16| base.wrapping_add(place));
            let expected: Vec<_> = numbers.zip(arrivals.iter().copied()).collect();
            prop_assert_eq!(read(&written(base, &arrivals)), expected);
        }

        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(feedback) = Feedback::parse(&body) {
                prop_assert!(feedback.statuses().count() <= usize::from(feedback.count.min(MAX_READ)));
            }
        }
    }
}
