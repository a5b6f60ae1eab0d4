//! Digits of a sent track: its own, and those made anew from the peer's events on another clock.

use std::time::Instant;

use super::{Forwarded, Incoming, Outlet, Wire};
use crate::dtmf::{self, Dtmf, EventPacket};
use crate::rtp::{Fields, Header};
use crate::translate::{Payload, Place, is_event};

/// Length and rest of a digit that is made anew from the peer's own events (messenger-calling 10).
const REMADE_TONE_MS: u32 = 500;
const REMADE_GAP_MS: u32 = 100;

impl Outlet {
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

    /// The peer's own event on another clock: its first packet queues the digit.
    pub(super) fn remake(&mut self, incoming: &Incoming<'_>, now: Instant) {
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
    pub(super) fn replacement(
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

    pub(super) fn send_replacement(
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
}
