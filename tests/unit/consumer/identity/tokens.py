"""An identity system for tests: keys of each kind, and the tokens that it signs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

NOW = 1_790_000_000.0
SECRET = b"a-secret-of-an-identity-system--that-is-long-enough-for-any-hash"
PAGE = "1001"
CLAIMS: Mapping[str, object] = {"sub": "55", "page": PAGE, "platform": "instagram", "name": "Ada", "exp": NOW + 60}
"""Good until a minute after `NOW`."""

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@cache
def private(kind: str) -> Private:
    """One key of each kind for all tests: RSA takes its time. Chance decides the key, and nothing depends on it."""
    match kind:
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "short rsa":
            return rsa.generate_private_key(65537, 1024)
        case "p256":
            return ec.generate_private_key(ec.SECP256R1())
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "k256":
            return ec.generate_private_key(ec.SECP256K1())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


def pem(kind: str) -> bytes:
    """The public key as a file has it."""
    return private(kind).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(kind: str, **members: object) -> dict[str, Any]:
    """The public key as a set has it."""
    key = private(kind).public_key()
    match key:
        case rsa.RSAPublicKey():
            text = RSAAlgorithm.to_jwk(key)
        case ec.EllipticCurvePublicKey():
            text = ECAlgorithm.to_jwk(key)
        case ed25519.Ed25519PublicKey():
            text = OKPAlgorithm.to_jwk(key)
    return {**json.loads(text), **members}


def jwks(*keys: Mapping[str, object]) -> bytes:
    """A set."""
    return json.dumps({"keys": keys}).encode()


def signed(
    claims: Mapping[str, object] = CLAIMS, key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None
) -> str:
    """A token with these claims."""
    content = json.dumps({name: value for name, value in claims.items() if value is not None}).encode()
    return jwt.PyJWS().encode(content, key, algorithm, headers)
