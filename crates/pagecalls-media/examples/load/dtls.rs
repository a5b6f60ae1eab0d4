//! The client's side of a DTLS handshake, with plain OpenSSL: a peer chooses which SRTP profile it offers, the engine's sessions do not.
//!
//! Nothing is sent twice, since loopback loses nothing, and the engine's certificate is taken as it is: who is measured is known.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslMethod, SslOptions, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use pagecalls_media::dtls::MTU;
use pagecalls_media::srtp::{Keys, Profile};

use crate::Outcome;

pub use openssl::ssl::SslContext as Context;

/// What browsers and the engine agree on.
const CIPHERS: &str = "ECDHE-ECDSA-AES128-GCM-SHA256";
const GROUPS: &str = "X25519:P-256";
/// RFC 5764 4.2.
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// The certificate that all peers show, ECDSA P-256 as browsers make them.
pub struct Identity {
    key: PKey<Private>,
    x509: X509,
}

impl Identity {
    /// A new one.
    pub fn generate() -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut builder = X509::builder()?;
        let serial = BigNum::from_u32(1)?.to_asn1_integer()?;
        builder.set_serial_number(&serial)?;
        let (today, later) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(30)?);
        builder.set_not_before(&today)?;
        builder.set_not_after(&later)?;
        builder.set_pubkey(&key)?;
        builder.sign(&key, MessageDigest::sha256())?;
        let x509 = builder.build();
        Ok(Self { key, x509 })
    }

    /// Its SHA-256 hash, upper-case hex with colons.
    pub fn fingerprint(&self) -> Result<String, ErrorStack> {
        let digest = self.x509.digest(MessageDigest::sha256())?;
        let mut text = String::new();
        for byte in digest.iter() {
            let colon = if text.is_empty() { "" } else { ":" };
            // Writing to a string cannot fail.
            let _ = write!(text, "{colon}{byte:02X}");
        }
        Ok(text)
    }
}

/// What the handshakes of all peers have in common.
pub fn context(identity: &Identity, profile: Profile) -> Result<Context, ErrorStack> {
    let mut builder = SslContext::builder(SslMethod::dtls())?;
    builder.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
    builder.set_cipher_list(CIPHERS)?;
    builder.set_groups_list(GROUPS)?;
    builder.set_certificate(&identity.x509)?;
    builder.set_private_key(&identity.key)?;
    builder.set_tlsext_use_srtp(profile.openssl_name())?;
    builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    builder.set_options(SslOptions::NO_QUERY_MTU | SslOptions::NO_TICKET);
    Ok(builder.build())
}

/// One handshake.
pub struct Handshake(SslStream<Wire>);

impl Handshake {
    /// One that has sent nothing yet.
    pub fn new(context: &Context) -> Result<Self, ErrorStack> {
        let mut ssl = Ssl::new(context)?;
        ssl.set_mtu(MTU)?;
        ssl.set_connect_state();
        Ok(Self(SslStream::new(ssl, Wire::default())?))
    }

    /// Goes as far as it can with a datagram from the engine, or from the start without. Returns the keys when it is done.
    pub fn step(&mut self, datagram: Option<&[u8]>) -> Outcome<Option<(Profile, Keys)>> {
        self.0.get_mut().inbound = datagram.map(<[u8]>::to_vec);
        match self.0.do_handshake() {
            Ok(()) => self.export().map(Some),
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The next datagram to send.
    pub fn outgoing(&mut self) -> Option<Vec<u8>> {
        self.0.get_mut().outbound.pop_front()
    }

    fn export(&self) -> Outcome<(Profile, Keys)> {
        let ssl = self.0.ssl();
        let profile = ssl
            .selected_srtp_profile()
            .and_then(|selected| Profile::from_openssl_id(selected.id()))
            .ok_or("the engine chose no SRTP profile")?;
        let mut exported = vec![0; Keys::exported_len(profile)];
        ssl.export_keying_material(&mut exported, EXPORTER_LABEL, None)?;
        Ok((profile, Keys::split(profile, &exported)?))
    }
}

/// What OpenSSL takes for its socket: a read takes one datagram, a write makes one.
#[derive(Default)]
struct Wire {
    inbound: Option<Vec<u8>>,
    outbound: VecDeque<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.inbound.take().ok_or(ErrorKind::WouldBlock)?;
        datagram.as_slice().read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outbound.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
