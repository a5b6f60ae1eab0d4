//! A sent track goes on in one numbering, whatever feeds it.

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig, recv, route};

fn speak(rig: &mut Rig, ssrc: u32, seq: u16, ts: u32) {
    rig.send(CONSUMER, &Packet::audio(109, ssrc, seq, ts));
}

fn routes(rig: &mut Rig, rev: u64, on: bool) {
    rig.route(
        rev,
        &[
            route(("b", "in"), ("k", "out"), true),
            route(("k", "in"), ("b", "out"), on),
        ],
    );
}

#[test]
fn a_new_source_goes_on_one_number_and_one_frame_later() {
    let mut rig = Rig::call();
    speak(&mut rig, 200, 50_000, 1_000_000);
    speak(&mut rig, 200, 50_001, 1_000_960);
    speak(&mut rig, 201, 9, 77);
    speak(&mut rig, 201, 10, 77 + 960);
    let got = rig.peers[BUSINESS].take();
    assert_eq!(
        got.iter()
            .map(|packet| packet.seq - got[0].seq)
            .collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    assert_eq!(
        got.iter()
            .map(|packet| packet.ts.wrapping_sub(got[0].ts))
            .collect::<Vec<_>>(),
        [0, 960, 1_920, 2_880]
    );
    assert!(got.iter().all(|packet| packet.ssrc == 1000));
}

#[test]
fn stragglers_of_the_old_source_are_dropped_while_the_new_one_is_fresh() {
    let mut rig = Rig::call();
    speak(&mut rig, 200, 1, 0);
    speak(&mut rig, 201, 1, 0);
    speak(&mut rig, 200, 2, 960);
    speak(&mut rig, 201, 2, 960);
    assert_eq!(
        rig.peers[BUSINESS]
            .take()
            .iter()
            .map(|packet| packet.payload.clone())
            .collect::<Vec<_>>(),
        [
            b"sound 1".to_vec(),
            b"sound 1".to_vec(),
            b"sound 2".to_vec()
        ]
    );
    rig.advance_ms(600);
    speak(&mut rig, 200, 3, 1_920);
    assert_eq!(
        rig.peers[BUSINESS].take().len(),
        1,
        "later it is the source again"
    );
}

/// Some peers take a new SSRC at every hold.
#[test]
fn a_hundred_sources_one_after_the_other_are_all_heard() {
    let mut rig = Rig::call();
    for ssrc in 200..300 {
        speak(&mut rig, ssrc, 1, 0);
        rig.advance_alive(1, &[BUSINESS, CONSUMER]);
    }
    let got = rig.peers[BUSINESS].take();
    assert_eq!(got.len(), 100);
    assert!(
        got.windows(2)
            .all(|pair| pair[1].seq == pair[0].seq.wrapping_add(1))
    );
    let stats = rig.stats();
    let heard = &stats.iter().find(|leg| leg.leg == "k").unwrap().tracks[0];
    assert_eq!((heard.packets, heard.lost), (100, Some(0)));
    assert_eq!(heard.ssrcs.len(), 64, "the last ones");
}

#[test]
fn an_off_route_is_received_and_goes_no_further() {
    let mut rig = Rig::call();
    speak(&mut rig, 200, 1, 960);
    routes(&mut rig, 2, false);
    for seq in 2..52 {
        speak(&mut rig, 200, seq, u32::from(seq) * 960);
    }
    assert_eq!(rig.peers[BUSINESS].take().len(), 1);
    let stats = rig.stats();
    assert_eq!(
        stats.iter().find(|leg| leg.leg == "k").unwrap().tracks[0].packets,
        51
    );
    routes(&mut rig, 3, true);
    speak(&mut rig, 200, 52, 52 * 960);
    speak(&mut rig, 200, 51 + 2, 53 * 960);
    let got = rig.peers[BUSINESS].take();
    assert_eq!(got.len(), 2);
    assert_eq!(got[1].ts.wrapping_sub(got[0].ts), 960);
}

#[test]
fn after_a_pause_the_numbers_go_on_and_what_was_kept_back_never_comes() {
    let mut rig = Rig::call();
    speak(&mut rig, 200, 10, 0);
    let first = rig.peers[BUSINESS].take().remove(0);
    routes(&mut rig, 2, false);
    speak(&mut rig, 200, 11, 960);
    routes(&mut rig, 3, true);
    speak(&mut rig, 200, 13, 2_880);
    // Sent before the pause ended, and late.
    speak(&mut rig, 200, 12, 1_920);
    let got = rig.peers[BUSINESS].take();
    assert_eq!(got.len(), 1, "its number would have been used twice");
    assert_eq!(
        (got[0].seq, got[0].ts),
        (first.seq + 1, first.ts.wrapping_add(960))
    );
}

#[test]
fn an_unchanged_feed_is_not_interrupted_by_new_tables() {
    let mut rig = Rig::call();
    speak(&mut rig, 200, 10, 0);
    routes(&mut rig, 2, true);
    rig.apply(
        CONSUMER,
        2,
        Rig::consumer_recv(),
        vec![Rig::consumer_send()],
    );
    rig.apply(
        BUSINESS,
        2,
        Rig::business_recv(),
        vec![Rig::business_send(&[(1000, "0")])],
    );
    speak(&mut rig, 200, 12, 1_920);
    let got = rig.peers[BUSINESS].take();
    assert_eq!(got[1].seq - got[0].seq, 2, "the loss of 11 shows through");
}

#[test]
fn of_two_routes_to_one_track_the_first_that_is_on_feeds_it() {
    let mut rig = Rig::call();
    let mut tracks = Rig::consumer_recv();
    tracks.push(recv(
        "second",
        "b",
        &[300],
        &Rig::consumer_codecs(),
        &crate::rig::CONSUMER_EXT,
    ));
    tracks[0].ssrcs = vec![200];
    rig.apply(CONSUMER, 2, tracks, vec![Rig::consumer_send()]);
    let both = [
        route(("k", "in"), ("b", "out"), true),
        route(("k", "second"), ("b", "out"), true),
    ];
    rig.route(2, &both);
    speak(&mut rig, 200, 1, 0);
    speak(&mut rig, 300, 1, 0);
    assert_eq!(rig.peers[BUSINESS].take().len(), 1);
    let second = [
        route(("k", "in"), ("b", "out"), false),
        route(("k", "second"), ("b", "out"), true),
    ];
    rig.route(3, &second);
    speak(&mut rig, 200, 2, 0);
    speak(&mut rig, 300, 2, 0);
    assert_eq!(rig.peers[BUSINESS].take().len(), 1);
}

#[test]
fn a_leg_that_takes_over_goes_on_where_the_other_ended() {
    let mut rig = Rig::call();
    speak(&mut rig, 200, 1, 0);
    let first = rig.peers[BUSINESS].take().remove(0);
    let other = rig.add_peer("other");
    rig.apply(other, 1, Rig::consumer_recv(), vec![Rig::consumer_send()]);
    rig.connect(other);
    rig.command(pagecalls_media::protocol::LegClose { leg: "k".into() })
        .unwrap();
    rig.route(2, &[route(("other", "in"), ("b", "out"), true)]);
    rig.send(other, &Packet::audio(109, 200, 900, 5));
    let got = rig.peers[BUSINESS].take();
    assert_eq!(
        (got[0].seq, got[0].ts),
        (first.seq + 1, first.ts.wrapping_add(960))
    );
}

/// A leap of more than half of all numbers is forward for SRTP in its first round, and too old to be sent on. Behind it lie the old
/// numbers again, now of other packets, and two packets under one number would give the key stream away (RFC 3711 9.1).
#[test]
fn no_number_goes_out_twice() {
    let mut rig = Rig::call();
    for seq in [20, 30, 100, 40_000] {
        speak(&mut rig, 200, seq, 0);
    }
    rig.send(
        CONSUMER,
        &Packet::audio(109, 200, 30, 0).with_payload(b"another"),
    );
    speak(&mut rig, 200, 101, 960);
    let payloads: Vec<_> = rig.peers[BUSINESS]
        .take()
        .into_iter()
        .map(|packet| packet.payload)
        .collect();
    let expected = [20, 30, 100, 101].map(|seq| format!("sound {seq}").into_bytes());
    assert_eq!(payloads, expected);
}
