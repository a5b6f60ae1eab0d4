//! Any stream, cut anywhere: no panic, no datagram that is too long, and the same datagrams however it is cut. And any first bytes
//! of a connection: a worker that exists and a leg's name, or none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pagecalls_media::acceptor::{Verdict, examine};
use pagecalls_media::framing::{Deframer, FRAME_BYTES};

fn datagrams(stream: &[u8], cut: usize) -> (Vec<Vec<u8>>, bool) {
    let (mut deframer, mut found) = (Deframer::new(), Vec::new());
    let mut is_sound = true;
    for part in stream.chunks(cut) {
        is_sound = is_sound
            && deframer
                .feed(&mut part.to_vec(), |datagram| found.push(datagram.to_vec()))
                .is_ok();
    }
    (found, is_sound)
}

fuzz_target!(|stream: &[u8]| {
    let whole = datagrams(stream, stream.len().max(1));
    for cut in [1, 2, 3, 700] {
        assert_eq!(datagrams(stream, cut), whole);
    }
    assert!(whole.0.iter().all(|datagram| datagram.len() <= FRAME_BYTES));
    if let Verdict::For(worker, ufrag) = examine(stream, 64) {
        assert!(worker < 64 && !ufrag.is_empty());
    }
});
