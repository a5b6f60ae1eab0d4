//! The frame of DTLS records (RFC 6347 4.1): where one begins and ends, and whether it may be true. Nothing is decrypted here.

/// Octets of a record's header.
pub const HEADER_LEN: usize = 13;
/// The explicit part of the nonce that an AES-GCM record begins with (RFC 5288 3).
pub const NONCE_LEN: usize = 8;
/// The tag that it ends with.
pub const TAG_LEN: usize = 16;
/// Alerts, by content type. `ChangeCipherSpec` lies before them, handshakes behind, then data.
pub const ALERT: u8 = 21;

/// The version in a record's header, DTLS 1.2; and what a first `ClientHello` bears, which may be older than both sides are.
pub const VERSION: [u8; 2] = [0xfe, 0xfd];
const FIRST_VERSION: [u8; 2] = [0xfe, 0xff];

const CHANGE_CIPHER_SPEC: u8 = 20;
const APPLICATION_DATA: u8 = 23;

/// One record as it lies in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Content type.
    pub kind: u8,
    /// As it is in the header.
    pub version: [u8; 2],
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
        0 => {
            // Data in clear is nobody's.
            (CHANGE_CIPHER_SPEC..APPLICATION_DATA).contains(&record.kind)
                && [VERSION, FIRST_VERSION].contains(&record.version)
        }
        1 => {
            (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&record.kind)
                && record.version == VERSION
                && record.body.len() >= NONCE_LEN + TAG_LEN
        }
        _ => false,
    }
}

/// Gives every record of a plausible datagram the version that was agreed on.
///
/// Of a record with another one OpenSSL drops the header alone and reads its content as records, which nobody has looked at: a stranger
/// could hide there what [`is_plausible`] keeps out. In clear the version proves nothing; which one is spoken is said in the hellos.
pub fn set_version(datagram: &mut [u8]) {
    let mut rest = datagram;
    while let Some((header, behind)) = rest.split_first_chunk_mut::<HEADER_LEN>() {
        header[1..3].copy_from_slice(&VERSION);
        let len = usize::from(u16::from_be_bytes([header[11], header[12]]));
        rest = behind
            .split_at_mut_checked(len)
            .map_or(&mut [], |(_, behind)| behind);
    }
}

/// The first record and what follows it.
fn split(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (header, behind) = bytes.split_first_chunk::<HEADER_LEN>()?;
    let [kind, major, minor, epoch @ .., len_high, len_low] = header;
    let [epoch_high, epoch_low, seq @ ..] = epoch;
    let len = u16::from_be_bytes([*len_high, *len_low]);
    let (body, behind) = behind.split_at_checked(len.into())?;
    let record = Record {
        kind: *kind,
        version: [*major, *minor],
        epoch: u16::from_be_bytes([*epoch_high, *epoch_low]),
        seq: seq
            .iter()
            .fold(0, |seq, octet| seq << 8 | u64::from(*octet)),
        body,
    };
    Some((record, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, version: [u8; 2], epoch: u8, body: &[u8]) -> Vec<u8> {
        let header = [kind, version[0], version[1], 0, epoch, 0, 0, 0, 0, 1, 2, 0];
        [&header[..], &[body.len() as u8], body].concat()
    }

    #[test]
    fn a_header_is_read_in_its_parts() {
        let datagram = [
            record(22, VERSION, 0, b"hello"),
            record(ALERT, VERSION, 1, &[7; 26]),
        ]
        .concat();
        let found: Vec<_> = records(&datagram).collect();
        assert_eq!(found.len(), 2);
        let expected = Record {
            kind: 22,
            version: VERSION,
            epoch: 0,
            seq: 0x0102,
            body: b"hello",
        };
        assert_eq!(found[0], expected);
        assert_eq!(
            (found[1].kind, found[1].epoch, found[1].body.len()),
            (ALERT, 1, 26)
        );
    }

    #[test]
    fn versions_are_those_of_their_epoch() {
        let any = [7; 40];
        for (version, epoch, expected) in [
            ([0xfe, 0xfd], 0, true),
            ([0xfe, 0xff], 0, true),
            ([0xfe, 0xfc], 0, false),
            ([0x03, 0x03], 0, false),
            ([0xfe, 0xfd], 1, true),
            ([0xfe, 0xff], 1, false),
            ([0xfe, 0xfd], 2, false),
        ] {
            let datagram = record(22, version, epoch, &any);
            assert_eq!(is_plausible(&datagram), expected, "{version:?} {epoch}");
        }
    }

    #[test]
    fn every_record_gets_the_version_and_nothing_else_changes() {
        let old = [0xfe, 0xff];
        let mut datagram = [record(22, old, 0, &[9; 30]), record(22, old, 0, &[])].concat();
        set_version(&mut datagram);
        let expected = [
            record(22, VERSION, 0, &[9; 30]),
            record(22, VERSION, 0, &[]),
        ]
        .concat();
        assert_eq!(datagram, expected);
    }
}
