//! Two DTLS ends over a network of our own, in simulated time, and a foreign end made with plain OpenSSL.
//!
//! OpenSSL times its retransmissions by `gettimeofday`. This program has one of its own, which each test's thread moves on by itself,
//! so that half a minute of silence takes no time.

#![allow(dead_code, reason = "each test file uses its part")]

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslStream, SslVerifyMode,
};
use openssl::x509::{X509, X509Name};

use pagecalls_media::dtls::{
    Certificate, Context, DtlsError, Fingerprint, HashAlg, Progress, Role, Session,
};
use pagecalls_media::srtp::{MasterKey, Profile};

thread_local! {
    static SIMULATED: Cell<Duration> = const { Cell::new(Duration::from_secs(1_000_000_000)) };
}

/// Stands before the C library's for everything in this program.
///
/// # Safety
/// `now` is null or points to a `timeval`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(
    now: *mut libc::timeval,
    _zone: *mut libc::c_void,
) -> libc::c_int {
    let time = SIMULATED.get();
    if !now.is_null() {
        // SAFETY: not null, so it is a timeval of the caller's.
        unsafe {
            (*now).tv_sec = i64::try_from(time.as_secs()).expect("tests are short");
            (*now).tv_usec = time.subsec_micros().into();
        }
    }
    0
}

/// The time of one test.
pub struct Clock {
    pub now: Instant,
}

impl Clock {
    pub fn new() -> Self {
        Self {
            now: Instant::now(),
        }
    }

    pub fn advance(&mut self, by: Duration) {
        self.now += by;
        SIMULATED.set(SIMULATED.get() + by);
    }
}

/// Keys that an end came to.
pub struct Keys {
    pub profile: Profile,
    pub local: MasterKey,
    pub remote: MasterKey,
}

/// One end: what it was told and what came of it.
pub struct End {
    pub session: Session,
    pub keys: Option<Keys>,
    pub closed: usize,
    pub errors: Vec<DtlsError>,
}

impl End {
    pub fn new(context: &Context, role: Role) -> Self {
        Self {
            session: Session::new(context, role).unwrap(),
            keys: None,
            closed: 0,
            errors: Vec::new(),
        }
    }

    /// An end that expects this certificate.
    pub fn expecting(context: &Context, role: Role, certificate: &Certificate) -> Self {
        let mut end = Self::new(context, role);
        let expected = Fingerprint::parse("sha-256", &certificate.fingerprint_sha256()).unwrap();
        end.session.set_expected(&[expected]);
        end
    }

    pub fn note(&mut self, result: Result<Progress, DtlsError>) {
        match result {
            Ok(Progress::Nothing) => {}
            Ok(Progress::Connected {
                profile,
                local,
                remote,
            }) => {
                assert!(self.keys.is_none(), "keys are handed out once");
                self.keys = Some(Keys {
                    profile,
                    local,
                    remote,
                });
            }
            Ok(Progress::PeerClosed) => self.closed += 1,
            Err(error) => self.errors.push(error),
        }
    }

    pub fn receive(&mut self, datagram: &[u8], now: Instant) {
        let result = self.session.receive(datagram, now);
        self.note(result);
    }

    pub fn sent(&mut self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let mut datagram = vec![0xff; 3];
        while let Some(len) = self.session.poll_transmit(&mut datagram) {
            assert_eq!(len, datagram.len());
            assert!(
                len <= pagecalls_media::dtls::MTU as usize,
                "datagram of {len} octets"
            );
            all.push(datagram.clone());
        }
        all
    }
}

/// What the network does with a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Deliver,
    Lose,
    Double,
    /// Arrives behind the next one of its direction.
    Hold,
}

/// Lets two ends talk until both are still for good, or until `limit` has passed. `fate` sees the number of each datagram.
pub fn run(
    clock: &mut Clock,
    client: &mut End,
    server: &mut End,
    limit: Duration,
    mut fate: impl FnMut(usize) -> Fate,
) {
    let end = clock.now + limit;
    let mut count = 0;
    let mut held: [Vec<Vec<u8>>; 2] = [Vec::new(), Vec::new()];
    let started = client.session.start(clock.now);
    client.note(started);
    loop {
        let mut moved = true;
        while moved {
            moved = false;
            for from_client in [true, false] {
                let (from, to) = if from_client {
                    (&mut *client, &mut *server)
                } else {
                    (&mut *server, &mut *client)
                };
                for datagram in from.sent() {
                    moved = true;
                    let late = &mut held[usize::from(from_client)];
                    let fate = fate(count);
                    count += 1;
                    if fate == Fate::Hold {
                        late.push(datagram);
                        continue;
                    }
                    let times = match fate {
                        Fate::Lose | Fate::Hold => 0,
                        Fate::Deliver => 1,
                        Fate::Double => 2,
                    };
                    for arriving in std::iter::repeat_n(datagram, times).chain(late.drain(..)) {
                        to.receive(&arriving, clock.now);
                    }
                }
            }
        }
        let due = [
            client.session.next_timeout(clock.now),
            server.session.next_timeout(clock.now),
        ];
        let Some(next) = due.into_iter().flatten().min().filter(|next| *next <= end) else {
            return;
        };
        clock.advance(next - clock.now);
        for side in [&mut *client, &mut *server] {
            let due = side.session.next_timeout(clock.now);
            if due.is_none_or(|due| due > clock.now) {
                continue;
            }
            if let Err(error) = side.session.handle_timeout(clock.now) {
                side.errors.push(error);
            }
        }
    }
}

/// A peer made with plain OpenSSL, as other stacks are.
pub struct Foreign {
    pub stream: SslStream<Pipe>,
    pub done: bool,
    pub error: Option<String>,
}

/// Datagrams in and out.
#[derive(Default)]
pub struct Pipe {
    pub inbound: VecDeque<Vec<u8>>,
    pub outbound: VecDeque<Vec<u8>>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.inbound.pop_front().ok_or(ErrorKind::WouldBlock)?;
        buffer[..datagram.len()].copy_from_slice(&datagram);
        Ok(datagram.len())
    }
}

impl Write for Pipe {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outbound.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Key and self-signed certificate of a foreign peer.
#[derive(Clone)]
pub struct Identity {
    pub key: PKey<Private>,
    pub x509: X509,
}

impl Identity {
    pub fn ecdsa() -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        Self::sign(PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap())
    }

    pub fn rsa(bits: u32) -> Self {
        Self::sign(PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap())
    }

    fn sign(key: PKey<Private>) -> Self {
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_nid(Nid::COMMONNAME, "peer").unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let serial = BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap();
        builder.set_serial_number(&serial).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder
            .set_not_before(&Asn1Time::days_from_now(0).unwrap())
            .unwrap();
        builder
            .set_not_after(&Asn1Time::days_from_now(30).unwrap())
            .unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let x509 = builder.build();
        Self { key, x509 }
    }

    pub fn fingerprint(&self, alg: HashAlg) -> Fingerprint {
        let digest = match alg {
            HashAlg::Sha1 => MessageDigest::sha1(),
            HashAlg::Sha256 => MessageDigest::sha256(),
            HashAlg::Sha384 => MessageDigest::sha384(),
            HashAlg::Sha512 => MessageDigest::sha512(),
        };
        let value = self.x509.digest(digest).unwrap().to_vec();
        Fingerprint { alg, value }
    }
}

impl Foreign {
    /// A peer with the SRTP profiles of browsers; `adjust` makes it special.
    pub fn new(
        identity: Option<&Identity>,
        client: bool,
        mtu: u32,
        adjust: impl FnOnce(&mut SslContextBuilder),
    ) -> Self {
        let mut builder = SslContext::builder(SslMethod::dtls()).unwrap();
        if let Some(identity) = identity {
            builder.set_certificate(&identity.x509).unwrap();
            builder.set_private_key(&identity.key).unwrap();
        }
        builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        builder
            .set_tlsext_use_srtp(
                "SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80",
            )
            .unwrap();
        builder.set_options(SslOptions::NO_QUERY_MTU);
        adjust(&mut builder);
        let mut ssl = Ssl::new(&builder.build()).unwrap();
        ssl.set_mtu(mtu).unwrap();
        if client {
            ssl.set_connect_state();
        } else {
            ssl.set_accept_state();
        }
        Self {
            stream: SslStream::new(ssl, Pipe::default()).unwrap(),
            done: false,
            error: None,
        }
    }

    pub fn handshake(&mut self) {
        if self.done || self.error.is_some() {
            return;
        }
        match self.stream.do_handshake() {
            Ok(()) => self.done = true,
            Err(error) if error.code() == ErrorCode::WANT_READ => {}
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    /// Master keys and salts, the client's first, as this peer's own exporter gives them.
    pub fn exported(&self) -> (Profile, Vec<u8>) {
        let ssl = self.stream.ssl();
        let profile = Profile::from_openssl_id(ssl.selected_srtp_profile().unwrap().id()).unwrap();
        let mut exported = vec![0; pagecalls_media::srtp::Keys::exported_len(profile)];
        ssl.export_keying_material(&mut exported, "EXTRACTOR-dtls_srtp", None)
            .unwrap();
        (profile, exported)
    }

    /// Talks with our end until both are still. Returns the datagrams that this peer sent.
    pub fn talk(&mut self, end: &mut End, now: Instant) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let started = end.session.start(now);
        end.note(started);
        loop {
            self.handshake();
            let mine: Vec<_> = self.stream.get_mut().outbound.drain(..).collect();
            for datagram in &mine {
                end.receive(datagram, now);
            }
            let theirs = end.sent();
            if mine.is_empty() && theirs.is_empty() {
                return all;
            }
            all.extend(mine);
            self.stream.get_mut().inbound.extend(theirs);
        }
    }
}
