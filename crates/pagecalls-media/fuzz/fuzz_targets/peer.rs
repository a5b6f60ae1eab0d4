//! A call with sound and cameras between two peers, of whom each may send anything, authentic or not, and a stranger too, while paths,
//! routes and tracks change: nothing of the engine's making fails, what is not authentic ends nothing, and what comes out at the other
//! peer can be decrypted and is one of its streams.
//!
//! An input has a call of its own ([`scene`]). It is a row of steps: an octet for what, one for how long, and the bytes.

#![no_main]

#[allow(dead_code)]
#[path = "../../tests/engine/rig/mod.rs"]
mod rig;

#[allow(dead_code)]
#[path = "../scene.rs"]
mod scene;

#[allow(dead_code)]
#[path = "../../tests/engine/video_rig.rs"]
mod video_rig;

use std::collections::HashMap;

use libfuzzer_sys::fuzz_target;
use pagecalls_media::path::Path;
use pagecalls_media::protocol::{CallRoute, LegDtmf, LegRestart, Reply};
use pagecalls_media::rtp::Header;
use rig::{BUSINESS, CONSUMER, Rig};
use scene::{Stage, count_from_last, judge};
use video_rig::{FULL, PLAIN, routes, tracks};

/// RTCP without a header and a sender is none, and SRTCP says so.
const SHORTEST_RTCP: usize = 8;
/// An input takes no longer than this, so that no leg dies of silence.
const LONGEST_MS: u64 = 28_000;
/// What one octet of a step in time stands for.
const TICK_MS: u64 = 40;

struct Scene {
    rig: Rig,
    /// The highest number that a stream has sent.
    highest: HashMap<(usize, u32), u16>,
    /// What each peer sent last, as it was on the wire.
    last: [Vec<u8>; 2],
    left_ms: u64,
    rev: u64,
}

impl Scene {
    fn new(stage: &Stage) -> Self {
        Self {
            rig: stage.call(),
            highest: HashMap::new(),
            last: [vec![], vec![]],
            left_ms: LONGEST_MS,
            rev: 100,
        }
    }

    /// The lowest bit of `what` is the peer, the next three are the step, and the highest four say more.
    fn step(&mut self, what: u8, bytes: &[u8]) {
        let peer = if what & 1 == 0 { BUSINESS } else { CONSUMER };
        let more = what >> 4;
        match what >> 1 & 7 {
            0 => self.send_next(peer, more, bytes),
            1 => self.send(peer, bytes),
            2 if bytes.len() >= SHORTEST_RTCP => self.rig.send_rtcp(peer, bytes),
            3 if bytes.len() >= SHORTEST_RTCP => {
                let mut compound = bytes.to_vec();
                count_from_last(&self.rig, peer, &mut compound);
                self.rig.send_rtcp(peer, &compound);
            }
            4 => self.rig.datagram(peer, bytes),
            5 => {
                let stranger = Path::udp(0, ([203, 0, 113, 66], 9).into());
                self.rig.datagram_from(stranger, bytes);
            }
            6 => self.wait(bytes),
            _ => self.change(peer, more, bytes),
        }
    }

    /// A packet under the number that is next in its stream, after a gap, or in an earlier one.
    fn send_next(&mut self, peer: usize, more: u8, bytes: &[u8]) {
        let Some(header) = Header::parse(bytes) else {
            return;
        };
        let highest = self.highest.get(&(peer, header.ssrc));
        let seq = match (highest, u16::from(more)) {
            (None, _) => header.seq,
            (Some(highest), gap @ 0..=7) => highest.wrapping_add(1 + gap),
            (Some(highest), back) => highest.wrapping_sub(back - 7),
        };
        let mut bytes = bytes.to_vec();
        bytes[2..4].copy_from_slice(&seq.to_be_bytes());
        self.send(peer, &bytes);
    }

    /// A packet as it is, unless SRTP refuses its number.
    fn send(&mut self, peer: usize, bytes: &[u8]) {
        let Some(header) = Header::parse(bytes) else {
            return;
        };
        let Some(packet) = self.rig.peers[peer].encrypt_bytes(bytes) else {
            return;
        };
        self.rig.datagram(peer, &packet);
        let highest = self.highest.entry((peer, header.ssrc));
        let highest = highest.or_insert(header.seq);
        if header.seq.wrapping_sub(*highest) < 0x8000 {
            *highest = header.seq;
        }
        self.last[peer] = packet;
    }

    fn wait(&mut self, bytes: &[u8]) {
        let ms = bytes.first().map_or(5, |ticks| u64::from(*ticks) * TICK_MS);
        let ms = ms.min(self.left_ms);
        self.left_ms -= ms;
        self.rig.advance_ms(ms);
    }

    /// What is no media: checks, another path, and what the control plane may want meanwhile.
    fn change(&mut self, peer: usize, more: u8, bytes: &[u8]) {
        let rig = &mut self.rig;
        let first = bytes.first().copied().unwrap_or_default();
        let leg = rig.peers[peer].leg.clone();
        match more {
            0 => rig.check(peer),
            1 => rig.check_without_nomination(peer),
            2 => rig.datagram(peer, &self.last[peer]),
            3 => {
                let port = 5_000 + peer as u16 + 10 * u16::from(first % 4);
                rig.peers[peer].path = Path::udp(0, ([198, 51, 100, 1], port).into());
            }
            4 => rig.lose(rig.peers[peer].path),
            5 => {
                let restarted = rig.command(LegRestart { leg });
                if let Ok(Reply::LegRestartOk(fresh)) = restarted {
                    let offer = &mut rig.peers[peer].offer;
                    (offer.ufrag, offer.pwd) = (fresh.ufrag, fresh.pwd);
                }
            }
            6 => {
                let digits = String::from_utf8_lossy(bytes).into_owned();
                let _ = rig.command(LegDtmf {
                    leg,
                    track: "out".into(),
                    digits,
                    tone_ms: 100,
                    gap_ms: 50,
                });
            }
            7 => {
                self.rev += 1;
                let _ = rig.command(CallRoute {
                    call: "c".into(),
                    rev: self.rev,
                    routes: routes(first & 1 == 1),
                });
            }
            8 => {
                self.rev += 1;
                let (received, sent) = tracks(peer, if first & 1 == 1 { FULL } else { PLAIN });
                let desired = rig.desired(peer, self.rev, received, sent);
                let _ = rig.command(desired);
            }
            _ => {}
        }
    }
}

fn steps(mut input: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[what, len], rest) = input.split_first_chunk()?;
        let (bytes, rest) = rest.split_at(rest.len().min(len.into()));
        input = rest;
        Some((what, bytes))
    })
}

thread_local! {
    static STAGE: Stage = Stage::new();
}

fuzz_target!(|input: &[u8]| {
    let mut scene = STAGE.with(Scene::new);
    for (what, bytes) in steps(input) {
        scene.step(what, bytes);
    }
    judge(&mut scene.rig);
});
