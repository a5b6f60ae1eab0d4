//! The engine asks for key frames by itself when somebody begins to see a stream, and not more often than it must.

use pagecalls_media::protocol::{Output, SendTrack};
use pagecalls_media::rtcp::{Writer, packet_type, word};
use pagecalls_media::srtp::Profile;

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig, route};
use crate::video_rig::{FULL, PLAIN, Side, call, picture, routes, tracks, unrouted};

const PLI: (u8, u8) = (206, 1);
const FIR: (u8, u8) = (206, 4);

/// The requests for pictures that came to a peer since the last call: kind, and source.
fn asked(rig: &mut Rig, peer: usize) -> Vec<((u8, u8), u32)> {
    let packets = rig.peers[peer].take_rtcp().into_iter();
    packets
        .filter_map(|(kind, count, body)| match (kind, count) {
            PLI => Some((PLI, word(&body, 4)?)),
            FIR => Some((FIR, word(&body, 8)?)),
            _ => None,
        })
        .collect()
}

fn film(rig: &mut Rig, seq: u16) {
    rig.send(BUSINESS, &picture(BUSINESS, 500, seq));
}

#[test]
fn a_new_output_needs_a_key_frame_once() {
    let mut rig = call(FULL, FULL);
    for seq in 0..30 {
        film(&mut rig, seq);
        rig.advance_ms(33);
    }
    assert_eq!(asked(&mut rig, BUSINESS), [(PLI, 500)]);
    assert_eq!(asked(&mut rig, CONSUMER), []);
    // Sound needs none.
    rig.send(CONSUMER, &Packet::audio(109, 200, 1, 0));
    assert_eq!(asked(&mut rig, CONSUMER), []);
    let stats = rig.stats();
    let camera = &stats.iter().find(|leg| leg.leg == "b").unwrap().tracks[1];
    assert_eq!(
        (camera.plis, camera.firs, camera.nacks),
        (Some(1), Some(0), Some(0))
    );
    // Another output of the same track.
    let (received, mut sent) = tracks(CONSUMER, FULL);
    sent[1].outputs.push(Output {
        ssrc: 6010,
        mid: "c".into(),
        rtx_ssrc: None,
    });
    rig.apply(CONSUMER, 3, received, sent);
    film(&mut rig, 30);
    assert_eq!(asked(&mut rig, BUSINESS), [(PLI, 500)]);
}

#[test]
fn a_route_that_turns_on_asks_at_once() {
    let mut rig = call(FULL, FULL);
    rig.route(2, &routes(false));
    for seq in 0..30 {
        film(&mut rig, seq);
        rig.advance_ms(33);
    }
    assert_eq!(asked(&mut rig, BUSINESS), [], "nobody sees it");
    rig.route(3, &routes(true));
    assert_eq!(asked(&mut rig, BUSINESS), [(PLI, 500)]);
    rig.advance_ms(33);
    film(&mut rig, 30);
    rig.advance_ms(600);
    film(&mut rig, 31);
    assert_eq!(
        asked(&mut rig, BUSINESS),
        [],
        "the first packet comes right behind"
    );
}

#[test]
fn another_source_is_asked_anew_and_none_twice_in_half_a_second() {
    let mut rig = call(FULL, FULL);
    film(&mut rig, 0);
    film(&mut rig, 1);
    rig.advance_ms(200);
    assert_eq!(asked(&mut rig, BUSINESS), [(PLI, 500)]);
    for round in 0..4u16 {
        for ssrc in [510, 500] {
            let packet = picture(BUSINESS, ssrc, 10 + round).with_extension(4, b"1");
            rig.advance_ms(600);
            rig.send(BUSINESS, &packet);
            let next = picture(BUSINESS, ssrc, 20 + round);
            rig.send(BUSINESS, &next);
            assert_eq!(asked(&mut rig, BUSINESS), [(PLI, ssrc)]);
        }
    }
    rig.route(2, &routes(false));
    rig.route(3, &routes(true));
    let mut times = Vec::new();
    for step in 0..100u16 {
        rig.advance_ms(10);
        film(&mut rig, 100 + step);
        rig.route(4 + 2 * u64::from(step), &routes(false));
        rig.route(5 + 2 * u64::from(step), &routes(true));
        times.extend(asked(&mut rig, BUSINESS).iter().map(|_| 10 * step));
    }
    assert!(!times.is_empty() && times.len() <= 2, "{times:?}");
}

#[test]
fn a_source_from_which_nothing_comes_is_asked_again() {
    let mut rig = call(FULL, FULL);
    film(&mut rig, 0);
    rig.advance_ms(3_000);
    assert_eq!(
        asked(&mut rig, BUSINESS).len(),
        7,
        "at once and every half second"
    );
    film(&mut rig, 1);
    rig.advance_ms(3_000);
    assert_eq!(asked(&mut rig, BUSINESS), []);
}

#[test]
fn what_was_agreed_on_is_how_it_is_asked() {
    let only = |fb: &'static [&'static str]| Side { fb, ..PLAIN };
    for (side, expected) in [
        (only(&["ccm fir"]), vec![(FIR, 500)]),
        (only(&["nack", "ccm fir", "nack pli"]), vec![(PLI, 500)]),
        (only(&["nack", "goog-remb"]), vec![]),
    ] {
        let mut rig = call(side, FULL);
        film(&mut rig, 0);
        film(&mut rig, 1);
        rig.advance_ms(400);
        assert_eq!(asked(&mut rig, BUSINESS), expected);
        rig.advance_ms(5_000);
    }
}

fn request(kind: (u8, u8), body: &[&[u8]]) -> Vec<u8> {
    let mut buffer = vec![0; 100];
    let mut writer = Writer::new(&mut buffer);
    writer.receiver_report(9, std::iter::empty());
    writer.packet(kind.0, kind.1, body);
    let len = writer.len();
    buffer.truncate(len);
    buffer
}

#[test]
fn a_receivers_requests_are_passed_on_in_the_senders_terms() {
    let pli = request(PLI, &[&[0, 0, 0, 9], &6000u32.to_be_bytes()]);
    let fir = |number| {
        let entry = [&6000u32.to_be_bytes()[..], &[number, 0, 0, 0]].concat();
        request(FIR, &[&[0, 0, 0, 9], &[0; 4], &entry])
    };
    for (fb, received, expected) in [
        (&["nack pli"][..], &pli, PLI),
        (&["nack pli"], &fir(1), PLI),
        (&["ccm fir"], &pli, FIR),
        (&["ccm fir"], &fir(1), FIR),
        (&["nack pli", "ccm fir"], &fir(1), FIR),
        (&["nack pli", "ccm fir"], &pli, PLI),
        (&[], &pli, PLI),
    ] {
        let mut rig = call(Side { fb, ..PLAIN }, FULL);
        film(&mut rig, 0);
        rig.advance_ms(600);
        film(&mut rig, 1);
        asked(&mut rig, BUSINESS);
        rig.send_rtcp(CONSUMER, received);
        assert_eq!(asked(&mut rig, BUSINESS), [(expected, 500)], "{fb:?}");
    }
}

/// Chromium passes over a request that comes within 300 ms of another, and some receivers ask only once.
#[test]
fn a_request_that_may_have_been_passed_over_is_made_again() {
    let pli = request(PLI, &[&[0, 0, 0, 9], &6000u32.to_be_bytes()]);
    let mut rig = call(FULL, FULL);
    film(&mut rig, 0);
    film(&mut rig, 1);
    assert_eq!(asked(&mut rig, BUSINESS), [(PLI, 500)], "of our own");
    let mut seq = 2;
    let mut later = |rig: &mut Rig, ms: u64| -> Vec<u64> {
        let mut times = Vec::new();
        for step in 1..=ms / 20 {
            rig.advance_ms(20);
            film(rig, seq);
            seq += 1;
            times.extend(asked(rig, BUSINESS).iter().map(|_| 20 * step));
        }
        times
    };
    assert!(later(&mut rig, 200).is_empty());
    rig.send_rtcp(CONSUMER, &pli);
    assert_eq!(asked(&mut rig, BUSINESS), [(PLI, 500)]);
    assert_eq!(later(&mut rig, 2_000), [500], "once, half a second later");
    rig.send_rtcp(CONSUMER, &pli);
    assert_eq!(asked(&mut rig, BUSINESS), [(PLI, 500)]);
    assert!(
        later(&mut rig, 2_000).is_empty(),
        "nothing stood in its way"
    );
}

#[test]
fn requests_of_both_kinds_of_asker_are_numbered_as_one() {
    let only_fir = Side {
        fb: &["ccm fir"],
        ..PLAIN
    };
    let mut rig = call(only_fir, FULL);
    let number = |rig: &mut Rig| {
        let packets = rig.peers[BUSINESS].take_rtcp().into_iter();
        let firs = packets.filter(|(kind, count, _)| (*kind, *count) == FIR);
        firs.map(|(_, _, body)| body[12]).collect::<Vec<_>>()
    };
    film(&mut rig, 0);
    film(&mut rig, 1);
    assert_eq!(number(&mut rig), [0], "of our own");
    let entry = |number| [&6000u32.to_be_bytes()[..], &[number, 0, 0, 0]].concat();
    for (theirs, expected) in [(0, 1), (0, 1), (1, 2)] {
        let fir = request(FIR, &[&[0, 0, 0, 9], &[0; 4], &entry(theirs)]);
        rig.send_rtcp(CONSUMER, &fir);
        assert_eq!(number(&mut rig), [expected]);
    }
    rig.advance_ms(600);
    rig.route(2, &routes(false));
    rig.route(3, &routes(true));
    assert_eq!(number(&mut rig), [3]);
}

/// messenger-calling 6.6, rule 7: on start, and on the first sign that it is received.
#[test]
fn the_first_sign_of_a_receiver_asks_too() {
    let mut rig = call(FULL, FULL);
    film(&mut rig, 0);
    film(&mut rig, 1);
    rig.advance_ms(600);
    let first = rig.peers[CONSUMER].take()[0].seq;
    asked(&mut rig, BUSINESS);
    let nack = request(
        (packet_type::RTPFB, 1),
        &[
            &[0, 0, 0, 9],
            &6000u32.to_be_bytes(),
            &first.to_be_bytes(),
            &[0, 0],
        ],
    );
    for expected in [vec![(PLI, 500)], vec![]] {
        rig.send_rtcp(CONSUMER, &nack);
        assert_eq!(asked(&mut rig, BUSINESS), expected);
        film(&mut rig, 2 + expected.len() as u16);
        rig.advance_ms(600);
    }
}

/// The consumer picks up: the business has sent its camera for a while already.
#[test]
fn who_comes_up_late_gets_a_key_frame() {
    let mut rig = unrouted(&Profile::OFFER_ORDER, FULL, FULL);
    let late = rig.add_peer("late");
    let sent: Vec<SendTrack> = vec![FULL.send(CONSUMER, "cam", 7000, "b")];
    rig.apply(late, 1, vec![], sent);
    rig.route(1, &[route(("b", "cam"), ("late", "cam"), true)]);
    for seq in 0..10 {
        film(&mut rig, seq);
        rig.advance_ms(33);
    }
    assert_eq!(asked(&mut rig, BUSINESS), []);
    rig.connect(late);
    film(&mut rig, 10);
    assert_eq!(asked(&mut rig, BUSINESS), [(PLI, 500)]);
    film(&mut rig, 11);
    assert_eq!(rig.peers[late].take().len(), 2);
}
