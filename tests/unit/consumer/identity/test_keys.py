"""Which keys are taken, and what each may be used with."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pagecalls.consumer.identity.keys import MAX_KEYS, KeyFault, read_jwks, read_key
from tests.unit.consumer.identity.tokens import SECRET, jwk, jwks, pem, private

RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


@pytest.mark.parametrize(
    ("content", "algorithms"),
    [
        (SECRET, ("HS256", "HS384", "HS512")),
        (SECRET[:48] + b"\n", ("HS256", "HS384")),
        (b" " + SECRET[:32] + b"\r\n", ("HS256",)),
        (pem("rsa"), RSA),
        (b"\n" + pem("p256"), ("ES256",)),
        (pem("p384"), ("ES384",)),
        (pem("ed25519"), ("EdDSA",)),
    ],
)
def test_what_a_key_may_be_used_with_follows_from_the_key(content: bytes, algorithms: tuple[str, ...]) -> None:
    assert read_key(content).algorithms == algorithms


@pytest.mark.parametrize(
    "content",
    [
        b"",
        SECRET[:31],
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        pem("short rsa"),
        pem("k256"),
        private("p256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ],
)
def test_a_key_that_will_not_do(content: bytes) -> None:
    with pytest.raises(KeyFault) as fault:
        read_key(content)
    assert content.strip().decode() not in str(fault.value) or not content


def test_a_key_keeps_itself_out_of_its_repr() -> None:
    assert "secret" not in repr(read_key(SECRET))


def test_a_set() -> None:
    found = read_jwks(jwks(jwk("rsa", kid="one"), jwk("p256", kid="two", use="sig"), jwk("ed25519", kid="three")))
    assert [(key.kid, key.algorithms) for key in found] == [("one", RSA), ("two", ("ES256",)), ("three", ("EdDSA",))]


def test_a_key_of_a_set_that_names_its_algorithm_has_that_one() -> None:
    assert [key.algorithms for key in read_jwks(jwks(jwk("rsa", alg="PS256")))] == [("PS256",)]


@pytest.mark.parametrize(
    "member",
    [
        jwk("rsa", use="enc"),
        jwk("rsa", key_ops=["encrypt"]),
        jwk("rsa", alg="ES256"),
        jwk("rsa", alg="none"),
        jwk("rsa", n="!!!"),
        jwk("short rsa"),
        jwk("k256"),
        {"kty": "oct", "k": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA"},
        {"kty": "RSA"},
        {"kty": "tea"},
        {},
        {"kty": 1},
    ],
)
def test_a_member_that_is_not_for_us_is_passed_over(member: dict[str, object]) -> None:
    assert [key.kid for key in read_jwks(jwks(member, jwk("p256", kid="good")))] == ["good"]
    with pytest.raises(KeyFault):
        read_jwks(jwks(member))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[1]}', b"\xff"])
def test_what_is_no_set(content: bytes) -> None:
    with pytest.raises(KeyFault):
        read_jwks(content)


def test_a_set_is_read_to_a_bound() -> None:
    members = [jwk("ed25519", kid=str(number)) for number in range(MAX_KEYS + 5)]
    assert len(read_jwks(jwks(*members))) == MAX_KEYS


def test_only_the_public_part_of_a_private_key_is_taken() -> None:
    member = json.loads(json.dumps(jwk("p256", kid="one", d="AAAA")))
    assert [key.kid for key in read_jwks(jwks(member))] == ["one"]
