"""The state between two descriptions: names, look-ups, and that it is JSON without further ado."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from pagecalls.sdp.connection import Connection, Direction, FarSide, FarTrack, LineCodec, Stream
from pagecalls.sdp.negotiate import show_tracks
from pagecalls.types import Track, TrackLabel, TrackStatus
from tests.unit.sdp.samples import ALL_FAR, FAR, NAMES, STREAM, answered, audio, offer_of, reoffered, small_offer, video


def test_cname_is_the_stream_id_without_its_last_part() -> None:
    assert Stream(STREAM).cname == "730155201:kT4vQw9LbX2mZp7R"
    assert FAR.cname == "730155201:kT4vQw9LbX2mZp7R"
    assert Stream("one-part").cname == "one-part"


def test_screens_have_a_stream_of_their_own() -> None:
    stream = Stream(STREAM)
    assert stream.id_for(TrackLabel.DEFAULT_VIDEO) == STREAM
    assert stream.id_for(TrackLabel.SCREEN_AUDIO) == "730155201:kT4vQw9LbX2mZp7R:SCREEN"
    assert Stream(stream.id_for(TrackLabel.SCREEN_VIDEO)).cname == stream.cname


def test_a_far_track_has_its_msid() -> None:
    assert FarTrack(TrackLabel.DEFAULT_AUDIO, "s:x:DEFAULT", "5", 1).msid == "s:x:DEFAULT 5"


@pytest.mark.parametrize("name", NAMES)
def test_a_connection_survives_json(name: str) -> None:
    connection = show_tracks(answered(offer_of(name)), ALL_FAR)
    assert connection.lines[-1].codecs[0].feedback
    assert msgspec.json.decode(msgspec.json.encode(connection), type=Connection) == connection


def test_lines_are_found_by_mid() -> None:
    connection = reoffered(offer_of("chrome-156-audio"))
    assert connection.line("1").is_ours
    assert connection.audio_line is connection.line("0")
    with pytest.raises(KeyError):
        connection.line("2")


def test_the_audio_line_is_the_first_accepted_one() -> None:
    connection = answered(offer_of("chrome-156-screen"))
    first, *others = connection.lines
    refused = replace(connection, lines=(replace(first, is_rejected=True), *others))
    assert refused.audio_line.mid == "3"


def test_peer_tracks_are_what_the_peer_sends() -> None:
    connection = answered(offer_of("chrome-156-audio"))
    msid = "3fbb0757-75e8-4dde-91ee-137c60a24745 607b06d1-e4dc-44ee-84fb-129b92d441c2"
    assert connection.peer_tracks() == (Track(msid, TrackLabel.DEFAULT_AUDIO, TrackStatus.ENABLED),)
    (line,) = connection.lines
    aliased = replace(connection, lines=(replace(line, peer_alias="mic", peer_status=TrackStatus.DISABLED),))
    assert aliased.peer_tracks() == (Track("mic", TrackLabel.DEFAULT_AUDIO, TrackStatus.DISABLED),)
    silent = replace(connection, lines=(replace(line, direction=Direction.SENDONLY),))
    assert silent.peer_tracks() == ()


def test_a_line_knows_the_cname_of_what_we_send() -> None:
    connection = reoffered(offer_of("chrome-156-audio"))
    assert connection.line("1").far_cname == "730155201:kT4vQw9LbX2mZp7R"
    assert replace(connection.line("1"), far_msid="").far_cname == ""


def test_a_far_side_is_what_the_peer_listed_of_video() -> None:
    assert answered(offer_of("chrome-156-audio")).as_far_side() is None
    far_side = answered(offer_of("firefox-153-video")).as_far_side()
    assert far_side is not None
    assert [codec.key for codec in far_side.codecs if codec.rtx_pt] == ["vp8/90000", "vp9/90000", "av1/90000"]
    # Video that we do not carry is known all the same: this peer cannot be sent any.
    other = small_offer(audio("0"), video("1", codecs="96 H263"), bundle="0 1")
    assert answered(other).as_far_side() == FarSide((LineCodec("h263/90000", 96),))


def test_tracks_are_found_by_label() -> None:
    connection = show_tracks(answered(offer_of("chrome-156-video")), ALL_FAR)
    assert [line.mid for label in TrackLabel if (line := connection.far_line(label))] == ["2", "3", "4", "5"]
    assert [line.mid for label in TrackLabel if (line := connection.peer_line(label))] == ["0", "1"]
    silent = show_tracks(connection, [])
    assert not any(silent.far_line(label) for label in TrackLabel)
    assert silent.a_line == silent.line("0")
