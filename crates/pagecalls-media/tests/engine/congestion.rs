//! Transport-wide feedback hop by hop: what a sender hears of its packets, whoever gets them.

use std::collections::BTreeMap;

use pagecalls_media::protocol::Route;
use pagecalls_media::rtcp::{Packet as Rtcp, Writer, packets};
use pagecalls_media::srtp::Profile;
use pagecalls_media::twcc::feedback::{Builder, Feedback};

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig, route};
use crate::video_rig::{
    FULL, PLAIN, Side, call, filler, number_of, numbered, picture, repeat, routes, tracks, unrouted,
};

/// What a peer was told of its numbers since the last call, newest word last; and the counts of the packets.
fn told(rig: &mut Rig, peer: usize) -> (Vec<(u16, Option<u32>)>, Vec<u8>) {
    let (mut statuses, mut counts) = (Vec::new(), Vec::new());
    for compound in std::mem::take(&mut rig.peers[peer].rtcp) {
        let is_feedback = |packet: &Rtcp<'_>| (packet.kind, packet.count) == (205, 15);
        for packet in packets(&compound).filter(is_feedback) {
            assert_eq!(
                packet.body[4..8],
                500u32.to_be_bytes(),
                "it names their stream"
            );
            let feedback = Feedback::parse(packet.body).unwrap();
            counts.push(feedback.number);
            statuses.extend(feedback.statuses());
        }
    }
    (statuses, counts)
}

/// Feedback of a receiver about consecutive numbers.
fn feedback(base: u16, arrivals: &[Option<u32>]) -> Vec<u8> {
    let mut buffer = vec![0; 1_200];
    let mut writer = Writer::new(&mut buffer);
    writer.receiver_report(9, std::iter::empty());
    let mut builder = Builder::new(base);
    assert!(arrivals.iter().all(|arrival| builder.push(*arrival)));
    builder.write(9, 6000, 0, 0, &mut writer);
    let len = writer.len();
    buffer.truncate(len);
    buffer
}

fn film(rig: &mut Rig, seq: u16, number: u16) {
    rig.send(
        BUSINESS,
        &numbered(picture(BUSINESS, 500, seq), BUSINESS, number),
    );
}

#[test]
fn packets_are_numbered_anew_without_gaps_over_all_streams() {
    let mut rig = call(FULL, FULL);
    for step in 0..6u16 {
        film(&mut rig, step, 60_000u16.wrapping_add(5_000 * step));
        rig.send(BUSINESS, &Packet::audio(111, 100, step, 0));
    }
    let lost = picture(BUSINESS, 500, 3);
    rig.send(
        BUSINESS,
        &numbered(repeat(BUSINESS, 501, 1, &lost), BUSINESS, 9),
    );
    rig.send(
        BUSINESS,
        &numbered(filler(BUSINESS, 501, 2, 6_000), BUSINESS, 10),
    );
    // A sender that numbers nothing is numbered for this receiver all the same.
    rig.send(BUSINESS, &picture(BUSINESS, 500, 6));
    let got = rig.peers[CONSUMER].take();
    let numbers: Vec<_> = got
        .iter()
        .filter_map(|packet| number_of(packet, CONSUMER))
        .collect();
    assert_eq!(numbers, (1..=9).collect::<Vec<_>>());
    let sound = got.iter().filter(|packet| packet.ssrc == 2000);
    assert_eq!(
        sound
            .map(|packet| number_of(packet, CONSUMER))
            .collect::<Vec<_>>(),
        [None; 6]
    );
}

#[test]
fn a_receivers_word_comes_back_under_the_senders_numbers() {
    let mut rig = call(FULL, FULL);
    for step in 0..6u16 {
        rig.advance_ms(10);
        film(&mut rig, step, 65_533u16.wrapping_add(step));
    }
    // Two come a little late, one not at all; on a clock of the receiver's own.
    let arrivals = [1_000_000, 1_000_040, 1_000_081, 0, 1_000_164, 1_000_200];
    let arrivals = arrivals.map(|time| Some(time).filter(|time| *time > 0));
    rig.send_rtcp(CONSUMER, &feedback(1, &arrivals));
    let (statuses, counts) = told(&mut rig, BUSINESS);
    let numbers: Vec<_> = statuses.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [65_533, 65_534, 65_535, 0, 1, 2]);
    let times: Vec<_> = statuses.iter().map(|(_, time)| *time).collect();
    let first = times[0].unwrap();
    let expected = arrivals.map(|time| time.map(|time| time - 1_000_000 + first));
    assert_eq!((times, counts), (expected.to_vec(), vec![0]));
    // The same again says nothing new.
    rig.send_rtcp(CONSUMER, &feedback(1, &arrivals));
    assert_eq!(told(&mut rig, BUSINESS), (vec![], vec![]));
    // What seemed lost was late.
    rig.send_rtcp(CONSUMER, &feedback(4, &[Some(1_000_300)]));
    let (statuses, counts) = told(&mut rig, BUSINESS);
    assert_eq!((statuses[0].0, counts), (0, vec![1]));
    assert_eq!(statuses[0].1, Some(300 + first));
}

/// Feedback is for those who number: other tracks and other senders are not told.
#[test]
fn nothing_of_it_crosses_as_it_came() {
    let mut rig = call(PLAIN, FULL);
    rig.send(BUSINESS, &picture(BUSINESS, 500, 1));
    rig.peers[BUSINESS].take_rtcp();
    rig.send_rtcp(CONSUMER, &feedback(1, &[Some(5)]));
    assert_eq!(rig.peers[BUSINESS].take_rtcp(), []);
}

/// A film of so many milliseconds, a packet in 10 ms, from this number on; what the sender is told meanwhile, and when.
fn told_while_filming(rig: &mut Rig, first: u16, ms: u64) -> Vec<(u64, u16, bool)> {
    let mut all = Vec::new();
    for step in 0..(ms / 10) as u16 {
        film(rig, first.wrapping_add(step), first.wrapping_add(step));
        rig.advance_ms(10);
        let (statuses, _) = told(rig, BUSINESS);
        let at = 10 * u64::from(step);
        all.extend(
            statuses
                .iter()
                .map(|(number, time)| (at, *number, time.is_some())),
        );
    }
    all
}

fn assert_all_arrived(told: &[(u64, u16, bool)], first: u16, count: u16) {
    let numbers: Vec<u16> = told.iter().map(|(_, number, _)| *number).collect();
    let expected: Vec<u16> = (0..count).map(|step| first.wrapping_add(step)).collect();
    assert_eq!(numbers, expected);
    assert!(told.iter().all(|(_, _, arrived)| *arrived));
}

/// While the consumer rings, or the camera is switched off for it, the sender keeps its rate.
#[test]
fn the_engine_answers_where_nobody_forwards() {
    for table in [vec![], routes(false)] {
        let mut rig = unrouted(&Profile::OFFER_ORDER, FULL, FULL);
        let table: Vec<Route> = table;
        rig.route(1, &table);
        let told = told_while_filming(&mut rig, 65_500, 1_000);
        assert_all_arrived(&told[..90], 65_500, 90);
        let mut times: Vec<u64> = told.iter().map(|(at, _, _)| *at).collect();
        times.dedup();
        assert!(
            times.len() >= 9 && times.windows(2).all(|pair| pair[1] - pair[0] <= 110),
            "{times:?}"
        );
    }
}

#[test]
fn the_engine_answers_towards_a_far_side_that_does_not_number() {
    let mut rig = call(FULL, PLAIN);
    let told = told_while_filming(&mut rig, 7, 500);
    assert_all_arrived(&told[..40], 7, 40);
    assert_eq!(rig.peers[CONSUMER].take().len(), 50);
}

#[test]
fn a_far_side_that_says_nothing_for_a_second_is_not_waited_for() {
    let mut rig = call(FULL, FULL);
    let told = told_while_filming(&mut rig, 7, 3_000);
    assert!((990..=1_110).contains(&told[0].0), "{:?}", told[0]);
    assert_all_arrived(&told[..250], 7, 250);
}

#[test]
fn lost_before_the_engine_is_lost() {
    let mut rig = call(FULL, PLAIN);
    for number in [1, 2, 5, 6] {
        film(&mut rig, number, number);
    }
    rig.advance_ms(110);
    let (statuses, _) = told(&mut rig, BUSINESS);
    let arrived: BTreeMap<u16, bool> = statuses
        .iter()
        .map(|(number, time)| (*number, time.is_some()))
        .collect();
    let expected = [
        (1, true),
        (2, true),
        (3, false),
        (4, false),
        (5, true),
        (6, true),
    ];
    assert_eq!(arrived, BTreeMap::from(expected));
}

/// One of two cameras is switched off: its packets are told beside those of the other, with the delay that these have.
#[test]
fn what_is_kept_back_is_told_beside_what_goes_on() {
    let mut rig = call(FULL, FULL);
    let (mut received, sent) = tracks(BUSINESS, FULL);
    let mut screen = FULL.recv(BUSINESS, "screen", "2");
    screen.ssrcs = vec![550];
    received.push(screen);
    rig.apply(BUSINESS, 3, received, sent);
    let mut table = routes(true);
    table.push(route(("b", "screen"), ("k", "cam"), false));
    rig.route(2, &table);
    let mut number = 0;
    let mut all = BTreeMap::new();
    for round in 0..20u16 {
        for step in 0..5 {
            rig.advance_ms(5);
            film(&mut rig, 5 * round + step, number);
            let hidden = picture(BUSINESS, 550, 5 * round + step);
            rig.send(BUSINESS, &numbered(hidden, BUSINESS, number + 1));
            number += 2;
        }
        let outgoing = rig.peers[CONSUMER].take();
        assert_eq!(outgoing.len(), 5);
        let base = number_of(&outgoing[0], CONSUMER).unwrap();
        assert_eq!(base, 5 * round + 1);
        // Each packet takes 1 ms longer than the one before: a queue grows behind the engine.
        let arrivals: Vec<_> = (0..5u32)
            .map(|step| Some(24 * (5 * u32::from(round) + step)))
            .collect();
        rig.send_rtcp(CONSUMER, &feedback(base, &arrivals));
        for compound in std::mem::take(&mut rig.peers[BUSINESS].rtcp) {
            for packet in packets(&compound).filter(|packet| packet.count == 15) {
                all.extend(Feedback::parse(packet.body).unwrap().statuses());
            }
        }
    }
    assert_eq!(all.len(), 200);
    for pair in all.values().collect::<Vec<_>>().chunks(2) {
        let [Some(shown), Some(hidden)] = pair else {
            panic!("{all:?}")
        };
        assert!(
            hidden - shown <= 4,
            "the hidden one as late as the shown one: {pair:?}"
        );
    }
    let (first, last) = (all[&0].unwrap(), all[&198].unwrap());
    assert_eq!(last - first, 99 * 24);
}

/// Padding that nobody can carry on is told as arrived, so that the sender's probe is worth something.
#[test]
fn dropped_filling_is_told_as_arrived() {
    let without_rtx = Side {
        has_rtx: false,
        ..FULL
    };
    let mut rig = call(FULL, without_rtx);
    film(&mut rig, 1, 1);
    for number in 2..5 {
        rig.send(
            BUSINESS,
            &numbered(filler(BUSINESS, 501, number, 0), BUSINESS, number),
        );
    }
    film(&mut rig, 2, 5);
    assert_eq!(rig.peers[CONSUMER].take().len(), 2);
    rig.send_rtcp(CONSUMER, &feedback(1, &[Some(10), Some(12)]));
    let (statuses, _) = told(&mut rig, BUSINESS);
    let told: Vec<_> = statuses
        .iter()
        .map(|(number, time)| (*number, time.is_some()))
        .collect();
    assert_eq!(told, [1, 2, 3, 4, 5].map(|number| (number, true)));
}

#[test]
fn the_engine_goes_on_when_the_receiver_does_not_and_back() {
    let mut rig = call(FULL, FULL);
    film(&mut rig, 0, 0);
    rig.send_rtcp(CONSUMER, &feedback(1, &[Some(100)]));
    let (statuses, _) = told(&mut rig, BUSINESS);
    assert_eq!(statuses.len(), 1);
    let last = statuses[0].1.unwrap();
    rig.route(2, &routes(false));
    rig.advance_ms(20);
    film(&mut rig, 1, 1);
    rig.advance_ms(100);
    let (statuses, _) = told(&mut rig, BUSINESS);
    assert_eq!(
        statuses,
        [(1, Some(last + 80))],
        "20 ms later, on the same clock"
    );
    rig.route(3, &routes(true));
    film(&mut rig, 2, 2);
    rig.send_rtcp(CONSUMER, &feedback(2, &[Some(100 + 480)]));
    let (statuses, counts) = told(&mut rig, BUSINESS);
    assert_eq!((statuses, counts), (vec![(2, Some(last + 480))], vec![2]));
}

#[test]
fn seventy_thousand_packets_are_each_told_once() {
    let mut rig = call(FULL, FULL);
    let mut count = 0u32;
    let mut expected = 0u16;
    for number in 0..70_000u32 {
        film(&mut rig, number as u16, number as u16);
        if number % 50 == 49 {
            let base = (number - 48) as u16;
            let arrivals: Vec<_> = (0..50).map(|step| Some((number + step) * 8)).collect();
            rig.send_rtcp(CONSUMER, &feedback(base, &arrivals));
            for (told, time) in told(&mut rig, BUSINESS).0 {
                assert_eq!((told, time.is_some()), (expected, true));
                expected = expected.wrapping_add(1);
                count += 1;
            }
            rig.peers[CONSUMER].take();
            rig.advance_ms(20);
        }
    }
    assert_eq!(count, 70_000);
}

/// A peer may number as it likes and tell what it likes: it costs a bounded number of packets, and nothing fails.
#[test]
fn nonsense_is_bounded() {
    let mut rig = call(FULL, FULL);
    let mut sent = 0;
    for round in 0..200u16 {
        film(&mut rig, round, round.wrapping_mul(40_000));
        rig.send_rtcp(
            CONSUMER,
            &feedback(round.wrapping_mul(777), &[Some(u32::MAX); 100]),
        );
        let all = [0x1f, 0xff].repeat(9);
        let claim = [
            &[0; 8][..],
            &round.to_be_bytes(),
            &[0xff, 0xff, 0, 0, 0, 0],
            &all,
        ]
        .concat();
        let mut buffer = vec![0; 200];
        let mut writer = Writer::new(&mut buffer);
        writer.padded_packet(205, 15, &[&claim, &[], &[]]);
        let len = writer.len();
        rig.send_rtcp(CONSUMER, &buffer[..len]);
        rig.advance_ms(10);
        sent += told(&mut rig, BUSINESS).1.len();
    }
    assert!(sent <= 2 * 200 * 6, "{sent}");
    rig.send(BUSINESS, &picture(BUSINESS, 500, 300));
    assert!(!rig.peers[CONSUMER].take().is_empty());
}

/// A compound with feedback about numbers that nobody sent, and with feedback about these.
fn feedback_behind(foreign: u16, base: u16, arrivals: &[Option<u32>]) -> Vec<u8> {
    let mut compound = feedback(base, arrivals);
    let count = foreign.to_be_bytes();
    let head = [&[0; 8][..], &30_000u16.to_be_bytes(), &count, &[0; 4]].concat();
    // All of them lost, in one run. An empty one fills the word.
    let mut buffer = vec![0; 100];
    let mut writer = Writer::new(&mut buffer);
    writer.padded_packet(205, 15, &[&head, &count, &[0, 0]]);
    let len = writer.len();
    // Behind the receiver report, which goes first.
    compound.splice(8..8, buffer[..len].iter().copied());
    compound
}

/// One datagram has room for many packets of feedback that claim much each.
#[test]
fn all_feedback_of_a_compound_is_read_within_one_bound() {
    for (foreign, expected) in [(2_046, vec![7, 8]), (2_047, vec![7]), (2_048, vec![])] {
        let mut rig = call(FULL, FULL);
        film(&mut rig, 1, 7);
        film(&mut rig, 2, 8);
        rig.send_rtcp(
            CONSUMER,
            &feedback_behind(foreign, 1, &[Some(10), Some(12)]),
        );
        let (statuses, _) = told(&mut rig, BUSINESS);
        let numbers: Vec<_> = statuses.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, expected, "after {foreign} others");
    }
}

/// Each packet of feedback in a compound could ask for all numbers to be told once more.
#[test]
fn a_compound_is_told_on_once() {
    let mut rig = call(FULL, FULL);
    for number in 0..40 {
        film(&mut rig, number, number);
    }
    rig.send_rtcp(CONSUMER, &feedback(1, &[None; 40]));
    told(&mut rig, BUSINESS);
    // All that seemed lost was late, the first ones last.
    let late = (1..=20u16)
        .rev()
        .map(|step| feedback(2 * step, &[Some(u32::from(step) * 4)]));
    let late: Vec<u8> = late.flatten().collect();
    rig.send_rtcp(CONSUMER, &late);
    let (statuses, counts) = told(&mut rig, BUSINESS);
    assert_eq!(counts, [1]);
    assert_eq!(
        statuses.iter().filter(|(_, time)| time.is_some()).count(),
        20
    );
}
