"""A peer stops receiving for a while and then receives again: what its leg is to do follows, and the engine refuses nothing."""

from __future__ import annotations

import random

import pytest

from pagecalls.call.effects import Carrier, OfferFarTracks
from pagecalls.media.fake_leg import FakeLeg
from pagecalls.sdp.connection import FarTrack, HostCandidate, MediaSettings, Transport
from pagecalls.sdp.description import Direction, parse, serialize
from pagecalls.sdp.negotiate import answer_first, render_offer
from pagecalls.switchboard import updates
from pagecalls.switchboard.base import MediaUpdateRequest
from pagecalls.switchboard.desired import leg_state, revised, routing
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.media import CallMedia, Leg
from pagecalls.switchboard.offers import make_offers, unreadable
from pagecalls.types import CallId, LegId, SdpType, Session, Side, TrackLabel
from tests.unit.sdp.peer import Peer

SOUND, PICTURE = TrackLabel.DEFAULT_AUDIO, TrackLabel.DEFAULT_VIDEO
FINGERPRINT = ":".join(["AA"] * 32)
TRANSPORT = Transport("ufragufr", "p" * 24, FINGERPRINT, (HostCandidate("udp", "127.0.0.1", 40000),))


class Held:
    """A call with a picture both ways, of which `side` is held and resumed; each state of its leg goes to the fake engine."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.ids = Ids(random.Random(1))
        self.peer = Peer()
        legs = {each: self._leg(each, self.peer if each is side else Peer()) for each in Side}
        self.media = CallMedia("node", "1:abc:DEFAULT", "2:def:DEFAULT", is_through=True)
        for each, leg in legs.items():
            self.media = self.media.with_leg(each, leg)
        self.engine = FakeLeg(call="call", id=self.leg.id, ufrag="u", pwd="p")
        self.version = -1
        self.tracks: list[str] = []

    def _leg(self, side: Side, peer: Peer) -> Leg:
        peer.add("audio")
        peer.add("video")
        far = FarTrack(SOUND, "9:far:DEFAULT", "77", 0)
        connection = answer_first(peer.offer(), tracks=(), transport=TRANSPORT, session_id=1, far=far)
        return Leg(LegId(side.value), connection, self.ids.ssrc())

    @property
    def leg(self) -> Leg:
        leg = self.media.leg(self.side)
        assert leg is not None
        return leg

    def follow(self, media: CallMedia) -> None:
        """Bring the engine to the next state. It raises `EngineError` where it refuses."""
        self.media = revised(self.media, media)
        state = leg_state(self.media, self.side)
        assert self.engine.apply(state, 0.0) == state.rev

    def shown(self, *, applies: bool) -> None:
        """The far side's tracks are offered and handed over."""
        self.version += 1
        media, _ = make_offers(self.media, (OfferFarTracks(self.side, self.version, Carrier.UPDATE),), self.ids)
        self.follow(media)
        self.follow(self.media.with_leg(self.side, self.leg.handed_over(self.version)))
        if applies:
            self.peer.take(parse(render_offer(self.leg.connection)))

    def seen(self) -> None:
        """The peer reports on all that runs."""
        sources = frozenset(shown.ssrc for shown in self.leg.shown)
        self.follow(self.media.with_leg(self.side, self.leg.confirmed(sources)))

    def offers(self, *, applies: bool = True, without: str = "\0") -> str:
        """The peer's next offer, `without` lines that have this; our answer, and a further offer of ours where one is due."""
        text = "".join(line for line in serialize(self.peer.offer()).splitlines(keepends=True) if without not in line)
        request = MediaUpdateRequest(CallId("call"), Session(SdpType.OFFER, text))
        change = updates.read(self.leg, request, None, MediaSettings())
        before = self.media
        self.follow(self.media.with_leg(self.side, updates.after(self.leg, change, self.ids)))
        assert change.answer is not None
        self.peer.apply(parse(change.answer))
        if change.is_offer_due:
            self.shown(applies=applies)
        assert unreadable(before, self.media, self.side) == (), "nobody lacks a codec"
        return change.answer

    def holds(self, *, sends: bool = True) -> str:
        """It receives nothing any more."""
        self.tracks = [each.track for each in self.peer.transceivers]
        for each in self.peer.transceivers:
            each.receives, each.track = False, each.track if sends else ""
        return self.offers()

    def resumes(self) -> str:
        """It receives as before."""
        for each, name in zip(self.peer.transceivers, self.tracks, strict=False):
            each.receives, each.track = True, name
        return self.offers()

    def outputs(self, label: TrackLabel = SOUND) -> dict[str, int]:
        """The source on each line."""
        sent = [track for track in leg_state(self.media, self.side).send if track.track == label.value]
        return {output.mid: output.ssrc for track in sent for output in track.outputs}

    def is_open(self) -> bool:
        """Whether sound has a way to the side."""
        routes = routing("call", self.media).routes
        return next(one.on for one in routes if one.to.leg == self.leg.id and one.from_.track == SOUND.value)


@pytest.fixture(params=list(Side))
def held(request: pytest.FixtureRequest) -> Held:
    return Held(request.param)


def test_copy_a_comes_back_as_another_source(held: Held) -> None:
    """A peer that never applies our offers holds its own line alone."""
    held.shown(applies=False)
    before = held.outputs()["0"]
    for _ in range(2):
        held.peer.of("0").receives = False
        held.offers(applies=False)
        assert "0" not in held.outputs()
        held.peer.of("0").receives = True
        held.offers(applies=False)
        now = held.outputs()["0"]
        assert (held.leg.is_a_on, held.is_open(), now != before) == (True, True, True)
        before = now


@pytest.mark.parametrize("sends", [True, False])
@pytest.mark.parametrize("is_seen", [True, False])
def test_sound_comes_back_with_its_source(held: Held, is_seen: bool, sends: bool) -> None:
    held.shown(applies=True)
    if is_seen:
        held.seen()
    line = held.leg.b_line
    assert line is not None
    for _ in range(2):
        answer = held.holds(sends=sends)
        assert not any(section.direction.sends for section in parse(answer).media)
        assert not held.is_open()
        answer = held.resumes()
        assert held.outputs() == {line.mid: line.far_ssrc}
        assert (held.leg.is_a_on, held.is_open()) == (False, True)
        section = next(each for each in parse(answer).media if each.mid == line.mid)
        assert (section.direction, str(section.msid), section.ssrcs) == (Direction.SENDONLY, line.far_msid, ())
        # It is named again by the next description, theirs or ours.
        section = next(each for each in parse(held.offers()).media if each.mid == line.mid)
        assert [source.ssrc for source in section.ssrcs] == [line.far_ssrc]
        held.shown(applies=True)
        assert held.outputs() == {line.mid: line.far_ssrc}


@pytest.mark.parametrize("sends", [True, False])
def test_a_picture_comes_back_from_another_source_on_its_line(held: Held, sends: bool) -> None:
    held.shown(applies=True)
    held.seen()
    line = held.leg.connection.far_line(PICTURE)
    assert line is not None
    for _ in range(2):
        (before,) = held.outputs(PICTURE).values()
        held.holds(sends=sends)
        assert held.outputs(PICTURE) == {}
        held.offers()
        assert held.outputs(PICTURE) == {}, "it is still held"
        held.resumes()
        ((mid, now),) = held.outputs(PICTURE).items()
        assert (mid, now != before) == (line.mid, True)
        assert held.leg.connection.line(mid).far_msid == line.far_msid


def test_an_offer_of_ours_while_the_call_is_held(held: Held) -> None:
    """As when the far side mutes: everything is offered, and nothing of it is new but the picture's source."""
    held.shown(applies=True)
    held.seen()
    line = held.leg.b_line
    assert line is not None
    held.holds()
    held.shown(applies=True)
    assert held.outputs() == {line.mid: line.far_ssrc}
    shown = held.outputs(PICTURE)
    answer = held.resumes()
    assert (held.outputs(), held.outputs(PICTURE)) == ({line.mid: line.far_ssrc}, shown)
    section = next(each for each in parse(answer).media if each.mid == line.mid)
    assert (section.direction.sends, section.ssrcs) == (True, ())


def test_sound_that_only_copy_a_brings_keeps_its_way(held: Held) -> None:
    """A peer that does not receive on the offered line, and does on its own."""
    held.shown(applies=True)
    for each in held.peer.transceivers[2:]:
        each.receives = False
    held.offers()
    assert held.is_open()
    assert held.leg.is_a_on


def test_a_peer_without_mids_is_told_the_source(held: Held) -> None:
    """Two lines of one payload type are told apart by it alone."""
    held.shown(applies=True)
    line = held.leg.b_line
    assert line is not None
    for receives in (False, True):
        for each in held.peer.transceivers:
            each.receives = receives
        answer = held.offers(without="sdes:mid")
    section = next(each for each in parse(answer).media if each.mid == line.mid)
    assert [source.ssrc for source in section.ssrcs] == [line.far_ssrc]
