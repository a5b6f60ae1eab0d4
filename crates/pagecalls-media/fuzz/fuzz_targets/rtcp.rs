//! RTCP compounds. By themselves: walking one ends, stays inside it, and report blocks survive being written. And in a running call of
//! its own, from either peer: whatever feedback it holds, nothing fails, and what the other peer gets is sound.
//!
//! The first octet's lowest bit tells whether the numbers in it count from what the peer has got last.

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

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pagecalls_media::rtcp::{HEADER_LEN, SenderInfo, Writer, bye_ssrcs, packets, report_blocks};
use pagecalls_media::twcc::feedback::{Feedback, MAX_READ};
use rig::{BUSINESS, CONSUMER};
use scene::{Stage, count_from_last, judge};

/// What is asked again, settled and reported within it.
const AFTERWARDS: Duration = Duration::from_secs(2);

fn walk(compound: &[u8]) {
    for packet in packets(compound) {
        let _ = SenderInfo::parse(packet.body);
        let _ = bye_ssrcs(&packet).count();
        if let Some(feedback) = Feedback::parse(packet.body) {
            assert!(feedback.statuses().count() <= usize::from(MAX_READ));
        }
        let blocks: Vec<_> = report_blocks(&packet).collect();
        let mut buffer = [0; 1_200];
        let mut writer = Writer::new(&mut buffer);
        let written = writer.receiver_report(1, blocks.iter().copied());
        assert_eq!(usize::from(written), blocks.len());
        let len = writer.len();
        let again =
            packets(&buffer[..len]).flat_map(|packet| report_blocks(&packet).collect::<Vec<_>>());
        assert!(again.eq(blocks));
    }
}

thread_local! {
    static STAGE: Stage = Stage::new();
}

fuzz_target!(|input: &[u8]| {
    let Some((flags, compound)) = input.split_first() else {
        return;
    };
    walk(compound);
    if compound.len() < HEADER_LEN {
        return;
    }
    let mut rig = STAGE.with(Stage::running_call);
    for peer in [BUSINESS, CONSUMER] {
        let mut compound = compound.to_vec();
        if flags & 1 == 1 {
            count_from_last(&rig, peer, &mut compound);
        }
        rig.send_rtcp(peer, &compound);
    }
    rig.advance(AFTERWARDS);
    judge(&mut rig);
});
