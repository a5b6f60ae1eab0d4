"""The SDP core under texts that nobody wrote: real offers with cuts, and lines put together at random."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pagecalls.errors import MalformedSdp, PeerError
from pagecalls.sdp.description import parse, serialize
from pagecalls.sdp.negotiate import answer_first
from pagecalls.types import Track, TrackLabel, TrackStatus
from tests.fuzz.fuzz_sdp import judge, mutated, one_input
from tests.unit.sdp.samples import FAR, HEAD, NAMES, TRANSPORT, lines, offer_of, text_of

SAMPLES = [text_of(name).encode() for name in NAMES]

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)
NUMBERS = st.one_of(st.integers(-1, 300).map(str), st.sampled_from(["4294967295", "4294967296", "9" * 30, "٣", ""]))
WORDS = st.one_of(NUMBERS, st.sampled_from(["audio", "BUNDLE", "urn:x", "opus/48000/2", "typ", "host"]), TEXT)
ATTRIBUTES = st.sampled_from(
    (
        "mid", "msid", "group", "extmap", "rtpmap", "fmtp", "rtcp-fb", "rtcp", "rtcp-mux", "rtcp-rsize", "ssrc",
        "ssrc-group", "candidate", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-lite", "fingerprint", "setup",
        "sendrecv", "sendonly", "recvonly", "inactive", "bundle-only", "simulcast", "rid", "x",
    )
)  # fmt: skip
ATTRIBUTE_LINES = st.builds(
    lambda name, words: f"a={name}:{' '.join(words)}" if words else f"a={name}", ATTRIBUTES, st.lists(WORDS, max_size=4)
)
M_LINES = st.builds(
    lambda media, port, protocol, words: f"m={media} {port} {protocol} {' '.join(words)}",
    st.sampled_from(["audio", "video", "application", "text"]),
    st.sampled_from(["0", "9", "40000/2"]),
    st.sampled_from(["UDP/TLS/RTP/SAVPF", "RTP/SAVPF", "UDP/DTLS/SCTP", "RTP/AVP"]),
    st.lists(st.sampled_from(["0", "8", "96", "111", "webrtc-datachannel"]), min_size=1, max_size=4),
)
OTHER_LINES = st.builds(lambda letter, word: f"{letter}={word}", st.sampled_from("icbkuzr"), WORDS)
REAL_LINES = st.sampled_from(sorted({line for name in NAMES for line in text_of(name).split("\r\n") if line[:2] == "a="}))
TEXTS = st.lists(st.one_of(REAL_LINES, REAL_LINES, REAL_LINES, ATTRIBUTE_LINES, M_LINES, OTHER_LINES), max_size=20).map(
    lambda found: lines(*HEAD, *found)
)


@given(TEXTS)
def test_what_parses_prints_to_the_same_description(text: str) -> None:
    try:
        description = parse(text)
    except MalformedSdp as error:
        refused_at = error.line
    else:
        printed = serialize(description)
        assert parse(printed) == description
        assert serialize(parse(printed)) == printed
        return
    assert 0 < refused_at <= text.count("\n")


@given(st.randoms(use_true_random=False))
def test_real_offers_with_cuts_are_refused_by_name_or_answered_soundly(chance: random.Random) -> None:
    one_input(mutated(chance, SAMPLES))


@given(st.text(max_size=400))
def test_noise_is_refused_by_name(noise: str) -> None:
    assert judge(noise) is None
    judge("v=0\r\n" + noise)


@given(st.binary(max_size=400))
def test_bytes_are_refused_by_name(noise: bytes) -> None:
    one_input(noise)
    one_input("".join(f"{line}\r\n" for line in HEAD).encode() + noise)


@given(st.sampled_from(NAMES), st.data())
def test_any_tracks_give_an_answer_or_a_typed_error(name: str, data: st.DataObject) -> None:
    offer = offer_of(name)
    known = [str(section.msid) for section in offer.media] + [section.msid.track for section in offer.media if section.msid]
    tracks = data.draw(
        st.lists(
            st.builds(
                Track,
                st.one_of(st.sampled_from(known), st.text(max_size=5)),
                st.sampled_from(TrackLabel),
                st.sampled_from(TrackStatus),
            ),
            max_size=6,
        )
    )
    try:
        connection = answer_first(offer, tracks=tracks, transport=TRANSPORT, session_id=1, far=FAR)
    except PeerError:
        return
    labels = [track.label for track in connection.peer_tracks()]
    assert len(labels) == len(set(labels)) <= 4
    listed = {track.label: track.status for track in tracks}
    assert all(track.status is listed.get(track.label, TrackStatus.ENABLED) for track in connection.peer_tracks())


@settings(max_examples=30)
@given(
    st.integers(1, 2**16),
    st.sampled_from(["\x00", "é", "a", "\\n", "m=audio 9 RTP/SAVPF 0\n", "a=ssrc:1 x:y\n", "a=rtcp-fb:* n\n"]),
)
def test_sixty_four_kilobytes_of_one_thing(length: int, piece: str) -> None:
    judge(lines(*HEAD, "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8") + piece * (length // len(piece)))
