//! The engine's certificate on disk, and fingerprints in SDP's spelling.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::X509;
use pagecalls_media::dtls::{Certificate, Fingerprint, HashAlg};
use pagecalls_media::error::Error;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("pagecalls-dtls-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("dtls.pem")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn it_is_made_once_and_kept_for_its_owner_alone() {
    let folder = Folder::new("once");
    let first = Certificate::load_or_create(&folder.0).unwrap();
    let again = Certificate::load_or_create(&folder.0).unwrap();
    assert_eq!(first.fingerprint_sha256(), again.fingerprint_sha256());
    assert_eq!(
        fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::read_dir(&folder.0).unwrap().count(),
        1,
        "no draft is left"
    );
    let other = Folder::new("other");
    assert_ne!(
        Certificate::load_or_create(&other.0)
            .unwrap()
            .fingerprint_sha256(),
        first.fingerprint_sha256()
    );
}

#[test]
fn it_is_ecdsa_p_256_with_a_serial_of_its_own() {
    let folder = Folder::new("kind");
    let certificate = Certificate::load_or_create(&folder.0).unwrap();
    let x509 = X509::from_pem(&fs::read(folder.file()).unwrap()).unwrap();
    let key = x509.public_key().unwrap();
    assert_eq!(
        key.ec_key().unwrap().group().curve_name(),
        Some(Nid::X9_62_PRIME256V1)
    );
    assert!(x509.verify(&key).unwrap());
    let digest = x509.digest(MessageDigest::sha256()).unwrap();
    let fingerprint = Fingerprint::parse("sha-256", &certificate.fingerprint_sha256()).unwrap();
    assert_eq!(fingerprint.value, *digest);
    assert!(fingerprint.matches(&x509));

    fs::remove_file(folder.file()).unwrap();
    Certificate::load_or_create(&folder.0).unwrap();
    let next = X509::from_pem(&fs::read(folder.file()).unwrap()).unwrap();
    let serial = |x509: &X509| x509.serial_number().to_bn().unwrap();
    assert_ne!(serial(&x509), serial(&next));
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let folder = Folder::new("exposed");
    Certificate::load_or_create(&folder.0).unwrap();
    fs::set_permissions(folder.file(), Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        Certificate::load_or_create(&folder.0),
        Err(Error::Exposed(_))
    ));
}

#[test]
fn a_broken_file_is_an_error_and_is_left_alone() {
    let folder = Folder::new("broken");
    let good = {
        Certificate::load_or_create(&folder.0).unwrap();
        fs::read_to_string(folder.file()).unwrap()
    };
    let other = Folder::new("stranger");
    Certificate::load_or_create(&other.0).unwrap();
    let stranger = fs::read_to_string(other.file()).unwrap();
    let at = good.find("-----BEGIN CERTIFICATE").unwrap();
    let stranger_at = stranger.find("-----BEGIN CERTIFICATE").unwrap();
    let mixed = format!("{}{}", &good[..at], &stranger[stranger_at..]);
    for bad in ["", "nonsense", &good[..at], &good[at..], &mixed] {
        fs::write(folder.file(), bad).unwrap();
        let result = Certificate::load_or_create(&folder.0);
        assert!(matches!(result, Err(Error::BadFile(..))), "{bad}");
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), *bad);
    }
}

#[test]
fn a_folder_that_is_missing_is_an_error() {
    let missing = std::env::temp_dir()
        .join("pagecalls-dtls-missing")
        .join("deeper");
    assert!(matches!(
        Certificate::load_or_create(&missing),
        Err(Error::Io(..))
    ));
}

#[test]
fn fingerprints_are_read_in_any_case_and_only_whole() {
    let text = "4a:AD:b9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";
    let fingerprint = Fingerprint::parse("SHA-1", text).unwrap();
    assert_eq!(fingerprint.alg, HashAlg::Sha1);
    assert_eq!(fingerprint.value[..3], [0x4a, 0xad, 0xb9]);
    for (alg, value) in [
        ("sha-256", text),
        ("md5", text),
        ("", text),
        ("sha-1", ""),
        ("sha-1", &text[..text.len() - 1]),
        ("sha-1", &text[..text.len() - 3]),
        ("sha-1", &text.replace(':', "")),
        ("sha-1", &text.replace("4a", "+a")),
        ("sha-1", &text.replace("4a", "g0")),
        ("sha-1", &format!("{text}:00")),
    ] {
        assert_eq!(Fingerprint::parse(alg, value), None, "{alg} {value}");
    }
}
