//! What all sessions of a process have in common.

use openssl::ssl::{
    SslContext, SslMethod, SslMode, SslOptions, SslSessionCacheMode, SslVerifyMode, SslVersion,
};

use super::Certificate;
use crate::error::Error;
use crate::srtp::Profile;

/// AES-GCM with a fresh key, for peers with ECDSA and with RSA certificates. The first is the one that all of WebRTC must have (RFC 8827
/// 6.5), so there is no need of more; `is_plausible` in the session counts on there being no other kind.
const CIPHERS: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
                       ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
const GROUPS: &str = "X25519:P-256:P-384";

/// Certificate, cipher suites, SRTP profiles and rules of the process; one for all sessions.
#[derive(Clone)]
pub struct Context {
    pub(super) ssl: SslContext,
    /// The profile that sessions suppose to have agreed on, without a handshake.
    #[cfg(fuzzing)]
    pub(super) supposed: Option<Profile>,
}

impl Context {
    /// A context that shows `certificate` to every peer and takes every SRTP profile.
    pub fn new(certificate: &Certificate) -> Result<Self, Error> {
        Self::offering(certificate, &Profile::OFFER_ORDER)
    }

    /// The same with these SRTP profiles alone, the preferred one first.
    pub fn offering(certificate: &Certificate, profiles: &[Profile]) -> Result<Self, Error> {
        let mut builder = SslContext::builder(SslMethod::dtls())?;
        builder.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
        builder.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
        builder.set_cipher_list(CIPHERS)?;
        builder.set_groups_list(GROUPS)?;
        builder.set_certificate(&certificate.x509)?;
        builder.set_private_key(&certificate.key)?;
        builder.check_private_key()?;
        let names: Vec<&str> = profiles
            .iter()
            .map(|profile| profile.openssl_name())
            .collect();
        builder.set_tlsext_use_srtp(&names.join(":"))?;
        // Peers sign their certificates themselves. The hash in SDP is what counts, and the session compares it (RFC 8827 6.5).
        let must_show = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
        builder.set_verify_callback(must_show, |_, _| true);
        // Nobody comes back: every leg makes new keys, and a kept session is memory.
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        builder.set_session_id_context(b"pagecalls")?;
        builder.set_options(
            SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION | SslOptions::NO_QUERY_MTU,
        );
        builder.set_mode(SslMode::RELEASE_BUFFERS);
        Ok(Self {
            ssl: builder.build(),
            #[cfg(fuzzing)]
            supposed: None,
        })
    }
}
