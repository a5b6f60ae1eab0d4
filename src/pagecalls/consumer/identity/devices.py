"""A device by a JWT, beside those with tokens of ours: `JwtDirectory` stands in for the directory that it wraps.

The same token is the same device, and so is a renewed one that keeps its `jti`. A token that means to be a JWT is judged as one
and as nothing else.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from pagecalls.clock import Clock
from pagecalls.consumer.identity.claims import BadJwt, Claims, JwtRules, judge, key_name, looks_like_jwt
from pagecalls.consumer.identity.keys import KeyFault, read_jwks, read_key
from pagecalls.consumer.identity.sources import FixedKey, KeySet, KeySource, from_file, from_url
from pagecalls.switchboard.base import DeviceIdentity
from pagecalls.switchboard.directory import Directory, NewSession, Voucher
from pagecalls.types import PageId, Platform, Psid

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JwtOptions:
    """At most one is set; without any there are no JWTs."""

    key: str | None = field(default=None, repr=False)
    jwks: Path | None = None
    jwks_url: str | None = None


class JwtDirectory:
    """Implements `sessions.ConsumerDirectory`."""

    def __init__(self, directory: Directory, source: KeySource, rules: JwtRules, clock: Clock) -> None:
        self._directory = directory
        self._source = source
        self._rules = rules
        self._clock = clock

    async def device(self, text: str) -> DeviceIdentity | None:
        """The device behind a JWT, or behind a token of ours."""
        if not looks_like_jwt(text):
            return await self._directory.device(text)
        try:
            claims = await self._believed(text)
        except BadJwt as bad:
            log.info("a consumer's token was refused: %s", bad)
            return None
        device = await self._directory.admit(_voucher(text, claims))
        if device is None:
            log.info("a consumer's token was refused: there is no Page %s, or its device was shut out", claims.page_id)
        return device

    async def open_session(self, page_id: PageId, platform: Platform, name: str | None, psid: Psid | None) -> NewSession:
        """See `Directory.open_session`."""
        return await self._directory.open_session(page_id, platform, name, psid)

    async def _believed(self, text: str) -> Claims:
        key = await self._source.key(key_name(text))
        if key is None:
            raise BadJwt("signed with an unknown key")
        return judge(text, key, self._rules, self._clock.now())


def with_jwts(directory: Directory, source: KeySource | None, rules: JwtRules, clock: Clock) -> JwtDirectory | Directory:
    """The directory that the consumer's face asks. `source`: of `key_source`."""
    return directory if source is None else JwtDirectory(directory, source, rules, clock)


def key_source(options: JwtOptions, clock: Clock) -> KeySource | None:
    """Where the keys of JWTs come from; `None` if there are none. Raises `KeyFault`, which names the setting."""
    if options.jwks_url is not None:
        return KeySet(from_url(options.jwks_url), clock)
    if options.key is not None:
        try:
            return FixedKey(read_key(options.key.encode()))
        except KeyFault as fault:
            raise KeyFault(f"consumer_jwt_key: {fault}") from fault
    path = options.jwks
    if path is None:
        return None
    try:
        read_jwks(path.read_bytes())
    except OSError as error:
        raise KeyFault(f"consumer_jwks: {path} cannot be read ({error.strerror})") from error
    except KeyFault as fault:
        raise KeyFault(f"consumer_jwks: {path}: {fault}") from fault
    return KeySet(from_file(path), clock)


def _voucher(text: str, claims: Claims) -> Voucher:
    # Without the signature, of which some algorithms make another one that is good as well.
    signed = text.rpartition(".")[0]
    name = signed if claims.token_id is None else f"{claims.page_id}:{claims.psid}:{claims.token_id}"
    return Voucher(name, claims.psid, claims.page_id, claims.platform, claims.name, claims.expires_at)
