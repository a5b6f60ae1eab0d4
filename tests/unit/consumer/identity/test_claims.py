"""Which tokens are believed, and what is read from them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from pagecalls.consumer.identity.claims import MAX_CHARS, SKEW_S, BadJwt, Claims, JwtRules, judge, key_name, looks_like_jwt
from pagecalls.consumer.identity.keys import read_jwks, read_key
from pagecalls.types import PageId, Platform, Psid
from tests.unit.consumer.identity.tokens import CLAIMS, NOW, PAGE, SECRET, jwk, jwks, pem, private, signed

KEY = read_key(SECRET)
OPEN = JwtRules()


def part(value: object) -> str:
    """A part of a token, made by hand."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_all_claims() -> None:
    text = signed({**CLAIMS, "jti": "phone", "iat": NOW, "nbf": NOW, "more": {"deep": [1]}})
    assert judge(text, KEY, OPEN, NOW) == Claims(Psid("55"), PageId(PAGE), Platform.INSTAGRAM, "Ada", NOW + 60, "phone")
    assert looks_like_jwt(text)


def test_the_claims_that_must_be_there() -> None:
    claims = judge(signed({"sub": "55", "page": PAGE, "exp": NOW + 60}), KEY, OPEN, NOW)
    assert (claims.platform, claims.name, claims.token_id) == (Platform.MESSENGER, None, None)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_secret(algorithm: str) -> None:
    assert judge(signed(algorithm=algorithm), KEY, OPEN, NOW).psid == "55"


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("rsa", "RS256"), ("rsa", "PS512"), ("p256", "ES256"), ("p384", "ES384"), ("ed25519", "EdDSA")]
)
def test_a_public_key(kind: str, algorithm: str) -> None:
    text = signed(key=private(kind), algorithm=algorithm)
    assert judge(text, read_key(pem(kind)), OPEN, NOW).psid == "55"
    (key,) = read_jwks(jwks(jwk(kind)))
    assert judge(text, key, OPEN, NOW).psid == "55"


def test_a_token_ends_to_the_second_of_our_clock() -> None:
    text = signed()
    assert judge(text, KEY, OPEN, NOW + 59.9).psid == "55"
    with pytest.raises(BadJwt, match="expired"):
        judge(text, KEY, OPEN, NOW + 60)


def test_a_token_begins_when_it_says_but_for_a_difference_of_clocks() -> None:
    text = signed({**CLAIMS, "nbf": NOW + SKEW_S})
    assert judge(text, KEY, OPEN, NOW).psid == "55"
    with pytest.raises(BadJwt, match="not valid yet"):
        judge(text, KEY, OPEN, NOW - 1)


@pytest.mark.parametrize(
    ("rules", "claims", "is_good"),
    [
        (JwtRules(issuer="https://id"), {"iss": "https://id"}, True),
        (JwtRules(issuer="https://id"), {"iss": "https://id2"}, False),
        (JwtRules(issuer="https://id"), {}, False),
        (JwtRules(audience="calls"), {"aud": "calls"}, True),
        (JwtRules(audience="calls"), {"aud": ["web", "calls"]}, True),
        (JwtRules(audience="calls"), {"aud": ["web"]}, False),
        (JwtRules(audience="calls"), {"aud": "callsign"}, False),
        (JwtRules(audience="calls"), {}, False),
        (OPEN, {"iss": "anybody"}, True),
        (OPEN, {"aud": "somebody else"}, False),
    ],
)
def test_issuer_and_audience(rules: JwtRules, claims: dict[str, object], is_good: bool) -> None:
    text = signed({**CLAIMS, **claims})
    if is_good:
        assert judge(text, KEY, rules, NOW).psid == "55"
    else:
        with pytest.raises(BadJwt, match="another"):
            judge(text, KEY, rules, NOW)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sub", None),
        ("sub", 55),
        ("sub", "ada"),
        ("sub", ""),
        ("sub", "5" * 33),
        ("sub", "55\n"),
        ("page", None),
        ("page", "me"),
        ("platform", "fax"),
        ("platform", 1),
        ("name", ""),
        ("name", "x" * 201),
        ("name", 7),
        ("exp", None),
        ("exp", "tomorrow"),
        ("exp", True),
        ("exp", 1e999),
        ("exp", -1),
        ("nbf", "now"),
        ("jti", ""),
        ("jti", 5),
        ("aud", 5),
    ],
)
def test_a_claim_that_does_not_fit(name: str, value: object) -> None:
    with pytest.raises(BadJwt):
        judge(signed({**CLAIMS, name: value}), KEY, OPEN, NOW)


def test_a_name_that_no_text_can_be() -> None:
    """A lone surrogate can stand in JSON, and in no database."""
    with pytest.raises(BadJwt):
        judge(signed({**CLAIMS, "name": "\ud800"}), KEY, OPEN, NOW)


@pytest.mark.parametrize(
    "text",
    [
        signed(key=b"another secret that is just as long as the first one of these is"),
        signed(key=private("rsa"), algorithm="RS256"),
        f"{part({'alg': 'none'})}.{part(dict(CLAIMS))}.",
        f"{part({'alg': 'None'})}.{part(dict(CLAIMS))}.AAAA",
        f"{part({})}.{part(dict(CLAIMS))}.AAAA",
        signed()[:-2],
        signed() + "A",
        signed() + "=",
        signed(headers={"crit": ["tea"], "tea": 1}),
        signed(headers={"b64": False}),
        "a.b.c",
        "..",
        "",
    ],
)
def test_a_token_that_nobody_signed(text: str) -> None:
    with pytest.raises(BadJwt):
        judge(text, KEY, OPEN, NOW)


def test_a_public_key_is_no_secret() -> None:
    """The classic forgery: the published PEM as HMAC secret."""
    key = read_key(pem("rsa"))
    header = part({"alg": "HS256", "typ": "JWT"})
    content = f"{header}.{part(dict(CLAIMS))}"
    mac = hmac.new(pem("rsa"), content.encode(), hashlib.sha256).digest()
    forged = f"{content}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    with pytest.raises(BadJwt, match="alg"):
        judge(forged, key, OPEN, NOW)


def test_an_algorithm_that_the_key_does_not_have() -> None:
    (key,) = read_jwks(jwks(jwk("rsa", alg="PS256")))
    assert judge(signed(key=private("rsa"), algorithm="PS256"), key, OPEN, NOW).psid == "55"
    with pytest.raises(BadJwt, match="alg"):
        judge(signed(key=private("rsa"), algorithm="RS256"), key, OPEN, NOW)


def test_the_key_that_a_token_names() -> None:
    assert key_name(signed(headers={"kid": "one"})) == "one"
    assert key_name(signed()) is None


@pytest.mark.parametrize(
    "text", ["x" * (MAX_CHARS + 1), "t\u00f6ken.b.c", "a.b.c", "..", part([1]) + ".a.a", part({"kid": 5}) + ".a.a"]
)
def test_a_token_that_names_nothing(text: str) -> None:
    with pytest.raises(BadJwt):
        key_name(text)


@pytest.mark.parametrize(("text", "looks"), [("a.b.c", True), ("a.b", False), ("a.b.c.d", False), ("EAAx", False)])
def test_what_looks_like_one(text: str, looks: bool) -> None:
    assert looks_like_jwt(text) is looks
