//! SRTP against the vectors of RFC 3711 appendix B, RFC 6188 7.2 and RFC 7714 16 and 17.

use pagecalls_media::srtp::kdf::{Label, SessionKeys, derive};
use pagecalls_media::srtp::{Inbound, Outbound, Profile, SrtpError};

const GALLIA: &str = "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976\
                      69736120696e207061727465732074726573";
const GALLIA_128: &str = "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd5\
                          0d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee439\
                          0cce";
const GALLIA_256: &str = "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab1801238\
                          9a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a7\
                          6c13";
const MARS: &str = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61\
                    deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
const MARS_128: &str = "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32d\
                        c676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf872\
                        45d9eade800005d4";
const MARS_256: &str = "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50\
                        a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6c\
                        b26ac3be800005d4";
/// Authenticated and left in clear: E flag 0.
const MARS_128_CLEAR: &str = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61\
                              deadbeefdeadbeefdeadbeefdeadbeefdeadbeef841dd9683dd78ec92ae58790\
                              125f62b3000005d4";
/// The SRTCP index in the vectors of RFC 7714 17.
const MARS_INDEX: usize = 0x5d4;

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

/// The session keys of RFC 7714 16 and 17.
fn aead_keys(profile: Profile) -> SessionKeys {
    SessionKeys {
        encryption: (0..profile.key_len() as u8).collect(),
        salt: b"Quid pro quo".to_vec(),
        authentication: Vec::new(),
    }
}

fn outbound(profile: Profile) -> Outbound {
    Outbound::from_session_keys(profile, &aead_keys(profile), &aead_keys(profile)).unwrap()
}

fn inbound(profile: Profile) -> Inbound {
    Inbound::from_session_keys(profile, &aead_keys(profile), &aead_keys(profile)).unwrap()
}

#[test]
fn aes_cm_keystream_rfc_3711_b_2() {
    let keys = SessionKeys {
        encryption: bytes("2B7E151628AED2A6ABF7158809CF4F3C"),
        salt: bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"),
        authentication: vec![0; 20],
    };
    let profile = Profile::Aes128CmSha1_80;
    let mut context = Outbound::from_session_keys(profile, &keys, &keys).unwrap();
    // Sequence number and SSRC zero, and a payload of zeros: what comes out is the key stream.
    let stream_len = 1_044_512;
    let mut packet = vec![0; 12 + stream_len + profile.rtp_overhead()];
    packet[0] = 0x80;
    context
        .protect_rtp(&mut packet, 12, 12 + stream_len)
        .unwrap();
    let stream = &packet[12..12 + stream_len];
    let first = "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB\
                 41E95B3BB0A2E8DD477901E4FCA894C0";
    let last = "EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE\
                6A2CC3787889374FBEB4C81B17BA6C44";
    assert_eq!(stream[..48], bytes(first));
    assert_eq!(stream[stream_len - 48..], bytes(last));
}

#[test]
fn key_derivation_rfc_3711_b_3() {
    let key = bytes("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = bytes("0EC675AD498AFEEBB6960B3AABE6");
    let derived = |label, len| derive(&key, &salt, label, len).unwrap();
    assert_eq!(
        derived(Label::RtpEncryption, 16),
        bytes("C61E7A93744F39EE10734AFE3FF7A087")
    );
    assert_eq!(
        derived(Label::RtpSalt, 14),
        bytes("30CBBC08863D8C85D49DB34A9AE1")
    );
    let authentication = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCE\
                          E049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC25\
                          6D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2";
    assert_eq!(derived(Label::RtpAuthentication, 94), bytes(authentication));
}

#[test]
fn key_derivation_with_256_bits_rfc_6188_7_2() {
    let key = bytes("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6");
    let salt = bytes("3b04803de51ee7c96423ab5b78d2");
    let derived = |label, len| derive(&key, &salt, label, len).unwrap();
    let encryption = "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4";
    assert_eq!(derived(Label::RtpEncryption, 32), bytes(encryption));
    assert_eq!(
        derived(Label::RtpSalt, 14),
        bytes("fa31791685ca444a9e07c6c64e93")
    );
    let authentication = "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05";
    assert_eq!(derived(Label::RtpAuthentication, 20), bytes(authentication));
}

#[test]
fn aead_rtp_rfc_7714_16() {
    for (profile, protected) in [
        (Profile::AeadAes128Gcm, GALLIA_128),
        (Profile::AeadAes256Gcm, GALLIA_256),
    ] {
        let plain = bytes(GALLIA);
        let mut packet = plain.clone();
        packet.resize(plain.len() + profile.rtp_overhead(), 0);
        let len = outbound(profile)
            .protect_rtp(&mut packet, 12, plain.len())
            .unwrap();
        assert_eq!(packet[..len], bytes(protected), "{profile:?}");

        let len = inbound(profile)
            .unprotect_rtp(&mut packet[..len], 12)
            .unwrap();
        assert_eq!(packet[..len], plain, "{profile:?}");
    }
}

#[test]
fn aead_rtcp_rfc_7714_17() {
    for (profile, protected) in [
        (Profile::AeadAes128Gcm, MARS_128),
        (Profile::AeadAes256Gcm, MARS_256),
    ] {
        let plain = bytes(MARS);
        let mut sender = outbound(profile);
        for _ in 0..MARS_INDEX {
            sender.protect_rtcp(&mut [0; 28], 8).unwrap();
        }
        let mut packet = plain.clone();
        packet.resize(plain.len() + profile.rtcp_overhead(), 0);
        let len = sender.protect_rtcp(&mut packet, plain.len()).unwrap();
        assert_eq!(packet[..len], bytes(protected), "{profile:?}");

        let len = inbound(profile).unprotect_rtcp(&mut packet[..len]).unwrap();
        assert_eq!(packet[..len], plain, "{profile:?}");
    }
}

#[test]
fn aead_rtcp_that_is_only_authenticated_rfc_7714_17_3() {
    let mut context = inbound(Profile::AeadAes128Gcm);
    let mut forged = bytes(MARS_128_CLEAR);
    forged[20] ^= 1;
    assert_eq!(
        context.unprotect_rtcp(&mut forged),
        Err(SrtpError::AuthenticationFailed)
    );

    let mut packet = bytes(MARS_128_CLEAR);
    let len = context.unprotect_rtcp(&mut packet).unwrap();
    assert_eq!(packet[..len], bytes(MARS));
}
