//! DTLS 1.2 for SRTP keys (RFC 5763, RFC 5764): datagrams in, datagrams out, and the keys of a peer whose certificate was announced.
//!
//! It owns handshake, retransmission, the check of the certificate against SDP, and `close_notify`. It knows no sockets, and nothing of
//! what the keys are for. Application data is read and dropped: only SRTP is spoken here.
//!
//! - [`Certificate`] is the engine's own, one for all legs and all restarts; [`Fingerprint`] is a peer's, as SDP announced it.
//! - [`Context`] is shared by all sessions of the process, [`Session`] is one peer's.
//! - `handshake` is OpenSSL's part of a session; [`alerts`] is what is left of it some seconds later, with [`keys`] and [`record`]s of
//!   our own (`docs/decisions/0028-settled-dtls.md`).
//! - `supposed` stands in for the handshake where fuzz targets are built, and nowhere else.
//!
//! The retransmission timer is OpenSSL's and reads the system's wall clock. It runs during handshakes only; see
//! `docs/decisions/0004-openssl-dtls.md`.

pub mod alerts;
mod certificate;
mod context;
mod ffi;
mod handshake;
pub mod keys;
pub mod record;
mod session;
#[cfg(fuzzing)]
mod supposed;
mod wire;

pub use certificate::{Certificate, Fingerprint, HashAlg};
pub use context::Context;
pub use session::{Progress, Role, Session};

pub use crate::error::DtlsError;

/// The longest datagram that a handshake sends, in octets: what any path carries beneath IPv6, UDP and a tunnel or two.
pub const MTU: u32 = 1200;

/// Whether a datagram may be DTLS, by its first octet (RFC 7983 7).
#[must_use]
pub fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20..=63))
}
