//! RTCP from one leg to the others: reports and feedback, under the SSRCs and numbers that the other side knows.
//!
//! Reports are passed on end to end, not made here (RFC 7667 3.2.1.1, a transport translator): the NTP times stay, so a sender
//! measures the whole path. Of the reports about several outputs of one track only one output's go back ([`Outlet::is_reporting`]).
//! What names nobody that the other side knows is dropped, as is every type that is not listed here. The engine reports itself
//! only where nobody else does (`Call::report`).

use std::time::{Duration, Instant};

use crate::call::{Call, Link};
use crate::keyframes::{self, Means};
use crate::leg::{Leg, RTCP_BYTES};
use crate::outbox::Outbox;
use crate::outlet::Outlet;
use crate::path::Path;
use crate::protocol::{AcceptedBy, RecvTrack};
use crate::rtcp::{
    self, HEADER_LEN, Packet, ReportBlock, SenderInfo, Writer, feedback, packet_type, packets,
    report_blocks, word, xr_block,
};
use crate::translate::Origin;

/// A stream that nobody forwards gets our own report so soon after its first packet, and then so often.
const FIRST_REPORT: Duration = Duration::from_secs(1);
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// A stream that is forwarded gets our own report when its receiver has been quiet for so long: not every stack sends RTCP.
const QUIET_RECEIVER: Duration = Duration::from_secs(10);

impl Call {
    /// Takes an RTCP packet of the leg at `place`.
    pub(crate) fn rtcp(
        &mut self,
        place: usize,
        packet: &mut [u8],
        from: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) {
        let Some(leg) = self.legs[place].as_mut() else {
            return;
        };
        let Some(len) = leg.receive_rtcp(packet, from, now, outbox) else {
            return;
        };
        let compound = &packet[..len];
        note(leg, compound, now, outbox);
        for to in 0..self.legs.len() {
            self.pass_on(place, to, compound, now, outbox);
        }
        self.pass_back_numbers(place, compound, now, outbox);
        self.ask_key_frames(now, outbox);
    }

    /// Reports about received streams to their sender, where no receiver's report is passed back.
    pub(crate) fn report(&mut self, place: usize, now: Instant, outbox: &mut Outbox) {
        let is_up = |place: usize| self.legs[place].as_ref().is_some_and(|leg| leg.is_up());
        let is_forwarded = |inlet: usize| {
            self.links.iter().any(|link| {
                link.on && link.from_leg == place && link.inlet == inlet && is_up(link.to_leg)
            })
        };
        let is_due = |source: &crate::inlet::Source| {
            let wait = match (is_forwarded(source.inlet), source.was_reported) {
                (true, _) => QUIET_RECEIVER,
                (false, true) => REPORT_INTERVAL,
                (false, false) => FIRST_REPORT,
            };
            now >= source.reported + wait
                && (source.heard > source.reported || !source.was_reported)
        };
        let Some(leg) = self.legs[place].as_ref().filter(|leg| leg.is_up()) else {
            return;
        };
        if !leg.inlets.sources.iter().any(is_due) {
            return;
        }
        let due: Vec<u32> = leg
            .inlets
            .sources
            .iter()
            .filter(|source| is_due(source))
            .map(|source| source.ssrc)
            .collect();
        let Some(leg) = self.legs[place].as_mut() else {
            return;
        };
        let mut writer = Writer::new(&mut outbox.slot()[..RTCP_BYTES]);
        let sender = leg.report_ssrc();
        let sources = leg
            .inlets
            .sources
            .iter_mut()
            .filter(|source| due.contains(&source.ssrc));
        writer.receiver_report(
            sender,
            sources.map(|source| {
                source.reported = now;
                source.was_reported = true;
                source.reception.report(source.ssrc, now)
            }),
        );
        let len = writer.len();
        leg.send_rtcp(len, outbox);
    }

    fn pass_on(
        &mut self,
        from: usize,
        to: usize,
        compound: &[u8],
        now: Instant,
        outbox: &mut Outbox,
    ) {
        let (Some(source), Some(target)) = (self.legs[from].as_deref(), self.legs[to].as_deref())
        else {
            return;
        };
        let is_linked = |link: &Link| {
            link.on
                && matches!((link.from_leg, link.to_leg), ends if ends == (from, to) || ends == (to, from))
        };
        if !target.is_up() || !self.links.iter().any(is_linked) {
            return;
        }
        let crossing = Crossing {
            links: &self.links,
            from,
            to,
            source,
            target,
        };
        let slot = &mut outbox.slot()[..RTCP_BYTES];
        let len = crossing.write(compound, Writer::new(slot));
        if len == 0 {
            return;
        }
        if let Some(target) = self.legs[to].as_mut() {
            count_requests(target, &mut slot[..len], now);
        }
        let sent = &slot[..len];
        let reported = packets(sent).flat_map(|packet| report_blocks(&packet));
        let Some(target) = self.legs[to].as_mut() else {
            return;
        };
        let infos = packets(sent).filter(|packet| packet.kind == packet_type::SR);
        for info in infos.filter_map(|packet| SenderInfo::parse(packet.body)) {
            let mut outlets = target.outlets.iter_mut();
            if let Some(outlet) = outlets.find(|outlet| outlet.has_output(info.ssrc)) {
                outlet.sending.relayed(info.ntp_middle(), now);
            }
        }
        for block in reported {
            if let Some(stream) = target.inlets.source_mut(block.ssrc) {
                stream.reported = now;
                stream.was_reported = true;
            }
        }
        target.send_rtcp(len, outbox);
    }
}

/// Counts the requests in what goes to a sender, and gives each FIR the number that is next for that sender: it hears of several
/// receivers, and of us, under one name.
fn count_requests(sender: &mut Leg, compound: &mut [u8], now: Instant) {
    let mut at = 0;
    while let Some(head) = compound.get(at..at + HEADER_LEN) {
        let (count, kind) = (head[0] & 0x1f, head[1]);
        let end = at + 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        // A FIR names its stream in its entry.
        let is_fir = (kind, count) == (packet_type::PSFB, feedback::FIR);
        let ssrc = word(compound, at + if is_fir { 12 } else { 8 });
        let stream = ssrc.and_then(|ssrc| sender.inlets.source_and_track_mut(ssrc));
        if let Some((source, track)) = stream {
            match (kind, count) {
                (packet_type::RTPFB, feedback::NACK) => track.requests.nacks += 1,
                (packet_type::PSFB, feedback::PLI) => {
                    track.requests.plis += 1;
                    source.ask.passed_on(now);
                    sender.asks = true;
                }
                (packet_type::PSFB, feedback::FIR) => {
                    if let Some(number) = compound.get_mut(at + 16) {
                        *number = source.ask.fir_number(Some(*number));
                    }
                    track.requests.firs += 1;
                    source.ask.passed_on(now);
                    sender.asks = true;
                }
                _ => {}
            }
        }
        at = end;
    }
}

/// What the leg itself learns from its peer's RTCP.
fn note(leg: &mut Leg, compound: &[u8], now: Instant, outbox: &mut Outbox) {
    for packet in packets(compound) {
        match packet.kind {
            packet_type::SR | packet_type::RR => {
                leg.peer_ssrc = word(packet.body, 0).or(leg.peer_ssrc);
                if let Some(info) =
                    SenderInfo::parse(packet.body).filter(|_| packet.kind == packet_type::SR)
                {
                    if let Some(source) = leg.inlets.source_mut(info.ssrc) {
                        source.reception.sender_report(info.ntp_middle(), now);
                    }
                }
                for block in report_blocks(&packet) {
                    leg.accept(block.ssrc, AcceptedBy::Rr, outbox);
                    leg.reported(&block, now);
                }
            }
            packet_type::RTPFB if packet.count == feedback::NACK => {
                if let Some(ssrc) = media_ssrc(&packet) {
                    leg.accept(ssrc, AcceptedBy::Nack, outbox);
                    leg.requested(ssrc, |requests| &mut requests.nacks);
                }
            }
            packet_type::PSFB if packet.count == feedback::PLI => {
                if let Some(ssrc) = media_ssrc(&packet) {
                    leg.accept(ssrc, AcceptedBy::Pli, outbox);
                    leg.requested(ssrc, |requests| &mut requests.plis);
                }
            }
            packet_type::PSFB if packet.count == feedback::FIR => {
                for (ssrc, _) in fir_entries(&packet) {
                    leg.accept(ssrc, AcceptedBy::Fir, outbox);
                    leg.requested(ssrc, |requests| &mut requests.firs);
                }
            }
            _ => {}
        }
    }
}

/// One compound on its way from one leg to another.
struct Crossing<'a> {
    links: &'a [Link],
    from: usize,
    to: usize,
    source: &'a Leg,
    target: &'a Leg,
}

impl Crossing<'_> {
    /// Writes what the target is to get; returns its length, 0 for nothing.
    fn write(&self, compound: &[u8], mut writer: Writer<'_>) -> usize {
        let sender = self.target.report_ssrc();
        let all = || packets(compound);
        for info in all()
            .filter(|packet| packet.kind == packet_type::SR)
            .filter_map(|packet| SenderInfo::parse(packet.body))
        {
            for outlet in self.fed_by(info.ssrc) {
                outlet
                    .sender_reports(info)
                    .for_each(|report| writer.sender_report(&report));
            }
        }
        let has_sender_report = !writer.is_empty();
        let mut blocks = all()
            .flat_map(|packet| report_blocks(&packet))
            .filter_map(|block| self.block(block))
            .peekable();
        let has_blocks = blocks.peek().is_some();
        if has_blocks || !has_sender_report {
            // A compound begins with a report, if an empty one (RFC 3550 6.1).
            writer.receiver_report(sender, blocks);
        }
        let preamble = if has_blocks || has_sender_report {
            0
        } else {
            writer.len()
        };
        if has_sender_report {
            let ssrcs = all()
                .filter(|packet| packet.kind == packet_type::SR)
                .filter_map(|packet| word(packet.body, 0));
            writer.source_description(
                ssrcs
                    .flat_map(|ssrc| self.fed_by(ssrc))
                    .flat_map(Outlet::started),
            );
        }
        for packet in all() {
            self.feedback(&packet, sender, &mut writer);
        }
        for ssrc in all()
            .filter(|packet| packet.kind == packet_type::BYE)
            .flat_map(|packet| rtcp::bye_ssrcs(&packet))
        {
            self.fed_by(ssrc)
                .flat_map(Outlet::started)
                .for_each(|(ssrc, _)| writer.bye(ssrc));
        }
        if writer.len() == preamble {
            0
        } else {
            writer.len()
        }
    }

    /// The target's tracks that the source's stream `ssrc` feeds.
    fn fed_by(&self, ssrc: u32) -> impl Iterator<Item = &Outlet> {
        let inlet = self.source.inlets.source(ssrc).map(|stream| stream.inlet);
        let links = self.links.iter().filter(move |link| {
            link.on
                && link.from_leg == self.from
                && link.to_leg == self.to
                && Some(link.inlet) == inlet
        });
        links
            .map(|link| &self.target.outlets[link.outlet])
            .filter(move |outlet| outlet.current == Some(ssrc))
    }

    /// The source's track with the output `ssrc`, and the target's stream that feeds it.
    fn feeds(&self, ssrc: u32) -> Option<(&Outlet, u32)> {
        let place = self
            .source
            .outlets
            .iter()
            .position(|outlet| outlet.has_output(ssrc))?;
        let is_this = |link: &&Link| {
            link.on && link.to_leg == self.from && link.outlet == place && link.from_leg == self.to
        };
        self.links.iter().find(is_this)?;
        let outlet = &self.source.outlets[place];
        Some((outlet, outlet.current?))
    }

    /// The same as [`Self::feeds`], for the one output whose reports are passed back.
    fn reports(&self, ssrc: u32) -> Option<(&Outlet, u32)> {
        self.feeds(ssrc)
            .filter(|(outlet, _)| outlet.is_reporting(ssrc))
    }

    fn block(&self, block: ReportBlock) -> Option<ReportBlock> {
        let (outlet, ssrc) = self.reports(block.ssrc)?;
        let (Origin::Packet(seq) | Origin::Inserted(seq)) =
            outlet.origin(block.highest_seq as u16)?;
        let highest_seq = self.target.inlets.source(ssrc)?.reception.extended(seq);
        Some(ReportBlock {
            ssrc,
            highest_seq,
            ..block
        })
    }

    fn feedback(&self, packet: &Packet<'_>, sender: u32, writer: &mut Writer<'_>) {
        let sender = sender.to_be_bytes();
        match (packet.kind, packet.count) {
            (packet_type::RTPFB, feedback::NACK) => self.nack(packet, sender, writer),
            (packet_type::PSFB, feedback::PLI) => {
                if let Some((_, ssrc)) = media_ssrc(packet).and_then(|ssrc| self.feeds(ssrc)) {
                    self.picture(Means::Pli, ssrc, 0, writer);
                }
            }
            (packet_type::PSFB, feedback::FIR) => {
                for (ssrc, seq) in fir_entries(packet) {
                    if let Some((_, ssrc)) = self.feeds(ssrc) {
                        self.picture(Means::Fir, ssrc, seq, writer);
                    }
                }
            }
            (packet_type::PSFB, feedback::APPLICATION) => self.remb(packet, sender, writer),
            (packet_type::XR, _) => self.extended(packet, sender, writer),
            _ => {}
        }
    }

    /// A request for a picture, as its sender takes it: by what was agreed on with it, else as it came.
    fn picture(&self, asked: Means, ssrc: u32, number: u8, writer: &mut Writer<'_>) {
        let stream = self.target.inlets.source(ssrc);
        let track = stream.map(|stream| &self.target.inlets.tracks[stream.inlet].desired);
        let means = match (asked, track.and_then(keyframes::means)) {
            // Who takes both gets what the receiver chose.
            (Means::Pli, Some(means)) => means,
            (Means::Fir, Some(Means::Pli)) if !track.is_some_and(takes_fir) => Means::Pli,
            (asked, _) => asked,
        };
        keyframes::write(writer, means, self.target.report_ssrc(), ssrc, number);
    }

    /// Generic NACK (RFC 4585 6.2.1): each number traced back. Packets that we put in cannot be asked for.
    fn nack(&self, packet: &Packet<'_>, sender: [u8; 4], writer: &mut Writer<'_>) {
        let Some((outlet, ssrc)) = media_ssrc(packet).and_then(|ssrc| self.reports(ssrc)) else {
            return;
        };
        let items = packet.body.get(8..).unwrap_or_default().chunks_exact(4);
        let missing = items.flat_map(|item| {
            let (pid, mask) = (
                u16::from_be_bytes([item[0], item[1]]),
                u16::from_be_bytes([item[2], item[3]]),
            );
            let more = (0..16)
                .filter(move |bit| mask >> bit & 1 == 1)
                .map(move |bit| pid.wrapping_add(bit + 1));
            std::iter::once(pid).chain(more)
        });
        let mut items = [0; 4 * 64];
        let mut used = 0;
        let mut open: Option<(u16, u16)> = None;
        let mut put = |(pid, mask): (u16, u16)| {
            if let Some(space) = items.get_mut(used..used + 4) {
                space[..2].copy_from_slice(&pid.to_be_bytes());
                space[2..].copy_from_slice(&mask.to_be_bytes());
                used += 4;
            }
        };
        for seq in missing {
            let Some(Origin::Packet(seq)) = outlet.origin(seq) else {
                continue;
            };
            open = match open {
                Some((pid, mask)) if (1..=16).contains(&seq.wrapping_sub(pid)) => {
                    Some((pid, mask | 1 << (seq.wrapping_sub(pid) - 1)))
                }
                Some(full) => {
                    put(full);
                    Some((seq, 0))
                }
                None => Some((seq, 0)),
            };
        }
        open.map(&mut put);
        if used > 0 {
            writer.packet(
                packet.kind,
                packet.count,
                &[&sender, &ssrc.to_be_bytes(), &items[..used]],
            );
        }
    }

    /// REMB (draft-alvestrand-rmcat-remb): the rate stays, the list of streams is mapped.
    fn remb(&self, packet: &Packet<'_>, sender: [u8; 4], writer: &mut Writer<'_>) {
        let Some(head) = packet
            .body
            .get(8..16)
            .filter(|head| head.starts_with(b"REMB"))
        else {
            return;
        };
        let mut list = [0; 4 * 31];
        let mut count = 0;
        for ssrc in packet.body[16..]
            .chunks_exact(4)
            .take(usize::from(head[4]))
            .filter_map(|bytes| word(bytes, 0))
        {
            if let (Some((_, ssrc)), Some(space)) =
                (self.reports(ssrc), list.get_mut(4 * count..4 * count + 4))
            {
                space.copy_from_slice(&ssrc.to_be_bytes());
                count += 1;
            }
        }
        if count > 0 {
            let rate = [count as u8, head[5], head[6], head[7]];
            writer.packet(
                packet.kind,
                packet.count,
                &[&sender, &[0; 4], b"REMB", &rate, &list[..4 * count]],
            );
        }
    }

    /// Extended reports (RFC 3611): the receiver's clock and its answer are passed on, other blocks are dropped.
    fn extended(&self, packet: &Packet<'_>, sender: [u8; 4], writer: &mut Writer<'_>) {
        let mut rest = packet.body.get(4..).unwrap_or_default();
        while let Some(head) = rest.get(..4) {
            let length = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
            let Some(block) = rest.get(..length) else {
                return;
            };
            rest = &rest[length..];
            match block[0] {
                xr_block::RRTR if length == 12 => writer.packet(packet.kind, 0, &[&sender, block]),
                xr_block::DLRR => {
                    for item in block[4..].chunks_exact(12) {
                        let is_ours =
                            word(item, 0).is_some_and(|ssrc| self.source.is_report_ssrc(ssrc));
                        if let Some(ssrc) = self.target.peer_ssrc.filter(|_| is_ours) {
                            let head = [xr_block::DLRR, 0, 0, 3];
                            writer.packet(
                                packet.kind,
                                0,
                                &[&sender, &head, &ssrc.to_be_bytes(), &item[4..]],
                            );
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn takes_fir(track: &RecvTrack) -> bool {
    track.fb.iter().any(|fb| fb == "ccm fir")
}

fn media_ssrc(packet: &Packet<'_>) -> Option<u32> {
    word(packet.body, 4)
}

/// The entries of a full intra request (RFC 5104 4.3.1): SSRC and command number.
fn fir_entries<'a>(packet: &Packet<'a>) -> impl Iterator<Item = (u32, u8)> + use<'a> {
    let entries = packet.body.get(8..).unwrap_or_default();
    entries
        .chunks_exact(8)
        .filter_map(|entry| Some((word(entry, 0)?, entry[4])))
}
