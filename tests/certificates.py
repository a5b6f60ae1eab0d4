"""A certificate authority of the test's own, and what it issues."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate with its chain, and its key, as PEM files."""

    cert: Path
    key: Path

    def move_to(self, other: Files) -> None:
        """Put these in the place of the other, as a renewal does."""
        self.cert.replace(other.cert)
        self.key.replace(other.key)


class Authority:
    """Issues certificates into a folder; `file` is its own, for clients."""

    def __init__(self, folder: Path, now: float) -> None:
        self._folder = folder
        self._now = datetime.fromtimestamp(now, UTC)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        self._own = (
            self._signed(self._name, self._key, [], timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self._count = 0
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._own.public_bytes(Encoding.PEM))

    def trust(self) -> ssl.SSLContext:
        """What a client needs that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.file))

    def issue(
        self,
        *names: str,
        days: float = 90,
        is_rsa: bool = False,
        passphrase: bytes | None = None,
    ) -> Files:
        """A certificate for these names and addresses; `days` below 0: one that has expired."""
        self._count += 1
        key: PrivateKey = rsa.generate_private_key(65_537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Test {self._count}")])
        leaf = self._signed(subject, key, list(names), timedelta(days=days)).sign(self._key, hashes.SHA256())
        files = Files(self._folder / f"cert-{self._count}.pem", self._folder / f"key-{self._count}.pem")
        files.cert.write_bytes(leaf.public_bytes(Encoding.PEM) + self._own.public_bytes(Encoding.PEM))
        encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        return files

    def _signed(self, subject: x509.Name, key: PrivateKey, names: list[str], valid: timedelta) -> x509.CertificateBuilder:
        until = self._now + valid
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(self._now, until) - DAY)
            .not_valid_after(until)
        )
        return (
            built.add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False) if names else built
        )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
