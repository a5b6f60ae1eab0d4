//! The engine's certificate, and the fingerprints of others (RFC 8122).

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Name, X509Ref};

use crate::error::Error;

const FILE_NAME: &str = "dtls.pem";
/// Peers compare the hash and look at nothing else, so there is no reason to make a new one in the life of an installation.
const VALID_DAYS: u32 = 365 * 30;

/// The engine's own certificate with its key: ECDSA P-256, signed by itself.
pub struct Certificate {
    pub(super) x509: X509,
    pub(super) key: PKey<Private>,
}

impl Certificate {
    /// The certificate in `dir`, made on the first call. Fingerprints in SDP so survive restarts.
    ///
    /// The file `dtls.pem` holds the private key and the certificate and has mode 0600; one that others may read is refused.
    pub fn load_or_create(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE_NAME);
        if let Some(found) = Self::load(&path)? {
            return Ok(found);
        }
        let made = Self::generate()?;
        made.store(&path)?;
        // Whoever was first wins, us or another process that started at the same time.
        Self::load(&path)?.ok_or(Error::BadFile(path, "vanished while it was written"))
    }

    /// A new certificate that is kept nowhere.
    pub fn generate() -> Result<Self, Error> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let x509 = self_sign(&key)?;
        Ok(Self { x509, key })
    }

    /// Its SHA-256 hash as in `a=fingerprint`: upper-case hex with colons.
    ///
    /// # Panics
    /// Never: the certificate was parsed or made here.
    #[must_use]
    pub fn fingerprint_sha256(&self) -> String {
        let digest = self
            .x509
            .digest(MessageDigest::sha256())
            .expect("SHA-256 of a certificate that was parsed or made here");
        hex_with_colons(&digest)
    }

    fn load(path: &Path) -> Result<Option<Self>, Error> {
        let io_error = |error| Error::Io(path.to_owned(), error);
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(io_error)?,
        };
        if file.metadata().map_err(io_error)?.mode() & 0o077 != 0 {
            return Err(Error::Exposed(path.to_owned()));
        }
        let mut pem = Vec::new();
        io::Read::read_to_end(&mut file, &mut pem).map_err(io_error)?;
        let bad = |why| Error::BadFile(path.to_owned(), why);
        let key = PKey::private_key_from_pem(&pem).map_err(|_| bad("holds no private key"))?;
        let x509 = X509::from_pem(&pem).map_err(|_| bad("holds no certificate"))?;
        let certified = x509
            .public_key()
            .map_err(|_| bad("holds a certificate of unknown kind"))?;
        if !certified.public_eq(&key) {
            return Err(bad("certificate and key do not belong together"));
        }
        Ok(Some(Self { x509, key }))
    }

    /// Writes the file whole or not at all, and never over another.
    fn store(&self, path: &Path) -> Result<(), Error> {
        let mut pem = self.key.private_key_to_pem_pkcs8()?;
        pem.extend(self.x509.to_pem()?);
        let draft = draft_path(path);
        let io_error = |error| Error::Io(path.to_owned(), error);
        write_secret(&draft, &pem).map_err(io_error)?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft).map_err(io_error)?;
        match linked {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(io_error),
        }
    }
}

fn draft_path(path: &Path) -> PathBuf {
    path.with_extension(format!("pem.{}", std::process::id()))
}

fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn self_sign(key: &PKey<Private>) -> Result<X509, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COMMONNAME, "pagecalls")?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let serial: Asn1Integer = serial.to_asn1_integer()?;

    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    let from = Asn1Time::days_from_now(0)?;
    let until = Asn1Time::days_from_now(VALID_DAYS)?;
    builder.set_not_before(&from)?;
    builder.set_not_after(&until)?;
    builder.set_pubkey(key)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}

/// A hash that `a=fingerprint` may name (RFC 8122 5) and that is not broken; MD5 and MD2 are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HashAlg {
    /// `sha-1`
    Sha1,
    /// `sha-256`
    Sha256,
    /// `sha-384`
    Sha384,
    /// `sha-512`
    Sha512,
}

impl HashAlg {
    /// From its name in SDP, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|alg| alg.name().eq_ignore_ascii_case(name))
    }

    /// Its name in SDP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// Octets of a hash.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn digest(self) -> MessageDigest {
        match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }
}

/// A certificate's hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fingerprint {
    /// The hash function.
    pub alg: HashAlg,
    /// The hash; [`HashAlg::size`] octets.
    pub value: Vec<u8>,
}

impl Fingerprint {
    /// From the two words of `a=fingerprint`. `None` for an unknown hash or a value that is not one.
    #[must_use]
    pub fn parse(alg: &str, value: &str) -> Option<Self> {
        let alg = HashAlg::from_name(alg)?;
        let value: Vec<u8> = value.split(':').map(octet).collect::<Option<_>>()?;
        (value.len() == alg.size()).then_some(Self { alg, value })
    }

    /// Whether `certificate` has this hash.
    #[must_use]
    pub fn matches(&self, certificate: &X509Ref) -> bool {
        certificate
            .digest(self.alg.digest())
            .is_ok_and(|digest| *digest == *self.value)
    }
}

fn octet(digits: &str) -> Option<u8> {
    let is_hex = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

fn hex_with_colons(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (at, byte) in bytes.iter().enumerate() {
        let colon = if at == 0 { "" } else { ":" };
        write!(text, "{colon}{byte:02X}").expect("a String takes all");
    }
    text
}
