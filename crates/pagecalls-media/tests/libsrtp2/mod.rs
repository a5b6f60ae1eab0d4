//! libsrtp2, an oracle of tests and of nothing else.

#![allow(dead_code, reason = "each test file uses its part")]

use std::ffi::{c_int, c_ulong, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Mutex, MutexGuard, Once};

use pagecalls_media::srtp::Profile;

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
pub const REPLAY_FAIL: c_int = 9;
pub const REPLAY_OLD: c_int = 10;
const ANY_INBOUND: c_int = 2;
const ANY_OUTBOUND: c_int = 3;

/// One direction of libsrtp2. The library keeps global state, so its users take turns.
pub struct Oracle {
    session: *mut c_void,
    _turn: MutexGuard<'static, ()>,
}

type Call = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_int) -> c_int;

impl Oracle {
    /// One that opens what comes with this key, whatever streams come. Each starts with a rollover counter of 0.
    pub fn inbound(profile: Profile, key: &[u8], salt: &[u8]) -> Self {
        Self::new(profile, key, salt, ANY_INBOUND)
    }

    /// One that protects what goes out with this key.
    pub fn outbound(profile: Profile, key: &[u8], salt: &[u8]) -> Self {
        Self::new(profile, key, salt, ANY_OUTBOUND)
    }

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

    /// As SRTP, or the library's status.
    pub fn protect(&mut self, packet: &[u8]) -> Result<Vec<u8>, c_int> {
        self.call(srtp_protect, packet)
    }

    /// What was in SRTP, or the library's status.
    pub fn unprotect(&mut self, packet: &[u8]) -> Result<Vec<u8>, c_int> {
        self.call(srtp_unprotect, packet)
    }

    /// As SRTCP, or the library's status.
    pub fn protect_rtcp(&mut self, packet: &[u8]) -> Result<Vec<u8>, c_int> {
        self.call(srtp_protect_rtcp, packet)
    }

    /// What was in SRTCP, or the library's status.
    pub fn unprotect_rtcp(&mut self, packet: &[u8]) -> Result<Vec<u8>, c_int> {
        self.call(srtp_unprotect_rtcp, packet)
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
