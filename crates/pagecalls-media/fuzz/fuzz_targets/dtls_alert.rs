//! Alerts of a peer that has the keys, damaged on the way: the whole ones do what they say, all others do nothing.
//!
//! The input is an alert, its record's number and nonce, and the octets that damage it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pagecalls_media::dtls::alerts::{Alerts, Heard, Written};
use pagecalls_media::dtls::keys::{RecordKey, Suite};

fn key(suite: Suite, fill: u8) -> RecordKey {
    RecordKey::new(suite, &vec![fill; suite.key_len()], [fill; 4]).expect("a key of this length")
}

fuzz_target!(|input: ([u8; 2], u32, u64, bool, Vec<(u8, u8)>, Vec<u8>)| {
    let (alert, seq, nonce, is_long, damage, before) = input;
    let suite = if is_long {
        Suite::Aes256Gcm
    } else {
        Suite::Aes128Gcm
    };
    let written = Written {
        seq: seq.into(),
        nonce,
    };
    let mut peer = Alerts::new(key(suite, 1), key(suite, 2), written);
    let mut ours = Alerts::new(key(suite, 2), key(suite, 1), written);
    let whole = peer.seal(alert).expect("OpenSSL encrypts two octets");

    let mut damaged = whole;
    for (at, with) in damage {
        damaged[usize::from(at) % whole.len()] ^= with;
    }
    if damaged != whole {
        assert_eq!(ours.receive(&damaged), Ok(Heard::Nothing));
        assert_eq!(
            ours.receive(&[&before, &damaged[..]].concat()),
            Ok(Heard::Nothing)
        );
    }
    match (alert, ours.receive(&whole)) {
        ([_, 0], Ok(Heard::Goodbye)) | ([2, 1..=255], Err(_)) => {}
        (_, heard) => assert_eq!(heard, Ok(Heard::Nothing), "{alert:?}"),
    }
    assert_eq!(ours.take(), None, "nothing is answered");
});
