"""What a peer has seen: one screening per remote video track, and the questions asked of them.

Owns the waiting for pictures, and the question whether sound and picture come together. Knows nothing of where frames come
from: a peer gives `refresh`, which appends what was shown since the last time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pagecalls.demo.peers.listening import Ear
from pagecalls.demo.peers.picture import CLAP_S, Frame, frame_of

LOOK_EVERY_S = 0.04
"""So often a browser's page looks at what is shown."""

_POLL_S = 0.1
_KEPT = 1000
_CLAP_SHARE = 0.5  # of a clap's silence must be heard as silence, so that a lost packet is none


@dataclass(frozen=True, slots=True)
class Sighting:
    """A picture that appeared `at` (Unix seconds); `frame` is None when its cells said nothing."""

    at: float
    frame: Frame | None


@dataclass(frozen=True, slots=True)
class TrackPicture:
    """What one remote track showed during a watch.

    `picture` is the last one that could be read, None when there was none; `frames` how many different frames of it appeared,
    `unreadable` how many appeared of which nothing could be read. `mid` is the m-line, if the peer knows it.
    """

    track_id: str
    mid: str | None
    picture: int | None
    frames: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What appeared during a watch, per remote video track, also of those that stood still."""

    tracks: tuple[TrackPicture, ...]

    @property
    def moving(self) -> tuple[TrackPicture, ...]:
        """The tracks that showed at least two frames: one alone may be the last of a picture that has ended."""
        return tuple(track for track in self.tracks if track.frames >= 2)

    def shows(self, *pictures: int) -> bool:
        """Whether exactly these pictures moved, each on one track."""
        return sorted(track.picture for track in self.moving if track.picture is not None) == sorted(pictures)

    def track_of(self, picture: int) -> TrackPicture:
        """The track that showed it. Raises `LookupError` with all that was seen."""
        for track in self.moving:
            if track.picture == picture:
                return track
        raise LookupError(f"picture {picture} is not among {self.tracks}")


@dataclass(frozen=True, slots=True)
class Clap:
    """When one clap of the far side was seen and heard, in Unix seconds."""

    seen_at: float
    heard_at: float

    @property
    def sound_late_s(self) -> float:
        """How far the sound lags behind its picture; negative when it leads."""
        return self.heard_at - self.seen_at


class Screening:
    """The last sightings of one track."""

    def __init__(self, track_id: str, mid: str | None) -> None:
        self.track_id = track_id
        self.mid = mid
        self.total = 0
        """Sightings ever appended."""
        self.kept: deque[Sighting] = deque(maxlen=_KEPT)

    def append(self, cells: str, at: float) -> None:
        """Take what appeared next."""
        self.total += 1
        self.kept.append(Sighting(at, frame_of(cells)))

    def since(self, count: int) -> tuple[Sighting, ...]:
        """Sightings after the first `count` ever appended, as far as they are still kept."""
        wanted = min(max(0, self.total - count), len(self.kept))
        return tuple(self.kept)[len(self.kept) - wanted :]


class Eye:
    """Every screening of one peer, by track id."""

    def __init__(self, refresh: Callable[[], Awaitable[None]]) -> None:
        self.screenings: dict[str, Screening] = {}
        self._refresh = refresh

    async def see(self, *pictures: int, frames: int, timeout_s: float) -> Seen:
        """Watch from now on; return once each picture has shown `frames` frames, or when the time is over.

        Only what appears after the call counts. Without pictures the whole time is watched.
        """
        await self._refresh()
        marks = {track_id: screening.total for track_id, screening in self.screenings.items()}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            await asyncio.sleep(_POLL_S)
            await self._refresh()
            seen = Seen(tuple(_appeared(screening, marks) for screening in self.screenings.values()))
            enough = {track.picture for track in seen.tracks if track.frames >= frames}
            if loop.time() >= deadline or (pictures and enough.issuperset(pictures)):
                return seen

    async def clap(self, ear: Ear, picture: int, *, after: float, timeout_s: float) -> Clap | None:
        """The first clap of this picture and its sound after that time (Unix seconds); None when one of them did not come."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while loop.time() < deadline:
            await asyncio.sleep(_POLL_S)
            await self._refresh()
            await ear.refresh()
            seen_at = self._clap_seen(picture, after)
            heard_at = ear.silence_after(after, least_s=CLAP_S * _CLAP_SHARE)
            if seen_at is not None and heard_at is not None:
                return Clap(seen_at=seen_at, heard_at=heard_at)
        return None

    def _clap_seen(self, picture: int, after: float) -> float | None:
        times = [
            sighting.at
            for screening in self.screenings.values()
            for sighting in screening.kept
            if sighting.at > after and sighting.frame and sighting.frame.is_clap and sighting.frame.picture == picture
        ]
        return min(times, default=None)


def _appeared(screening: Screening, marks: dict[str, int]) -> TrackPicture:
    """What one track showed since its mark: frames count for the last picture alone, so that a change starts anew."""
    new = screening.since(marks.get(screening.track_id, 0))
    read = [sighting.frame for sighting in new if sighting.frame is not None]
    picture = read[-1].picture if read else None
    return TrackPicture(
        track_id=screening.track_id,
        mid=screening.mid,
        picture=picture,
        frames=sum(frame.picture == picture for frame in read),
        unreadable=len(new) - len(read),
    )
