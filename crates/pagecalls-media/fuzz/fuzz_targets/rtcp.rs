//! RTCP compounds: walking one ends, stays inside it, and report blocks survive being written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pagecalls_media::rtcp::{SenderInfo, Writer, bye_ssrcs, packets, report_blocks};

fuzz_target!(|compound: &[u8]| {
    for packet in packets(compound) {
        let _ = SenderInfo::parse(packet.body);
        let _ = bye_ssrcs(&packet).count();
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
});
