"""A side's own half of the version protocol: what it sends, and what it does with each kind of answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import pytest

from pagecalls.demo.peers.base import OwnTrack, Peer, Source
from pagecalls.demo.updates import Json, ServerOffer, Updates

MICROPHONE = OwnTrack(Source.MICROPHONE, "0", "stream mic")
CAMERA = OwnTrack(Source.CAMERA, "1", "stream cam")


class FakePeer:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def offer(self, *, gather: bool = True, restarts_ice: bool = False) -> str:
        assert not gather
        self.asked.append("offer")
        return f"offer {len(self.asked)}"

    async def roll_back(self) -> None:
        self.asked.append("roll back")

    async def apply_answer(self, sdp: str) -> None:
        self.asked.append(sdp)

    async def apply_renegotiation(self, offer_sdp: str) -> str:
        self.asked.append(offer_sdp)
        return "answer"

    async def own_tracks(self) -> tuple[OwnTrack, ...]:
        return MICROPHONE, CAMERA


class FakeWay:
    """Gives prepared answers and offers in turn, and notes what was sent."""

    def __init__(self, answers: Iterable[Json] = (), offers: Iterable[ServerOffer] = ()) -> None:
        self.sent: list[Json] = []
        self._answers = list(answers)
        self._offers = list(offers)

    async def update(self, members: Json) -> Json:
        self.sent.append(members)
        return self._answers.pop(0)

    async def newest(self, beyond: int, timeout_s: float) -> ServerOffer:
        offer = self._offers.pop(0)
        assert offer.version > beyond
        return offer


def applied(version: int, **session: Any) -> Json:
    answer = {"sdp_type": "answer", "sdp": f"answer {version}"}
    return {"success": True, "call_id": "c_1", "session": {"version": version, "sdp_response": answer, **session}}


def updates(peer: FakePeer, way: FakeWay, *, version: int = 0) -> Updates:
    return Updates(cast(Peer, peer), way, version=version, to_peer=lambda sdp: f"{sdp} there")


async def test_a_change_names_versions_and_tracks() -> None:
    peer, way = FakePeer(), FakeWay([applied(3)])
    side = updates(peer, way, version=2)
    await side.change()
    assert side.version == 3
    assert peer.asked == ["offer", "answer 3 there"]
    assert way.sent == [
        {
            "from_version": 2,
            "to_version": 3,
            "session": {"sdp_type": "offer", "sdp": "offer 1"},
            "tracks": [
                {"msid": "stream mic", "label": "default_audio", "status": "enabled"},
                {"msid": "stream cam", "label": "default_video", "status": "enabled"},
            ],
        }
    ]


async def test_a_collision_is_rolled_back_and_made_good() -> None:
    peer = FakePeer()
    way = FakeWay([{"success": False, "call_id": "c_1", "version": 1}, applied(2)], [ServerOffer(1, "theirs", ())])
    side = updates(peer, way)
    await side.change()
    assert side.version == 2
    assert peer.asked == ["offer", "roll back", "theirs there", "offer", "answer 2 there"]
    assert [(sent["from_version"], sent["to_version"]) for sent in way.sent] == [(0, 1), (1, 2)]


async def test_a_change_of_the_far_side_that_is_folded_in_is_applied_too() -> None:
    peer = FakePeer()
    way = FakeWay([applied(2, sdp_renegotiation={"sdp_type": "offer", "sdp": "theirs"})])
    side = updates(peer, way)
    await side.change()
    assert side.version == 2
    assert peer.asked == ["offer", "answer 2 there", "theirs there"]


async def test_a_track_is_switched_without_sdp() -> None:
    peer, way = FakePeer(), FakeWay([{"success": True, "call_id": "c_1", "version": 5}])
    side = updates(peer, way, version=4)
    await side.switch(Source.CAMERA, is_on=False)
    assert side.version == 5
    assert peer.asked == []
    assert way.sent[0]["tracks"] == [{"msid": "stream cam", "label": "default_video", "status": "disabled"}]


@pytest.mark.parametrize(("sdp", "asked"), [("theirs", ["theirs there"]), (None, [])])
async def test_the_far_sides_change_is_taken(sdp: str | None, asked: list[str]) -> None:
    peer, way = FakePeer(), FakeWay(offers=[ServerOffer(7, sdp, ())])
    side = updates(peer, way, version=4)
    offer = await side.take()
    assert (offer.version, side.version, peer.asked) == (7, 7, asked)
