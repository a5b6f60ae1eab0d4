from __future__ import annotations

import asyncio
from array import array

import pytest

from pagecalls.demo.peers.listening import Ear, Heard, Recording, TrackSound
from pagecalls.demo.peers.tone import SILENCE, measure, sine

RATE_HZ = 8000
STARTED_AT = 1_790_000_000.0


def tone(frequency_hz: float, duration_s: float) -> array[int]:
    return sine(frequency_hz, rate_hz=RATE_HZ, duration_s=duration_s)


def silence(duration_s: float) -> array[int]:
    return array("h", bytes(2 * round(duration_s * RATE_HZ)))


class Source:
    """Plays into an ear: each refresh brings the next piece of every track."""

    def __init__(self, pieces: dict[str, list[array[int]]]) -> None:
        self.ear = Ear(self.refresh)
        self._pieces = pieces
        self._played = 0.0

    async def refresh(self) -> None:
        self._played += 0.5
        for track_id, pieces in self._pieces.items():
            recording = self.ear.recordings.setdefault(track_id, Recording(track_id, track_id, RATE_HZ))
            piece = pieces.pop(0) if pieces else silence(0.5)
            recording.append(piece, STARTED_AT + self._played)


async def test_a_steady_tone_is_heard_before_the_time_is_over() -> None:
    source = Source({"0": [tone(440, 0.5) for _ in range(40)]})
    heard = await source.ear.hear(window_s=1.0, timeout_s=10)
    assert heard.is_tone(440)
    assert heard.frequency_hz == pytest.approx(440, abs=1)


async def test_what_sounded_before_the_call_does_not_count() -> None:
    source = Source({"0": [tone(440, 0.5)]})
    heard = await source.ear.hear(window_s=0.5, timeout_s=0.5)
    assert heard.audible == ()
    assert heard.loudest.level_dbfs < -100
    assert heard.first_audio_at == pytest.approx(STARTED_AT, abs=0.03)


async def test_a_tone_that_has_stopped_is_not_steady() -> None:
    source = Source({"0": [silence(0.5), tone(440, 0.5), silence(0.5), *[tone(660, 0.5) for _ in range(20)]]})
    assert (await source.ear.hear(window_s=1.0, timeout_s=10)).is_tone(660)


async def test_two_tracks_at_once_are_not_one_sound() -> None:
    source = Source({"0": [tone(440, 0.5) for _ in range(40)], "1": [tone(440, 0.5) for _ in range(40)]})
    heard = await source.ear.hear(window_s=1.0, timeout_s=10)
    assert len(heard.audible) == 2
    assert not heard.is_tone(440)


async def test_a_silent_track_beside_does_not_matter() -> None:
    source = Source({"0": [], "1": [tone(440, 0.5) for _ in range(40)]})
    heard = await source.ear.hear(window_s=1.0, timeout_s=10)
    assert heard.is_tone(440)
    assert [track.mid for track in heard.audible] == ["1"]


async def test_no_track_is_silence() -> None:
    heard = await Source({}).ear.hear(window_s=0.1, timeout_s=0.1)
    assert heard == Heard(tracks=(), first_audio_at=None)
    assert heard.loudest == SILENCE


async def test_an_error_of_the_source_reaches_the_listener() -> None:
    async def broken() -> None:
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        await Ear(broken).hear(window_s=0.1, timeout_s=0.1)


async def test_digits_of_two_listeners_are_found_once() -> None:
    low, high = tone(770, 0.5), tone(1336, 0.5)
    key = array("h", (a + b for a, b in zip(low, high, strict=True)))
    source = Source({"0": [key, silence(0.5)]})
    await source.refresh()
    both = await asyncio.gather(source.ear.digits(), source.ear.digits())
    assert [[digit.digit for digit in digits] for digits in both] == [["5"], ["5"]]


def test_a_recording_keeps_the_last_minute() -> None:
    recording = Recording("track", None, RATE_HZ)
    for second in range(90):
        recording.append(array("h", [second]) * RATE_HZ, STARTED_AT + second + 1)
    kept = recording.since(0)
    assert recording.total == 90 * RATE_HZ
    assert 60 * RATE_HZ <= len(kept) <= 75 * RATE_HZ
    assert kept[-1] == 89
    assert recording.since(recording.total) == array("h")
    assert recording.since(recording.total - 3) == array("h", [89, 89, 89])


def test_first_audible_is_placed_inside_what_arrived() -> None:
    recording = Recording("track", None, RATE_HZ)
    recording.append(silence(1.0), STARTED_AT + 1.0)
    assert recording.first_audible_at is None
    recording.append(silence(0.5) + tone(440, 0.5), STARTED_AT + 2.0)
    assert recording.first_audible_at == pytest.approx(STARTED_AT + 1.5, abs=0.03)


def test_the_loudest_track_speaks_for_all() -> None:
    quiet = TrackSound("a", "0", measure(sine(440, rate_hz=RATE_HZ, duration_s=1.0, amplitude=0.05), RATE_HZ))
    loud = TrackSound("b", "1", measure(tone(880, 1.0), RATE_HZ))
    heard = Heard(tracks=(quiet, loud), first_audio_at=None)
    assert heard.frequency_hz == pytest.approx(880, abs=1)
    assert heard.level_dbfs == pytest.approx(-12, abs=0.1)
