//! The same bits as another type: wire fields that are signed differences or wrap around.

/// 16 bits as a signed number.
#[must_use]
pub const fn signed16(bits: u16) -> i16 {
    i16::from_ne_bytes(bits.to_ne_bytes())
}

/// 32 bits as a signed number.
#[must_use]
pub const fn signed32(bits: u32) -> i32 {
    i32::from_ne_bytes(bits.to_ne_bytes())
}

/// 32 bits as an unsigned number.
#[must_use]
pub const fn unsigned32(bits: i32) -> u32 {
    u32::from_ne_bytes(bits.to_ne_bytes())
}

/// 64 bits as a signed number.
#[must_use]
pub const fn signed64(bits: u64) -> i64 {
    i64::from_ne_bytes(bits.to_ne_bytes())
}

/// 64 bits as an unsigned number.
#[must_use]
pub const fn unsigned64(bits: i64) -> u64 {
    u64::from_ne_bytes(bits.to_ne_bytes())
}

/// The signed distance from one wrapping 16-bit number to another.
#[must_use]
pub const fn distance16(from: u16, to: u16) -> i16 {
    signed16(to.wrapping_sub(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_wrap() {
        assert_eq!(
            [
                distance16(65_535, 1),
                distance16(1, 65_535),
                distance16(0, 0x8000)
            ],
            [2, -2, i16::MIN]
        );
    }

    #[test]
    fn bits_stay() {
        assert_eq!(signed32(unsigned32(-5)), -5);
        assert_eq!(signed64(unsigned64(-5)), -5);
    }
}
