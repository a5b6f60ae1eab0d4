//! A handshake by OpenSSL, and the connection as long as OpenSSL holds it.
//!
//! It knows no fingerprints and no order of events: what they mean is decided in the session.

use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::ssl::{self, ErrorCode, Ssl, SslRef, SslStream};

use super::alerts::{Alerts, Heard};
use super::context::Context;
use super::wire::Wire;
use super::{MTU, Role, ffi, keys};
use crate::error::{DtlsError, Error};

/// `SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE` in `openssl/sslerr.h`.
const REASON_NO_CERTIFICATE: i32 = 199;

/// An OpenSSL connection with its two queues of datagrams.
pub struct Handshake {
    stream: SslStream<Wire>,
    is_done: bool,
}

impl Handshake {
    /// One that has sent nothing yet.
    pub fn new(context: &Context, role: Role) -> Result<Self, Error> {
        let mut ssl = Ssl::new(&context.ssl)?;
        ssl.set_mtu(MTU)?;
        match role {
            Role::Passive => ssl.set_accept_state(),
            Role::Active => ssl.set_connect_state(),
        }
        ffi::set_timer(&mut ssl);
        Ok(Self {
            stream: SslStream::new(ssl, Wire::default())?,
            is_done: false,
        })
    }

    /// Whether both sides have finished.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// What both agreed on.
    pub fn ssl(&self) -> &SslRef {
        self.stream.ssl()
    }

    /// Sends the first flight.
    pub fn begin(&mut self) -> Result<Heard, DtlsError> {
        self.drive()
    }

    /// Takes a datagram of plausible records.
    pub fn receive(&mut self, datagram: &[u8]) -> Result<Heard, DtlsError> {
        self.stream.get_mut().put(datagram);
        let heard = self.drive();
        self.stream.get_mut().clear();
        self.release();
        heard
    }

    /// The next datagram to send.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        self.stream.get_mut().take()
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn timeout(&self) -> Option<Duration> {
        ffi::timeout(self.stream.ssl())
    }

    /// Sends the last flight again if its time has come.
    pub fn handle_timeout(&mut self, _now: Instant) -> Result<(), DtlsError> {
        ffi::forget_errors();
        ffi::handle_timeout(&mut self.stream).map_err(|()| {
            ffi::forget_errors();
            DtlsError::Handshake("the peer does not answer".to_owned())
        })
    }

    /// Makes `close_notify` ready to send.
    pub fn say_goodbye(&mut self) {
        ffi::forget_errors();
        // A read makes anew the buffers that `release` freed; writing an alert without them would crash OpenSSL 3.0.
        let _ = self.stream.ssl_read(&mut [0; 16]);
        // Neither can fail for want of a network, and a session that is over has nobody to report to.
        let _ = self.stream.shutdown();
        self.release();
    }

    /// What is needed of this connection once nobody can ask for a repeat any more.
    ///
    /// `None` while there are datagrams to send, and when it is protected in a way that we do not know.
    pub fn alerts(&self, role: Role) -> Option<Alerts> {
        let wire = self.stream.get_ref();
        if !self.is_done || !wire.is_empty() {
            return None;
        }
        let Ok(keys) = keys::of_connection(self.ssl()) else {
            ffi::forget_errors();
            return None;
        };
        let (client, server) = keys?;
        let (read, write) = match role {
            Role::Passive => (client, server),
            Role::Active => (server, client),
        };
        Some(Alerts::new(read, write, wire.written()?))
    }

    /// Lets OpenSSL work on what lies in the wire.
    fn drive(&mut self) -> Result<Heard, DtlsError> {
        ffi::forget_errors();
        if !self.is_done {
            match self.stream.do_handshake() {
                Ok(()) => self.is_done = true,
                Err(error) if waits(&error) => return Ok(Heard::Nothing),
                Err(error) => return Err(self.failure(&error)),
            }
        }
        self.drain()
    }

    /// Reads records behind the handshake: repeats of the peer's last flight are answered, data is dropped, alerts end the session.
    fn drain(&mut self) -> Result<Heard, DtlsError> {
        let mut dropped = [0; 2048];
        loop {
            match self.stream.ssl_read(&mut dropped) {
                Ok(_) => {}
                Err(error) if waits(&error) => return Ok(Heard::Nothing),
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => return Ok(Heard::Goodbye),
                Err(error) => return Err(self.failure(&error)),
            }
        }
    }

    fn failure(&self, error: &ssl::Error) -> DtlsError {
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
        if self.is_done {
            DtlsError::Alert(why.to_owned())
        } else {
            DtlsError::Handshake(why.to_owned())
        }
    }

    /// Gives back the record buffers, more than 16 KB each way, unless they are needed: a handshake repeats its last flight through them.
    fn release(&mut self) {
        if self.is_done {
            ffi::free_buffers(&mut self.stream);
        }
    }
}

fn waits(error: &ssl::Error) -> bool {
    matches!(error.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE)
}
