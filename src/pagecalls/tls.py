"""The server's certificate: read and judged at start and again on demand, and shown to every new connection as it is by then.

A certificate that cannot be used stops a start; on a later reading the one in use stays. Open connections keep what they have
agreed on. Knows files and contexts; which socket they are for, and who asks for a new reading, is the composition root's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pagecalls.settings import SettingsError

log = logging.getLogger(__name__)

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption (RFC 9325 section 4.2). TLS 1.3 has nothing else."""
HSTS = (b"strict-transport-security", b"max-age=15552000; preload")
"""graph-platform 5."""
SOON_S = 14 * 86_400.0
"""A certificate that expires within this time is worth a warning."""


class BadCertificate(SettingsError):
    """A certificate or a key that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate as it was read. `names`: DNS names and IP addresses that it is for; times in Unix seconds."""

    names: tuple[str, ...]
    not_before: float
    not_after: float
    context: ssl.SSLContext = field(repr=False)

    def covers(self, host: str) -> bool:
        """Whether a client that asks for this name or address accepts it; a wildcard stands for one label (RFC 9525)."""
        host = host.lower()
        return host in self.names or f"*.{host.partition('.')[2]}" in self.names


class Tls:
    """The certificate in use."""

    def __init__(self, cert: Path, key: Path, now: float) -> None:
        """Raises `BadCertificate`."""
        self._cert, self._key = cert, key
        self.current = read(cert, key)
        _warn(self.current, cert, now)

    @property
    def context(self) -> ssl.SSLContext:
        """For the next handshake, with the certificate that was read last. In one context for all, a certificate with another
        kind of key would stand beside the old one."""
        return self.current.context

    def reload(self, now: float) -> None:
        """Read both files again. If they cannot be used, the certificate in use stays, and the log says why."""
        try:
            self.current = read(self._cert, self._key)
        except BadCertificate as error:
            log.error("the certificate in use stays: %s", error)
            return
        log.warning("certificate read again: for %s, until %s", ", ".join(self.current.names), _utc(self.current.not_after))
        _warn(self.current, self._cert, now)

    def check_names(self, hosts: frozenset[str]) -> None:
        """Warn if the certificate is for none of this host's names, which consumers and operators need."""
        if self.current.names and not any(self.current.covers(host) for host in (*hosts, "localhost")):
            names = ", ".join(self.current.names)
            log.warning("the certificate is for %s, and allow_host names none of it: consumers there are refused", names)


class Hsts:
    """An app whose answers tell browsers to come by HTTPS only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), HSTS]}
            await send(message)

        await self._app(scope, receive, send_with_header)


def read(cert: Path, key: Path) -> Certificate:
    """A usable certificate. Raises `BadCertificate`."""
    chain, private = _content("tls_cert", cert), _content("tls_key", key)
    leaf = _leaf(cert, chain)
    if _spki(_private_key(key, private)) != _spki(leaf.public_key()):
        raise BadCertificate(f"the key {key} does not belong to the certificate {cert}")
    context = _new_context()
    # Of the bytes that were judged, not of files that may have changed since; the standard library takes files only.
    with _as_file(chain) as chain_file, _as_file(private) as key_file:
        try:
            context.load_cert_chain(chain_file, key_file)
        except ssl.SSLError as error:
            raise BadCertificate(
                f"the certificate {cert} cannot be used ({(error.reason or str(error)).lower().replace('_', ' ')})"
            ) from error
    return Certificate(_names(leaf), leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp(), context)


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def _content(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadCertificate(f"{name} {path} cannot be read ({error.strerror})") from error


def _leaf(path: Path, chain: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        raise BadCertificate(f"tls_cert {path} holds no certificate in PEM") from error


def _private_key(path: Path, private: bytes) -> PublicKeyTypes:
    """The public half of the private key."""
    try:
        return load_pem_private_key(private, None).public_key()
    except TypeError as error:
        raise BadCertificate(f"tls_key {path} is protected by a passphrase, and nobody is there to type it") from error
    except Exception as error:
        # The library has more than one way to refuse a key; each of them means this.
        raise BadCertificate(f"tls_key {path} holds no private key in PEM") from error


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = [str(each) for each in found.get_values_for_type(x509.IPAddress)]
    return tuple([name.lower() for name in found.get_values_for_type(x509.DNSName)] + addresses)


def _warn(certificate: Certificate, cert: Path, now: float) -> None:
    if now >= certificate.not_after:
        log.warning("the certificate %s has expired on %s; clients refuse it", cert, _utc(certificate.not_after))
    elif now < certificate.not_before:
        log.warning("the certificate %s is valid only from %s on; clients refuse it", cert, _utc(certificate.not_before))
    elif certificate.not_after - now < SOON_S:
        log.warning("the certificate %s expires on %s", cert, _utc(certificate.not_after))
    if not certificate.names:
        log.warning("the certificate %s names no host (subjectAltName); clients refuse it", cert)


def _utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """`content` under a path, in memory (memfd_create(2))."""
    descriptor = os.memfd_create("pagecalls-tls")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
