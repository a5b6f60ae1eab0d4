//! Transport-wide feedback across a call: what a receiver says of our numbers goes back to those whose packets they were.
//!
//! Each leg negotiates it for itself (ruling 20). [`crate::twcc`] holds the rules and the format; here is who hears of what.

use std::time::Instant;

use crate::call::Call;
use crate::leg::{Leg, RTCP_BYTES};
use crate::outbox::Outbox;
use crate::rtcp::{Writer, feedback, packet_type, packets};
use crate::twcc::Ticks;
use crate::twcc::feedback::{Feedback, MAX_READ};

impl Call {
    /// Takes the transport-wide feedback in a compound of the leg at `place`. In however many packets it comes, it is read within one
    /// bound and told on once.
    pub(crate) fn pass_back_numbers(
        &mut self,
        place: usize,
        compound: &[u8],
        now: Instant,
        outbox: &mut Outbox,
    ) {
        let is_feedback = |packet: &crate::rtcp::Packet<'_>| {
            (packet.kind, packet.count) == (packet_type::RTPFB, feedback::TRANSPORT)
        };
        let found = packets(compound).filter(is_feedback);
        let told = found.filter_map(|packet| Feedback::parse(packet.body));
        let statuses = told.flat_map(|told| told.statuses());
        let mut statuses = statuses.take(MAX_READ.into()).peekable();
        if statuses.peek().is_some() {
            self.pass_back(place, statuses, now, outbox);
        }
    }

    fn pass_back(
        &mut self,
        place: usize,
        statuses: impl Iterator<Item = (u16, Option<Ticks>)>,
        now: Instant,
        outbox: &mut Outbox,
    ) {
        let Some(leg) = self.legs[place].as_mut() else {
            return;
        };
        let receiver = leg.uid();
        // They are taken out, so that the legs can be changed while they are read.
        let Some(numbers) = leg.numbers.take() else {
            return;
        };
        for (number, arrival) in statuses {
            let Some(came) = numbers.came(number) else {
                continue;
            };
            let mut legs = self.legs.iter_mut().flatten();
            let sender = legs.find(|leg| leg.uid() == came.from);
            if let Some(ledger) = sender.and_then(|leg| leg.ledger.as_mut()) {
                ledger.told(receiver, came.number, arrival);
            }
        }
        if let Some(leg) = self.legs[place].as_mut() {
            leg.numbers = Some(numbers);
        }
        for leg in self.legs.iter_mut().flatten() {
            if let Some(ledger) = &mut leg.ledger {
                ledger.told_all(now);
            }
            leg.tell_numbers(now, outbox);
        }
    }
}

impl Leg {
    /// Answers by itself for the packets of the peer of which no receiver tells, if it is time to.
    pub(crate) fn answer_numbers(&mut self, now: Instant, outbox: &mut Outbox) {
        if let Some(ledger) = &mut self.ledger {
            ledger.on_time(now);
            self.tell_numbers(now, outbox);
        }
    }

    fn tell_numbers(&mut self, now: Instant, outbox: &mut Outbox) {
        let sender = self.report_ssrc();
        while let Some(ledger) = self.ledger.as_mut().filter(|ledger| ledger.has_news()) {
            let mut writer = Writer::new(&mut outbox.slot()[..RTCP_BYTES]);
            writer.receiver_report(sender, std::iter::empty());
            ledger.write(sender, now, &mut writer);
            let len = writer.len();
            self.send_rtcp(len, outbox);
        }
    }
}
