//! A call with a camera on each side, in the shapes in which peers negotiate one.

use pagecalls_media::protocol::{Codec, Extensions, Kind, Output, RecvTrack, Route, SendTrack};

use pagecalls_media::srtp::Profile;

use crate::rig::{BUSINESS, BUSINESS_EXT, CONSUMER, CONSUMER_EXT, Packet, Rig, recv, route, send};

pub const VP8: &str = "vp8/90000";

/// What the business sends and gets: source 500 with repeats on 501, our output 5000 with repeats on 5001.
pub const BUSINESS_PT: u8 = 96;
pub const BUSINESS_RTX: u8 = 97;
/// What the consumer sends and gets: source 600 with repeats on 601, our output 6000 with repeats on 6001.
pub const CONSUMER_PT: u8 = 120;
pub const CONSUMER_RTX: u8 = 121;
/// The ids of the transport-wide number.
pub const BUSINESS_TWCC: u8 = 3;
pub const CONSUMER_TWCC: u8 = 5;

/// What a side has agreed on for its video.
#[derive(Clone, Copy)]
pub struct Side {
    pub has_rtx: bool,
    pub has_twcc: bool,
    pub fb: &'static [&'static str],
}

pub const FULL: Side = Side {
    has_rtx: true,
    has_twcc: true,
    fb: &["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"],
};

/// As an aiortc of today, but for RTX.
pub const PLAIN: Side = Side {
    has_rtx: false,
    has_twcc: false,
    fb: &["nack", "nack pli"],
};

impl Side {
    fn codecs(self, peer: usize) -> Vec<Codec> {
        let (pt, rtx_pt) = if peer == BUSINESS {
            (BUSINESS_PT, BUSINESS_RTX)
        } else {
            (CONSUMER_PT, CONSUMER_RTX)
        };
        vec![Codec {
            key: VP8.into(),
            pt,
            rtx_pt: self.has_rtx.then_some(rtx_pt),
        }]
    }

    fn ext(self, peer: usize) -> Extensions {
        let (ext, twcc) = if peer == BUSINESS {
            (BUSINESS_EXT, BUSINESS_TWCC)
        } else {
            (CONSUMER_EXT, CONSUMER_TWCC)
        };
        Extensions {
            twcc: self.has_twcc.then_some(twcc),
            ..ext
        }
    }

    /// A camera that the peer sends. The business names its streams, the consumer does not.
    pub fn recv(self, peer: usize, track: &str, mid: &str) -> RecvTrack {
        RecvTrack {
            kind: Kind::Video,
            fb: self.fb.iter().map(|fb| (*fb).to_owned()).collect(),
            ..recv(track, mid, &[], &self.codecs(peer), &self.ext(peer))
        }
    }

    pub fn send(self, peer: usize, track: &str, ssrc: u32, mid: &str) -> SendTrack {
        let outputs = vec![Output {
            ssrc,
            mid: mid.into(),
            rtx_ssrc: self.has_rtx.then_some(ssrc + 1),
        }];
        SendTrack {
            kind: Kind::Video,
            outputs,
            ..send(track, &[], &self.codecs(peer), &self.ext(peer))
        }
    }
}

/// A call with sound and a camera both ways.
pub fn call(business: Side, consumer: Side) -> Rig {
    call_with(&Profile::OFFER_ORDER, business, consumer)
}

pub fn call_with(profiles: &[Profile], business: Side, consumer: Side) -> Rig {
    let mut rig = Rig::unrouted_with(profiles);
    start(&mut rig, business, consumer);
    rig
}

/// Gives an unrouted call its cameras and its routes.
pub fn start(rig: &mut Rig, business: Side, consumer: Side) {
    add_cameras(rig, business, consumer);
    rig.route(1, &routes(true));
    rig.peers[BUSINESS].take_rtcp();
    rig.peers[CONSUMER].take_rtcp();
}

pub fn unrouted(profiles: &[Profile], business: Side, consumer: Side) -> Rig {
    let mut rig = Rig::unrouted_with(profiles);
    add_cameras(&mut rig, business, consumer);
    rig
}

fn add_cameras(rig: &mut Rig, business: Side, consumer: Side) {
    let (received, sent) = tracks(BUSINESS, business);
    rig.apply(BUSINESS, 2, received, sent);
    let (received, sent) = tracks(CONSUMER, consumer);
    rig.apply(CONSUMER, 2, received, sent);
}

pub fn tracks(peer: usize, side: Side) -> (Vec<RecvTrack>, Vec<SendTrack>) {
    if peer == BUSINESS {
        let mut received = Rig::business_recv();
        let mut camera = side.recv(BUSINESS, "cam", "1");
        camera.ssrcs = vec![500];
        camera.rtx_ssrcs = side.has_rtx.then_some(501).into_iter().collect();
        received.push(camera);
        let sent = vec![
            Rig::business_send(&[(1000, "0")]),
            side.send(BUSINESS, "cam", 5000, "1"),
        ];
        (received, sent)
    } else {
        let mut received = Rig::consumer_recv();
        received.push(side.recv(CONSUMER, "cam", "b"));
        let sent = vec![Rig::consumer_send(), side.send(CONSUMER, "cam", 6000, "b")];
        (received, sent)
    }
}

pub fn routes(on: bool) -> Vec<Route> {
    vec![
        route(("b", "in"), ("k", "out"), true),
        route(("k", "in"), ("b", "out"), true),
        route(("b", "cam"), ("k", "cam"), on),
        route(("k", "cam"), ("b", "cam"), on),
    ]
}

/// A packet of a camera; three share a timestamp.
pub fn picture(peer: usize, ssrc: u32, seq: u16) -> Packet {
    let pt = if peer == BUSINESS {
        BUSINESS_PT
    } else {
        CONSUMER_PT
    };
    let payload = format!("a part of a picture, {seq}").into_bytes();
    Packet {
        marker: seq % 3 == 2,
        ..Packet::audio(pt, ssrc, seq, u32::from(seq / 3) * 3_000)
    }
    .with_payload(&payload)
}

/// The same packet as a repeat on a stream of its own.
pub fn repeat(peer: usize, ssrc: u32, seq: u16, of: &Packet) -> Packet {
    let mut payload = of.seq.to_be_bytes().to_vec();
    payload.extend_from_slice(&of.payload);
    Packet {
        pt: if peer == BUSINESS {
            BUSINESS_RTX
        } else {
            CONSUMER_RTX
        },
        ssrc,
        seq,
        payload,
        ..of.clone()
    }
}

/// What only fills the path: padding on a stream of repeats.
pub fn filler(peer: usize, ssrc: u32, seq: u16, ts: u32) -> Packet {
    let of = Packet::audio(0, 0, 0, ts);
    let mut payload = vec![0; 199];
    payload.push(200);
    Packet {
        padding: true,
        payload,
        ..repeat(peer, ssrc, seq, &of)
    }
}

pub fn numbered(packet: Packet, peer: usize, number: u16) -> Packet {
    let id = if peer == BUSINESS {
        BUSINESS_TWCC
    } else {
        CONSUMER_TWCC
    };
    packet.with_extension(id, &number.to_be_bytes())
}

/// The transport-wide number of a packet.
pub fn number_of(packet: &Packet, peer: usize) -> Option<u16> {
    let wanted = if peer == BUSINESS {
        BUSINESS_TWCC
    } else {
        CONSUMER_TWCC
    };
    let mut extensions = packet.extensions.iter();
    let (_, value) = extensions.find(|(id, _)| *id == wanted)?;
    Some(u16::from_be_bytes(value.as_slice().try_into().unwrap()))
}
