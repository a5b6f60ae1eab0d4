//! Who is not known costs little, and a storm of handshakes does not hold up media.

use pagecalls_media::path::Path;
use pagecalls_media::protocol::LegClose;
use pagecalls_media::shard::TurnedAway;

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig};

fn from(last: u16) -> Path {
    let [high, low] = last.to_be_bytes();
    Path::udp(0, ([10, 9, high, low], 7_000).into())
}

/// A check for the peer's leg with another password.
fn false_check(rig: &mut Rig, peer: usize) -> Vec<u8> {
    let pwd = std::mem::replace(&mut rig.peers[peer].offer.pwd, "guessed".into());
    let check = rig.peers[peer].check(true);
    rig.peers[peer].offer.pwd = pwd;
    check
}

#[test]
fn what_names_no_leg_is_counted_and_not_answered() {
    let mut rig = Rig::call();
    let mut stranger = false_check(&mut rig, CONSUMER);
    // USERNAME is the first attribute; its first character names another leg.
    stranger[24] ^= 1;
    let packet = rig.peers[CONSUMER].encrypt(&Packet::audio(109, 200, 1, 0));
    for bytes in [&stranger[..], &packet, &[22, 254, 253, 0], &[64, 1], &[]] {
        let answers = rig.answers_to(from(1), bytes);
        assert_eq!(answers, 0);
    }
    let strangers = 5;
    assert_eq!(
        rig.shard.turned_away(),
        TurnedAway {
            strangers,
            ..TurnedAway::default()
        }
    );
}

#[test]
fn false_checks_are_bounded_and_good_peers_pass() {
    let mut rig = Rig::call();
    let late = rig.add_peer("late");
    let check = false_check(&mut rig, late);
    let mut answers = 0;
    for _ in 0..1_000 {
        answers += rig.answers_to(from(1), &check);
    }
    assert_eq!(answers, 50 + 10, "one source");
    for last in 2..1_000 {
        answers += rig.answers_to(from(last), &check);
    }
    assert_eq!(answers, 200 + 10, "one leg");
    assert_eq!(rig.shard.turned_away().limited, 1_998 - 210);
    // The others do not notice: known peers, and new ones of other legs.
    rig.check(CONSUMER);
    assert_eq!(rig.peers[CONSUMER].answers, [true, true]);
    let next = rig.add_peer("next");
    rig.check(next);
    assert_eq!(rig.peers[next].answers, [true]);
    // And the leg itself is open again a moment later.
    rig.advance_ms(50);
    rig.check(late);
    assert_eq!(rig.peers[late].answers, [true]);
}

#[test]
fn media_goes_before_handshakes() {
    let mut rig = Rig::call();
    let names = ["one", "two", "three"];
    let late = names.map(|name| rig.add_peer(name));
    for peer in late {
        rig.apply(peer, 1, vec![], vec![]);
        rig.check(peer);
    }
    rig.shard.defer_handshakes();
    for peer in late {
        rig.handshake(peer);
    }
    rig.send(BUSINESS, &Packet::audio(111, 100, 1, 0));
    assert_eq!(rig.peers[CONSUMER].take().len(), 1, "media does not wait");
    let (mut turns, mut seq) = (0, 1);
    while rig.handshakes() {
        (turns, seq) = (turns + 1, seq + 1);
        rig.send(BUSINESS, &Packet::audio(111, 100, seq, 0));
        assert_eq!(rig.peers[CONSUMER].take().len(), 1);
    }
    assert!(
        turns >= 2 * late.len() - 1,
        "a step in each turn, not all at once: {turns}"
    );
    assert!(late.iter().all(|peer| rig.peers[*peer].is_up()));
    // A goodbye is no handshake.
    rig.peers[CONSUMER].session.close();
    rig.pump(CONSUMER);
    assert!(!rig.handshakes());
    assert_eq!(rig.shard.turned_away(), TurnedAway::default());
}

#[test]
fn handshakes_that_wait_are_bounded_and_end_with_their_leg() {
    let mut rig = Rig::call();
    let late = rig.add_peer("late");
    rig.apply(late, 1, vec![], vec![]);
    rig.check(late);
    rig.shard.defer_handshakes();
    let path = rig.peers[late].path;
    for _ in 0..10 {
        rig.datagram_from(path, &[22, 254, 253, 0, 0]);
    }
    assert_eq!(rig.shard.turned_away().handshakes, 2);
    rig.command(LegClose { leg: "late".into() }).unwrap();
    while rig.handshakes() {}
    rig.send(BUSINESS, &Packet::audio(111, 100, 1, 0));
    assert_eq!(rig.peers[CONSUMER].take().len(), 1);
}
