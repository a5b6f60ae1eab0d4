//! Session keys from a master key (RFC 3711 4.3, key derivation rate 0; RFC 6188 for 256-bit keys; RFC 7714 11 for AEAD).

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;

use super::{Profile, check_len};
use crate::error::Error;

/// What a derived key is for (RFC 3711 4.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Label {
    /// Encryption of RTP payloads.
    RtpEncryption = 0,
    /// Authentication of RTP.
    RtpAuthentication = 1,
    /// Salt of RTP.
    RtpSalt = 2,
    /// Encryption of RTCP.
    RtcpEncryption = 3,
    /// Authentication of RTCP.
    RtcpAuthentication = 4,
    /// Salt of RTCP.
    RtcpSalt = 5,
}

/// The keys that packets of one kind are turned with.
pub struct SessionKeys {
    /// Encryption key; its length is the master key's.
    pub encryption: Vec<u8>,
    /// Salt; its length is the master salt's.
    pub salt: Vec<u8>,
    /// Authentication key; empty for AEAD.
    pub authentication: Vec<u8>,
}

impl SessionKeys {
    /// Keys for RTP.
    pub fn rtp(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        let labels = [
            Label::RtpEncryption,
            Label::RtpSalt,
            Label::RtpAuthentication,
        ];
        Self::derive(profile, key, salt, labels)
    }

    /// Keys for RTCP.
    pub fn rtcp(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        let labels = [
            Label::RtcpEncryption,
            Label::RtcpSalt,
            Label::RtcpAuthentication,
        ];
        Self::derive(profile, key, salt, labels)
    }

    fn derive(
        profile: Profile,
        key: &[u8],
        salt: &[u8],
        labels: [Label; 3],
    ) -> Result<Self, Error> {
        check_len("key", profile.key_len(), key)?;
        check_len("salt", profile.salt_len(), salt)?;
        let [encryption, salting, authentication] = labels;
        Ok(Self {
            encryption: derive(key, salt, encryption, profile.key_len())?,
            salt: derive(key, salt, salting, profile.salt_len())?,
            authentication: derive(key, salt, authentication, profile.auth_key_len())?,
        })
    }
}

/// `len` octets of the AES counter mode keystream that belongs to `label`.
///
/// `key` has 16 or 32 octets; `salt` at most 14, and a shorter one is filled with zeros on the right (RFC 7714 11).
pub fn derive(key: &[u8], salt: &[u8], label: Label, len: usize) -> Result<Vec<u8>, Error> {
    let cipher = match key.len() {
        16 => Cipher::aes_128_ctr(),
        32 => Cipher::aes_256_ctr(),
        found => {
            return Err(Error::KeyLength {
                what: "key",
                expected: 16,
                found,
            });
        }
    };
    if salt.len() > 14 {
        check_len("salt", 14, salt)?;
    }
    // x = key_id XOR master_salt, right aligned in 14 octets; key_id = label || r, and r is 48 zero bits at rate 0.
    let mut iv = [0; 16];
    iv[..salt.len()].copy_from_slice(salt);
    iv[7] ^= label as u8;
    let mut out = vec![0; len];
    if len > 0 {
        let mut ctx = CipherCtx::new()?;
        ctx.encrypt_init(Some(cipher), Some(key), Some(&iv))?;
        ctx.cipher_update_inplace(&mut out, len)?;
    }
    Ok(out)
}
