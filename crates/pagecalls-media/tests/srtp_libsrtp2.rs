//! SRTP against libsrtp2, both ways, over loss, reordering, wraps and high rollover counters.
//!
//! The library is an oracle of this test and of nothing else.

use std::collections::HashMap;
use std::ffi::{c_int, c_ulong, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Mutex, MutexGuard, Once};

use pagecalls_media::srtp::{Inbound, Outbound, Profile, SrtpError};
use proptest::prelude::*;

/// `srtp_crypto_policy_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct CryptoPolicy {
    cipher_type: u32,
    cipher_key_len: c_int,
    auth_type: u32,
    auth_key_len: c_int,
    auth_tag_len: c_int,
    sec_serv: c_int,
}

/// `srtp_policy_t`; its `ssrc` is a kind and a value.
#[repr(C)]
struct Policy {
    ssrc_kind: c_int,
    ssrc_value: u32,
    rtp: CryptoPolicy,
    rtcp: CryptoPolicy,
    key: *mut u8,
    keys: *mut c_void,
    num_master_keys: c_ulong,
    deprecated_ekt: *mut c_void,
    window_size: c_ulong,
    allow_repeat_tx: c_int,
    enc_xtn_hdr: *mut c_int,
    enc_xtn_hdr_count: c_int,
    next: *mut Policy,
}

#[link(name = "srtp2")]
unsafe extern "C" {
    fn srtp_init() -> c_int;
    fn srtp_create(session: *mut *mut c_void, policy: *const Policy) -> c_int;
    fn srtp_dealloc(session: *mut c_void) -> c_int;
    fn srtp_protect(session: *mut c_void, packet: *mut c_void, len: *mut c_int) -> c_int;
    fn srtp_unprotect(session: *mut c_void, packet: *mut c_void, len: *mut c_int) -> c_int;
    fn srtp_protect_rtcp(session: *mut c_void, packet: *mut c_void, len: *mut c_int) -> c_int;
    fn srtp_unprotect_rtcp(session: *mut c_void, packet: *mut c_void, len: *mut c_int) -> c_int;
    fn srtp_crypto_policy_set_rtp_default(policy: *mut CryptoPolicy);
    fn srtp_crypto_policy_set_aes_gcm_128_16_auth(policy: *mut CryptoPolicy);
    fn srtp_crypto_policy_set_aes_gcm_256_16_auth(policy: *mut CryptoPolicy);
}

const OK: c_int = 0;
const REPLAY_FAIL: c_int = 9;
const REPLAY_OLD: c_int = 10;
const ANY_INBOUND: c_int = 2;
const ANY_OUTBOUND: c_int = 3;
const SSRC: u32 = 0xcafe_babe;
const HEADER_LEN: usize = 12;

/// One direction of libsrtp2. The library keeps global state, so its users take turns.
struct Oracle {
    session: *mut c_void,
    _turn: MutexGuard<'static, ()>,
}

type Call = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_int) -> c_int;

impl Oracle {
    fn new(profile: Profile, key: &[u8], salt: &[u8], kind: c_int) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        static INIT: Once = Once::new();
        let turn = TURN
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // SAFETY: called once, and before anything else of the library.
        INIT.call_once(|| assert_eq!(unsafe { srtp_init() }, OK));
        let crypto = crypto_policy(profile);
        let mut master = [key, salt].concat();
        let policy = Policy {
            ssrc_kind: kind,
            ssrc_value: 0,
            rtp: crypto,
            rtcp: crypto,
            key: master.as_mut_ptr(),
            keys: ptr::null_mut(),
            num_master_keys: 0,
            deprecated_ekt: ptr::null_mut(),
            window_size: 128,
            allow_repeat_tx: 0,
            enc_xtn_hdr: ptr::null_mut(),
            enc_xtn_hdr_count: 0,
            next: ptr::null_mut(),
        };
        let mut session = ptr::null_mut();
        // SAFETY: the policy is laid out as the header says and outlives the call, which copies what it needs.
        assert_eq!(
            unsafe { srtp_create(&raw mut session, &raw const policy) },
            OK
        );
        Self {
            session,
            _turn: turn,
        }
    }

    fn call(&mut self, call: Call, packet: &[u8]) -> Result<Vec<u8>, c_int> {
        // Room for the longest trailer there is, in words, as the library wants it.
        let mut words = vec![0u32; packet.len().div_ceil(4) + 64];
        let mut len = c_int::try_from(packet.len()).unwrap();
        // SAFETY: the session lives, and the buffer is longer than packet and trailer.
        let status = unsafe {
            let buffer = words.as_mut_ptr().cast::<u8>();
            ptr::copy_nonoverlapping(packet.as_ptr(), buffer, packet.len());
            call(self.session, buffer.cast(), &raw mut len)
        };
        if status != OK {
            return Err(status);
        }
        let out: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        Ok(out[..usize::try_from(len).unwrap()].to_vec())
    }

    fn protect(&mut self, packet: &[u8]) -> Vec<u8> {
        self.call(srtp_protect, packet).unwrap()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // SAFETY: the session came from `srtp_create` and is used nowhere else.
        unsafe { srtp_dealloc(self.session) };
    }
}

fn crypto_policy(profile: Profile) -> CryptoPolicy {
    let mut policy = MaybeUninit::uninit();
    // SAFETY: each of these fills the whole structure.
    unsafe {
        match profile {
            Profile::AeadAes128Gcm => {
                srtp_crypto_policy_set_aes_gcm_128_16_auth(policy.as_mut_ptr());
            }
            Profile::AeadAes256Gcm => {
                srtp_crypto_policy_set_aes_gcm_256_16_auth(policy.as_mut_ptr());
            }
            Profile::Aes128CmSha1_80 => srtp_crypto_policy_set_rtp_default(policy.as_mut_ptr()),
        }
        policy.assume_init()
    }
}

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
        let mut oracle = Oracle::new(keys.profile, &keys.key, &keys.salt, ANY_OUTBOUND);
        let mut sender = Outbound::new(keys.profile, &keys.key, &keys.salt).unwrap();
        for index in indices(first, &steps) {
            let plain = rtp(index, payload);
            let ours = ours_protect(&mut sender, keys.profile, &plain);
            let ours = ours.map_err(|error| match error {
                SrtpError::Replayed => REPLAY_FAIL,
                SrtpError::TooOld => REPLAY_OLD,
                _ => panic!("{error}"),
            });
            prop_assert_eq!(ours, oracle.call(srtp_protect, &plain));
        }
    }

    /// We and libsrtp2 believe and refuse the same packets of a stream that loses, repeats and reorders.
    #[test]
    fn we_believe_what_they_believe(keys in keys(), first in any::<u16>(), steps in steps(), payload in 0usize..300) {
        let mut sender = Outbound::new(keys.profile, &keys.key, &keys.salt).unwrap();
        let mut oracle = Oracle::new(keys.profile, &keys.key, &keys.salt, ANY_INBOUND);
        let mut receiver = Inbound::new(keys.profile, &keys.key, &keys.salt).unwrap();
        let mut sent = HashMap::new();
        for index in indices(first, &steps) {
            let plain = rtp(index, payload);
            // What goes out once more is what went out, as the network repeats it.
            if let Ok(packet) = ours_protect(&mut sender, keys.profile, &plain) {
                sent.insert(index, packet);
            }
            let Some(packet) = sent.get(&index) else { continue };
            let theirs = oracle.call(srtp_unprotect, packet);
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
        let mut oracle = Oracle::new(keys.profile, &keys.key, &keys.salt, ANY_OUTBOUND);
        let mut packet = oracle.protect(&rtp(u64::from(seq), 60));
        packet[at] ^= 1 << bit;
        let mut receiver = Inbound::new(keys.profile, &keys.key, &keys.salt).unwrap();
        prop_assert!(receiver.unprotect_rtp(&mut packet, HEADER_LEN).is_err());
    }

    /// SRTCP of libsrtp2 to us, with losses and from several SSRCs.
    #[test]
    fn their_rtcp_reaches_us(keys in keys(), kept in prop::collection::vec(any::<bool>(), 1..40), words in 0usize..20) {
        let mut oracle = Oracle::new(keys.profile, &keys.key, &keys.salt, ANY_OUTBOUND);
        let mut receiver = Inbound::new(keys.profile, &keys.key, &keys.salt).unwrap();
        for (number, keep) in kept.into_iter().enumerate() {
            let plain = rtcp(SSRC + number as u32 % 3, words);
            let mut packet = oracle.call(srtp_protect_rtcp, &plain).unwrap();
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
        let mut oracle = Oracle::new(keys.profile, &keys.key, &keys.salt, ANY_INBOUND);
        for (number, keep) in kept.into_iter().enumerate() {
            let plain = rtcp(SSRC + number as u32 % 3, words);
            let mut packet = plain.clone();
            packet.resize(plain.len() + keys.profile.rtcp_overhead(), 0);
            let len = sender.protect_rtcp(&mut packet, plain.len()).unwrap();
            if keep {
                prop_assert_eq!(oracle.call(srtp_unprotect_rtcp, &packet[..len]), Ok(plain));
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
            let mut oracle = Oracle::new(profile, &key, &salt, ANY_OUTBOUND);
            for index in all.clone() {
                let mut packet = oracle.protect(&rtp(index, 20));
                assert_eq!(
                    receiver.unprotect_rtp(&mut packet, HEADER_LEN),
                    Ok(32),
                    "{profile:?} {index}"
                );
            }
        }
        let mut oracle = Oracle::new(profile, &key, &salt, ANY_INBOUND);
        for index in all {
            let plain = rtp(index, 20);
            let packet = ours_protect(&mut sender, profile, &plain).unwrap();
            assert_eq!(
                oracle.call(srtp_unprotect, &packet),
                Ok(plain),
                "{profile:?} {index}"
            );
        }
    }
}
