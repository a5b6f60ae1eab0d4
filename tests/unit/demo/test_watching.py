"""What is concluded from sightings: which picture moves, which stands still, and whether sound and picture came together."""

from __future__ import annotations

from array import array

import pytest

from pagecalls.demo.peers.listening import Ear, Recording
from pagecalls.demo.peers.picture import Frame, cells_of
from pagecalls.demo.peers.tone import sine
from pagecalls.demo.peers.watching import Eye, Screening

NOW = 1_790_000_000.0
RATE_HZ = 8000


class Track:
    """A screening that grows by some frames with each look."""

    def __init__(self, track_id: str, *, picture: int, per_look: int = 5) -> None:
        self.screening = Screening(track_id, track_id)
        self.picture = picture
        self.per_look = per_look
        self.number = 0

    def look(self) -> None:
        for _ in range(self.per_look):
            self.number += 1
            self.screening.append(cells_of(Frame(self.picture, self.number)), NOW + self.number / 10)


def watched(*tracks: Track) -> Eye:
    async def refresh() -> None:
        for track in tracks:
            track.look()

    eye = Eye(refresh)
    eye.screenings.update({track.screening.track_id: track.screening for track in tracks})
    return eye


async def test_a_watch_ends_when_every_picture_has_moved() -> None:
    seen = await watched(Track("a", picture=1), Track("b", picture=2)).see(1, 2, frames=10, timeout_s=5)
    assert seen.shows(1, 2)
    assert seen.shows(2, 1)
    assert not seen.shows(1)
    assert not seen.shows(1, 2, 3)
    assert [(track.mid, track.frames) for track in seen.tracks] == [("a", 10), ("b", 10)]
    assert seen.track_of(2).track_id == "b"


async def test_a_picture_that_stands_still_is_not_shown() -> None:
    frozen = Track("a", picture=1, per_look=0)
    frozen.screening.append(cells_of(Frame(1, 1)), NOW)
    seen = await watched(frozen, Track("b", picture=2)).see(1, 2, frames=5, timeout_s=0.25)
    assert seen.shows(2)
    assert seen.tracks[0].frames == 0
    with pytest.raises(LookupError, match="picture 1"):
        seen.track_of(1)


async def test_only_what_appears_from_now_on_counts() -> None:
    track = Track("a", picture=1)
    eye = watched(track)
    await eye.see(1, frames=5, timeout_s=5)
    track.picture = 4
    seen = await eye.see(4, frames=5, timeout_s=5)
    assert seen.shows(4)


async def test_what_cannot_be_read_is_counted() -> None:
    track = Track("a", picture=1)
    eye = watched(track)
    track.screening.append("?" * 32, NOW)
    await eye.see(timeout_s=0, frames=1)

    async def broken() -> None:
        track.screening.append("0" * 32, NOW)

    eye._refresh = broken
    seen = await eye.see(1, frames=1, timeout_s=0.15)
    assert seen.shows()
    assert seen.tracks[0].picture is None
    assert seen.tracks[0].unreadable >= 1


def a_sound_with_a_gap(gap_from_s: float, gap_s: float) -> Recording:
    """Two seconds of tone that end at `NOW` + 2."""
    samples = sine(600, rate_hz=RATE_HZ, duration_s=2.0)
    start, length = round(gap_from_s * RATE_HZ), round(gap_s * RATE_HZ)
    samples[start : start + length] = array("h", bytes(2 * length))
    recording = Recording("sound", "0", RATE_HZ)
    recording.append(samples, NOW + 2)
    return recording


@pytest.mark.parametrize("sound_late_s", [-0.2, 0.0, 0.3])
async def test_a_clap_is_seen_and_heard(sound_late_s: float) -> None:
    track = Track("a", picture=1, per_look=0)
    for number, is_clap in enumerate([False] * 5 + [True] * 6 + [False]):
        track.screening.append(cells_of(Frame(1, number, is_clap=is_clap)), NOW + number / 10)
    eye = watched(track)
    ear = Ear(eye._refresh)
    ear.recordings["sound"] = a_sound_with_a_gap(0.5 + sound_late_s, 0.6)
    clap = await eye.clap(ear, 1, after=NOW + 0.1, timeout_s=1)
    assert clap is not None
    assert clap.seen_at == pytest.approx(NOW + 0.5)
    assert clap.sound_late_s == pytest.approx(sound_late_s, abs=0.021)
    assert await eye.clap(ear, 2, after=NOW + 0.1, timeout_s=0.15) is None
    assert await eye.clap(ear, 1, after=NOW + 1.5, timeout_s=0.15) is None


@pytest.mark.parametrize(("gap_s", "after_s"), [(0.1, 0.0), (0.6, 1.2)])
def test_a_short_gap_and_one_that_was_before_are_no_silence(gap_s: float, after_s: float) -> None:
    assert a_sound_with_a_gap(0.5, gap_s).silence_after(NOW + after_s, least_s=0.3) is None


def test_silence_before_any_sound_is_no_end_of_sound() -> None:
    assert a_sound_with_a_gap(0.0, 2.0).silence_after(NOW, least_s=0.3) is None
