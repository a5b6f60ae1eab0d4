"""Media that changes in mid-call, from both sides (messenger-calling 2.6, 5, 6.5 to 6.7; rulings 12, 15 and 21)."""

from __future__ import annotations

from typing import Any

import pytest

from pagecalls.demo.business import GraphRefused
from pagecalls.demo.device import DeviceRefused
from pagecalls.media.protocol import LegRestart
from pagecalls.sdp.description import parse, serialize
from pagecalls.types import Side
from tests.unit.sdp.peer import Peer

from .conftest import CHROMIUM, World, offered
from .talk import End, Talk, section, sections, text, track

B, C = Side.BUSINESS, Side.CONSUMER


# --- the business -----------------------------------------------------------------------------------------------------


async def test_the_business_turns_its_camera_on_and_off(world: World) -> None:
    talk = await Talk.begun(world)
    camera = talk.business.peer.add("video")
    answer = await talk.business_offers(track(camera, "default_video"))
    assert list(answer) == ["success", "call_id", "session", "sdp", "sdp_type"]
    assert (answer["success"], answer["session"]["version"], "sdp_renegotiation" in answer["session"]) == (True, 1, False)
    assert answer["sdp"] == answer["session"]["sdp_response"]["sdp"]
    mid = talk.business.peer.transceivers[-1].mid
    assert (mid, "video", "recvonly") in sections(answer["sdp"])
    shown = await talk.notice(2)
    assert [(each["label"], each["status"]) for each in shown["tracks"]] == [
        ("default_audio", "enabled"),
        ("default_video", "enabled"),
    ]
    offer = talk.consumer.take(shown["session"])
    assert sections(offer)[-1][1:] == ("video", "sendonly")
    assert section(offer, sections(offer)[-1][0]).msid is not None
    assert shown["tracks"][1]["msid"] == str(section(offer, sections(offer)[-1][0]).msid)
    await world.settle()
    assert len(await talk.outputs(C, "default_video")) == 1
    assert await talk.routes(B) == {"default_audio": True, "default_video": True}

    off = await talk.business_asks(tracks=[track(camera, "default_video", "disabled")], **talk.business.next())
    assert off == {"success": True, "call_id": talk.call_id, "version": 2}
    shown = await talk.notice(3)
    assert [(each["label"], each["status"]) for each in shown["tracks"]][1] == ("default_video", "disabled")
    assert sections(talk.consumer.take(shown["session"]))[-1][1:] == ("video", "inactive")
    assert await talk.outputs(C, "default_video") == []
    assert world.app.events(talk.call_id) == ["connect"]


async def test_a_muted_business_keeps_its_line(world: World) -> None:
    talk = await Talk.begun(world)
    microphone = talk.business.peer.transceivers[0].track
    for version, status, is_open in ((1, "disabled", False), (2, "enabled", True)):
        tracks = [track(f"stream {microphone}", "DEFAULT_AUDIO", status.upper())]
        answer = await talk.business_asks(tracks=tracks, from_version=str(version - 1), to_version=version)
        assert answer == {"success": True, "call_id": talk.call_id, "version": version}
        shown = await talk.notice(version + 1)
        assert [each["status"] for each in shown["tracks"]] == [status]
        assert sections(shown["session"]["sdp_renegotiation"]["sdp"])[1:] == [("1", "audio", "sendonly")]
        assert await talk.routes(B) == {"default_audio": is_open}


async def test_the_old_list_enables_what_it_names_and_nothing_else(world: World) -> None:
    talk = await Talk.begun(world)
    camera, screen = talk.business.peer.add("video"), talk.business.peer.add("video")
    await talk.business_offers(track(camera, "default_video"), track(screen, "screen_video"))
    answer = await talk.business_asks(enabled_tracks=[screen])
    assert answer == {"success": True, "call_id": talk.call_id, "version": 2}
    assert await talk.routes(B) == {"default_audio": False, "screen_video": True}
    shown = await talk.notice(3)
    assert {each["label"]: each["status"] for each in shown["tracks"]} == {
        "default_audio": "disabled",
        "default_video": "disabled",
        "screen_video": "enabled",
    }


@pytest.mark.parametrize("state", ["DIALING", "RINGING_OUT"])
async def test_a_business_that_calls_may_change_before_anybody_answers(world: World, state: str) -> None:
    await world.grant()
    talk = Talk(world, await world.device() if state == "RINGING_OUT" else None)  # type: ignore[arg-type]
    talk.business.peer.add("audio")
    connected = await world.app.call("connect", to=world.psid, session=text(talk.business.peer.offer()))
    talk.call_id = connected["call_id"]
    talk.business.peer.apply(parse(connected["sdp"]))
    camera = talk.business.peer.add("video")
    answer = await talk.business_offers(track(camera, "default_video"))
    assert answer["session"]["version"] == 1
    late = await world.device((await world.session(psid=world.psid))["access_token"])
    assert (await late.expect("call.incoming", call_id=talk.call_id)).params["video"] is True
    talk.consumer.peer.add("audio")
    picked_up = await late.request("call.accept", call_id=talk.call_id, session=text(talk.consumer.peer.offer()))
    assert ("2", "video", "sendonly") in sections(picked_up["session"]["sdp_renegotiation"]["sdp"])
    assert (await talk.webhook(2))["version"] == 2


async def test_an_incoming_call_shows_video_only_if_there_is_some(world: World) -> None:
    await world.grant()
    device = await world.device()
    for status, is_video in (("disabled", False), ("enabled", True)):
        peer = Peer()
        peer.add("audio")
        camera = peer.add("video")
        tracks = [track(camera, "default_video", status)]
        call_id = (await world.app.call("connect", to=world.psid, session=text(peer.offer()), tracks=tracks))["call_id"]
        assert (await device.expect("call.incoming", call_id=call_id)).params["video"] is is_video
        await world.app.call("terminate", call_id=call_id)


# --- the consumer -----------------------------------------------------------------------------------------------------


async def test_the_consumer_turns_its_camera_on_off_and_on_again(world: World) -> None:
    talk = await Talk.begun(world)
    world.app.status = 500
    camera = talk.consumer.peer.add("video")
    result = await talk.device_offers(track(camera, "default_video"))
    assert result["success"] is True
    assert result["call_id"] == talk.call_id
    assert result["session"]["version"] == 2
    await world.settle()
    assert await talk.outputs(B, "default_video") == []
    assert await talk.routes(C) == {"default_audio": True, "default_video": True}
    world.app.status = 200
    await world.advance(1.1)
    (first,) = await talk.outputs(B, "default_video")
    await world.advance(30)
    session = await talk.webhook(1)
    offer = talk.business.take(session)
    assert sections(offer) == [("0", "audio", "recvonly"), ("1", "audio", "sendonly"), ("2", "video", "sendonly")]
    assert [each.ssrc for each in section(offer, "2").ssrcs][:1] == [first[0]]

    off = await talk.device_asks(tracks=[track(camera, "default_video", "disabled")], **talk.consumer.next())
    assert off == {"success": True, "call_id": talk.call_id, "version": 3}
    talk.consumer.version = 3
    offer = talk.business.take(await talk.webhook(2))
    assert sections(offer)[2] == ("2", "video", "inactive")
    assert section(offer, "2").ssrcs == ()
    assert await talk.outputs(B, "default_video") == []

    await talk.device_asks(tracks=[track(camera, "default_video")], **talk.consumer.next())
    again = talk.business.take(await talk.webhook(3))
    assert sections(again)[2] == ("2", "video", "sendonly")
    await world.settle()
    (second,) = await talk.outputs(B, "default_video")
    assert second[1] == first[1] == "2"
    assert second[0] != first[0], "a source that has ended does not come back"
    assert section(again, "2").msid == section((await talk.webhook(1))["sdp_renegotiation"]["sdp"], "2").msid
    assert world.app.events(talk.call_id) == ["connect", "media_update", "media_update", "media_update"]


async def test_a_muted_consumer_is_told_in_a_version_of_the_same_shape(world: World) -> None:
    talk = await Talk.begun(world)
    microphone = talk.consumer.peer.transceivers[0].track
    before = await talk.outputs(B, "default_audio")
    for version, status, is_open in ((1, "disabled", False), (2, "enabled", True)):
        await talk.device_asks(tracks=[track(microphone, "default_audio", status)])
        offer = talk.business.take(await talk.webhook(version))
        assert sections(offer) == [("0", "audio", "recvonly"), ("1", "audio", "sendonly")]
        assert await talk.routes(C) == {"default_audio": is_open}
        assert await talk.outputs(B, "default_audio") == before


async def test_a_swapped_camera_is_nobodys_business(world: World) -> None:
    talk = await Talk.begun(world)
    talk.consumer.peer.add("video")
    await talk.device_offers()
    talk.consumer.peer.transceivers[-1].track = "another camera"
    result = await talk.device_offers()
    assert result["session"]["version"] == 3
    await world.settle()
    assert world.app.events(talk.call_id).count("media_update") == 1


async def test_a_calling_device_may_change_before_anybody_answers(world: World) -> None:
    talk = Talk(world, await world.device())
    talk.consumer.peer.add("audio")
    started = await talk.device.request("call.start", page_id=world.page_id, session=text(talk.consumer.peer.offer()))
    talk.call_id = started["call_id"]
    talk.consumer.peer.apply(parse(started["session"]["sdp_response"]["sdp"]))
    talk.consumer.peer.add("video")
    await talk.device_offers()
    assert world.app.events(talk.call_id) == ["connect"]
    talk.business.peer.add("audio")
    accepted = await world.app.call("accept", call_id=talk.call_id, session=text(talk.business.peer.offer()))
    assert [each[1:] for each in sections(accepted["session"]["sdp_renegotiation"]["sdp"])[1:]] == [
        ("audio", "sendonly"),
        ("video", "sendonly"),
    ]


async def test_another_device_of_the_consumer_has_no_say(world: World) -> None:
    talk = await Talk.begun(world)
    other = await world.device((await world.session(psid=world.psid))["access_token"])
    stranger = await world.device((await world.session())["access_token"])
    for device in (other, stranger):
        with pytest.raises(DeviceRefused) as refused:
            await device.request("call.media_update", call_id=talk.call_id, tracks=[])
        assert refused.value.data["code"] == 2018390


async def test_what_a_device_missed_comes_when_it_is_back(world: World) -> None:
    talk = await Talk.begun(world)
    await talk.device.close()
    await world.settle()
    camera = talk.business.peer.add("video")
    await talk.business_offers(track(camera, "default_video"))
    assert await talk.outputs(C, "default_video") == []
    again = await world.device()
    resumed = (await again.expect("call.resumed", call_id=talk.call_id)).params
    assert resumed["session"]["version"] == 2
    assert [each["label"] for each in resumed["tracks"]] == ["default_audio", "default_video"]
    await world.settle()
    assert len(await talk.outputs(C, "default_video")) == 1


# --- both -------------------------------------------------------------------------------------------------------------


async def test_four_tracks_each_way(world: World) -> None:
    talk = await Talk.begun(world)
    labels = ("default_audio", "default_video", "screen_audio", "screen_video")
    for peer in (talk.business.peer, talk.consumer.peer):
        for kind in ("video", "audio", "video"):
            peer.add(kind)
    await talk.business_offers()
    talk.consumer.take((await talk.notice(2))["session"])
    await talk.device_offers()
    talk.business.take(await talk.webhook(2))
    await world.settle()
    for side in Side:
        assert await talk.routes(side) == dict.fromkeys(labels, True)
        sent = await talk.sent(side)
        assert set(sent) == set(labels)
        cnames = {one.cname for one in sent.values()}
        assert len(cnames) == 1, "one name for all that has to stay in step"
        assert all(len(sent[label].outputs) == 1 for label in labels[1:])
        used = [output.ssrc for one in sent.values() for output in one.outputs]
        assert len(set(used)) == len(used)
    offer = (await talk.webhook(2))["sdp_renegotiation"]["sdp"]
    streams = [str(each.msid).split(" ")[0].rpartition(":")[2] for each in parse(offer).media if each.direction.sends]
    assert sorted(streams) == ["DEFAULT", "DEFAULT", "SCREEN", "SCREEN"]


async def test_tracks_in_accept_and_start_are_matched_and_labelled(world: World) -> None:
    device = await world.device()
    consumer, business = Peer(), Peer()
    consumer.add("audio")
    screen = consumer.add("video")
    tracks = [track(screen, "screen_video")]
    started = await device.request("call.start", page_id=world.page_id, session=text(consumer.offer()), tracks=tracks)
    call_id = started["call_id"]
    business.add("audio")
    camera = business.add("video")
    tracks = [track(f"stream {camera}", "DEFAULT_VIDEO", "disabled")]
    await world.app.call("accept", call_id=call_id, session=text(business.offer()), tracks=tracks)
    await world.settle()
    talk = Talk(world, device, call_id)
    assert await talk.routes(C) == {"default_audio": True, "screen_video": True}
    # A video that begins switched off is shown to nobody, and needs no way.
    assert await talk.routes(B) == {"default_audio": True}


async def test_repeats_are_agreed_for_a_track_where_both_sides_have_them(world: World) -> None:
    talk = await Talk.begun(world)
    talk.business.peer.add("video")
    await talk.business_offers()
    received = world.engine.legs[(await talk.leg(B)).id].applied
    assert received is not None
    (video,) = [one for one in received.recv if one.track == "default_video"]
    assert [(codec.key, codec.rtx_pt is not None) for codec in video.codecs] == [("vp8/90000", True)]
    assert {"nack", "nack pli", "goog-remb"} <= set(video.fb)


async def test_a_far_side_without_the_codec_gets_an_inactive_line_and_the_journal_says_why(world: World) -> None:
    talk = Talk(world, await world.device(), consumer=End(Peer("96 VP9")))
    talk.consumer.peer.add("audio")
    talk.consumer.peer.add("video")
    talk.business = End(Peer("96 VP8"))
    await world.grant()
    talk.business.peer.add("audio")
    talk.business.peer.add("video")
    connected = await world.app.call("connect", to=world.psid, session=text(talk.business.peer.offer()))
    talk.call_id = connected["call_id"]
    await talk.device.expect("call.incoming", call_id=talk.call_id)
    await talk.device.request("call.accept", call_id=talk.call_id, session=text(talk.consumer.peer.offer()))
    await world.settle()
    assert {"side": "consumer", "tracks": ["default_video"]} in await talk.noted("no_common_codec")
    assert "default_video" not in await talk.routes(B)
    assert (await talk.routes(B))["default_audio"] is True


async def test_ten_renegotiations_keep_mids_and_credentials(world: World) -> None:
    talk = await Talk.begun(world)
    texts: list[str] = []
    cameras = dict.fromkeys(Side, "")
    for turn in range(5):
        status = "enabled" if turn % 2 == 0 else "disabled"
        for side, end, offers in ((C, talk.consumer, talk.device_offers), (B, talk.business, talk.business_offers)):
            cameras[side] = cameras[side] or end.peer.add("video")
            answer = await offers(track(cameras[side], "default_video", status))
            texts.append(answer["session"]["sdp_response"]["sdp"])
            if side is C:
                texts.append(talk.business.take(await talk.webhook(talk.business.version + 1)))
            else:
                texts.append(talk.consumer.take((await talk.notice(talk.consumer.version + 1))["session"]))
    for own in (texts[1::4] + texts[2::4], texts[0::4] + texts[3::4]):
        mids = [[each.mid for each in parse(sdp).media] for sdp in own]
        longest = max(mids, key=len)
        assert all(each == longest[: len(each)] for each in mids)
        assert len(longest) <= 4, "lines are used again"
        assert len({(each.ufrag, each.pwd) for sdp in own for each in parse(sdp).media}) == 1
    assert (talk.business.version, talk.consumer.version) == (10, 11)
    for side in Side:
        assert (await talk.leg(side)).connection.transport.ufrag


async def test_an_ice_restart_is_answered_with_new_credentials_and_told_to_nobody(world: World) -> None:
    talk = await Talk.begun(world)
    for side, end, offers in ((B, talk.business, talk.business_offers), (C, talk.consumer, talk.device_offers)):
        before = (await talk.leg(side)).connection
        end.peer.restart_ice("freshufrag")
        answer = await offers()
        (ours,) = {each.ufrag for each in parse(answer["session"]["sdp_response"]["sdp"]).media}
        leg = await talk.leg(side)
        assert ours == leg.connection.transport.ufrag != before.transport.ufrag
        assert leg.connection.transport.fingerprint == before.transport.fingerprint
        applied = world.engine.legs[leg.id].applied
        assert applied is not None
        assert applied.remote is not None
        assert applied.remote.ufrag == "freshufrag"
        again = await offers()
        assert {each.ufrag for each in parse(again["session"]["sdp_response"]["sdp"]).media} == {ours}
        assert world.engine.legs[leg.id].restarts == 1
    assert world.app.events(talk.call_id) == ["connect"]
    assert "call.media_update" not in await talk.told()


# --- an offer that was never applied (ruling 15) ----------------------------------------------------------------------


async def test_an_offer_that_was_never_applied_is_noticed_and_made_again(world: World) -> None:
    """The business never took our offer and adds a camera, on the very mid of our line, as Chromium does."""
    talk = await Talk.begun(world, applies=False)
    await world.settle()
    (a, b) = await talk.outputs(B, "default_audio")
    camera = talk.business.peer.add("video")
    assert talk.business.peer.transceivers[-1].mid == b[1] == "1"
    answer = await talk.business_asks(
        session=text(talk.business.peer.offer()), tracks=[track(camera, "default_video")], **talk.business.next()
    )
    session = answer["session"]
    assert session["version"] == 2, "one for the update, one for our offer"
    assert sections(session["sdp_response"]["sdp"]) == [("0", "audio", "sendrecv"), ("1", "video", "recvonly")]
    offer = session["sdp_renegotiation"]["sdp"]
    assert sections(offer) == [("0", "audio", "recvonly"), ("1", "video", "recvonly"), ("2", "audio", "sendonly")]
    (same, again) = await talk.outputs(B, "default_audio")
    assert same == a, "sound goes on"
    assert (again[0] != b[0], again[1]) == (True, "2")
    assert await talk.noted("offer_never_applied") == [{"side": "business", "tracks": ["default_audio"]}]
    assert world.app.events(talk.call_id) == ["connect"]
    assert (await talk.notice(2))["tracks"][1]["label"] == "default_video"


async def test_streams_of_a_lost_offer_stop_before_the_answer_and_a_stopped_copy_comes_back_as_another(world: World) -> None:
    talk = await Talk.begun(world, applies=False)
    await world.settle()
    (a, b) = await talk.outputs(B, "default_audio")
    world.engine.accepts((await talk.leg(B)).id, b[0])
    await world.settle()
    assert await talk.outputs(B, "default_audio") == [b]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(world.server.calls.hand_overs, "handed_over", lambda call_id, side, version: None)
        talk.business.peer.add("video")
        await talk.business_asks(session=text(talk.business.peer.offer()))
        (resumed,) = await talk.outputs(B, "default_audio")
    assert resumed[1] == "0"
    assert resumed[0] not in (a[0], b[0])
    assert (await talk.noted("copies"))[-1] == {"side": "business", "a": True, "b": False}


async def test_every_appended_stream_stops_and_comes_again(world: World) -> None:
    talk = await Talk.begun(world, applies=False)
    talk.consumer.peer.add("video")
    await talk.device_offers()
    await world.settle()
    (video,) = await talk.outputs(B, "default_video")
    screen = talk.business.peer.add("video")
    answer = await talk.business_asks(session=text(talk.business.peer.offer()), tracks=[track(screen, "screen_video")])
    assert answer["session"]["version"] == 3
    assert sections(answer["session"]["sdp_renegotiation"]["sdp"])[2:] == [("3", "audio", "sendonly"), ("4", "video", "sendonly")]
    (again,) = await talk.outputs(B, "default_video")
    assert (again[0] != video[0], again[1]) == (True, "4")
    (noted,) = await talk.noted("offer_never_applied")
    assert sorted(noted["tracks"]) == ["default_audio", "default_video"]


async def test_a_device_that_never_applied_our_offer_is_served_alike(world: World) -> None:
    talk = await Talk.begun(world)
    talk.consumer = End(Peer(), talk.consumer.version)
    talk.consumer.peer.add("audio")
    talk.consumer.peer.used_mids = {"0"}
    talk.consumer.peer.add("video")
    result = await talk.device_asks(session=text(talk.consumer.peer.offer()), **talk.consumer.next())
    assert result["session"]["version"] == 3
    assert sections(result["session"]["sdp_renegotiation"]["sdp"])[2:] == [("2", "audio", "sendonly")]


async def test_an_offer_that_receives_on_our_line_is_a_sign(world: World) -> None:
    """Rule 4 of 6.6: copy A stops, and stays stopped."""
    talk = await Talk.begun(world)
    await world.settle()
    (_, b) = await talk.outputs(B, "default_audio")
    answer = await talk.business_offers()
    assert sections(answer["sdp"]) == [("0", "audio", "recvonly"), ("1", "audio", "sendonly")]
    assert await talk.outputs(B, "default_audio") == [b]


async def test_a_track_of_the_business_on_our_line(world: World) -> None:
    """Ruling 21: a plain `addTrack` uses our line again; it is answered `sendrecv`, and stays so."""
    talk = await Talk.begun(world)
    talk.consumer.peer.add("video")
    await talk.device_offers()
    talk.business.take(await talk.webhook(1))
    (before,) = await talk.outputs(B, "default_video")
    camera = talk.business.peer.add("video")
    answer = await talk.business_offers(track(camera, "default_video"))
    assert sections(answer["sdp"])[2] == ("2", "video", "sendrecv")
    assert await talk.outputs(B, "default_video") == [before]
    assert await talk.routes(B) == {"default_audio": True, "default_video": True}
    await talk.device_asks(tracks=[track(talk.consumer.peer.transceivers[0].track, "default_audio", "disabled")])
    assert sections((await talk.webhook(3))["sdp_renegotiation"]["sdp"])[2] == ("2", "video", "sendrecv")


# --- answers that are delivered (6.7) ---------------------------------------------------------------------------------


async def test_an_answer_is_a_sign_and_changes_no_version(world: World) -> None:
    talk = await Talk.begun(world)
    await world.settle()
    for side, end, asks in ((B, talk.business, talk.business_asks), (C, talk.consumer, talk.device_asks)):
        (_, b) = await talk.outputs(side, "default_audio")
        answer = {"sdp_type": "answer", "sdp": serialize(end.peer.offer())}
        result = await asks(session=answer, from_version=7, to_version=9)
        assert result == {"success": True, "call_id": talk.call_id, "version": end.version}
        assert await talk.outputs(side, "default_audio") == [b]


async def test_an_answer_to_something_else_proves_nothing(world: World) -> None:
    talk = await Talk.begun(world, applies=False)
    await world.settle()
    before = await talk.outputs(B, "default_audio")
    answer = {"sdp_type": "answer", "sdp": serialize(talk.business.peer.offer())}
    assert (await talk.business_asks(session=answer))["version"] == 0
    assert await talk.outputs(B, "default_audio") == before
    with pytest.raises(GraphRefused) as refused:
        await talk.business_asks(session={"sdp_type": "answer", "sdp": "v=0 and so on"})
    assert refused.value.error["code"] == 2018392


async def test_no_sign_of_a_picture_is_only_noted(world: World) -> None:
    talk = await Talk.begun(world)
    talk.consumer.peer.add("video")
    await talk.device_offers()
    await world.advance(10.1)
    noted = [each["tracks"] for each in await talk.noted("no_sign_of_renegotiation") if each["side"] == "business"]
    assert noted[-1] == ["default_audio", "default_video"]
    assert len(await talk.outputs(B, "default_video")) == 1


# --- refusals ---------------------------------------------------------------------------------------------------------


def codes(refused: pytest.ExceptionInfo[GraphRefused]) -> tuple[int, int | None]:
    return refused.value.error["code"], refused.value.error.get("error_subcode")


FIVE = [track(str(number), "default_audio") for number in range(5)]


@pytest.mark.parametrize(
    ("asked", "subcode"),
    [
        ({"tracks": [track("nobody", "default_video")]}, 9901110),
        ({"tracks": [track("track1", "default_video")]}, 9901111),
        ({"tracks": FIVE}, 9901112),
        ({"enabled_tracks": ["nobody"]}, 9901110),
        ({"session": {"sdp_type": "offer"}}, 9901101),
    ],
)
async def test_tracks_that_are_unusable(world: World, asked: dict[str, Any], subcode: int) -> None:
    talk = await Talk.begun(world)
    with pytest.raises(GraphRefused) as refused:
        await talk.business_asks(**asked)
    assert codes(refused) == (2018391, subcode)
    with pytest.raises(GraphRefused) as unknown:
        await world.app.call("media_update", call_id="c_unknown", **asked)
    assert codes(unknown) == (2018390, 9901001), "the call is looked up first"
    assert (await talk.business_asks(tracks=[]))["version"] == 1, "nothing was counted"


async def test_too_many_tracks_are_refused_after_the_call_was_found(world: World) -> None:
    call_id = await world.start_call(await world.device())
    for known, expected in ((call_id, (2018391, 9901112)), ("c_unknown", (2018390, 9901001))):
        with pytest.raises(GraphRefused) as refused:
            await world.app.call("accept", call_id=known, session=offered(CHROMIUM), tracks=FIVE)
        assert codes(refused) == expected
    assert len(world.engine.legs) == 1


async def test_lines_of_its_own_that_are_gone(world: World) -> None:
    talk = await Talk.begun(world)
    talk.business.peer.add("video")
    await talk.business_offers()
    talk.business.peer = Peer()
    talk.business.peer.add("audio")
    with pytest.raises(GraphRefused) as refused:
        await talk.business_asks(session=text(talk.business.peer.offer()))
    assert codes(refused) == (2018391, 9901108)


async def test_a_page_without_video(world: World) -> None:
    """A first offer's video is refused with port 0, video that comes later with an error; sound goes on."""
    await world.app.post(f"/v26.0/{world.page_id}/messenger_call_settings", {"video_enabled": False})
    await world.grant()
    talk = Talk(world, await world.device())
    talk.business.peer.add("audio")
    talk.business.peer.add("video")
    connected = await world.app.call("connect", to=world.psid, session=text(talk.business.peer.offer()))
    talk.call_id = connected["call_id"]
    assert sections(connected["sdp"]) == [("0", "audio", "sendrecv"), ("1", "video", "off")]
    assert (await talk.device.expect("call.incoming", call_id=talk.call_id)).params["video"] is False
    talk.business.peer.apply(parse(connected["sdp"]))
    talk.business.peer.add("video")
    talk.business.peer.transceivers[1].mid = "5"
    with pytest.raises(GraphRefused) as refused:
        await talk.business_asks(session=text(talk.business.peer.offer()))
    assert codes(refused) == (2018391, 9901113)


async def test_what_is_wrong_with_the_description_comes_before_the_versions(world: World) -> None:
    talk = await Talk.begun(world)
    with pytest.raises(GraphRefused) as refused:
        await talk.business_asks(tracks=[track("nobody", "default_video")], from_version=8, to_version=9)
    assert codes(refused) == (2018391, 9901110)


async def test_the_states_of_a_call(world: World) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    tracks = [track("x", "default_audio")]
    with pytest.raises(GraphRefused) as ringing:
        await world.app.call("media_update", call_id=call_id, tracks=tracks)
    assert codes(ringing) == (100, 9901205)
    await world.app.call("reject", call_id=call_id)
    with pytest.raises(GraphRefused) as over:
        await world.app.call("media_update", call_id=call_id, tracks=tracks)
    assert codes(over) == (2018396, 9901301)
    with pytest.raises(DeviceRefused) as gone:
        await device.request("call.media_update", call_id=call_id, tracks=tracks)
    assert gone.value.data["code"] == 2018396


async def test_an_update_that_waits_too_long_for_another(world: World) -> None:
    talk = await Talk.begun(world)
    await talk.business_asks(tracks=[])
    calls = world.server.calls
    live = await calls.load(talk.call_id)  # type: ignore[arg-type]
    assert live is not None
    calls.update_wait_s = 0
    async with calls.locks.hold(live.call.page_id, live.call.psid):
        with pytest.raises(GraphRefused) as refused:
            await world.app.call("media_update", call_id=talk.call_id, tracks=[])
        with pytest.raises(DeviceRefused) as refused_device:
            await talk.device.request("call.media_update", call_id=talk.call_id, tracks=[])
    assert codes(refused) == (100, 9901208)
    assert refused.value.error["error_data"] == {"current_version": 1}
    assert refused.value.error["is_transient"] is True
    assert refused_device.value.data["error_subcode"] == 9901208


async def test_an_engine_that_cannot_restart_ice_changes_nothing(world: World) -> None:
    talk = await Talk.begun(world)
    talk.business.peer.restart_ice("freshufrag")
    world.engine.refuse_next(LegRestart, "unknown_leg")
    with pytest.raises(GraphRefused) as refused:
        await talk.business_asks(session=text(talk.business.peer.offer()), **talk.business.next())
    assert refused.value.error["code"] == 2
    answer = await talk.business_offers()
    assert answer["session"]["version"] == 1
