//! A call with sound and cameras between two peers, of whom each may send anything, authentic or not, and a stranger too: nothing of the engine's making
//! fails, what is not authentic ends nothing, and what comes out at the other peer can be decrypted.
//!
//! A handshake is dear, so a call serves many inputs. An input is a row of steps: an octet for what, one for how long, and the bytes.

#![no_main]

#[allow(dead_code)]
#[path = "../../tests/engine/rig/mod.rs"]
mod rig;

#[allow(dead_code)]
#[path = "../../tests/engine/video_rig.rs"]
mod video_rig;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use pagecalls_media::path::Path;
use pagecalls_media::protocol::{DtlsState, Event, Why};
use rig::{BUSINESS, CONSUMER, Rig};
use video_rig::{FULL, Side};

/// Repeats have to go out plain, and transport-wide numbers cross.
const WITHOUT_RTX: Side = Side {
    has_rtx: false,
    ..FULL
};

/// Inputs that share a call.
const INPUTS: u32 = 500;
/// RTCP without a header and a sender is none, and SRTCP says so.
const SHORTEST_RTCP: usize = 8;

struct Scene {
    rig: Rig,
    left: u32,
}

impl Scene {
    fn new() -> Self {
        Self {
            rig: video_rig::call(FULL, WITHOUT_RTX),
            left: INPUTS,
        }
    }

    fn step(&mut self, what: u8, bytes: &[u8]) {
        let rig = &mut self.rig;
        let peer = if what & 1 == 0 { BUSINESS } else { CONSUMER };
        match what >> 1 & 7 {
            0 | 1 => {
                if let Some(packet) = rig.peers[peer].encrypt_bytes(bytes) {
                    rig.datagram(peer, &packet);
                }
            }
            2 | 3 if bytes.len() >= SHORTEST_RTCP => rig.send_rtcp(peer, bytes),
            4 => rig.datagram(peer, bytes),
            5 => {
                let stranger = Path::udp(0, ([203, 0, 113, 66], 9).into());
                rig.datagram_from(stranger, bytes);
            }
            6 => rig.advance_ms(bytes.len() as u64),
            _ => rig.check(peer),
        }
    }

    /// Panics if the engine has failed, or a peer is not connected any more.
    fn judge(&mut self) {
        for event in self.rig.take_events() {
            assert!(
                !matches!(&event, Event::LegFailed(failed) if failed.why == Why::Internal),
                "{event:?}"
            );
        }
        let legs = self.rig.stats();
        assert!(legs.len() == 2 && legs.iter().all(|leg| leg.dtls == DtlsState::Connected));
        for peer in &mut self.rig.peers {
            let _ = (peer.take(), peer.take_rtcp());
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
    static SCENE: RefCell<Scene> = RefCell::new(Scene::new());
}

fuzz_target!(|input: &[u8]| {
    SCENE.with_borrow_mut(|scene| {
        if scene.left == 0 {
            *scene = Scene::new();
        }
        scene.left -= 1;
        for peer in [BUSINESS, CONSUMER] {
            scene.rig.check(peer);
        }
        for (what, bytes) in steps(input) {
            scene.step(what, bytes);
        }
        scene.judge();
    });
});
