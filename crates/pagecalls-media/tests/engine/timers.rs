//! What time alone brings about.

use pagecalls_media::protocol::{
    CallClose, CallCreate, Direction, Event, Kind, LegCreate, LegFailed, LegStats, MAX_FRAME_BYTES,
    RecvTrack, SendTrack, Stats, Timers, TrackCounters, Why,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::rig::{BUSINESS, BUSINESS_EXT, CONSUMER, OPUS, Packet, Rig, codec, recv, send};

fn failures(rig: &mut Rig) -> Vec<(String, Why)> {
    rig.take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::LegFailed(LegFailed { leg, why, .. }) => Some((leg, why)),
            _ => None,
        })
        .collect()
}

fn with_conn(rig: &mut Rig, peer: usize, rev: u64, conn_ms: Option<u64>) {
    let mut desired = rig.desired(peer, rev, vec![], vec![]);
    desired.timers = Timers {
        conn_ms,
        ..desired.timers
    };
    rig.command(desired).unwrap();
}

#[test]
fn a_leg_that_is_not_up_in_time_fails() {
    let mut rig = Rig::call();
    let late = rig.add_peer("late");
    with_conn(&mut rig, late, 1, None);
    rig.advance_alive(60, &[BUSINESS, CONSUMER]);
    assert_eq!(
        failures(&mut rig),
        [],
        "without the timer a leg waits for ever"
    );
    with_conn(&mut rig, late, 2, Some(20_000));
    rig.advance_alive(10, &[BUSINESS, CONSUMER]);
    with_conn(&mut rig, late, 3, Some(20_000));
    rig.advance_alive(9, &[BUSINESS, CONSUMER]);
    assert_eq!(failures(&mut rig), []);
    rig.advance_alive(2, &[BUSINESS, CONSUMER]);
    assert_eq!(
        failures(&mut rig),
        [("late".into(), Why::ConnTimeout)],
        "counted from when it was first set"
    );
    assert_eq!(rig.stats().len(), 2, "the leg is gone");
}

#[test]
fn a_leg_that_is_up_has_no_more_connection_timer() {
    let mut rig = Rig::call();
    with_conn(&mut rig, BUSINESS, 2, Some(1_000));
    rig.advance_alive(5, &[BUSINESS, CONSUMER]);
    assert_eq!(failures(&mut rig), []);
}

#[test]
fn silence_is_told_after_15_s_once_and_ends_the_leg_after_30() {
    let mut rig = Rig::call();
    rig.take_events();
    let lost = |rig: &mut Rig| {
        let events = rig.take_events();
        events
            .iter()
            .filter(|event| matches!(event, Event::LegConsentLost(lost) if lost.leg == "k"))
            .count()
    };
    rig.advance_alive(14, &[BUSINESS]);
    assert_eq!(lost(&mut rig), 0);
    rig.advance_alive(3, &[BUSINESS]);
    assert_eq!(lost(&mut rig), 1);
    rig.check(CONSUMER);
    rig.advance_alive(14, &[BUSINESS]);
    assert_eq!(lost(&mut rig), 0);
    rig.advance_alive(13, &[BUSINESS]);
    assert_eq!(lost(&mut rig), 1, "again after it was heard");
    rig.advance_alive(5, &[BUSINESS]);
    assert_eq!(failures(&mut rig), [("k".into(), Why::Dead)]);
}

#[test]
fn sound_alone_keeps_a_leg_alive() {
    let mut rig = Rig::call();
    for seq in 0..100 {
        rig.send(CONSUMER, &Packet::audio(109, 200, seq, 0));
        rig.advance_alive(1, &[BUSINESS]);
    }
    assert_eq!(failures(&mut rig), []);
    rig.advance_alive(31, &[BUSINESS]);
    assert_eq!(failures(&mut rig), [("k".into(), Why::Dead)]);
}

#[test]
fn a_leg_that_was_never_heard_cannot_die() {
    let mut rig = Rig::call();
    let silent = rig.add_peer("silent");
    rig.apply(silent, 1, vec![], vec![]);
    rig.advance_alive(90, &[BUSINESS, CONSUMER]);
    assert_eq!(failures(&mut rig), []);
}

#[test]
fn a_goodbye_is_told_5_s_later_once_and_the_leg_stays() {
    let mut rig = Rig::call();
    rig.take_events();
    rig.peers[CONSUMER].session.close();
    rig.pump(CONSUMER);
    let byes = |rig: &mut Rig| {
        rig.take_events()
            .iter()
            .filter(|event| matches!(event, Event::LegBye(bye) if bye.leg == "k"))
            .count()
    };
    rig.advance_alive(4, &[BUSINESS]);
    assert_eq!(byes(&mut rig), 0);
    rig.advance_alive(10, &[BUSINESS]);
    assert_eq!(byes(&mut rig), 1);
    assert_eq!(rig.stats().len(), 2);
    rig.send(BUSINESS, &Packet::audio(111, 100, 1, 0));
    assert!(
        rig.peers[CONSUMER].take().is_empty(),
        "who said goodbye gets no more sound"
    );
}

#[test]
fn a_stalled_track_is_told_once_until_it_flows_again() {
    let mut rig = Rig::call();
    let stalls = |rig: &mut Rig| {
        let events = rig.take_events();
        events.iter().filter(|event| matches!(event, Event::TrackStalled(stalled) if stalled.track == "in" && stalled.silent_ms >= 5_000)).count()
    };
    rig.send(CONSUMER, &Packet::audio(109, 200, 1, 0));
    rig.advance_alive(4, &[BUSINESS, CONSUMER]);
    assert_eq!(stalls(&mut rig), 0);
    rig.advance_alive(20, &[BUSINESS, CONSUMER]);
    assert_eq!(stalls(&mut rig), 1);
    rig.send(CONSUMER, &Packet::audio(109, 200, 2, 0));
    rig.advance_alive(10, &[BUSINESS, CONSUMER]);
    assert_eq!(stalls(&mut rig), 1);
}

#[test]
fn the_figures_of_many_legs_come_in_frames_that_fit() {
    let mut rig = Rig::new();
    for call in 0..1_200 {
        let call = format!("c_{call:0>43}");
        rig.command(CallCreate { call: call.clone() }).unwrap();
        let leg = format!("leg of {call}");
        rig.command(LegCreate { call, leg }).unwrap();
    }
    // Five rounds; the first begins when the calls are there, and the goes of a round are spread over a second.
    rig.advance_ms(5_990);
    let mut legs = 0;
    for (seq, event) in (1..).zip(rig.take_events()) {
        if let Event::Stats(stats) = &event {
            legs += stats.legs.len();
        }
        let frame = pagecalls_media::protocol::encode_event(&pagecalls_media::protocol::Numbered {
            seq,
            event,
        });
        assert!(frame.len() < 512 * 1024, "{} bytes", frame.len());
    }
    assert_eq!(legs, 1_200);
}

/// Tracks that a leg may have in each direction, and streams that the peer may open on each of them.
const LABELS: [&str; 4] = [
    "default_audio",
    "default_video",
    "screen_audio",
    "screen_video",
];
const STREAMS: u32 = 16;

/// SSRCs have as many digits as they can have.
const FIRST_SSRC: u32 = 4_000_000_000;

/// What a peer may send and be sent at most.
fn all_tracks() -> (Vec<RecvTrack>, Vec<SendTrack>) {
    let received = (0..).zip(LABELS).map(|(place, track)| {
        let first = FIRST_SSRC + place * STREAMS;
        let ssrcs: Vec<u32> = (first..first + STREAMS).collect();
        let mut recv = recv(track, track, &ssrcs, &[codec(OPUS, 111)], &BUSINESS_EXT);
        recv.kind = kind_of(track);
        recv
    });
    let sent = (0..).zip(LABELS).map(|(place, track)| {
        // Of sound there are two copies.
        let first = FIRST_SSRC + 1_000 + 2 * place;
        let outputs = [(first, "a"), (first + 1, track)];
        let mut send = send(track, &outputs, &[codec(OPUS, 111)], &BUSINESS_EXT);
        send.kind = kind_of(track);
        send
    });
    (received.collect(), sent.collect())
}

fn kind_of(track: &str) -> Kind {
    if track.ends_with("video") {
        Kind::Video
    } else {
        Kind::Audio
    }
}

/// What a track of that direction and kind never has.
fn never_has(track: &TrackCounters, figure: &str) -> bool {
    let is_recv = track.direction == Direction::Recv;
    match figure {
        "jitter_ms" | "reordered" | "duplicates" | "late" => !is_recv,
        "nacks" | "plis" | "firs" | "rtx_packets" => kind_of(&track.track) == Kind::Audio,
        _ => is_recv && figure.starts_with("remote_"),
    }
}

/// A record with every figure that it may have as long as it gets in a call of weeks: ten digits of a count, thirteen of bytes, eight and
/// three decimals of a time or a share; and the peer at an IPv6 address.
fn longest(record: &impl Serialize, never_has: impl Fn(&str) -> bool) -> Value {
    let mut value = serde_json::to_value(record).unwrap();
    for (name, member) in value.as_object_mut().unwrap() {
        match member {
            Value::Null if never_has(name) => {}
            Value::String(_) if name == "remote" => {
                *member = json!("[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
            }
            Value::Number(_) if name == "bytes" => *member = json!(4_000_000_000_000_u64),
            Value::Number(number) if number.is_u64() => *member = json!(4_000_000_000_u64),
            Value::Null | Value::Number(_) => *member = json!(86_400_000.125),
            _ => {}
        }
    }
    value
}

fn longest_leg(leg: &LegStats) -> Value {
    let mut value = longest(leg, |_| false);
    let tracks = leg
        .tracks
        .iter()
        .map(|track| longest(track, |figure| never_has(track, figure)));
    value["tracks"] = tracks.collect();
    value
}

#[test]
fn the_figures_of_legs_with_all_that_they_may_have_come_in_frames_that_fit() {
    let mut rig = Rig::new();
    let id = |call: usize| format!("c_{call:0>43}");
    // Calls are told in turns, and every fifth has the same one: those stay, with 320 legs in all.
    for call in 0..100 {
        rig.command(CallCreate { call: id(call) }).unwrap();
    }
    for call in (0..100).filter(|call| call % 5 != 0) {
        rig.command(CallClose { call: id(call) }).unwrap();
    }
    for number in 0..320 {
        let peer = rig.add_peer_to(&id(number / 16 * 5), &format!("{number:0>16}"));
        let (received, sent) = all_tracks();
        rig.apply(peer, 1, received, sent);
        rig.connect(peer);
        for ssrc in FIRST_SSRC..FIRST_SSRC + STREAMS * LABELS.len() as u32 {
            rig.send(peer, &Packet::audio(111, ssrc, 1, 0));
            rig.send(peer, &Packet::audio(111, ssrc, 2, 960));
        }
    }
    rig.take_events();
    rig.advance_ms(5_000);
    let mut told = Vec::new();
    for event in rig.take_events() {
        let Event::Stats(Stats { legs }) = event else {
            continue;
        };
        for leg in &legs {
            let ssrcs = leg.tracks.iter().map(|track| track.ssrcs.len());
            assert_eq!((leg.tracks.len(), ssrcs.sum()), (8, 64 + 8));
        }
        let legs: Vec<Value> = legs.iter().map(longest_leg).collect();
        told.push(legs.len());
        let event = json!({"seq": u64::MAX, "ev": "stats", "legs": legs}).to_string();
        assert!(event.len() <= MAX_FRAME_BYTES, "{} bytes", event.len());
    }
    assert_eq!(told, [48, 48, 48, 48, 48, 48, 32]);
    assert_eq!(rig.stats().len(), 320);
}

/// Of how many legs each event since the last call told the figures.
fn told(rig: &mut Rig) -> Vec<usize> {
    let events = rig.take_events().into_iter();
    let stats = events.filter_map(|event| match event {
        Event::Stats(stats) => Some(stats.legs.len()),
        _ => None,
    });
    stats.collect()
}

/// A go is as long as a packet has to wait for it.
#[test]
fn figures_of_many_calls_are_spread_over_the_second() {
    let mut rig = Rig::new();
    for call in 0..500 {
        let call = format!("c{call}");
        rig.command(CallCreate { call: call.clone() }).unwrap();
        let leg = format!("leg of {call}");
        rig.command(LegCreate { call, leg }).unwrap();
    }
    rig.advance_ms(10_000);
    told(&mut rig);
    let each_100_ms: Vec<Vec<usize>> = (0..50)
        .map(|_| {
            rig.advance_ms(100);
            told(&mut rig)
        })
        .collect();
    assert_eq!(each_100_ms, vec![vec![10]; 50], "all of them in 5 s");
}

#[test]
fn figures_come_every_5_s_while_there_are_legs() {
    let mut rig = Rig::call();
    rig.take_events();
    rig.advance_alive(20, &[BUSINESS, CONSUMER]);
    assert_eq!(told(&mut rig), [2, 2, 2, 2]);
    rig.command(CallClose { call: "c".into() }).unwrap();
    rig.take_events();
    rig.advance_ms(20_000);
    assert_eq!(rig.take_events(), []);
}
