//! Counters of one received stream: loss and jitter after RFC 3550 6.4.1 and appendix A.
//!
//! Pure arithmetic over sequence numbers, timestamps and arrival times. What comes in is authentic and comes once: SRTP has
//! refused forgeries and repeats before (docs/statistics.md says what counts as what).

use std::time::{Duration, Instant};

use crate::bits::{distance16, signed32, signed64};
use crate::rtcp::ReportBlock;

/// A leap ahead of so many numbers is a new beginning of the source's numbering and no loss (RFC 3550 A.1, `MAX_DROPOUT`).
const NEW_BEGINNING: u64 = 3_000;

/// A packet that is further behind the first one belongs to the numbering before the new beginning.
const FIRST_MISORDER: u64 = 128;

/// What one source has delivered so far.
#[derive(Clone, Debug)]
pub struct Reception {
    /// The clock of the timestamps; 0 before the first packet that is no telephone event.
    clock_hz: u32,
    base_seq: u64,
    highest_seq: u64,
    packets: u64,
    bytes: u64,
    reordered: u64,
    /// Numbers of the beginnings before the present one.
    expected_earlier: u64,
    expected_before: u64,
    packets_before: u64,
    /// Jitter times 16, as in appendix A.8.
    jitter_q4: u32,
    has_jitter: bool,
    last: Option<(u32, Instant)>,
    last_sender_report: Option<(u32, Instant)>,
}

impl Reception {
    /// Starts with the first packet. `clock_hz` as in [`Self::receive`].
    #[must_use]
    pub fn start(clock_hz: Option<u32>, seq: u16, ts: u32, bytes: usize, now: Instant) -> Self {
        // One cycle ahead, so that a packet from before the first one does not fall below zero.
        let seq = 0x1_0000 | u64::from(seq);
        Self {
            clock_hz: clock_hz.unwrap_or_default(),
            base_seq: seq,
            highest_seq: seq,
            packets: 1,
            bytes: bytes as u64,
            reordered: 0,
            expected_earlier: 0,
            expected_before: 0,
            packets_before: 0,
            jitter_q4: 0,
            has_jitter: false,
            last: clock_hz.map(|_| (ts, now)),
            last_sender_report: None,
        }
    }

    /// Counts a further packet. `clock_hz` is the clock of its timestamp; `None` keeps it out of the jitter, as the packets of
    /// a telephone event must be, which all carry the time at which the event began (RFC 4733 2.2.1).
    pub fn receive(
        &mut self,
        clock_hz: Option<u32>,
        seq: u16,
        ts: u32,
        bytes: usize,
        now: Instant,
    ) {
        self.packets += 1;
        self.bytes += bytes as u64;
        self.count_number(self.extend(seq));
        if let Some(clock_hz) = clock_hz {
            self.count_jitter(clock_hz, ts, now);
        }
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

    /// Packets that came after one with a higher number.
    #[must_use]
    pub fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Packets that were expected and did not come. A packet that is on its way counts as soon as a later one has overtaken it,
    /// and no more when it comes.
    #[must_use]
    pub fn lost(&self) -> i64 {
        signed64(self.expected()) - signed64(self.packets)
    }

    /// Interarrival jitter in milliseconds; `None` until two packets have been compared.
    #[must_use]
    pub fn jitter_ms(&self) -> Option<f64> {
        self.has_jitter
            .then(|| f64::from(self.jitter_q4) / 16.0 * 1000.0 / f64::from(self.clock_hz))
    }

    /// `seq`, which lies near the highest so far, with the cycles of this stream in front, as report blocks name it.
    #[must_use]
    pub fn extended(&self, seq: u16) -> u32 {
        in_block(self.extend(seq))
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
            highest_seq: in_block(self.highest_seq),
            jitter: self.jitter_q4 >> 4,
            last_sr,
            delay,
        }
    }

    fn extend(&self, seq: u16) -> u64 {
        let distance = distance16(self.highest_seq as u16, seq);
        self.highest_seq.saturating_add_signed(i64::from(distance))
    }

    fn expected(&self) -> u64 {
        self.expected_earlier + (self.highest_seq - self.base_seq) + 1
    }

    fn count_number(&mut self, seq: u64) {
        if seq >= self.highest_seq + NEW_BEGINNING {
            self.expected_earlier = self.expected();
            self.base_seq = seq;
            self.highest_seq = seq;
        } else if seq > self.highest_seq {
            self.highest_seq = seq;
        } else {
            self.reordered += 1;
            if self.base_seq.saturating_sub(seq) < FIRST_MISORDER {
                self.base_seq = self.base_seq.min(seq);
            }
        }
    }

    fn count_jitter(&mut self, clock_hz: u32, ts: u32, now: Instant) {
        let last = self.last.replace((ts, now));
        if clock_hz != self.clock_hz {
            // What was measured stays; the distance to a packet on another clock means nothing.
            let rescaled =
                u64::from(self.jitter_q4) * u64::from(clock_hz) / u64::from(self.clock_hz.max(1));
            self.jitter_q4 = u32::try_from(rescaled).unwrap_or(u32::MAX);
            self.clock_hz = clock_hz;
            return;
        }
        let Some((last_ts, last_at)) = last else {
            return;
        };
        let arrived =
            now.duration_since(last_at).as_micros() as i64 * i64::from(clock_hz) / 1_000_000;
        let sent = i64::from(signed32(ts.wrapping_sub(last_ts)));
        let difference = (arrived - sent).unsigned_abs();
        // A jump of more than ten seconds is a new time base and no jitter.
        if difference < u64::from(clock_hz) * 10 {
            let difference = difference as u32;
            self.jitter_q4 = self
                .jitter_q4
                .wrapping_add(difference)
                .wrapping_sub((self.jitter_q4 + 8) >> 4);
            self.has_jitter = true;
        }
    }
}

/// A number as report blocks name it: 32 bits, of which the upper half are the cycles since the first packet.
fn in_block(seq: u64) -> u32 {
    seq.saturating_sub(0x1_0000) as u32
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
        let mut reception = Reception::start(Some(48_000), 65_530, 0, 80, start);
        for step in 1..100u16 {
            reception.receive(
                Some(48_000),
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
        assert!(reception.jitter_ms().unwrap() < 0.001);
        let block = reception.report(5, after(start, 2_000));
        assert_eq!(block.highest_seq, 65_530 + 99);
    }

    #[test]
    fn the_fraction_counts_one_interval_and_the_total_all() {
        let start = Instant::now();
        let mut reception = Reception::start(Some(48_000), 1, 0, 80, start);
        reception.receive(Some(48_000), 4, 2_880, 80, after(start, 60));
        let block = reception.report(5, after(start, 80));
        assert_eq!((block.lost, block.fraction_lost), (2, 128));
        reception.receive(Some(48_000), 5, 3_840, 80, after(start, 80));
        let block = reception.report(5, after(start, 100));
        assert_eq!((block.lost, block.fraction_lost), (2, 0));
    }

    #[test]
    fn reordering_is_no_loss_even_before_the_first_packet() {
        let start = Instant::now();
        let mut reception = Reception::start(Some(48_000), 1, 960, 80, start);
        reception.receive(Some(48_000), 0, 0, 80, start);
        reception.receive(Some(48_000), 65_535, 0, 80, start);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn loss_is_counted_beyond_32_bits_of_numbers() {
        let start = Instant::now();
        let mut reception = Reception::start(Some(48_000), 0, 0, 80, start);
        let (leap, packets) = (2_000u16, 2_200_000u32);
        let mut seq = 0u16;
        for _ in 0..packets {
            seq = seq.wrapping_add(leap);
            reception.receive(None, seq, 0, 80, start);
        }
        let expected = u64::from(packets) * u64::from(leap);
        assert!(expected > u64::from(u32::MAX));
        assert_eq!(reception.lost(), signed64(expected) - i64::from(packets));
        assert_eq!(reception.report(5, start).highest_seq, expected as u32);
    }

    #[test]
    fn jitter_follows_the_recipe_of_the_rfc() {
        let start = Instant::now();
        let mut reception = Reception::start(Some(8_000), 0, 0, 80, start);
        // 30 ms late against the media clock: 240 units, of which one sixteenth counts.
        reception.receive(Some(8_000), 1, 160, 80, after(start, 50));
        assert_eq!(reception.report(1, start).jitter, 15);
        assert!((reception.jitter_ms().unwrap() - 15.0 / 8.0).abs() < 0.1);
    }

    #[test]
    fn the_delay_since_the_last_sender_report_is_quoted() {
        let start = Instant::now();
        let mut reception = Reception::start(Some(48_000), 0, 0, 80, start);
        reception.sender_report(0x1234_5678, after(start, 1_000));
        let block = reception.report(1, after(start, 1_500));
        assert_eq!((block.last_sr, block.delay), (0x1234_5678, 32_768));
    }

    #[test]
    fn jitter_is_not_known_before_two_packets_are_compared() {
        let start = Instant::now();
        let mut reception = Reception::start(Some(48_000), 0, 0, 80, start);
        assert_eq!(reception.jitter_ms(), None);
        reception.receive(None, 1, 0, 4, after(start, 20));
        assert_eq!(reception.jitter_ms(), None);
        reception.receive(Some(48_000), 2, 1_920, 80, after(start, 40));
        assert_eq!(reception.jitter_ms(), Some(0.0));
    }

    #[test]
    fn telephone_events_and_a_change_of_clock_leave_the_jitter_alone() {
        let start = Instant::now();
        let mut reception = Reception::start(None, 0, 0, 4, start);
        for step in 1..50u16 {
            let at = after(start, u64::from(step) * 20);
            reception.receive(Some(48_000), step, u32::from(step) * 960, 80, at);
        }
        for step in 50..75u16 {
            // One event of half a second on the sound's clock, and one that counts in 8 kHz.
            let at = after(start, u64::from(step) * 20);
            reception.receive(None, step, 50 * 960, 4, at);
        }
        for step in 75..100u16 {
            let at = after(start, u64::from(step) * 20);
            reception.receive(Some(48_000), step, u32::from(step) * 960, 80, at);
        }
        assert!(reception.jitter_ms().unwrap() < 0.001);
        // The source goes over to another codec, 40 ms late.
        let mut late = reception.clone();
        late.receive(Some(8_000), 100, 7, 80, after(start, 2_040));
        late.receive(Some(8_000), 101, 167, 80, after(start, 2_060));
        assert!(late.jitter_ms().unwrap() < 0.001);
        reception.receive(Some(48_000), 100, 96_000, 80, after(start, 2_016));
        let before = reception.jitter_ms().unwrap();
        assert!((before - 1.0).abs() < 0.01, "{before}");
        reception.receive(Some(8_000), 101, 0, 80, after(start, 2_036));
        assert!((reception.jitter_ms().unwrap() - before).abs() < 0.01);
    }

    #[test]
    fn a_leap_ahead_is_a_new_beginning_and_an_outage_is_loss() {
        let start = Instant::now();
        let mut reception = Reception::start(Some(48_000), 65_000, 0, 80, start);
        reception.receive(Some(48_000), 500, 0, 80, start);
        assert_eq!(reception.lost(), 1_035);
        reception.receive(Some(48_000), 20_000, 0, 80, start);
        reception.receive(Some(48_000), 20_002, 0, 80, start);
        reception.receive(Some(48_000), 19_999, 0, 80, start);
        assert_eq!(reception.lost(), 1_036);
        assert_eq!(reception.reordered(), 1);
        assert_eq!(reception.report(1, start).highest_seq, 0x1_0000 + 20_002);
    }
}
