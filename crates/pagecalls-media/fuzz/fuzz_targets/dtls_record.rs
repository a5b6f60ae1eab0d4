//! Any datagrams at a fresh session of either role and at two live ones, of which one has settled: no crash, no keys, and the live ones
//! live on.
//!
//! The input is cut into datagrams at each length octet.

#![no_main]

use std::cell::RefCell;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use pagecalls_media::dtls::{Certificate, Context, Fingerprint, Progress, Role, Session};

struct Ends {
    context: Context,
    expected: [Fingerprint; 1],
    /// Connected with a peer that is gone.
    live: Session,
    /// The same, some seconds later.
    settled: Session,
}

impl Ends {
    fn new() -> Self {
        let certificate = Certificate::generate().expect("a certificate");
        let context = Context::new(&certificate).expect("a context");
        let expected = Fingerprint::parse("sha-256", &certificate.fingerprint_sha256())
            .expect("our own spelling");
        let expected = [expected];
        let live = connected(&context, &expected);
        let mut settled = connected(&context, &expected);
        settled.settle();
        assert!(settled.is_settled());
        Self {
            context,
            expected,
            live,
            settled,
        }
    }
}

fn connected(context: &Context, expected: &[Fingerprint]) -> Session {
    let (mut client, mut server) = (
        session(context, Role::Active, expected),
        session(context, Role::Passive, expected),
    );
    let mut datagram = Vec::new();
    while !server.is_connected() {
        while client.poll_transmit(&mut datagram).is_some() {
            server
                .receive(&datagram, Instant::now())
                .expect("a clean handshake");
        }
        while server.poll_transmit(&mut datagram).is_some() {
            client
                .receive(&datagram, Instant::now())
                .expect("a clean handshake");
        }
    }
    server
}

fn session(context: &Context, role: Role, expected: &[Fingerprint]) -> Session {
    let mut session = Session::new(context, role).expect("a session");
    session.set_expected(expected);
    session.start(Instant::now()).expect("a first flight");
    session
}

thread_local! {
    static ENDS: RefCell<Ends> = RefCell::new(Ends::new());
}

fn datagrams(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&len, rest) = input.split_first()?;
        let (datagram, rest) = rest.split_at(rest.len().min(len.into()));
        input = rest;
        Some(datagram)
    })
}

fuzz_target!(|input: &[u8]| {
    ENDS.with_borrow_mut(|ends| {
        let mut out = Vec::new();
        for role in [Role::Passive, Role::Active] {
            let mut fresh = session(&ends.context, role, &ends.expected);
            for datagram in datagrams(input) {
                let result = fresh.receive(datagram, Instant::now());
                assert!(!matches!(result, Ok(Progress::Connected { .. })));
                while fresh.poll_transmit(&mut out).is_some() {}
            }
        }
        for live in [&mut ends.live, &mut ends.settled] {
            for datagram in datagrams(input) {
                let result = live.receive(datagram, Instant::now());
                assert!(matches!(result, Ok(Progress::Nothing)), "{result:?}");
                while live.poll_transmit(&mut out).is_some() {}
            }
            assert!(live.is_connected());
        }
    });
});
