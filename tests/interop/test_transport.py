"""What differs below the sound: certificates, DTLS roles, candidates, SRTP profiles; and a certificate that was not offered."""

from __future__ import annotations

import re

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcOptions, AiortcPeer, Certificate, SrtpProfile
from pagecalls.demo.peers.chromium import Chromium
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Call, Plan, Start, World

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_rsa_certificates(world: World, start: Start) -> None:
    rsa = AiortcOptions(certificate=Certificate.RSA)
    business = await start(AiortcPeer(tone_hz=BUSINESS_HZ, options=rsa))
    consumer = await start(AiortcPeer(tone_hz=CONSUMER_HZ, options=rsa))
    call = await world.consumer_calls(business, consumer)
    await call.check_sound()
    await world.hang_up(call)


async def test_an_offer_that_insists_on_the_client_role(world: World, start: Start) -> None:
    active = AiortcOptions(setup_active=True)
    business = await start(AiortcPeer(tone_hz=BUSINESS_HZ, options=active))
    consumer = await start(AiortcPeer(tone_hz=CONSUMER_HZ, options=active))
    call = await world.business_calls(business, consumer)
    await call.check_sound()
    await world.hang_up(call)


async def test_offers_without_candidates(world: World, start: Start, chromium: Chromium) -> None:
    """Sent before gathering ends: the server learns addresses from the checks."""
    business = await start(chromium.peer(tone_hz=BUSINESS_HZ))
    consumer = await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer, Plan(gather=False))
    await call.check_sound()
    await world.hang_up(call)


@pytest.mark.parametrize(
    ("business_profile", "consumer_profile"),
    [
        (SrtpProfile.AES_CM_128_HMAC_SHA1_80, SrtpProfile.AEAD_AES_256_GCM),
        (SrtpProfile.AEAD_AES_256_GCM, SrtpProfile.AEAD_AES_128_GCM),
        (SrtpProfile.AEAD_AES_128_GCM, SrtpProfile.AES_CM_128_HMAC_SHA1_80),
    ],
)
async def test_each_srtp_profile(
    world: World, start: Start, business_profile: SrtpProfile, consumer_profile: SrtpProfile
) -> None:
    """Each leg has its own: sound is taken out of one protection and put into another."""
    business = await start(AiortcPeer(tone_hz=BUSINESS_HZ, options=AiortcOptions(srtp_profile=business_profile)))
    consumer = await start(AiortcPeer(tone_hz=CONSUMER_HZ, options=AiortcOptions(srtp_profile=consumer_profile)))
    call = await world.consumer_calls(business, consumer)
    await call.check_sound()
    agreed = {entry["side"]: entry["profile"] for entry in await world.journal(call.id, "dtls")}
    assert agreed == {"business": business_profile.name, "consumer": consumer_profile.name}
    await world.hang_up(call)


def with_another_fingerprint(sdp: str) -> str:
    """The same offer, but the certificate's hash begins otherwise."""
    return re.sub(r"(?m)^(a=fingerprint:\S+ )(..)", lambda found: found[1] + ("00" if found[2].upper() != "00" else "11"), sdp)


async def check_failed(world: World, call: Call, side: str) -> None:
    """The call ends at once, long before T_conn, and both sides are told the same."""
    await world.ended(call, "Failed", timeout_s=5)
    told = await world.device.expect("call.ended", call_id=call.id)
    assert (told.params["reason"], told.params["status"]) == ("failed", "Failed")
    assert [(entry["side"], entry["why"]) for entry in await world.journal(call.id, "leg_failed")] == [(side, "fingerprint")]


async def test_a_business_with_another_certificate_than_it_offered(world: World, start: Start) -> None:
    business = await start(AiortcPeer(tone_hz=BUSINESS_HZ))
    consumer = await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    plan = Plan(business_offer=with_another_fingerprint)
    call = await world.ring(business, consumer, plan)
    await world.accept(call, plan)
    await check_failed(world, call, "business")


async def test_a_consumer_with_another_certificate_than_it_offered(world: World, start: Start, chromium: Chromium) -> None:
    """Its leg is in use from the start: the call fails while it rings."""
    consumer = await start(chromium.peer(tone_hz=CONSUMER_HZ))
    business = await start(AiortcPeer(tone_hz=BUSINESS_HZ))
    call = await world.ring(business, consumer, Plan(consumer_offer=with_another_fingerprint))
    await check_failed(world, call, "consumer")
