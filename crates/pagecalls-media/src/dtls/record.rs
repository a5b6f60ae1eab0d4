//! The frame of DTLS records (RFC 6347 4.1): where one begins and ends, and whether it may be true. Nothing is decrypted here.

/// Octets of a record's header.
pub const HEADER_LEN: usize = 13;
/// The explicit part of the nonce that an AES-GCM record begins with (RFC 5288 3).
pub const NONCE_LEN: usize = 8;
/// The tag that it ends with.
pub const TAG_LEN: usize = 16;
/// Alerts, by content type. `ChangeCipherSpec` lies before them, handshakes behind, then data.
pub const ALERT: u8 = 21;

const CHANGE_CIPHER_SPEC: u8 = 20;
const APPLICATION_DATA: u8 = 23;

/// One record as it lies in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Content type.
    pub kind: u8,
    /// 0 in clear, 1 encrypted; keys change once.
    pub epoch: u16,
    /// 48 bits.
    pub seq: u64,
    /// What follows the header.
    pub body: &'a [u8],
}

/// The records of a datagram, up to the first thing that is none.
pub fn records(datagram: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let (record, behind) = split(rest)?;
        rest = behind;
        Some(record)
    })
}

/// Whether a datagram is made of whole records that may be true.
///
/// The rest is dropped before OpenSSL sees it, for version 3.0 would not ignore all of it: an encrypted record that is too short for its
/// own tag ends the session with an internal error, and anyone who knows the address could send one.
#[must_use]
pub fn is_plausible(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while !rest.is_empty() {
        match split(rest) {
            Some((record, behind)) if may_be_true(&record) => rest = behind,
            _ => return false,
        }
    }
    !datagram.is_empty()
}

fn may_be_true(record: &Record<'_>) -> bool {
    match record.epoch {
        0 => (CHANGE_CIPHER_SPEC..APPLICATION_DATA).contains(&record.kind), // data in clear is nobody's
        1 => {
            (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&record.kind)
                && record.body.len() >= NONCE_LEN + TAG_LEN
        }
        _ => false,
    }
}

/// The first record and what follows it.
fn split(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (header, behind) = bytes.split_first_chunk::<HEADER_LEN>()?;
    let [kind, major, _, epoch @ .., len_high, len_low] = header;
    let [epoch_high, epoch_low, seq @ ..] = epoch;
    let len = u16::from_be_bytes([*len_high, *len_low]);
    let (body, behind) = behind.split_at_checked(len.into())?;
    let record = Record {
        kind: *kind,
        epoch: u16::from_be_bytes([*epoch_high, *epoch_low]),
        seq: seq
            .iter()
            .fold(0, |seq, octet| seq << 8 | u64::from(*octet)),
        body,
    };
    (*major == 0xfe).then_some((record, behind))
}
