//! Handshakes over a network that loses, doubles and reorders, in simulated time.

mod dtls_support;

use std::time::Duration;

use dtls_support::{Clock, End, Fate, run};
use pagecalls_media::dtls::{Certificate, Context, DtlsError, Role};
use proptest::prelude::*;

const LIMIT: Duration = Duration::from_secs(60);
/// More datagrams than a handshake without loss has.
const DATAGRAMS: usize = 10;

struct Made {
    certificate: Certificate,
    context: Context,
}

impl Made {
    fn new() -> Self {
        let certificate = Certificate::generate().unwrap();
        let context = Context::new(&certificate).unwrap();
        Self {
            certificate,
            context,
        }
    }

    /// Runs one handshake; returns both ends and the time that it took.
    fn run(&self, fate: impl FnMut(usize) -> Fate) -> (End, End, Duration) {
        let mut clock = Clock::new();
        let start = clock.now;
        let mut client = End::expecting(&self.context, Role::Active, &self.certificate);
        let mut server = End::expecting(&self.context, Role::Passive, &self.certificate);
        run(&mut clock, &mut client, &mut server, LIMIT, fate);
        (client, server, clock.now - start)
    }
}

fn assert_connected(client: &End, server: &End, what: &str) {
    assert!(
        client.errors.is_empty() && server.errors.is_empty(),
        "{what}: {:?} {:?}",
        client.errors,
        server.errors
    );
    assert!(client.session.is_connected(), "{what}: client");
    assert!(server.session.is_connected(), "{what}: server");
    let (client, server) = (client.keys.as_ref().unwrap(), server.keys.as_ref().unwrap());
    assert_eq!(client.local, server.remote);
    assert_eq!(client.remote, server.local);
}

#[test]
fn without_loss_no_time_passes() {
    let (client, server, took) = Made::new().run(|_| Fate::Deliver);
    assert_connected(&client, &server, "clean");
    assert_eq!(took, Duration::ZERO);
}

#[test]
fn any_one_datagram_may_be_lost() {
    let made = Made::new();
    let mut waited = 0;
    for lost in 0..DATAGRAMS {
        let (client, server, took) = made.run(|number| {
            if number == lost {
                Fate::Lose
            } else {
                Fate::Deliver
            }
        });
        assert_connected(&client, &server, &format!("lost {lost}"));
        assert!(took <= Duration::from_millis(200), "lost {lost}: {took:?}");
        waited += usize::from(!took.is_zero());
    }
    assert!(
        waited >= 4,
        "of each flight at least one loss had to be waited out, not {waited}"
    );
}

#[test]
fn any_one_datagram_may_come_twice() {
    let made = Made::new();
    for doubled in 0..DATAGRAMS {
        let (client, server, _) = made.run(|number| {
            if number == doubled {
                Fate::Double
            } else {
                Fate::Deliver
            }
        });
        assert_connected(&client, &server, &format!("doubled {doubled}"));
    }
    let (client, server, _) = made.run(|_| Fate::Double);
    assert_connected(&client, &server, "all doubled");
}

#[test]
fn any_one_datagram_may_come_late() {
    let made = Made::new();
    for late in 0..DATAGRAMS {
        let (client, server, _) = made.run(|number| {
            if number == late {
                Fate::Hold
            } else {
                Fate::Deliver
            }
        });
        assert_connected(&client, &server, &format!("late {late}"));
    }
}

#[test]
fn a_silent_peer_is_given_up_after_half_a_minute() {
    let (client, server, took) = Made::new().run(|_| Fate::Lose);
    assert!(
        matches!(client.errors[..], [DtlsError::Handshake(_)]),
        "{:?}",
        client.errors
    );
    assert!(server.errors.is_empty(), "it has not heard of anyone");
    assert!(
        took > Duration::from_secs(20) && took < Duration::from_secs(45),
        "{took:?}"
    );
    assert_eq!(client.session.next_timeout(Clock::new().now), None);
}

#[test]
fn waits_double_and_early_calls_send_nothing() {
    let made = Made::new();
    let mut clock = Clock::new();
    let mut client = End::expecting(&made.context, Role::Active, &made.certificate);
    assert_eq!(
        client.session.next_timeout(clock.now),
        None,
        "nothing was sent"
    );
    let started = client.session.start(clock.now);
    client.note(started);
    assert_eq!(client.sent().len(), 1);
    for wait_ms in [200, 400, 800, 1600, 3200, 3200] {
        let due = client.session.next_timeout(clock.now).unwrap();
        assert_eq!(due - clock.now, Duration::from_millis(wait_ms));
        clock.advance(Duration::from_millis(wait_ms / 2));
        client.session.handle_timeout(clock.now).unwrap();
        assert_eq!(client.sent().len(), 0, "early");
        clock.advance(Duration::from_millis(wait_ms / 2));
        client.session.handle_timeout(clock.now).unwrap();
        assert_eq!(client.sent().len(), 1, "due");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// A fifth lost, a tenth doubled, a tenth late: the handshake comes through.
    #[test]
    fn bad_networks_delay_and_do_not_defeat(seed in prop::collection::vec(0u8..10, 200)) {
        let (client, server, _) = Made::new().run(|number| match seed.get(number) {
            Some(0 | 1) => Fate::Lose,
            Some(2) => Fate::Double,
            Some(3) => Fate::Hold,
            _ => Fate::Deliver,
        });
        assert_connected(&client, &server, "bad network");
    }
}
