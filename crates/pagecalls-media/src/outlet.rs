//! A sent track: one numbering, one or more outputs that carry it, and the digits that go into it.
//!
//! Every output carries the same payload, payload type, sequence number and timestamp; only SSRC and MID differ
//! (messenger-calling 6.6). This module decides what is sent and under which numbers; encryption and address come as a
//! [`Wire`], and which received track feeds it is [`crate::call`]'s business.

use std::time::{Duration, Instant};

use crate::dtmf::{self, Dtmf, EventCodec, EventPacket};
use crate::outbox::Outbox;
use crate::path::Path;
use crate::protocol::{Kind, SendTrack};
use crate::rtcp::{ReportBlock, SenderInfo};
use crate::rtp::{self, Fields, Header};
use crate::sending::{Sending, Share};
use crate::srtp::Outbound;
use crate::translate::{
    ExtensionMap, Numbering, Origin, Payload, PayloadMap, Place, clock_hz, is_event,
};

/// A new output on a running numbering does not start so close before a 16-bit wrap: if its first packets were lost, the
/// receiver would count the cycles wrong for ever (RFC 3711 3.3.1).
const WRAP_MARGIN: u64 = 50;

/// Packets of the source before the last are stragglers while the new one is this fresh.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// Length and rest of a digit that is made anew from the peer's own events (messenger-calling 10).
const REMADE_TONE_MS: u32 = 500;
const REMADE_GAP_MS: u32 = 100;

/// Where a sent track's packets go: the leg's encryption, its address, and the outbox.
pub struct Wire<'a> {
    /// Encrypts towards the peer.
    pub srtp: &'a mut Outbound,
    /// The way to the peer.
    pub to: Path,
    /// Takes the datagrams.
    pub outbox: &'a mut Outbox,
}

/// A decrypted packet of a received track.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// Its header.
    pub header: Header,
    /// The whole packet, header included.
    pub packet: &'a [u8],
}

impl<'a> Incoming<'a> {
    fn payload(&self) -> &'a [u8] {
        &self.packet[self.header.len..]
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
    /// A telephone event that the receiver cannot take: the digit is lost.
    DigitLost,
}

/// One output of a sent track.
#[derive(Clone, Debug)]
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
}

/// A sent track.
pub struct Outlet {
    /// Tells this track from every other of the call, also from an earlier one of the same name.
    pub uid: u32,
    /// The source that feeds it now.
    pub current: Option<u32>,
    /// What has gone out, and what the receiver says of it.
    pub sending: Sending,
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
    pub fn new(uid: u32, desired: SendTrack, start_seq: u16, start_ts: u32) -> Self {
        let clock = desired
            .codecs
            .iter()
            .find(|codec| !is_event(codec))
            .map_or(8_000, |codec| clock_hz(&codec.key));
        let mut outlet = Self {
            uid,
            current: None,
            sending: Sending::default(),
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

    /// Takes over the desired state: outputs that stay keep their streams.
    pub fn apply(&mut self, desired: SendTrack) {
        let copies = desired.outputs.iter().map(|output| {
            let old = self
                .copies
                .iter()
                .find(|copy| copy.ssrc == output.ssrc)
                .cloned();
            let new = OutStream {
                ssrc: output.ssrc,
                mid: String::new(),
                start: None,
                packets: 0,
                octets: 0,
                is_accepted: false,
            };
            OutStream {
                mid: output.mid.clone(),
                ..old.unwrap_or(new)
            }
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
        new.map(|copy| copy.is_accepted = true).is_some()
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

    /// Queues digits; see [`Dtmf::push`]. `None` when the receiver takes no telephone events.
    pub fn push_digits(
        &mut self,
        digits: &str,
        tone_ms: u32,
        gap_ms: u32,
        now: Instant,
    ) -> Option<Result<usize, dtmf::Refused>> {
        self.event_codec?;
        let last_audio = self.numbering.last_sent();
        let dtmf = self
            .dtmf
            .get_or_insert_with(|| Box::new(Dtmf::new(now, last_audio)));
        Some(dtmf.push(digits, tone_ms, gap_ms, now))
    }

    /// When [`Self::tick`] is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.event_codec?;
        self.dtmf.as_ref()?.next_due()
    }

    /// Puts in the next event packet if it is due; returns whether there was one, and the digit that it ended.
    pub fn tick(&mut self, now: Instant, wire: &mut Wire<'_>) -> Option<Option<char>> {
        let codec = self.event_codec?;
        let numbering = &self.numbering;
        let packet = self
            .dtmf
            .as_mut()?
            .due(now, codec, || numbering.timestamp_at(now))?;
        let ext_seq = self.numbering.insert();
        self.numbering.sent(self.numbering.timestamp_at(now), now);
        self.emit_event(ext_seq, &packet, now, wire);
        Some(packet.done)
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

    /// The peer's own event on another clock: its first packet queues the digit.
    fn remake(&mut self, incoming: &Incoming<'_>, now: Instant) {
        let digit = incoming
            .payload()
            .first()
            .and_then(|event| dtmf::digit_of(*event));
        if let Some(digit) =
            digit.filter(|_| self.remade_ts.replace(incoming.header.ts) != Some(incoming.header.ts))
        {
            let pushed = self.push_digits(
                digit.encode_utf8(&mut [0; 4]),
                REMADE_TONE_MS,
                REMADE_GAP_MS,
                now,
            );
            if pushed != Some(Ok(1)) {
                tracing::debug!(track = self.track(), %digit, ?pushed, "a digit of the peer waits or is lost");
            }
        }
    }

    /// The event packet that goes out in place of this one, if a digit is on.
    fn replacement(
        &mut self,
        header: &Header,
        payload: Payload,
        now: Instant,
    ) -> Option<EventPacket> {
        let codec = self.event_codec?;
        let dtmf = self.dtmf.as_mut()?;
        let is_audio = match payload {
            Payload::As(pt) => self
                .desired
                .codecs
                .iter()
                .any(|codec| codec.pt == pt && !is_event(codec)),
            Payload::RemakeEvent => true,
            Payload::DropEvent | Payload::Drop => false,
        };
        if !is_audio || !self.numbering.is_new(header.seq) {
            return None;
        }
        // A digit keeps the sound's time base whatever its own clock is: receivers read one clock per stream
        // (docs/decisions/0016-digit-timestamps.md).
        let numbering = &self.numbering;
        dtmf.replace(now, codec, || match payload {
            Payload::As(_) => numbering.timestamp(header.ts),
            _ => numbering.timestamp_at(now),
        })
    }

    fn send_replacement(
        &mut self,
        header: &Header,
        payload: Payload,
        packet: &EventPacket,
        now: Instant,
        wire: &mut Wire<'_>,
    ) -> Forwarded {
        let Place::New(ext_seq) = self.numbering.place(header.seq) else {
            return Forwarded::Dropped;
        };
        let ts = match payload {
            Payload::As(_) => self.numbering.timestamp(header.ts),
            _ => self.numbering.timestamp_at(now),
        };
        self.numbering.sent(ts, now);
        self.emit_event(ext_seq, packet, now, wire);
        Forwarded::Sent(packet.done)
    }

    fn emit_event(
        &mut self,
        ext_seq: u64,
        packet: &EventPacket,
        now: Instant,
        wire: &mut Wire<'_>,
    ) {
        let fields = Fields {
            pt: packet.pt,
            marker: packet.marker,
            padding: false,
            seq: ext_seq as u16,
            ts: packet.ts,
            ssrc: 0,
        };
        let copied = std::iter::empty();
        if self.emit(ext_seq, true, fields, &copied, &packet.payload, wire) {
            self.sending.sent(ext_seq, packet.payload.len(), now);
        }
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
        let mid_id = self.desired.ext.mid;
        for copy in &mut self.copies {
            if !copy.may_send(ext_seq, is_new) {
                continue;
            }
            let fields = Fields {
                ssrc: copy.ssrc,
                ..fields
            };
            let mid = mid_id.map(|id| (id, copy.mid.as_bytes()));
            let slot = wire.outbox.slot();
            let elements = mid.into_iter().chain(copied.clone().map(shorter));
            let Some(header_len) = rtp::write_header(slot, &fields, elements) else {
                continue;
            };
            let len = header_len + payload.len();
            let Some(space) = slot.get_mut(header_len..len) else {
                continue;
            };
            space.copy_from_slice(payload);
            match wire.srtp.protect_rtp(slot, header_len, len) {
                Ok(len) => {
                    copy.start.get_or_insert(ext_seq);
                    copy.packets += 1;
                    copy.octets += payload.len() as u64;
                    wire.outbox.commit(len, wire.to);
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

impl OutStream {
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
