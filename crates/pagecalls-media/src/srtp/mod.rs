//! SRTP and SRTCP (RFC 3711, RFC 7714): bytes in, bytes out, in place.
//!
//! It owns packet keys, rollover counters, replay windows and indices. It knows no payloads, no header extensions and no sockets: the
//! caller says how long the RTP header is.
//!
//! - [`Profile`] names a protection profile and its sizes, [`Keys`] are the two directions that a DTLS exporter gives.
//! - [`Inbound`] believes packets of one peer, [`Outbound`] protects packets for it. Each holds one direction with all its SSRCs.
//! - `kdf` derives session keys, `cipher` turns one packet with the help of `block` and `hmac`, `replay` estimates and remembers indices.
//!
//! Nothing is allocated per packet: ciphers keep their expanded keys, HMAC keeps its padded key, and only counters and IVs change.

mod block;
mod cipher;
mod context;
mod hmac;
pub mod kdf;
mod memory;
mod replay;

use std::fmt;

use openssl::srtp::SrtpProfileId;

pub use context::{Inbound, MAX_INBOUND_SSRCS, Outbound};

use crate::error::Error;
pub use crate::error::SrtpError;
pub use memory::REMEMBERED;

/// Octets of a fixed RTP header (RFC 3550 5.1).
pub const RTP_HEADER_LEN: usize = 12;
/// Octets at the start of SRTCP that stay in clear: the first packet's header and the sender's SSRC (RFC 3711 3.4).
pub const RTCP_HEADER_LEN: usize = 8;
/// Octets of the E flag and the SRTCP index.
pub const RTCP_INDEX_LEN: usize = 4;

/// A DTLS-SRTP protection profile (RFC 5764 4.1.2, RFC 7714 14.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Profile {
    /// `SRTP_AEAD_AES_128_GCM`
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`, the one that every peer must have (RFC 8827 6.5).
    Aes128CmSha1_80,
}

impl Profile {
    /// The order of our preference: cheapest strong one first, the mandatory one last.
    pub const OFFER_ORDER: [Self; 3] = [
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
        Self::Aes128CmSha1_80,
    ];

    /// The name in an OpenSSL profile list.
    #[must_use]
    pub const fn openssl_name(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
            Self::Aes128CmSha1_80 => "SRTP_AES128_CM_SHA1_80",
        }
    }

    /// The profile that OpenSSL agreed on with the peer, if it is one of ours.
    #[must_use]
    pub fn from_openssl_id(id: SrtpProfileId) -> Option<Self> {
        match id {
            SrtpProfileId::SRTP_AEAD_AES_128_GCM => Some(Self::AeadAes128Gcm),
            SrtpProfileId::SRTP_AEAD_AES_256_GCM => Some(Self::AeadAes256Gcm),
            SrtpProfileId::SRTP_AES128_CM_SHA1_80 => Some(Self::Aes128CmSha1_80),
            _ => None,
        }
    }

    /// The profile of an [`openssl_name`](Self::openssl_name) or an [`iana_name`](Self::iana_name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::OFFER_ORDER
            .into_iter()
            .find(|profile| profile.openssl_name() == name || profile.iana_name() == name)
    }

    /// The name in the registry of SRTP crypto suites, as the control protocol reports it.
    #[must_use]
    pub const fn iana_name(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::Aes128CmSha1_80 => "AES_CM_128_HMAC_SHA1_80",
        }
    }

    /// Octets of master and session encryption key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::Aes128CmSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Octets of master and session salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::Aes128CmSha1_80 => 14,
        }
    }

    /// Octets of the session authentication key; AEAD has none.
    #[must_use]
    pub const fn auth_key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 0,
            Self::Aes128CmSha1_80 => 20,
        }
    }

    /// Octets that a packet grows by under SRTP: the tag.
    #[must_use]
    pub const fn rtp_overhead(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            Self::Aes128CmSha1_80 => 10,
        }
    }

    /// Octets that a compound packet grows by under SRTCP: tag and index.
    #[must_use]
    pub const fn rtcp_overhead(self) -> usize {
        self.rtp_overhead() + RTCP_INDEX_LEN
    }
}

/// A master key and its salt.
pub type MasterKey = (Vec<u8>, Vec<u8>);

/// The master keys of both directions, cut from a DTLS exporter's output (RFC 5764 4.2).
#[derive(Clone)]
pub struct Keys {
    /// What the DTLS client encrypts with.
    pub client: MasterKey,
    /// What the DTLS server encrypts with.
    pub server: MasterKey,
}

impl Keys {
    /// Octets to ask the exporter for.
    #[must_use]
    pub const fn exported_len(profile: Profile) -> usize {
        2 * (profile.key_len() + profile.salt_len())
    }

    /// Cuts the exporter's output: client key, server key, client salt, server salt.
    pub fn split(profile: Profile, exported: &[u8]) -> Result<Self, Error> {
        check_len("exporter", Self::exported_len(profile), exported)?;
        let (keys, salts) = exported.split_at(2 * profile.key_len());
        let (client_key, server_key) = keys.split_at(profile.key_len());
        let (client_salt, server_salt) = salts.split_at(profile.salt_len());
        Ok(Self {
            client: (client_key.to_vec(), client_salt.to_vec()),
            server: (server_key.to_vec(), server_salt.to_vec()),
        })
    }
}

impl fmt::Debug for Keys {
    /// Says nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

fn check_len(what: &'static str, expected: usize, found: &[u8]) -> Result<(), Error> {
    if found.len() == expected {
        return Ok(());
    }
    Err(Error::KeyLength {
        what,
        expected,
        found: found.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exporter_output_is_cut_in_the_order_of_rfc_5764() {
        for profile in Profile::OFFER_ORDER {
            let (key, salt) = (profile.key_len(), profile.salt_len());
            let mut exported = vec![1; key];
            exported.extend(vec![2; key]);
            exported.extend(vec![3; salt]);
            exported.extend(vec![4; salt]);
            let keys = Keys::split(profile, &exported).unwrap();
            assert_eq!(keys.client, (vec![1; key], vec![3; salt]));
            assert_eq!(keys.server, (vec![2; key], vec![4; salt]));
            assert!(Keys::split(profile, &exported[1..]).is_err());
        }
    }

    #[test]
    fn names_lead_back_to_their_profile() {
        for profile in Profile::OFFER_ORDER {
            assert_eq!(Profile::from_name(profile.openssl_name()), Some(profile));
            assert_eq!(Profile::from_name(profile.iana_name()), Some(profile));
        }
        assert_eq!(Profile::from_name("SRTP_AES128_CM_SHA1_32"), None);
        assert_eq!(
            Profile::from_openssl_id(SrtpProfileId::SRTP_AES128_CM_SHA1_32),
            None
        );
    }

    #[test]
    fn keys_do_not_print_themselves() {
        let keys = Keys::split(Profile::Aes128CmSha1_80, &[0xab; 60]).unwrap();
        assert_eq!(format!("{keys:?}"), "Keys { .. }");
    }
}
