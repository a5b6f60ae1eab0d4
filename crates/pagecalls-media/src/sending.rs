//! What went out on one sent track, and what its receiver says of it.
//!
//! A receiver's report counts the whole way from the source, because what the source's packets lost before the engine leaves
//! gaps in the numbers that go out. [`Sending`] remembers which numbers never went out, so that the two hops can be told
//! apart. All of it has a fixed size. Times are handed in; nothing here knows RTCP's bytes or keys.

use std::time::{Duration, Instant};

use crate::bits::{distance16, signed64};
use crate::quality::Rate;
use crate::rtcp::ReportBlock;

/// So many of the last numbers are known one by one.
const RECENT: u64 = 1_024;

/// Sender reports that are remembered until a report answers them.
const RELAYED: usize = 8;

/// A report that is older than this says nothing of the present.
const STALE: Duration = Duration::from_secs(15);

/// The clocks of both sides of a round trip may differ by this much before it is held for nonsense.
const ROUNDING: Duration = Duration::from_millis(1);

/// A sent track's counts. A packet counts once, on however many outputs it goes out.
#[derive(Clone, Debug, Default)]
pub struct Sending {
    /// Packets sent.
    pub packets: u64,
    /// Payload bytes sent.
    pub bytes: u64,
    /// When the first packet was sent.
    pub first: Option<Instant>,
    /// The bit rate of `bytes`.
    pub rate: Rate,
    highest: Option<u64>,
    /// Bit `n % RECENT` tells whether the number `n` was sent, for the last `RECENT` numbers.
    recent: [u64; RECENT as usize / 64],
    relayed: [Option<(u32, Instant)>; RELAYED],
    next_relayed: usize,
    reported: Option<Reported>,
    reports: u64,
}

/// What the receiver says of the track, over all outputs that have spoken for it one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reported {
    /// The output that speaks for the track.
    ssrc: u32,
    /// The number up to which it has spoken; `None` where that was in a numbering that is over.
    highest: Option<u64>,
    /// Losses of the outputs before, and what this one had lost while they still spoke.
    carried: Losses,
    passed: Losses,
    now: Losses,
    /// Loss since the receiver's report before, on the whole way, in 256ths.
    fraction: u8,
    /// Jitter in units of the media clock.
    jitter: u32,
    at: Instant,
}

/// Losses on the whole way and on the last hop alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Losses {
    way: i64,
    hop: i64,
}

impl Losses {
    fn plus(self, other: Self) -> Self {
        Self {
            way: self.way + other.way,
            hop: self.hop + other.hop,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            way: self.way - other.way,
            hop: self.hop - other.hop,
        }
    }
}

/// One output's share in the numbering.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// The number of its first packet.
    pub start: u64,
    /// Packets that it has sent.
    pub packets: u64,
}

impl Sending {
    /// The same sums at the start of another numbering.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self {
            packets: self.packets,
            bytes: self.bytes,
            first: self.first,
            rate: self.rate,
            reported: self.reported.map(|reported| Reported {
                highest: None,
                ..reported
            }),
            reports: self.reports,
            ..Self::default()
        }
    }

    /// Notes that the packet with this number has gone out.
    pub fn sent(&mut self, number: u64, bytes: usize, now: Instant) {
        self.packets += 1;
        self.bytes += bytes as u64;
        if self.first.is_none() {
            self.first = Some(now);
            self.rate.begin(self.bytes, now);
        }
        let highest = *self.highest.get_or_insert(number);
        if number > highest {
            for skipped in highest + 1..number.min(highest + RECENT + 1) {
                self.mark(skipped, false);
            }
            self.highest = Some(number);
        } else if highest - number >= RECENT {
            return;
        }
        self.mark(number, true);
    }

    /// Whether the packet with this number, which is among the last, has gone out.
    #[must_use]
    pub fn has_sent(&self, number: u64) -> bool {
        let is_recent = |highest: u64| number <= highest && highest - number < RECENT;
        let (word, bit) = place(number);
        self.highest.is_some_and(is_recent) && self.recent[word] & bit != 0
    }

    /// Notes that a sender report with these middle bits of its NTP time went to the receiver.
    pub fn relayed(&mut self, ntp_middle: u32, now: Instant) {
        let is_known = self
            .relayed
            .iter()
            .flatten()
            .any(|(known, _)| *known == ntp_middle);
        // Zero is what a report says that answers none (RFC 3550 6.4.1).
        if ntp_middle != 0 && !is_known {
            self.relayed[self.next_relayed] = Some((ntp_middle, now));
            self.next_relayed = (self.next_relayed + 1) % RELAYED;
        }
    }

    /// The time from the engine to the receiver and back, as this block shows it: it names the sender report that came last,
    /// and how long ago. `None` when that report was not relayed here, or when the times cannot be.
    #[must_use]
    pub fn round_trip(&self, block: &ReportBlock, now: Instant) -> Option<Duration> {
        let mut relayed = self.relayed.iter().flatten();
        let (_, at) = relayed.find(|(middle, _)| *middle == block.last_sr)?;
        let held = Duration::from_micros(u64::from(block.delay) * 1_000_000 / 65_536);
        let (passed, held) = (now.saturating_duration_since(*at), held);
        (held <= passed + ROUNDING).then(|| passed.saturating_sub(held))
    }

    /// Takes a block about the output `share` that speaks for the track. A block that cannot be is left out.
    pub fn reported(&mut self, block: &ReportBlock, share: Share, now: Instant) {
        let Some(losses) = self.losses(block, share) else {
            return;
        };
        let highest = self.number(block).unwrap_or(share.start);
        let (carried, passed) = match self.reported {
            Some(before) if before.ssrc == block.ssrc => (before.carried, before.passed),
            // While both outputs ran, the one before has counted.
            Some(before) if before.highest.is_some_and(|highest| share.start <= highest) => {
                (before.total(), losses)
            }
            Some(before) => (before.total(), Losses::default()),
            None => (Losses::default(), Losses::default()),
        };
        self.reports += 1;
        self.reported = Some(Reported {
            ssrc: block.ssrc,
            highest: Some(highest),
            carried,
            passed,
            now: losses,
            fraction: block.fraction_lost,
            jitter: block.jitter,
            at: now,
        });
    }

    /// How often the receiver has reported.
    #[must_use]
    pub fn reports(&self) -> u64 {
        self.reports
    }

    /// What the receiver has reported.
    #[must_use]
    pub fn last_report(&self) -> Option<&Reported> {
        self.reported.as_ref()
    }

    /// The loss that a block tells of, split by hop.
    fn losses(&self, block: &ReportBlock, share: Share) -> Option<Losses> {
        let (highest, number) = (self.highest?, self.number(block)?);
        if number < share.start || highest - number >= RECENT {
            return None;
        }
        let expected = number - share.start + 1;
        if i64::from(block.lost) > signed64(expected) {
            return None;
        }
        let after = self.sent_between(number + 1, highest);
        let never_sent = expected.saturating_sub(share.packets.saturating_sub(after));
        let way = i64::from(block.lost);
        Some(Losses {
            way,
            hop: way - signed64(never_sent),
        })
    }

    /// The number that a block names as the highest, if it was ever sent.
    fn number(&self, block: &ReportBlock) -> Option<u64> {
        let highest = self.highest?;
        let distance = distance16(highest as u16, block.highest_seq as u16);
        highest
            .checked_add_signed(i64::from(distance))
            .filter(|number| *number <= highest)
    }

    fn mark(&mut self, number: u64, is_sent: bool) {
        let (word, bit) = place(number);
        if is_sent {
            self.recent[word] |= bit;
        } else {
            self.recent[word] &= !bit;
        }
    }

    /// How many of the numbers `first` to `last` went out; all are among the last `RECENT`.
    fn sent_between(&self, first: u64, last: u64) -> u64 {
        let (mut sent, mut at) = (0, first);
        while at <= last {
            let (word, bit) = place(at);
            let in_word = (64 - at % 64).min(last - at + 1);
            // From `bit` on upwards, without what lies above the last.
            let mask = !(bit - 1) & u64::MAX >> (64 - (at % 64 + in_word));
            sent += u64::from((self.recent[word] & mask).count_ones());
            at += in_word;
        }
        sent
    }
}

impl Reported {
    /// Packets lost on the whole way from the source.
    #[must_use]
    pub fn lost_on_way(&self) -> i64 {
        self.total().way
    }

    /// Packets lost between the engine and the receiver.
    #[must_use]
    pub fn lost_on_hop(&self) -> i64 {
        self.total().hop
    }

    /// Loss since the receiver's report before, on the whole way, from 0 to 1.
    #[must_use]
    pub fn fraction_lost(&self) -> f64 {
        f64::from(self.fraction) / 256.0
    }

    /// Jitter of the whole way in milliseconds.
    #[must_use]
    pub fn jitter_ms(&self, clock_hz: u32) -> f64 {
        f64::from(self.jitter) * 1_000.0 / f64::from(clock_hz.max(1))
    }

    /// Whether it still says something of the present.
    #[must_use]
    pub fn is_fresh(&self, now: Instant) -> bool {
        now < self.at + STALE
    }

    fn total(&self) -> Losses {
        self.carried.plus(self.now).minus(self.passed)
    }
}

fn place(number: u64) -> (usize, u64) {
    let bit = number % RECENT;
    ((bit / 64) as usize, 1 << (bit % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(ssrc: u32, highest_seq: u64, lost: i32) -> ReportBlock {
        ReportBlock {
            ssrc,
            fraction_lost: 64,
            lost,
            highest_seq: highest_seq as u32,
            jitter: 480,
            last_sr: 0,
            delay: 0,
        }
    }

    /// What was sent, with the same numbers on one output from the first.
    fn sending(numbers: impl Iterator<Item = u64>) -> (Sending, Share) {
        let (mut sending, now) = (Sending::default(), Instant::now());
        let mut share = None;
        for number in numbers {
            sending.sent(number, 80, now);
            share
                .get_or_insert(Share {
                    start: number,
                    packets: 0,
                })
                .packets += 1;
        }
        (sending, share.unwrap())
    }

    fn told(sending: &Sending) -> (i64, i64) {
        let report = sending.last_report().unwrap();
        (report.lost_on_way(), report.lost_on_hop())
    }

    #[test]
    fn gaps_that_never_went_out_are_no_loss_of_the_last_hop() {
        let now = Instant::now();
        let (mut sending, share) = sending((65_000..67_000).filter(|number| number % 10 != 0));
        // Of the numbers that the report covers 99 never went out; it also misses 7 of what was sent.
        sending.reported(&block(1, 65_999, 106), share, now);
        assert_eq!(told(&sending), (106, 7));
        // A late packet closes a gap before it is reported on, and one after.
        let late = Share {
            packets: share.packets + 2,
            ..share
        };
        sending.sent(66_500, 80, now);
        sending.sent(66_990, 80, now);
        sending.reported(&block(1, 66_700, 175), late, now);
        assert_eq!(told(&sending), (175, 175 - 169));
    }

    #[test]
    fn every_number_of_the_last_ones_is_known() {
        let now = Instant::now();
        let is_gap = |number: &u64| number % 7 == 0 || (6_100..6_300).contains(number);
        let (mut sending, share) = sending((5_001..7_000).filter(|number| !is_gap(number)));
        for number in 6_999 - 1_023..7_000 {
            let gaps = (share.start..=number).filter(is_gap).count();
            sending.reported(&block(1, number, i32::try_from(gaps).unwrap()), share, now);
            assert_eq!(sending.last_report().unwrap().lost_on_hop(), 0, "{number}");
        }
    }

    #[test]
    fn of_two_outputs_each_time_counts_once() {
        let now = Instant::now();
        let (mut sending, a) = sending(1_000..1_500);
        sending.reported(&block(1, 1_400, 10), a, now);
        // B started at 1,300. Until A's last report it had lost about what its first one says.
        let b = Share {
            start: 1_300,
            packets: 200,
        };
        sending.reported(&block(2, 1_410, 3), b, now);
        assert_eq!(told(&sending), (10, 10));
        sending.reported(&block(2, 1_499, 5), b, now);
        assert_eq!(told(&sending), (12, 12));
        // A third one starts after B has spoken for the last time.
        for number in 1_500..1_600 {
            sending.sent(number, 80, now);
        }
        let c = Share {
            start: 1_510,
            packets: 90,
        };
        sending.reported(&block(3, 1_599, 4), c, now);
        assert_eq!(told(&sending), (16, 16));
    }

    #[test]
    fn sums_go_on_in_another_numbering() {
        let now = Instant::now();
        let (mut before, a) = sending(30_000..30_100);
        before.reported(&block(1, 30_099, 10), a, now);
        let mut sending = before.anew();
        assert_eq!((sending.packets, told(&sending)), (100, (10, 10)));
        assert!(!sending.has_sent(30_050));
        for number in (200..300).filter(|number| *number != 250) {
            sending.sent(number, 80, now);
        }
        let b = Share {
            start: 200,
            packets: 99,
        };
        sending.reported(&block(2, 299, 5), b, now);
        assert_eq!((sending.packets, told(&sending)), (199, (15, 14)));
        assert_eq!(sending.bytes, 199 * 80);
    }

    #[test]
    fn a_report_that_cannot_be_is_left_out() {
        let now = Instant::now();
        let (mut sending, share) = sending(100..2_000);
        for nonsense in [
            block(1, 2_000, 0),
            block(1, 99, 0),
            block(1, 500, 0),
            block(1, 1_999, 1_901),
            block(1, 40_000, 0),
        ] {
            sending.reported(&nonsense, share, now);
            assert!(sending.last_report().is_none(), "{nonsense:?}");
        }
        sending.reported(&block(1, 0x5_0000 + 1_999, -2), share, now);
        assert_eq!(
            told(&sending),
            (-2, -2),
            "the cycles are the receiver's own"
        );
    }

    #[test]
    fn a_round_trip_needs_a_report_that_was_relayed_and_times_that_can_be() {
        let start = Instant::now();
        let after = |ms: u64| start + Duration::from_millis(ms);
        let mut sending = Sending::default();
        for report in 1..=10 {
            sending.relayed(report, after(u64::from(report) * 1_000));
        }
        sending.relayed(10, after(10_500));
        sending.relayed(0, after(10_500));
        let answer = |last_sr: u32, delay_ms: u32| ReportBlock {
            last_sr,
            delay: delay_ms * 65_536 / 1_000,
            ..block(1, 0, 0)
        };
        let trip = |block: ReportBlock, ms: u64| {
            let trip = sending.round_trip(&block, after(ms));
            trip.map(|trip| (trip.as_micros() + 500) / 1_000)
        };
        assert_eq!(trip(answer(10, 500), 10_580), Some(80));
        assert_eq!(trip(answer(9, 0), 10_580), Some(1_580));
        assert_eq!(trip(answer(10, 580), 10_580), Some(0));
        assert_eq!(trip(answer(10, 600), 10_580), None);
        assert_eq!(trip(answer(2, 0), 10_580), None, "long forgotten");
        assert_eq!(trip(answer(0, 0), 10_580), None);
    }

    #[test]
    fn a_report_grows_old() {
        let start = Instant::now();
        let (mut sending, share) = sending(0..10);
        sending.reported(&block(1, 9, 0), share, start);
        let report = sending.last_report().unwrap();
        assert!((report.fraction_lost() - 0.25).abs() < 1e-9);
        assert!((report.jitter_ms(48_000) - 10.0).abs() < 1e-9);
        assert!(report.is_fresh(start + Duration::from_secs(14)));
        assert!(!report.is_fresh(start + Duration::from_secs(15)));
    }
}
