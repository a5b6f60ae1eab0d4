//! Datagrams that a stranger could send do nothing to a handshake, and less to a live session.

mod dtls_support;

use std::time::Duration;

use dtls_support::{Clock, End, Fate, run};
use pagecalls_media::dtls::{Certificate, Context, Role};
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);

fn ours() -> (Certificate, Context) {
    let certificate = Certificate::generate().unwrap();
    let context = Context::new(&certificate).unwrap();
    (certificate, context)
}

/// Two ends of ours that expect each other, client first, connected.
fn connected(clock: &mut Clock) -> (End, End) {
    let (certificate, context) = ours();
    let mut client = End::expecting(&context, Role::Active, &certificate);
    let mut server = End::expecting(&context, Role::Passive, &certificate);
    run(clock, &mut client, &mut server, MINUTE, |_| Fate::Deliver);
    assert!(client.session.is_connected() && server.session.is_connected());
    (client, server)
}

fn record(kind: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![
        kind,
        0xfe,
        0xfd,
        0,
        epoch,
        0,
        0,
        0,
        0,
        0,
        9,
        0,
        body.len() as u8,
    ];
    record.extend(body);
    record
}

/// Datagrams that are no DTLS, or none for any moment.
fn noise() -> Vec<Vec<u8>> {
    vec![
        vec![],
        vec![22],
        vec![22; 12],
        vec![22; 500],
        vec![0x80; 100],                                          // RTP
        vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0],     // STUN
        vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], // a record that runs over the end
        record(22, 1, &[7; 60]), // encrypted with no key of anyone's
        record(21, 1, &[2, 40]),
        record(23, 0, b"data in clear"),
        record(23, 1, &[9; 40]),
        record(22, 2, &[7; 60]),
        record(23, 1, &[]),
        [record(23, 1, &[9; 40]), record(23, 1, &[9])].concat(),
        record(24, 0, &[1, 2, 3]),
        record(63, 0, &[1, 2, 3]),
    ]
}

#[test]
fn noise_is_ignored_before_within_and_after_the_handshake() {
    let mut clock = Clock::new();
    let (certificate, context) = ours();
    let mut client = End::expecting(&context, Role::Active, &certificate);
    let mut server = End::expecting(&context, Role::Passive, &certificate);
    let disturb = |client: &mut End, server: &mut End| {
        for datagram in noise() {
            client.receive(&datagram, clock.now);
            server.receive(&datagram, clock.now);
        }
    };
    disturb(&mut client, &mut server);
    let started = client.session.start(clock.now);
    client.note(started);
    for _ in 0..6 {
        disturb(&mut client, &mut server);
        for datagram in client.sent() {
            server.receive(&datagram, clock.now);
        }
        disturb(&mut client, &mut server);
        for datagram in server.sent() {
            client.receive(&datagram, clock.now);
        }
    }
    disturb(&mut client, &mut server);
    assert_eq!((&client.errors[..], &server.errors[..]), (&[][..], &[][..]));
    assert!(client.session.is_connected() && server.session.is_connected());
    clock.advance(MINUTE);
    assert_eq!((client.closed, server.closed), (0, 0));
}

#[test]
fn what_was_in_clear_does_not_touch_a_live_session() {
    for settled in [false, true] {
        let mut clock = Clock::new();
        let (mut client, mut server) = connected(&mut clock);
        if settled {
            client.session.settle();
            server.session.settle();
        }
        let alert = |level, kind| vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, level, kind];
        let (_, context) = ours();
        let mut stranger = End::new(&context, Role::Active);
        let started = stranger.session.start(clock.now);
        stranger.note(started);
        let mut forged = vec![alert(2, 40), alert(1, 0), alert(2, 80)];
        forged.extend(stranger.sent()); // another ClientHello
        forged.extend(noise());
        // What another version's record holds must not be read as records of this one.
        for minor in [0xff, 0xfe, 0xfc] {
            let mut nested = record(22, 0, &record(21, 1, &[2, 40]));
            nested[2] = minor;
            forged.push(nested);
        }
        for datagram in forged {
            client.receive(&datagram, clock.now);
            server.receive(&datagram, clock.now);
        }
        for end in [&mut client, &mut server] {
            assert_eq!((end.closed, end.errors.len()), (0, 0));
            assert!(end.session.is_connected());
            assert_eq!(end.sent().len(), 0, "nothing of it is answered");
            end.session.close();
            assert_eq!(end.sent().len(), 1, "it still can say goodbye");
        }
    }
}

#[test]
fn a_replayed_handshake_does_nothing() {
    let mut clock = Clock::new();
    let (certificate, context) = ours();
    let mut client = End::expecting(&context, Role::Active, &certificate);
    let mut server = End::expecting(&context, Role::Passive, &certificate);
    let started = client.session.start(clock.now);
    client.note(started);
    let mut tape = Vec::new();
    for _ in 0..4 {
        for datagram in client.sent() {
            server.receive(&datagram, clock.now);
            tape.push(datagram);
        }
        for datagram in server.sent() {
            client.receive(&datagram, clock.now);
        }
    }
    assert!(server.session.is_connected());
    for settled in [false, true] {
        clock.advance(MINUTE);
        if settled {
            server.session.settle();
        }
        for datagram in &tape {
            server.receive(datagram, clock.now);
        }
        assert_eq!((server.closed, server.errors.len()), (0, 0));
        assert!(server.session.is_connected());
    }
}

/// A record as a stranger would forge it: any kind, epoch, number and content.
fn forged_record() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![8 => 20u8..25, 1 => any::<u8>()];
    let epoch = prop_oneof![4 => Just(1u16), 2 => Just(0u16), 1 => any::<u16>()];
    // As long as an alert in some, as anything in others.
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 26),
        prop::collection::vec(any::<u8>(), 0..80)
    ];
    (kind, epoch, 0u8..40, body).prop_map(|(kind, epoch, number, body)| {
        let mut record = vec![kind, 0xfe, 0xfd];
        record.extend(epoch.to_be_bytes());
        record.extend([0, 0, 0, 0, 0, number]);
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A live session outlives all of it and still hears its peer's goodbye, settled or not.
    #[test]
    fn forged_records_do_not_end_a_live_session(settled in any::<bool>(), datagrams in prop::collection::vec(prop::collection::vec(forged_record(), 1..4), 1..60)) {
        let mut clock = Clock::new();
        let (mut client, mut server) = connected(&mut clock);
        if settled {
            client.session.settle();
            server.session.settle();
        }
        for records in datagrams {
            let datagram = records.concat();
            client.receive(&datagram, clock.now);
            server.receive(&datagram, clock.now);
        }
        prop_assert_eq!((&client.errors[..], &server.errors[..]), (&[][..], &[][..]));
        client.session.close();
        for datagram in client.sent() {
            server.receive(&datagram, clock.now);
        }
        prop_assert_eq!(server.closed, 1);
    }
}
