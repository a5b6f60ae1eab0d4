//! Transport-wide feedback: reading any of it ends and stays inside it, and what was read is written and read again the same. A ledger
//! that is told it stays bounded in what it tells.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use pagecalls_media::rtcp::{Writer, packets};
use pagecalls_media::twcc::feedback::{Builder, Feedback, MAX_READ};
use pagecalls_media::twcc::{Ledger, REMEMBERED};

fn statuses(packet: &[u8]) -> Vec<(u16, Option<u32>)> {
    let found = packets(packet).filter_map(|packet| Feedback::parse(packet.body));
    found.flat_map(|feedback| feedback.statuses()).collect()
}

fuzz_target!(|input: &[u8]| {
    let Some(feedback) = Feedback::parse(input) else {
        return;
    };
    let read: Vec<_> = feedback.statuses().collect();
    assert!(read.len() <= usize::from(MAX_READ));
    let mut builder = Builder::new(feedback.base);
    let taken = read.iter().take_while(|(_, time)| builder.push(*time)).count();
    if !builder.is_empty() {
        let mut buffer = [0; 1_200];
        let mut writer = Writer::new(&mut buffer);
        builder.write(1, 2, feedback.number, 0, &mut writer);
        let len = writer.len();
        assert_eq!(statuses(&buffer[..len]), read[..taken]);
    }

    let start = Instant::now();
    let mut ledger = Ledger::new(start);
    for (place, (number, time)) in read.iter().enumerate() {
        let now = start + Duration::from_millis(place as u64);
        if time.is_some() || number % 3 == 0 {
            ledger.arrived(*number, 1, now);
            ledger.sent(*number, now);
        }
        ledger.told(7, *number, *time);
    }
    ledger.told_all(start);
    ledger.on_time(start + Duration::from_secs(5));
    let mut told = 0;
    while ledger.has_news() {
        let mut buffer = [0; 1_200];
        let mut writer = Writer::new(&mut buffer);
        ledger.write(1, start, &mut writer);
        let len = writer.len();
        assert!(len > 0);
        told += statuses(&buffer[..len]).len();
    }
    assert!(told <= 2 * REMEMBERED as usize);
});
