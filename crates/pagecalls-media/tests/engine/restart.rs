//! An ICE restart: new credentials, while everything else goes on.

use std::net::SocketAddr;

use pagecalls_media::path::Path;
use pagecalls_media::protocol::{Code, LegRestart, Reply};

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig};

/// Asks for new credentials; the peer does not know them yet.
fn restart(rig: &mut Rig, leg: &str) -> (String, String) {
    let Ok(Reply::LegRestartOk(new)) = rig.command(LegRestart { leg: leg.into() }) else {
        panic!("no restart")
    };
    (new.ufrag, new.pwd)
}

/// What a check under the peer's present credentials gets: `None` for no answer.
fn answer(rig: &mut Rig, peer: usize) -> Option<bool> {
    rig.peers[peer].answers.clear();
    rig.check(peer);
    rig.peers[peer].answers.pop()
}

fn learn(rig: &mut Rig, peer: usize, (ufrag, pwd): &(String, String)) {
    rig.peers[peer].offer.ufrag.clone_from(ufrag);
    rig.peers[peer].offer.pwd.clone_from(pwd);
}

fn hears(rig: &mut Rig, seq: u16) -> bool {
    rig.send(
        BUSINESS,
        &Packet::audio(111, 100, seq, 960 * u32::from(seq)),
    );
    rig.send(
        CONSUMER,
        &Packet::audio(109, 200, seq, 960 * u32::from(seq)),
    );
    let heard = rig.peers[CONSUMER].take().len() + rig.peers[BUSINESS].take().len();
    heard == 2
}

#[test]
fn the_old_credentials_hold_until_the_new_ones_are_used() {
    let mut rig = Rig::call();
    let old = (
        rig.peers[BUSINESS].offer.ufrag.clone(),
        rig.peers[BUSINESS].offer.pwd.clone(),
    );
    let new = restart(&mut rig, "b");
    assert_ne!(old.0, new.0);
    assert_ne!(old.1, new.1);
    assert_eq!((new.0.len(), new.1.len()), (8, 24));
    assert_eq!(old.0[..1], new.0[..1], "it leads to the same worker");
    assert_eq!(answer(&mut rig, BUSINESS), Some(true), "with the old ones");
    assert!(hears(&mut rig, 1));
    learn(&mut rig, BUSINESS, &new);
    assert_eq!(answer(&mut rig, BUSINESS), Some(true), "with the new ones");
    assert!(hears(&mut rig, 2));
    learn(&mut rig, BUSINESS, &old);
    assert_eq!(answer(&mut rig, BUSINESS), None, "the old ones are ignored");
    // An old name with the new password is no better.
    learn(&mut rig, BUSINESS, &(old.0, new.1.clone()));
    assert_eq!(answer(&mut rig, BUSINESS), None);
    learn(&mut rig, BUSINESS, &new);
    assert_eq!(answer(&mut rig, BUSINESS), Some(true));
    assert!(hears(&mut rig, 3));
}

#[test]
fn a_wrong_check_with_the_new_name_retires_nothing() {
    let mut rig = Rig::call();
    let old = (
        rig.peers[BUSINESS].offer.ufrag.clone(),
        rig.peers[BUSINESS].offer.pwd.clone(),
    );
    let new = restart(&mut rig, "b");
    learn(
        &mut rig,
        BUSINESS,
        &(new.0.clone(), "not the new password".into()),
    );
    assert_eq!(answer(&mut rig, BUSINESS), Some(false));
    learn(&mut rig, BUSINESS, &old);
    assert_eq!(answer(&mut rig, BUSINESS), Some(true));
}

#[test]
fn of_several_restarts_the_last_counts() {
    let mut rig = Rig::call();
    let old = (
        rig.peers[BUSINESS].offer.ufrag.clone(),
        rig.peers[BUSINESS].offer.pwd.clone(),
    );
    let unused = restart(&mut rig, "b");
    let new = restart(&mut rig, "b");
    learn(&mut rig, BUSINESS, &unused);
    assert_eq!(answer(&mut rig, BUSINESS), None);
    learn(&mut rig, BUSINESS, &old);
    assert_eq!(answer(&mut rig, BUSINESS), Some(true));
    for _ in 0..10 {
        let newer = restart(&mut rig, "b");
        learn(&mut rig, BUSINESS, &newer);
        assert_eq!(answer(&mut rig, BUSINESS), Some(true));
    }
    learn(&mut rig, BUSINESS, &new);
    assert_eq!(answer(&mut rig, BUSINESS), None);
    assert!(hears(&mut rig, 1));
}

#[test]
fn the_peers_new_name_comes_with_the_next_state_and_a_new_address_with_a_check() {
    let mut rig = Rig::call();
    let new = restart(&mut rig, "k");
    let mut state = rig.desired(
        CONSUMER,
        2,
        Rig::consumer_recv(),
        vec![Rig::consumer_send()],
    );
    // The rig's peers keep their name; another one is refused from then on.
    if let Some(remote) = &mut state.remote {
        remote.ufrag = "renamed".into();
    }
    rig.command(state).unwrap();
    assert_eq!(
        answer(&mut rig, CONSUMER),
        Some(true),
        "the old pair of names holds"
    );
    learn(&mut rig, CONSUMER, &new);
    assert_eq!(answer(&mut rig, CONSUMER), Some(false));
    let state = rig.desired(
        CONSUMER,
        3,
        Rig::consumer_recv(),
        vec![Rig::consumer_send()],
    );
    rig.command(state).unwrap();
    rig.peers[CONSUMER].path = Path::udp(0, SocketAddr::from(([203, 0, 113, 5], 6_000)));
    assert_eq!(answer(&mut rig, CONSUMER), Some(true));
    assert!(hears(&mut rig, 1), "DTLS and SRTP go on at the new address");
}

#[test]
fn it_needs_its_leg_and_leaves_nothing_behind() {
    let mut rig = Rig::call();
    let refused = rig.command(LegRestart { leg: "x".into() });
    assert_eq!(refused.unwrap_err().code, Code::UnknownLeg);
    let old = (
        rig.peers[BUSINESS].offer.ufrag.clone(),
        rig.peers[BUSINESS].offer.pwd.clone(),
    );
    let new = restart(&mut rig, "b");
    rig.command(pagecalls_media::protocol::LegClose { leg: "b".into() })
        .unwrap();
    for credentials in [old, new] {
        learn(&mut rig, BUSINESS, &credentials);
        assert_eq!(answer(&mut rig, BUSINESS), None);
    }
}
