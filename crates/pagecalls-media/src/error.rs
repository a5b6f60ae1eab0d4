//! Every failure of the transport primitives, one enum per layer.
//!
//! An error is bad input: from a peer, from a file, or from OpenSSL. A broken rule of our own is a panic. Texts are made here, from
//! typed fields; no layer formats its own.

use std::fmt;
use std::io;
use std::path::PathBuf;

use openssl::error::ErrorStack;

/// What can go wrong while something is set up: keys, certificates, contexts.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// OpenSSL refused; the text says where.
    OpenSsl(ErrorStack),
    /// A file could not be read or written.
    Io(PathBuf, io::Error),
    /// A key or salt has not the length that its profile asks for.
    KeyLength {
        /// What was measured: `key`, `salt`, `auth` or `exporter`.
        what: &'static str,
        /// Octets that the profile needs.
        expected: usize,
        /// Octets that were given.
        found: usize,
    },
    /// A file with a private key may be read by others than its owner.
    Exposed(PathBuf),
    /// A file is not what its name promises.
    BadFile(PathBuf, &'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenSsl(stack) => write!(f, "OpenSSL: {stack}"),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::KeyLength {
                what,
                expected,
                found,
            } => write!(f, "{what} has {found} octets, needs {expected}"),
            Self::Exposed(path) => write!(
                f,
                "{} holds a private key and is open to others; its mode must be 0600",
                path.display()
            ),
            Self::BadFile(path, why) => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::OpenSsl(stack) => Some(stack),
            Self::Io(_, error) => Some(error),
            Self::KeyLength { .. } | Self::Exposed(_) | Self::BadFile(..) => None,
        }
    }
}

impl From<ErrorStack> for Error {
    fn from(stack: ErrorStack) -> Self {
        Self::OpenSsl(stack)
    }
}

/// Why a packet was not protected or not believed. Nothing of a context's state has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SrtpError {
    /// Shorter than its own header, tag and index.
    TooShort,
    /// The tag does not match: forged, damaged, or under other keys.
    AuthenticationFailed,
    /// This very packet was accepted before, or its number was sent before.
    Replayed,
    /// Too far behind the newest packet to tell whether it was accepted, or sent, before.
    TooOld,
    /// The buffer has no room for tag and index.
    NoRoom,
    /// All packet indices of these keys are used up (RFC 3711 9.2).
    Exhausted,
    /// The SSRC was given up with `forget_ssrc`; its numbers must not be used again under these keys.
    Retired,
    /// OpenSSL failed, which with valid keys it does not.
    Crypto,
}

impl SrtpError {
    /// Whether the packet came before, or so late that it may have: what a network does without anybody's ill will.
    #[must_use]
    pub const fn is_repeat(self) -> bool {
        matches!(self, Self::Replayed | Self::TooOld)
    }
}

impl fmt::Display for SrtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "packet too short",
            Self::AuthenticationFailed => "authentication failed",
            Self::Replayed => "packet replayed",
            Self::TooOld => "packet older than the replay window",
            Self::NoRoom => "no room for tag and index",
            Self::Exhausted => "packet indices used up",
            Self::Retired => "SSRC was given up",
            Self::Crypto => "OpenSSL failed",
        })
    }
}

impl std::error::Error for SrtpError {}

/// Why a DTLS session is over. It concerns that session alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DtlsError {
    /// The handshake failed, here or at the peer; OpenSSL's reason.
    Handshake(String),
    /// The peer's certificate is none of those announced, or it showed none.
    FingerprintMismatch,
    /// The peer agreed to no SRTP profile of ours.
    NoSrtpProfile,
    /// The peer ended a running session with a fatal alert.
    Alert(String),
}

impl fmt::Display for DtlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(why) => write!(f, "handshake failed: {why}"),
            Self::FingerprintMismatch => {
                f.write_str("certificate matches no announced fingerprint")
            }
            Self::NoSrtpProfile => f.write_str("no SRTP profile in common"),
            Self::Alert(why) => write!(f, "fatal alert: {why}"),
        }
    }
}

impl std::error::Error for DtlsError {}

/// Why bytes are no STUN message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StunError {
    /// Not the header of a STUN message (RFC 8489 5), or its length is not the datagram's.
    NotStun,
    /// An attribute runs over the end, or its value has not the shape that its type asks for.
    BadAttribute(u16),
    /// FINGERPRINT is there and wrong.
    BadFingerprint,
}

impl fmt::Display for StunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStun => f.write_str("not a STUN message"),
            Self::BadAttribute(kind) => write!(f, "malformed attribute {kind:#06x}"),
            Self::BadFingerprint => f.write_str("fingerprint does not match"),
        }
    }
}

impl std::error::Error for StunError {}
