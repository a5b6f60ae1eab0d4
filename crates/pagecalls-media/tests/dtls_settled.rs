//! Sessions that gave their handshake up: who hears what, and when a transport lets go of it.

mod dtls_support;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use dtls_support::{Clock, End, Fate, Foreign, Identity, run};
use openssl::ssl::ErrorCode;
use pagecalls_media::dtls::record::records;
use pagecalls_media::dtls::{Certificate, Context, HashAlg, Role};
use pagecalls_media::outbox::Outbox;
use pagecalls_media::path::Path;
use pagecalls_media::protocol::{self, HashName, Remote};
use pagecalls_media::srtp::Outbound;
use pagecalls_media::stun::{Builder, Class, Key};
use pagecalls_media::transport::Transport;

const MINUTE: Duration = Duration::from_secs(60);

fn ours() -> (Certificate, Context) {
    let certificate = Certificate::generate().unwrap();
    let context = Context::new(&certificate).unwrap();
    (certificate, context)
}

/// Two ends of ours, client first, connected over a network that does this.
fn connected(clock: &mut Clock, fate: impl FnMut(usize) -> Fate) -> [End; 2] {
    let (certificate, context) = ours();
    let mut client = End::expecting(&context, Role::Active, &certificate);
    let mut server = End::expecting(&context, Role::Passive, &certificate);
    run(clock, &mut client, &mut server, MINUTE, fate);
    assert!(client.session.is_connected() && server.session.is_connected());
    [client, server]
}

fn settle(end: &mut End) {
    end.session.settle();
    assert!(end.session.is_settled() && end.session.is_connected());
}

#[test]
fn goodbyes_go_both_ways_whoever_has_settled() {
    for (closer, mask) in [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)] {
        let mut clock = Clock::new();
        let mut ends = connected(&mut clock, |_| Fate::Deliver);
        for (bit, end) in ends.iter_mut().enumerate() {
            if mask >> bit & 1 == 1 {
                settle(end);
            }
        }
        clock.advance(60 * MINUTE);
        ends[closer].session.close();
        assert!(!ends[closer].session.is_connected());
        let farewell = ends[closer].sent();
        assert_eq!(farewell.len(), 1);
        let other = &mut ends[1 - closer];
        for _ in 0..2 {
            other.receive(&farewell[0], clock.now);
            assert_eq!(
                (other.closed, other.errors.len()),
                (1, 0),
                "it is told once"
            );
        }
        assert!(!other.session.is_connected());
        other.session.close();
        assert_eq!(other.sent().len(), 0, "what is over has no goodbye");
    }
}

#[test]
fn other_stacks_understand_a_settled_end_with_every_suite_in_both_roles() {
    let suites = [
        (Identity::ecdsa(), "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (Identity::ecdsa(), "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (Identity::rsa(2048), "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ];
    for (identity, suite) in suites {
        for (foreign_is_client, foreign_closes) in
            [(true, true), (true, false), (false, true), (false, false)]
        {
            let (_, context) = ours();
            let role = if foreign_is_client {
                Role::Passive
            } else {
                Role::Active
            };
            let mut end = End::new(&context, role);
            end.session
                .set_expected(&[identity.fingerprint(HashAlg::Sha256)]);
            let mut foreign = Foreign::new(Some(&identity), foreign_is_client, 1200, |builder| {
                // A server's suite names its own kind of certificate, a client's that of ours.
                let rsa = identity.key.rsa().is_ok() && !foreign_is_client;
                let suite = if rsa {
                    suite.replace("ECDSA", "RSA")
                } else {
                    suite.to_owned()
                };
                builder.set_cipher_list(&suite).unwrap();
            });
            let now = Clock::new().now;
            foreign.talk(&mut end, now);
            settle(&mut end);
            foreign.stream.ssl_write(b"data means nothing").unwrap();
            foreign.talk(&mut end, now);
            assert!(end.session.is_connected());
            if foreign_closes {
                foreign.stream.shutdown().unwrap();
                foreign.talk(&mut end, now);
                assert_eq!((end.closed, end.errors.len()), (1, 0), "{suite}");
            } else {
                end.session.close();
                foreign.talk(&mut end, now);
                let heard = foreign.stream.ssl_read(&mut [0; 100]).unwrap_err();
                assert_eq!(heard.code(), ErrorCode::ZERO_RETURN, "{suite}");
            }
        }
    }
}

#[test]
fn a_goodbye_takes_numbers_that_no_repeat_has_used() {
    let mut clock = Clock::new();
    let mut numbers = HashSet::new();
    let mut nonces = HashSet::new();
    let mut note = |datagrams: &[Vec<u8>]| {
        for datagram in datagrams {
            for record in records(datagram).filter(|record| record.epoch == 1) {
                assert!(numbers.insert(record.seq), "{record:?}");
                assert!(nonces.insert(record.body[..8].to_vec()), "{record:?}");
            }
        }
    };
    let (certificate, context) = ours();
    let mut client = End::expecting(&context, Role::Active, &certificate);
    let mut server = End::expecting(&context, Role::Passive, &certificate);
    let started = client.session.start(clock.now);
    client.note(started);
    while !server.session.is_connected() {
        for datagram in client.sent() {
            server.receive(&datagram, clock.now);
        }
        let answer = server.sent();
        note(&answer);
        if !server.session.is_connected() {
            for datagram in answer {
                client.receive(&datagram, clock.now);
            }
        }
    }
    // The last flight was lost, and so are two repeats of it.
    for _ in 0..2 {
        clock.advance(Duration::from_secs(4));
        client.session.handle_timeout(clock.now).unwrap();
        for datagram in client.sent() {
            server.receive(&datagram, clock.now);
        }
        let repeat = server.sent();
        assert!(!repeat.is_empty());
        note(&repeat);
    }
    settle(&mut server);
    server.session.close();
    note(&server.sent());
    assert_eq!(numbers.len(), 4, "three times Finished, and the goodbye");
}

#[test]
fn settling_is_for_connected_sessions() {
    let identity = Identity::ecdsa();
    let (_, context) = ours();
    let mut end = End::new(&context, Role::Passive);
    end.session.settle();
    let mut foreign = Foreign::new(Some(&identity), true, 1200, |_| {});
    foreign.talk(&mut end, Clock::new().now);
    assert!(foreign.done);
    end.session.settle();
    assert!(
        !end.session.is_settled(),
        "its certificate was not compared"
    );
    end.session
        .set_expected(&[identity.fingerprint(HashAlg::Sha256)]);
    let polled = end.session.poll();
    end.note(polled);
    assert!(end.keys.is_some(), "the keys come none the less");
    settle(&mut end);
}

/// A transport of ours in the passive role, and its peer.
struct Pair {
    transport: Transport,
    outbox: Outbox,
    client: End,
    path: Path,
}

impl Pair {
    fn new(clock: &Clock) -> Self {
        let (certificate, context) = ours();
        let theirs = Certificate::generate().unwrap();
        let remote = Remote {
            ufrag: "them".into(),
            pwd: "a password of their own".into(),
            fingerprints: vec![protocol::Fingerprint {
                alg: HashName::Sha256,
                value: theirs.fingerprint_sha256(),
            }],
            role: protocol::Role::Passive,
        };
        let password = "a password of ours, long";
        let mut pair = Self {
            transport: Transport::new("ours".into(), password),
            outbox: Outbox::new(),
            client: End::expecting(&Context::new(&theirs).unwrap(), Role::Active, &certificate),
            path: Path::udp(0, SocketAddr::from(([192, 0, 2, 1], 5_000))),
        };
        pair.transport.meet(&remote, &context).unwrap();
        let mut check = Vec::new();
        Builder::new(&mut check, Class::Request, *b"twelve bytes")
            .username("ours:them")
            .priority(1)
            .controlling(7)
            .use_candidate()
            .finish(Some(&Key::new(password)));
        pair.transport
            .stun(&check, pair.path, clock.now, &mut pair.outbox);
        pair.outbox.clear_datagrams();
        let started = pair.client.session.start(clock.now);
        pair.client.note(started);
        pair
    }

    /// Hands over what the client has to send; returns what comes back.
    fn ask(&mut self, clock: &Clock) -> Vec<Vec<u8>> {
        for datagram in self.client.sent() {
            self.transport
                .dtls(&datagram, self.path, clock.now, &mut self.outbox)
                .unwrap();
        }
        let answers = self
            .outbox
            .datagrams()
            .map(|(_, bytes)| bytes.to_vec())
            .collect();
        self.outbox.clear_datagrams();
        answers
    }

    fn tell(&mut self, clock: &Clock, answers: &[Vec<u8>]) {
        for answer in answers {
            self.client.receive(answer, clock.now);
        }
    }

    /// Lets our side's time come; the client has its own.
    fn advance(&mut self, clock: &mut Clock, by: Duration) {
        clock.advance(by);
        self.transport.on_time(clock.now, &mut self.outbox).unwrap();
    }

    /// Runs the handshake up to our last flight, and returns that.
    fn last_flight(&mut self, clock: &Clock) -> Vec<Vec<u8>> {
        loop {
            let answers = self.ask(clock);
            if self.transport.is_up() {
                return answers;
            }
            self.tell(clock, &answers);
        }
    }
}

#[test]
fn a_silent_peer_gets_the_last_flight_again_for_four_minutes() {
    for (wait_s, is_answered) in [(60, true), (239, true), (241, false)] {
        let mut clock = Clock::new();
        let mut pair = Pair::new(&clock);
        let lost = pair.last_flight(&clock);
        assert!(!lost.is_empty());
        pair.advance(&mut clock, Duration::from_secs(wait_s));
        pair.client.session.handle_timeout(clock.now).unwrap();
        let repeat = pair.ask(&clock);
        assert_eq!(!repeat.is_empty(), is_answered, "after {wait_s} s");
        pair.tell(&clock, &repeat);
        assert_eq!(pair.client.session.is_connected(), is_answered);
    }
}

#[test]
fn five_seconds_of_media_are_enough_and_goodbyes_go_on() {
    for ours_closes in [true, false] {
        let mut clock = Clock::new();
        let mut pair = Pair::new(&clock);
        let last = pair.last_flight(&clock);
        let connected = clock.now;
        pair.tell(&clock, &last);
        let settles_after = |pair: &Pair, clock: &Clock| {
            pair.transport
                .next_due(clock.now)
                .map(|due| due - connected)
        };
        assert_eq!(settles_after(&pair, &clock), Some(Duration::from_secs(240)));
        pair.advance(&mut clock, Duration::from_secs(2));

        let keys = pair.client.keys.as_ref().unwrap();
        let mut srtp = Outbound::new(keys.profile, &keys.local.0, &keys.local.1).unwrap();
        let mut packet = vec![0x80; 60 + keys.profile.rtp_overhead()];
        let len = srtp.protect_rtp(&mut packet, 12, 60).unwrap();
        let opened = pair.transport.open_rtp(&mut packet[..len], 12);
        assert_eq!(opened, Some(Ok(60)));
        assert_eq!(settles_after(&pair, &clock), Some(Duration::from_secs(5)));
        pair.advance(&mut clock, Duration::from_secs(3));
        assert_eq!(settles_after(&pair, &clock), None);

        if ours_closes {
            pair.transport.close(&mut pair.outbox);
            let farewell = pair.ask(&clock);
            pair.tell(&clock, &farewell);
            assert_eq!((pair.client.closed, pair.client.errors.len()), (1, 0));
        } else {
            pair.client.session.close();
            assert!(pair.ask(&clock).is_empty());
            assert_eq!(pair.transport.closed_at, Some(clock.now));
        }
    }
}
