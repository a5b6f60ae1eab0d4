//! Figures of tracks that their sender stops, and that may come back, and of peers that have said nothing for long: what was counted
//! stays, and what is old is not told as new.

use pagecalls_media::protocol::{Direction, LegClose, Reply, TrackCounters};
use pagecalls_media::rtcp::ReportBlock;
use pagecalls_media::translate::apart;

use crate::rig::{BUSINESS, CONSUMER, CONSUMER_EXT, Packet, Rig, recv, route, send};
use crate::statistics::{FRAME, block, figures, leg, report, speak};

fn tracks(rig: &mut Rig, name: &str, direction: Direction) -> Vec<TrackCounters> {
    let all = leg(rig, name).tracks.into_iter();
    all.filter(|track| track.direction == direction).collect()
}

fn second(mid: &str) -> pagecalls_media::protocol::RecvTrack {
    recv(
        "second",
        mid,
        &[300],
        &Rig::consumer_codecs(),
        &CONSUMER_EXT,
    )
}

/// A packet every 20 ms.
fn speak_on(rig: &mut Rig, ssrc: u32, seqs: std::ops::Range<u16>) {
    for seq in seqs {
        speak(rig, ssrc, seq);
        rig.advance_ms(20);
    }
}

#[test]
fn a_track_that_is_held_and_resumed_goes_on_with_its_figures() {
    let mut rig = Rig::call();
    let begun = rig.now;
    rig.advance_ms(40);
    speak_on(&mut rig, 200, 1..50);
    let again = rig.peers[CONSUMER].encrypt(&Packet::audio(109, 200, 60, 60 * FRAME));
    for _ in 0..2 {
        rig.datagram(CONSUMER, &again);
    }
    let before = figures(&mut rig, "k", Direction::Recv);
    assert_eq!((before.packets, before.lost), (50, Some(10)));
    assert_eq!(before.duplicates, Some(1));

    // What still comes while it is held is wanted by no track, and is no loss of one.
    rig.apply(CONSUMER, 2, vec![], vec![Rig::consumer_send()]);
    speak_on(&mut rig, 200, 61..65);
    let held = figures(&mut rig, "k", Direction::Recv);
    assert_eq!((held.packets, held.bytes), (before.packets, before.bytes));
    assert_eq!((held.lost, held.duplicates), (Some(10), Some(1)));
    assert_eq!(
        (held.first_rtp_ms, held.jitter_ms),
        (Some(40.0), before.jitter_ms)
    );
    assert_eq!(held.ssrcs, [0u32; 0], "none carries it now");
    assert_eq!(leg(&mut rig, "k").dropped, 4);
    rig.advance_alive(60, &[BUSINESS, CONSUMER]);
    assert_eq!(figures(&mut rig, "k", Direction::Recv).bitrate_bps, Some(0));

    rig.apply(
        CONSUMER,
        3,
        Rig::consumer_recv(),
        vec![Rig::consumer_send()],
    );
    assert_eq!(tracks(&mut rig, "k", Direction::Recv).len(), 1);
    assert_eq!(figures(&mut rig, "k", Direction::Recv).packets, 50);
    speak_on(&mut rig, 200, 500..510);
    speak_on(&mut rig, 200, 511..521);
    let after = figures(&mut rig, "k", Direction::Recv);
    assert_eq!((after.packets, after.lost), (70, Some(11)));
    assert_eq!(
        (after.duplicates, after.ssrcs.as_slice()),
        (Some(1), &[200][..])
    );
    assert_eq!(
        after.first_rtp_ms,
        Some(40.0),
        "since {begun:?}, and not anew"
    );
    rig.peers[BUSINESS].take();
    assert_eq!(
        figures(&mut rig, "b", Direction::Send).packets,
        70,
        "the route goes on"
    );
}

#[test]
fn a_track_that_is_stopped_stays_in_the_last_figures() {
    let mut rig = Rig::call();
    let with_second = vec![Rig::consumer_recv().remove(0), second("b")];
    rig.apply(CONSUMER, 2, with_second, vec![Rig::consumer_send()]);
    speak_on(&mut rig, 200, 1..3);
    speak_on(&mut rig, 300, 1..8);
    rig.apply(
        CONSUMER,
        3,
        Rig::consumer_recv(),
        vec![Rig::consumer_send()],
    );
    speak_on(&mut rig, 200, 3..5);
    let Ok(Reply::LegCloseOk(closed)) = rig.command(LegClose { leg: "k".into() }) else {
        panic!("a leg closes with its figures")
    };
    let told = closed.stats.tracks.iter();
    let told: Vec<_> = told
        .map(|track| (track.track.as_str(), track.direction, track.packets))
        .collect();
    assert_eq!(
        told,
        [
            ("in", Direction::Recv, 4),
            ("out", Direction::Send, 0),
            ("second", Direction::Recv, 7)
        ]
    );
}

#[test]
fn a_stopped_track_that_never_flowed_is_forgotten() {
    let mut rig = Rig::call();
    let with_second = vec![Rig::consumer_recv().remove(0), second("b")];
    rig.apply(CONSUMER, 2, with_second, vec![Rig::consumer_send()]);
    rig.apply(
        CONSUMER,
        3,
        Rig::consumer_recv(),
        vec![Rig::consumer_send()],
    );
    assert_eq!(leg(&mut rig, "k").tracks.len(), 2);
}

#[test]
fn stopped_tracks_are_bounded() {
    let mut rig = Rig::call();
    for round in 0..30 {
        let name = format!("t{round}");
        let track = recv(&name, "a", &[], &Rig::consumer_codecs(), &CONSUMER_EXT);
        let output = [(3_000 + round, "x")];
        let sent = send(&name, &output, &Rig::consumer_codecs(), &CONSUMER_EXT);
        let rev = u64::from(round) + 2;
        rig.apply(CONSUMER, rev, vec![track], vec![sent]);
        rig.route(
            rev,
            &[
                route(("k", &name), ("b", "out"), true),
                route(("b", "in"), ("k", &name), true),
            ],
        );
        speak(&mut rig, 400 + round, 1);
        rig.send(BUSINESS, &Packet::audio(111, 100, round as u16, 0));
    }
    for direction in [Direction::Recv, Direction::Send] {
        let told = tracks(&mut rig, "k", direction);
        assert_eq!(told.len(), 9, "one now, and the last eight before");
        assert!(told.iter().all(|track| track.packets == 1));
        assert_eq!(told[8].track, "t28");
    }
}

#[test]
fn a_sent_track_that_comes_back_goes_on_with_its_figures() {
    let mut rig = Rig::call();
    speak_on(&mut rig, 200, 1..11);
    let seq = rig.peers[BUSINESS].take().last().unwrap().seq;
    report(&mut rig, BUSINESS, &[block(1000, seq, 3)]);
    let before = figures(&mut rig, "b", Direction::Send);
    assert_eq!(
        (before.packets, before.remote_lost, before.lost),
        (10, Some(3), Some(3))
    );

    rig.apply(BUSINESS, 2, Rig::business_recv(), vec![]);
    speak_on(&mut rig, 200, 11..21);
    let gone = figures(&mut rig, "b", Direction::Send);
    assert_eq!((gone.packets, gone.bytes), (10, before.bytes));
    assert_eq!((gone.remote_lost, gone.lost), (Some(3), Some(3)));
    assert_eq!(gone.ssrcs, [0u32; 0]);

    rig.apply(
        BUSINESS,
        3,
        Rig::business_recv(),
        vec![Rig::business_send(&[(1001, "0")])],
    );
    speak_on(&mut rig, 200, 21..31);
    let out = rig.peers[BUSINESS].take();
    assert_eq!((out.len(), out[0].ssrc), (10, 1001));
    let after = figures(&mut rig, "b", Direction::Send);
    let again: usize = out.iter().map(|packet| packet.payload.len()).sum();
    assert_eq!(
        (after.packets, after.bytes),
        (20, before.bytes + again as u64)
    );
    assert_eq!((after.remote_lost, after.lost), (Some(3), Some(3)));
    assert_eq!(after.first_rtp_ms, before.first_rtp_ms);
    assert_eq!(tracks(&mut rig, "b", Direction::Send).len(), 1);
    // A new numbering and a new count of the receiver's own: what it lost comes on top.
    report(&mut rig, BUSINESS, &[block(1001, out[9].seq, 2)]);
    let after = figures(&mut rig, "b", Direction::Send);
    assert_eq!((after.remote_lost, after.lost), (Some(5), Some(5)));
    assert_eq!(
        (before.remote_reports, after.remote_reports),
        (Some(1), Some(2))
    );
}

/// Whoever keeps one buffer for a line, as aiortc does, takes numbers that go on a little later for loss, and waits.
#[test]
fn a_sent_track_that_comes_back_starts_far_from_its_numbers() {
    let mut rig = Rig::call();
    let mut last: Option<u16> = None;
    for round in 0..20u16 {
        let version = 2 + 2 * u64::from(round);
        let output = 2_000 + u32::from(round);
        let sent = vec![Rig::business_send(&[(output, "0")])];
        rig.apply(BUSINESS, version, Rig::business_recv(), sent);
        speak_on(&mut rig, 200, 1 + 10 * round..11 + 10 * round);
        let out = rig.peers[BUSINESS].take();
        assert_eq!(out.len(), 10);
        if let Some(last) = last {
            let first = out[0].seq;
            assert!(apart(first, last) > 8_000, "{last}, {first}");
        }
        last = out.last().map(|packet| packet.seq);
        rig.apply(BUSINESS, version + 1, Rig::business_recv(), vec![]);
    }
}

#[test]
fn a_first_packet_counts_from_the_state_that_brought_its_track() {
    let mut rig = Rig::call();
    rig.advance_ms(100);
    speak(&mut rig, 200, 1);
    rig.advance_alive(600, &[BUSINESS, CONSUMER]);
    let with_second = || vec![Rig::consumer_recv().remove(0), second("b")];
    rig.apply(CONSUMER, 2, with_second(), vec![Rig::consumer_send()]);
    rig.advance_ms(5_000);
    // It comes and goes once before anything flows.
    rig.apply(
        CONSUMER,
        3,
        Rig::consumer_recv(),
        vec![Rig::consumer_send()],
    );
    rig.apply(CONSUMER, 4, with_second(), vec![Rig::consumer_send()]);
    rig.apply(
        BUSINESS,
        2,
        Rig::business_recv(),
        vec![
            Rig::business_send(&[(1000, "0")]),
            send(
                "late",
                &[(1002, "2")],
                &Rig::business_codecs(),
                &CONSUMER_EXT,
            ),
        ],
    );
    rig.route(2, &[route(("k", "second"), ("b", "late"), true)]);
    rig.advance_ms(300);
    speak(&mut rig, 300, 1);
    let first: Vec<_> = tracks(&mut rig, "k", Direction::Recv)
        .iter()
        .map(|track| track.first_rtp_ms)
        .collect();
    assert_eq!(first, [Some(100.0), Some(300.0)]);
    let sent = tracks(&mut rig, "b", Direction::Send);
    assert_eq!(sent[1].first_rtp_ms, Some(300.0));
}

#[test]
fn an_old_report_says_nothing_of_the_present() {
    let mut rig = Rig::call();
    speak(&mut rig, 200, 1);
    let seq = rig.peers[BUSINESS].take()[0].seq;
    let bad = ReportBlock {
        fraction_lost: 64,
        jitter: 480,
        ..block(1000, seq, 1)
    };
    report(&mut rig, BUSINESS, &[bad]);
    rig.advance_ms(14_900);
    let told = figures(&mut rig, "b", Direction::Send);
    assert_eq!(
        (told.remote_fraction_lost, told.remote_jitter_ms),
        (Some(0.25), Some(10.0))
    );
    assert_eq!(told.remote_reports, Some(1));
    rig.advance_ms(100);
    let told = figures(&mut rig, "b", Direction::Send);
    assert_eq!(
        (told.remote_fraction_lost, told.remote_jitter_ms),
        (None, None)
    );
    assert_eq!(
        (told.remote_lost, told.lost),
        (Some(1), Some(1)),
        "these are sums"
    );
}
