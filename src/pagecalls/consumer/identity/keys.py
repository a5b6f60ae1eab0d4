"""Keys that tokens are checked with: an HMAC secret, a public key as PEM, or a set of public keys as JWKS (RFC 7517).

What a key may be used with follows from the key alone and never from a token: a public key can be no HMAC secret, an EC key has
one algorithm, a JWK that names its `alg` has that one. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK, PyJWTError

from pagecalls.http import NotJson, parse_json

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

RSA_BITS = range(2048, 8193)
"""RFC 7518 section 3.3 from below; from above, because a check of a longer one holds everybody up."""
MAX_KEYS = 32
"""In one set."""
_HMAC_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""RFC 7518 section 3.2: a key is at least as long as the hash."""
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {SECP256R1.name: "ES256", SECP384R1.name: "ES384", SECP521R1.name: "ES512"}
_KINDS = ("RSA", "EC", "OKP")


class KeyFault(Exception):
    """A key that cannot be used. The text says what would do and holds nothing of the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, what it checks, and its name in a set, if it has one."""

    material: PublicKey | bytes = field(repr=False)
    algorithms: tuple[str, ...]
    kid: str | None = None


def read_key(content: bytes) -> Key:
    """One key: a public key as PEM, or else the secret itself, without white space around it. Raises `KeyFault`."""
    text = content.strip()
    if not text.startswith(b"-----BEGIN"):
        algorithms = tuple(name for name, size in _HMAC_BYTES.items() if len(text) >= size)
        if not algorithms:
            raise KeyFault("the secret is too short: HS256 needs 32 bytes or more")
        return Key(text, algorithms)
    try:
        material = load_pem_public_key(text)
    except Exception as error:  # OpenSSL's ways to say no are many
        raise KeyFault("it is no public key as PEM (-----BEGIN PUBLIC KEY-----)") from error
    return _public(material, None)


def read_jwks(content: bytes) -> tuple[Key, ...]:
    """The usable keys of a set; what is for encryption, of an unknown kind or broken is passed over. Raises `KeyFault` if none is
    left."""
    try:
        value = parse_json(content)
    except NotJson as error:
        raise KeyFault("the set of keys is not JSON") from error
    members = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(members, list):
        raise KeyFault("the set of keys has no list keys")
    found = [key for member in members[:MAX_KEYS] if isinstance(member, dict) and (key := _read_jwk(member)) is not None]
    if not found:
        raise KeyFault("the set has no key that can check a token: RSA from 2048 bits, EC P-256, P-384, P-521 or Ed25519")
    return tuple(found)


class _Jwk(msgspec.Struct, frozen=True):
    """What of a JWK decides whether it is for us. A symmetric key (`oct`) has no place in a set that is published."""

    kty: str
    use: str = "sig"
    alg: str | None = None
    kid: str | None = None
    key_ops: tuple[str, ...] = ("verify",)


def _read_jwk(member: Mapping[str, object]) -> Key | None:
    try:
        jwk = msgspec.convert(member, _Jwk)
        if jwk.kty not in _KINDS or jwk.use != "sig" or "verify" not in jwk.key_ops:
            return None
        # Without `d` it is a public key, and without `alg` the library takes what the key's kind and curve say.
        public = {name: part for name, part in member.items() if name not in ("d", "alg")}
        key = _public(PyJWK.from_dict(public).key, jwk.kid)
    except (msgspec.ValidationError, PyJWTError, KeyFault, ValueError, TypeError, OverflowError, UnsupportedAlgorithm):
        return None
    if jwk.alg is None:
        return key
    return Key(key.material, (jwk.alg,), jwk.kid) if jwk.alg in key.algorithms else None


def _public(material: object, kid: str | None) -> Key:
    match material:
        case RSAPublicKey() if material.key_size in RSA_BITS:
            return Key(material, _RSA, kid)
        case EllipticCurvePublicKey() if material.curve.name in _CURVES:
            return Key(material, (_CURVES[material.curve.name],), kid)
        case Ed25519PublicKey():
            return Key(material, ("EdDSA",), kid)
        case _:
            raise KeyFault("the key is neither RSA from 2048 to 8192 bits, nor EC P-256, P-384 or P-521, nor Ed25519")
