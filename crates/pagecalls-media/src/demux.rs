//! What a datagram is, by its first bytes (RFC 7983 section 7, RFC 5761 section 4).

/// The protocols that share one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A STUN message.
    Stun,
    /// A DTLS record.
    Dtls,
    /// An RTP packet.
    Rtp,
    /// An RTCP packet.
    Rtcp,
}

/// Tells the protocol of `datagram`; `None` for anything that is not ours.
#[must_use]
pub fn classify(datagram: &[u8]) -> Option<Protocol> {
    match *datagram {
        [0..=3, ..] => Some(Protocol::Stun),
        [20..=63, ..] => Some(Protocol::Dtls),
        // RFC 5761: with a marker bit, RTP payload types 64 to 95 would look like RTCP, so nobody uses them.
        [128..=191, 192..=223, ..] => Some(Protocol::Rtcp),
        [128..=191, _, ..] => Some(Protocol::Rtp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        assert_eq!(classify(&[0, 1]), Some(Protocol::Stun));
        assert_eq!(classify(&[22, 254]), Some(Protocol::Dtls));
        assert_eq!(classify(&[0x80, 111]), Some(Protocol::Rtp));
        assert_eq!(classify(&[0x90, 0x6f | 0x80]), Some(Protocol::Rtp));
        assert_eq!(classify(&[0x80, 200]), Some(Protocol::Rtcp));
        assert_eq!(classify(&[0x81, 206]), Some(Protocol::Rtcp));
    }

    #[test]
    fn everything_else_is_not_ours() {
        for datagram in [
            &[][..],
            &[4],
            &[19],
            &[64],
            &[127],
            &[128],
            &[192, 0],
            &[255],
        ] {
            assert_eq!(classify(datagram), None, "{datagram:?}");
        }
    }
}
