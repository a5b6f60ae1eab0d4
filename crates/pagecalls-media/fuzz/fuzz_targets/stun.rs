//! Any datagram at an ICE-lite agent: no panic, no unproven source, and every answer is a message that parses.

#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use pagecalls_media::ice::{Agent, Outcome};
use pagecalls_media::path::Path;
use pagecalls_media::stun::{Message, is_stun, peek_local_ufrag};

fuzz_target!(|datagram: &[u8]| {
    let from = Path::udp(0, ([192, 0, 2, 1], 5000).into());
    let mut agent = Agent::new("ours".to_owned(), "ourpasswordourpassword");
    agent.set_remote("them", "theirpasswordtheirpass");
    let mut answer = Vec::new();
    let outcome = agent.handle(datagram, from, Instant::now(), &mut answer);
    match outcome {
        Outcome::Ignored => assert!(answer.is_empty()),
        Outcome::Refused => {
            assert!(Message::parse(&answer).is_ok());
            assert_eq!(agent.selected(), None);
        }
        Outcome::Checked { .. } => assert!(Message::parse(&answer).is_ok()),
    }
    if peek_local_ufrag(datagram).is_some() {
        assert!(is_stun(datagram));
    }
});
