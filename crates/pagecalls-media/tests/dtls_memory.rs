//! What a connected session costs once its handshake is over. A program of its own, for it looks at the whole heap.

mod dtls_support;

use std::time::Duration;

use dtls_support::{Clock, End, Fate, run};
use pagecalls_media::dtls::{Certificate, Context, Role};

const PAIRS: usize = 50;

/// Octets that are allocated in this process, by Rust and by OpenSSL.
fn allocated() -> usize {
    // SAFETY: it takes nothing and returns numbers.
    unsafe { libc::mallinfo2() }.uordblks
}

#[test]
fn a_settled_session_takes_less_than_a_kilobyte() {
    let certificate = Certificate::generate().unwrap();
    let context = Context::new(&certificate).unwrap();
    let mut clock = Clock::new();
    let mut pair = || {
        let mut client = End::expecting(&context, Role::Active, &certificate);
        let mut server = End::expecting(&context, Role::Passive, &certificate);
        run(
            &mut clock,
            &mut client,
            &mut server,
            Duration::from_secs(60),
            |_| Fate::Deliver,
        );
        [client, server]
    };
    // The first makes what OpenSSL makes once.
    let _first = pair();
    let mut ends: Vec<End> = Vec::with_capacity(2 * PAIRS);
    let before = allocated();
    for _ in 0..PAIRS {
        ends.extend(pair());
    }
    let connected = (allocated() - before) / ends.len();
    for end in &mut ends {
        end.session.settle();
    }
    let settled = (allocated() - before) / ends.len();
    assert!(
        settled < 1_000 && connected > 10 * settled,
        "{settled} octets, and {connected} before"
    );
    assert!(ends.iter().all(|end| end.session.is_connected()));
}
