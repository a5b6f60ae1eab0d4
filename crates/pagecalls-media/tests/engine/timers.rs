//! What time alone brings about.

use pagecalls_media::protocol::{Event, LegFailed, Timers, Why};

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig};

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
        rig.command(pagecalls_media::protocol::CallCreate { call: call.clone() })
            .unwrap();
        let leg = format!("leg of {call}");
        rig.command(pagecalls_media::protocol::LegCreate { call, leg })
            .unwrap();
    }
    rig.advance_ms(5_000);
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

#[test]
fn figures_come_every_5_s_while_there_are_legs() {
    let mut rig = Rig::call();
    rig.take_events();
    rig.advance_alive(20, &[BUSINESS, CONSUMER]);
    let events = rig.take_events();
    let figures: Vec<_> = events
        .iter()
        .filter_map(|event| {
            if let Event::Stats(stats) = event {
                Some(stats.legs.len())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(figures, [2, 2, 2, 2]);
    rig.command(pagecalls_media::protocol::CallClose { call: "c".into() })
        .unwrap();
    rig.take_events();
    rig.advance_ms(20_000);
    assert_eq!(rig.take_events(), []);
}
