"""The SDP core under texts that nobody wrote: real offers with cuts, and lines put together at random."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagecalls.errors import MalformedSdp, PeerError
from pagecalls.sdp.connection import Connection, FarSide, FarTrack, LineCodec
from pagecalls.sdp.description import Description, parse, serialize
from pagecalls.sdp.negotiate import (
    answer_first,
    answer_next,
    enable_only,
    is_ice_restart,
    render_answer,
    render_offer,
    set_tracks,
    show_tracks,
)
from pagecalls.sdp.profile import check_offer
from pagecalls.types import MediaKind, Track, TrackLabel, TrackStatus
from tests.fuzz.fuzz_sdp import judge, one_input
from tests.fuzz.mutation import mutated
from tests.unit.sdp.invariants import check_answer, check_next_answer, check_offer_of_ours
from tests.unit.sdp.peer import VIDEO_CODECS, Peer
from tests.unit.sdp.samples import FAR, HEAD, NAMES, SCREEN_STREAM, STREAM, TRANSPORT, answered, lines, offer_of, text_of

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


# --- renegotiations from both sides -----------------------------------------------------------------------------------

CODECS = (LineCodec("vp8/90000", 100, rtx_pt=101), LineCodec("vp9/90000", 102), LineCodec("vp8/90000", 96))
FAR_SIDES = (None, FarSide(CODECS), FarSide(CODECS[1:2]), FarSide(()))
MOST_TRANSCEIVERS = 8


class Negotiation:
    """A peer by the book and our connection to it, and what must hold after whatever either of them does."""

    def __init__(self, chance: random.Random, far_sides: Sequence[FarSide | None] = FAR_SIDES) -> None:
        self.chance = chance
        self.far_sides = far_sides
        self.peer = Peer(chance.choice((VIDEO_CODECS, "96 VP8", "98 VP9 96 VP8")))
        self.peer.add("audio")
        for _ in range(chance.randrange(3)):
            self.peer.add(chance.choice(("audio", "video")))
        self.is_a_on = True
        self.numbers: dict[int, str] = {}
        self.counter = 0
        offer = self.peer.offer()
        self.connection = answered(offer)
        check_answer(offer, self.connection)
        self.answered()

    def answered(self) -> None:
        """The peer takes our answer."""
        answer = parse(render_answer(self.connection))
        self.peer.apply(answer)
        self.note(answer)

    def note(self, ours: Description) -> None:
        """A number has one codec for the whole call, and what is stored comes back."""
        for section in ours.media:
            for fmt in section.formats:
                assert self.numbers.setdefault(fmt.pt, fmt.key) == fmt.key
        assert msgspec.json.decode(msgspec.json.encode(self.connection), type=Connection) == self.connection

    def peer_changes(self) -> None:
        """The peer adds, removes or stops something, or moves to another network; and offers."""
        live = [each for each in self.peer.transceivers if not each.is_stopped]
        match self.chance.randrange(5):
            case 0 | 1 if len(self.peer.transceivers) < MOST_TRANSCEIVERS:
                self.peer.add(self.chance.choice(("audio", "video")))
            case 2:
                self.chance.choice(live).track = ""
            case 3 if len(live) > 1 and live[-1].mid != "0":
                live[-1].is_stopped = True
            case 4:
                self.counter += 1
                self.peer.restart_ice(f"frag{self.counter}")
            case _:
                self.chance.choice(live).receives ^= True
        self.peer_offers()

    def peer_offers(self) -> None:
        """A later offer, answered and applied."""
        offer, before = self.peer.offer(), self.connection
        check_offer(offer)
        is_restart = is_ice_restart(before, offer)
        transport = replace(TRANSPORT, ufrag=f"ours{self.counter}") if is_restart else None
        found = answer_next(
            before,
            offer,
            tracks=(),
            transport=transport,
            far_side=self.chance.choice(self.far_sides),
            is_a_on=self.is_a_on,
        )
        check_next_answer(before, offer, found)
        self.connection = found.connection
        if not is_restart:
            assert (self.connection.transport, self.connection.peer) == (before.transport, before.peer)
        sound = [line for line in self.connection.lines if line.mid in found.confirmed and line.far_label is FAR.label]
        self.is_a_on = any(line.far_label is FAR.label for line in found.withdrawn) or (self.is_a_on and not sound)
        first = self.peer.of("0")
        if first.receives and self.is_a_on:
            assert self.connection.line("0").direction.sends
        self.answered()

    def we_offer(self) -> None:
        """Any of the far side's tracks; the peer applies it, or never hears of it."""
        before = self.connection
        self.connection = show_tracks(before, self.tracks(), far_side=self.chance.choice(self.far_sides))
        check_offer_of_ours(before, self.connection)
        offer = parse(render_offer(self.connection))
        self.note(offer)
        if self.chance.random() < 0.7:
            self.peer.take(offer)

    def tracks(self) -> list[FarTrack]:
        """Some of the four, each the one that is shown already or a new one."""
        chosen = []
        for label in TrackLabel:
            if self.chance.random() < 0.4:
                continue
            self.counter += 1
            stream = SCREEN_STREAM if label.value.startswith("screen") else STREAM
            codec = self.chance.choice(CODECS) if label.kind is MediaKind.VIDEO else None
            chosen.append(FarTrack(label, stream, str(self.counter), 1000 + 2 * self.counter, 1001 + 2 * self.counter, codec))
        return chosen

    def tracks_change(self) -> None:
        """Tracks without a description: statuses change, and nothing else."""
        before = self.connection
        known = before.peer_tracks()
        if known:
            chosen = self.chance.choice(known)
            status = self.chance.choice(list(TrackStatus))
            self.connection = set_tracks(before, [replace(chosen, status=status)])
            assert replace(chosen, status=status) in self.connection.peer_tracks()
        names = [track.msid for track in known if self.chance.random() < 0.5]
        self.connection = enable_only(self.connection, names)
        enabled = [track.msid for track in self.connection.peer_tracks() if track.status is TrackStatus.ENABLED]
        assert sorted(enabled) == sorted(names)
        assert render_answer(self.connection) == render_answer(before)


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False))
def test_ten_renegotiations_from_both_sides(chance: random.Random) -> None:
    call = Negotiation(chance)
    for _ in range(10):
        chance.choice((call.peer_changes, call.we_offer, call.tracks_change))()


@pytest.mark.parametrize("seed", range(8))
def test_ten_renegotiations_that_are_all_applied_keep_every_mid(seed: int) -> None:
    call = Negotiation(random.Random(f"applied {seed}"), far_sides=[None])
    mids: list[str] = []
    for step in range(10):
        if step % 2:
            call.connection = show_tracks(call.connection, call.tracks())
            call.peer.take(parse(render_offer(call.connection)))
        else:
            call.peer.add("audio" if step % 4 else "video")
            call.peer_offers()
        now = [line.mid for line in call.connection.lines]
        assert now[: len(mids)] == mids
        mids = now
    assert call.connection.transport == TRANSPORT
