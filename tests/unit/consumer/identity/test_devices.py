"""A token of the operator's identity system is a device, beside the tokens of ours."""

from __future__ import annotations

import base64
import random
from dataclasses import replace
from pathlib import Path

import pytest

from pagecalls.clock import SteppedClock
from pagecalls.consumer.identity.claims import JwtRules
from pagecalls.consumer.identity.devices import JwtDirectory, JwtOptions, key_source, with_jwts
from pagecalls.consumer.identity.keys import KeyFault, read_key
from pagecalls.consumer.identity.sources import FixedKey
from pagecalls.office import Absent
from pagecalls.store.base import Consumer, Page, Past
from pagecalls.switchboard.credentials import digest
from pagecalls.switchboard.directory import Directory, device_digest
from pagecalls.switchboard.ids import Ids
from pagecalls.types import PageId, Platform, Psid
from tests.contract.store_model import ModelStore
from tests.unit.consumer.identity.tokens import CLAIMS, PAGE, SECRET, jwk, jwks, pem, private, signed

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""SEC 2, section 2.4.2."""
ADA = (PageId(PAGE), Psid("55"))


class Site:
    """One Page, and a clock that the tokens are good on."""

    def __init__(self) -> None:
        self.store, self.clock = ModelStore(), SteppedClock()
        self.store.write_now(lambda tx: tx.put_page(Page(PageId(PAGE), "Tea House")))
        self.directory = Directory(self.store, self.clock, Ids(random.Random(1)), Absent(self.store))
        self.jwts = JwtDirectory(self.directory, FixedKey(read_key(SECRET)), JwtRules(), self.clock)

    def token(self, **claims: object) -> str:
        return signed({**CLAIMS, "exp": self.clock.now() + 60, **claims})


async def test_the_first_token_makes_the_person() -> None:
    site = Site()
    device = await site.jwts.device(site.token())
    assert device is not None
    assert (device.psid, device.page_id, device.platform, device.name) == ("55", PAGE, Platform.INSTAGRAM, "Ada")
    consumer = await site.store.read(lambda tx: tx.consumer(*ADA))
    assert consumer == Consumer(Psid("55"), PageId(PAGE), Platform.INSTAGRAM, "Ada", site.clock.now())


async def test_the_same_token_is_the_same_device_and_another_is_another() -> None:
    site = Site()
    text = site.token()
    first, again, other = [await site.jwts.device(each) for each in (text, text, site.token(nbf=1))]
    assert first is not None
    assert first == again
    assert other is not None
    assert other.device_id != first.device_id


async def test_another_good_signature_makes_no_other_device() -> None:
    """Of an ECDSA signature (r, s) anybody can make (r, -s), which is good as well: no way around a revocation."""
    site = Site()
    jwts = JwtDirectory(site.directory, FixedKey(read_key(pem("p256"))), JwtRules(), site.clock)
    text = signed({**CLAIMS, "exp": site.clock.now() + 60}, private("p256"), "ES256")
    content, _, signature = text.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    negated = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    twin = f"{content}.{base64.urlsafe_b64encode(negated).rstrip(b'=').decode()}"
    assert twin != text
    first = await jwts.device(text)
    assert first is not None
    assert await jwts.device(twin) == first


async def test_a_renewed_token_with_its_jti_is_the_same_device() -> None:
    site = Site()
    old = await site.jwts.device(site.token(jti="phone"))
    site.clock.advance(30)
    new = await site.jwts.device(site.token(jti="phone"))
    other = await site.jwts.device(site.token(jti="tablet"))
    stranger = await site.jwts.device(site.token(jti="phone", sub="66"))
    assert old == new
    assert len({each.device_id for each in (old, other, stranger) if each is not None}) == 3
    (token, _) = await site.store.read(lambda tx: tx.consumer_tokens(*ADA))
    assert token.expires_at == site.clock.now() + 60


async def test_a_known_person_keeps_what_the_token_does_not_say() -> None:
    site = Site()
    known = Consumer(Psid("55"), PageId(PAGE), Platform.MESSENGER, "Ada", 5.0)
    await site.store.write(lambda tx: tx.put_consumer(known))
    await site.jwts.device(site.token(name=None, platform=None))
    assert await site.store.read(lambda tx: tx.consumer(*ADA)) == known
    await site.jwts.device(site.token(name="Ada L."))
    assert await site.store.read(lambda tx: tx.consumer(*ADA)) == replace(known, name="Ada L.")


async def test_nobody_for_a_page_that_does_not_exist(caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    caplog.set_level("INFO")
    assert await site.jwts.device(site.token(page="404")) is None
    assert "refused: there is no Page 404" in caplog.text
    assert await site.store.read(lambda tx: tx.consumers(None, ("", ""), 9)) == []


async def test_a_revoked_device_stays_out_even_with_a_renewed_token() -> None:
    site = Site()
    text = site.token(jti="phone")
    await site.jwts.device(text)
    (token,) = await site.store.read(lambda tx: tx.consumer_tokens(*ADA))
    await site.store.write(lambda tx: tx.put_consumer_token(replace(token, is_revoked=True)))
    assert await site.jwts.device(text) is None
    site.clock.advance(1)
    assert await site.jwts.device(site.token(jti="phone")) is None


async def test_a_revoked_device_stays_out_for_as_long_as_a_token_of_it_that_was_seen() -> None:
    site = Site()
    await site.jwts.device(site.token(jti="phone"))
    (token,) = await site.store.read(lambda tx: tx.consumer_tokens(*ADA))
    await site.store.write(lambda tx: tx.put_consumer_token(replace(token, is_revoked=True)))
    year = site.token(jti="phone", exp=site.clock.now() + 365 * 86_400)
    assert await site.jwts.device(year) is None
    assert await site.jwts.device(site.token(jti="phone")) is None
    site.clock.advance(60 * 86_400)
    await site.store.write(lambda tx: tx.forget(Past.CONSUMER_TOKENS, site.clock.now(), 99))
    assert await site.jwts.device(year) is None


async def test_what_is_known_of_a_device_opens_nothing() -> None:
    """Neither its name, which is no secret, nor a token that is no longer believed."""
    site = Site()
    text = site.token(jti="phone")
    await site.jwts.device(text)
    (token,) = await site.store.read(lambda tx: tx.consumer_tokens(*ADA))
    name = f"{PAGE}:55:phone"
    assert token.digest == device_digest(name)
    assert token.digest != digest(name)
    for guess in (name, token.digest, text):
        assert await site.directory.device(guess) is None


async def test_a_bad_token_is_nobody_and_one_of_ours_works_beside() -> None:
    site = Site()
    ours = await site.jwts.open_session(PageId(PAGE), Platform.MESSENGER, "Bob", None)
    assert await site.jwts.device(ours.access_token) is not None
    assert await site.jwts.device(signed({**CLAIMS, "exp": 1})) is None
    assert await site.jwts.device("a.b.c") is None
    assert await site.jwts.device("unknown") is None
    site.clock.advance(60)
    assert await site.jwts.device(signed({**CLAIMS, "exp": site.clock.now()})) is None


async def test_a_set_in_a_file(tmp_path: Path) -> None:
    site = Site()
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(jwk("p256", kid="one"), jwk("rsa", kid="two")))
    jwts = with_jwts(site.directory, key_source(JwtOptions(jwks=file), site.clock), JwtRules(), site.clock)
    good = signed({**CLAIMS, "exp": site.clock.now() + 60}, private("rsa"), "RS256", {"kid": "two"})
    assert await jwts.device(good) is not None
    assert await jwts.device(signed({**CLAIMS}, private("rsa"), "RS256", {"kid": "one"})) is None
    assert await jwts.device(signed({**CLAIMS}, private("rsa"), "RS256", {"kid": "three"})) is None


async def test_a_public_key() -> None:
    site = Site()
    jwts = with_jwts(site.directory, key_source(JwtOptions(pem("ed25519").decode()), site.clock), JwtRules(), site.clock)
    assert await jwts.device(signed({**CLAIMS, "exp": site.clock.now() + 60}, private("ed25519"), "EdDSA")) is not None


def test_without_a_key_there_are_no_jwts() -> None:
    site = Site()
    assert with_jwts(site.directory, key_source(JwtOptions(), site.clock), JwtRules(), site.clock) is site.directory


def test_what_will_not_do_is_named(tmp_path: Path) -> None:
    site, file = Site(), tmp_path / "jwks.json"
    with pytest.raises(KeyFault, match="consumer_jwt_key: the secret is too short"):
        key_source(JwtOptions("short"), site.clock)
    with pytest.raises(KeyFault, match=f"consumer_jwks: {file} cannot be read"):
        key_source(JwtOptions(jwks=file), site.clock)
    file.write_bytes(b"{}")
    with pytest.raises(KeyFault, match=f"consumer_jwks: {file}: the set of keys has no list"):
        key_source(JwtOptions(jwks=file), site.clock)


def test_a_key_stays_out_of_a_repr() -> None:
    assert "secret" not in repr(JwtOptions(SECRET.decode()))
