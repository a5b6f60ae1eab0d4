//! Counters of one received stream: loss and jitter after RFC 3550 6.4.1 and appendix A.
//!
//! Pure arithmetic over sequence numbers, timestamps and arrival times.

use std::time::{Duration, Instant};

use crate::bits::{distance16, signed32, signed64};
use crate::rtcp::ReportBlock;

/// What one source has delivered so far.
#[derive(Clone, Debug)]
pub struct Reception {
    clock_hz: u32,
    base_seq: u32,
    highest_seq: u32,
    packets: u64,
    bytes: u64,
    expected_before: u64,
    packets_before: u64,
    /// Jitter times 16, as in appendix A.8.
    jitter_q4: u32,
    last: (u32, Instant),
    last_sender_report: Option<(u32, Instant)>,
}

impl Reception {
    /// Starts with the first packet.
    #[must_use]
    pub fn start(clock_hz: u32, seq: u16, ts: u32, bytes: usize, now: Instant) -> Self {
        // One cycle ahead, so that a packet from before the first one does not fall below zero.
        let seq = 0x1_0000 | u32::from(seq);
        Self {
            clock_hz: clock_hz.max(1),
            base_seq: seq,
            highest_seq: seq,
            packets: 1,
            bytes: bytes as u64,
            expected_before: 0,
            packets_before: 0,
            jitter_q4: 0,
            last: (ts, now),
            last_sender_report: None,
        }
    }

    /// Counts a further packet.
    pub fn receive(&mut self, seq: u16, ts: u32, bytes: usize, now: Instant) {
        self.packets += 1;
        self.bytes += bytes as u64;
        let seq = self.extend(seq);
        if seq > self.highest_seq {
            self.highest_seq = seq;
        }
        self.base_seq = self.base_seq.min(seq);
        self.count_jitter(ts, now);
    }

    /// Remembers a sender report for the next report block.
    pub fn sender_report(&mut self, ntp_middle: u32, now: Instant) {
        self.last_sender_report = Some((ntp_middle, now));
    }

    /// Packets received.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Payload bytes received.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Packets that were expected and did not come; negative when packets came twice.
    #[must_use]
    pub fn lost(&self) -> i64 {
        signed64(self.expected()) - signed64(self.packets)
    }

    /// Interarrival jitter in milliseconds.
    #[must_use]
    pub fn jitter_ms(&self) -> f64 {
        f64::from(self.jitter_q4) / 16.0 * 1000.0 / f64::from(self.clock_hz)
    }

    /// `seq`, which lies near the highest so far, with the cycles of this stream in front, as report blocks name it.
    #[must_use]
    pub fn extended(&self, seq: u16) -> u32 {
        self.extend(seq).saturating_sub(0x1_0000)
    }

    /// A report block about this stream, and the start of the next interval.
    pub fn report(&mut self, ssrc: u32, now: Instant) -> ReportBlock {
        let expected = self.expected();
        let expected_now = expected - self.expected_before;
        let lost_now = expected_now.saturating_sub(self.packets - self.packets_before);
        self.expected_before = expected;
        self.packets_before = self.packets;
        let fraction_lost = (lost_now * 256)
            .checked_div(expected_now)
            .unwrap_or(0)
            .min(255) as u8;
        let (last_sr, delay) = self
            .last_sender_report
            .map_or((0, 0), |(middle, at)| (middle, q16(now.duration_since(at))));
        ReportBlock {
            ssrc,
            fraction_lost,
            lost: self.lost().clamp(-0x0080_0000, 0x007f_ffff) as i32,
            highest_seq: self.highest_seq - 0x1_0000,
            jitter: self.jitter_q4 >> 4,
            last_sr,
            delay,
        }
    }

    fn extend(&self, seq: u16) -> u32 {
        let distance = distance16(self.highest_seq as u16, seq);
        self.highest_seq.saturating_add_signed(i32::from(distance))
    }

    fn expected(&self) -> u64 {
        u64::from(self.highest_seq - self.base_seq) + 1
    }

    fn count_jitter(&mut self, ts: u32, now: Instant) {
        let (last_ts, last_at) = self.last;
        self.last = (ts, now);
        let arrived =
            now.duration_since(last_at).as_micros() as i64 * i64::from(self.clock_hz) / 1_000_000;
        let sent = i64::from(signed32(ts.wrapping_sub(last_ts)));
        let difference = (arrived - sent).unsigned_abs();
        // A jump of more than ten seconds is a new time base and no jitter.
        if difference < u64::from(self.clock_hz) * 10 {
            let difference = difference as u32;
            self.jitter_q4 = self
                .jitter_q4
                .wrapping_add(difference)
                .wrapping_sub((self.jitter_q4 + 8) >> 4);
        }
    }
}

/// A duration in 1/65536 s, as DLSR counts it.
fn q16(duration: Duration) -> u32 {
    (duration.as_micros() * 65_536 / 1_000_000).min(u128::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_steady_stream_has_neither_loss_nor_jitter() {
        let start = Instant::now();
        let mut reception = Reception::start(48_000, 65_530, 0, 80, start);
        for step in 1..100u16 {
            reception.receive(
                65_530u16.wrapping_add(step),
                u32::from(step) * 960,
                80,
                after(start, u64::from(step) * 20),
            );
        }
        assert_eq!(
            (reception.packets(), reception.bytes(), reception.lost()),
            (100, 8_000, 0)
        );
        assert!(reception.jitter_ms() < 0.001);
        let block = reception.report(5, after(start, 2_000));
        assert_eq!(block.highest_seq, 65_530 + 99);
    }

    #[test]
    fn the_fraction_counts_one_interval_and_the_total_all() {
        let start = Instant::now();
        let mut reception = Reception::start(48_000, 1, 0, 80, start);
        reception.receive(4, 2_880, 80, after(start, 60));
        let block = reception.report(5, after(start, 80));
        assert_eq!((block.lost, block.fraction_lost), (2, 128));
        reception.receive(5, 3_840, 80, after(start, 80));
        let block = reception.report(5, after(start, 100));
        assert_eq!((block.lost, block.fraction_lost), (2, 0));
    }

    #[test]
    fn reordering_is_no_loss_even_before_the_first_packet() {
        let start = Instant::now();
        let mut reception = Reception::start(48_000, 1, 960, 80, start);
        reception.receive(0, 0, 80, start);
        reception.receive(65_535, 0, 80, start);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn jitter_follows_the_recipe_of_the_rfc() {
        let start = Instant::now();
        let mut reception = Reception::start(8_000, 0, 0, 80, start);
        // 30 ms late against the media clock: 240 units, of which one sixteenth counts.
        reception.receive(1, 160, 80, after(start, 50));
        assert_eq!(reception.report(1, start).jitter, 15);
        assert!((reception.jitter_ms() - 15.0 / 8.0).abs() < 0.1);
    }

    #[test]
    fn the_delay_since_the_last_sender_report_is_quoted() {
        let start = Instant::now();
        let mut reception = Reception::start(48_000, 0, 0, 80, start);
        reception.sender_report(0x1234_5678, after(start, 1_000));
        let block = reception.report(1, after(start, 1_500));
        assert_eq!((block.last_sr, block.delay), (0x1234_5678, 32_768));
    }
}
