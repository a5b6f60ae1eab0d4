"""The media facts of a leg: what was offered, handed over, confirmed; and what the engine is to make of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pagecalls.sdp.connection import FarTrack, HostCandidate, LineCodec, Transport
from pagecalls.sdp.description import parse
from pagecalls.sdp.negotiate import answer_first
from pagecalls.sdp.offers import show_tracks
from pagecalls.switchboard.desired import leg_state, revised, routing
from pagecalls.switchboard.media import CallMedia, Leg, Reply
from pagecalls.types import LegId, Side, Track, TrackLabel, TrackStatus

SDP = Path(__file__).parents[2] / "data" / "sdp"
TRANSPORT = Transport("ufragufr", "p" * 24, "AA:BB", (HostCandidate("udp", "127.0.0.1", 40000),))
SOUND = FarTrack(TrackLabel.DEFAULT_AUDIO, "2:def:DEFAULT", "88", 2000)
VIDEO = FarTrack(TrackLabel.DEFAULT_VIDEO, "2:def:DEFAULT", "99", 3000, 3001, LineCodec("vp8/90000", 96))


def leg(name: str, file: str, tracks: tuple[Track, ...] = ()) -> Leg:
    far = FarTrack(TrackLabel.DEFAULT_AUDIO, "1:abc:DEFAULT", "77", 0)
    offer = parse((SDP / file).read_text())
    return Leg(LegId(name), answer_first(offer, tracks=tracks, transport=TRANSPORT, session_id=1, far=far), a_ssrc=1000)


def offering(leg: Leg, version: int, *tracks: FarTrack) -> Leg:
    return leg.offering(show_tracks(leg.connection, tracks), version, leg.names, leg.replies)


def call(business: Leg, consumer: Leg) -> CallMedia:
    return CallMedia("node", "1:abc:DEFAULT", "2:def:DEFAULT", business, consumer, route_rev=1, is_through=True)


def outputs(leg_of_business: Leg, place: int = 0) -> list[tuple[int, str]]:
    media = call(leg_of_business, leg("k", "chrome-156-audio-offer.sdp"))
    return [(output.ssrc, output.mid) for output in leg_state(media, Side.BUSINESS).send[place].outputs]


# --- offers and signs -------------------------------------------------------------------------------------------------


def test_a_stream_runs_from_the_hand_over_of_the_first_offer_that_names_it() -> None:
    plain = leg("b", "chrome-156-audio-offer.sdp")
    one = offering(plain, 0, SOUND)
    two = offering(one, 1, SOUND, VIDEO)
    assert (outputs(plain), outputs(one)) == ([(1000, "0")], [(1000, "0")])
    assert outputs(two.handed_over(0)) == [(1000, "0"), (2000, "1")]
    assert outputs(two.handed_over(0), 1) == []
    assert outputs(two.handed_over(1), 1) == [(3000, "2")]
    assert two.handed_over(1).handed_over(0).handed == 1, "an older hand-over changes nothing"
    assert plain.handed_over(0) == plain, "nothing was offered"


def test_digits_go_to_the_business_alone() -> None:
    media = call(leg("b", "chrome-156-audio-offer.sdp"), leg("k", "chrome-156-audio-offer.sdp"))
    heard = {side: [codec.key for codec in leg_state(media, side).send[0].codecs] for side in Side}
    assert heard == {Side.BUSINESS: ["opus/48000/2", "telephone-event/48000"], Side.CONSUMER: ["opus/48000/2"]}
    for side in Side:
        assert "telephone-event/48000" in [codec.key for codec in leg_state(media, side).recv[0].codecs], "what comes is taken"


def test_an_offer_is_owed_until_it_is_handed_over() -> None:
    plain = leg("b", "chrome-156-audio-offer.sdp")
    one = offering(plain, 0, SOUND)
    assert [each.is_owed for each in (plain, one, one.handed_over(0), offering(one.handed_over(0), 1))] == [
        False,
        True,
        False,
        True,
    ]


def test_a_stream_that_an_offer_no_longer_names_is_gone() -> None:
    two = offering(leg("b", "chrome-156-audio-offer.sdp"), 0, SOUND, VIDEO).handed_over(0)
    without = offering(two, 1, SOUND)
    assert [shown.ssrc for shown in without.shown] == [2000]
    state = leg_state(call(without, leg("k", "chrome-156-audio-offer.sdp")), Side.BUSINESS)
    assert [track.track for track in state.send] == ["default_audio"]


def test_a_sign_of_copy_b_stops_copy_a_and_is_a_hand_over_too() -> None:
    one = offering(leg("b", "chrome-156-audio-offer.sdp"), 0, SOUND, VIDEO)
    seen = one.confirmed(frozenset({2000}))
    assert (seen.is_a_on, seen.is_b_on, seen.handed) == (False, True, 0)
    assert outputs(seen) == [(2000, "1")]
    assert seen.unconfirmed() == (TrackLabel.DEFAULT_VIDEO,)
    assert one.unconfirmed() == (), "what was not handed over need not be confirmed"


def test_signs_of_other_streams_leave_copy_a_alone() -> None:
    one = offering(leg("b", "chrome-156-audio-offer.sdp"), 0, SOUND, VIDEO).handed_over(0)
    assert one.confirmed(frozenset({1000, 4711})) == one
    assert one.confirmed(frozenset({3000})).is_a_on


def test_the_first_and_the_last_reply_are_kept() -> None:
    plain = leg("b", "chrome-156-audio-offer.sdp")
    replies = [Reply(str(number), "v=0", None, number) for number in range(4)]
    for reply in replies:
        plain = plain.replied(reply)
    assert [plain.reply_to(str(number)) for number in range(4)] == [replies[0], None, None, replies[3]]


# --- the desired state ------------------------------------------------------------------------------------------------


def test_a_leg_speaks_its_peers_numbers() -> None:
    media = call(leg("b", "firefox-153-audio-offer.sdp"), leg("k", "chrome-156-audio-offer.sdp"))
    state = leg_state(media, Side.BUSINESS)
    (recv,) = state.recv
    (send,) = state.send
    assert [(codec.key, codec.pt) for codec in recv.codecs] == [("opus/48000/2", 109), ("telephone-event/8000", 101)]
    assert (recv.ext.mid, recv.ext.level, recv.ext.twcc) == (3, 1, None)
    assert recv.ssrcs == [2491814895]
    assert send.cname == "2:def"
    assert [(output.ssrc, output.mid) for output in send.outputs] == [(1000, "0")]
    assert state.remote is not None
    assert (state.remote.ufrag, state.remote.role) == ("da62907c", "passive")


def test_video_has_repeats_and_feedback_as_agreed() -> None:
    business = leg("b", "chrome-156-video-offer.sdp")
    media = call(offering(business, 0, SOUND, VIDEO).handed_over(0), leg("k", "chrome-156-audio-offer.sdp"))
    state = leg_state(media, Side.BUSINESS)
    recv = state.recv[1]
    assert (recv.track, recv.kind, recv.ssrcs, recv.rtx_ssrcs) == ("default_video", "video", [3388157712], [2273333834])
    assert [(codec.key, codec.pt, codec.rtx_pt) for codec in recv.codecs] == [("vp8/90000", 96, 97)]
    assert {"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"} == set(recv.fb)
    assert None not in (recv.ext.mid, recv.ext.twcc)
    send = state.send[1]
    assert (send.track, send.kind, send.cname) == ("default_video", "video", "2:def")
    assert [(output.ssrc, output.mid, output.rtx_ssrc) for output in send.outputs] == [(3000, "3", None)]


def test_t_conn_starts_when_both_have_accepted() -> None:
    media = call(leg("b", "aiortc-1.16-audio-offer.sdp"), leg("k", "chrome-156-audio-offer.sdp"))
    assert leg_state(media, Side.CONSUMER).timers.conn_ms == 20_000
    assert leg_state(replace(media, is_through=False), Side.CONSUMER).timers.conn_ms is None


def test_sound_passes_both_ways_once_both_have_accepted() -> None:
    media = call(leg("b", "aiortc-1.16-audio-offer.sdp"), leg("k", "chrome-156-audio-offer.sdp"))
    assert {(r.from_.leg, r.to.leg, r.on) for r in routing("c", media).routes} == {("b", "k", True), ("k", "b", True)}
    assert routing("c", replace(media, is_through=False)).routes == []


def test_a_disabled_track_is_received_and_goes_no_further() -> None:
    muted = Track("607b06d1-e4dc-44ee-84fb-129b92d441c2", TrackLabel.DEFAULT_AUDIO, TrackStatus.DISABLED)
    media = call(leg("b", "aiortc-1.16-audio-offer.sdp"), leg("k", "chrome-156-audio-offer.sdp", (muted,)))
    assert {(r.from_.leg, r.on) for r in routing("c", media).routes} == {("b", True), ("k", False)}
    assert len(leg_state(media, Side.CONSUMER).recv) == 1


def test_a_picture_needs_a_place_on_the_other_leg_to_have_a_way() -> None:
    consumer = leg("k", "chrome-156-audio-offer.sdp")
    media = call(leg("b", "chrome-156-video-offer.sdp"), consumer)
    assert {(r.from_.leg, r.from_.track) for r in routing("c", media).routes} == {("b", "default_audio"), ("k", "default_audio")}
    shown = media.with_leg(Side.CONSUMER, offering(consumer, 1, SOUND, VIDEO))
    assert ("b", "default_video") in {(r.from_.leg, r.from_.track) for r in routing("c", shown).routes}


# --- revisions --------------------------------------------------------------------------------------------------------


def test_what_differs_counts_up_and_nothing_else() -> None:
    before = call(leg("b", "chrome-156-audio-offer.sdp"), leg("k", "chrome-156-audio-offer.sdp"))
    assert revised(before, before) == before
    assert before.consumer is not None
    after = revised(before, before.with_leg(Side.CONSUMER, offering(before.consumer, 1, SOUND, VIDEO)))
    assert (after.business, after.route_rev) == (before.business, 1)
    assert after.consumer is not None
    assert after.consumer.rev == 2


def test_letting_media_through_changes_both_legs_and_the_routes() -> None:
    after = call(leg("b", "chrome-156-audio-offer.sdp"), leg("k", "chrome-156-audio-offer.sdp"))
    after = revised(replace(after, is_through=False, route_rev=0), replace(after, route_rev=0))
    assert after.business is not None
    assert after.consumer is not None
    assert (after.business.rev, after.consumer.rev, after.route_rev) == (2, 2, 1)


def test_a_new_leg_begins_its_own_count() -> None:
    before = CallMedia("node", "1:abc:DEFAULT", "2:def:DEFAULT", consumer=leg("k", "chrome-156-audio-offer.sdp"))
    after = revised(before, before.with_leg(Side.BUSINESS, leg("b", "chrome-156-audio-offer.sdp")))
    assert after.business is not None
    assert after.business.rev == 1
    assert revised(None, after) == after


def test_screen_tracks_have_a_stream_of_their_own() -> None:
    media = CallMedia("node", "1:abc:DEFAULT", "2:def:DEFAULT")
    assert media.stream(Side.BUSINESS, TrackLabel.SCREEN_VIDEO) == "1:abc:SCREEN"
    assert media.stream(Side.CONSUMER, TrackLabel.DEFAULT_VIDEO) == "2:def:DEFAULT"
