//! RTCP (RFC 3550 section 6, RFC 4585, RFC 5104, RFC 3611): walking a compound packet, and writing a new one.
//!
//! Pure functions over decrypted bytes. Which SSRC becomes which other one is decided in [`crate::reports`].

use crate::bits::{signed32, unsigned32};

/// Packet types.
pub mod packet_type {
    #![allow(missing_docs)]
    pub const SR: u8 = 200;
    pub const RR: u8 = 201;
    pub const SDES: u8 = 202;
    pub const BYE: u8 = 203;
    pub const RTPFB: u8 = 205;
    pub const PSFB: u8 = 206;
    pub const XR: u8 = 207;
}

/// Feedback message types, in the place of the count.
pub mod feedback {
    #![allow(missing_docs)]
    pub const NACK: u8 = 1;
    pub const TRANSPORT: u8 = 15;
    pub const PLI: u8 = 1;
    pub const FIR: u8 = 4;
    pub const APPLICATION: u8 = 15;
}

/// XR block types that are passed on (RFC 3611 4.4 and 4.5).
pub mod xr_block {
    #![allow(missing_docs)]
    pub const RRTR: u8 = 4;
    pub const DLRR: u8 = 5;
}

/// Length of the header that SRTCP leaves in the clear: first word and sender SSRC.
pub const HEADER_LEN: usize = 8;

/// Length of a report block.
pub const BLOCK_LEN: usize = 24;

/// A report block counts at most so many (5 bits).
const MAX_COUNT: u8 = 31;

/// One packet inside a compound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The count, or the feedback message type.
    pub count: u8,
    /// The packet type.
    pub kind: u8,
    /// Everything after the first word, padding removed.
    pub body: &'a [u8],
}

/// Walks a compound packet; ends at the first malformed part.
#[must_use]
pub fn packets(compound: &[u8]) -> Packets<'_> {
    Packets { rest: compound }
}

/// The iterator of [`packets`].
#[derive(Clone)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let head = self.rest.get(..4)?;
        let length = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        if head[0] >> 6 != 2 || self.rest.len() < length {
            self.rest = &[];
            return None;
        }
        let (packet, rest) = self.rest.split_at(length);
        self.rest = rest;
        let mut body = &packet[4..];
        if head[0] & 0x20 != 0 {
            let padding = usize::from(*body.last()?);
            if padding == 0 || padding > body.len() {
                self.rest = &[];
                return None;
            }
            body = &body[..body.len() - padding];
        }
        Some(Packet {
            count: head[0] & 0x1f,
            kind: head[1],
            body,
        })
    }
}

/// The big-endian word at byte `at`.
#[must_use]
pub fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// What a sender report says of its sender (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// The sender.
    pub ssrc: u32,
    /// Wall clock, NTP format.
    pub ntp: u64,
    /// The same instant on the media clock.
    pub ts: u32,
    /// Packets sent so far.
    pub packets: u32,
    /// Payload bytes sent so far.
    pub octets: u32,
}

impl SenderInfo {
    /// Reads the body of a sender report.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        Some(Self {
            ssrc: word(body, 0)?,
            ntp: u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?),
            ts: word(body, 12)?,
            packets: word(body, 16)?,
            octets: word(body, 20)?,
        })
    }

    /// The middle 32 bits of the wall clock, as report blocks quote it.
    #[must_use]
    pub fn ntp_middle(&self) -> u32 {
        (self.ntp >> 16) as u32
    }
}

/// A report block (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The reported source.
    pub ssrc: u32,
    /// Loss since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in total, 24 bits signed.
    pub lost: i32,
    /// Highest sequence number, extended by cycles.
    pub highest_seq: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Middle of the NTP time of the last sender report.
    pub last_sr: u32,
    /// Delay since that report in 1/65536 s.
    pub delay: u32,
}

impl ReportBlock {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let second = word(bytes, 4)?;
        Some(Self {
            ssrc: word(bytes, 0)?,
            fraction_lost: (second >> 24) as u8,
            // Shift up and down again to carry the sign of the 24 bits.
            lost: signed32(second) << 8 >> 8,
            highest_seq: word(bytes, 8)?,
            jitter: word(bytes, 12)?,
            last_sr: word(bytes, 16)?,
            delay: word(bytes, 20)?,
        })
    }

    fn bytes(&self) -> [u8; BLOCK_LEN] {
        let second = u32::from(self.fraction_lost) << 24 | unsigned32(self.lost) & 0x00ff_ffff;
        let words = [
            self.ssrc,
            second,
            self.highest_seq,
            self.jitter,
            self.last_sr,
            self.delay,
        ];
        let mut bytes = [0; BLOCK_LEN];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }
}

/// The report blocks of a sender or receiver report; none for other packets.
pub fn report_blocks<'a>(packet: &Packet<'a>) -> impl Iterator<Item = ReportBlock> + use<'a> {
    let skip = match packet.kind {
        packet_type::SR => 24,
        packet_type::RR => 4,
        _ => packet.body.len(),
    };
    let blocks = packet.body.get(skip..).unwrap_or_default();
    blocks
        .chunks_exact(BLOCK_LEN)
        .take(usize::from(packet.count))
        .filter_map(ReportBlock::parse)
}

/// The sources of a BYE.
pub fn bye_ssrcs<'a>(packet: &Packet<'a>) -> impl Iterator<Item = u32> + use<'a> {
    let body = packet.body;
    (0..usize::from(packet.count)).map_while(move |index| word(body, 4 * index))
}

/// Writes a compound packet into a fixed buffer. A part that no longer fits is left out whole.
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Starts an empty compound in `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A packet whose body is the concatenation of `parts`, a multiple of four bytes in all.
    pub fn packet(&mut self, kind: u8, count: u8, parts: &[&[u8]]) {
        let body: usize = parts.iter().map(|part| part.len()).sum();
        debug_assert!(body % 4 == 0, "RTCP counts in words");
        let Some(space) = self.buffer.get_mut(self.len..self.len + 4 + body) else {
            return;
        };
        space[0] = 0x80 | count & 0x1f;
        space[1] = kind;
        space[2..4].copy_from_slice(&((body / 4) as u16).to_be_bytes());
        let mut at = 4;
        for part in parts {
            space[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        self.len += at;
    }

    /// The same for a body of any length: it is padded to whole words, and the packet says so (RFC 3550 6.4.1).
    pub fn padded_packet(&mut self, kind: u8, count: u8, parts: &[&[u8]; 3]) {
        let start = self.len;
        let body: usize = parts.iter().map(|part| part.len()).sum();
        let missing = body.next_multiple_of(4) - body;
        let padding = [0, 0, 0, missing as u8];
        let padding = &padding[4 - missing..];
        self.packet(kind, count, &[parts[0], parts[1], parts[2], padding]);
        if self.len > start && missing > 0 {
            self.buffer[start] |= 0x20;
        }
    }

    /// A sender report without report blocks.
    pub fn sender_report(&mut self, info: &SenderInfo) {
        let mut body = [0; 24];
        body[..4].copy_from_slice(&info.ssrc.to_be_bytes());
        body[4..12].copy_from_slice(&info.ntp.to_be_bytes());
        body[12..16].copy_from_slice(&info.ts.to_be_bytes());
        body[16..20].copy_from_slice(&info.packets.to_be_bytes());
        body[20..24].copy_from_slice(&info.octets.to_be_bytes());
        self.packet(packet_type::SR, 0, &[&body]);
    }

    /// A receiver report with these blocks (at most 31); returns how many it holds. Without blocks it is still written.
    pub fn receiver_report(
        &mut self,
        sender: u32,
        blocks: impl Iterator<Item = ReportBlock>,
    ) -> u8 {
        let start = self.len;
        self.packet(packet_type::RR, 0, &[&sender.to_be_bytes()]);
        if self.len == start {
            return 0;
        }
        let mut count = 0;
        for block in blocks {
            let Some(space) = self.buffer.get_mut(self.len..self.len + BLOCK_LEN) else {
                break;
            };
            if count == MAX_COUNT {
                break;
            }
            space.copy_from_slice(&block.bytes());
            self.len += BLOCK_LEN;
            count += 1;
        }
        self.buffer[start] |= count;
        let words = ((self.len - start) / 4 - 1) as u16;
        self.buffer[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
        count
    }

    /// A source description with one CNAME chunk for each source (RFC 3550 6.5).
    pub fn source_description<'c>(&mut self, chunks: impl Iterator<Item = (u32, &'c str)>) {
        let start = self.len;
        self.packet(packet_type::SDES, 0, &[]);
        let mut count = 0;
        for (ssrc, cname) in chunks {
            let cname = &cname.as_bytes()[..cname.len().min(255)];
            let length = (4 + 2 + cname.len() + 1).next_multiple_of(4);
            let Some(space) = self.buffer.get_mut(self.len..self.len + length) else {
                break;
            };
            if count == MAX_COUNT {
                break;
            }
            space.fill(0);
            space[..4].copy_from_slice(&ssrc.to_be_bytes());
            space[4] = 1;
            space[5] = cname.len() as u8;
            space[6..6 + cname.len()].copy_from_slice(cname);
            self.len += length;
            count += 1;
        }
        if count == 0 {
            self.len = start;
            return;
        }
        self.buffer[start] |= count;
        let words = ((self.len - start) / 4 - 1) as u16;
        self.buffer[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }

    /// A BYE of one source.
    pub fn bye(&mut self, ssrc: u32) {
        self.packet(packet_type::BYE, 1, &[&ssrc.to_be_bytes()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 9,
        fraction_lost: 3,
        lost: -2,
        highest_seq: 70_000,
        jitter: 11,
        last_sr: 12,
        delay: 13,
    };

    #[test]
    fn a_written_compound_reads_back() {
        let mut buffer = [0; 300];
        let info = SenderInfo {
            ssrc: 5,
            ntp: 0x0102_0304_0506_0708,
            ts: 960,
            packets: 4,
            octets: 320,
        };
        let mut writer = Writer::new(&mut buffer);
        writer.sender_report(&info);
        assert_eq!(writer.receiver_report(5, [BLOCK, BLOCK].into_iter()), 2);
        writer.source_description([(5, "cname"), (6, "")].into_iter());
        writer.bye(5);
        let len = writer.len();
        let packets: Vec<_> = packets(&buffer[..len]).collect();
        assert_eq!(
            packets.iter().map(|packet| packet.kind).collect::<Vec<_>>(),
            [200, 201, 202, 203]
        );
        assert_eq!(SenderInfo::parse(packets[0].body), Some(info));
        assert_eq!(info.ntp_middle(), 0x0304_0506);
        assert_eq!(
            report_blocks(&packets[1]).collect::<Vec<_>>(),
            [BLOCK, BLOCK]
        );
        assert_eq!(packets[2].count, 2);
        assert_eq!(bye_ssrcs(&packets[3]).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn a_source_description_is_padded_to_words_with_a_null_item() {
        let mut buffer = [0xff; 100];
        let mut writer = Writer::new(&mut buffer);
        writer.source_description([(1, "ab"), (2, "abcd")].into_iter());
        let len = writer.len();
        assert_eq!(
            &buffer[4..len],
            b"\0\0\0\x01\x01\x02ab\0\0\0\0\0\0\0\x02\x01\x04abcd\0\0"
        );
    }

    #[test]
    fn padding_is_removed_and_must_fit() {
        let padded = [0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4];
        assert_eq!(packets(&padded).next().unwrap().body, [0, 0, 0, 1]);
        let bad = [0xa0, 201, 0, 1, 0, 0, 0, 9];
        assert_eq!(packets(&bad).next(), None);
    }

    #[test]
    fn a_cut_packet_ends_the_walk() {
        let two = [0x80, 201, 0, 1, 0, 0, 0, 1, 0x80, 203, 0, 9, 0, 0, 0, 1];
        assert_eq!(packets(&two).count(), 1);
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let mut buffer = [0; 20];
        let mut writer = Writer::new(&mut buffer);
        assert_eq!(writer.receiver_report(1, [BLOCK].into_iter()), 0);
        writer.sender_report(&SenderInfo {
            ssrc: 5,
            ntp: 0,
            ts: 0,
            packets: 0,
            octets: 0,
        });
        assert_eq!(writer.len(), 8);
    }
}
