//! What has become of the packets that one peer numbered, and what it is told of them.
//!
//! Times that the peer is told lie on the engine's own clock: a receiver's clock is moved to it once, so that the peer sees no leap
//! when the engine answers by itself and the receiver goes on later. What was kept back is told with the delay that the packet
//! before it had, since it says nothing of the network behind the engine.

use std::time::{Duration, Instant};

use crate::bits::{distance16, signed32};
use crate::rtcp::Writer;

use super::feedback::Builder;
use super::ring::Ring;
use super::{TICKS_PER_S, Ticks};

/// The engine's own answers come so often.
pub const ANSWER_INTERVAL: Duration = Duration::from_millis(100);

/// A receiver that says nothing for so long, from the first packet on, does not answer; then the engine does.
const QUIET: Duration = Duration::from_secs(1);

/// A receiver's time that lies further from the time here is none; its clock is read anew. The difference fits 16 bits.
const LEAP: u32 = 8 * TICKS_PER_S;

/// What is known of one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    /// It has not come.
    #[default]
    Missing,
    /// It came, and goes no further.
    Kept,
    /// It went on, and its receiver has said nothing yet.
    Sent,
    /// It went on, and its receiver did not get it.
    Lost,
    /// It arrived.
    Arrived,
}

/// A number's fate with its time: when it came here, or the time of arrival that its sender is told.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    fate: Fate,
    /// Of what arrived, what lies between the two.
    shift: i16,
    at: Ticks,
}

impl Entry {
    /// It arrived, so much after it came here.
    fn arrived(self, shift: i16) -> Self {
        Self {
            fate: Fate::Arrived,
            shift,
            at: self.at.wrapping_add_signed(shift.into()),
        }
    }
}

/// The numbers of one sending peer.
pub struct Ledger {
    began: Instant,
    entries: Ring<Entry>,
    /// The highest number that came.
    highest: Option<u64>,
    /// The first one that was not told yet.
    next: u64,
    /// The highest that went on.
    highest_sent: Option<u64>,
    /// What lies between the time here and the time that the peer is told, of the newest packet of which a receiver told.
    shift: i16,
    /// The same, while feedback is read.
    newest_shift: Option<i16>,
    /// A receiver, and what is added to its times.
    receiver: Option<(u32, u32)>,
    sending_since: Option<Instant>,
    last_sent: Option<Instant>,
    answered: Option<Instant>,
    due: Option<Instant>,
    /// Numbers that are to be told now.
    telling: Option<(u64, u64)>,
    /// Numbers whose fate the present feedback has changed.
    changed: Option<(u64, u64)>,
    count: u8,
    media: u32,
}

impl Ledger {
    /// Nothing has come.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            entries: Ring::new(0, now),
            highest: None,
            next: 0,
            highest_sent: None,
            shift: 0,
            newest_shift: None,
            receiver: None,
            sending_since: None,
            last_sent: None,
            answered: None,
            due: None,
            telling: None,
            changed: None,
            count: 0,
            media: 0,
        }
    }

    /// A packet of the stream `media` came under this number. Unless [`Self::sent`] follows it goes no further.
    pub fn arrived(&mut self, number: u16, media: u32, now: Instant) {
        self.media = media;
        let Some(highest) = self.highest else {
            // A cycle ahead, so that an earlier number is one too.
            let number = 0x1_0000 + u64::from(number);
            self.entries = Ring::new(number, now);
            self.highest = Some(number);
            self.next = number;
            self.note(number, now);
            return;
        };
        let number = extended(highest, number);
        if number > highest {
            self.entries.advance(highest, number, now);
            self.highest = Some(number);
            self.next = self.next.max(self.oldest());
        } else if number < self.oldest() || self.entries.get(number).fate != Fate::Missing {
            return;
        }
        self.note(number, now);
    }

    fn note(&mut self, number: u64, now: Instant) {
        *self.entries.at(number) = Entry {
            fate: Fate::Kept,
            at: self.ticks(now),
            shift: 0,
        };
        // What was told to be missing is told again.
        self.next = self.next.min(number);
        self.due.get_or_insert(now + ANSWER_INTERVAL);
    }

    /// The packet that came under this number went on under a number of ours.
    pub fn sent(&mut self, number: u16, now: Instant) {
        let Some(number) = self.known(number) else {
            return;
        };
        let entry = self.entries.at(number);
        if entry.fate != Fate::Kept {
            return;
        }
        entry.fate = Fate::Sent;
        self.highest_sent = self.highest_sent.max(Some(number));
        if self.last_sent.is_none_or(|last| last + QUIET <= now) {
            self.sending_since = Some(now);
        }
        self.last_sent = Some(now);
    }

    /// A receiver says what became of a packet that went on under this number: when it arrived on its clock, or that it did not.
    /// [`Self::told_all`] must follow.
    pub fn told(&mut self, receiver: u32, number: u16, arrival: Option<Ticks>) {
        let Some(number) = self.known(number) else {
            return;
        };
        let entry = self.entries.get(number);
        let new = match (entry.fate, arrival) {
            (Fate::Sent | Fate::Lost, Some(time)) => {
                let shift = self.shift_of(receiver, time, entry.at);
                self.newest_shift = Some(shift);
                entry.arrived(shift)
            }
            (Fate::Sent, None) => Entry {
                fate: Fate::Lost,
                ..entry
            },
            _ => return,
        };
        *self.entries.at(number) = new;
        let (first, last) = self.changed.unwrap_or((number, number));
        self.changed = Some((first.min(number), last.max(number)));
    }

    /// The receiver's feedback ends here: what it told goes on to the peer, with what was kept back up to the next packet that a
    /// receiver has to tell of.
    pub fn told_all(&mut self, now: Instant) {
        let (Some((first, last)), Some(highest)) = (self.changed.take(), self.highest) else {
            return;
        };
        let mut end = last.max(self.next.saturating_sub(1));
        let begin = first.min(self.next);
        for number in end + 1..=highest {
            match self.entries.get(number).fate {
                Fate::Sent => break,
                Fate::Missing => {}
                Fate::Kept | Fate::Lost | Fate::Arrived => end = number,
            }
        }
        self.answered = Some(now);
        self.settle(begin, end);
        self.newest_shift = None;
        self.tell(begin, end, now);
    }

    /// When [`Self::on_time`] is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.due
    }

    /// Answers by itself, if no receiver does.
    pub fn on_time(&mut self, now: Instant) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        let Some(highest) = self.highest.filter(|highest| *highest >= self.next) else {
            return;
        };
        if self.is_answered(now) {
            self.due = Some(now + ANSWER_INTERVAL);
            return;
        }
        for number in self.next..=highest {
            let entry = self.entries.at(number);
            if entry.fate == Fate::Sent {
                entry.fate = Fate::Kept;
            }
        }
        self.settle(self.next, highest);
        self.tell(self.next, highest, now);
    }

    /// What was kept back has arrived, with the delay of the packet before it.
    fn settle(&mut self, first: u64, last: u64) {
        for number in first.max(self.oldest())..=last {
            let entry = self.entries.at(number);
            match entry.fate {
                Fate::Kept => *entry = entry.arrived(self.shift),
                Fate::Arrived => self.shift = entry.shift,
                Fate::Missing | Fate::Sent | Fate::Lost => {}
            }
        }
    }

    /// The oldest number that is remembered.
    fn oldest(&self) -> u64 {
        self.highest
            .map_or(0, |highest| self.entries.oldest(highest))
    }

    /// Whether a receiver has still to tell of something, and can be expected to.
    fn is_answered(&self, now: Instant) -> bool {
        let waits = self.highest_sent.is_some_and(|sent| sent >= self.next);
        let heard = self.answered.max(self.sending_since);
        waits && heard.is_some_and(|heard| now < heard + QUIET)
    }

    fn tell(&mut self, first: u64, last: u64, now: Instant) {
        self.telling = Some((first, last));
        self.next = last + 1;
        let is_all = self.highest.is_none_or(|highest| highest < self.next);
        self.due = (!is_all).then_some(now + ANSWER_INTERVAL);
    }

    /// Whether [`Self::write`] has something to write.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.telling.is_some()
    }

    /// Writes one packet of what is to be told; more may be left.
    pub fn write(&mut self, sender: u32, now: Instant, writer: &mut Writer<'_>) {
        let Some((first, last)) = self.telling.take() else {
            return;
        };
        let first = first.max(self.oldest());
        let mut builder = Builder::new(first as u16);
        let mut number = first;
        while number <= last && builder.push(self.arrival(number)) {
            number += 1;
        }
        self.telling = (number <= last).then_some((number, last));
        if !builder.is_empty() {
            builder.write(sender, self.media, self.count, self.ticks(now), writer);
            self.count = self.count.wrapping_add(1);
        }
    }

    /// The time that the peer is told.
    fn arrival(&self, number: u64) -> Option<Ticks> {
        let entry = self.entries.get(number);
        match entry.fate {
            Fate::Missing | Fate::Sent | Fate::Lost => None,
            // None are left: they were settled before this is asked.
            Fate::Kept | Fate::Arrived => Some(entry.at),
        }
    }

    /// What lies between a packet's time here and its arrival, by the receiver's clock. A receiver that is new, or whose clock leaps,
    /// goes on with what the last packet had.
    fn shift_of(&mut self, receiver: u32, time: Ticks, came: Ticks) -> i16 {
        if let Some((_, offset)) = self.receiver.filter(|(known, _)| *known == receiver) {
            let shift = signed32(time.wrapping_add(offset).wrapping_sub(came));
            let shift = Some(shift).filter(|shift| shift.unsigned_abs() < LEAP);
            if let Some(shift) = shift.and_then(|shift| i16::try_from(shift).ok()) {
                return shift;
            }
        }
        let shift = self.newest_shift.unwrap_or(self.shift);
        let arrived = came.wrapping_add_signed(shift.into());
        self.receiver = Some((receiver, arrived.wrapping_sub(time)));
        shift
    }

    fn known(&self, number: u16) -> Option<u64> {
        let highest = self.highest?;
        let number = extended(highest, number);
        (number <= highest && number >= self.oldest()).then_some(number)
    }

    fn ticks(&self, now: Instant) -> Ticks {
        let passed = now.saturating_duration_since(self.began).as_micros();
        (passed * u128::from(TICKS_PER_S) / 1_000_000) as Ticks
    }
}

fn extended(highest: u64, number: u16) -> u64 {
    let distance = i64::from(distance16(highest as u16, number));
    highest.saturating_add_signed(distance)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::super::feedback::Feedback;
    use super::super::{Came, Numbers, REMEMBERED};
    use super::*;
    use crate::leg::RTCP_BYTES;
    use crate::rtcp::packets;

    const RECEIVER: u32 = 9;

    /// All that the ledger has to tell, as (number, time).
    fn said(ledger: &mut Ledger, now: Instant) -> Vec<(u16, Option<Ticks>)> {
        let mut statuses = Vec::new();
        while ledger.has_news() {
            let mut buffer = [0; RTCP_BYTES];
            let mut writer = Writer::new(&mut buffer);
            ledger.write(1, now, &mut writer);
            let len = writer.len();
            for packet in packets(&buffer[..len]) {
                statuses.extend(Feedback::parse(packet.body).unwrap().statuses());
            }
        }
        statuses
    }

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn what_goes_no_further_is_answered_every_100_ms() {
        let start = Instant::now();
        let mut ledger = Ledger::new(start);
        for (ms, number) in [(10, 65_534), (20, 65_535), (40, 1)] {
            ledger.arrived(number, 7, after(start, ms));
        }
        assert_eq!(ledger.next_due(), Some(after(start, 110)));
        ledger.on_time(after(start, 109));
        assert!(!ledger.has_news());
        ledger.on_time(after(start, 110));
        let expected = [
            (65_534, Some(40)),
            (65_535, Some(80)),
            (0, None),
            (1, Some(160)),
        ];
        assert_eq!(said(&mut ledger, after(start, 110)), expected);
        assert_eq!(ledger.next_due(), None, "nothing is left to tell");
        // The lost one was only late.
        ledger.arrived(0, 7, after(start, 120));
        ledger.arrived(2, 7, after(start, 130));
        ledger.on_time(after(start, 220));
        let expected = [(0, Some(480)), (1, Some(160)), (2, Some(520))];
        assert_eq!(said(&mut ledger, after(start, 220)), expected);
    }

    #[test]
    fn a_receivers_word_goes_on_with_what_was_kept_back_between() {
        let start = Instant::now();
        let mut ledger = Ledger::new(start);
        for number in 0..6 {
            ledger.arrived(number, 7, after(start, 10 * u64::from(number)));
            if number % 2 == 0 {
                ledger.sent(number, after(start, 10 * u64::from(number)));
            }
        }
        // On a clock of its own, and the second packet took 1 ms longer.
        ledger.told(RECEIVER, 0, Some(1_000_000));
        ledger.told(RECEIVER, 2, Some(1_000_084));
        ledger.told_all(after(start, 60));
        let expected = [(0, Some(0)), (1, Some(40)), (2, Some(84)), (3, Some(124))];
        assert_eq!(said(&mut ledger, after(start, 60)), expected);
        // Of 4 the receiver has still to tell.
        ledger.on_time(after(start, 200));
        assert!(!ledger.has_news());
        ledger.told(RECEIVER, 4, None);
        ledger.told_all(after(start, 210));
        let expected = [(4, None), (5, Some(204))];
        assert_eq!(said(&mut ledger, after(start, 210)), expected);
        // It came late.
        ledger.told(RECEIVER, 4, Some(1_000_500));
        ledger.told_all(after(start, 220));
        let told = said(&mut ledger, after(start, 220));
        assert_eq!(told[0], (4, Some(500)));
    }

    #[test]
    fn a_receiver_that_says_nothing_for_a_second_is_not_waited_for() {
        let start = Instant::now();
        let mut ledger = Ledger::new(start);
        let mut told = Vec::new();
        for step in 0..200u16 {
            let now = after(start, 10 * u64::from(step));
            ledger.on_time(now);
            told.extend(
                said(&mut ledger, now)
                    .into_iter()
                    .map(|status| (step, status)),
            );
            ledger.arrived(step, 7, now);
            ledger.sent(step, now);
        }
        assert_eq!(told[0].0, 100, "the first second belongs to the receiver");
        assert!(told.iter().all(|(_, (_, arrival))| arrival.is_some()));
        let numbers: Vec<u16> = told.iter().map(|(_, (number, _))| *number).collect();
        assert_eq!(numbers, (0..190).collect::<Vec<_>>());
        // It answers late, of packets that were told already: nothing more is said of them.
        ledger.told(RECEIVER, 20, Some(5));
        ledger.told_all(after(start, 2_000));
        assert!(!ledger.has_news());
    }

    #[test]
    fn the_time_does_not_leap_when_a_receiver_takes_over() {
        let start = Instant::now();
        let mut ledger = Ledger::new(start);
        ledger.arrived(0, 7, after(start, 10));
        ledger.on_time(after(start, 110));
        assert_eq!(said(&mut ledger, start), [(0, Some(40))]);
        ledger.arrived(1, 7, after(start, 120));
        ledger.sent(1, after(start, 120));
        ledger.told(RECEIVER, 1, Some(77));
        ledger.told_all(after(start, 130));
        assert_eq!(said(&mut ledger, start), [(1, Some(480))]);
        // Another receiver, and one whose clock leaps.
        for (number, receiver, time) in [(2, 10, 3_000_000), (3, 10, 3_000_040), (4, 10, 9)] {
            let ms = 120 + 10 * (u64::from(number) - 1);
            ledger.arrived(number, 7, after(start, ms));
            ledger.sent(number, after(start, ms));
            ledger.told(receiver, number, Some(time));
            ledger.told_all(after(start, ms));
            let expected = (number, Some(480 + 40 * (u32::from(number) - 1)));
            assert_eq!(said(&mut ledger, start), [expected]);
        }
    }

    #[test]
    fn leaps_cost_no_more_than_what_is_remembered() {
        let start = Instant::now();
        let mut ledger = Ledger::new(start);
        for round in 0..50u16 {
            let now = after(start, u64::from(round));
            ledger.arrived(round.wrapping_mul(30_000), 7, now);
            ledger.sent(round.wrapping_mul(30_000), now);
            for number in 0..=u16::MAX {
                ledger.told(RECEIVER, number, Some(0));
            }
            ledger.told_all(now);
            assert!(said(&mut ledger, now).len() <= REMEMBERED as usize);
        }
    }

    /// One step of a model: a packet that is lost before the engine, kept back, or goes on and is lost or arrives; now and then the
    /// receiver reports on all since its last report, unless that is lost too.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Gone,
        Kept,
        Onward(bool),
        Report(bool),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            1 => Just(Step::Gone),
            2 => Just(Step::Kept),
            8 => prop::bool::weighted(0.9).prop_map(Step::Onward),
            1 => prop::bool::weighted(0.8).prop_map(Step::Report),
        ];
        prop::collection::vec(step, 1..600)
    }

    proptest! {
        /// The sender hears of each packet what became of it, whichever way it took; of what a lost report told, nothing better.
        #[test]
        fn each_packet_is_told_as_it_was(start_number: u16, steps in steps()) {
            let start = Instant::now();
            let (mut ledger, mut numbers) = (Ledger::new(start), Numbers::new(start));
            let (mut kept, mut onward) = (BTreeSet::new(), BTreeMap::new());
            let (mut unreported, mut reported) = (Vec::new(), BTreeMap::new());
            let mut told = BTreeMap::new();
            let mut number = u64::from(start_number);
            let mut first = None;
            for (place, step) in steps.iter().enumerate() {
                let now = after(start, 5 * place as u64);
                match *step {
                    Step::Gone => number += 1,
                    Step::Kept | Step::Onward(_) => {
                        first.get_or_insert(number);
                        ledger.arrived(number as u16, 7, now);
                        if let Step::Onward(arrives) = *step {
                            let out = numbers.next();
                            numbers.used(Some(Came { from: 1, number: number as u16 }), now);
                            ledger.sent(number as u16, now);
                            onward.insert(number, arrives);
                            unreported.push((out, number, arrives.then_some(20 * place as u32)));
                        } else {
                            kept.insert(number);
                        }
                        number += 1;
                    }
                    Step::Report(arrives) => {
                        for (out, number, time) in unreported.drain(..) {
                            if arrives {
                                let came = numbers.came(out).unwrap();
                                prop_assert_eq!(came.number, number as u16);
                                ledger.told(RECEIVER, came.number, time);
                                reported.insert(number, time.is_some());
                            }
                        }
                        ledger.told_all(now);
                    }
                }
                ledger.on_time(now);
                for (low, arrival) in said(&mut ledger, now) {
                    told.insert(extended(number, low), arrival.is_some());
                }
            }
            // At the end the engine answers for what is left.
            let end = after(start, 5 * steps.len() as u64 + 5_000);
            ledger.on_time(end);
            for (low, arrival) in said(&mut ledger, end) {
                told.insert(extended(number, low), arrival.is_some());
            }
            let newest = kept.iter().chain(onward.keys()).max().copied();
            for one in first.into_iter().flat_map(|first| first..=newest.unwrap_or(first)) {
                let expected = kept.contains(&one)
                    || onward.contains_key(&one) && reported.get(&one).copied().unwrap_or(true);
                let is_open = onward.contains_key(&one) && !reported.contains_key(&one);
                // What no report told of is answered for, or was told to be missing between two that were reported.
                prop_assert!(told.contains_key(&one), "nothing was said of {one}");
                prop_assert!(is_open || told[&one] == expected, "{one}: {told:?}");
            }
        }
    }
}
