"""What must hold of tokens and keys whatever the bytes, for property tests and for the fuzz target."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import astuple

import jwt

from pagecalls.consumer.identity.claims import BadJwt, Claims, JwtRules, judge, key_name
from pagecalls.consumer.identity.keys import Key, KeyFault, read_jwks, read_key
from tests.unit.consumer.identity.tokens import CLAIMS, NOW, SECRET, jwk, jwks, pem, private, signed

GOOD = {
    signed(): read_key(SECRET),
    signed({**CLAIMS, "jti": "phone", "aud": "calls", "iss": "id"}): read_key(SECRET),
    signed(key=private("p256"), algorithm="ES256", headers={"kid": "one"}): read_key(pem("p256")),
    signed(key=private("ed25519"), algorithm="EdDSA"): read_key(pem("ed25519")),
}
"""Tokens that are good, and the keys that say so."""
SIGNED = {text.rpartition(".")[0] for text in GOOD}
RULES = (JwtRules(), JwtRules("id", "calls"))
TOKENS = [text.encode() for text in GOOD]
SAMPLES = [
    *TOKENS,
    b'{"sub":"55","page":"1001","platform":"instagram","name":"Ada","exp":1790000060,"nbf":1,"jti":"x","aud":["calls"]}',
    jwks(jwk("p256", kid="one"), jwk("ed25519")),
    pem("p256"),
]


def judge_bytes(data: bytes) -> None:
    """As a token, as the payload of a token that is signed well, and as keys."""
    _as_token(data)
    _as_payload(data)
    for read in (read_key, read_jwks):
        with suppress(KeyFault):
            read(data)


def _as_token(data: bytes) -> None:
    """A stranger's text is believed only if what was signed of it was, to the letter."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(BadJwt):
        key_name(text)
    for key in GOOD.values():
        for rules in RULES:
            if _claims(text, key, rules) is not None:
                assert text.rpartition(".")[0] in SIGNED


def _as_payload(data: bytes) -> None:
    """Whoever holds the key may say anything; what is taken can be stored and compared."""
    text = jwt.PyJWS().encode(data, SECRET, "HS256")
    claims = _claims(text, read_key(SECRET), RULES[0])
    if claims is not None:
        assert claims.psid.isdecimal()
        assert claims.page_id.isdecimal()
        assert NOW < claims.expires_at < float("inf")
        assert all(part.encode() for part in astuple(claims) if isinstance(part, str))


def _claims(text: str, key: Key, rules: JwtRules) -> Claims | None:
    try:
        return judge(text, key, rules, NOW)
    except BadJwt:
        return None
