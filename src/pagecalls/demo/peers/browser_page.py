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

from pagecalls.demo.peers.base import (
    CandidatePair,
    DtlsState,
    IceState,
    InboundStats,
    NotSupported,
    PeerError,
    PeerGone,
    PeerStats,
)
from pagecalls.demo.peers.digits import HeardDigit
from pagecalls.demo.peers.listening import Ear, Heard, Recording
from pagecalls.demo.peers.tone import TONE_AMPLITUDE

_PAGE_FILES = {
    "/": ("page.html", "text/html"),
    "/peer.js": ("peer.js", "text/javascript"),
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

    `digit_pitch_s` is `DigitDetector`'s, for a browser that plays received digits with holes.
    """

    def __init__(self, browser: Browser, *, tone_hz: int, amplitude: float = TONE_AMPLITUDE, digit_pitch_s: float = 0.0) -> None:
        self._browser = browser
        self._digit_pitch_s = digit_pitch_s
        self._tone_hz = tone_hz
        self._amplitude = amplitude
        self._page: Page | None = None
        self._ear = Ear(self._fetch_sound)

    @property
    def name(self) -> str:
        """Of the browser."""
        return self._browser.name

    async def start(self) -> None:
        """Open the page and start its tone."""
        self._page = await self._browser.open_page()
        await self._call("start", {"toneHz": self._tone_hz, "amplitude": self._amplitude})

    async def offer(self, *, gather: bool = True) -> str:
        """See `Peer.offer`."""
        sdp = str(await self._call("offer", gather))
        return sdp if gather else without_candidates(sdp)

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
        return _stats(await self._call("stats"))

    async def mute(self, muted: bool) -> None:
        """See `Peer.mute`."""
        await self._call("mute", muted)

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


def without_candidates(sdp: str) -> str:
    """The same description as if gathering had not begun: no candidate lines."""
    lines = sdp.splitlines()
    return "".join(f"{line}\r\n" for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates")))


def call_expression(method: str, arguments: tuple[Any, ...]) -> str:
    """JavaScript that calls the page's one function."""
    return f"window.peer({', '.join(json.dumps(value) for value in (method, *arguments))})"


def _samples(text: str, *, skip: int) -> array[int]:
    samples = array("h")
    samples.frombytes(base64.b64decode(text))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples[skip:]  # two fetches at once may bring the same samples


def _stats(entry: Any) -> PeerStats:
    pair = entry["pair"]
    return PeerStats(
        ice=IceState(entry["ice"]),
        dtls=DtlsState(entry["dtls"]),
        ice_connected_at=entry["iceConnectedAt"],
        connected_at=entry["connectedAt"],
        selected_pair=CandidatePair(local=pair["local"], remote=pair["remote"]) if pair else None,
        packets_sent=entry["sent"],
        inbound=tuple(
            InboundStats(
                mid=stream["mid"],
                ssrc=stream["ssrc"],
                packets_received=stream["received"],
                packets_lost=stream["lost"],
                jitter_s=stream["jitter"],
                audio_energy=stream["energy"],
            )
            for stream in entry["inbound"]
        ),
    )
