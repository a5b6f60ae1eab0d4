"""What a peer has heard: one recording per remote track, and the questions asked of them.

Owns the waiting for sound and the cut of the window that is measured. Knows nothing of where samples come from: a
peer gives `refresh`, which appends what has arrived since the last time.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pagecalls.demo.peers.digits import DigitDetector, HeardDigit
from pagecalls.demo.peers.tone import AUDIBLE_DBFS, SILENCE, Sound, level_dbfs, measure

KEPT_RATE_HZ = 8000
"""About the rate at which peers keep sound: enough for tones up to 4 kHz."""

_KEPT_S = 60.0
_SLICE_S = 0.02
_POLL_S = 0.1
_SHORTEST_S = 0.2  # less than this is not measured


@dataclass(frozen=True, slots=True)
class TrackSound:
    """What one remote track played during the window. `mid` is the m-line it came by, if the peer knows it."""

    track_id: str
    mid: str | None
    sound: Sound


@dataclass(frozen=True, slots=True)
class Heard:
    """What arrived during one window, per remote track that the peer plays.

    `first_audio_at` is when the first audible sound of the whole call arrived, in Unix seconds.
    """

    tracks: tuple[TrackSound, ...]
    first_audio_at: float | None

    @property
    def audible(self) -> tuple[TrackSound, ...]:
        """The tracks that could be heard: exactly one when a copied stream is played once."""
        return tuple(track for track in self.tracks if track.sound.is_audible)

    @property
    def loudest(self) -> Sound:
        """The strongest sound; silence when no track plays."""
        return max((track.sound for track in self.tracks), key=lambda sound: sound.level_dbfs, default=SILENCE)

    @property
    def frequency_hz(self) -> float:
        """Of the loudest track."""
        return self.loudest.frequency_hz

    @property
    def level_dbfs(self) -> float:
        """Of the loudest track."""
        return self.loudest.level_dbfs

    def is_tone(self, frequency_hz: float, *, within_hz: float = 3.0) -> bool:
        """Whether this tone was heard, once, and no other track with it."""
        return len(self.audible) == 1 and self.audible[0].sound.is_tone(frequency_hz, within_hz=within_hz)


class Recording:
    """The last minute of one track, as 16-bit mono at `rate_hz`. `digit_pitch_s` is `DigitDetector`'s."""

    def __init__(self, track_id: str, mid: str | None, rate_hz: float, *, digit_pitch_s: float = 0.0) -> None:
        self.track_id = track_id
        self.mid = mid
        self.rate_hz = rate_hz
        self.total = 0
        """Samples ever appended."""
        self.first_audible_at: float | None = None
        self._kept = array("h")
        self._detector = DigitDetector(rate_hz, pitch_s=digit_pitch_s)
        self._unread = array("h")  # not yet searched for digits
        self._ended_at = 0.0

    def append(self, samples: array[int], ended_at: float) -> None:
        """Take the next samples; `ended_at` is when the last one played, in Unix seconds."""
        if self.first_audible_at is None:
            self.first_audible_at = self._first_audible(samples, ended_at)
        self._ended_at = ended_at
        self.total += len(samples)
        limit = round(_KEPT_S * self.rate_hz)
        for store in (self._kept, self._unread):
            store += samples
            if len(store) > limit * 5 // 4:  # cut seldom: cutting moves everything
                del store[: len(store) - limit]

    def since(self, count: int) -> array[int]:
        """Samples after the first `count` ever appended, as far as they are still kept."""
        wanted = max(0, self.total - count)
        return self._kept[max(0, len(self._kept) - wanted) :]

    def silence_after(self, at: float, *, least_s: float) -> float | None:
        """When sound first stopped for at least `least_s` after that moment, in Unix seconds; None when it did not."""
        length = round(self.rate_hz * _SLICE_S)
        fresh = self.since(self.total - max(0, round((self._ended_at - at) * self.rate_hz)))
        begins_at = self._ended_at - len(fresh) / self.rate_hz
        is_heard, silent = False, 0
        for start in range(0, len(fresh) - length + 1, length):
            if level_dbfs(fresh[start : start + length]) >= AUDIBLE_DBFS:
                is_heard, silent = True, 0
            elif is_heard:
                silent += length
                if silent >= least_s * self.rate_hz:
                    return begins_at + (start + length - silent) / self.rate_hz
        return None

    async def digits(self) -> list[HeardDigit]:
        """Digits so far. The search is put off until somebody asks, and then done in a thread; one call at a time."""
        unread, self._unread = self._unread, array("h")
        await asyncio.to_thread(self._detector.feed, unread, self._ended_at)
        return self._detector.heard

    def _first_audible(self, samples: array[int], ended_at: float) -> float | None:
        length = round(self.rate_hz * _SLICE_S)
        for start in range(0, len(samples), length):
            if level_dbfs(samples[start : start + length]) >= AUDIBLE_DBFS:
                return ended_at - (len(samples) - start) / self.rate_hz
        return None


class Ear:
    """Every recording of one peer, by track id."""

    def __init__(self, refresh: Callable[[], Awaitable[None]]) -> None:
        self.recordings: dict[str, Recording] = {}
        self._refresh = refresh
        self._searching = asyncio.Lock()

    async def refresh(self) -> None:
        """Take what has arrived since the last time."""
        await self._refresh()

    def silence_after(self, at: float, *, least_s: float) -> float | None:
        """When any track first fell silent for so long after that moment, in Unix seconds."""
        times = [recording.silence_after(at, least_s=least_s) for recording in self.recordings.values()]
        return min((time for time in times if time is not None), default=None)

    async def hear(self, *, window_s: float, timeout_s: float) -> Heard:
        """Listen from now on; return once a track was audible for a whole window, or when the time is over.

        Only sound that arrives after the call counts, so what stopped before is not heard again. The time is
        `timeout_s`, or one window where that is longer; the result may hold silence.
        """
        await self._refresh()
        marks = {track_id: recording.total for track_id, recording in self.recordings.items()}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + max(timeout_s, window_s)
        while True:
            await asyncio.sleep(_POLL_S)
            await self._refresh()
            if loop.time() >= deadline or any(self._is_steady(r, marks, window_s) for r in self.recordings.values()):
                return await self._measure(marks, window_s)

    async def digits(self) -> list[HeardDigit]:
        """Digits on every track, in the order of their start."""
        async with self._searching:
            await self._refresh()
            found = [await recording.digits() for recording in list(self.recordings.values())]
        return sorted((digit for digits in found for digit in digits), key=lambda digit: digit.at)

    @property
    def first_audio_at(self) -> float | None:
        """When anything was first audible, in Unix seconds."""
        times = [r.first_audible_at for r in self.recordings.values() if r.first_audible_at is not None]
        return min(times, default=None)

    def _is_steady(self, recording: Recording, marks: dict[str, int], window_s: float) -> bool:
        """A whole window has passed since the mark, and both of its ends are audible."""
        samples = self._window(recording, marks, window_s)
        length = round(window_s * recording.rate_hz)
        edge = length // 5
        if len(samples) < length:
            return False
        return level_dbfs(samples[:edge]) >= AUDIBLE_DBFS and level_dbfs(samples[-edge:]) >= AUDIBLE_DBFS

    @staticmethod
    def _window(recording: Recording, marks: dict[str, int], window_s: float) -> array[int]:
        length = round(window_s * recording.rate_hz)
        return recording.since(max(marks.get(recording.track_id, 0), recording.total - length))

    async def _measure(self, marks: dict[str, int], window_s: float) -> Heard:
        tracks = []
        for recording in list(self.recordings.values()):
            samples = self._window(recording, marks, window_s)
            enough = len(samples) >= _SHORTEST_S * recording.rate_hz
            # A thread keeps the loop free for the sound that this process sends meanwhile.
            sound = await asyncio.to_thread(measure, samples, recording.rate_hz) if enough else SILENCE
            tracks.append(TrackSound(track_id=recording.track_id, mid=recording.mid, sound=sound))
        return Heard(tracks=tuple(tracks), first_audio_at=self.first_audio_at)
