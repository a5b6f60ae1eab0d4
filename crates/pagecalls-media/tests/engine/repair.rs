//! What was lost on the way is asked for and comes again, whether the sides have RTX or not.

use pagecalls_media::protocol::LegStats;
use pagecalls_media::rtcp::{Writer, packet_type, word};
use pagecalls_media::srtp::Profile;

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig};
use crate::video_rig::{
    BUSINESS_TWCC, CONSUMER_RTX, FULL, PLAIN, Side, call, call_with, filler, numbered, picture,
    repeat,
};

/// A business camera that has sent `count` packets from the number `first` on; the packets as the consumer got them.
fn filmed(rig: &mut Rig, first: u16, count: u16) -> Vec<Packet> {
    for step in 0..count {
        rig.send(BUSINESS, &picture(BUSINESS, 500, first.wrapping_add(step)));
    }
    let got = rig.peers[CONSUMER].take();
    assert_eq!(got.len(), usize::from(count));
    got
}

/// What the shard sends to the consumer because of this packet of the business, as it is on the wire.
fn caught(rig: &mut Rig, packet: &Packet) -> Vec<Vec<u8>> {
    let bytes = rig.peers[BUSINESS].encrypt(packet);
    caught_bytes(rig, &bytes)
}

fn caught_bytes(rig: &mut Rig, bytes: &[u8]) -> Vec<Vec<u8>> {
    rig.caught = Some(Vec::new());
    rig.datagram(BUSINESS, bytes);
    let caught = rig.caught.take().unwrap();
    let mine = caught.into_iter().filter(|(peer, _)| *peer == CONSUMER);
    mine.map(|(_, bytes)| bytes).collect()
}

fn nack(missing: u16, ssrc: u32) -> Vec<u8> {
    let mut buffer = vec![0; 100];
    let mut writer = Writer::new(&mut buffer);
    let (pid, ssrc) = (missing.to_be_bytes(), ssrc.to_be_bytes());
    writer.receiver_report(9, std::iter::empty());
    writer.packet(
        packet_type::RTPFB,
        1,
        &[&9u32.to_be_bytes(), &ssrc, &pid, &[0, 0]],
    );
    let len = writer.len();
    buffer.truncate(len);
    buffer
}

#[test]
fn a_repeat_goes_on_under_the_receivers_stream_type_and_number() {
    let mut rig = call(FULL, FULL);
    let got = filmed(&mut rig, 65_533, 6);
    let lost = picture(BUSINESS, 500, 65_535);
    rig.send(BUSINESS, &repeat(BUSINESS, 501, 40_000, &lost));
    rig.send(
        BUSINESS,
        &repeat(BUSINESS, 501, 40_001, &picture(BUSINESS, 500, 1)),
    );
    let again = rig.peers[CONSUMER].take();
    assert_eq!(again.len(), 2);
    assert_eq!((again[0].ssrc, again[0].pt), (6001, CONSUMER_RTX));
    assert!(again[0].seq < 0x8000 && again[1].seq == again[0].seq + 1);
    let mids = again[0].extensions.iter().map(|(id, mid)| (*id, &mid[..]));
    assert_eq!(mids.take(1).collect::<Vec<_>>(), [(3, &b"b"[..])]);
    for (again, original) in [(&again[0], &got[2]), (&again[1], &got[4])] {
        assert_eq!((again.ts, again.marker), (original.ts, original.marker));
        assert_eq!(again.payload[..2], original.seq.to_be_bytes());
        assert_eq!(again.payload[2..], original.payload);
    }
}

#[test]
fn streams_that_nobody_named_are_found_by_mid() {
    let mut rig = call(FULL, FULL);
    let mids = |packet: Packet| packet.with_extension(3, b"b");
    for seq in 0..5 {
        rig.send(CONSUMER, &mids(picture(CONSUMER, 600, seq)));
    }
    let got = rig.peers[BUSINESS].take();
    let lost = picture(CONSUMER, 600, 3);
    rig.send(CONSUMER, &mids(repeat(CONSUMER, 601, 7, &lost)));
    rig.send(
        CONSUMER,
        &repeat(CONSUMER, 601, 8, &picture(CONSUMER, 600, 4)),
    );
    let again = rig.peers[BUSINESS].take();
    let numbers: Vec<_> = again
        .iter()
        .map(|packet| (packet.ssrc, packet.payload[..2].to_vec()))
        .collect();
    let expected = [3, 4].map(|place: usize| (5001, got[place].seq.to_be_bytes().to_vec()));
    assert_eq!(numbers, expected);
}

#[test]
fn a_request_reaches_the_sender_and_its_answer_the_receiver() {
    for (business, consumer) in [(FULL, FULL), (FULL, PLAIN), (PLAIN, FULL), (PLAIN, PLAIN)] {
        let mut rig = call(business, consumer);
        let got = filmed(&mut rig, 100, 2);
        let lost = rig.peers[BUSINESS].encrypt(&picture(BUSINESS, 500, 102));
        let on_the_wire = caught_bytes(&mut rig, &lost);
        rig.send(BUSINESS, &picture(BUSINESS, 500, 103));
        assert_eq!(rig.peers[CONSUMER].take()[0].seq, got[0].seq + 3);
        rig.send_rtcp(CONSUMER, &nack(got[0].seq + 2, 6000));
        let asked = rig.peers[BUSINESS].take_rtcp();
        let asked = asked
            .iter()
            .find(|(kind, count, _)| (*kind, *count) == (205, 1));
        let body = &asked.unwrap().2;
        assert_eq!(word(body, 4), Some(500));
        assert_eq!(body[8..], [0, 102, 0, 0]);
        // The sender repeats as it can: on its own stream, or the same datagram once more.
        let answer = if business.has_rtx {
            let lost = picture(BUSINESS, 500, 102);
            rig.peers[BUSINESS].encrypt(&repeat(BUSINESS, 501, 1, &lost))
        } else {
            lost.clone()
        };
        if consumer.has_rtx {
            rig.datagram(BUSINESS, &answer);
            let again = rig.peers[CONSUMER].take();
            assert_eq!((again.len(), again[0].ssrc), (1, 6001));
            assert_eq!(again[0].payload[..2], (got[0].seq + 2).to_be_bytes());
            assert_eq!(again[0].payload[2..], picture(BUSINESS, 500, 102).payload);
        } else {
            assert_eq!(
                caught_bytes(&mut rig, &answer),
                on_the_wire,
                "the very same"
            );
        }
        let [business_cam, consumer_cam] = cameras(&rig.stats());
        assert_eq!(business_cam.nacks, Some(1));
        assert_eq!(business_cam.rtx_packets, Some(u64::from(business.has_rtx)));
        assert_eq!(business_cam.duplicates, Some(u64::from(!business.has_rtx)));
        assert_eq!((business_cam.packets, business_cam.lost), (4, Some(0)));
        assert_eq!(
            (consumer_cam.nacks, consumer_cam.rtx_packets),
            (Some(1), Some(1))
        );
        assert_eq!(consumer_cam.packets, 4);
    }
}

/// What the business's camera brought, and what of it went to the consumer.
fn cameras(stats: &[LegStats]) -> [pagecalls_media::protocol::TrackCounters; 2] {
    let track = |leg: &str, place: usize| {
        let leg = stats.iter().find(|one| one.leg == leg).unwrap();
        leg.tracks[place].clone()
    };
    [track("b", 1), track("k", 3)]
}

/// The receiver has no RTX, and its packet was lost before the engine: it goes out late, under its own number, and once.
#[test]
fn what_the_engine_never_had_goes_out_plain_as_a_late_packet() {
    let mut rig = call(FULL, PLAIN);
    let got = filmed(&mut rig, 10, 2);
    rig.send(BUSINESS, &picture(BUSINESS, 500, 13));
    rig.peers[CONSUMER].take();
    let lost = picture(BUSINESS, 500, 12);
    rig.send(BUSINESS, &repeat(BUSINESS, 501, 1, &lost));
    let again = rig.peers[CONSUMER].take();
    assert_eq!((again.len(), again[0].ssrc), (1, 6000));
    assert_eq!(
        (again[0].seq, &again[0].payload),
        (got[0].seq + 2, &lost.payload)
    );
    // And now once more, as it was.
    let same = caught(&mut rig, &repeat(BUSINESS, 501, 2, &lost));
    assert_eq!(same.len(), 1);
    let [business_cam, consumer_cam] = cameras(&rig.stats());
    assert_eq!((business_cam.packets, business_cam.lost), (3, Some(1)));
    assert_eq!(
        (consumer_cam.packets, consumer_cam.rtx_packets),
        (4, Some(1))
    );
}

/// Two texts under one number would give the key stream away, and the sender decides what is in a repeat.
#[test]
fn a_plain_repeat_that_is_another_packet_never_goes_out() {
    for profile in Profile::OFFER_ORDER {
        let mut rig = call_with(&[profile], FULL, PLAIN);
        filmed(&mut rig, 10, 20);
        let lost = picture(BUSINESS, 500, 15);
        let other = lost.clone().with_payload(b"another part of a picture");
        let marked = Packet {
            marker: !lost.marker,
            ..lost.clone()
        };
        let later = Packet {
            ts: lost.ts + 1,
            ..lost.clone()
        };
        for (seq, changed) in [(1, &other), (2, &marked), (3, &later)] {
            assert!(caught(&mut rig, &repeat(BUSINESS, 501, seq, changed)).is_empty());
        }
        assert_eq!(caught(&mut rig, &repeat(BUSINESS, 501, 4, &lost)).len(), 1);
        let [_, consumer_cam] = cameras(&rig.stats());
        assert_eq!(consumer_cam.rtx_packets, Some(1));
    }
}

#[test]
fn plain_repeats_reach_back_a_thousand_packets() {
    let mut rig = call(FULL, PLAIN);
    filmed(&mut rig, 60_000, 8_000);
    let newest = 60_000u16.wrapping_add(7_999);
    for (seq, back, comes) in [(1, 1_023, 1), (2, 1_024, 0), (3, 200, 1)] {
        let lost = picture(BUSINESS, 500, newest.wrapping_sub(back));
        let again = caught(&mut rig, &repeat(BUSINESS, 501, seq, &lost));
        assert_eq!(again.len(), comes, "{back} back");
    }
}

/// With transport-wide numbers a repeat carries the number of its first time: it is the same packet or none.
#[test]
fn a_plain_repeat_keeps_its_transport_wide_number() {
    let without_rtx = Side {
        has_rtx: false,
        ..FULL
    };
    let mut rig = call(FULL, without_rtx);
    let mut first = Vec::new();
    for step in 0..10 {
        let packet = numbered(picture(BUSINESS, 500, step), BUSINESS, step);
        first.push(caught(&mut rig, &packet).remove(0));
    }
    let lost = picture(BUSINESS, 500, 4);
    let again = numbered(repeat(BUSINESS, 501, 9, &lost), BUSINESS, 10);
    assert_eq!(caught(&mut rig, &again), [first[4].clone()]);
    assert_eq!(BUSINESS_TWCC, 3);
}

#[test]
fn filling_goes_on_as_such_or_not_at_all() {
    let mut rig = call(FULL, FULL);
    let got = filmed(&mut rig, 10, 3);
    rig.send(BUSINESS, &filler(BUSINESS, 501, 1, 12_000));
    let filled = rig.peers[CONSUMER].take();
    assert_eq!(
        (filled.len(), filled[0].ssrc, filled[0].pt),
        (1, 6001, CONSUMER_RTX)
    );
    assert!(filled[0].padding && filled[0].payload.len() == 200);
    let [business_cam, consumer_cam] = cameras(&rig.stats());
    assert_eq!(business_cam.rtx_packets, Some(0), "it repeats nothing");
    assert_eq!(
        (consumer_cam.rtx_packets, consumer_cam.packets),
        (Some(0), 3)
    );
    assert_eq!(got.len(), 3);

    let mut rig = call(FULL, PLAIN);
    filmed(&mut rig, 10, 3);
    rig.send(BUSINESS, &filler(BUSINESS, 501, 1, 12_000));
    assert!(rig.peers[CONSUMER].take().is_empty());
    assert_eq!(rig.stats().iter().map(|leg| leg.dropped).sum::<u64>(), 0);
}

/// Padding among the pictures themselves, which a sender without RTX uses: an empty frame to some receivers.
#[test]
fn filling_among_the_pictures_is_kept_back_without_a_gap() {
    let padding = |seq: u16| Packet {
        padding: true,
        ..picture(BUSINESS, 500, seq).with_payload(&[0, 0, 0, 4])
    };
    let mut rig = call(FULL, PLAIN);
    rig.send(BUSINESS, &padding(9));
    let mut got = filmed(&mut rig, 10, 3);
    for seq in 13..43 {
        rig.send(BUSINESS, &padding(seq));
    }
    got.extend(filmed(&mut rig, 43, 2));
    rig.send(BUSINESS, &padding(45));
    got.extend(filmed(&mut rig, 46, 1));
    for (before, after) in got.iter().zip(&got[1..]) {
        assert_eq!(after.seq, before.seq.wrapping_add(1));
    }
    assert_eq!(rig.stats().iter().map(|leg| leg.dropped).sum::<u64>(), 0);
    let again = caught(
        &mut rig,
        &repeat(BUSINESS, 501, 1, &picture(BUSINESS, 500, 11)),
    );
    assert_eq!(again.len(), 1, "what came before can be repeated still");
    assert_eq!(again[0][2..4], got[1].seq.to_be_bytes());
}

#[test]
fn repeats_of_another_source_or_from_before_a_pause_go_nowhere() {
    let mut rig = call(FULL, FULL);
    filmed(&mut rig, 10, 3);
    let old = picture(BUSINESS, 500, 11);
    rig.send(
        BUSINESS,
        &picture(BUSINESS, 510, 11).with_extension(4, b"1"),
    );
    rig.peers[CONSUMER].take();
    rig.send(BUSINESS, &repeat(BUSINESS, 501, 1, &old));
    rig.send(BUSINESS, &repeat(BUSINESS, 501, 2, &old).with_payload(&[0]));
    assert!(rig.peers[CONSUMER].take().is_empty());

    let mut rig = call(FULL, FULL);
    filmed(&mut rig, 10, 3);
    rig.route(2, &crate::video_rig::routes(false));
    rig.send(BUSINESS, &picture(BUSINESS, 500, 13));
    rig.route(3, &crate::video_rig::routes(true));
    rig.send(BUSINESS, &picture(BUSINESS, 500, 14));
    assert_eq!(rig.peers[CONSUMER].take().len(), 1);
    rig.send(
        BUSINESS,
        &repeat(BUSINESS, 501, 1, &picture(BUSINESS, 500, 13)),
    );
    assert!(rig.peers[CONSUMER].take().is_empty(), "it was kept back");
    rig.send(
        BUSINESS,
        &repeat(BUSINESS, 501, 2, &picture(BUSINESS, 500, 14)),
    );
    assert_eq!(rig.peers[CONSUMER].take().len(), 1);
}

#[test]
fn sound_that_comes_twice_is_still_sent_once() {
    let mut rig = call(FULL, PLAIN);
    let bytes = rig.peers[BUSINESS].encrypt(&Packet::audio(111, 100, 1, 0));
    assert_eq!(caught_bytes(&mut rig, &bytes).len(), 1);
    assert_eq!(caught_bytes(&mut rig, &bytes).len(), 0);
}
