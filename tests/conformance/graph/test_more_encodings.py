"""Values in any case and tokens in any body (graph-platform 2.1 and 3.2), and answers that vary with the origin (5)."""

from __future__ import annotations

import pytest

from pagecalls.switchboard.base import ConnectRequest
from pagecalls.types import Psid, SdpType, Session, Track, TrackLabel, TrackStatus
from tests.conformance.graph.world import APP_TOKEN, OFFER, PAGE, PAGE_TOKEN, World

CALLS = f"/v26.0/{PAGE.id}/calls"
HOOK = {"callback_url": "https://desk.example/hook", "verify_token": "vt", "fields": "calls"}


@pytest.mark.parametrize("change", [str.upper, str.title, str.lower])
@pytest.mark.parametrize("label", list(TrackLabel))
async def test_values_in_any_case(world: World, change: type[str], label: TrackLabel) -> None:
    tracks = [{"msid": "m", "label": change(label.value), "status": change(status.value)} for status in TrackStatus]
    body = {"action": change("connect"), "to": "2002", "session": {"sdp": OFFER, "sdp_type": change("offer")}, "tracks": tracks}
    assert (await world.call(body)).status == 200
    expected = tuple(Track("m", label, status) for status in TrackStatus)
    assert world.door.asked[0][2] == ConnectRequest(Psid("2002"), Session(SdpType.OFFER, OFFER), expected)


async def test_a_token_in_a_multipart_body(world: World) -> None:
    fields = {"action": "reject", "call_id": "c_1", "access_token": PAGE_TOKEN}
    parts = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    reply = await world.ask("POST", CALLS, {"content-type": "multipart/form-data; boundary=b"}, f"{parts}--b--\r\n".encode())
    assert reply.status == 200


async def test_answers_vary_with_the_origin(world: World) -> None:
    for reply in (await world.get("/me"), await world.call({}), await world.get("/v99.0/x")):
        assert "Origin" in reply.headers["vary"].split(", ")


@pytest.mark.parametrize("kind", ["page", "instagram", "whatsapp_business_account", "user", "permissions"])
async def test_every_object_can_be_subscribed(world: World, kind: str) -> None:
    assert (await world.post("/app/subscriptions", {**HOOK, "object": kind.upper()}, APP_TOKEN)).json == {"success": True}
    assert [entry["object"] for entry in (await world.get("/app/subscriptions", APP_TOKEN)).json["data"]] == [kind]
