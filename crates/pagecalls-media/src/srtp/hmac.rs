//! HMAC-SHA1 (RFC 2104) under one key for many packets: both padded keys are hashed once.

use openssl::sha::Sha1;

/// Octets of a whole code.
pub const MAC_LEN: usize = 20;
/// Octets that SHA-1 takes at a time.
const BLOCK: usize = 64;

/// A keyed HMAC. OpenSSL chooses the way of hashing by the processor.
pub struct HmacSha1 {
    inner: Sha1,
    outer: Sha1,
}

impl HmacSha1 {
    /// With a key of at most 64 octets.
    ///
    /// # Panics
    /// When it is longer; SRTP's has 20.
    pub fn new(key: &[u8]) -> Self {
        let mut padded = [0; BLOCK];
        padded[..key.len()].copy_from_slice(key);
        let begun = |pad: u8| {
            let mut hash = Sha1::new();
            hash.update(&padded.map(|octet| octet ^ pad));
            hash
        };
        Self {
            inner: begun(0x36),
            outer: begun(0x5c),
        }
    }

    /// The code of these parts, one behind the other.
    pub fn of(&self, parts: &[&[u8]]) -> [u8; MAC_LEN] {
        let mut inner = self.inner.clone();
        for part in parts {
            inner.update(part);
        }
        let mut outer = self.outer.clone();
        outer.update(&inner.finish());
        outer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 3, cases 1, 2 and 4.
    #[test]
    fn the_codes_are_those_of_rfc_2202() {
        for (key, data, expected) in [
            (
                "0b".repeat(20),
                hex::encode("Hi There"),
                "b617318655057264e28bc0b6fb378c8ef146be00",
            ),
            (
                hex::encode("Jefe"),
                hex::encode("what do ya want for nothing?"),
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
            (
                "0102030405060708090a0b0c0d0e0f10111213141516171819".into(),
                "cd".repeat(50),
                "4c9007f4026250c6bc8414f9bf50c86c2d7235da",
            ),
        ] {
            let data = hex::decode(data).unwrap();
            let (one, other) = data.split_at(data.len() / 3);
            let mac = HmacSha1::new(&hex::decode(key).unwrap());
            for _ in 0..2 {
                assert_eq!(hex::encode(mac.of(&[one, other])), expected);
            }
        }
    }
}
