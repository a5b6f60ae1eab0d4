//! How a leg comes up, moves, fails and ends.

use std::time::Duration;

use pagecalls_media::dtls::{Certificate, Context, Fingerprint, Role, Session};
use pagecalls_media::path::Path;
use pagecalls_media::protocol::{
    self, CallClose, Code, DtlsState, Event, IceState, LegClose, LegFailed, Why,
};
use pagecalls_media::rtcp;

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig};

fn failure(rig: &mut Rig) -> Option<(String, Why)> {
    rig.take_events().into_iter().find_map(|event| match event {
        Event::LegFailed(LegFailed { leg, why, .. }) => Some((leg, why)),
        _ => None,
    })
}

#[test]
fn coming_up_is_told_step_by_step() {
    let mut rig = Rig::call();
    let steps: Vec<_> = rig
        .take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::LegIce(ice) if ice.leg == "b" => Some(format!("ice {}", ice.remote)),
            Event::LegDtls(dtls) if dtls.leg == "b" => Some(format!("dtls {}", dtls.profile)),
            _ => None,
        })
        .collect();
    assert_eq!(steps, ["ice 198.51.100.1:5000", "dtls AEAD_AES_128_GCM"]);
    let stats = rig.stats().remove(0);
    assert_eq!(
        (stats.ice, stats.dtls, stats.rev),
        (IceState::Connected, DtlsState::Connected, 1)
    );
    assert_eq!(stats.remote.as_deref(), Some("198.51.100.1:5000"));
    assert_eq!(stats.profile.as_deref(), Some("AEAD_AES_128_GCM"));
}

#[test]
fn checks_are_answered_before_the_peer_is_known_and_a_handshake_waits() {
    let mut rig = Rig::call();
    let early = rig.add_peer("early");
    rig.check(early);
    assert_eq!(rig.peers[early].answers, [true]);
    rig.handshake(early);
    assert!(!rig.peers[early].is_up());
    rig.apply(early, 1, vec![], vec![]);
    // The peer sends its first flight again.
    let context = Context::new(&rig.peers[early].certificate).unwrap();
    let ours = Fingerprint::parse("sha-256", &rig.certificate.fingerprint_sha256()).unwrap();
    rig.peers[early].session = Session::new(&context, Role::Active).unwrap();
    rig.peers[early].session.set_expected(&[ours]);
    rig.handshake(early);
    assert!(rig.peers[early].is_up());
}

#[test]
fn as_dtls_client_the_engine_begins_when_the_address_is_known() {
    let mut rig = Rig::call();
    let server = rig.add_peer("server");
    let context = Context::new(&rig.peers[server].certificate).unwrap();
    let ours = Fingerprint::parse("sha-256", &rig.certificate.fingerprint_sha256()).unwrap();
    rig.peers[server].session = Session::new(&context, Role::Passive).unwrap();
    rig.peers[server].session.set_expected(&[ours]);
    let mut desired = rig.desired(server, 1, vec![], vec![]);
    desired.remote = Some(rig.peers[server].remote(protocol::Role::Active));
    rig.command(desired).unwrap();
    assert!(!rig.peers[server].is_up());
    rig.check(server);
    assert!(rig.peers[server].is_up());
}

#[test]
fn another_certificate_than_the_announced_one_ends_the_leg() {
    let mut rig = Rig::call();
    let liar = rig.add_peer("liar");
    rig.apply(liar, 1, vec![], vec![]);
    let other = Certificate::generate().unwrap();
    rig.peers[liar].session = Session::new(&Context::new(&other).unwrap(), Role::Active).unwrap();
    rig.take_events();
    rig.check(liar);
    rig.handshake(liar);
    assert_eq!(failure(&mut rig), Some(("liar".into(), Why::Fingerprint)));
    assert_eq!(rig.stats().len(), 2);
    let check_again = rig.peers[liar].answers.len();
    rig.check(liar);
    assert_eq!(
        rig.peers[liar].answers.len(),
        check_again,
        "the leg is gone, nobody answers"
    );
}

#[test]
fn media_follows_the_newest_nomination() {
    let mut rig = Rig::call();
    let old = rig.peers[CONSUMER].path;
    let new = Path::udp(0, "203.0.113.9:6000".parse().unwrap());
    rig.take_events();
    rig.peers[CONSUMER].path = new;
    rig.check_without_nomination(CONSUMER);
    rig.send(BUSINESS, &Packet::audio(111, 100, 1, 0));
    assert!(
        rig.peers[CONSUMER].take().is_empty(),
        "not before it is nominated"
    );
    rig.send(CONSUMER, &Packet::audio(109, 200, 1, 0));
    assert_eq!(
        rig.peers[BUSINESS].take().len(),
        1,
        "but heard from there at once"
    );
    rig.check(CONSUMER);
    rig.send(BUSINESS, &Packet::audio(111, 100, 2, 0));
    assert_eq!(rig.peers[CONSUMER].take().len(), 1);
    let told: Vec<_> = rig
        .take_events()
        .into_iter()
        .filter(|event| matches!(event, Event::LegIce(ice) if ice.remote == new.remote.to_string()))
        .collect();
    assert_eq!(told.len(), 1);
    rig.peers[CONSUMER].path = old;
    rig.send(CONSUMER, &Packet::audio(109, 200, 2, 0));
    assert_eq!(
        rig.peers[BUSINESS].take().len(),
        1,
        "late packets from the old address still count"
    );
}

#[test]
fn a_peer_that_moves_without_end_is_forgotten_behind_itself() {
    let mut rig = Rig::call();
    let first = rig.peers[CONSUMER].path;
    for port in 0..100 {
        rig.peers[CONSUMER].path = Path::udp(0, ([203, 0, 113, 1], 1_000 + port).into());
        rig.check(CONSUMER);
    }
    rig.send(CONSUMER, &Packet::audio(109, 200, 1, 0));
    assert_eq!(rig.peers[BUSINESS].take().len(), 1);
    let packet = rig.peers[CONSUMER].encrypt(&Packet::audio(109, 200, 2, 0));
    rig.datagram_from(first, &packet);
    assert_eq!(rig.peers[BUSINESS].take().len(), 0);
}

#[test]
fn nobody_unauthenticated_gets_in() {
    let mut rig = Rig::call();
    let stranger = Path::udp(0, "203.0.113.66:1".parse().unwrap());
    let packet = rig.peers[CONSUMER].encrypt(&Packet::audio(109, 200, 1, 0));
    rig.datagram_from(stranger, &packet);
    assert!(
        rig.peers[BUSINESS].take().is_empty(),
        "an address enters by an authentic check only"
    );
    rig.datagram(CONSUMER, &packet);
    rig.datagram(CONSUMER, &packet);
    let report = rig.peers[CONSUMER].encrypt_rtcp(&[0x80, 201, 0, 1, 0, 0, 0, 200]);
    rig.datagram(CONSUMER, &report);
    rig.datagram(CONSUMER, &report);
    assert_eq!(
        rig.peers[BUSINESS].take().len(),
        1,
        "a replayed packet is refused"
    );
    let stats = rig.stats();
    let consumer = stats.iter().find(|leg| leg.leg == "k").unwrap();
    assert_eq!(
        (consumer.auth_failures, consumer.tracks[0].duplicates),
        (0, Some(1)),
        "the network may send twice; that is no attack"
    );
}

#[test]
fn closing_says_goodbye_in_rtcp_and_in_dtls() {
    let mut rig = Rig::call();
    rig.send(CONSUMER, &Packet::audio(109, 200, 1, 0));
    rig.peers[BUSINESS].take();
    rig.command(LegClose { leg: "b".into() }).unwrap();
    let got = rig.peers[BUSINESS].take_rtcp();
    assert_eq!(
        got.last().map(|packet| (packet.0, packet.2.clone())),
        Some((rtcp::packet_type::BYE, 1000u32.to_be_bytes().to_vec()))
    );
    assert!(rig.peers[BUSINESS].is_closed);
    assert!(!rig.peers[CONSUMER].is_closed);
    assert_eq!(
        rig.command(LegClose { leg: "b".into() }).unwrap_err().code,
        Code::UnknownLeg
    );
    rig.command(CallClose { call: "c".into() }).unwrap();
    assert!(rig.peers[CONSUMER].is_closed);
    assert_eq!(
        rig.command(CallClose { call: "c".into() })
            .unwrap_err()
            .code,
        Code::UnknownCall
    );
    assert!(rig.stats().is_empty());
}

#[test]
fn a_failed_leg_leaves_the_other_alone_until_it_is_told() {
    let mut rig = Rig::call();
    for seq in 0..40 {
        rig.advance(Duration::from_secs(1));
        rig.check(BUSINESS);
        rig.send(BUSINESS, &Packet::audio(111, 100, seq, 0));
    }
    let stats = rig.stats();
    assert_eq!(
        stats.iter().map(|leg| leg.leg.as_str()).collect::<Vec<_>>(),
        ["b"]
    );
    assert_eq!(stats[0].dtls, DtlsState::Connected);
}

#[test]
fn a_refused_check_is_counted() {
    let mut rig = Rig::call();
    let pwd = std::mem::replace(&mut rig.peers[CONSUMER].offer.pwd, "wrong".into());
    rig.check(CONSUMER);
    rig.peers[CONSUMER].offer.pwd = pwd;
    assert_eq!(rig.peers[CONSUMER].answers, [true, false]);
    let stats = rig.stats();
    assert_eq!(
        stats
            .iter()
            .find(|leg| leg.leg == "k")
            .unwrap()
            .auth_failures,
        1
    );
}
