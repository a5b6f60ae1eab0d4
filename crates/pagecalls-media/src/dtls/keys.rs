//! The keys of records behind a handshake: cut from the master secret as TLS 1.2 says (RFC 5246 5 and 6.3), for AES-GCM (RFC 5288).

use openssl::cipher::{Cipher, CipherRef};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::ssl::SslRef;

use super::ffi;

/// Octets of the implicit part of a nonce.
pub const SALT_LEN: usize = 4;
const MAX_KEY_LEN: usize = 32;
const MASTER_LEN: usize = 48;
const RANDOM_LEN: usize = 32;

/// How the records of a connection are protected. The context agrees to no other suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// AES-128-GCM, keys by SHA-256.
    Aes128Gcm,
    /// AES-256-GCM, keys by SHA-384.
    Aes256Gcm,
}

impl Suite {
    fn of(ssl: &SslRef) -> Option<Self> {
        let name = ssl.current_cipher()?.name();
        match name.split_once("-AES")?.1 {
            "128-GCM-SHA256" => Some(Self::Aes128Gcm),
            "256-GCM-SHA384" => Some(Self::Aes256Gcm),
            _ => None,
        }
    }

    /// Octets of a key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm => 32,
        }
    }

    pub(super) fn cipher(self) -> &'static CipherRef {
        match self {
            Self::Aes128Gcm => Cipher::aes_128_gcm(),
            Self::Aes256Gcm => Cipher::aes_256_gcm(),
        }
    }

    fn digest(self) -> MessageDigest {
        match self {
            Self::Aes128Gcm => MessageDigest::sha256(),
            Self::Aes256Gcm => MessageDigest::sha384(),
        }
    }
}

/// Key and salt of one direction; wiped when dropped.
pub struct RecordKey {
    /// What the key is for.
    pub suite: Suite,
    key: [u8; MAX_KEY_LEN],
    /// The implicit part of every nonce.
    pub salt: [u8; SALT_LEN],
}

impl RecordKey {
    /// `None` unless `key` is as long as the suite's.
    #[must_use]
    pub fn new(suite: Suite, key: &[u8], salt: [u8; SALT_LEN]) -> Option<Self> {
        let mut own = Self {
            suite,
            key: [0; MAX_KEY_LEN],
            salt,
        };
        (key.len() == suite.key_len()).then(|| {
            own.key[..key.len()].copy_from_slice(key);
            own
        })
    }

    /// The key's octets.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key[..self.suite.key_len()]
    }
}

impl Drop for RecordKey {
    fn drop(&mut self) {
        ffi::cleanse(&mut self.key);
    }
}

/// The client's and the server's keys of a connection whose handshake is done; `None` when its suite is none of ours.
pub fn of_connection(ssl: &SslRef) -> Result<Option<(RecordKey, RecordKey)>, ErrorStack> {
    let (Some(suite), Some(session)) = (Suite::of(ssl), ssl.session()) else {
        return Ok(None);
    };
    let mut master = [0; MASTER_LEN];
    let mut seed = [0; 2 * RANDOM_LEN];
    let (server, client) = seed.split_at_mut(RANDOM_LEN);
    let lengths = (
        session.master_key(&mut master),
        ssl.server_random(server),
        ssl.client_random(client),
    );
    if lengths != (MASTER_LEN, RANDOM_LEN, RANDOM_LEN) {
        return Ok(None);
    }
    let block = prf(
        suite.digest(),
        &master,
        b"key expansion",
        &seed,
        2 * (suite.key_len() + SALT_LEN),
    );
    ffi::cleanse(&mut master);
    let mut block = block?;
    let keys = cut(suite, &block);
    ffi::cleanse(&mut block);
    Ok(keys)
}

/// Both keys, then both salts (RFC 5246 6.3; with AEAD there are no keys for authentication).
fn cut(suite: Suite, block: &[u8]) -> Option<(RecordKey, RecordKey)> {
    let (client_key, rest) = block.split_at_checked(suite.key_len())?;
    let (server_key, salts) = rest.split_at_checked(suite.key_len())?;
    let (client_salt, server_salt) = salts.split_first_chunk()?;
    let client = RecordKey::new(suite, client_key, *client_salt)?;
    let server = RecordKey::new(suite, server_key, *server_salt.first_chunk()?)?;
    Some((client, server))
}

/// The pseudo-random function of TLS 1.2: `len` octets (RFC 5246 5).
fn prf(
    digest: MessageDigest,
    secret: &[u8],
    label: &[u8],
    seed: &[u8],
    len: usize,
) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::hmac(secret)?;
    let hmac = |parts: &[&[u8]]| {
        let mut signer = Signer::new(digest, &key)?;
        for part in parts {
            signer.update(part)?;
        }
        signer.sign_to_vec()
    };
    // Room from the start: no octets stay behind where a vector has been.
    let mut out = Vec::with_capacity(len + digest.size());
    let mut link = hmac(&[label, seed])?;
    while out.len() < len {
        out.extend(hmac(&[&link, label, seed])?);
        link = hmac(&[&link])?;
    }
    ffi::cleanse(&mut out[len..]);
    out.truncate(len);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors that were published on the TLS working group's list when version 1.2 came.
    #[test]
    fn the_prf_gives_the_published_octets() {
        let secret = hex::decode("9bbe436ba940f017b17652849a71db35").unwrap();
        let seed = hex::decode("a0ba9f936cda311827a6f796ffd5198c").unwrap();
        let expected = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af\
                        0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
                        87347b66";
        let found = prf(MessageDigest::sha256(), &secret, b"test label", &seed, 100).unwrap();
        assert_eq!(hex::encode(found), expected);

        let secret = hex::decode("b80b733d6ceefcdc71566ea48e5567df").unwrap();
        let seed = hex::decode("cd665cf6a8447dd6ff8b27555edb7465").unwrap();
        let found = prf(MessageDigest::sha384(), &secret, b"test label", &seed, 16).unwrap();
        assert_eq!(hex::encode(found), "7b0c18e9ced410ed1804f2cfa34a336a");
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert!(RecordKey::new(Suite::Aes128Gcm, &[0; 32], [0; 4]).is_none());
        assert!(RecordKey::new(Suite::Aes256Gcm, &[0; 32], [0; 4]).is_some());
    }
}
