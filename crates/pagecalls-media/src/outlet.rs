//! A sent track: one numbering, one or more outputs that carry it, the digits that go into it, and the repeats of what it lost.
//!
//! Every output carries the same payload, payload type, sequence number and timestamp; only SSRC and MID differ
//! (messenger-calling 6.6). This module decides what is sent and under which numbers; encryption and address come as a
//! [`Wire`], and which received track feeds it is [`crate::call`]'s business.

mod digits;
mod repair;

use std::time::{Duration, Instant};

use crate::dtmf::{Dtmf, EventCodec};
use crate::inlet::Requests;
use crate::inlets::Part;
use crate::outbox::Outbox;
use crate::path::Path;
use crate::protocol::{Kind, SendTrack};
use crate::rtcp::{ReportBlock, SenderInfo};
use crate::rtp::{self, Fields, Header};
use crate::sending::{Sending, Share};
use crate::srtp::{self, Outbound};
use crate::translate::{
    ExtensionMap, Numbering, Origin, Payload, PayloadMap, Place, clock_hz, is_event,
};
use crate::twcc::{Came, Numbers};

/// A new output on a running numbering does not start so close before a 16-bit wrap: if its first packets were lost, the
/// receiver would count the cycles wrong for ever (RFC 3711 3.3.1).
const WRAP_MARGIN: u64 = 50;

/// Packets of the source before the last are stragglers while the new one is this fresh.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// Where a sent track's packets go: the leg's encryption, its address, and the outbox.
pub struct Wire<'a> {
    /// Encrypts towards the peer.
    pub srtp: &'a mut Outbound,
    /// The way to the peer.
    pub to: Path,
    /// Takes the datagrams.
    pub outbox: &'a mut Outbox,
    /// Numbers the packets of tracks that carry transport-wide numbers, and the time.
    pub numbers: Option<(&'a mut Numbers, Instant)>,
    /// What a number that is used up stands for.
    pub came: Option<Came>,
    /// Whether the packet went out under a number.
    pub is_numbered: bool,
}

impl Wire<'_> {
    /// The element with the next transport-wide number, if the track carries one under this id.
    fn number(&self, id: Option<u8>) -> Option<(u8, [u8; 2])> {
        let (numbers, _) = self.numbers.as_ref()?;
        id.map(|id| (id, numbers.next().to_be_bytes()))
    }

    /// Sends the first `len` bytes of the slot; the next number is in them, if there is one.
    fn commit(&mut self, len: usize, is_video: bool, is_numbered: bool) {
        if let Some((numbers, now)) = self.numbers.as_mut().filter(|_| is_numbered) {
            numbers.used(self.came.filter(|_| !self.is_numbered), *now);
            self.is_numbered = true;
        }
        if is_video {
            self.outbox.commit_yielding(len, self.to);
        } else {
            self.outbox.commit(len, self.to);
        }
    }
}

/// A decrypted packet of a received track.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// Its header.
    pub header: Header,
    /// The whole packet, header included.
    pub packet: &'a [u8],
    /// What it is to its track.
    pub part: Part,
    /// Its transport-wide number, with the leg that gave it.
    pub came: Option<Came>,
}

impl<'a> Incoming<'a> {
    fn payload(&self) -> &'a [u8] {
        &self.packet[self.header.len..]
    }

    /// Whether it is padding and nothing else, which senders without RTX use to see what the path can carry. Receivers may take
    /// one for an empty frame: aiortc's decoder never recovers from that.
    fn is_filler(&self) -> bool {
        self.header.padding && rtp::without_padding(self.payload(), true).is_empty()
    }
}

/// How the packets of one received track are rewritten for one sent track.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Payload types.
    pub payloads: PayloadMap,
    /// Copied extensions.
    pub extensions: ExtensionMap,
}

/// What came of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// Sent, or replaced by a packet of a digit; the digit is named when that was its last packet.
    Sent(Option<char>),
    /// Kept back: nobody wants it, or it came too late.
    Dropped,
    /// Kept back: it only fills the path, and nothing can carry it on.
    Filler,
    /// A telephone event that the receiver cannot take: the digit is lost.
    DigitLost,
}

/// One output of a sent track.
#[derive(Debug)]
pub struct OutStream {
    /// Its SSRC.
    pub ssrc: u32,
    mid: String,
    /// The extended sequence number of its first packet, once it has started.
    start: Option<u64>,
    /// Packets sent.
    pub packets: u64,
    /// Payload bytes sent.
    pub octets: u64,
    /// Whether feedback has named it.
    pub is_accepted: bool,
    /// The stream of its repeats.
    rtx: Option<Rtx>,
    /// The transport-wide numbers of its last packets, where they may go out once more as they were.
    plain: Option<Box<[u16]>>,
}

/// A stream of repeats (RFC 4588).
#[derive(Clone, Copy, Debug)]
struct Rtx {
    ssrc: u32,
    /// Its next sequence number, extended.
    next: u64,
}

impl Rtx {
    /// A numbering starts below 2^15, as that of a track; the SSRC is random, and so is what it starts with.
    fn new(ssrc: u32) -> Self {
        let next = u64::from(ssrc & 0x7fff);
        Self { ssrc, next }
    }
}

/// A sent track.
pub struct Outlet {
    /// Tells this track from every other of the call, also from an earlier one of the same name.
    pub uid: u32,
    /// When a desired state brought the track that has been sent since.
    pub since: Instant,
    /// The source that feeds it now.
    pub current: Option<u32>,
    /// What has gone out, and what the receiver says of it.
    pub sending: Sending,
    /// What the receiver asked for.
    pub requests: Requests,
    /// Repeats that went out.
    pub rtx_packets: u64,
    /// Whether the receiver begins to see what it has not seen before.
    pub needs_key_frame: bool,
    desired: SendTrack,
    copies: Vec<OutStream>,
    numbering: Numbering,
    previous: Option<u32>,
    feed: Option<u32>,
    clock_hz: u32,
    event_codec: Option<EventCodec>,
    dtmf: Option<Box<Dtmf>>,
    /// Timestamp of the last event that was made anew, to tell a new digit from an update.
    remade_ts: Option<u32>,
}

impl Outlet {
    /// A track that has sent nothing. `start_seq` and `start_ts` are random.
    #[must_use]
    pub fn new(uid: u32, desired: SendTrack, start_seq: u16, start_ts: u32, now: Instant) -> Self {
        let clock = desired
            .codecs
            .iter()
            .find(|codec| !is_event(codec))
            .map_or(8_000, |codec| clock_hz(&codec.key));
        let mut outlet = Self {
            uid,
            since: now,
            current: None,
            sending: Sending::default(),
            requests: Requests::default(),
            rtx_packets: 0,
            needs_key_frame: false,
            desired: SendTrack {
                outputs: Vec::new(),
                ..desired.clone()
            },
            copies: Vec::new(),
            numbering: Numbering::new(clock, start_seq, start_ts),
            previous: None,
            feed: None,
            clock_hz: clock,
            event_codec: None,
            dtmf: None,
            remade_ts: None,
        };
        outlet.apply(desired);
        outlet
    }

    /// Goes on with the figures of an earlier track of this name, and with nothing else of it: its numbers start far from there.
    #[must_use]
    pub fn going_on_from(mut self, gone: &Self) -> Self {
        self.numbering = self.numbering.far_from(&gone.numbering);
        self.since = gone.since;
        self.sending = gone.sending.anew();
        self.requests = gone.requests;
        self.rtx_packets = gone.rtx_packets;
        self
    }

    /// The track without outputs, for its figures.
    #[must_use]
    pub fn ended(mut self) -> Self {
        self.copies = Vec::new();
        self.dtmf = None;
        self
    }

    /// Takes over the desired state: outputs that stay keep their streams.
    pub fn apply(&mut self, desired: SendTrack) {
        let mut before = std::mem::take(&mut self.copies);
        let copies = desired.outputs.iter().map(|output| {
            let old = before.iter().position(|copy| copy.ssrc == output.ssrc);
            let mut copy = match old {
                Some(place) => before.swap_remove(place),
                None => OutStream::new(output.ssrc),
            };
            copy.mid.clone_from(&output.mid);
            let rtx = copy.rtx.filter(|rtx| output.rtx_ssrc == Some(rtx.ssrc));
            copy.rtx = rtx.or_else(|| output.rtx_ssrc.map(Rtx::new));
            copy
        });
        self.copies = copies.collect();
        // Events on the audio's own clock share its time base, so they are the better choice (messenger-calling 10).
        let events = desired.codecs.iter().filter(|codec| is_event(codec));
        let events = events.map(|codec| EventCodec {
            pt: codec.pt,
            clock_hz: clock_hz(&codec.key),
        });
        self.event_codec = events.min_by_key(|codec| codec.clock_hz != self.clock_hz);
        self.desired = desired;
    }

    /// The track's name.
    #[must_use]
    pub fn track(&self) -> &str {
        &self.desired.track
    }

    /// The desired state in force.
    #[must_use]
    pub fn desired(&self) -> &SendTrack {
        &self.desired
    }

    /// The outputs, in the desired order.
    #[must_use]
    pub fn copies(&self) -> &[OutStream] {
        &self.copies
    }

    /// Whether this is the track that `desired` describes, perhaps in an earlier state.
    #[must_use]
    pub fn is_same(&self, desired: &SendTrack) -> bool {
        self.desired.track == desired.track && self.desired.kind == desired.kind
    }

    /// All SSRCs that its packets carry, those of repeats included.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> {
        let copies = self.copies.iter();
        copies.flat_map(|copy| std::iter::once(copy.ssrc).chain(copy.rtx.map(|rtx| rtx.ssrc)))
    }

    /// Whether it is video.
    #[must_use]
    pub fn is_video(&self) -> bool {
        self.desired.kind == Kind::Video
    }

    /// The id under which its packets carry a transport-wide number: on video alone (ruling 20).
    #[must_use]
    pub fn numbers_id(&self) -> Option<u8> {
        self.desired.ext.twcc.filter(|_| self.is_video())
    }

    /// Whether `ssrc` is one of the outputs.
    #[must_use]
    pub fn has_output(&self, ssrc: u32) -> bool {
        self.copies.iter().any(|copy| copy.ssrc == ssrc)
    }

    /// Notes that feedback names the output `ssrc`; true the first time.
    pub fn accept(&mut self, ssrc: u32) -> bool {
        let new = self
            .copies
            .iter_mut()
            .find(|copy| copy.ssrc == ssrc && !copy.is_accepted);
        let is_new = new.map(|copy| copy.is_accepted = true).is_some();
        self.needs_key_frame |= is_new && self.is_video();
        is_new
    }

    /// Whether reports about the output `ssrc` are passed back to the source: of several copies only one speaks for the path,
    /// the last once it was acknowledged, else the first (media-engine 6).
    #[must_use]
    pub fn is_reporting(&self, ssrc: u32) -> bool {
        let last = self.copies.last().filter(|copy| copy.is_accepted);
        last.or(self.copies.first())
            .is_some_and(|copy| copy.ssrc == ssrc)
    }

    /// Takes a report block about one of the outputs, if that one speaks for the track.
    pub fn reported(&mut self, block: &ReportBlock, now: Instant) {
        let copy = self.copies.iter().find(|copy| copy.ssrc == block.ssrc);
        let share = copy.and_then(|copy| {
            Some(Share {
                start: copy.start?,
                packets: copy.packets,
            })
        });
        if let Some(share) = share.filter(|_| self.is_reporting(block.ssrc)) {
            self.sending.reported(block, share, now);
        }
    }

    /// The clock of the track's timestamps.
    #[must_use]
    pub fn clock_hz(&self) -> u32 {
        self.clock_hz
    }

    /// Traces an output sequence number back to the present source.
    #[must_use]
    pub fn origin(&self, seq: u16) -> Option<Origin> {
        self.numbering.origin(seq)
    }

    /// A sender report of the present source, as each started output sends it.
    pub fn sender_reports(&self, info: SenderInfo) -> impl Iterator<Item = SenderInfo> {
        let ts = self.numbering.timestamp(info.ts);
        let started = self.copies.iter().filter(|copy| copy.start.is_some());
        started.map(move |copy| SenderInfo {
            ssrc: copy.ssrc,
            ts,
            packets: copy.packets as u32,
            octets: copy.octets as u32,
            ..info
        })
    }

    /// The outputs that have sent something, with the track's CNAME.
    pub fn started(&self) -> impl Iterator<Item = (u32, &str)> {
        self.copies
            .iter()
            .filter(|copy| copy.start.is_some())
            .map(|copy| (copy.ssrc, self.desired.cname.as_str()))
    }

    /// Says which received track feeds this one now (its serial number). After a change, also through a pause, what comes next
    /// goes on in the numbering as a new source.
    pub fn feed(&mut self, feed: Option<u32>) {
        if self.feed != feed {
            self.feed = feed;
            self.current = None;
            self.previous = None;
            self.needs_key_frame |= feed.is_some() && self.is_video();
        }
    }

    /// Rewrites a packet of the feeding track and sends it on every output.
    pub fn forward(
        &mut self,
        incoming: &Incoming<'_>,
        plan: &Plan,
        now: Instant,
        wire: &mut Wire<'_>,
    ) -> Forwarded {
        let header = incoming.header;
        if incoming.part != Part::Media {
            return self.repeat(incoming, plan, now, wire);
        }
        if !self.follow(&header, now) {
            return Forwarded::Dropped;
        }
        let payload = plan.payloads.get(header.pt);
        if payload == Payload::RemakeEvent {
            self.remake(incoming, now);
        }
        if let Some(packet) = self.replacement(&header, payload, now) {
            return self.send_replacement(&header, payload, &packet, now, wire);
        }
        if self.is_video() && incoming.is_filler() {
            self.numbering.skip(header.seq);
            return Forwarded::Filler;
        }
        let Payload::As(pt) = payload else {
            self.numbering.skip(header.seq);
            return if payload == Payload::DropEvent {
                Forwarded::DigitLost
            } else {
                Forwarded::Dropped
            };
        };
        let (ext_seq, is_new) = match self.numbering.place(header.seq) {
            Place::New(ext_seq) => (ext_seq, true),
            Place::Late(ext_seq) => (ext_seq, false),
            Place::TooOld => return Forwarded::Dropped,
        };
        let ts = self.numbering.timestamp(header.ts);
        if is_new {
            self.numbering.sent(ts, now);
        }
        let fields = Fields {
            pt,
            marker: header.marker,
            padding: header.padding,
            seq: ext_seq as u16,
            ts,
            ssrc: 0,
        };
        let copied = header
            .extensions(incoming.packet)
            .filter_map(|(id, value)| plan.extensions.get(id).map(|id| (id, value)));
        if self.emit(ext_seq, is_new, fields, &copied, incoming.payload(), wire) {
            self.sending.sent(ext_seq, incoming.payload().len(), now);
        }
        Forwarded::Sent(None)
    }

    /// Takes `header`'s source as the present one; `false` for a straggler of the one before.
    fn follow(&mut self, header: &Header, now: Instant) -> bool {
        if self.current == Some(header.ssrc) {
            return true;
        }
        let is_fresh = self
            .numbering
            .last_sent()
            .is_some_and(|at| now < at + STRAGGLERS);
        if self.current.is_some() && self.previous == Some(header.ssrc) && is_fresh {
            return false;
        }
        self.needs_key_frame |= self.current.is_some() && self.is_video();
        self.previous = self.current;
        self.current = Some(header.ssrc);
        let frame = if self.desired.kind == Kind::Audio {
            self.clock_hz / 50
        } else {
            self.clock_hz / 30
        };
        self.numbering.rebase(header.seq, header.ts, frame);
        true
    }

    /// Sends a packet on every output that is due to carry it; whether there was one.
    fn emit<'a>(
        &mut self,
        ext_seq: u64,
        is_new: bool,
        fields: Fields,
        copied: &(impl Iterator<Item = (u8, &'a [u8])> + Clone),
        payload: &[u8],
        wire: &mut Wire<'_>,
    ) -> bool {
        let mut is_sent = false;
        let is_video = self.is_video();
        let (mid_id, numbers_id) = (self.desired.ext.mid, self.numbers_id());
        let has_rtx = is_video
            && self
                .desired
                .codecs
                .iter()
                .any(|codec| codec.rtx_pt.is_some());
        for copy in &mut self.copies {
            if !copy.may_send(ext_seq, is_new) {
                continue;
            }
            if is_video && copy.plain.is_none() && !(has_rtx && copy.rtx.is_some()) {
                wire.srtp.remember(copy.ssrc);
                copy.plain = Some(vec![0; srtp::REMEMBERED as usize].into());
            }
            let fields = Fields {
                ssrc: copy.ssrc,
                ..fields
            };
            let number = wire.number(numbers_id);
            let elements = copy.elements(mid_id, copied.clone().map(shorter), number.as_ref());
            let Some((header_len, len)) = write(wire.outbox.slot(), &fields, elements, &[payload])
            else {
                continue;
            };
            match wire.srtp.protect_rtp(wire.outbox.slot(), header_len, len) {
                Ok(len) => {
                    self.needs_key_frame |= copy.start.is_none() && is_video;
                    copy.start.get_or_insert(ext_seq);
                    copy.packets += 1;
                    copy.octets += payload.len() as u64;
                    copy.remember(ext_seq, number);
                    wire.commit(len, is_video, number.is_some());
                    is_sent = true;
                }
                Err(error) => {
                    tracing::debug!(ssrc = copy.ssrc, %error, "a packet was not encrypted");
                }
            }
        }
        is_sent
    }
}

/// Writes a packet whose payload is the concatenation of `payload`; returns the length of its header and its own, `None` if it does
/// not fit.
fn write<'a>(
    slot: &mut [u8],
    fields: &Fields,
    elements: impl Iterator<Item = (u8, &'a [u8])> + Clone,
    payload: &[&[u8]],
) -> Option<(usize, usize)> {
    let header_len = rtp::write_header(slot, fields, elements)?;
    let mut len = header_len;
    for part in payload {
        slot.get_mut(len..len + part.len())?.copy_from_slice(part);
        len += part.len();
    }
    Some((header_len, len))
}

impl OutStream {
    fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            mid: String::new(),
            start: None,
            packets: 0,
            octets: 0,
            is_accepted: false,
            rtx: None,
            plain: None,
        }
    }

    /// The extension elements of a packet on this output: our MID, what is copied, and a transport-wide number.
    fn elements<'a>(
        &'a self,
        mid_id: Option<u8>,
        copied: impl Iterator<Item = (u8, &'a [u8])> + Clone,
        number: Option<&'a (u8, [u8; 2])>,
    ) -> impl Iterator<Item = (u8, &'a [u8])> + Clone {
        let mid = mid_id.map(|id| (id, self.mid.as_bytes()));
        let number = number.map(|(id, number)| (*id, &number[..]));
        mid.into_iter().chain(copied).chain(number)
    }

    /// Notes under which transport-wide number a packet went out, if it may have to go out so once more.
    fn remember(&mut self, ext_seq: u64, number: Option<(u8, [u8; 2])>) {
        if let (Some(plain), Some((_, number))) = (&mut self.plain, number) {
            let place = ext_seq % plain.len() as u64;
            plain[place as usize] = u16::from_be_bytes(number);
        }
    }

    fn may_send(&self, ext_seq: u64, is_new: bool) -> bool {
        match self.start {
            Some(start) => ext_seq >= start,
            None => is_new && ext_seq & 0xffff < 0x1_0000 - WRAP_MARGIN,
        }
    }
}

/// Lets a borrowed element pass for a shorter-lived one, which an iterator does not do by itself.
fn shorter<'long: 'short, 'short>((id, value): (u8, &'long [u8])) -> (u8, &'short [u8]) {
    (id, value)
}
