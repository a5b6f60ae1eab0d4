//! A packet goes out twice only as the very same packet, and what came twice can be read once more.

use std::collections::HashMap;

use pagecalls_media::srtp::{Inbound, Outbound, Profile, REMEMBERED, SrtpError};
use proptest::prelude::*;

const SSRC: u32 = 0x1122_3344;

fn pair(profile: Profile) -> (Outbound, Inbound) {
    let key = vec![7; profile.key_len()];
    let salt = vec![9; profile.salt_len()];
    let outbound = Outbound::new(profile, &key, &salt).unwrap();
    (outbound, Inbound::new(profile, &key, &salt).unwrap())
}

fn rtp(seq: u16, text: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(seq.to_be_bytes());
    packet.extend([0, 0, 3, 0xc0]);
    packet.extend(SSRC.to_be_bytes());
    packet.extend([text; 40]);
    packet
}

/// Protects a packet, for the first time or once more.
fn protect(sender: &mut Outbound, plain: &[u8], is_again: bool) -> Result<Vec<u8>, SrtpError> {
    let mut packet = plain.to_vec();
    packet.resize(plain.len() + 32, 0);
    let len = if is_again {
        let repeated = sender.repeat_rtp(&mut packet, 12, plain.len());
        if repeated == Err(SrtpError::Replayed) {
            assert!(
                packet.iter().all(|octet| *octet == 0),
                "nothing of it is left"
            );
        }
        repeated?
    } else {
        sender.protect_rtp(&mut packet, 12, plain.len())?
    };
    packet.truncate(len);
    Ok(packet)
}

#[test]
fn a_repeat_is_octet_for_octet_what_went_out() {
    for profile in Profile::OFFER_ORDER {
        let (mut sender, _) = pair(profile);
        sender.remember(SSRC);
        let sent: Vec<_> = (0..50)
            .map(|seq| protect(&mut sender, &rtp(seq, seq as u8), false).unwrap())
            .collect();
        for seq in 0..50 {
            let again = protect(&mut sender, &rtp(seq, seq as u8), true);
            assert_eq!(again.as_ref(), Ok(&sent[usize::from(seq)]));
            assert_eq!(
                protect(&mut sender, &rtp(seq, seq as u8), false),
                Err(SrtpError::Replayed)
            );
        }
        for octet in [0, 1, 4, 12, 30, 51] {
            let mut other = rtp(20, 20);
            other[octet] ^= 1;
            let refused = protect(&mut sender, &other, true);
            assert_eq!(
                refused,
                Err(SrtpError::Replayed),
                "{profile:?}, octet {octet}"
            );
        }
        let shorter = &rtp(20, 20)[..40];
        assert_eq!(
            protect(&mut sender, shorter, true),
            Err(SrtpError::Replayed)
        );
        assert_eq!(
            protect(&mut sender, &rtp(50, 0), true),
            Err(SrtpError::TooOld)
        );
    }
}

#[test]
fn what_was_sent_before_memory_began_stays_unknown() {
    let (mut sender, _) = pair(Profile::AeadAes128Gcm);
    protect(&mut sender, &rtp(100, 1), false).unwrap();
    sender.remember(SSRC);
    for seq in [99, 100] {
        assert_eq!(
            protect(&mut sender, &rtp(seq, 1), false),
            Err(SrtpError::TooOld)
        );
        assert_eq!(
            protect(&mut sender, &rtp(seq, 1), true),
            Err(SrtpError::TooOld)
        );
    }
    assert!(protect(&mut sender, &rtp(101, 1), false).is_ok());
    sender.forget_ssrc(SSRC);
    sender.remember(SSRC);
    for is_again in [false, true] {
        assert!(protect(&mut sender, &rtp(102, 1), is_again).is_err());
    }
}

#[test]
fn what_came_twice_is_read_once_more_and_nothing_else() {
    for profile in Profile::OFFER_ORDER {
        let (mut sender, mut receiver) = pair(profile);
        let packet = protect(&mut sender, &rtp(7, 1), false).unwrap();
        let again = |receiver: &mut Inbound, packet: &[u8]| {
            let mut packet = packet.to_vec();
            let len = receiver.unprotect_again(&mut packet, 12)?;
            Ok(packet[..len].to_vec())
        };
        assert_eq!(
            again(&mut receiver, &packet),
            Err(SrtpError::TooOld),
            "it never came"
        );
        receiver.unprotect_rtp(&mut packet.clone(), 12).unwrap();
        assert_eq!(again(&mut receiver, &packet), Ok(rtp(7, 1)));
        assert_eq!(again(&mut receiver, &packet), Ok(rtp(7, 1)));
        let mut forged = packet.clone();
        forged[20] ^= 1;
        assert_eq!(
            again(&mut receiver, &forged),
            Err(SrtpError::AuthenticationFailed)
        );
        assert_eq!(
            again(&mut receiver, &packet[..11]),
            Err(SrtpError::TooShort)
        );
    }
}

proptest! {
    /// Whatever is asked for in whatever order, no number ever goes out with two packets, and the last ones can all be had again.
    #[test]
    fn no_number_ever_has_two_packets(
        start in 0u64..70_000,
        asked in prop::collection::vec((-1_300i64..40, 0u8..2, any::<bool>()), 1..300),
    ) {
        let (mut sender, _) = pair(Profile::AeadAes128Gcm);
        sender.remember(SSRC);
        let mut sent: HashMap<u64, (u8, Vec<u8>)> = HashMap::new();
        let mut highest = start & 0x7fff;
        let first = rtp(highest as u16, 0);
        sent.insert(highest, (0, protect(&mut sender, &first, false).unwrap()));
        for (step, text, is_again) in asked {
            let number = highest.saturating_add_signed(step);
            let got = protect(&mut sender, &rtp(number as u16, text), is_again);
            let is_recent = number + REMEMBERED > highest;
            match sent.get(&number).filter(|_| is_recent) {
                Some((before, packet)) if is_again && *before == text => prop_assert_eq!(got.as_ref(), Ok(packet)),
                Some(_) => prop_assert_eq!(got, Err(SrtpError::Replayed)),
                None if is_again || !is_recent => prop_assert_eq!(got, Err(SrtpError::TooOld)),
                None => {
                    prop_assert!(got.is_ok());
                    sent.insert(number, (text, got.unwrap()));
                    highest = highest.max(number);
                }
            }
        }
    }
}
