//! Repeats of packets: the source's answers to requests for what was lost, on their way to the receiver.
//!
//! A repeat comes on a stream of its own (RTX, RFC 4588), or plain, where its sender has no RTX. To a receiver with RTX it goes as
//! RTX, under numbers of that stream; to one without it goes plain, under the number that it has in the track. If that number is used
//! the encryption lets it pass only as the very same packet ([`crate::srtp::Outbound::repeat_rtp`]); if it is not, because the packet
//! was lost before the engine, it is a late packet like others.

use std::time::Instant;

use super::{Forwarded, Incoming, OutStream, Outlet, Plan, Wire, shorter, write};
use crate::inlets::Part;
use crate::rtp::{self, Fields};
use crate::translate::Shared;

/// A packet that is to go out again, as it was in the source's stream.
struct Repeat<'a> {
    /// Its number here, extended.
    ext_seq: u64,
    ts: u32,
    marker: bool,
    padding: bool,
    payload: &'a [u8],
    codec: Shared,
}

impl Outlet {
    /// Sends a repeat on every output that has carried the packet, or would have.
    pub(super) fn repeat(
        &mut self,
        incoming: &Incoming<'_>,
        plan: &Plan,
        now: Instant,
        wire: &mut Wire<'_>,
    ) -> Forwarded {
        let header = &incoming.header;
        let (media, is_rtx) = match incoming.part {
            Part::Rtx { media } => (media, true),
            Part::Media | Part::Again => (Some(header.ssrc), false),
        };
        let Some(codec) = plan.payloads.repeated(header.pt, is_rtx) else {
            return Forwarded::Dropped;
        };
        if media.is_none() || media != self.current {
            return Forwarded::Dropped;
        }
        let copied = header
            .extensions(incoming.packet)
            .filter_map(|(id, value)| plan.extensions.get(id).map(|id| (id, value)));
        let payload = incoming.payload();
        let unpadded = rtp::without_padding(payload, header.padding);
        if is_rtx && unpadded.is_empty() {
            let fields = self.fields(incoming, header.padding);
            return self.fill(fields, codec, &copied, payload, wire);
        }
        let (seq, payload, padding) = match unpadded.split_first_chunk() {
            Some((seq, payload)) if is_rtx => (u16::from_be_bytes(*seq), payload, false),
            _ if is_rtx => return Forwarded::Dropped,
            _ => (header.seq, payload, header.padding),
        };
        let Some(ext_seq) = self.numbering.trace(seq) else {
            return Forwarded::Dropped;
        };
        let repeat = Repeat {
            ext_seq,
            ts: self.numbering.timestamp(header.ts),
            marker: header.marker,
            padding,
            payload,
            codec,
        };
        self.send_again(&repeat, &copied, now, wire)
    }

    fn send_again<'a>(
        &mut self,
        repeat: &Repeat<'_>,
        copied: &(impl Iterator<Item = (u8, &'a [u8])> + Clone),
        now: Instant,
        wire: &mut Wire<'_>,
    ) -> Forwarded {
        let was_sent = self.sending.has_sent(repeat.ext_seq);
        let ids = (self.desired.ext.mid, self.numbers_id());
        let (mut is_repeated, mut is_late) = (false, false);
        for copy in &mut self.copies {
            if copy.start.is_none_or(|start| repeat.ext_seq < start) {
                continue;
            }
            if copy.rtx.is_some() && repeat.codec.rtx_pt.is_some() {
                let seq = (repeat.ext_seq as u16).to_be_bytes();
                let fields = Fields {
                    // Payload type, number and SSRC are those of the stream.
                    pt: 0,
                    marker: repeat.marker,
                    padding: repeat.padding,
                    seq: 0,
                    ts: repeat.ts,
                    ssrc: 0,
                };
                let parts: [&[u8]; 2] = [&seq, repeat.payload];
                is_repeated |= copy.send_rtx(fields, repeat.codec, ids, copied, &parts, wire);
            } else if was_sent {
                is_repeated |= copy.send_plain(repeat, true, ids, copied, wire);
            } else {
                is_late |= copy.send_plain(repeat, false, ids, copied, wire);
            }
        }
        self.rtx_packets += u64::from(is_repeated);
        if is_late {
            self.sending.sent(repeat.ext_seq, repeat.payload.len(), now);
        }
        if is_repeated || is_late {
            Forwarded::Sent(None)
        } else {
            Forwarded::Dropped
        }
    }

    /// Passes on what only fills the path, so that its sender learns what the path can carry.
    fn fill<'a>(
        &mut self,
        fields: Fields,
        codec: Shared,
        copied: &(impl Iterator<Item = (u8, &'a [u8])> + Clone),
        payload: &[u8],
        wire: &mut Wire<'_>,
    ) -> Forwarded {
        let ids = (self.desired.ext.mid, self.numbers_id());
        let mut is_sent = false;
        for copy in self.copies.iter_mut().filter(|copy| copy.start.is_some()) {
            is_sent |= copy.send_rtx(fields, codec, ids, copied, &[payload], wire);
        }
        if is_sent {
            Forwarded::Sent(None)
        } else {
            Forwarded::Filler
        }
    }

    fn fields(&self, incoming: &Incoming<'_>, padding: bool) -> Fields {
        let header = &incoming.header;
        Fields {
            pt: 0,
            marker: header.marker,
            padding,
            seq: 0,
            ts: self.numbering.timestamp(header.ts),
            ssrc: 0,
        }
    }
}

/// The ids of MID and transport-wide number.
type Ids = (Option<u8>, Option<u8>);

impl OutStream {
    /// Sends a packet on the stream of repeats, if there is one.
    fn send_rtx<'a>(
        &mut self,
        fields: Fields,
        codec: Shared,
        (mid_id, numbers_id): Ids,
        copied: &(impl Iterator<Item = (u8, &'a [u8])> + Clone),
        payload: &[&[u8]],
        wire: &mut Wire<'_>,
    ) -> bool {
        let (Some(rtx), Some(pt)) = (self.rtx, codec.rtx_pt) else {
            return false;
        };
        let fields = Fields {
            pt,
            seq: rtx.next as u16,
            ssrc: rtx.ssrc,
            ..fields
        };
        let number = wire.number(numbers_id);
        let elements = self.elements(mid_id, copied.clone().map(shorter), number.as_ref());
        let Some((header_len, len)) = write(wire.outbox.slot(), &fields, elements, payload) else {
            return false;
        };
        let Ok(len) = wire.srtp.protect_rtp(wire.outbox.slot(), header_len, len) else {
            return false;
        };
        self.rtx = Some(super::Rtx {
            next: rtx.next + 1,
            ..rtx
        });
        wire.commit(len, true, number.is_some());
        true
    }

    /// Sends a packet under its own number: for the first time, or once more exactly as it was.
    fn send_plain<'a>(
        &mut self,
        repeat: &Repeat<'_>,
        is_again: bool,
        (mid_id, numbers_id): Ids,
        copied: &(impl Iterator<Item = (u8, &'a [u8])> + Clone),
        wire: &mut Wire<'_>,
    ) -> bool {
        let fields = Fields {
            pt: repeat.codec.pt,
            marker: repeat.marker,
            padding: repeat.padding,
            seq: repeat.ext_seq as u16,
            ts: repeat.ts,
            ssrc: self.ssrc,
        };
        let fresh = wire.number(numbers_id);
        let number = if is_again {
            fresh.and_then(|(id, _)| Some((id, self.number_of(repeat.ext_seq)?.to_be_bytes())))
        } else {
            fresh
        };
        let elements = self.elements(mid_id, copied.clone().map(shorter), number.as_ref());
        let payload = [repeat.payload];
        let Some((header_len, len)) = write(wire.outbox.slot(), &fields, elements, &payload) else {
            return false;
        };
        let slot = wire.outbox.slot();
        let protected = if is_again {
            wire.srtp.repeat_rtp(slot, header_len, len)
        } else {
            wire.srtp.protect_rtp(slot, header_len, len)
        };
        let Ok(len) = protected else {
            return false;
        };
        if !is_again {
            self.packets += 1;
            self.octets += repeat.payload.len() as u64;
            self.remember(repeat.ext_seq, number);
        }
        wire.commit(len, true, number.is_some() && !is_again);
        true
    }

    /// The transport-wide number under which a packet went out. What is no longer known does not pass the encryption either.
    fn number_of(&self, ext_seq: u64) -> Option<u16> {
        let plain = self.plain.as_ref()?;
        Some(plain[(ext_seq % plain.len() as u64) as usize])
    }
}
