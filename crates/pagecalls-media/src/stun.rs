//! STUN messages (RFC 8489) as ICE uses them (RFC 8445): Binding, short-term credentials, FINGERPRINT.
//!
//! It knows bytes and attributes. Which credentials are right, and what a check means, is [`crate::ice`]'s.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, Mac};
use sha1::Sha1;

pub use crate::error::StunError;

/// Octets of the header.
const HEADER_LEN: usize = 20;
const MAGIC_COOKIE: u32 = 0x2112_a442;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// Octets of a whole MESSAGE-INTEGRITY attribute.
const INTEGRITY_LEN: usize = 24;
/// Octets of a whole FINGERPRINT attribute.
const FINGERPRINT_LEN: usize = 8;
/// The only method that ICE uses.
const BINDING: u16 = 1;

/// Attribute types (RFC 8489 18.3, RFC 8445 20.1).
mod attribute {
    pub const USERNAME: u16 = 0x0006;
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub const ERROR_CODE: u16 = 0x0009;
    pub const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub const PRIORITY: u16 = 0x0024;
    pub const USE_CANDIDATE: u16 = 0x0025;
    pub const FINGERPRINT: u16 = 0x8028;
    pub const ICE_CONTROLLED: u16 = 0x8029;
    pub const ICE_CONTROLLING: u16 = 0x802a;
}

/// What kind of message it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// Answers with success.
    Success,
    /// Answers with an error.
    Error,
}

impl Class {
    const fn bits(self) -> u16 {
        match self {
            Self::Request => 0x000,
            Self::Indication => 0x010,
            Self::Success => 0x100,
            Self::Error => 0x110,
        }
    }
}

/// The number that ties an answer to its request.
pub type TransactionId = [u8; 12];

/// A password as HMAC-SHA1 uses it: the padded key is worked in once.
#[derive(Clone)]
pub struct Key(Hmac<Sha1>);

impl Key {
    /// The short-term key of an ICE password (RFC 8489 9.1.1); ICE passwords are ASCII and need no preparation.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn new(password: &str) -> Self {
        Self(Hmac::new_from_slice(password.as_bytes()).expect("HMAC takes keys of any length"))
    }
}

/// Whether a datagram is a STUN message, by its first two bits, length and cookie (RFC 7983 7, RFC 8489 5).
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER_LEN
        && datagram[0] < 4
        && be32(&datagram[4..]) == MAGIC_COOKIE
        && datagram.len() % 4 == 0
        && datagram.len() == HEADER_LEN + usize::from(be16(&datagram[2..]))
}

/// Our own ufrag, as a peer's request names it in front of the colon in USERNAME. Nothing is verified.
#[must_use]
pub fn peek_local_ufrag(datagram: &[u8]) -> Option<&str> {
    if !is_stun(datagram) {
        return None;
    }
    let username = attributes(datagram)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind == attribute::USERNAME)?;
    let (local, _) = std::str::from_utf8(username.value).ok()?.split_once(':')?;
    Some(local)
}

/// A parsed message. It borrows the datagram.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// What kind of message it is.
    pub class: Class,
    /// Ties answers to requests.
    pub transaction: TransactionId,
    /// USERNAME.
    pub username: Option<&'a str>,
    /// PRIORITY: of the peer-reflexive candidate that the check may find.
    pub priority: Option<u32>,
    /// USE-CANDIDATE is there: the pair is nominated.
    pub use_candidate: bool,
    /// ICE-CONTROLLED: the sender thinks itself controlled; its tie-breaker.
    pub controlled: Option<u64>,
    /// ICE-CONTROLLING: the sender thinks itself controlling; its tie-breaker.
    pub controlling: Option<u64>,
    /// XOR-MAPPED-ADDRESS.
    pub mapped: Option<SocketAddr>,
    /// ERROR-CODE, as 300 to 699.
    pub error: Option<u16>,
    /// FINGERPRINT is there and right.
    pub has_fingerprint: bool,
    /// Where MESSAGE-INTEGRITY starts.
    integrity_at: Option<usize>,
    unknown: Unknown,
}

impl<'a> Message<'a> {
    /// Parses a Binding message that fills the datagram. A wrong FINGERPRINT is an error; MESSAGE-INTEGRITY is not yet looked at.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, StunError> {
        if !is_stun(datagram) {
            return Err(StunError::NotStun);
        }
        let mut message = Self::empty(datagram)?;
        for attribute in attributes(datagram) {
            let attribute = attribute?;
            if message.has_fingerprint {
                // FINGERPRINT is the last attribute (RFC 8489 14.7).
                return Err(StunError::BadAttribute(attribute.kind));
            }
            // What stands behind MESSAGE-INTEGRITY is not covered by it and counts for nothing (RFC 8489 14.5).
            if message.integrity_at.is_none() || attribute.kind == attribute::FINGERPRINT {
                message.take(&attribute)?;
            }
        }
        Ok(message)
    }

    fn empty(bytes: &'a [u8]) -> Result<Self, StunError> {
        let kind = be16(bytes);
        let class = match kind & 0x110 {
            0x000 => Class::Request,
            0x010 => Class::Indication,
            0x100 => Class::Success,
            _ => Class::Error,
        };
        if kind & !0x110 != BINDING {
            return Err(StunError::NotStun);
        }
        let mut transaction = [0; 12];
        transaction.copy_from_slice(&bytes[8..HEADER_LEN]);
        Ok(Self {
            bytes,
            class,
            transaction,
            username: None,
            priority: None,
            use_candidate: false,
            controlled: None,
            controlling: None,
            mapped: None,
            error: None,
            has_fingerprint: false,
            integrity_at: None,
            unknown: Unknown::default(),
        })
    }

    fn take(&mut self, attribute: &Attribute<'a>) -> Result<(), StunError> {
        let Attribute { kind, value, at } = *attribute;
        let bad = || StunError::BadAttribute(kind);
        match kind {
            // The first of several counts (RFC 8489 14), as in `peek_local_ufrag`.
            attribute::USERNAME if self.username.is_some() => {}
            attribute::USERNAME => {
                self.username = Some(std::str::from_utf8(value).map_err(|_| bad())?);
            }
            attribute::PRIORITY => {
                self.priority = Some(u32::from_be_bytes(sized(value).ok_or_else(bad)?));
            }
            attribute::USE_CANDIDATE => self.use_candidate = true,
            attribute::ICE_CONTROLLED => {
                self.controlled = Some(u64::from_be_bytes(sized(value).ok_or_else(bad)?));
            }
            attribute::ICE_CONTROLLING => {
                self.controlling = Some(u64::from_be_bytes(sized(value).ok_or_else(bad)?));
            }
            attribute::XOR_MAPPED_ADDRESS => {
                self.mapped = Some(xor_address(value, &self.transaction).ok_or_else(bad)?);
            }
            attribute::ERROR_CODE => {
                let [_, _, hundreds, rest, ..] = *value else {
                    return Err(bad());
                };
                self.error = Some(u16::from(hundreds & 7) * 100 + u16::from(rest));
            }
            attribute::MESSAGE_INTEGRITY => {
                if value.len() != INTEGRITY_LEN - 4 {
                    return Err(bad());
                }
                self.integrity_at = Some(at);
            }
            attribute::FINGERPRINT => {
                let found = u32::from_be_bytes(sized(value).ok_or_else(bad)?);
                if found != fingerprint(&self.bytes[..at]) {
                    return Err(StunError::BadFingerprint);
                }
                self.has_fingerprint = true;
            }
            // An answer to an error of ours, and the stronger sibling of the integrity that we ask for.
            attribute::UNKNOWN_ATTRIBUTES | attribute::MESSAGE_INTEGRITY_SHA256 => {}
            // Types below 0x8000 must be understood by who receives them (RFC 8489 14).
            _ if kind < 0x8000 => self.unknown.add(kind),
            _ => {}
        }
        Ok(())
    }

    /// MESSAGE-INTEGRITY is there.
    #[must_use]
    pub fn has_integrity(&self) -> bool {
        self.integrity_at.is_some()
    }

    /// Whether MESSAGE-INTEGRITY is there and made with `key`; compared in constant time.
    #[must_use]
    pub fn verify(&self, key: &Key) -> bool {
        let Some(at) = self.integrity_at else {
            return false;
        };
        integrity(key, &self.bytes[..at])
            .verify_slice(&self.bytes[at + 4..at + INTEGRITY_LEN])
            .is_ok()
    }

    /// Attributes that had to be understood and were not; at most eight of them.
    #[must_use]
    pub fn unknown_required(&self) -> &[u16] {
        &self.unknown.kinds[..self.unknown.count]
    }
}

/// Attribute types to name in a 420 answer.
#[derive(Clone, Copy, Default, Debug)]
struct Unknown {
    kinds: [u16; 8],
    count: usize,
}

impl Unknown {
    fn add(&mut self, kind: u16) {
        if let Some(slot) = self.kinds.get_mut(self.count) {
            *slot = kind;
            self.count += 1;
        }
    }
}

#[derive(Clone, Copy)]
struct Attribute<'a> {
    kind: u16,
    value: &'a [u8],
    /// Where it starts in the message.
    at: usize,
}

/// The attributes of a datagram that [`is_stun`]; ends behind the first that is malformed.
fn attributes(datagram: &[u8]) -> impl Iterator<Item = Result<Attribute<'_>, StunError>> {
    let mut at = HEADER_LEN;
    std::iter::from_fn(move || {
        let [k1, k2, l1, l2, rest @ ..] = datagram.get(at..)? else {
            return None; // the end: lengths are multiples of four
        };
        let kind = u16::from_be_bytes([*k1, *k2]);
        let len = usize::from(u16::from_be_bytes([*l1, *l2]));
        let Some(value) = rest.get(..len) else {
            at = datagram.len();
            return Some(Err(StunError::BadAttribute(kind)));
        };
        let found = Attribute { kind, value, at };
        at += 4 + len.next_multiple_of(4);
        Some(Ok(found))
    })
}

/// A message under construction, written into a buffer that it empties first.
pub struct Builder<'a> {
    out: &'a mut Vec<u8>,
    transaction: TransactionId,
}

impl<'a> Builder<'a> {
    /// Starts a Binding message.
    pub fn new(out: &'a mut Vec<u8>, class: Class, transaction: TransactionId) -> Self {
        out.clear();
        out.extend_from_slice(&(BINDING | class.bits()).to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        out.extend_from_slice(&transaction);
        Self { out, transaction }
    }

    /// Adds USERNAME.
    #[must_use]
    pub fn username(self, username: &str) -> Self {
        self.attribute(attribute::USERNAME, username.as_bytes())
    }

    /// Adds PRIORITY.
    #[must_use]
    pub fn priority(self, priority: u32) -> Self {
        self.attribute(attribute::PRIORITY, &priority.to_be_bytes())
    }

    /// Adds USE-CANDIDATE.
    #[must_use]
    pub fn use_candidate(self) -> Self {
        self.attribute(attribute::USE_CANDIDATE, &[])
    }

    /// Adds ICE-CONTROLLING with a tie-breaker.
    #[must_use]
    pub fn controlling(self, tie_breaker: u64) -> Self {
        self.attribute(attribute::ICE_CONTROLLING, &tie_breaker.to_be_bytes())
    }

    /// Adds ICE-CONTROLLED with a tie-breaker.
    #[must_use]
    pub fn controlled(self, tie_breaker: u64) -> Self {
        self.attribute(attribute::ICE_CONTROLLED, &tie_breaker.to_be_bytes())
    }

    /// Adds XOR-MAPPED-ADDRESS. An IPv4 address that a dual-stack socket shows as IPv6 is written as IPv4.
    #[must_use]
    pub fn xor_mapped(self, address: SocketAddr) -> Self {
        let mut value = [0; 20];
        value[2..4].copy_from_slice(&(address.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes());
        let len = match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                value[1] = 1;
                value[4..8].copy_from_slice(&(ip.to_bits() ^ MAGIC_COOKIE).to_be_bytes());
                8
            }
            IpAddr::V6(ip) => {
                value[1] = 2;
                value[4..].copy_from_slice(
                    &(ip.to_bits() ^ address_mask(&self.transaction)).to_be_bytes(),
                );
                20
            }
        };
        self.attribute(attribute::XOR_MAPPED_ADDRESS, &value[..len])
    }

    /// Adds ERROR-CODE, 300 to 699, with its phrase.
    #[must_use]
    pub fn error(self, code: u16, reason: &str) -> Self {
        let mut value = Vec::with_capacity(4 + reason.len());
        value.extend_from_slice(&[0, 0, (code / 100) as u8, (code % 100) as u8]);
        value.extend_from_slice(reason.as_bytes());
        self.attribute(attribute::ERROR_CODE, &value)
    }

    /// Adds UNKNOWN-ATTRIBUTES.
    #[must_use]
    pub fn unknown(self, kinds: &[u16]) -> Self {
        let value: Vec<u8> = kinds.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        self.attribute(attribute::UNKNOWN_ATTRIBUTES, &value)
    }

    /// Adds any attribute, filled up to four octets.
    #[must_use]
    pub fn attribute(self, kind: u16, value: &[u8]) -> Self {
        self.out.extend_from_slice(&kind.to_be_bytes());
        self.out
            .extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.out.extend_from_slice(value);
        self.out.resize(self.out.len().next_multiple_of(4), 0);
        self
    }

    /// Ends the message with MESSAGE-INTEGRITY, if there is a key, and FINGERPRINT.
    pub fn finish(self, key: Option<&Key>) {
        if let Some(key) = key {
            let mac = integrity(key, self.out).finalize().into_bytes();
            self.out
                .extend_from_slice(&attribute::MESSAGE_INTEGRITY.to_be_bytes());
            self.out.extend_from_slice(&20u16.to_be_bytes());
            self.out.extend_from_slice(&mac);
        }
        let length = (self.out.len() + FINGERPRINT_LEN - HEADER_LEN) as u16;
        self.out[2..4].copy_from_slice(&length.to_be_bytes());
        let crc = fingerprint(self.out);
        self.out
            .extend_from_slice(&attribute::FINGERPRINT.to_be_bytes());
        self.out.extend_from_slice(&4u16.to_be_bytes());
        self.out.extend_from_slice(&crc.to_be_bytes());
    }
}

/// The HMAC over a message up to MESSAGE-INTEGRITY, with the length as if that ended it (RFC 8489 14.5).
fn integrity(key: &Key, before: &[u8]) -> Hmac<Sha1> {
    let mut mac = key.0.clone();
    let length = (before.len() + INTEGRITY_LEN - HEADER_LEN) as u16;
    mac.update(&before[..2]);
    mac.update(&length.to_be_bytes());
    mac.update(&before[4..]);
    mac
}

/// The CRC over a message up to FINGERPRINT; the length in the header already counts it (RFC 8489 14.7).
fn fingerprint(before: &[u8]) -> u32 {
    crc32fast::hash(before) ^ FINGERPRINT_XOR
}

fn xor_address(value: &[u8], transaction: &TransactionId) -> Option<SocketAddr> {
    let [_, family, p1, p2, ip @ ..] = value else {
        return None;
    };
    let port = u16::from_be_bytes([*p1, *p2]) ^ (MAGIC_COOKIE >> 16) as u16;
    let ip = match family {
        1 => IpAddr::V4((u32::from_be_bytes(sized(ip)?) ^ MAGIC_COOKIE).into()),
        2 => IpAddr::V6((u128::from_be_bytes(sized(ip)?) ^ address_mask(transaction)).into()),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Cookie and transaction ID: what an IPv6 address is masked with.
fn address_mask(transaction: &TransactionId) -> u128 {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    mask[4..].copy_from_slice(transaction);
    u128::from_be_bytes(mask)
}

fn sized<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

fn be16(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

fn be32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
