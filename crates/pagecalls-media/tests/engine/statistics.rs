//! The figures tell the truth: each is held against what the test itself sent, lost, delayed and reported.

use std::collections::BTreeSet;
use std::time::Duration;

use pagecalls_media::bits::distance16;
use pagecalls_media::outbox::Outbox;
use pagecalls_media::protocol::{
    CallClose, CallCreate, Direction, Event, LegClose, LegStats, Reply, TrackCounters,
};
use pagecalls_media::rtcp::{ReportBlock, SenderInfo, Writer};
use proptest::prelude::*;

use crate::rig::{BUSINESS, CONSUMER, CONSUMER_EXT, Packet, Rig, recv, route};

pub const FRAME: u32 = 960;

pub fn leg(rig: &mut Rig, name: &str) -> LegStats {
    let all = rig.stats();
    all.into_iter().find(|leg| leg.leg == name).unwrap()
}

pub fn figures(rig: &mut Rig, name: &str, direction: Direction) -> TrackCounters {
    let tracks = leg(rig, name).tracks;
    let mut of_direction = tracks
        .into_iter()
        .filter(|track| track.direction == direction);
    of_direction.next().unwrap()
}

pub fn speak(rig: &mut Rig, ssrc: u32, seq: u16) {
    rig.send(
        CONSUMER,
        &Packet::audio(109, ssrc, seq, u32::from(seq) * FRAME),
    );
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap()
}

fn compound(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = vec![0; 1_500];
    let mut writer = Writer::new(&mut buffer);
    write(&mut writer);
    let len = writer.len();
    buffer.truncate(len);
    buffer
}

fn sender_report(rig: &mut Rig, peer: usize, ssrc: u32, ntp_middle: u32) {
    let info = SenderInfo {
        ssrc,
        ntp: u64::from(ntp_middle) << 16,
        ts: 0,
        packets: 1,
        octets: 1,
    };
    rig.send_rtcp(peer, &compound(|writer| writer.sender_report(&info)));
}

pub fn block(ssrc: u32, highest_seq: u16, lost: i32) -> ReportBlock {
    ReportBlock {
        ssrc,
        fraction_lost: 0,
        lost,
        highest_seq: u32::from(highest_seq),
        jitter: 0,
        last_sr: 0,
        delay: 0,
    }
}

pub fn report(rig: &mut Rig, peer: usize, blocks: &[ReportBlock]) {
    let bytes = compound(|writer| {
        writer.receiver_report(9, blocks.iter().copied());
    });
    rig.send_rtcp(peer, &bytes);
}

// --- loss, order, jitter ---------------------------------------------------------------------------------------------

/// What the network does to one packet on each hop.
#[derive(Clone, Debug)]
struct Fate {
    is_lost: bool,
    late_ms: u32,
    comes_again_ms: Option<u32>,
    is_lost_behind: bool,
}

fn fate() -> impl Strategy<Value = Fate> {
    let late = prop_oneof![6 => 0..5u32, 2 => 0..80u32];
    let again = prop_oneof![9 => Just(None), 1 => (0..60u32).prop_map(Some)];
    (
        prop::bool::weighted(0.15),
        late,
        again,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(is_lost, late_ms, comes_again_ms, is_lost_behind)| Fate {
            is_lost,
            late_ms,
            comes_again_ms,
            is_lost_behind,
        })
}

/// The arrivals at the engine: when, and which packet.
fn arrivals(fates: &[Fate]) -> Vec<(u32, u32)> {
    let mut all = Vec::new();
    for (place, fate) in (0..).zip(fates).filter(|(_, fate)| !fate.is_lost) {
        let at = place * 20 + fate.late_ms;
        all.push((at, place));
        all.extend(fate.comes_again_ms.map(|again| (at + again, place)));
    }
    all.sort_by_key(|(at, _)| *at);
    all
}

/// RFC 3550 A.8 in plain numbers, over first arrivals in milliseconds.
fn jitter_ms(firsts: &[(u32, u32)]) -> Option<f64> {
    let mut jitter = None;
    for pair in firsts.windows(2) {
        let transit = |(at, place): (u32, u32)| f64::from(at) - f64::from(place) * 20.0;
        let distance = (transit(pair[1]) - transit(pair[0])).abs();
        let before = jitter.unwrap_or(0.0);
        jitter = Some(before + (distance - before) / 16.0);
    }
    jitter
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn figures_agree_with_a_list_of_what_was_sent_and_lost(
        first in prop_oneof![Just(65_500u16), any::<u16>()],
        fates in prop::collection::vec(fate(), 2..200),
    ) {
        let mut rig = Rig::call();
        let begin = rig.now;
        let packets: Vec<Vec<u8>> = (0..fates.len()).map(|place| {
            let seq = first.wrapping_add(place as u16);
            let packet = Packet::audio(109, 200, seq, 7 + place as u32 * FRAME).with_payload(&[0; 60]);
            rig.peers[CONSUMER].encrypt(&packet)
        }).collect();
        let (mut seen, mut firsts, mut again, mut overtaken) = (BTreeSet::new(), Vec::new(), 0, 0);
        for (at, place) in arrivals(&fates) {
            rig.now = rig.now.max(begin + Duration::from_millis(at.into()));
            rig.datagram(CONSUMER, &packets[place as usize]);
            if seen.last().is_some_and(|last| *last > place) && !seen.contains(&place) {
                overtaken += 1;
            }
            if seen.insert(place) {
                firsts.push((at, place));
            } else {
                again += 1;
            }
        }
        let got = figures(&mut rig, "k", Direction::Recv);
        prop_assert_eq!((got.packets, got.bytes), (seen.len() as u64, seen.len() as u64 * 60));
        let Some((lowest, highest)) = seen.first().zip(seen.last()) else {
            prop_assert_eq!((got.lost, got.jitter_ms, got.first_rtp_ms), (None, None, None));
            return Ok(());
        };
        let lost = (*lowest..=*highest).filter(|place| !seen.contains(place)).count();
        prop_assert_eq!(got.lost, Some(count(lost)));
        prop_assert_eq!((got.duplicates, got.reordered, got.late), (Some(again), Some(overtaken), Some(0)));
        match (got.jitter_ms, jitter_ms(&firsts)) {
            (Some(got), Some(model)) => prop_assert!((got - model).abs() < 0.05, "{} instead of {}", got, model),
            (got, model) => prop_assert_eq!(got, model),
        }

        // The far side loses some of what went out, and reports as RFC 3550 A.3 says.
        let out = rig.peers[BUSINESS].take();
        let sent = figures(&mut rig, "b", Direction::Send);
        prop_assert_eq!(sent.packets, out.len() as u64);
        let origin = out[0].seq;
        let number = |packet: &Packet| i64::from(distance16(origin, packet.seq));
        let arrived: BTreeSet<i64> = out.iter()
            .zip(firsts.iter().map(|(_, place)| &fates[*place as usize]))
            .filter(|(_, fate)| !fate.is_lost_behind)
            .map(|(packet, _)| number(packet))
            .collect();
        // A receiver that missed the first packet does not know of it.
        let Some((low, high)) = arrived.first().zip(arrived.last()) else { return Ok(()) };
        if *low > 0 || out.iter().any(|packet| number(packet) < 0) {
            return Ok(());
        }
        let missing = high - low + 1 - count(arrived.len());
        let on_hop = out.iter().filter(|packet| (*low..=*high).contains(&number(packet)) && !arrived.contains(&number(packet))).count();
        let last = out.iter().find(|packet| number(packet) == *high).unwrap();
        let lost = i32::try_from(missing).unwrap();
        report(&mut rig, BUSINESS, &[block(1000, last.seq, lost)]);
        let told = figures(&mut rig, "b", Direction::Send);
        prop_assert_eq!((told.remote_lost, told.lost), (Some(missing), Some(count(on_hop))));
    }
}

#[test]
fn digits_in_the_stream_leave_the_jitter_alone() {
    let mut rig = Rig::call();
    for step in 0..150u16 {
        let ts = u32::from(step) * FRAME;
        let packet = if (50..75).contains(&step) {
            let duration = (step - 49) * 160;
            let payload = [5, 10, (duration >> 8) as u8, duration as u8];
            Packet::audio(101, 200, step, 50 * FRAME).with_payload(&payload)
        } else {
            Packet::audio(109, 200, step, ts)
        };
        rig.send(CONSUMER, &packet);
        rig.advance_ms(20);
    }
    let got = figures(&mut rig, "k", Direction::Recv);
    assert_eq!((got.packets, got.lost), (150, Some(0)));
    assert!(got.jitter_ms.unwrap() < 0.1, "{:?}", got.jitter_ms);
}

#[test]
fn a_packet_too_late_for_the_replay_window_is_lost_and_counted_as_late() {
    let mut rig = Rig::call();
    let early = rig.peers[CONSUMER].encrypt(&Packet::audio(109, 200, 10, 0));
    speak(&mut rig, 200, 9);
    for seq in 11..200 {
        speak(&mut rig, 200, seq);
    }
    rig.datagram(CONSUMER, &early);
    let got = figures(&mut rig, "k", Direction::Recv);
    assert_eq!((got.packets, got.lost, got.late), (190, Some(1), Some(1)));
    assert_eq!(leg(&mut rig, "k").auth_failures, 0);
}

#[test]
fn a_forged_packet_is_no_duplicate_and_not_late_whatever_number_it_bears() {
    let mut rig = Rig::call();
    let early = rig.peers[CONSUMER].encrypt(&Packet::audio(109, 200, 1, 0));
    rig.datagram(CONSUMER, &early);
    for seq in 2..160 {
        speak(&mut rig, 200, seq);
    }
    let last = rig.peers[CONSUMER].encrypt(&Packet::audio(109, 200, 160, 0));
    rig.datagram(CONSUMER, &last);
    for packet in [&early, &last] {
        let mut forged = packet.clone();
        forged[20] ^= 1;
        rig.datagram(CONSUMER, &forged);
    }
    let got = figures(&mut rig, "k", Direction::Recv);
    assert_eq!((got.duplicates, got.late), (Some(0), Some(0)));
    assert_eq!(leg(&mut rig, "k").auth_failures, 2);
    for packet in [&early, &last] {
        rig.datagram(CONSUMER, packet);
    }
    let got = figures(&mut rig, "k", Direction::Recv);
    assert_eq!((got.duplicates, got.late), (Some(1), Some(1)));
    assert_eq!(leg(&mut rig, "k").auth_failures, 2);
}

// --- several streams -------------------------------------------------------------------------------------------------

#[test]
fn a_source_that_begins_anew_adds_to_its_track() {
    let mut rig = Rig::call();
    for seq in [60_000, 60_001, 60_003] {
        speak(&mut rig, 200, seq);
    }
    rig.advance_ms(1_000);
    for seq in [5, 6, 7, 9, 10] {
        speak(&mut rig, 201, seq);
        rig.advance_ms(20);
    }
    let got = figures(&mut rig, "k", Direction::Recv);
    assert_eq!(got.ssrcs, [200, 201]);
    assert_eq!((got.packets, got.lost), (8, Some(2)));
    assert_eq!(
        figures(&mut rig, "b", Direction::Send).packets,
        8,
        "one numbering for both"
    );
}

#[test]
fn streams_that_appear_in_mid_call_are_found_by_mid() {
    let mut rig = Rig::call();
    let track = |name: &str, mid: &str, ssrcs: &[u32]| {
        recv(name, mid, ssrcs, &Rig::consumer_codecs(), &CONSUMER_EXT)
    };
    let tracks = vec![track("in", "a", &[200]), track("second", "b", &[300])];
    rig.apply(CONSUMER, 2, tracks, vec![Rig::consumer_send()]);
    rig.route(2, &[route(("k", "second"), ("b", "out"), true)]);
    let say = |rig: &mut Rig, ssrc: u32, seq: u16, mid: Option<&[u8]>| {
        let mut packet = Packet::audio(109, ssrc, seq, u32::from(seq) * FRAME);
        if let Some(mid) = mid {
            packet = packet.with_extension(3, mid);
        }
        rig.send(CONSUMER, &packet);
        rig.peers[BUSINESS].take().len()
    };
    assert_eq!(say(&mut rig, 200, 1, None), 0);
    assert_eq!(say(&mut rig, 300, 1, None), 1);
    rig.advance_alive(60, &[BUSINESS, CONSUMER]);
    rig.take_events();
    // Nobody announced these; the payload type alone would not tell the tracks apart.
    assert_eq!(say(&mut rig, 301, 7, Some(b"b")), 1);
    assert_eq!(say(&mut rig, 301, 8, None), 1, "MID is needed once");
    assert_eq!(say(&mut rig, 201, 7, Some(b"a")), 0);
    rig.advance_ms(1_000);
    assert_eq!(say(&mut rig, 302, 9, Some(b"b")), 1);
    assert_eq!(say(&mut rig, 302, 10, None), 1);
    let found: Vec<_> = rig
        .take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::TrackFirstRtp(first) => Some((first.track, first.ssrc)),
            _ => None,
        })
        .collect();
    let name = |track: &str, ssrc| (track.to_owned(), ssrc);
    assert_eq!(
        found,
        [name("second", 301), name("in", 201), name("second", 302)]
    );
    let tracks = leg(&mut rig, "k").tracks;
    assert_eq!(
        (tracks[0].ssrcs.as_slice(), tracks[0].packets),
        (&[200, 201][..], 2)
    );
    assert_eq!(
        (tracks[1].ssrcs.as_slice(), tracks[1].packets),
        (&[300, 301, 302][..], 5)
    );
}

#[test]
fn two_copies_count_once_and_so_do_their_reports() {
    let mut rig = Rig::call();
    let outputs = |rig: &mut Rig, rev: u64, outputs: &[(u32, &str)]| {
        let send = vec![Rig::business_send(outputs)];
        rig.apply(BUSINESS, rev, Rig::business_recv(), send);
    };
    for seq in 0..100 {
        speak(&mut rig, 200, seq);
    }
    let first = rig.peers[BUSINESS].take()[0].seq;
    outputs(&mut rig, 2, &[(1000, "0"), (1001, "1")]);
    for seq in 100..200 {
        speak(&mut rig, 200, seq);
    }
    assert_eq!(rig.peers[BUSINESS].take().len(), 200);
    report(&mut rig, BUSINESS, &[block(1000, first + 199, 8)]);
    let got = figures(&mut rig, "b", Direction::Send);
    assert_eq!(
        (got.packets, got.ssrcs.as_slice()),
        (200, &[1000, 1001][..])
    );
    assert_eq!((got.remote_lost, got.lost), (Some(8), Some(8)));
    // Both copies are reported on. From here the second speaks alone; what it lost before is in the first one's 8.
    let both = [block(1000, first + 199, 8), block(1001, first + 199, 5)];
    report(&mut rig, BUSINESS, &both);
    assert_eq!(figures(&mut rig, "b", Direction::Send).remote_lost, Some(8));
    outputs(&mut rig, 3, &[(1001, "1")]);
    for seq in 200..300 {
        speak(&mut rig, 200, seq);
    }
    report(&mut rig, BUSINESS, &[block(1001, first + 299, 6)]);
    let got = figures(&mut rig, "b", Direction::Send);
    assert_eq!((got.packets, got.remote_lost), (300, Some(9)));
}

// --- time ------------------------------------------------------------------------------------------------------------

const BUSINESS_TRIP: u64 = 80;
const CONSUMER_TRIP: u64 = 30;

/// Both peers report sender and receiver times over hops of known length.
pub fn with_round_trips() -> Rig {
    let mut rig = Rig::call();
    speak(&mut rig, 200, 1);
    rig.send(BUSINESS, &Packet::audio(111, 100, 1, 0));
    rig.advance_ms(1_000);
    sender_report(&mut rig, CONSUMER, 200, 0x1111_2222);
    sender_report(&mut rig, BUSINESS, 100, 0x3333_4444);
    let seq = rig.peers[BUSINESS].take()[0].seq;
    let far_seq = rig.peers[CONSUMER].take()[0].seq;
    // Each peer waits a second before it answers.
    rig.advance_ms(1_000 + CONSUMER_TRIP);
    let answer = |ssrc, seq, last_sr| ReportBlock {
        last_sr,
        delay: 65_536,
        ..block(ssrc, seq, 0)
    };
    report(&mut rig, CONSUMER, &[answer(2000, far_seq, 0x3333_4444)]);
    rig.advance_ms(BUSINESS_TRIP - CONSUMER_TRIP);
    report(&mut rig, BUSINESS, &[answer(1000, seq, 0x1111_2222)]);
    rig
}

#[test]
fn round_trips_are_those_of_each_hop() {
    let mut rig = with_round_trips();
    let (business, consumer) = (leg(&mut rig, "b"), leg(&mut rig, "k"));
    assert_eq!(
        (business.rtt_ms, business.srtt_ms),
        (Some(80.0), Some(80.0))
    );
    assert_eq!(
        (consumer.rtt_ms, consumer.srtt_ms),
        (Some(30.0), Some(30.0))
    );
    assert_eq!(
        (business.rtt_measurements, consumer.rtt_measurements),
        (1, 1)
    );
    // A block that answers no report measures nothing.
    report(&mut rig, BUSINESS, &[block(1000, 1, 0)]);
    assert_eq!(leg(&mut rig, "b").rtt_measurements, 1);
}

#[test]
fn a_score_belongs_to_the_listener_and_grows_old() {
    assert_eq!(leg(&mut Rig::call(), "b").mos, None);
    let mut rig = with_round_trips();
    // 55 ms of way and the fixed 40: R is 93.2 - 2.28.
    let mos = leg(&mut rig, "b").mos.unwrap();
    assert!((mos - 4.362).abs() < 0.002, "{mos}");
    speak(&mut rig, 200, 2);
    let seq = rig.peers[BUSINESS].take()[0].seq;
    let bad = ReportBlock {
        fraction_lost: 51,
        jitter: 960,
        ..block(1000, seq, 0)
    };
    report(&mut rig, BUSINESS, &[bad]);
    let (business, consumer) = (leg(&mut rig, "b"), leg(&mut rig, "k"));
    assert!(business.mos.unwrap() < 2.5, "{:?}", business.mos);
    assert!(consumer.mos.unwrap() > 4.3, "{:?}", consumer.mos);
    assert_eq!(business.tracks[1].remote_jitter_ms, Some(20.0));
    assert_eq!(business.tracks[1].remote_fraction_lost, Some(0.199));
    rig.advance_alive(15, &[BUSINESS, CONSUMER]);
    assert_eq!(leg(&mut rig, "b").mos, None, "nobody reports any more");
    assert_eq!(leg(&mut rig, "b").rtt_ms, Some(80.0));
}

#[test]
fn set_up_times_and_path_changes() {
    let mut rig = Rig::new();
    rig.command(CallCreate { call: "c".into() }).unwrap();
    let peer = rig.add_peer("b");
    rig.advance_ms(500);
    let nothing = leg(&mut rig, "b");
    assert_eq!(
        (nothing.ice_ms, nothing.dtls_ms, nothing.rtt_ms, nothing.mos),
        (None, None, None, None)
    );
    let send = vec![Rig::business_send(&[(1000, "0")])];
    rig.apply(peer, 1, Rig::business_recv(), send);
    rig.advance_ms(70);
    rig.check(peer);
    rig.advance_ms(40);
    // The engine's first answer takes 25 ms to the peer.
    let mut flight = Vec::new();
    let progress = rig.peers[peer].session.start(rig.now);
    rig.peers[peer].note(progress);
    rig.peers[peer].session.poll_transmit(&mut flight);
    let (from, mut outbox) = (rig.peers[peer].path, Outbox::new());
    rig.shard.datagram(&mut flight, from, rig.now, &mut outbox);
    rig.advance_ms(25);
    for (_, answer) in outbox.datagrams() {
        let progress = rig.peers[peer].session.receive(answer, rig.now);
        rig.peers[peer].note(progress);
    }
    rig.pump(peer);
    assert!(rig.peers[peer].is_up());
    let up = leg(&mut rig, "b");
    assert_eq!(
        (up.ice_ms, up.dtls_ms, up.path_changes),
        (Some(70.0), Some(25.0), 0)
    );
    rig.advance_ms(365);
    rig.send(peer, &Packet::audio(111, 100, 1, 0));
    let received = figures(&mut rig, "b", Direction::Recv);
    assert_eq!(received.first_rtp_ms, Some(500.0));
    rig.peers[peer].path.remote.set_port(9_999);
    rig.check(peer);
    rig.check(peer);
    assert_eq!(leg(&mut rig, "b").path_changes, 1);
    assert_eq!(leg(&mut rig, "b").ice_ms, Some(70.0));
}

#[test]
fn bit_rates_are_those_of_the_last_interval() {
    let mut rig = Rig::call();
    let mut sent = 0u16;
    let mut flow = |rig: &mut Rig, packets: u16, bytes: usize| {
        for _ in 0..packets {
            let packet = Packet::audio(109, 200, sent, u32::from(sent) * FRAME);
            rig.send(CONSUMER, &packet.with_payload(&vec![0; bytes]));
            sent += 1;
            rig.advance_ms(20);
        }
    };
    flow(&mut rig, 10, 80);
    assert_eq!(figures(&mut rig, "k", Direction::Recv).bitrate_bps, None);
    // On to the figures at 5 s, then a slower and a faster second.
    flow(&mut rig, 240, 80);
    flow(&mut rig, 50, 40);
    let slow = figures(&mut rig, "k", Direction::Recv).bitrate_bps;
    assert_eq!(slow, Some(16_000));
    flow(&mut rig, 50, 120);
    let both = figures(&mut rig, "b", Direction::Send);
    assert_eq!(both.bitrate_bps, Some(32_000));
    assert_eq!(both.first_rtp_ms, Some(0.0));
}

// --- telling ---------------------------------------------------------------------------------------------------------

#[test]
fn the_end_of_a_leg_tells_its_last_figures() {
    let mut rig = with_round_trips();
    for seq in 2..30 {
        speak(&mut rig, 200, seq);
    }
    let Ok(Reply::LegCloseOk(closed)) = rig.command(LegClose { leg: "k".into() }) else {
        panic!("a leg closes with its figures")
    };
    assert_eq!(
        (closed.stats.leg.as_str(), closed.stats.tracks[0].packets),
        ("k", 29)
    );
    assert_eq!(closed.stats.rtt_ms, Some(30.0));
    let Ok(Reply::CallCloseOk(closed)) = rig.command(CallClose { call: "c".into() }) else {
        panic!("a call closes with its figures")
    };
    assert_eq!(closed.legs.len(), 1);
    assert_eq!(
        (
            closed.legs[0].leg.as_str(),
            closed.legs[0].tracks[1].packets
        ),
        ("b", 29)
    );

    let mut rig = with_round_trips();
    let Ok(Reply::CallCloseOk(closed)) = rig.command(CallClose { call: "c".into() }) else {
        panic!("a call closes with its figures")
    };
    assert!(
        closed.legs.iter().all(|leg| leg.mos.is_some()),
        "{closed:?}"
    );
}

#[test]
fn a_leg_that_fails_tells_its_last_figures() {
    let mut rig = Rig::call();
    speak(&mut rig, 200, 1);
    rig.take_events();
    rig.advance_alive(31, &[BUSINESS]);
    let mut events = rig.take_events().into_iter();
    let failed = events.find_map(|event| match event {
        Event::LegFailed(failed) => Some(failed),
        _ => None,
    });
    let stats = failed.unwrap().stats.unwrap();
    assert_eq!((stats.leg.as_str(), stats.tracks[0].packets), ("k", 1));
}

#[test]
fn the_figures_of_each_call_come_every_5_s_and_not_all_at_once() {
    let mut rig = Rig::new();
    for call in 0..10 {
        let call = format!("c{call}");
        rig.command(CallCreate { call: call.clone() }).unwrap();
        let leg = format!("l{call}");
        rig.command(pagecalls_media::protocol::LegCreate { call, leg })
            .unwrap();
    }
    let told = |rig: &mut Rig| -> Vec<String> {
        let events = rig.take_events().into_iter();
        let stats = events.filter_map(|event| match event {
            Event::Stats(stats) => Some(stats.legs),
            _ => None,
        });
        stats.flatten().map(|leg| leg.call).collect()
    };
    for _ in 0..3 {
        let mut round = Vec::new();
        for _ in 0..5 {
            rig.advance_ms(1_000);
            let second = told(&mut rig);
            assert_eq!(second.len(), 2);
            round.extend(second);
        }
        round.sort_unstable();
        round.dedup();
        assert_eq!(round.len(), 10);
    }
}

#[test]
fn a_source_that_never_spoke_has_no_figures() {
    let mut rig = Rig::call();
    let received = figures(&mut rig, "k", Direction::Recv);
    let unknown = (
        received.lost,
        received.jitter_ms,
        received.bitrate_bps,
        received.first_rtp_ms,
        received.duplicates,
    );
    assert_eq!(unknown, (None, None, None, None, None));
    let sent = figures(&mut rig, "b", Direction::Send);
    assert_eq!((sent.lost, sent.remote_lost), (None, None));
    assert_eq!((sent.remote_jitter_ms, sent.first_rtp_ms), (None, None));
}
