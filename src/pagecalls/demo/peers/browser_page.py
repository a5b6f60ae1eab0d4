"""A peer that lives in a page of a real browser, and the tiny web server that page comes from.

Owns the names of the page's methods and the shape of what they return. Knows nothing of how a browser is driven:
it is given a `Browser` that opens pages and calls one function in them.
"""

from __future__ import annotations

import base64
import json
import sys
from array import array
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any, Protocol

from aiohttp import web

from pagecalls.clock import SystemClock
from pagecalls.demo.peers.base import (
    NotSupported,
    OwnTrack,
    PeerError,
    PeerGone,
    PeerStats,
    Source,
    VideoCodec,
)
from pagecalls.demo.peers.descriptions import msids_by_mid, without_candidates
from pagecalls.demo.peers.digits import HeardDigit
from pagecalls.demo.peers.listening import Ear, Heard, Recording
from pagecalls.demo.peers.page_stats import stats_of
from pagecalls.demo.peers.picture import CAMERA_SIZE, CLAP_S, FRAMES_PER_S, SCREEN_SIZE
from pagecalls.demo.peers.tone import TONE_AMPLITUDE
from pagecalls.demo.peers.watching import LOOK_EVERY_S, Clap, Eye, Screening, Seen

_PAGE_FILES = {
    "/": ("page.html", "text/html"),
    "/peer.js": ("peer.js", "text/javascript"),
    "/picture.js": ("picture.js", "text/javascript"),
    "/sources.js": ("sources.js", "text/javascript"),
    "/recorder.js": ("recorder.js", "text/javascript"),
}

DIGIT_MS, DIGIT_GAP_MS = 500, 100  # messenger-calling 10


class Page(Protocol):
    """One open page."""

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call `window.peer(method, ...)`: JSON in, JSON out. Raises `PeerRefused` with the page's words, or `PeerGone`."""
        ...

    async def close(self) -> None:
        """Close the page."""
        ...


class Browser(Protocol):
    """A running browser that can hold several peers, one a page."""

    @property
    def name(self) -> str:
        """`Chromium 156`."""
        ...

    async def open_page(self) -> Page:
        """A new page, loaded and ready to be called."""
        ...


class PageServer:
    """Serves the peer's page on a free port of 127.0.0.1: browsers run audio worklets only for trusted origins."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen; `url` is set afterwards."""
        application = web.Application()
        for path, (file, content_type) in _PAGE_FILES.items():
            text = (resources.files(__package__) / "page" / file).read_text(encoding="utf-8")
            application.router.add_get(path, _serving(text, content_type))
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def _serving(text: str, content_type: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type=content_type)

    return serve


class BrowserPeer:
    """A `Peer` in its own page of `browser`, which stays open when the peer closes.

    `digit_pitch_s` is `DigitDetector`'s, for a browser that plays received digits with holes. `now` gives Unix seconds, as the
    page's own clock does.
    """

    def __init__(
        self,
        browser: Browser,
        *,
        tone_hz: int,
        amplitude: float = TONE_AMPLITUDE,
        digit_pitch_s: float = 0.0,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._browser = browser
        self._now = now or SystemClock().now
        self._digit_pitch_s = digit_pitch_s
        self._tone_hz = tone_hz
        self._amplitude = amplitude
        self._page: Page | None = None
        self._ear = Ear(self._fetch_sound)
        self._eye = Eye(self._fetch_sightings)

    @property
    def name(self) -> str:
        """Of the browser."""
        return self._browser.name

    async def start(self) -> None:
        """Open the page and start its tone."""
        self._page = await self._browser.open_page()
        look_every_ms = round(LOOK_EVERY_S * 1000)
        await self._call("start", {"toneHz": self._tone_hz, "amplitude": self._amplitude, "lookEveryMs": look_every_ms})

    async def offer(self, *, gather: bool = True, restarts_ice: bool = False) -> str:
        """See `Peer.offer`."""
        sdp = str(await self._call("offer", gather, restarts_ice))
        return sdp if gather else without_candidates(sdp)

    async def roll_back(self) -> None:
        """See `Peer.roll_back`."""
        await self._call("rollBack")

    async def apply_answer(self, sdp: str) -> None:
        """See `Peer.apply_answer`."""
        await self._call("applyAnswer", sdp)

    async def apply_renegotiation(self, offer_sdp: str) -> str:
        """See `Peer.apply_renegotiation`."""
        return str(await self._call("applyOffer", offer_sdp))

    async def hear(self, *, window_s: float = 1.0, timeout_s: float = 10.0) -> Heard:
        """See `Peer.hear`."""
        return await self._ear.hear(window_s=window_s, timeout_s=timeout_s)

    async def digits(self) -> list[str]:
        """See `Peer.digits`: found in the tones that the browser renders."""
        return [digit.digit for digit in await self.heard_digits()]

    async def heard_digits(self) -> list[HeardDigit]:
        """See `Peer.heard_digits`."""
        return await self._ear.digits()

    async def stats(self) -> PeerStats:
        """See `Peer.stats`."""
        return stats_of(await self._call("stats"))

    async def mute(self, muted: bool) -> None:
        """See `Peer.mute`."""
        await self._call("mute", muted)

    async def video_codecs(self) -> frozenset[VideoCodec]:
        """See `Peer.video_codecs`."""
        names = await self._call("videoCodecs")
        return frozenset(codec for codec in VideoCodec if codec in names)

    async def send_picture(self, source: Source, picture: int, codec: VideoCodec | None = None) -> None:
        """See `Peer.send_picture`."""
        if not await self._call("sendPicture", source, _picture(source, picture), codec):
            raise NotSupported(f"{self.name} has no {codec}")

    async def swap_picture(self, source: Source, picture: int) -> None:
        """See `Peer.swap_picture`."""
        await self._call("swapPicture", source, _picture(source, picture))

    async def send_screen_sound(self, tone_hz: int) -> None:
        """See `Peer.send_screen_sound`."""
        await self._call("sendScreenSound", tone_hz)

    async def stop_sending(self, source: Source) -> None:
        """See `Peer.stop_sending`."""
        await self._call("stopSending", source)

    async def hold(self, *, sends: bool) -> None:
        """See `Peer.hold`."""
        await self._call("hold", sends)

    async def resume(self) -> None:
        """See `Peer.resume`."""
        await self._call("resume")

    async def own_tracks(self) -> tuple[OwnTrack, ...]:
        """See `Peer.own_tracks`."""
        entry = await self._call("ownTracks")
        msids = msids_by_mid(entry["sdp"])
        return tuple(OwnTrack(Source(track["source"]), track["mid"], msids.get(track["mid"])) for track in entry["tracks"])

    async def see(self, *pictures: int, frames: int = 10, timeout_s: float = 10.0) -> Seen:
        """See `Peer.see`."""
        return await self._eye.see(*pictures, frames=frames, timeout_s=timeout_s)

    async def clap(self) -> None:
        """See `Peer.clap`."""
        await self._call("clap", round(CLAP_S * 1000))

    async def await_clap(self, picture: int, *, timeout_s: float = 10.0) -> Clap | None:
        """See `Peer.await_clap`."""
        return await self._eye.clap(self._ear, picture, after=self._now(), timeout_s=timeout_s)

    async def send_digits_inband(self, digits: str) -> None:
        """See `Peer.send_digits_inband`: the browser's RTCDTMFSender."""
        if not await self._call("sendDigits", digits, DIGIT_MS, DIGIT_GAP_MS):
            raise NotSupported(f"{self.name} has no telephone-event to send digits with")

    async def close(self) -> None:
        """Close the connection, which tells the far side, and then the page."""
        page, self._page = self._page, None
        if page is None:
            return
        try:
            await page.call("close")
            await page.close()
        except PeerError:
            pass  # a page that is gone is closed

    async def _call(self, method: str, *arguments: Any) -> Any:
        if self._page is None:
            raise PeerGone("the peer is not started or already closed")
        return await self._page.call(method, *arguments)

    async def _fetch_sound(self) -> None:
        """Append what every track has played since the last time."""
        recordings = self._ear.recordings
        known = {track_id: recording.total for track_id, recording in recordings.items()}
        for sound in await self._call("sounds", known):
            recording = recordings.get(sound["id"])
            if recording is None:
                recording = Recording(sound["id"], sound["mid"], sound["rate"], digit_pitch_s=self._digit_pitch_s)
                recordings[sound["id"]] = recording
            # Where the page has dropped sound meanwhile, its count runs ahead of ours: take over its count.
            fresh = _samples(sound["samples"], skip=max(0, recording.total - sound["from"]))
            recording.total = max(recording.total, sound["from"])
            if fresh:
                recording.append(fresh, sound["endedAt"])

    async def _fetch_sightings(self) -> None:
        """Append what every track has shown since the last time."""
        screenings = self._eye.screenings
        known = {track_id: screening.total for track_id, screening in screenings.items()}
        for shown in await self._call("sightings", known):
            screening = screenings.setdefault(shown["id"], Screening(shown["id"], shown["mid"]))
            for sighting in shown["sightings"][max(0, screening.total - shown["from"]) :]:
                screening.append(sighting["cells"], sighting["at"])
            screening.total = max(screening.total, shown["from"] + len(shown["sightings"]))


def call_expression(method: str, arguments: tuple[Any, ...]) -> str:
    """JavaScript that calls the page's one function."""
    return f"window.peer({', '.join(json.dumps(value) for value in (method, *arguments))})"


def _picture(source: Source, picture: int) -> dict[str, int]:
    """What the page's `Picture` is made with."""
    size = SCREEN_SIZE if source is Source.SCREEN else CAMERA_SIZE
    return {"number": picture, "width": size.width, "height": size.height, "framesPerS": FRAMES_PER_S}


def _samples(text: str, *, skip: int) -> array[int]:
    samples = array("h")
    samples.frombytes(base64.b64decode(text))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples[skip:]  # two fetches at once may bring the same samples
