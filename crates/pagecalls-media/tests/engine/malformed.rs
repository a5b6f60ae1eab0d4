//! Bytes from a peer, or from nobody, that mean nothing: no panic, no state, no answer that was not asked for.

use proptest::prelude::*;

use pagecalls_media::path::Path;
use pagecalls_media::protocol::{DtlsState, Event, Why};
use pagecalls_media::{demux, rtcp, rtp};

use crate::rig::{BUSINESS, CONSUMER, Packet, Rig};

/// Nothing of the engine's own making has failed.
fn assert_sound(rig: &mut Rig) {
    for event in rig.take_events() {
        assert!(
            !matches!(&event, Event::LegFailed(failed) if failed.why == Why::Internal),
            "{event:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_datagram_from_a_strangers_address(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..50)) {
        let mut rig = Rig::call();
        for datagram in &datagrams {
            rig.datagram_from(Path::udp(0, "203.0.113.66:1".parse().unwrap()), datagram);
        }
        assert_sound(&mut rig);
        prop_assert!(rig.stats().iter().all(|leg| leg.dtls == DtlsState::Connected));
    }

    #[test]
    fn any_datagram_from_a_peers_address(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..50)) {
        let mut rig = Rig::call();
        for datagram in &datagrams {
            rig.datagram(CONSUMER, datagram);
        }
        assert_sound(&mut rig);
        rig.send(CONSUMER, &Packet::audio(109, 200, 1, 0));
        let is_up = rig.stats().iter().any(|leg| leg.leg == "k" && leg.dtls == DtlsState::Connected);
        prop_assert_eq!(rig.peers[BUSINESS].take().len(), usize::from(is_up));
    }

    #[test]
    fn any_authentic_rtcp(bodies in prop::collection::vec((200u8..=207, 0u8..32, prop::collection::vec(any::<u8>(), 0..60)), 1..20)) {
        let mut rig = Rig::call();
        rig.send(CONSUMER, &Packet::audio(109, 200, 1, 0));
        rig.send(BUSINESS, &Packet::audio(111, 100, 1, 0));
        let mut compound = vec![0x80, 201, 0, 1, 0, 0, 0, 100];
        for (kind, count, mut body) in bodies {
            body.resize(body.len().next_multiple_of(4), 0);
            // Some of it names streams that exist.
            for at in (0..body.len()).step_by(8) {
                body[at..at + 4].copy_from_slice(&1000u32.to_be_bytes());
            }
            compound.extend([0x80 | count, kind, 0, (body.len() / 4) as u8]);
            compound.extend(body);
        }
        rig.send_rtcp(BUSINESS, &compound);
        rig.send_rtcp(CONSUMER, &compound);
        assert_sound(&mut rig);
    }

    #[test]
    fn any_authentic_rtp(packets in prop::collection::vec((any::<u8>(), any::<u16>(), any::<u32>(), 0u32..4, prop::collection::vec(any::<u8>(), 0..60)), 1..50)) {
        let mut rig = Rig::call();
        for (kind, seq, ts, ssrc, payload) in packets {
            let mut packet = Packet::audio(if kind < 200 { 109 } else { 101 }, 200 + ssrc, seq, ts).with_payload(&payload);
            packet.padding = kind % 5 == 0;
            packet.marker = kind % 3 == 0;
            rig.send_if_new(CONSUMER, &packet);
        }
        rig.advance_ms(2_000);
        assert_sound(&mut rig);
    }

    #[test]
    fn any_bytes_that_are_authentic(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 12..120), 1..50)) {
        let mut rig = Rig::call();
        for mut bytes in packets {
            // An RTP header of a stream that exists; all else is as it comes.
            bytes[0] = 0x80 | bytes[0] & 0x3f;
            bytes[1] = if bytes[1] < 0x80 { 109 } else { 0x80 + 109 };
            bytes[8..12].copy_from_slice(&200u32.to_be_bytes());
            if let Some(packet) = rig.peers[CONSUMER].encrypt_bytes(&bytes) {
                rig.datagram(CONSUMER, &packet);
            }
        }
        assert_sound(&mut rig);
        prop_assert!(rig.stats().iter().all(|leg| leg.dtls == DtlsState::Connected));
    }

    #[test]
    fn parsers_take_anything(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = demux::classify(&bytes);
        for packet in rtcp::packets(&bytes) {
            let _ = rtcp::report_blocks(&packet).count() + rtcp::bye_ssrcs(&packet).count();
            let _ = rtcp::SenderInfo::parse(packet.body);
        }
        if let Some(header) = rtp::Header::parse(&bytes) {
            prop_assert!(header.len <= bytes.len());
            for (_, value) in header.extensions(&bytes) {
                prop_assert!(value.len() <= 255);
            }
        }
    }
}
