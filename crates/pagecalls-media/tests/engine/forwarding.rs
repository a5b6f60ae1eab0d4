//! Sound goes both ways, under the receiver's numbers.

use pagecalls_media::protocol::Event;

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig, codec, recv, route};

#[test]
fn both_ways_with_payload_type_ssrc_mid_and_level_of_the_receiver() {
    let mut rig = Rig::call();
    let sent = Packet::audio(111, 100, 40_000, 5_000)
        .with_extension(4, b"0")
        .with_extension(1, &[0x85]);
    rig.send(BUSINESS, &sent);
    let got = rig.peers[CONSUMER].take();
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].pt, got[0].ssrc), (109, 2000));
    assert_eq!(got[0].extensions, [(3, b"a".to_vec()), (7, vec![0x85])]);
    assert_eq!(got[0].payload, sent.payload);
    assert!(got[0].seq < 0x8000, "a numbering starts in its lower half");

    rig.send(
        CONSUMER,
        &Packet::audio(109, 200, 1, 1).with_extension(3, b"a"),
    );
    let got = rig.peers[BUSINESS].take();
    assert_eq!((got[0].pt, got[0].ssrc), (111, 1000));
    assert_eq!(got[0].extensions, [(4, b"0".to_vec())]);
}

#[test]
fn the_mid_is_on_every_packet() {
    let mut rig = Rig::call();
    for seq in 0..300 {
        rig.send(
            CONSUMER,
            &Packet::audio(109, 200, seq, u32::from(seq) * 960),
        );
    }
    let got = rig.peers[BUSINESS].take();
    assert_eq!(got.len(), 300);
    assert!(
        got.iter()
            .all(|packet| packet.extensions == [(4, b"0".to_vec())])
    );
}

#[test]
fn extensions_that_only_one_side_knows_are_left_out() {
    let mut rig = Rig::call();
    rig.send(
        BUSINESS,
        &Packet::audio(111, 100, 1, 0)
            .with_extension(9, b"xx")
            .with_extension(3, &[1, 2]),
    );
    assert_eq!(
        rig.peers[CONSUMER].take()[0].extensions,
        [(3, b"a".to_vec())]
    );
}

#[test]
fn loss_reordering_timestamps_and_markers_show_through() {
    let mut rig = Rig::call();
    for (seq, marker) in [
        (65_534, true),
        (65_535, false),
        (2, false),
        (1, false),
        (3, true),
    ] {
        let mut packet = Packet::audio(111, 100, seq, u32::from(seq) * 960);
        packet.marker = marker;
        rig.send(BUSINESS, &packet);
    }
    let got = rig.peers[CONSUMER].take();
    let first = &got[0];
    let offsets: Vec<_> = got
        .iter()
        .map(|packet| packet.seq.wrapping_sub(first.seq))
        .collect();
    assert_eq!(offsets, [0, 1, 4, 3, 5]);
    let times: Vec<_> = got
        .iter()
        .map(|packet| packet.ts.wrapping_sub(first.ts))
        .collect();
    let expected: Vec<u32> = [65_534u32, 65_535, 2, 1, 3]
        .iter()
        .map(|seq| (seq.wrapping_sub(65_534)).wrapping_mul(960))
        .collect();
    assert_eq!(times, expected);
    assert_eq!(
        got.iter().map(|packet| packet.marker).collect::<Vec<_>>(),
        [true, false, false, false, true]
    );
}

#[test]
fn padding_stays_and_padding_that_does_not_fit_is_dropped() {
    let mut rig = Rig::call();
    let mut padded = Packet::audio(111, 100, 1, 0).with_payload(&[7, 7, 0, 0, 3]);
    padded.padding = true;
    rig.send(BUSINESS, &padded);
    let mut only_padding = Packet::audio(111, 100, 2, 0).with_payload(&[0, 2]);
    only_padding.padding = true;
    rig.send(BUSINESS, &only_padding);
    let mut wrong = Packet::audio(111, 100, 3, 0).with_payload(&[0, 9]);
    wrong.padding = true;
    rig.send(BUSINESS, &wrong);
    rig.send(BUSINESS, &Packet::audio(111, 100, 4, 0).with_payload(&[]));
    let got = rig.peers[CONSUMER].take();
    assert_eq!(
        got.iter()
            .map(|packet| packet.payload.clone())
            .collect::<Vec<_>>(),
        [vec![7, 7, 0, 0, 3], vec![0, 2], vec![]]
    );
    assert_eq!(
        got.iter().map(|packet| packet.padding).collect::<Vec<_>>(),
        [true, true, false]
    );
    let first = got[0].seq;
    assert_eq!(
        got.iter()
            .map(|packet| packet.seq - first)
            .collect::<Vec<_>>(),
        [0, 1, 3]
    );
}

#[test]
fn a_payload_type_that_the_receiver_lacks_leaves_no_gap() {
    let mut rig = Rig::call();
    let mut codecs = Rig::business_codecs();
    codecs.push(codec("cn/8000", 13));
    let tracks = vec![recv("in", "0", &[100], &codecs, &crate::rig::BUSINESS_EXT)];
    rig.apply(
        BUSINESS,
        2,
        tracks,
        vec![Rig::business_send(&[(1000, "0")])],
    );
    for (seq, pt) in [(1, 111), (2, 13), (3, 13), (4, 111)] {
        rig.send(BUSINESS, &Packet::audio(pt, 100, seq, 0));
    }
    let got = rig.peers[CONSUMER].take();
    assert_eq!(
        got.iter()
            .map(|packet| packet.seq - got[0].seq)
            .collect::<Vec<_>>(),
        [0, 1]
    );
}

#[test]
fn nothing_is_sent_to_a_leg_that_is_not_up_and_it_joins_at_the_start_of_a_numbering() {
    let mut rig = Rig::call();
    let late = rig.add_peer("late");
    rig.apply(late, 1, vec![], vec![Rig::consumer_send()]);
    rig.route(2, &[route(("b", "in"), ("late", "out"), true)]);
    // Past a wrap of the source's numbers.
    for count in 0..70_000u32 {
        rig.send(
            BUSINESS,
            &Packet::audio(111, 100, count as u16, count * 960),
        );
    }
    rig.connect(late);
    rig.send(BUSINESS, &Packet::audio(111, 100, 70_000u32 as u16, 0));
    let got = rig.peers[late].take();
    assert_eq!(
        got.len(),
        1,
        "the peer decrypts it, so the rollover counter starts at 0"
    );
    assert!(got[0].seq < 0x8000);
}

#[test]
fn the_first_packet_of_each_stream_is_told() {
    let mut rig = Rig::call();
    rig.take_events();
    for ssrc in [100, 100, 101] {
        rig.send(
            BUSINESS,
            &Packet::audio(111, ssrc, 1 + rig.events.len() as u16, 0),
        );
    }
    let told: Vec<_> = rig
        .take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::TrackFirstRtp(first) => Some((first.leg, first.track, first.ssrc)),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            ("b".into(), "in".into(), 100),
            ("b".into(), "in".into(), 101)
        ]
    );
}

#[test]
fn one_leg_can_hear_itself() {
    let mut rig = Rig::call();
    rig.route(2, &[route(("k", "in"), ("k", "out"), true)]);
    rig.send(CONSUMER, &Packet::audio(109, 200, 1, 1));
    assert_eq!(rig.peers[CONSUMER].take().len(), 1);
    assert!(rig.peers[BUSINESS].take().is_empty());
}

#[test]
fn counters_count() {
    let mut rig = Rig::call();
    for seq in [1u16, 2, 4] {
        rig.advance_ms(20);
        rig.send(
            BUSINESS,
            &Packet::audio(111, 100, seq, u32::from(seq) * 960).with_payload(&[0; 80]),
        );
    }
    rig.send(BUSINESS, &Packet::audio(5, 100, 5, 0));
    rig.datagram(
        BUSINESS,
        &[
            0x80, 111, 0, 9, 0, 0, 0, 0, 0, 0, 0, 100, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
            14, 15, 16,
        ],
    );
    let stats = rig.stats();
    let business = stats.iter().find(|leg| leg.leg == "b").unwrap();
    let consumer = stats.iter().find(|leg| leg.leg == "k").unwrap();
    let received = &business.tracks[0];
    assert_eq!((received.packets, received.lost), (4, Some(1)));
    assert_eq!(business.auth_failures, 1);
    assert_eq!(consumer.tracks[1].packets, 3);
    assert_eq!(consumer.tracks[1].bytes, 240);
    assert_eq!(
        consumer.dropped, 1,
        "the receiver's leg counts what it could not send on"
    );
}
