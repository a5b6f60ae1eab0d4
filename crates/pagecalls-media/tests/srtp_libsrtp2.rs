//! SRTP against libsrtp2, both ways, over loss, reordering, wraps and high rollover counters.

mod libsrtp2;

use std::collections::HashMap;

use libsrtp2::{Oracle, REPLAY_FAIL, REPLAY_OLD};
use pagecalls_media::srtp::{Inbound, Outbound, Profile, SrtpError};
use proptest::prelude::*;

const SSRC: u32 = 0xcafe_babe;
const HEADER_LEN: usize = 12;

fn rtp(index: u64, payload_len: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend((index as u16).to_be_bytes());
    packet.extend((index as u32).wrapping_mul(960).to_be_bytes());
    packet.extend(SSRC.to_be_bytes());
    packet.extend((0..payload_len).map(|at| at as u8 ^ index as u8));
    packet
}

fn rtcp(ssrc: u32, words: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 201];
    packet.extend((1 + words as u16).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend((0..words * 4).map(|at| at as u8));
    packet
}

fn ours_protect(
    sender: &mut Outbound,
    profile: Profile,
    plain: &[u8],
) -> Result<Vec<u8>, SrtpError> {
    let mut packet = plain.to_vec();
    packet.resize(plain.len() + profile.rtp_overhead(), 0);
    let len = sender.protect_rtp(&mut packet, HEADER_LEN, plain.len())?;
    packet.truncate(len);
    Ok(packet)
}

#[derive(Debug, Clone)]
struct Keys {
    profile: Profile,
    key: Vec<u8>,
    salt: Vec<u8>,
}

fn keys() -> impl Strategy<Value = Keys> {
    let profile = prop::sample::select(Profile::OFFER_ORDER.to_vec());
    (profile, any::<[u8; 32]>(), any::<[u8; 14]>()).prop_map(|(profile, key, salt)| Keys {
        profile,
        key: key[..profile.key_len()].to_vec(),
        salt: salt[..profile.salt_len()].to_vec(),
    })
}

/// How a stream's indices go on: mostly by one, at times over a gap, backwards or the same again.
fn steps() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![
        8 => Just(1i64),
        2 => 2i64..40,
        2 => -150i64..1,
        1 => 1000i64..30_000,
    ];
    prop::collection::vec(step, 1..120)
}

/// Indices from steps: each counts from the highest so far.
fn indices(first: u16, steps: &[i64]) -> Vec<u64> {
    let mut highest = u64::from(first);
    let mut all = vec![highest];
    for step in steps {
        let index = highest.saturating_add_signed(*step);
        highest = highest.max(index);
        all.push(index);
    }
    all
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// What we protect is octet for octet what libsrtp2 makes of it, late packets included; and both refuse the same numbers.
    #[test]
    fn ours_equals_theirs(keys in keys(), first in any::<u16>(), steps in steps(), payload in 0usize..300) {
        let mut oracle = Oracle::outbound(keys.profile, &keys.key, &keys.salt);
        let mut sender = Outbound::new(keys.profile, &keys.key, &keys.salt).unwrap();
        for index in indices(first, &steps) {
            let plain = rtp(index, payload);
            let ours = ours_protect(&mut sender, keys.profile, &plain);
            let ours = ours.map_err(|error| match error {
                SrtpError::Replayed => REPLAY_FAIL,
                SrtpError::TooOld => REPLAY_OLD,
                _ => panic!("{error}"),
            });
            prop_assert_eq!(ours, oracle.protect(&plain));
        }
    }

    /// We and libsrtp2 believe and refuse the same packets of a stream that loses, repeats and reorders.
    #[test]
    fn we_believe_what_they_believe(keys in keys(), first in any::<u16>(), steps in steps(), payload in 0usize..300) {
        let mut sender = Outbound::new(keys.profile, &keys.key, &keys.salt).unwrap();
        let mut oracle = Oracle::inbound(keys.profile, &keys.key, &keys.salt);
        let mut receiver = Inbound::new(keys.profile, &keys.key, &keys.salt).unwrap();
        let mut sent = HashMap::new();
        for index in indices(first, &steps) {
            let plain = rtp(index, payload);
            // What goes out once more is what went out, as the network repeats it.
            if let Ok(packet) = ours_protect(&mut sender, keys.profile, &plain) {
                sent.insert(index, packet);
            }
            let Some(packet) = sent.get(&index) else { continue };
            let theirs = oracle.unprotect(packet);
            let mut ours = packet.clone();
            match receiver.unprotect_rtp(&mut ours, HEADER_LEN) {
                Ok(len) => {
                    prop_assert_eq!(&ours[..len], &plain[..]);
                    prop_assert_eq!(theirs, Ok(plain));
                }
                Err(_) => prop_assert!(matches!(theirs, Err(REPLAY_FAIL | REPLAY_OLD)), "{:?}", theirs),
            }
        }
    }

    /// A forged packet is refused by both, whatever octet is touched.
    #[test]
    fn forgeries_are_refused(keys in keys(), seq in any::<u16>(), at in 0usize..60, bit in 0u8..8) {
        let mut oracle = Oracle::outbound(keys.profile, &keys.key, &keys.salt);
        let mut packet = oracle.protect(&rtp(u64::from(seq), 60)).unwrap();
        packet[at] ^= 1 << bit;
        let mut receiver = Inbound::new(keys.profile, &keys.key, &keys.salt).unwrap();
        prop_assert!(receiver.unprotect_rtp(&mut packet, HEADER_LEN).is_err());
    }

    /// SRTCP of libsrtp2 to us, with losses and from several SSRCs.
    #[test]
    fn their_rtcp_reaches_us(keys in keys(), kept in prop::collection::vec(any::<bool>(), 1..40), words in 0usize..20) {
        let mut oracle = Oracle::outbound(keys.profile, &keys.key, &keys.salt);
        let mut receiver = Inbound::new(keys.profile, &keys.key, &keys.salt).unwrap();
        for (number, keep) in kept.into_iter().enumerate() {
            let plain = rtcp(SSRC + number as u32 % 3, words);
            let mut packet = oracle.protect_rtcp(&plain).unwrap();
            if keep {
                let len = receiver.unprotect_rtcp(&mut packet).unwrap();
                prop_assert_eq!(&packet[..len], &plain[..]);
            }
        }
    }

    /// Our SRTCP to libsrtp2, with losses and from several SSRCs.
    #[test]
    fn our_rtcp_reaches_them(keys in keys(), kept in prop::collection::vec(any::<bool>(), 1..40), words in 0usize..20) {
        let mut sender = Outbound::new(keys.profile, &keys.key, &keys.salt).unwrap();
        let mut oracle = Oracle::inbound(keys.profile, &keys.key, &keys.salt);
        for (number, keep) in kept.into_iter().enumerate() {
            let plain = rtcp(SSRC + number as u32 % 3, words);
            let mut packet = plain.clone();
            packet.resize(plain.len() + keys.profile.rtcp_overhead(), 0);
            let len = sender.protect_rtcp(&mut packet, plain.len()).unwrap();
            if keep {
                prop_assert_eq!(oracle.unprotect_rtcp(&packet[..len]), Ok(plain));
            }
        }
    }
}

/// Three rounds of sequence numbers in both directions, so that the rollover counter counts.
#[test]
fn both_follow_three_wraps() {
    for profile in Profile::OFFER_ORDER {
        let (key, salt) = (vec![3; profile.key_len()], vec![5; profile.salt_len()]);
        let mut sender = Outbound::new(profile, &key, &salt).unwrap();
        let mut receiver = Inbound::new(profile, &key, &salt).unwrap();
        let all = (60_000u64..3 << 16).step_by(97);
        {
            let mut oracle = Oracle::outbound(profile, &key, &salt);
            for index in all.clone() {
                let mut packet = oracle.protect(&rtp(index, 20)).unwrap();
                assert_eq!(
                    receiver.unprotect_rtp(&mut packet, HEADER_LEN),
                    Ok(32),
                    "{profile:?} {index}"
                );
            }
        }
        let mut oracle = Oracle::inbound(profile, &key, &salt);
        for index in all {
            let plain = rtp(index, 20);
            let packet = ours_protect(&mut sender, profile, &plain).unwrap();
            assert_eq!(oracle.unprotect(&packet), Ok(plain), "{profile:?} {index}");
        }
    }
}
