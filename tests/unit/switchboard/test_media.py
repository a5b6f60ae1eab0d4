from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pagecalls.sdp.connection import FarTrack, HostCandidate, Transport
from pagecalls.sdp.description import parse
from pagecalls.sdp.negotiate import answer_first, append_tracks
from pagecalls.switchboard.media import CallMedia, Leg, leg_state, routing, with_copies
from pagecalls.types import LegId, Side, Track, TrackLabel, TrackStatus

SDP = Path(__file__).parents[2] / "data" / "sdp"
TRANSPORT = Transport("ufragufr", "p" * 24, "AA:BB", (HostCandidate("udp", "127.0.0.1", 40000),))


def leg(name: str, file: str, tracks: tuple[Track, ...] = ()) -> Leg:
    far = FarTrack(TrackLabel.DEFAULT_AUDIO, "1:abc:DEFAULT", "77", 0)
    offer = parse((SDP / file).read_text())
    return Leg(LegId(name), answer_first(offer, tracks=tracks, transport=TRANSPORT, session_id=1, far=far), a_ssrc=1000)


def call(business: Leg, consumer: Leg) -> CallMedia:
    return CallMedia("node", "1:abc:DEFAULT", "2:def:DEFAULT", business, consumer, route_rev=1, is_through=True)


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


def test_copy_b_goes_out_on_the_appended_line() -> None:
    business = leg("b", "chrome-156-audio-offer.sdp")
    far = FarTrack(TrackLabel.DEFAULT_AUDIO, "2:def:DEFAULT", "88", 2000)
    business = replace(business, connection=append_tracks(business.connection, [far]), is_b_on=True)
    media = call(business, leg("k", "chrome-156-audio-offer.sdp"))
    assert [(o.ssrc, o.mid) for o in leg_state(media, Side.BUSINESS).send[0].outputs] == [(1000, "0"), (2000, "1")]
    media = media.with_leg(Side.BUSINESS, replace(business, is_a_on=False))
    assert [(o.ssrc, o.mid) for o in leg_state(media, Side.BUSINESS).send[0].outputs] == [(2000, "1")]


def test_copies_change_where_there_is_an_offer_and_nothing_else_counts_up() -> None:
    plain = leg("b", "chrome-156-audio-offer.sdp")
    far = FarTrack(TrackLabel.DEFAULT_AUDIO, "1:abc:DEFAULT", "88", 2000)
    offered = replace(plain, id=LegId("k"), connection=append_tracks(plain.connection, [far]))
    media = call(plain, offered)
    both = with_copies(media, Side, is_b_on=True)
    assert both.business == plain
    assert both.consumer == replace(offered, is_b_on=True, rev=2)
    assert with_copies(both, Side, is_b_on=True) == both
    only_b = with_copies(both, {Side.CONSUMER}, is_b_on=True, is_a_on=False)
    assert only_b.consumer == replace(offered, is_a_on=False, is_b_on=True, rev=3)
    assert with_copies(only_b, Side, is_b_on=True) == only_b


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
