//! A call with sound and cameras both ways, a new one for each input: so an input that fails does so alone.
//!
//! Its handshakes are supposed (`dtls/supposed.rs`) and its certificate is made once, which makes a call cheap. Sources are 100 and 500
//! of the business, 200 and 600 of the consumer; outputs are 1000 and 5000 to the business, 2000 and 6000 to the consumer, and repeats
//! go by one number more.

use std::rc::Rc;

use pagecalls_media::dtls::{Certificate, Context};
use pagecalls_media::protocol::{DtlsState, Event, Why};
use pagecalls_media::rtcp::{HEADER_LEN, feedback, packet_type, packets};
use pagecalls_media::srtp::Profile;

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig};
use crate::video_rig::{self, FULL, Side, numbered, picture};

/// Repeats have to go out plain, and transport-wide numbers cross.
const WITHOUT_RTX: Side = Side {
    has_rtx: false,
    ..FULL
};

/// Any record: it ends a handshake that is supposed.
const RECORD: [u8; 15] = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0];

/// Streams that the engine sends, by peer.
const OUTPUTS: [&[u32]; 2] = [&[1000, 5000, 5001], &[2000, 6000, 6001]];

/// What calls are made of.
pub struct Stage {
    certificate: Rc<Certificate>,
    context: Context,
}

impl Stage {
    pub fn new() -> Self {
        let certificate = Certificate::generate().expect("a certificate");
        let context = Context::new(&certificate).expect("a context");
        Self {
            certificate: certificate.into(),
            context: context.supposing(Profile::AeadAes128Gcm),
        }
    }

    /// A call between two peers that are up and have sent nothing yet.
    pub fn call(&self) -> Rig {
        let shown = (self.certificate.clone(), self.context.clone());
        let mut rig = Rig::showing(shown.0.clone(), shown.1.clone());
        rig.shown = Some(shown);
        rig.connect_both();
        for peer in [BUSINESS, CONSUMER] {
            rig.datagram(peer, &RECORD);
        }
        video_rig::start(&mut rig, FULL, WITHOUT_RTX);
        rig
    }

    /// The same while all four streams run.
    pub fn running_call(&self) -> Rig {
        let mut rig = self.call();
        for seq in 1..=3 {
            for (peer, pt, sound, camera) in [(BUSINESS, 111, 100, 500), (CONSUMER, 109, 200, 600)]
            {
                rig.send(peer, &Packet::audio(pt, sound, seq, 960 * u32::from(seq)));
                rig.send(peer, &numbered(picture(peer, camera, seq), peer, seq));
            }
            rig.advance_ms(5);
        }
        rig
    }
}

/// Panics if the engine has failed, a peer is not connected any more, or what came to a peer is not as it should be.
pub fn judge(rig: &mut Rig) {
    for event in rig.take_events() {
        assert!(
            !matches!(&event, Event::LegFailed(failed) if failed.why == Why::Internal),
            "{event:?}"
        );
    }
    let legs = rig.stats();
    assert!(legs.len() == 2 && legs.iter().all(|leg| leg.dtls == DtlsState::Connected));
    for (peer, outputs) in rig.peers.iter_mut().zip(OUTPUTS) {
        for packet in peer.take() {
            assert!(outputs.contains(&packet.ssrc), "{packet:?}");
        }
        for compound in std::mem::take(&mut peer.rtcp) {
            assert_is_sound(&compound);
        }
    }
}

/// A compound of ours begins with a report and ends where its last packet does (RFC 3550 6.1).
fn assert_is_sound(compound: &[u8]) {
    let mut kinds = packets(compound).map(|packet| packet.kind);
    assert!(matches!(
        kinds.next(),
        Some(packet_type::SR | packet_type::RR)
    ));
    assert_eq!(lengths(compound).sum::<usize>(), compound.len());
}

/// The length of each packet of a compound.
fn lengths(compound: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut rest = compound;
    std::iter::from_fn(move || {
        let head = rest.get(..4)?;
        let len = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        rest = rest.get(len..)?;
        Some(len)
    })
}

/// Makes the numbers in a compound count from what the peer has got last, so that they name packets that went out: the highest
/// number of each report block, the numbers of a NACK, the first of transport-wide feedback.
pub fn count_from_last(rig: &Rig, peer: usize, compound: &mut [u8]) {
    let got = &rig.peers[peer].rtp;
    let last_seq = |ssrc: [u8; 4]| {
        let ssrc = u32::from_be_bytes(ssrc);
        let found = got.iter().rev().find(|packet| packet.ssrc == ssrc);
        found.map_or(0, |packet| packet.seq)
    };
    let last_number = || {
        let mut numbers = got.iter().rev();
        numbers
            .find_map(|packet| video_rig::number_of(packet, peer))
            .unwrap_or_default()
    };
    let mut start = 0;
    for len in lengths(&compound.to_vec()) {
        let packet = &mut compound[start..start + len];
        start += len;
        let (count, kind) = (packet[0] & 0x1f, packet[1]);
        match (kind, count) {
            (packet_type::SR | packet_type::RR, _) => {
                let skip = if kind == packet_type::SR {
                    28
                } else {
                    HEADER_LEN
                };
                let blocks = packet.get_mut(skip..).unwrap_or_default();
                for block in blocks.chunks_exact_mut(24) {
                    let last = last_seq([block[0], block[1], block[2], block[3]]);
                    add(&mut block[10..12], last);
                }
            }
            (packet_type::RTPFB, feedback::NACK) if len >= 12 => {
                let last = last_seq([packet[8], packet[9], packet[10], packet[11]]);
                for item in packet[12..].chunks_exact_mut(4) {
                    add(&mut item[..2], last);
                }
            }
            (packet_type::RTPFB, feedback::TRANSPORT) if len >= 14 => {
                add(&mut packet[12..14], last_number());
            }
            _ => {}
        }
    }
}

fn add(number: &mut [u8], last: u16) {
    let sum = u16::from_be_bytes([number[0], number[1]]).wrapping_add(last);
    number.copy_from_slice(&sum.to_be_bytes());
}
