//! Any bytes as SRTP and SRTCP under all profiles: no panic, and nothing forged is believed.
//!
//! The first octet says how long the RTP header claims to be.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pagecalls_media::srtp::{Inbound, Outbound, Profile};

fuzz_target!(|input: &[u8]| {
    let Some((&header_len, packet)) = input.split_first() else {
        return;
    };
    for profile in Profile::OFFER_ORDER {
        let (key, salt) = (vec![1; profile.key_len()], vec![2; profile.salt_len()]);
        let mut inbound = Inbound::new(profile, &key, &salt).expect("lengths are the profile's");
        assert!(
            inbound
                .unprotect_rtp(&mut packet.to_vec(), header_len.into())
                .is_err()
        );
        assert!(inbound.unprotect_rtcp(&mut packet.to_vec()).is_err());

        // What goes out comes back.
        let mut outbound = Outbound::new(profile, &key, &salt).expect("lengths are the profile's");
        let mut buffer = packet.to_vec();
        buffer.resize(packet.len() + profile.rtcp_overhead(), 0);
        if let Ok(len) = outbound.protect_rtp(&mut buffer, header_len.into(), packet.len()) {
            assert_eq!(
                inbound.unprotect_rtp(&mut buffer[..len], header_len.into()),
                Ok(packet.len())
            );
            assert_eq!(&buffer[..packet.len()], packet);
        }
        buffer[..packet.len()].copy_from_slice(packet);
        if let Ok(len) = outbound.protect_rtcp(&mut buffer, packet.len()) {
            assert_eq!(inbound.unprotect_rtcp(&mut buffer[..len]), Ok(packet.len()));
            assert_eq!(&buffer[..packet.len()], packet);
        }
    }
});
