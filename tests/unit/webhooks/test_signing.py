from __future__ import annotations

import pytest

from pagecalls.webhooks import signing

# The example key and message of RFC 2202 and RFC 4231, test case 2.
SECRET = "Jefe"
BODY = b"what do ya want for nothing?"
SHA1 = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
SHA256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_the_headers_of_a_notification() -> None:
    assert signing.headers(SECRET, BODY) == {
        "Content-Type": "application/json",
        "User-Agent": "facebookexternalua",
        "Accept": "*/*",
        "X-Hub-Signature": f"sha1={SHA1}",
        "X-Hub-Signature-256": f"sha256={SHA256}",
    }


def test_the_secret_is_read_as_utf_8() -> None:
    assert signing.headers("ü", b"")["X-Hub-Signature-256"] != signing.headers("u", b"")["X-Hub-Signature-256"]


def test_a_right_signature_is_accepted() -> None:
    assert signing.verify(SECRET, BODY, f"sha256={SHA256}")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        SHA256,
        f"sha1={SHA1}",
        f"sha256={SHA256.upper()}",
        f"sha256={SHA256[:-1]}0",
        f"sha256={SHA256}\n",
        "sha256=ü\ud800",
    ],
)
def test_anything_else_is_not(header: str | None) -> None:
    assert not signing.verify(SECRET, BODY, header)


def test_another_body_or_secret_does_not_fit() -> None:
    assert not signing.verify(SECRET, BODY + b" ", f"sha256={SHA256}")
    assert not signing.verify("jefe", BODY, f"sha256={SHA256}")
