//! RTCP goes from end to end, under the names that the other side knows.

use pagecalls_media::protocol::{AcceptedBy, Event};
use pagecalls_media::rtcp::{self, ReportBlock, SenderInfo, Writer, word};

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig, route};

const SR: u8 = rtcp::packet_type::SR;
const RR: u8 = rtcp::packet_type::RR;
const SDES: u8 = rtcp::packet_type::SDES;
const BYE: u8 = rtcp::packet_type::BYE;
const RTPFB: u8 = rtcp::packet_type::RTPFB;
const PSFB: u8 = rtcp::packet_type::PSFB;
const XR: u8 = rtcp::packet_type::XR;

fn compound(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = vec![0; 1_500];
    let mut writer = Writer::new(&mut buffer);
    write(&mut writer);
    let len = writer.len();
    buffer.truncate(len);
    buffer
}

fn block(ssrc: u32, highest_seq: u16) -> ReportBlock {
    ReportBlock {
        ssrc,
        fraction_lost: 5,
        lost: 3,
        highest_seq: u32::from(highest_seq),
        jitter: 77,
        last_sr: 0x1234_5678,
        delay: 9,
    }
}

/// A call in which the consumer (source 200) has sent numbers 65,000 to 65,009 and then 0 to 9 to the business on two outputs;
/// returns the output's first number too.
fn speaking() -> (Rig, u16) {
    let mut rig = Rig::call();
    rig.apply(
        BUSINESS,
        2,
        Rig::business_recv(),
        vec![Rig::business_send(&[(1000, "0"), (1001, "1")])],
    );
    for step in 0..20u16 {
        let seq = 65_526u16.wrapping_add(step);
        rig.send(
            CONSUMER,
            &Packet::audio(109, 200, seq, u32::from(step) * 960).with_payload(&[0; 50]),
        );
    }
    let first = rig.peers[BUSINESS].take()[0].seq;
    rig.send(BUSINESS, &Packet::audio(111, 100, 1, 0));
    rig.take_events();
    rig.peers[CONSUMER].take_rtcp();
    rig.peers[BUSINESS].take_rtcp();
    (rig, first)
}

fn blocks(packets: &[(u8, u8, Vec<u8>)]) -> Vec<ReportBlock> {
    packets
        .iter()
        .flat_map(|(kind, count, body)| {
            let packet = rtcp::Packet {
                kind: *kind,
                count: *count,
                body,
            };
            rtcp::report_blocks(&packet).collect::<Vec<_>>()
        })
        .collect()
}

fn accepted(rig: &mut Rig) -> Vec<(u32, AcceptedBy)> {
    rig.take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::TrackAccepted(accepted) => Some((accepted.ssrc, accepted.by)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_sender_report_goes_out_once_for_each_output() {
    let mut rig = Rig::call();
    rig.apply(
        BUSINESS,
        2,
        Rig::business_recv(),
        vec![Rig::business_send(&[(1000, "0"), (1001, "1")])],
    );
    rig.send(
        CONSUMER,
        &Packet::audio(109, 200, 1, 5_000).with_payload(&[0; 50]),
    );
    rig.send(
        CONSUMER,
        &Packet::audio(109, 200, 2, 5_960).with_payload(&[0; 50]),
    );
    let ts = rig.peers[BUSINESS].take()[0].ts;
    let info = SenderInfo {
        ssrc: 200,
        ntp: 0xaabb_ccdd_eeff_0011,
        ts: 5_480,
        packets: 90,
        octets: 9_000,
    };
    rig.send_rtcp(
        CONSUMER,
        &compound(|writer| {
            writer.sender_report(&info);
            writer.source_description([(200, "somebody")].into_iter());
        }),
    );
    let got = rig.peers[BUSINESS].take_rtcp();
    assert_eq!(
        got.iter().map(|packet| packet.0).collect::<Vec<_>>(),
        [SR, SR, SDES]
    );
    for ((_, _, body), ssrc) in got.iter().zip([1000, 1001]) {
        let expected = SenderInfo {
            ssrc,
            ts: ts.wrapping_add(480),
            packets: 2,
            octets: 100,
            ..info
        };
        assert_eq!(SenderInfo::parse(body), Some(expected));
    }
    let sdes = &got[2].2;
    assert_eq!(got[2].1, 2);
    assert_eq!(
        (word(sdes, 0), &sdes[6..15]),
        (Some(1000), &b"cname-out"[..])
    );
}

#[test]
fn a_report_comes_back_under_the_sources_name_and_number() {
    let (mut rig, first) = speaking();
    rig.send_rtcp(
        BUSINESS,
        &compound(|writer| {
            writer.receiver_report(
                100,
                [block(1000, first.wrapping_add(15)), block(77, 1)].into_iter(),
            );
        }),
    );
    let got = rig.peers[CONSUMER].take_rtcp();
    assert_eq!(got.len(), 1);
    assert_eq!(
        (got[0].0, word(&got[0].2, 0)),
        (RR, Some(2000)),
        "signed by what the consumer hears from us"
    );
    // Number 5 of the source's second cycle.
    assert_eq!(
        blocks(&got),
        [ReportBlock {
            ssrc: 200,
            highest_seq: 0x1_0005,
            ..block(200, 0)
        }]
    );
}

#[test]
fn of_two_outputs_the_last_speaks_once_it_was_acknowledged_else_the_first() {
    let (mut rig, first) = speaking();
    let report = |ssrcs: &[u32]| {
        compound(|writer| {
            writer.receiver_report(
                100,
                ssrcs.iter().map(|ssrc| ReportBlock {
                    jitter: *ssrc,
                    ..block(*ssrc, first)
                }),
            );
        })
    };
    let jitters = |rig: &mut Rig, ssrcs: &[u32]| {
        rig.send_rtcp(BUSINESS, &report(ssrcs));
        blocks(&rig.peers[CONSUMER].take_rtcp())
            .iter()
            .map(|block| block.jitter)
            .collect::<Vec<_>>()
    };
    assert_eq!(jitters(&mut rig, &[1000]), [1000]);
    assert_eq!(accepted(&mut rig), [(1000, AcceptedBy::Rr)]);
    assert_eq!(jitters(&mut rig, &[1000, 1001]), [1001]);
    assert_eq!(accepted(&mut rig), [(1001, AcceptedBy::Rr)]);
    assert_eq!(jitters(&mut rig, &[1000, 1001]), [1001]);
    assert_eq!(jitters(&mut rig, &[1000]), [0u32; 0]);
    assert_eq!(accepted(&mut rig), [], "told once for each output");
}

#[test]
fn each_kind_of_feedback_acknowledges() {
    let media = |kind: u8, count: u8, ssrc: u32, item: &[u8]| {
        let ssrc = ssrc.to_be_bytes();
        compound(|writer| writer.packet(kind, count, &[&100u32.to_be_bytes(), &ssrc, item]))
    };
    let fir = compound(|writer| {
        writer.packet(
            PSFB,
            4,
            &[
                &100u32.to_be_bytes(),
                &[0; 4],
                &1000u32.to_be_bytes(),
                &[9, 0, 0, 0],
            ],
        );
    });
    for (bytes, by) in [
        (media(RTPFB, 1, 1000, &[0, 1, 0, 0]), AcceptedBy::Nack),
        (media(PSFB, 1, 1000, &[]), AcceptedBy::Pli),
        (fir, AcceptedBy::Fir),
    ] {
        let (mut rig, _) = speaking();
        rig.send_rtcp(BUSINESS, &bytes);
        assert_eq!(accepted(&mut rig), [(1000, by)]);
    }
}

#[test]
fn requests_for_packets_and_pictures_reach_the_source() {
    let (mut rig, first) = speaking();
    let (pid, mask) = (first.wrapping_add(8).to_be_bytes(), 0b101u16.to_be_bytes());
    rig.send_rtcp(
        BUSINESS,
        &compound(|writer| {
            let sender = 100u32.to_be_bytes();
            writer.packet(RTPFB, 1, &[&sender, &1000u32.to_be_bytes(), &pid, &mask]);
            writer.packet(PSFB, 1, &[&sender, &1000u32.to_be_bytes()]);
            writer.packet(
                PSFB,
                4,
                &[&sender, &[0; 4], &1000u32.to_be_bytes(), &[9, 0, 0, 0]],
            );
            writer.packet(
                PSFB,
                15,
                &[
                    &sender,
                    &[0; 4],
                    b"REMB",
                    &[2, 1, 2, 3],
                    &1000u32.to_be_bytes(),
                    &1001u32.to_be_bytes(),
                ],
            );
            writer.packet(RTPFB, 15, &[&sender, &1000u32.to_be_bytes(), &[0; 8]]);
        }),
    );
    let got = rig.peers[CONSUMER].take_rtcp();
    let sender = 2000u32.to_be_bytes();
    let source = 200u32.to_be_bytes();
    let body = |parts: &[&[u8]]| parts.concat();
    assert_eq!(
        got,
        [
            (RR, 0, sender.to_vec()),
            // 65,534, and 1 and 3 behind it: 65,535 and 1.
            (
                RTPFB,
                1,
                body(&[&sender, &source, &65_534u16.to_be_bytes(), &mask])
            ),
            (PSFB, 1, body(&[&sender, &source])),
            (PSFB, 4, body(&[&sender, &[0; 4], &source, &[9, 0, 0, 0]])),
            (
                PSFB,
                15,
                body(&[&sender, &[0; 4], b"REMB", &[1, 1, 2, 3], &source])
            ),
        ]
    );
}

#[test]
fn clocks_are_compared_from_end_to_end() {
    let (mut rig, _) = speaking();
    // The consumer has an RTCP name, so that an answer can be for it.
    rig.send_rtcp(
        CONSUMER,
        &compound(|writer| {
            writer.receiver_report(200, std::iter::empty());
            writer.packet(XR, 0, &[&200u32.to_be_bytes(), &[4, 0, 0, 2], &[1; 8]]);
        }),
    );
    let got = rig.peers[BUSINESS].take_rtcp();
    let xr = got.iter().find(|packet| packet.0 == XR).unwrap();
    assert_eq!(
        xr.2,
        [&1000u32.to_be_bytes()[..], &[4, 0, 0, 2], &[1; 8]].concat()
    );

    rig.send_rtcp(
        BUSINESS,
        &compound(|writer| {
            let items = [1000u32, 77]
                .map(|ssrc| [&ssrc.to_be_bytes()[..], &[2; 8]].concat())
                .concat();
            writer.packet(XR, 0, &[&100u32.to_be_bytes(), &[5, 0, 0, 6], &items]);
            writer.packet(XR, 0, &[&100u32.to_be_bytes(), &[7, 0, 0, 1], &[3; 4]]);
        }),
    );
    let got = rig.peers[CONSUMER].take_rtcp();
    let answers: Vec<_> = got
        .iter()
        .filter(|packet| packet.0 == XR)
        .map(|packet| packet.2.clone())
        .collect();
    assert_eq!(
        answers,
        [[
            &2000u32.to_be_bytes()[..],
            &[5, 0, 0, 3],
            &200u32.to_be_bytes(),
            &[2; 8]
        ]
        .concat()]
    );
}

#[test]
fn goodbyes_go_out_once_for_each_output() {
    let (mut rig, _) = speaking();
    rig.send_rtcp(
        CONSUMER,
        &compound(|writer| {
            writer.receiver_report(200, std::iter::empty());
            writer.bye(200);
            writer.bye(201);
        }),
    );
    let byes: Vec<_> = rig.peers[BUSINESS]
        .take_rtcp()
        .into_iter()
        .filter(|packet| packet.0 == BYE)
        .map(|packet| word(&packet.2, 0))
        .collect();
    assert_eq!(byes, [Some(1000), Some(1001)]);
}

#[test]
fn what_names_nobody_goes_nowhere() {
    let (mut rig, _) = speaking();
    rig.send_rtcp(
        BUSINESS,
        &compound(|writer| {
            writer.receiver_report(100, [block(1, 1)].into_iter());
            writer.packet(204, 0, &[&100u32.to_be_bytes(), b"name"]);
            writer.packet(PSFB, 1, &[&100u32.to_be_bytes(), &1u32.to_be_bytes()]);
        }),
    );
    assert_eq!(rig.peers[CONSUMER].take_rtcp(), []);
}

#[test]
fn nothing_crosses_while_the_route_is_off() {
    let (mut rig, first) = speaking();
    rig.route(2, &[route(("k", "in"), ("b", "out"), false)]);
    rig.send_rtcp(
        CONSUMER,
        &compound(|writer| {
            writer.sender_report(&SenderInfo {
                ssrc: 200,
                ntp: 1,
                ts: 1,
                packets: 1,
                octets: 1,
            });
        }),
    );
    rig.send_rtcp(
        BUSINESS,
        &compound(|writer| {
            writer.receiver_report(100, [block(1000, first)].into_iter());
        }),
    );
    assert_eq!(rig.peers[BUSINESS].take_rtcp(), []);
    assert_eq!(rig.peers[CONSUMER].take_rtcp(), []);
    assert_eq!(
        accepted(&mut rig),
        [(1000, AcceptedBy::Rr)],
        "the proof counts all the same"
    );
}

#[test]
fn the_engine_reports_itself_while_nobody_forwards() {
    let mut rig = Rig::unrouted();
    let mut reports = Vec::new();
    for step in 0..600u16 {
        rig.send(
            BUSINESS,
            &Packet::audio(
                111,
                100,
                65_500u16.wrapping_add(step),
                u32::from(step) * 960,
            ),
        );
        if step == 100 {
            rig.send_rtcp(
                BUSINESS,
                &compound(|writer| {
                    writer.sender_report(&SenderInfo {
                        ssrc: 100,
                        ntp: 0x1111_2222_3333_4444,
                        ts: 1,
                        packets: 1,
                        octets: 1,
                    });
                }),
            );
        }
        rig.advance_ms(20);
        reports.extend(
            rig.peers[BUSINESS]
                .take_rtcp()
                .into_iter()
                .map(|packet| (step, packet)),
        );
    }
    let steps: Vec<_> = reports.iter().map(|(step, _)| *step).collect();
    assert_eq!(reports.len(), 3, "{steps:?}");
    assert!(
        steps[0] < 100 && steps[1] - steps[0] >= 250 && steps[2] - steps[1] >= 250,
        "{steps:?}"
    );
    let last = blocks(&[reports[2].1.clone()])[0];
    assert_eq!((last.ssrc, last.lost, last.last_sr), (100, 0, 0x2222_3333));
    assert_eq!(last.highest_seq, 65_500 + u32::from(steps[2]));
}

#[test]
fn a_forwarded_stream_is_left_to_its_receiver_unless_that_is_quiet() {
    let (mut rig, first) = speaking();
    let mut ours = Vec::new();
    for second in 0..24u16 {
        for step in 0..10 {
            let seq = 10 + second * 10 + step;
            rig.send(
                CONSUMER,
                &Packet::audio(109, 200, seq, u32::from(seq) * 960),
            );
        }
        if second % 5 == 0 && second < 10 {
            rig.send_rtcp(
                BUSINESS,
                &compound(|writer| {
                    writer.receiver_report(
                        100,
                        [block(1000, first.wrapping_add(20 + second * 10))].into_iter(),
                    );
                }),
            );
            rig.peers[CONSUMER].take_rtcp();
        }
        rig.advance_alive(1, &[BUSINESS, CONSUMER]);
        ours.extend(rig.peers[CONSUMER].take_rtcp().iter().map(|_| second));
    }
    assert_eq!(
        ours,
        [14],
        "ten seconds after the last one of second 5, within the sweep"
    );
}
