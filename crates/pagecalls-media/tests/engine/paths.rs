//! Where a leg's media goes when its peer has several paths, moves, or loses one.

use pagecalls_media::ice::MAX_STREAMS;
use pagecalls_media::path::Path;
use pagecalls_media::protocol::{CallClose, Event, LegClose};
use pagecalls_media::shard::TurnedAway;

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig};

fn elsewhere() -> Path {
    Path::udp(0, "203.0.113.9:6000".parse().unwrap())
}

fn stream(number: u32) -> Path {
    Path::tcp(number, "198.51.100.1:40000".parse().unwrap())
}

/// The addresses of the `leg.ice` events since the last call.
fn moves(rig: &mut Rig) -> Vec<String> {
    let events = rig.take_events().into_iter();
    events
        .filter_map(|event| match event {
            Event::LegIce(ice) if ice.leg == "k" => Some(ice.remote),
            _ => None,
        })
        .collect()
}

/// Both speak for so long, from where the consumer is now; returns how many packets reached each.
fn talk(rig: &mut Rig, seq: &mut u16, ms: u64) -> (usize, usize) {
    for _ in 0..ms / 20 {
        rig.advance_ms(20);
        *seq += 1;
        let ts = u32::from(*seq) * 960;
        rig.send(BUSINESS, &Packet::audio(111, 100, *seq, ts));
        rig.send(CONSUMER, &Packet::audio(109, 200, *seq, ts));
    }
    (
        rig.peers[BUSINESS].take().len(),
        rig.peers[CONSUMER].take().len(),
    )
}

#[test]
fn a_rebound_nat_is_followed_without_a_nomination() {
    let (mut rig, mut seq) = (Rig::call(), 0);
    assert_eq!(talk(&mut rig, &mut seq, 1_000), (50, 50));
    rig.take_events();
    rig.peers[CONSUMER].path = elsewhere();
    assert_eq!(
        talk(&mut rig, &mut seq, 3_000),
        (0, 0),
        "nothing proves the new address yet"
    );
    rig.check_without_nomination(CONSUMER);
    assert_eq!(
        talk(&mut rig, &mut seq, 1_000),
        (50, 49),
        "the old path has been silent: media leads at once"
    );
    assert_eq!(moves(&mut rig), ["203.0.113.9:6000"]);
}

#[test]
fn rtcp_leads_a_peer_that_only_listens() {
    let mut rig = Rig::call();
    rig.advance_ms(2_000);
    rig.take_events();
    rig.peers[CONSUMER].path = elsewhere();
    rig.check_without_nomination(CONSUMER);
    rig.send(BUSINESS, &Packet::audio(111, 100, 1, 0));
    assert!(rig.peers[CONSUMER].take().is_empty());
    // An empty receiver report.
    rig.send_rtcp(CONSUMER, &[0x80, 201, 0, 1, 0, 0, 0, 9]);
    rig.send(BUSINESS, &Packet::audio(111, 100, 2, 960));
    assert_eq!(rig.peers[CONSUMER].take().len(), 1);
    assert_eq!(moves(&mut rig), ["203.0.113.9:6000"]);
}

#[test]
fn a_silent_peer_is_followed_by_its_checks() {
    let mut rig = Rig::call();
    rig.take_events();
    rig.peers[CONSUMER].path = elsewhere();
    for _ in 0..7 {
        rig.check_without_nomination(CONSUMER);
        assert_eq!(moves(&mut rig), [""; 0]);
        rig.advance_ms(1_000);
    }
    rig.check_without_nomination(CONSUMER);
    assert_eq!(moves(&mut rig), ["203.0.113.9:6000"]);
}

#[test]
fn a_captured_check_moves_media_for_a_second_once() {
    let (mut rig, mut seq) = (Rig::call(), 0);
    talk(&mut rig, &mut seq, 1_000);
    rig.take_events();
    let captured = rig.peers[CONSUMER].check(true);
    let mut reached = 0;
    for _ in 0..50 {
        rig.datagram_from(elsewhere(), &captured);
        reached += talk(&mut rig, &mut seq, 200).1;
    }
    assert!(
        (440..=455).contains(&reached),
        "{reached} of 500 reached the peer"
    );
    assert_eq!(moves(&mut rig), ["203.0.113.9:6000", "198.51.100.1:5001"]);
}

#[test]
fn a_closed_connection_leaves_the_media_to_the_path_heard_before() {
    let (mut rig, mut seq) = (Rig::call(), 0);
    let udp = rig.peers[CONSUMER].path;
    rig.take_events();
    rig.peers[CONSUMER].path = stream(7);
    rig.check(CONSUMER);
    assert_eq!(talk(&mut rig, &mut seq, 100), (5, 5));
    rig.lose(stream(7));
    assert_eq!(
        talk(&mut rig, &mut seq, 100),
        (0, 0),
        "its path proves nothing any more"
    );
    rig.peers[CONSUMER].path = udp;
    assert_eq!(talk(&mut rig, &mut seq, 100), (5, 5));
    rig.advance_ms(2_000);
    assert_eq!(moves(&mut rig), ["198.51.100.1:40000", "198.51.100.1:5001"]);
    assert!(rig.unused.is_empty(), "it is closed already");
}

#[test]
fn without_another_path_media_waits_for_the_next_check() {
    let (mut rig, mut seq) = (Rig::call(), 0);
    let udp = rig.peers[CONSUMER].path;
    rig.peers[CONSUMER].path = stream(7);
    rig.check(CONSUMER);
    rig.lose(udp);
    rig.lose(stream(7));
    rig.take_events();
    assert_eq!(talk(&mut rig, &mut seq, 100), (0, 0));
    rig.peers[CONSUMER].path = stream(8);
    rig.check_without_nomination(CONSUMER);
    assert_eq!(talk(&mut rig, &mut seq, 100), (5, 5));
    rig.advance_ms(2_000);
    assert_eq!(moves(&mut rig).len(), 1);
}

#[test]
fn connections_end_with_their_leg_and_when_nobody_uses_them() {
    let mut rig = Rig::call();
    let udp = rig.peers[CONSUMER].path;
    for number in 0..=MAX_STREAMS as u32 {
        rig.peers[CONSUMER].path = stream(number);
        rig.check_without_nomination(CONSUMER);
        rig.advance_ms(10);
    }
    assert_eq!(rig.cut, [0], "one too many");
    // The leg lives on UDP; the second connection is the only other one with a sign of life.
    for second in 0..31 {
        rig.peers[CONSUMER].path = udp;
        rig.check(CONSUMER);
        rig.check(BUSINESS);
        if second == 10 {
            rig.peers[CONSUMER].path = stream(2);
            rig.check_without_nomination(CONSUMER);
        }
        rig.advance_ms(1_000);
    }
    rig.cut.sort_unstable();
    assert_eq!(rig.cut, [0, 1, 3, 4]);
    assert!(rig.unused.is_empty(), "nobody is told goodbye there");
    rig.command(CallClose { call: "c".into() }).unwrap();
    assert_eq!((rig.unused, rig.cut.len()), (vec![2], 4));
}

/// A further leg that is told of its peer, which has sent nothing yet.
fn one_more(rig: &mut Rig) -> usize {
    let other = rig.add_peer("other");
    rig.apply(other, 1, vec![], vec![]);
    other
}

#[test]
fn a_path_stays_with_the_leg_that_hears_its_peer_there() {
    let (mut rig, mut seq) = (Rig::call(), 0);
    let other = one_more(&mut rig);
    let theirs = rig.peers[other].check(true);
    let path = rig.peers[CONSUMER].path;
    for _ in 0..5 {
        assert_eq!(rig.answers_to(path, &theirs), 0);
        assert_eq!(talk(&mut rig, &mut seq, 1_000), (50, 50));
    }
    let expected = TurnedAway {
        on_others_paths: 5,
        ..TurnedAway::default()
    };
    assert_eq!(rig.shard.turned_away(), expected);
    assert_eq!(rig.stats()[CONSUMER].auth_failures, 0);
    // Its own check there is still one.
    rig.check(CONSUMER);
    assert_eq!(rig.peers[CONSUMER].answers, [true, true]);
}

#[test]
fn a_silent_path_changes_hands_and_comes_back_with_a_check() {
    let (mut rig, mut seq) = (Rig::call(), 0);
    let other = one_more(&mut rig);
    let theirs = rig.peers[other].check(true);
    let path = rig.peers[CONSUMER].path;
    rig.advance_alive(7, &[BUSINESS]);
    assert_eq!(rig.answers_to(path, &theirs), 1);
    assert_eq!(
        talk(&mut rig, &mut seq, 100),
        (0, 0),
        "the path is another leg's now"
    );
    rig.advance_alive(7, &[BUSINESS]);
    rig.check(CONSUMER);
    assert_eq!(talk(&mut rig, &mut seq, 100), (5, 5));
    // What became of the other leg does not matter to it.
    rig.command(LegClose {
        leg: "other".into(),
    })
    .unwrap();
    assert_eq!(talk(&mut rig, &mut seq, 100), (5, 5));
}

/// A client that keeps its port may call again as soon as it has hung up.
#[test]
fn who_has_said_goodbye_leaves_its_path_to_its_next_call() {
    let mut rig = Rig::call();
    let other = one_more(&mut rig);
    let theirs = rig.peers[other].check(true);
    let path = rig.peers[CONSUMER].path;
    rig.peers[CONSUMER].session.close();
    rig.pump(CONSUMER);
    assert_eq!(rig.answers_to(path, &theirs), 1);
}

#[test]
fn a_connection_that_changed_hands_stays_open_when_its_first_leg_ends() {
    let mut rig = Rig::call();
    rig.peers[CONSUMER].path = stream(7);
    rig.check(CONSUMER);
    let other = one_more(&mut rig);
    let theirs = rig.peers[other].check(true);
    rig.advance_alive(7, &[BUSINESS]);
    rig.datagram_from(stream(7), &theirs);
    rig.command(LegClose { leg: "k".into() }).unwrap();
    assert!(rig.unused.is_empty() && rig.shard.knows(stream(7)));
    rig.command(LegClose {
        leg: "other".into(),
    })
    .unwrap();
    assert_eq!(rig.unused, [7]);
}

#[test]
fn of_many_moves_the_first_is_told_at_once_and_the_last_within_two_seconds() {
    let mut rig = Rig::call();
    rig.advance_ms(3_000);
    rig.take_events();
    let (check, home) = (rig.peers[CONSUMER].check(true), rig.peers[CONSUMER].path);
    let changes = rig.stats()[CONSUMER].path_changes;
    rig.datagram_from(elsewhere(), &check);
    assert_eq!(moves(&mut rig), ["203.0.113.9:6000"]);
    let mut told = Vec::new();
    for _ in 0..500 {
        rig.advance_ms(5);
        rig.datagram_from(home, &check);
        rig.advance_ms(5);
        rig.datagram_from(elsewhere(), &check);
        told.extend(moves(&mut rig));
    }
    assert!((3..=5).contains(&told.len()), "{told:?}");
    assert_eq!(rig.stats()[CONSUMER].path_changes, changes + 1_001);
    rig.datagram_from(home, &check);
    rig.advance_ms(2_000);
    told.extend(moves(&mut rig));
    assert_eq!(told.last().map(String::as_str), Some("198.51.100.1:5001"));
    // What is known already is not told again.
    rig.advance_ms(3_000);
    assert_eq!(moves(&mut rig), [""; 0]);
}
