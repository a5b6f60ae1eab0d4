"""`POST /{page_id}/calls`: what comes back, to the letter (messenger-calling 2), and which requests are refused unasked."""

from __future__ import annotations

from typing import Any

import pytest

from pagecalls.call.versions import Advance
from pagecalls.switchboard.base import AcceptRequest, Caller, CallReply, ConnectRequest, EndRequest, MediaUpdateRequest
from pagecalls.types import CallId, Platform, Psid, SdpType, Session, Track, TrackLabel, TrackStatus
from tests.conformance.graph.world import ANSWER, APP, CALL_ID, OFFER, PAGE, RENEGOTIATION, World, error_of, facts

SESSION = {"sdp": OFFER, "sdp_type": "offer"}
TRACK = {"msid": "s t", "label": "default_audio", "status": "enabled"}
REQUIRED: dict[str, dict[str, Any]] = {
    "connect": {"to": "2002", "session": SESSION},
    "accept": {"call_id": "c_1", "session": SESSION},
    "reject": {"call_id": "c_1"},
    "terminate": {"call_id": "c_1"},
    "media_update": {"call_id": "c_1", "session": SESSION},
}


async def test_connect(world: World) -> None:
    world.door.answer = CallReply(CALL_ID, answer=ANSWER, version=0)
    reply = await world.call({"action": "connect", "platform": "messenger", "to": "2002", "session": SESSION, "tracks": [TRACK]})
    assert reply.status == 200
    assert list(reply.json.items()) == [
        ("success", True),
        ("call_id", CALL_ID),
        ("id", CALL_ID),
        ("session", {"sdp_response": {"sdp_type": "answer", "sdp": ANSWER}, "version": 0}),
        ("sdp", ANSWER),
        ("sdp_type", "answer"),
    ]
    track = Track("s t", TrackLabel.DEFAULT_AUDIO, TrackStatus.ENABLED)
    request = ConnectRequest(Psid("2002"), Session(SdpType.OFFER, OFFER), (track,), Platform.MESSENGER)
    assert world.door.asked == [("connect", Caller(APP.id, PAGE.id), request)]


async def test_accept(world: World) -> None:
    world.door.answer = CallReply(CALL_ID, answer=ANSWER, renegotiation=RENEGOTIATION, version=0)
    reply = await world.call({"action": "accept", "call_id": CALL_ID, "session": SESSION})
    assert reply.json == {
        "success": True,
        "call_id": CALL_ID,
        "session": {
            "sdp_response": {"sdp_type": "answer", "sdp": ANSWER},
            "sdp_renegotiation": {"sdp_type": "offer", "sdp": RENEGOTIATION},
            "version": 0,
        },
        "sdp": ANSWER,
        "sdp_type": "answer",
    }
    assert world.door.asked[0][2] == AcceptRequest(CALL_ID, Session(SdpType.OFFER, OFFER))


@pytest.mark.parametrize("action", ["reject", "terminate"])
async def test_reject_and_terminate(world: World, action: str) -> None:
    world.door.answer = CallReply(CALL_ID, version=0)
    reply = await world.call({"action": action, "call_id": CALL_ID, "session": SESSION, "from_version": "x"})
    assert reply.json == {"success": True, "call_id": CALL_ID}
    assert world.door.asked == [(action, Caller(APP.id, PAGE.id), EndRequest(CALL_ID))]


async def test_media_update_with_a_description(world: World) -> None:
    world.door.answer = CallReply(CALL_ID, answer=ANSWER, version=2)
    body = {"action": "media_update", "call_id": CALL_ID, "session": SESSION, "from_version": "1", "to_version": 2}
    reply = await world.call(body)
    assert reply.json == {
        "success": True,
        "call_id": CALL_ID,
        "session": {"sdp_response": {"sdp_type": "answer", "sdp": ANSWER}, "version": 2},
        "sdp": ANSWER,
        "sdp_type": "answer",
    }
    assert world.door.asked[0][2] == MediaUpdateRequest(CALL_ID, Session(SdpType.OFFER, OFFER), advance=Advance(1, 2))


async def test_media_update_with_tracks_only(world: World) -> None:
    world.door.answer = CallReply(CALL_ID, version=2)
    reply = await world.call({"action": "media_update", "call_id": CALL_ID, "tracks": [{**TRACK, "status": "disabled"}]})
    assert reply.json == {"success": True, "call_id": CALL_ID, "version": 2}
    track = Track("s t", TrackLabel.DEFAULT_AUDIO, TrackStatus.DISABLED)
    assert world.door.asked[0][2] == MediaUpdateRequest(CALL_ID, None, (track,))


async def test_media_update_with_an_answer_ignores_versions(world: World) -> None:
    body = {"action": "media_update", "call_id": "c_1", "session": {"sdp": OFFER, "sdp_type": "ANSWER"}, "to_version": "x"}
    assert (await world.call(body)).json == {"success": True, "call_id": CALL_ID}
    assert world.door.asked[0][2] == MediaUpdateRequest(CallId("c_1"), Session(SdpType.ANSWER, OFFER))


@pytest.mark.parametrize("action", REQUIRED)
async def test_enums_in_any_case_and_unknown_keys_ignored(world: World, action: str) -> None:
    body = {
        **REQUIRED[action],
        "action": action.upper(),
        "platform": "Instagram",
        "host": "relay",
        "summary": True,
        "fields": "id",
    }
    assert (await world.call(body)).status == 200
    name, _, request = world.door.asked[0]
    assert name == action
    assert isinstance(request, ConnectRequest | AcceptRequest | EndRequest | MediaUpdateRequest)
    assert request.platform is Platform.INSTAGRAM


@pytest.mark.parametrize("action", REQUIRED)
async def test_what_is_required(world: World, action: str) -> None:
    for name in REQUIRED[action]:
        for absent in ({}, {name: None}, {name: ""}):
            body = {**REQUIRED[action], "action": action, **absent}
            if not absent:
                del body[name]
            reply = await world.call(body)
            assert facts(reply) == (400, 100, 9905010)
            assert error_of(reply)["message"] == f"(#100) The parameter {name} is required."
    assert world.door.asked == []


async def test_an_action_is_required_and_checked_first(world: World) -> None:
    reply = await world.call({"platform": "telegraph"})
    assert facts(reply) == (400, 100, 9905010)
    assert error_of(reply)["message"] == "(#100) The parameter action is required."
    reply = await world.call({"action": "foo"})
    assert facts(reply) == (400, 100, 9905011)
    assert error_of(reply)["message"] == (
        '(#100) Param action must be one of {ACCEPT, CONNECT, MEDIA_UPDATE, REJECT, TERMINATE} - got "foo".'
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"platform": "telegraph"}, "Param platform must be one of {MESSENGER, INSTAGRAM, WHATSAPP}"),
        ({"call_id": {"a": 1}}, "call_id has"),
        ({"call_id": True}, "call_id has"),
        ({"call_id": 1.5}, "call_id has"),
        ({"session": "v=0"}, "session has"),
        ({"session": [1]}, "session has"),
        ({"session": {"sdp": 1.5, "sdp_type": "offer"}}, "session[sdp] has"),
        ({"tracks": "x"}, "tracks has"),
        ({"tracks": {"msid": "x"}}, "tracks has"),
        ({"tracks": ["x"]}, "tracks[0] has"),
        ({"tracks": [TRACK, 7]}, "tracks[1] has"),
        ({"tracks": [{**TRACK, "label": "tape"}]}, "Param tracks[0][label] must be one of {DEFAULT_AUDIO, "),
        ({"tracks": [TRACK, {**TRACK, "status": "on"}]}, "Param tracks[1][status] must be one of {ENABLED, DISABLED}"),
        ({"tracks": [{**TRACK, "msid": ["x"]}]}, "tracks[0][msid] has"),
        ({"from_version": 1}, "to_version has"),
        ({"to_version": 1}, "from_version has"),
        ({"from_version": -1, "to_version": 0}, "from_version has"),
        ({"from_version": 0, "to_version": "one"}, "to_version has"),
        ({"from_version": True, "to_version": 1}, "from_version has"),
        ({"from_version": 0.5, "to_version": 1}, "from_version has"),
        ({"from_version": "9" * 400, "to_version": 1}, "from_version has"),
    ],
)
async def test_values_that_are_not_allowed(world: World, change: dict[str, object], words: str) -> None:
    reply = await world.call({"action": "media_update", **REQUIRED["media_update"], **change})
    assert facts(reply) == (400, 100, 9905011)
    assert words in error_of(reply)["message"]
    assert world.door.asked == []


@pytest.mark.parametrize("member", ["msid", "label", "status"])
async def test_tracks_are_complete(world: World, member: str) -> None:
    track = {name: value for name, value in TRACK.items() if name != member}
    reply = await world.call({"action": "connect", **REQUIRED["connect"], "tracks": [TRACK, track]})
    assert facts(reply) == (400, 100, 9905010)
    assert error_of(reply)["message"] == f"(#100) The parameter tracks[1][{member}] is required."


async def test_too_many_tracks_are_the_switchboards_to_refuse(world: World) -> None:
    """Only after the call was found (1.4)."""
    assert (await world.call({"action": "connect", **REQUIRED["connect"], "tracks": [TRACK] * 5})).status == 200
    request = world.door.asked[-1][2]
    assert isinstance(request, ConnectRequest)
    assert len(request.tracks) == 5


@pytest.mark.parametrize("action", ["connect", "accept"])
async def test_a_session_without_sdp_goes_to_the_switchboard_as_none(world: World, action: str) -> None:
    for session in ({}, {"sdp_type": "offer"}, {"sdp": "", "sdp_type": "offer"}, "{}"):
        assert (await world.call({**REQUIRED[action], "action": action, "session": session})).status == 200
        request = world.door.asked[-1][2]
        assert isinstance(request, ConnectRequest | AcceptRequest)
        assert request.session is None


async def test_a_media_update_without_sdp_in_its_session(world: World) -> None:
    """The switchboard refuses it after it has found the call (1.4)."""
    for session in ({}, {"sdp_type": "offer"}):
        reply = await world.call({"action": "media_update", "call_id": "c_1", "session": session, "tracks": [TRACK]})
        assert reply.status == 200
        assert world.door.asked[-1][2] == MediaUpdateRequest(CallId("c_1"), None)


async def test_media_update_with_the_old_list(world: World) -> None:
    for enabled in (["s t", "u"], '["s t","u"]', "s t,u"):
        await world.call(
            {"action": "media_update", "call_id": "c_1", "enabled_tracks": enabled, "from_version": 0, "to_version": 1}
        )
        assert world.door.asked[-1][2] == MediaUpdateRequest(CallId("c_1"), None, enabled=("s t", "u"), advance=Advance(0, 1))
    await world.call({"action": "media_update", "call_id": "c_1", "enabled_tracks": []})
    assert world.door.asked[-1][2] == MediaUpdateRequest(CallId("c_1"), None, enabled=())


async def test_the_forms_of_media_update_are_told_apart_in_their_order(world: World) -> None:
    """A description, else tracks, else the old list (2.6)."""
    both = {"action": "media_update", "call_id": "c_1", "tracks": [TRACK], "enabled_tracks": ["x"]}
    track = Track("s t", TrackLabel.DEFAULT_AUDIO)
    await world.call(both)
    assert world.door.asked[-1][2] == MediaUpdateRequest(CallId("c_1"), None, (track,))
    await world.call({**both, "session": SESSION})
    assert world.door.asked[-1][2] == MediaUpdateRequest(CallId("c_1"), Session(SdpType.OFFER, OFFER), (track,))


async def test_a_collision_is_a_success_that_says_false(world: World) -> None:
    world.door.answer = CallReply(CALL_ID, version=1, is_collision=True)
    reply = await world.call({"action": "media_update", "call_id": CALL_ID, "session": SESSION})
    assert (reply.status, reply.json) == (200, {"success": False, "call_id": CALL_ID, "version": 1})


async def test_a_folded_offer_stands_beside_the_answer(world: World) -> None:
    world.door.answer = CallReply(CALL_ID, ANSWER, RENEGOTIATION, 2)
    reply = await world.call({"action": "media_update", "call_id": CALL_ID, "session": SESSION})
    assert reply.json["session"] == {
        "sdp_response": {"sdp_type": "answer", "sdp": ANSWER},
        "sdp_renegotiation": {"sdp_type": "offer", "sdp": RENEGOTIATION},
        "version": 2,
    }


@pytest.mark.parametrize("action", ["connect", "accept", "media_update"])
async def test_inside_session_both_members_are_required(world: World, action: str) -> None:
    reply = await world.call({**REQUIRED[action], "action": action, "session": {"sdp": OFFER}})
    assert facts(reply) == (400, 100, 9905010)
    assert error_of(reply)["message"] == "(#100) The parameter session[sdp_type] is required."
    reply = await world.call({**REQUIRED[action], "action": action, "session": {"sdp": OFFER, "sdp_type": "rollback"}})
    assert facts(reply) == (400, 2018391, 9901102)


async def test_flat_sdp_is_an_offer_unless_it_says_otherwise(world: World) -> None:
    for flat, sdp_type in (({}, SdpType.OFFER), ({"sdp_type": "OFFER"}, SdpType.OFFER), ({"sdp_type": "answer"}, SdpType.ANSWER)):
        assert (await world.call({"action": "accept", "call_id": "c_1", "sdp": OFFER, **flat})).status == 200
        assert world.door.asked[-1][2] == AcceptRequest(CallId("c_1"), Session(sdp_type, OFFER))


async def test_session_beats_flat_sdp(world: World) -> None:
    await world.call({"action": "accept", "call_id": "c_1", "sdp": "v=1", "session": SESSION})
    assert world.door.asked[-1][2] == AcceptRequest(CallId("c_1"), Session(SdpType.OFFER, OFFER))


async def test_ids_may_be_json_integers(world: World) -> None:
    await world.call({"action": "connect", "to": 2002, "session": SESSION})
    assert world.door.asked[-1][2] == ConnectRequest(Psid("2002"), Session(SdpType.OFFER, OFFER))
