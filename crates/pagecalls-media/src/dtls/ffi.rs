//! The few calls that the `openssl` crate has no safe name for.

use std::ffi::{CStr, c_int, c_long, c_uint, c_void};
use std::ptr;
use std::time::Duration;

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ssl::{SslRef, SslStream};
use openssl_sys as sys;

// From `openssl/ssl.h`; part of the library's stable interface.
const DTLS_CTRL_GET_TIMEOUT: c_int = 73;
const DTLS_CTRL_HANDLE_TIMEOUT: c_int = 74;

type TimerCallback = extern "C" fn(*mut sys::SSL, c_uint) -> c_uint;

unsafe extern "C" {
    fn DTLS_set_timer_cb(ssl: *mut sys::SSL, callback: TimerCallback);
    fn SSL_free_buffers(ssl: *mut sys::SSL) -> c_int;
    fn OPENSSL_cleanse(start: *mut c_void, len: usize);
}

/// The first wait for an answer. RFC 6347 4.2.4.1 advises a second, and less where a call is being set up.
const FIRST_WAIT_US: c_uint = 200_000;
/// The longest wait. OpenSSL gives up after 12 of them, here half a minute after the first.
const LONGEST_WAIT_US: c_uint = 3_200_000;

extern "C" fn next_wait(_ssl: *mut sys::SSL, last_us: c_uint) -> c_uint {
    match last_us {
        0 => FIRST_WAIT_US,
        last => last.saturating_mul(2).min(LONGEST_WAIT_US),
    }
}

/// Makes the handshake's retransmission timer start at 200 ms and double up to 3.2 s.
pub fn set_timer(ssl: &mut SslRef) {
    // SAFETY: the pointer is a live SSL; the callback is a function of this program and keeps nothing.
    unsafe { DTLS_set_timer_cb(ssl.as_ptr(), next_wait) }
}

/// How long until a flight is to be sent again; `None` while nothing waits for an answer.
pub fn timeout(ssl: &SslRef) -> Option<Duration> {
    let mut left = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    // SAFETY: the pointer is a live SSL, and this control writes one timeval.
    let set = unsafe {
        let target: *mut c_void = ptr::from_mut(&mut left).cast();
        sys::SSL_ctrl(ssl.as_ptr(), DTLS_CTRL_GET_TIMEOUT, 0, target)
    };
    let seconds = u64::try_from(left.tv_sec).unwrap_or(0);
    let micros = u64::try_from(left.tv_usec).unwrap_or(0);
    (set == 1).then(|| Duration::from_secs(seconds) + Duration::from_micros(micros))
}

/// Sends the last flight again if its time has come. `Err` once it was sent too often.
pub fn handle_timeout<S>(stream: &mut SslStream<S>) -> Result<(), ()> {
    let ssl = stream.ssl().as_ptr();
    // SAFETY: the pointer is a live SSL, and this control takes no argument.
    let result: c_long =
        unsafe { sys::SSL_ctrl(ssl, DTLS_CTRL_HANDLE_TIMEOUT, 0, ptr::null_mut()) };
    if result < 0 { Err(()) } else { Ok(()) }
}

/// Frees the record buffers if nothing is in them. `SSL_MODE_RELEASE_BUFFERS` does so for TLS only.
pub fn free_buffers<S>(stream: &mut SslStream<S>) {
    // SAFETY: the pointer is a live SSL. The library refuses, and says so, while data is pending.
    let _ = unsafe { SSL_free_buffers(stream.ssl().as_ptr()) };
}

/// Overwrites octets that were secret, in a way that no optimiser leaves out.
pub fn cleanse(secret: &mut [u8]) {
    // SAFETY: start and length are those of a slice that is ours to write.
    unsafe { OPENSSL_cleanse(secret.as_mut_ptr().cast(), secret.len()) }
}

/// The name of an alert (RFC 5246 7.2).
pub fn alert_text(description: u8) -> String {
    // SAFETY: the function takes any number and returns a text that lives as long as the program.
    let text = unsafe { CStr::from_ptr(sys::SSL_alert_desc_string_long(description.into())) };
    text.to_string_lossy().into_owned()
}

/// Empties this thread's queue of OpenSSL errors: one that another session left would be taken for this one's.
pub fn forget_errors() {
    drop(ErrorStack::get());
}
