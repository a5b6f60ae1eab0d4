"""What a token says, once it is believed: signature, time, issuer, audience and the shape of each claim.

The payload is read by our own decoder and judged on the time that is given (ruling 17); of the library only the check of the
signature is used. `judge` is total: whatever the text, it returns claims or raises `BadJwt`. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import msgspec
from jwt import PyJWS, PyJWTError
from msgspec import Meta

from pagecalls.consumer.identity.keys import Key
from pagecalls.http import NotJson, parse_json
from pagecalls.types import PageId, Platform, Psid

MAX_CHARS = 8 * 1024
"""Of a whole token."""
SKEW_S = 30.0
"""How much the issuer's clock may be ahead of ours for `nbf`; `exp` is taken as it is."""

_JWS = PyJWS(options={"enforce_minimum_key_length": True})

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")

Digits = Annotated[str, Meta(pattern=r"^[0-9]{1,32}\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=200)]


class BadJwt(Exception):
    """The token is not believed. The text is for the log; a stranger is told nothing."""


@dataclass(frozen=True, slots=True)
class JwtRules:
    """What a token must name, where it is set."""

    issuer: str | None = None
    audience: str | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """A person, and until when the token speaks for them (Unix seconds). `name` `None`: as it was. `token_id`: its `jti`."""

    psid: Psid
    page_id: PageId
    platform: Platform
    name: str | None
    expires_at: float
    token_id: str | None


class _Payload(msgspec.Struct, frozen=True):
    sub: Digits
    page: Digits
    exp: float
    platform: Platform = Platform.MESSENGER
    name: Text | None = None
    nbf: float | None = None
    jti: Text | None = None
    iss: str | None = None
    aud: str | list[str] | None = None


def looks_like_jwt(text: str) -> bool:
    """Whether a consumer's token means to be one: three parts with two dots, which no token of ours has."""
    return text.count(".") == 2


def key_name(text: str) -> str | None:
    """The `kid` that the token asks for, not believed yet. Raises `BadJwt` if the token cannot be read at all."""
    _check_text(text)
    try:
        kid = _JWS.get_unverified_header(text).get("kid")
    except (PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise BadJwt(f"unreadable: {error}") from error
    return kid if isinstance(kid, str) else None


def judge(text: str, key: Key, rules: JwtRules, now: float) -> Claims:
    """The claims of a token that `key` has signed and that is good at `now`. Raises `BadJwt`."""
    _check_text(text)
    payload = _payload(_signed(text, key))
    if not math.isfinite(payload.exp) or payload.exp <= now:
        raise BadJwt("expired")
    if payload.nbf is not None and payload.nbf > now + SKEW_S:
        raise BadJwt("not valid yet")
    if rules.issuer is not None and payload.iss != rules.issuer:
        raise BadJwt("of another issuer")
    audience = [payload.aud] if isinstance(payload.aud, str) else payload.aud
    # RFC 7519 section 4.1.3: a token that names its audience is for nobody else.
    if (rules.audience is not None or audience is not None) and rules.audience not in (audience or ()):
        raise BadJwt("for another audience")
    return Claims(Psid(payload.sub), PageId(payload.page), payload.platform, payload.name, payload.exp, payload.jti)


def _check_text(text: str) -> None:
    if len(text) > MAX_CHARS or not _ALPHABET.issuperset(text):
        # Padding as well (RFC 7515 section 2): with it the same token would have many texts.
        raise BadJwt("too long, or with foreign characters")


def _signed(text: str, key: Key) -> bytes:
    try:
        decoded = _JWS.decode_complete(text, key.material, list(key.algorithms))
    except (PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise BadJwt(f"not signed: {error}") from error
    payload: bytes = decoded["payload"]
    return payload


def _payload(content: bytes) -> _Payload:
    try:
        return msgspec.convert(parse_json(content), _Payload)
    except (NotJson, msgspec.ValidationError, RecursionError) as error:
        raise BadJwt(f"claims: {error}") from error
