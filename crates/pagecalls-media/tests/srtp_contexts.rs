//! What an SRTP context remembers, refuses and never changes without proof.

use pagecalls_media::srtp::{Inbound, MAX_INBOUND_SSRCS, Outbound, Profile, SrtpError};

const SSRC: u32 = 0x1122_3344;

fn pair(profile: Profile) -> (Outbound, Inbound) {
    let key = vec![7; profile.key_len()];
    let salt = vec![9; profile.salt_len()];
    let outbound = Outbound::new(profile, &key, &salt).unwrap();
    (outbound, Inbound::new(profile, &key, &salt).unwrap())
}

fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 111];
    packet.extend(seq.to_be_bytes());
    packet.extend([0, 0, 3, 0xc0]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(b"twenty ms of something");
    packet
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    packet
}

fn protect(sender: &mut Outbound, profile: Profile, plain: &[u8]) -> Vec<u8> {
    let mut packet = plain.to_vec();
    packet.resize(plain.len() + profile.rtp_overhead(), 0);
    let len = sender.protect_rtp(&mut packet, 12, plain.len()).unwrap();
    assert_eq!(len, packet.len());
    packet
}

fn protect_rtcp(sender: &mut Outbound, profile: Profile, plain: &[u8]) -> Vec<u8> {
    let mut packet = plain.to_vec();
    packet.resize(plain.len() + profile.rtcp_overhead(), 0);
    let len = sender.protect_rtcp(&mut packet, plain.len()).unwrap();
    assert_eq!(len, packet.len());
    packet
}

fn unprotect(receiver: &mut Inbound, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = packet.to_vec();
    let len = receiver.unprotect_rtp(&mut packet, 12)?;
    packet.truncate(len);
    Ok(packet)
}

fn unprotect_rtcp(receiver: &mut Inbound, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = packet.to_vec();
    let len = receiver.unprotect_rtcp(&mut packet)?;
    packet.truncate(len);
    Ok(packet)
}

#[test]
fn every_damaged_bit_is_noticed() {
    for profile in Profile::OFFER_ORDER {
        let (mut sender, mut receiver) = pair(profile);
        let plain = rtp(SSRC, 10);
        let good = protect(&mut sender, profile, &plain);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let result = unprotect(&mut receiver, &bad);
            assert_eq!(
                result,
                Err(SrtpError::AuthenticationFailed),
                "{profile:?} bit {bit}"
            );
        }
        assert_eq!(
            unprotect(&mut receiver, &good).unwrap(),
            plain,
            "nothing was learnt from forgeries"
        );

        let plain = rtcp(SSRC);
        let good = protect_rtcp(&mut sender, profile, &plain);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let result = unprotect_rtcp(&mut receiver, &bad);
            assert_eq!(
                result,
                Err(SrtpError::AuthenticationFailed),
                "{profile:?} RTCP bit {bit}"
            );
        }
        assert_eq!(unprotect_rtcp(&mut receiver, &good).unwrap(), plain);
    }
}

#[test]
fn a_packet_is_believed_once() {
    for profile in Profile::OFFER_ORDER {
        let (mut sender, mut receiver) = pair(profile);
        let packet = protect(&mut sender, profile, &rtp(SSRC, 10));
        unprotect(&mut receiver, &packet).unwrap();
        assert_eq!(unprotect(&mut receiver, &packet), Err(SrtpError::Replayed));

        let packet = protect_rtcp(&mut sender, profile, &rtcp(SSRC));
        unprotect_rtcp(&mut receiver, &packet).unwrap();
        assert_eq!(
            unprotect_rtcp(&mut receiver, &packet),
            Err(SrtpError::Replayed)
        );
    }
}

#[test]
fn forged_numbers_do_not_move_the_rollover_counter() {
    for profile in Profile::OFFER_ORDER {
        let (mut sender, mut receiver) = pair(profile);
        let first = protect(&mut sender, profile, &rtp(SSRC, 40_000));
        unprotect(&mut receiver, &first).unwrap();
        let second = protect(&mut sender, profile, &rtp(SSRC, 40_001));
        let mut forged = second.clone();
        forged[2..4].copy_from_slice(&5u16.to_be_bytes()); // would be the next round
        assert_eq!(
            unprotect(&mut receiver, &forged),
            Err(SrtpError::AuthenticationFailed)
        );
        assert_eq!(
            unprotect(&mut receiver, &second).unwrap(),
            rtp(SSRC, 40_001)
        );
    }
}

#[test]
fn a_number_is_sent_once_even_behind_a_wrap() {
    for profile in Profile::OFFER_ORDER {
        let (mut sender, mut receiver) = pair(profile);
        let mut send = |seq| {
            let mut buffer = rtp(SSRC, seq);
            let len = buffer.len();
            buffer.resize(len + profile.rtp_overhead(), 0);
            sender
                .protect_rtp(&mut buffer, 12, len)
                .map(|len| buffer[..len].to_vec())
        };
        let first: Vec<_> = [65_530, 3, 65_529].map(|seq| send(seq).unwrap()).into();
        for seq in [65_530, 3, 65_529] {
            assert_eq!(send(seq), Err(SrtpError::Replayed));
        }
        let last = send(200).unwrap();
        assert_eq!(send(72), Err(SrtpError::TooOld), "nobody knows any more");
        let late = send(73).unwrap();
        for (packet, seq) in first
            .iter()
            .chain([&last, &late])
            .zip([65_530, 3, 65_529, 200, 73])
        {
            // 65,529 comes to the receiver in order; after 200 its window would have gone on.
            assert_eq!(unprotect(&mut receiver, packet).unwrap(), rtp(SSRC, seq));
        }
    }
}

#[test]
fn csrcs_and_extension_stay_in_clear_and_are_authenticated() {
    for profile in Profile::OFFER_ORDER {
        let (mut sender, mut receiver) = pair(profile);
        let mut plain = rtp(SSRC, 10);
        plain[0] = 0x91; // one CSRC and an extension of one word
        let header_len = 12 + 4 + 4 + 4;
        plain.splice(
            12..12,
            (0..12).map(|octet| if octet == 7 { 1 } else { octet }),
        );
        let len = plain.len();
        let mut packet = plain.clone();
        packet.resize(len + profile.rtp_overhead(), 0);
        sender.protect_rtp(&mut packet, header_len, len).unwrap();
        assert_eq!(packet[..header_len], plain[..header_len]);
        assert_ne!(packet[header_len..len], plain[header_len..]);

        let mut forged = packet.clone();
        forged[20] ^= 1;
        let result = receiver.unprotect_rtp(&mut forged, header_len);
        assert_eq!(result, Err(SrtpError::AuthenticationFailed));
        assert_eq!(receiver.unprotect_rtp(&mut packet, header_len), Ok(len));
        assert_eq!(packet[..len], plain);
    }
}

#[test]
fn empty_payloads_are_packets_too() {
    for profile in Profile::OFFER_ORDER {
        let (mut sender, mut receiver) = pair(profile);
        let plain = &rtp(SSRC, 1)[..12];
        let packet = protect(&mut sender, profile, plain);
        assert_eq!(unprotect(&mut receiver, &packet).unwrap(), plain);
    }
}

#[test]
fn short_packets_and_short_buffers_are_errors() {
    for profile in Profile::OFFER_ORDER {
        let (mut sender, mut receiver) = pair(profile);
        let plain = rtp(SSRC, 1);
        for len in 0..12 + profile.rtp_overhead() {
            let mut packet = vec![0x80; len];
            assert_eq!(
                receiver.unprotect_rtp(&mut packet, 12),
                Err(SrtpError::TooShort)
            );
        }
        for len in 0..8 + profile.rtcp_overhead() {
            let mut packet = vec![0x80; len];
            assert_eq!(
                receiver.unprotect_rtcp(&mut packet),
                Err(SrtpError::TooShort)
            );
        }
        let packet = protect(&mut sender, profile, &plain);
        let beyond = plain.len() + 1;
        assert_eq!(
            receiver.unprotect_rtp(&mut packet.clone(), beyond),
            Err(SrtpError::TooShort)
        );
        assert_eq!(
            receiver.unprotect_rtp(&mut packet.clone(), 11),
            Err(SrtpError::TooShort)
        );

        let (mut sender, _) = pair(profile);
        let mut tight = plain.clone();
        tight.resize(plain.len() + profile.rtp_overhead() - 1, 0);
        assert_eq!(
            sender.protect_rtp(&mut tight, 12, plain.len()),
            Err(SrtpError::NoRoom)
        );
        assert_eq!(
            sender.protect_rtp(&mut tight, 12, 1000),
            Err(SrtpError::NoRoom)
        );
        assert_eq!(
            sender.protect_rtp(&mut tight, 12, 11),
            Err(SrtpError::TooShort)
        );
        assert_eq!(sender.protect_rtp(&mut [], 12, 12), Err(SrtpError::NoRoom));
        assert_eq!(
            sender.protect_rtp(&mut tight, plain.len() + 1, plain.len()),
            Err(SrtpError::TooShort)
        );
        assert_eq!(sender.protect_rtcp(&mut [0; 8], 8), Err(SrtpError::NoRoom));
        assert_eq!(
            sender.protect_rtcp(&mut [0; 80], 7),
            Err(SrtpError::TooShort)
        );
    }
}

#[test]
fn keys_of_wrong_length_are_refused() {
    for profile in Profile::OFFER_ORDER {
        let (key, salt) = (vec![0; profile.key_len()], vec![0; profile.salt_len()]);
        assert!(Inbound::new(profile, &key[1..], &salt).is_err());
        assert!(Inbound::new(profile, &key, &salt[1..]).is_err());
        assert!(Outbound::new(profile, &[&key[..], &[0]].concat(), &salt).is_err());
        assert!(Outbound::new(profile, &key, &[&salt[..], &[0]].concat()).is_err());
    }
}

#[test]
fn a_forgotten_ssrc_is_never_used_again() {
    let profile = Profile::AeadAes128Gcm;
    let (mut sender, _) = pair(profile);
    protect(&mut sender, profile, &rtp(SSRC, 1));
    protect(&mut sender, profile, &rtp(SSRC + 1, 1));
    sender.forget_ssrc(SSRC);
    let mut packet = rtp(SSRC, 2);
    packet.resize(200, 0);
    assert_eq!(
        sender.protect_rtp(&mut packet, 12, 34),
        Err(SrtpError::Retired)
    );
    protect(&mut sender, profile, &rtp(SSRC + 1, 2));
    // One that never sent anything has nothing to protect.
    sender.forget_ssrc(SSRC + 2);
    protect(&mut sender, profile, &rtp(SSRC + 2, 1));
}

#[test]
fn rtcp_indices_are_never_used_twice_whatever_is_forgotten() {
    let profile = Profile::AeadAes128Gcm;
    let (mut sender, mut receiver) = pair(profile);
    let mut seen = Vec::new();
    for round in 0..4 {
        let packet = protect_rtcp(&mut sender, profile, &rtcp(SSRC + round % 2));
        seen.push(packet[packet.len() - 4..].to_vec());
        unprotect_rtcp(&mut receiver, &packet).unwrap();
        sender.forget_ssrc(SSRC);
    }
    let indices: Vec<Vec<u8>> = (0..4).map(|index| vec![0x80, 0, 0, index]).collect();
    assert_eq!(seen, indices);
}

#[test]
fn a_flood_of_ssrcs_pushes_out_the_longest_silent_only() {
    let profile = Profile::Aes128CmSha1_80;
    let (mut sender, mut receiver) = pair(profile);
    let quiet = protect(&mut sender, profile, &rtp(1, 7));
    unprotect(&mut receiver, &quiet).unwrap();
    let busy = protect(&mut sender, profile, &rtp(2, 7));
    unprotect(&mut receiver, &busy).unwrap();
    for round in 0..3 * MAX_INBOUND_SSRCS as u32 {
        let flood = protect(&mut sender, profile, &rtp(1000 + round, 1));
        unprotect(&mut receiver, &flood).unwrap();
        let talk = protect(&mut sender, profile, &rtp(2, 8 + round as u16));
        unprotect(&mut receiver, &talk).unwrap();
    }
    assert_eq!(
        unprotect(&mut receiver, &busy),
        Err(SrtpError::TooOld),
        "still known"
    );
    assert!(unprotect(&mut receiver, &quiet).is_ok(), "was forgotten");
}

#[test]
fn forged_ssrcs_take_no_memory_from_true_ones() {
    let profile = Profile::AeadAes256Gcm;
    let (mut sender, mut receiver) = pair(profile);
    let packet = protect(&mut sender, profile, &rtp(SSRC, 7));
    unprotect(&mut receiver, &packet).unwrap();
    for ssrc in 0..10 * MAX_INBOUND_SSRCS as u32 {
        let mut forged = packet.clone();
        forged[8..12].copy_from_slice(&ssrc.to_be_bytes());
        assert_eq!(
            unprotect(&mut receiver, &forged),
            Err(SrtpError::AuthenticationFailed)
        );
    }
    assert_eq!(unprotect(&mut receiver, &packet), Err(SrtpError::Replayed));
}

#[test]
fn the_directions_of_a_profile_differ_from_each_other() {
    for profile in Profile::OFFER_ORDER {
        let (mut sender, _) = pair(profile);
        let key = vec![8; profile.key_len()];
        let mut receiver = Inbound::new(profile, &key, &vec![9; profile.salt_len()]).unwrap();
        let packet = protect(&mut sender, profile, &rtp(SSRC, 1));
        assert_eq!(
            unprotect(&mut receiver, &packet),
            Err(SrtpError::AuthenticationFailed)
        );
    }
}
