//! The RTP header (RFC 3550 section 5.1) and its extensions (RFC 8285): reading and writing.
//!
//! Pure functions over bytes. This module knows neither tracks nor keys; a header is readable before decryption, because SRTP
//! leaves it in the clear.

/// The fixed part of a header.
pub const FIXED_LEN: usize = 12;

const ONE_BYTE_PROFILE: u16 = 0xBEDE;
const TWO_BYTE_PROFILE: u16 = 0x1000;

/// The header fields of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Payload type, 7 bits.
    pub pt: u8,
    /// The marker bit.
    pub marker: bool,
    /// Whether the payload ends in padding.
    pub padding: bool,
    /// Sequence number.
    pub seq: u16,
    /// Timestamp, in units of the payload type's clock.
    pub ts: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Length of the whole header in bytes: fixed part, contributing sources and extension.
    pub len: usize,
    extension: Option<Extension>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extension {
    profile: u16,
    start: usize,
}

impl Header {
    /// Reads the header of `packet`; `None` when it is no RTP or is cut short.
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let fixed = packet.get(..FIXED_LEN)?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let mut len = FIXED_LEN + 4 * usize::from(fixed[0] & 0x0f);
        let mut extension = None;
        if fixed[0] & 0x10 != 0 {
            let head = packet.get(len..len + 4)?;
            extension = Some(Extension {
                profile: u16::from_be_bytes([head[0], head[1]]),
                start: len + 4,
            });
            len += 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        }
        if packet.len() < len {
            return None;
        }
        Some(Self {
            pt: fixed[1] & 0x7f,
            marker: fixed[1] & 0x80 != 0,
            padding: fixed[0] & 0x20 != 0,
            seq: u16::from_be_bytes([fixed[2], fixed[3]]),
            ts: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            len,
            extension,
        })
    }

    /// The extension elements of `packet`, which must be the one that this header was read from.
    #[must_use]
    pub fn extensions<'a>(&self, packet: &'a [u8]) -> Elements<'a> {
        match self.extension {
            Some(Extension {
                profile: ONE_BYTE_PROFILE,
                start,
            }) => Elements {
                rest: &packet[start..self.len],
                two_byte: false,
            },
            // RFC 8285 4.3: the low four bits are for the application.
            Some(Extension { profile, start }) if profile & 0xfff0 == TWO_BYTE_PROFILE => {
                Elements {
                    rest: &packet[start..self.len],
                    two_byte: true,
                }
            }
            _ => Elements {
                rest: &[],
                two_byte: false,
            },
        }
    }

    /// The value of the extension element `id`.
    #[must_use]
    pub fn extension<'a>(&self, packet: &'a [u8], id: u8) -> Option<&'a [u8]> {
        self.extensions(packet)
            .find(|(found, _)| *found == id)
            .map(|(_, value)| value)
    }
}

/// Iterates over extension elements as (id, value); ends at the first malformed one.
#[derive(Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
    two_byte: bool,
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&first, rest) = self.rest.split_first()?;
            if first == 0 {
                self.rest = rest;
                continue;
            }
            let (id, length, rest) = if self.two_byte {
                let (&length, rest) = rest.split_first()?;
                (first, usize::from(length), rest)
            } else {
                // RFC 8285 4.2: at id 15, and at id 0 with a length, a reader must stop.
                if matches!(first >> 4, 0 | 15) {
                    self.rest = &[];
                    return None;
                }
                (first >> 4, usize::from(first & 0x0f) + 1, rest)
            };
            if rest.len() < length {
                self.rest = &[];
                return None;
            }
            let (value, rest) = rest.split_at(length);
            self.rest = rest;
            return Some((id, value));
        }
    }
}

/// Whether `payload` ends in padding that fits into it (RFC 3550 5.1: the last byte counts itself).
#[must_use]
pub fn padding_fits(payload: &[u8]) -> bool {
    payload
        .last()
        .is_some_and(|&count| count > 0 && usize::from(count) <= payload.len())
}

/// `payload` without the padding at its end; nothing when the padding does not fit.
#[must_use]
pub fn without_padding(payload: &[u8], is_padded: bool) -> &[u8] {
    let padding = payload.last().filter(|_| is_padded);
    let padding = padding.map_or(0, |count| usize::from(*count));
    payload
        .len()
        .checked_sub(padding)
        .map_or(&[], |len| &payload[..len])
}

/// What a written header says.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// Payload type, 7 bits.
    pub pt: u8,
    /// The marker bit.
    pub marker: bool,
    /// Whether the payload ends in padding.
    pub padding: bool,
    /// Sequence number.
    pub seq: u16,
    /// Timestamp.
    pub ts: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

/// Writes a header with these extension elements and returns its length; `None` when `buffer` is too short.
///
/// The one-byte form is used when every element fits it, else the two-byte form. Values longer than 255 bytes are left out.
#[must_use]
pub fn write_header<'a>(
    buffer: &mut [u8],
    fields: &Fields,
    elements: impl Iterator<Item = (u8, &'a [u8])> + Clone,
) -> Option<usize> {
    let fixed = buffer.get_mut(..FIXED_LEN)?;
    fixed[0] = 0x80 | u8::from(fields.padding) << 5;
    fixed[1] = fields.pt & 0x7f | u8::from(fields.marker) << 7;
    fixed[2..4].copy_from_slice(&fields.seq.to_be_bytes());
    fixed[4..8].copy_from_slice(&fields.ts.to_be_bytes());
    fixed[8..12].copy_from_slice(&fields.ssrc.to_be_bytes());
    let elements = elements.filter(|(id, value)| *id != 0 && value.len() <= 255);
    let two_byte = elements
        .clone()
        .any(|(id, value)| id > 14 || value.is_empty() || value.len() > 16);
    let mut end = FIXED_LEN + 4;
    for (id, value) in elements {
        let head: &[u8] = if two_byte {
            &[id, value.len() as u8]
        } else {
            &[id << 4 | (value.len() - 1) as u8]
        };
        buffer.get_mut(end..end + head.len())?.copy_from_slice(head);
        end += head.len();
        buffer
            .get_mut(end..end + value.len())?
            .copy_from_slice(value);
        end += value.len();
    }
    if end == FIXED_LEN + 4 {
        return Some(FIXED_LEN);
    }
    let padded = end.next_multiple_of(4);
    buffer.get_mut(end..padded)?.fill(0);
    let profile = if two_byte {
        TWO_BYTE_PROFILE
    } else {
        ONE_BYTE_PROFILE
    };
    buffer[0] |= 0x10;
    buffer[FIXED_LEN..FIXED_LEN + 2].copy_from_slice(&profile.to_be_bytes());
    let words = ((padded - FIXED_LEN - 4) / 4) as u16;
    buffer[FIXED_LEN + 2..FIXED_LEN + 4].copy_from_slice(&words.to_be_bytes());
    Some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields = Fields {
        pt: 111,
        marker: true,
        padding: false,
        seq: 7,
        ts: 960,
        ssrc: 0x0102_0304,
    };

    fn written(elements: &[(u8, &[u8])]) -> Vec<u8> {
        let mut buffer = [0xaa; 600];
        let len = write_header(&mut buffer, &FIELDS, elements.iter().copied()).unwrap();
        buffer[..len].to_vec()
    }

    #[test]
    fn a_written_header_reads_back() {
        let packet = written(&[(4, b"0"), (1, &[0x85])]);
        let header = Header::parse(&packet).unwrap();
        assert_eq!(
            (header.pt, header.marker, header.seq, header.ts, header.ssrc),
            (111, true, 7, 960, 0x0102_0304)
        );
        assert_eq!(header.len, 20);
        let elements: Vec<_> = header.extensions(&packet).collect();
        assert_eq!(elements, vec![(4, &b"0"[..]), (1, &[0x85][..])]);
    }

    #[test]
    fn no_element_means_no_extension() {
        assert_eq!(written(&[]).len(), 12);
        assert_eq!(written(&[])[0], 0x80);
    }

    #[test]
    fn long_values_and_high_ids_take_the_two_byte_form() {
        for (id, value) in [
            (4, &b"a mid of seventeen"[..]),
            (15, b"0"),
            (200, b"0"),
            (3, b""),
        ] {
            let packet = written(&[(1, &[9]), (id, value)]);
            assert_eq!(packet[12..14], [0x10, 0x00]);
            let header = Header::parse(&packet).unwrap();
            assert_eq!(header.extension(&packet, id), Some(value));
            assert_eq!(header.extension(&packet, 1), Some(&[9][..]));
        }
    }

    #[test]
    fn contributing_sources_belong_to_the_header() {
        let mut packet = vec![0x82, 111];
        packet.extend([0; 10 + 8]);
        assert_eq!(Header::parse(&packet).unwrap().len, 20);
        assert_eq!(Header::parse(&packet[..19]), None);
    }

    #[test]
    fn an_element_that_runs_over_the_end_stops_the_reading() {
        let packet = [
            0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0, 1, 0x10, 5, 0x2f, 7,
        ];
        let header = Header::parse(&packet).unwrap();
        assert_eq!(
            header.extensions(&packet).collect::<Vec<_>>(),
            vec![(1, &[5][..])]
        );
    }

    #[test]
    fn reserved_ids_of_the_one_byte_form_stop_the_reading() {
        for reserved in [0xf0, 0x01] {
            let packet = [
                0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0, 2, 0x10, 5, reserved, 9, 9,
                0x20, 7, 0,
            ];
            let header = Header::parse(&packet).unwrap();
            assert_eq!(
                header.extensions(&packet).collect::<Vec<_>>(),
                vec![(1, &[5][..])]
            );
        }
    }

    #[test]
    fn padding_must_fit() {
        assert!(padding_fits(&[1, 2, 0, 2]));
        assert!(padding_fits(&[0, 0, 3]));
        assert!(!padding_fits(&[0, 0, 4]));
        assert!(!padding_fits(&[0, 0]));
        assert!(!padding_fits(&[]));
        assert_eq!(without_padding(&[1, 2, 0, 2], true), [1, 2]);
        assert_eq!(without_padding(&[1, 2, 0, 2], false), [1, 2, 0, 2]);
        assert!(without_padding(&[0, 9], true).is_empty());
    }
}
