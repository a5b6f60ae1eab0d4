//! One peer's handshake and what follows it.

use std::fmt;
use std::time::Instant;

use openssl::error::ErrorStack;
use openssl::ssl::{self, ErrorCode, Ssl, SslStream};

use super::context::Context;
use super::wire::Wire;
use super::{Fingerprint, MTU, ffi};
use crate::error::{DtlsError, Error};
use crate::srtp::{Keys, MasterKey, Profile};

/// RFC 5764 4.2.
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";
/// `SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE` in `openssl/sslerr.h`.
const REASON_NO_CERTIFICATE: i32 = 199;
/// Octets of a record's header.
const RECORD_HEADER_LEN: usize = 13;
/// Octets of nonce and tag that AES-GCM adds (RFC 5288); no other cipher is agreed on.
const SHORTEST_ENCRYPTED: usize = 8 + 16;
/// The first content type; alert and handshake lie between it and the last.
const CHANGE_CIPHER_SPEC: u8 = 20;
const APPLICATION_DATA: u8 = 23;

/// Who begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The peer does; we are the server.
    Passive,
    /// We do; we are the client.
    Active,
}

/// What a session has to say.
pub enum Progress {
    /// Nothing new.
    Nothing,
    /// The handshake is done and the peer's certificate is the announced one. It is said once.
    Connected {
        /// What both agreed on.
        profile: Profile,
        /// Key and salt that we protect with.
        local: MasterKey,
        /// Key and salt that the peer protects with.
        remote: MasterKey,
    },
    /// The peer said goodbye with `close_notify`. It is said once.
    PeerClosed,
}

impl fmt::Debug for Progress {
    /// Says nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Connected { profile, .. } => f
                .debug_struct("Connected")
                .field("profile", profile)
                .finish_non_exhaustive(),
            Self::PeerClosed => f.write_str("PeerClosed"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before and in the handshake.
    Handshaking,
    /// The handshake is done; the certificate was not compared yet.
    Unchecked,
    /// Keys were handed out.
    Connected,
    /// Over, by either side or by an error.
    Over,
}

/// One peer's session. Dropping it tells the peer nothing; [`close`](Self::close) does.
///
/// After every call that may write, drain [`poll_transmit`](Self::poll_transmit). An error is said once; then the session is over and
/// ignores what it gets.
pub struct Session {
    stream: SslStream<Wire>,
    role: Role,
    state: State,
    expected: Vec<Fingerprint>,
    /// `close_notify` came and was not reported yet.
    peer_closed: bool,
}

impl Session {
    /// A session that has sent nothing yet.
    pub fn new(context: &Context, role: Role) -> Result<Self, Error> {
        let mut ssl = Ssl::new(&context.0)?;
        ssl.set_mtu(MTU)?;
        match role {
            Role::Passive => ssl.set_accept_state(),
            Role::Active => ssl.set_connect_state(),
        }
        ffi::set_timer(&mut ssl);
        Ok(Self {
            stream: SslStream::new(ssl, Wire::default())?,
            role,
            state: State::Handshaking,
            expected: Vec::new(),
            peer_closed: false,
        })
    }

    /// Who begins.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Sets the fingerprints of which the peer's certificate must match one.
    ///
    /// While there are none, a handshake runs but no keys come of it. If it may have been done before, [`poll`](Self::poll) after this.
    pub fn set_expected(&mut self, fingerprints: &[Fingerprint]) {
        fingerprints.clone_into(&mut self.expected);
    }

    /// Begins the handshake of an active session; a passive one waits for its peer.
    pub fn start(&mut self, _now: Instant) -> Result<Progress, DtlsError> {
        if self.role == Role::Active && self.state == State::Handshaking {
            self.drive()?;
        }
        self.poll()
    }

    /// Takes a datagram. What is no DTLS record, or not one for this moment, is ignored.
    pub fn receive(&mut self, datagram: &[u8], _now: Instant) -> Result<Progress, DtlsError> {
        if self.state == State::Over || !is_plausible(datagram) {
            return Ok(Progress::Nothing);
        }
        self.stream.get_mut().put(datagram);
        let driven = self.drive();
        self.stream.get_mut().clear();
        self.release();
        driven?;
        self.poll()
    }

    /// What became ready: keys once both handshake and fingerprints are there, or the peer's goodbye.
    pub fn poll(&mut self) -> Result<Progress, DtlsError> {
        if self.state == State::Unchecked && !self.expected.is_empty() {
            return self.check();
        }
        if self.peer_closed && self.state != State::Unchecked {
            self.peer_closed = false;
            self.state = State::Over;
            return Ok(Progress::PeerClosed);
        }
        Ok(Progress::Nothing)
    }

    /// Writes the next datagram to send over what is in `out`; returns its length.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<usize> {
        let datagram = self.stream.get_mut().take()?;
        out.clear();
        out.extend_from_slice(&datagram);
        Some(out.len())
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None` while nothing waits for an answer.
    #[must_use]
    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        if self.state != State::Handshaking {
            return None;
        }
        ffi::timeout(self.stream.ssl()).map(|left| now + left)
    }

    /// Sends the last flight again if its time has come; early calls do nothing. Fails half a minute after the peer went silent.
    pub fn handle_timeout(&mut self, _now: Instant) -> Result<(), DtlsError> {
        if self.state != State::Handshaking {
            return Ok(());
        }
        forget_errors();
        ffi::handle_timeout(&mut self.stream).map_err(|()| {
            self.state = State::Over;
            forget_errors();
            DtlsError::Handshake("the peer does not answer".to_owned())
        })
    }

    /// Says goodbye, if there is a connection to end. What is to be sent then lies in [`poll_transmit`](Self::poll_transmit).
    pub fn close(&mut self) {
        let up = matches!(self.state, State::Unchecked | State::Connected);
        self.state = State::Over;
        if up {
            self.say_goodbye();
        }
    }

    /// Whether keys were handed out and neither side has ended it.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Lets OpenSSL work on what lies in the wire.
    fn drive(&mut self) -> Result<(), DtlsError> {
        forget_errors();
        if self.state == State::Handshaking {
            match self.stream.do_handshake() {
                Ok(()) => self.state = State::Unchecked,
                Err(error) if waits(&error) => return Ok(()),
                Err(error) => return Err(self.fail(&error)),
            }
        }
        self.drain()
    }

    /// Reads records behind the handshake: repeats of the peer's last flight are answered, data is dropped, alerts end the session.
    fn drain(&mut self) -> Result<(), DtlsError> {
        let mut dropped = [0; 2048];
        loop {
            match self.stream.ssl_read(&mut dropped) {
                Ok(_) => {}
                Err(error) if waits(&error) => return Ok(()),
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                    self.peer_closed = true;
                    return Ok(());
                }
                Err(error) => return Err(self.fail(&error)),
            }
        }
    }

    fn fail(&mut self, error: &ssl::Error) -> DtlsError {
        let before = std::mem::replace(&mut self.state, State::Over);
        let reasons = error
            .ssl_error()
            .map(ErrorStack::errors)
            .unwrap_or_default();
        if reasons
            .iter()
            .any(|reason| reason.reason_code() == REASON_NO_CERTIFICATE)
        {
            return DtlsError::FingerprintMismatch;
        }
        let why = reasons
            .iter()
            .find_map(openssl::error::Error::reason)
            .unwrap_or("closed by the peer");
        match before {
            State::Handshaking => DtlsError::Handshake(why.to_owned()),
            State::Unchecked | State::Connected | State::Over => DtlsError::Alert(why.to_owned()),
        }
    }

    /// Compares the certificate, and only then asks for keys.
    fn check(&mut self) -> Result<Progress, DtlsError> {
        let result = self.export();
        match result {
            Ok(_) => self.state = State::Connected,
            Err(_) => self.close(),
        }
        result
    }

    fn export(&self) -> Result<Progress, DtlsError> {
        let ssl = self.stream.ssl();
        let shown = ssl
            .peer_certificate()
            .ok_or(DtlsError::FingerprintMismatch)?;
        if !self
            .expected
            .iter()
            .any(|fingerprint| fingerprint.matches(&shown))
        {
            return Err(DtlsError::FingerprintMismatch);
        }
        let profile = ssl
            .selected_srtp_profile()
            .and_then(|selected| Profile::from_openssl_id(selected.id()))
            .ok_or(DtlsError::NoSrtpProfile)?;
        let mut exported = vec![0; Keys::exported_len(profile)];
        ssl.export_keying_material(&mut exported, EXPORTER_LABEL, None)
            .map_err(|stack| DtlsError::Handshake(stack.to_string()))?;
        let keys = Keys::split(profile, &exported).expect("the exporter was asked for this length");
        let (local, remote) = match self.role {
            Role::Passive => (keys.server, keys.client),
            Role::Active => (keys.client, keys.server),
        };
        Ok(Progress::Connected {
            profile,
            local,
            remote,
        })
    }

    fn say_goodbye(&mut self) {
        forget_errors();
        // A read makes anew the buffers that `release` freed; writing an alert without them would crash OpenSSL 3.0.
        let _ = self.stream.ssl_read(&mut [0; 16]);
        // Neither can fail for want of a network, and a session that is over has nobody to report to.
        let _ = self.stream.shutdown();
        self.release();
    }

    /// Gives back the record buffers, more than 16 KB each way, unless they are needed: a handshake repeats its last flight through them.
    fn release(&mut self) {
        if self.state != State::Handshaking {
            ffi::free_buffers(&mut self.stream);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Whether a datagram is made of whole DTLS records that may be true.
///
/// The rest is dropped here, for OpenSSL 3.0 would not ignore all of it: an encrypted record that is too short for its own tag ends
/// the session with an internal error, and anyone who knows the address could send one.
fn is_plausible(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while !rest.is_empty() {
        let Some((record, behind)) = split_record(rest) else {
            return false;
        };
        let may_be_true = match (record.epoch, record.kind) {
            (0, kind) => (CHANGE_CIPHER_SPEC..APPLICATION_DATA).contains(&kind), // data in clear is nobody's
            (1, kind) => {
                (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind)
                    && record.len >= SHORTEST_ENCRYPTED
            }
            _ => false, // keys change once
        };
        if !may_be_true {
            return false;
        }
        rest = behind;
    }
    !datagram.is_empty()
}

struct Record {
    kind: u8,
    epoch: u16,
    len: usize,
}

/// The header of the first record (RFC 6347 4.1) and what follows the record.
fn split_record(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (header, body) = bytes.split_at_checked(RECORD_HEADER_LEN)?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let record = Record {
        kind: header[0],
        epoch: word(3),
        len: usize::from(word(11)),
    };
    let is_dtls = header[1] == 0xfe;
    let behind = body.get(record.len..)?;
    is_dtls.then_some((record, behind))
}

fn waits(error: &ssl::Error) -> bool {
    matches!(error.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE)
}

/// Empties this thread's queue of OpenSSL errors: one that another session left would be taken for this one's.
fn forget_errors() {
    drop(ErrorStack::get());
}
