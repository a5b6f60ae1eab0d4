//! A peer's side of DTLS, with plain OpenSSL: a peer chooses which SRTP profiles it offers, the engine's own sessions do not.
//!
//! Client or server, with retransmission and `close_notify`. Whose certificate the other side shows is told and not judged here.

use std::collections::VecDeque;
use std::ffi::{c_int, c_uint, c_void};
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::ptr;
use std::time::Duration;

use foreign_types::ForeignTypeRef;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslMethod, SslOptions, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509Ref};
use openssl_sys as sys;
use pagecalls_media::dtls::MTU;
use pagecalls_media::srtp::{Inbound, Keys, Outbound, Profile};
use serde::Deserialize;

use crate::Outcome;

/// What browsers offer and servers take, with ECDSA and RSA certificates.
const CIPHERS: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
const GROUPS: &str = "X25519:P-256";
/// RFC 5764 4.2.
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";
/// The first wait for an answer; each further one is twice as long.
const FIRST_WAIT_US: c_uint = 200_000;
const LONGEST_WAIT_US: c_uint = 3_200_000;
// From `openssl/ssl.h`; part of the library's stable interface.
const DTLS_CTRL_GET_TIMEOUT: c_int = 73;
const DTLS_CTRL_HANDLE_TIMEOUT: c_int = 74;

type TimerCallback = extern "C" fn(*mut sys::SSL, c_uint) -> c_uint;

unsafe extern "C" {
    fn DTLS_set_timer_cb(ssl: *mut sys::SSL, callback: TimerCallback);
}

extern "C" fn next_wait(_ssl: *mut sys::SSL, last_us: c_uint) -> c_uint {
    match last_us {
        0 => FIRST_WAIT_US,
        last => last.saturating_mul(2).min(LONGEST_WAIT_US),
    }
}

/// Who begins a handshake.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The peer, with a `ClientHello`: `a=setup:active`.
    #[default]
    Client,
    /// The other side: `a=setup:passive`.
    Server,
}

/// The certificate that all peers show, ECDSA P-256 as browsers make them, and what their handshakes have in common.
pub struct Identity {
    key: PKey<Private>,
    x509: X509,
}

impl Identity {
    /// A new one.
    pub fn generate() -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut builder = X509::builder()?;
        let serial = BigNum::from_u32(1)?.to_asn1_integer()?;
        builder.set_serial_number(&serial)?;
        let (today, later) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(30)?);
        builder.set_not_before(&today)?;
        builder.set_not_after(&later)?;
        builder.set_pubkey(&key)?;
        builder.sign(&key, MessageDigest::sha256())?;
        let x509 = builder.build();
        Ok(Self { key, x509 })
    }

    /// Its SHA-256 hash, upper-case hex with colons.
    pub fn fingerprint(&self) -> Result<String, ErrorStack> {
        fingerprint(&self.x509)
    }

    /// What handshakes that offer these profiles, the best first, have in common.
    pub fn context(&self, profiles: &[Profile]) -> Result<SslContext, ErrorStack> {
        let names: Vec<&str> = profiles.iter().map(|one| one.openssl_name()).collect();
        let mut builder = SslContext::builder(SslMethod::dtls())?;
        builder.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
        builder.set_cipher_list(CIPHERS)?;
        builder.set_groups_list(GROUPS)?;
        builder.set_certificate(&self.x509)?;
        builder.set_private_key(&self.key)?;
        builder.set_tlsext_use_srtp(&names.join(":"))?;
        builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        builder.set_options(SslOptions::NO_QUERY_MTU | SslOptions::NO_TICKET);
        Ok(builder.build())
    }
}

fn fingerprint(x509: &X509Ref) -> Result<String, ErrorStack> {
    let digest = x509.digest(MessageDigest::sha256())?;
    let mut text = String::new();
    for byte in digest.iter() {
        let colon = if text.is_empty() { "" } else { ":" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    Ok(text)
}

/// What a finished handshake gives.
pub struct Secured {
    /// The profile that both sides have.
    pub profile: Profile,
    /// For what comes.
    pub inbound: Inbound,
    /// For what goes.
    pub outbound: Outbound,
}

/// One DTLS session.
pub struct Session {
    stream: SslStream<Wire>,
    role: Role,
}

impl Session {
    /// One that has sent nothing yet.
    pub fn new(context: &SslContext, role: Role) -> Result<Self, ErrorStack> {
        let mut ssl = Ssl::new(context)?;
        ssl.set_mtu(MTU)?;
        match role {
            Role::Client => ssl.set_connect_state(),
            Role::Server => ssl.set_accept_state(),
        }
        // SAFETY: the pointer is a live SSL; the callback is a function of this program and keeps nothing.
        unsafe { DTLS_set_timer_cb(ssl.as_ptr(), next_wait) };
        let stream = SslStream::new(ssl, Wire::default())?;
        Ok(Self { stream, role })
    }

    /// Goes as far as it can with a datagram, or from the start without. Returns the keys when it is done.
    pub fn step(&mut self, datagram: Option<&[u8]>) -> Outcome<Option<Secured>> {
        self.stream.get_mut().inbound = datagram.map(<[u8]>::to_vec);
        match self.stream.do_handshake() {
            Ok(()) => self.export().map(Some),
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a datagram after the handshake; returns whether it was the other side's `close_notify`.
    pub fn read(&mut self, datagram: &[u8]) -> Outcome<bool> {
        self.stream.get_mut().inbound = Some(datagram.to_vec());
        match self.stream.ssl_read(&mut [0; 64]) {
            Ok(_) => Ok(false),
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(false),
            Err(error) if error.code() == ErrorCode::ZERO_RETURN => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Leaves a `close_notify` among what is outgoing.
    pub fn close(&mut self) {
        // It cannot wait: the wire takes everything. A session that is broken has nothing to say.
        let _ = self.stream.shutdown();
    }

    /// The hash of the certificate that the other side showed.
    pub fn remote_fingerprint(&self) -> Outcome<String> {
        let shown = self.stream.ssl().peer_certificate();
        let shown = shown.ok_or("the other side showed no certificate")?;
        Ok(fingerprint(&shown)?)
    }

    /// The next datagram to send.
    pub fn outgoing(&mut self) -> Option<Vec<u8>> {
        self.stream.get_mut().outbound.pop_front()
    }

    /// How long until a flight is to be sent again; `None` while nothing waits for an answer.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        let mut left = libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        };
        let ssl = self.stream.ssl().as_ptr();
        let target: *mut c_void = ptr::from_mut(&mut left).cast();
        // SAFETY: the pointer is a live SSL, and this control writes one timeval.
        let set = unsafe { sys::SSL_ctrl(ssl, DTLS_CTRL_GET_TIMEOUT, 0, target) };
        let part = |value| u64::try_from(value).unwrap_or_default();
        (set == 1)
            .then(|| Duration::from_micros(part(left.tv_sec) * 1_000_000 + part(left.tv_usec)))
    }

    /// Sends the last flight again if its time has come.
    pub fn on_timeout(&mut self) -> Outcome<()> {
        let ssl = self.stream.ssl().as_ptr();
        // SAFETY: the pointer is a live SSL, and this control takes no argument.
        let result = unsafe { sys::SSL_ctrl(ssl, DTLS_CTRL_HANDLE_TIMEOUT, 0, ptr::null_mut()) };
        if result < 0 {
            return Err("the DTLS handshake was repeated too often".into());
        }
        Ok(())
    }

    fn export(&self) -> Outcome<Secured> {
        let ssl = self.stream.ssl();
        let profile = ssl
            .selected_srtp_profile()
            .and_then(|selected| Profile::from_openssl_id(selected.id()))
            .ok_or("no SRTP profile in common")?;
        let mut exported = vec![0; Keys::exported_len(profile)];
        ssl.export_keying_material(&mut exported, EXPORTER_LABEL, None)?;
        let Keys { client, server } = Keys::split(profile, &exported)?;
        let (own, other) = match self.role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Ok(Secured {
            profile,
            inbound: Inbound::new(profile, &other.0, &other.1)?,
            outbound: Outbound::new(profile, &own.0, &own.1)?,
        })
    }
}

/// What OpenSSL takes for its socket: a read takes one datagram, a write makes one.
#[derive(Default)]
struct Wire {
    inbound: Option<Vec<u8>>,
    outbound: VecDeque<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.inbound.take().ok_or(ErrorKind::WouldBlock)?;
        datagram.as_slice().read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outbound.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
