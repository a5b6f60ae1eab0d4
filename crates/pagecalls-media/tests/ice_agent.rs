//! The ICE-lite agent: whom it answers, and where it sends.

use std::time::{Duration, Instant};

use pagecalls_media::ice::{Agent, MAX_SOURCES, MAX_STREAMS, Outcome};
use pagecalls_media::path::Path;
use pagecalls_media::stun::{Builder, Class, Key, Message};

const UFRAG: &str = "ours";
const PWD: &str = "ourpasswordourpassword";
const TRANSACTION: [u8; 12] = *b"transaction!";

fn agent() -> Agent {
    let mut agent = Agent::new(UFRAG.to_owned(), PWD);
    agent.set_remote("them", "theirpasswordtheirpass");
    agent
}

fn path(last: u8) -> Path {
    Path::udp(0, ([192, 0, 2, last], 5000).into())
}

/// A check as a browser sends it.
struct Check {
    username: &'static str,
    password: &'static str,
    nominate: bool,
    controlled: bool,
    unknown: Option<u16>,
}

impl Default for Check {
    fn default() -> Self {
        Self {
            username: "ours:them",
            password: PWD,
            nominate: false,
            controlled: false,
            unknown: None,
        }
    }
}

impl Check {
    fn nominating() -> Self {
        Self {
            nominate: true,
            ..Self::default()
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut builder = Builder::new(&mut out, Class::Request, TRANSACTION)
            .username(self.username)
            .priority(1);
        builder = if self.controlled {
            builder.controlled(9)
        } else {
            builder.controlling(9)
        };
        if self.nominate {
            builder = builder.use_candidate();
        }
        if let Some(kind) = self.unknown {
            builder = builder.attribute(kind, &[1, 2, 3]);
        }
        builder.finish(Some(&Key::new(self.password)));
        out
    }

    fn sent_to(&self, agent: &mut Agent, from: Path, now: Instant) -> Outcome {
        agent.handle(&self.bytes(), from, now, &mut Vec::new())
    }
}

fn checked(new_source: bool, selected_changed: Option<Path>) -> Outcome {
    Outcome::Checked {
        new_source,
        removed: None,
        selected_changed,
        is_restarted: false,
    }
}

/// The error of a refusal, and whether it is signed with our password.
fn refusal(agent: &mut Agent, datagram: &[u8]) -> (u16, bool) {
    let mut out = Vec::new();
    let outcome = agent.handle(datagram, path(1), Instant::now(), &mut out);
    assert_eq!(outcome, Outcome::Refused);
    let answer = Message::parse(&out).unwrap();
    assert_eq!(
        (answer.class, answer.transaction),
        (Class::Error, TRANSACTION)
    );
    assert!(answer.has_fingerprint);
    assert_eq!(agent.selected(), None);
    assert_eq!(agent.last_heard(), None);
    (answer.error.unwrap(), answer.verify(&Key::new(PWD)))
}

#[test]
fn a_check_is_answered_with_its_source_and_signed() {
    let mut out = b"old".to_vec();
    let outcome = agent().handle(&Check::default().bytes(), path(1), Instant::now(), &mut out);
    assert_eq!(outcome, checked(true, Some(path(1))));
    let answer = Message::parse(&out).unwrap();
    assert_eq!(
        (answer.class, answer.transaction),
        (Class::Success, TRANSACTION)
    );
    assert_eq!(answer.mapped, Some(path(1).remote));
    assert!(answer.verify(&Key::new(PWD)) && answer.has_fingerprint);
}

#[test]
fn media_goes_to_the_first_source_until_one_is_nominated() {
    let mut agent = agent();
    let now = Instant::now();
    assert_eq!(
        Check::default().sent_to(&mut agent, path(1), now),
        checked(true, Some(path(1)))
    );
    assert_eq!(
        Check::default().sent_to(&mut agent, path(2), now),
        checked(true, None)
    );
    assert_eq!(agent.selected(), Some(path(1)));
    assert_eq!(
        Check::nominating().sent_to(&mut agent, path(2), now),
        checked(false, Some(path(2)))
    );
    assert_eq!(
        Check::nominating().sent_to(&mut agent, path(2), now),
        checked(false, None)
    );
    assert_eq!(
        Check::default().sent_to(&mut agent, path(1), now),
        checked(false, None)
    );
    assert_eq!(agent.selected(), Some(path(2)));
}

#[test]
fn the_latest_nomination_wins_and_may_come_back() {
    let mut agent = agent();
    let now = Instant::now();
    for last in [1, 2, 1, 3] {
        Check::nominating().sent_to(&mut agent, path(last), now);
        assert_eq!(agent.selected(), Some(path(last)));
    }
}

#[test]
fn consent_is_the_time_of_the_last_authentic_request() {
    let mut agent = agent();
    let start = Instant::now();
    assert_eq!(agent.last_heard(), None);
    Check::default().sent_to(&mut agent, path(1), start);
    let later = start + Duration::from_secs(5);
    Check::default().sent_to(&mut agent, path(1), later);
    let forged = Check {
        password: "wrong",
        ..Check::default()
    };
    forged.sent_to(&mut agent, path(1), later + Duration::from_secs(5));
    assert_eq!(agent.last_heard(), Some(later));
}

#[test]
fn a_request_without_credentials_is_bad() {
    let mut out = Vec::new();
    Builder::new(&mut out, Class::Request, TRANSACTION)
        .username("ours:them")
        .finish(None);
    assert_eq!(refusal(&mut agent(), &out), (400, false));
    Builder::new(&mut out, Class::Request, TRANSACTION).finish(Some(&Key::new(PWD)));
    assert_eq!(refusal(&mut agent(), &out), (400, false));
}

#[test]
fn wrong_credentials_are_unauthenticated() {
    for (username, password) in [
        ("ours:them", "wrong"),
        ("other:them", PWD),
        ("ours:other", PWD),
        ("ours", PWD),
        ("them:ours", PWD),
        ("ours:them:more", PWD),
        ("", PWD),
    ] {
        let check = Check {
            username,
            password,
            ..Check::nominating()
        };
        assert_eq!(
            refusal(&mut agent(), &check.bytes()),
            (401, false),
            "{username}"
        );
    }
}

#[test]
fn before_the_peer_is_known_its_ufrag_is_taken_on_trust() {
    let mut agent = Agent::new(UFRAG.to_owned(), PWD);
    let check = Check {
        username: "ours:anyone",
        ..Check::default()
    };
    let now = Instant::now();
    assert_eq!(
        check.sent_to(&mut agent, path(1), now),
        checked(true, Some(path(1)))
    );
    agent.set_remote("them", "pwd");
    assert_eq!(check.sent_to(&mut agent, path(1), now), Outcome::Refused);
    assert_eq!(
        Check::default().sent_to(&mut agent, path(1), now),
        checked(false, None)
    );
}

#[test]
fn unknown_attributes_that_must_be_understood_are_named() {
    let check = Check {
        unknown: Some(0x0077),
        ..Check::default()
    };
    let mut out = Vec::new();
    let outcome = agent().handle(&check.bytes(), path(1), Instant::now(), &mut out);
    assert_eq!(outcome, Outcome::Refused);
    let unknown_attributes = [0x00, 0x0a, 0x00, 0x02, 0x00, 0x77, 0, 0];
    assert!(out.windows(8).any(|window| window == unknown_attributes));
    assert_eq!(refusal(&mut agent(), &check.bytes()), (420, true));

    let optional = Check {
        unknown: Some(0xc057),
        ..Check::default()
    };
    assert_eq!(
        optional.sent_to(&mut agent(), path(1), Instant::now()),
        checked(true, Some(path(1)))
    );
}

#[test]
fn a_peer_that_thinks_itself_controlled_is_told_of_the_conflict() {
    let check = Check {
        controlled: true,
        ..Check::default()
    };
    assert_eq!(refusal(&mut agent(), &check.bytes()), (487, true));
}

#[test]
fn indications_responses_and_noise_get_no_answer_and_prove_nothing() {
    let mut agent = agent();
    let mut messages = vec![Vec::new(), vec![0; 20], b"not at all".to_vec()];
    for class in [Class::Indication, Class::Success, Class::Error] {
        let mut out = Vec::new();
        Builder::new(&mut out, class, TRANSACTION)
            .username("ours:them")
            .xor_mapped(path(9).remote)
            .finish(Some(&Key::new(PWD)));
        messages.push(out);
    }
    let mut bad_fingerprint = Check::default().bytes();
    *bad_fingerprint.last_mut().unwrap() ^= 1;
    messages.push(bad_fingerprint);
    for message in messages {
        let mut out = b"old".to_vec();
        let outcome = agent.handle(&message, path(1), Instant::now(), &mut out);
        assert_eq!((outcome, out.len()), (Outcome::Ignored, 0));
    }
    assert_eq!((agent.selected(), agent.last_heard()), (None, None));
}

#[test]
fn sources_are_bounded_and_the_selected_one_stays() {
    let mut agent = agent();
    let start = Instant::now();
    Check::nominating().sent_to(&mut agent, path(0), start);
    for last in 1..=3 * MAX_SOURCES as u8 {
        let now = start + Duration::from_secs(u64::from(last));
        Check::default().sent_to(&mut agent, path(0), now);
        let Outcome::Checked {
            new_source: true,
            removed,
            selected_changed: None,
            ..
        } = Check::default().sent_to(&mut agent, path(last), now)
        else {
            panic!("{last}")
        };
        let pushed_out = usize::from(last).checked_sub(MAX_SOURCES - 1);
        assert_eq!(
            removed,
            pushed_out
                .filter(|last| *last > 0)
                .map(|last| path(last as u8))
        );
        assert!(agent.sources().count() <= MAX_SOURCES);
    }
    assert!(agent.sources().any(|source| source == path(0)));
    assert_eq!(agent.selected(), Some(path(0)));
}

#[test]
fn a_dual_stack_socket_names_ipv4_addresses_as_ipv4() {
    let mut out = Vec::new();
    let from = Path::udp(0, "[::ffff:192.0.2.7]:4000".parse().unwrap());
    agent().handle(&Check::default().bytes(), from, Instant::now(), &mut out);
    let answer = Message::parse(&out).unwrap();
    assert_eq!(answer.mapped, Some("192.0.2.7:4000".parse().unwrap()));
}

fn at(start: Instant, ms: u64) -> Instant {
    start + Duration::from_millis(ms)
}

#[test]
fn media_on_another_proven_path_leads_there_when_the_selected_one_is_silent() {
    let (mut agent, start) = (agent(), Instant::now());
    Check::nominating().sent_to(&mut agent, path(1), start);
    assert_eq!(agent.hear(path(1), at(start, 5_000)), None);
    Check::default().sent_to(&mut agent, path(2), at(start, 5_100));
    assert_eq!(
        agent.hear(path(2), at(start, 5_200)),
        None,
        "late packets are no silence"
    );
    assert_eq!(agent.hear(path(2), at(start, 5_999)), None);
    assert_eq!(agent.hear(path(2), at(start, 6_000)), Some(path(2)));
    assert_eq!(agent.selected(), Some(path(2)));
    assert_eq!(agent.hear(path(1), at(start, 6_001)), None, "no flapping");
    assert_eq!(
        agent.hear(path(3), at(start, 60_000)),
        None,
        "never without a check"
    );
}

#[test]
fn a_check_leads_to_its_path_only_after_a_long_silence() {
    let (mut agent, start) = (agent(), Instant::now());
    Check::nominating().sent_to(&mut agent, path(1), start);
    for second in 1..30 {
        // Consent checks on the selected path every 6 s, those of a spare path more often.
        if second % 6 == 0 {
            Check::default().sent_to(&mut agent, path(1), at(start, second * 1_000));
        }
        Check::default().sent_to(&mut agent, path(2), at(start, second * 1_000 + 1));
        assert_eq!(agent.selected(), Some(path(1)));
    }
    assert_eq!(
        Check::default().sent_to(&mut agent, path(2), at(start, 31_000)),
        checked(false, Some(path(2)))
    );
}

#[test]
fn a_repeated_nomination_steals_the_media_for_a_second_and_not_again() {
    let (mut agent, start) = (agent(), Instant::now());
    let (peer, thief, new) = (path(1), path(66), path(2));
    Check::nominating().sent_to(&mut agent, peer, start);
    let mut stolen_ms = 0;
    for ms in (20..20_000).step_by(20) {
        let now = at(start, ms);
        agent.hear(peer, now);
        if ms > 500 {
            Check::nominating().sent_to(&mut agent, thief, now);
        }
        stolen_ms += if agent.selected() == Some(thief) {
            20
        } else {
            0
        };
    }
    assert!((900..1_100).contains(&stolen_ms), "{stolen_ms}");
    // The peer moves in earnest all the same: its media proves it.
    let now = at(start, 20_000);
    Check::nominating().sent_to(&mut agent, new, now);
    agent.hear(new, now);
    Check::nominating().sent_to(&mut agent, new, at(start, 20_050));
    assert_eq!(agent.selected(), Some(new));
}

#[test]
fn when_a_path_is_gone_the_one_heard_last_takes_over() {
    let (mut agent, now) = (agent(), Instant::now());
    let stream = Path::tcp(7, ([192, 0, 2, 1], 5000).into());
    Check::default().sent_to(&mut agent, path(1), now);
    Check::default().sent_to(&mut agent, path(2), at(now, 10));
    Check::nominating().sent_to(&mut agent, stream, at(now, 20));
    assert_eq!(agent.forget(path(1), at(now, 30)), None);
    assert_eq!(agent.forget(stream, at(now, 30)), Some(path(2)));
    assert_eq!(agent.forget(path(2), at(now, 30)), None);
    assert_eq!(agent.selected(), None);
    assert_eq!(
        Check::default().sent_to(&mut agent, path(3), at(now, 40)),
        checked(true, Some(path(3)))
    );
}

#[test]
fn connections_are_bounded_apart() {
    let (mut agent, now) = (agent(), Instant::now());
    let stream = |number: u32| Path::tcp(number, ([192, 0, 2, 1], 5000).into());
    Check::nominating().sent_to(&mut agent, path(0), now);
    for number in 0..20 {
        let outcome = Check::default().sent_to(&mut agent, stream(number), at(now, number.into()));
        let Outcome::Checked { removed, .. } = outcome else {
            panic!()
        };
        assert_eq!(removed, number.checked_sub(MAX_STREAMS as u32).map(stream));
    }
    assert_eq!(agent.sources().count(), 1 + MAX_STREAMS);
    let idle: Vec<_> = agent
        .idle_streams(Duration::from_secs(1), at(now, 1_017))
        .collect();
    assert_eq!(idle, [stream(16), stream(17)]);
}
