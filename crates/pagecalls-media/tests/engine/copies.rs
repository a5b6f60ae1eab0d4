//! One numbering on several outputs (messenger-calling 6.6).

use pagecalls_media::protocol::Code;

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig};

fn with_outputs(rig: &mut Rig, rev: u64, outputs: &[(u32, &str)]) {
    let send = vec![Rig::business_send(outputs)];
    rig.apply(BUSINESS, rev, Rig::business_recv(), send);
}

fn speak(rig: &mut Rig, seq: u16) {
    rig.send(
        CONSUMER,
        &Packet::audio(109, 200, seq, u32::from(seq) * 960).with_extension(7, &[9]),
    );
}

/// Packets of one output, without what may differ.
fn of(packets: &[Packet], ssrc: u32) -> Vec<Packet> {
    let mine = packets.iter().filter(|packet| packet.ssrc == ssrc).cloned();
    mine.map(|mut packet| {
        packet.ssrc = 0;
        packet.extensions.retain(|(id, _)| *id != 4);
        packet
    })
    .collect()
}

#[test]
fn copies_differ_in_ssrc_and_mid_only() {
    let mut rig = Rig::call();
    with_outputs(&mut rig, 2, &[(1000, "0"), (1001, "1")]);
    for seq in [7, 9, 8, 10] {
        speak(&mut rig, seq);
    }
    let got = rig.peers[BUSINESS].take();
    assert_eq!(got.len(), 8);
    assert_eq!(of(&got, 1000), of(&got, 1001));
    for packet in got {
        let mid = if packet.ssrc == 1000 { b"0" } else { b"1" };
        assert!(packet.extensions.contains(&(4, mid.to_vec())));
    }
}

#[test]
fn a_new_output_joins_the_running_numbers_and_an_old_one_stops_alone() {
    let mut rig = Rig::call();
    speak(&mut rig, 1);
    with_outputs(&mut rig, 2, &[(1000, "0"), (1001, "1")]);
    speak(&mut rig, 2);
    with_outputs(&mut rig, 3, &[(1001, "1")]);
    speak(&mut rig, 3);
    let got = rig.peers[BUSINESS].take();
    assert_eq!(
        got.iter().map(|packet| packet.ssrc).collect::<Vec<_>>(),
        [1000, 1000, 1001, 1001]
    );
    let first = got[0].seq;
    assert_eq!(
        got.iter()
            .map(|packet| packet.seq - first)
            .collect::<Vec<_>>(),
        [0, 1, 1, 2]
    );
    assert!(
        rig.peers[BUSINESS].take_rtcp().is_empty(),
        "a copy that stops says no BYE: some stacks end the whole track at one"
    );
}

#[test]
fn packets_from_before_an_outputs_start_do_not_come_on_it() {
    let mut rig = Rig::call();
    speak(&mut rig, 1);
    speak(&mut rig, 3);
    with_outputs(&mut rig, 2, &[(1000, "0"), (1001, "1")]);
    speak(&mut rig, 4);
    speak(&mut rig, 2);
    let got = rig.peers[BUSINESS].take();
    assert_eq!(of(&got, 1000).len(), 4);
    assert_eq!(of(&got, 1001).len(), 1);
}

#[test]
fn an_output_does_not_start_close_before_a_wrap() {
    let mut rig = Rig::call();
    speak(&mut rig, 0);
    let start = rig.peers[BUSINESS].take()[0].seq;
    // Bring the numbering to 40 before the wrap.
    let input_at = |out: u16| out.wrapping_sub(start);
    for out in (start + 1)..65_496 {
        speak(&mut rig, input_at(out));
    }
    with_outputs(&mut rig, 2, &[(1000, "0"), (1001, "1")]);
    rig.peers[BUSINESS].take();
    for step in 0..60u16 {
        speak(&mut rig, input_at(65_496u16.wrapping_add(step)));
    }
    let got = rig.peers[BUSINESS].take();
    let seqs = |ssrc: u32| {
        of(&got, ssrc)
            .iter()
            .map(|packet| packet.seq)
            .collect::<Vec<_>>()
    };
    assert_eq!(seqs(1000).len(), 60);
    assert_eq!(
        seqs(1001),
        (0..20).collect::<Vec<_>>(),
        "it starts behind the wrap"
    );
}

#[test]
fn an_ssrc_is_used_for_one_stream_only() {
    let mut rig = Rig::call();
    with_outputs(&mut rig, 2, &[(1001, "1")]);
    for outputs in [&[(1000, "0")][..], &[(1001, "0"), (1001, "1")]] {
        let send = vec![Rig::business_send(outputs)];
        let again = rig.desired(BUSINESS, 3, Rig::business_recv(), send);
        assert_eq!(rig.command(again).unwrap_err().code, Code::BadState);
    }
    let mut renamed = Rig::business_send(&[(1001, "1")]);
    renamed.track = "another".into();
    let moved = rig.desired(BUSINESS, 3, Rig::business_recv(), vec![renamed]);
    assert_eq!(rig.command(moved).unwrap_err().code, Code::BadState);
    speak(&mut rig, 1);
    assert_eq!(
        rig.peers[BUSINESS].take()[0].ssrc,
        1001,
        "the refused states changed nothing"
    );
}

#[test]
fn an_old_revision_changes_nothing() {
    let mut rig = Rig::call();
    with_outputs(&mut rig, 5, &[(1001, "1")]);
    with_outputs(&mut rig, 5, &[(1002, "2")]);
    with_outputs(&mut rig, 4, &[(1003, "3")]);
    speak(&mut rig, 1);
    assert_eq!(rig.peers[BUSINESS].take()[0].ssrc, 1001);
}
