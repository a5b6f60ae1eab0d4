"""Which certificates are taken, what is said of the rest, and that a later reading never makes things worse."""

from __future__ import annotations

import logging
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from pagecalls.clock import SystemClock
from pagecalls.tls import BadCertificate, Tls, read
from tests.certificates import Authority, Files

NOW = 1_790_000_000.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, NOW)


@pytest.fixture
def present(tmp_path: Path) -> Authority:
    """For handshakes: a client's own clock cannot be turned."""
    return Authority(tmp_path, SystemClock().now())


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> tuple[str, str | None, bytes]:
    """A handshake in memory: version, protocol and the server's certificate."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name)
    waiting = [theirs, ours]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    shown = theirs.getpeercert(binary_form=True)
    assert shown is not None
    return str(theirs.version()), theirs.selected_alpn_protocol(), shown


def spoil_cert(files: Files) -> None:
    files.cert.write_text("no certificate")


def spoil_key(files: Files) -> None:
    files.key.write_text("no key")


def lose_cert(files: Files) -> None:
    files.cert.unlink()


def lose_key(files: Files) -> None:
    files.key.unlink()


def empty(files: Files) -> None:
    files.cert.write_text("")


BAD: list[tuple[Callable[[Files], None], str]] = [
    (spoil_cert, "cert-1.pem holds no certificate in PEM"),
    (empty, "cert-1.pem holds no certificate in PEM"),
    (spoil_key, "key-1.pem holds no private key in PEM"),
    (lose_cert, r"tls_cert .*cert-1.pem cannot be read \(No such file"),
    (lose_key, r"tls_key .*key-1.pem cannot be read \(No such file"),
]


@pytest.mark.parametrize(("spoil", "says"), BAD)
def test_what_cannot_be_used(authority: Authority, spoil: Callable[[Files], None], says: str) -> None:
    files = authority.issue("localhost")
    spoil(files)
    with pytest.raises(BadCertificate, match=says):
        Tls(files.cert, files.key, NOW)


def test_a_key_of_another_certificate(authority: Authority) -> None:
    one, two = authority.issue("localhost"), authority.issue("localhost")
    with pytest.raises(BadCertificate, match=r"the key .*key-2.pem does not belong to the certificate .*cert-1.pem"):
        read(one.cert, two.key)


def test_a_key_with_a_passphrase(authority: Authority) -> None:
    files = authority.issue("localhost", passphrase=b"open sesame")
    with pytest.raises(BadCertificate, match="protected by a passphrase"):
        read(files.cert, files.key)


@pytest.mark.parametrize(
    ("names", "days", "says"),
    [
        (("localhost",), -1.0, "has expired on 2026-09-20"),
        (("localhost",), 5.0, "expires on 2026-09-26"),
        ((), 90.0, "names no host"),
    ],
)
def test_what_can_be_used_and_deserves_a_warning(
    authority: Authority, caplog: pytest.LogCaptureFixture, names: tuple[str, ...], days: float, says: str
) -> None:
    files = authority.issue(*names, days=days)
    Tls(files.cert, files.key, NOW)
    (record,) = caplog.records
    assert (record.levelno, says in record.getMessage()) == (logging.WARNING, True)


def test_a_certificate_of_the_future(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    files = authority.issue("localhost")
    Tls(files.cert, files.key, NOW - 7 * 86_400)
    assert "valid only from 2026-09-20" in caplog.text


def test_a_good_one_is_taken_in_silence(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    files = authority.issue("Calls.example.com", "*.calls.example.com", "127.0.0.1", "::1")
    found = Tls(files.cert, files.key, NOW).current
    assert not caplog.records
    assert found.names == ("calls.example.com", "*.calls.example.com", "127.0.0.1", "::1")
    assert found.not_after == NOW + 90 * 86_400
    for host in ("CALLS.example.com", "a.calls.example.com", "127.0.0.1", "::1"):
        assert found.covers(host)
    for host in ("example.com", "a.b.calls.example.com", "127.0.0.2", ""):
        assert not found.covers(host)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_handshake_with_and_without_a_name(present: Authority, name: str) -> None:
    """A client that asks for an address names no host."""
    files = present.issue("localhost", "127.0.0.1")
    client = present.trust()
    client.set_alpn_protocols(["h2", "http/1.1"])
    version, protocol, _ = shake(Tls(files.cert, files.key, NOW).context, client, name)
    assert (version, protocol) == ("TLSv1.3", "http/1.1")


def test_old_versions_and_weak_ciphers_are_refused(present: Authority) -> None:
    files = present.issue("localhost", is_rsa=True)
    server = Tls(files.cert, files.key, NOW).context
    client = present.trust()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shake(server, client, "localhost")[0] == "TLSv1.2"
    client.set_ciphers("AES128-SHA")
    with pytest.raises(ssl.SSLError):
        shake(server, client, "localhost")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        shake(server, client, "localhost")


@pytest.mark.parametrize("is_rsa", [True, False])
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_renewed_certificate_is_shown_whatever_its_kind(present: Authority, is_rsa: bool, name: str) -> None:
    files = present.issue("localhost", "127.0.0.1")
    tls = Tls(files.cert, files.key, NOW)
    before = shake(tls.context, present.trust(), name)[2]
    present.issue("localhost", "127.0.0.1", is_rsa=is_rsa, days=180).move_to(files)
    assert shake(tls.context, present.trust(), name)[2] == before
    tls.reload(NOW)
    assert shake(tls.context, present.trust(), name)[2] != before
    assert tls.current.not_after - tls.current.not_before > 180 * 86_400


@pytest.mark.parametrize(("spoil", "says"), BAD)
def test_a_bad_renewal_keeps_what_is_in_use(
    present: Authority, caplog: pytest.LogCaptureFixture, spoil: Callable[[Files], None], says: str
) -> None:
    files = present.issue("localhost")
    tls = Tls(files.cert, files.key, NOW)
    before = shake(tls.context, present.trust(), "localhost")[2]
    spoil(files)
    tls.reload(NOW)
    assert "the certificate in use stays" in caplog.text
    assert shake(tls.context, present.trust(), "localhost")[2] == before


def test_half_a_renewal_keeps_what_is_in_use(present: Authority, caplog: pytest.LogCaptureFixture) -> None:
    """Read between the move of the certificate and that of its key."""
    files, renewed = present.issue("localhost"), present.issue("localhost")
    tls = Tls(files.cert, files.key, NOW)
    before = tls.current
    shutil.copy(renewed.cert, files.cert)
    tls.reload(NOW)
    assert "does not belong to" in caplog.text
    assert tls.current is before
    shutil.copy(renewed.key, files.key)
    tls.reload(NOW)
    assert tls.current is not before


def test_names_that_consumers_cannot_use_are_told(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    files = authority.issue("calls.example.com", "*.example.org")
    tls = Tls(files.cert, files.key, NOW)
    for hosts in ({"calls.example.com"}, {"a.example.org", "10.0.0.1"}):
        tls.check_names(frozenset(hosts))
    assert not caplog.records
    tls.check_names(frozenset({"10.0.0.1"}))
    assert "calls.example.com, *.example.org" in caplog.text
