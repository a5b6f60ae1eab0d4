"""`pagecalls demo`: starts a server of its own, makes both calls with foreign peers, and says whether sound went both ways."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from pagecalls.demo.business import BusinessApp, Received
from pagecalls.demo.device import ConsumerDevice, Notification
from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.base import Peer
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.finding import find_chromium
from pagecalls.demo.scenes import CallResult, Stage, Voice, business_calls, consumer_calls
from pagecalls.demo.serving import NotServing, serving
from pagecalls.demo.timeline import Lane, Timeline
from pagecalls.dev import DevFile
from pagecalls.switchboard.journal import JournalEntry

BUSINESS_HZ = 620
CONSUMER_HZ = 1000
CALL_WITHIN_S = 60.0


class DemoFailed(Exception):
    """The demo could not be carried through; the text says where it stopped."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Both calls."""

    calls: tuple[CallResult, ...]

    @property
    def is_right(self) -> bool:
        """Both sides heard the right sound in both calls."""
        return bool(self.calls) and all(call.is_right for call in self.calls)

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.is_right:
            return "Both calls carried sound: in each, the business heard the consumer and the consumer heard the business."
        for call in self.calls:
            for ear in call.ears:
                if not ear.is_right:
                    return f"{call.title}: the {ear.side} ({ear.peer}) {ear.describe()}."
            if call.status != "Completed":
                return f"{call.title}: both sides heard each other, but the call ended as {call.status}."
        return "No call was made."


async def run_demo(timeline: Timeline, *, use_browser: bool = True) -> DemoResult:
    """Both calls. Raises `DemoFailed`, and what peers and clients raise."""
    async with AsyncExitStack() as stack:
        app = BusinessApp(lambda received: _show_webhook(timeline, received))
        await app.start()
        stack.push_async_callback(app.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pagecalls-demo-")))
        dev = await _own_server(stack, folder, app.url)
        timeline.add(Lane.SERVER, f"ready at {dev.base_url}, UDP {', '.join(dev.media.udp)}")
        app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret, dev.verify_token)
        watch = asyncio.create_task(_watch(dev, timeline))
        stack.push_async_callback(_cancel, watch)
        device = ConsumerDevice(lambda notification: _show_notification(timeline, notification))
        await device.connect(dev.base_url, dev.consumer.access_token)
        stack.push_async_callback(device.close)
        browser = await _browser(stack, timeline, use_browser)
        stage = Stage(app, device, timeline, dev.page.id, dev.consumer.psid)

        results = []
        timeline.title("Call 1: a consumer calls the Page")
        async with _voices(AiortcPeer(tone_hz=BUSINESS_HZ), _peer(browser, CONSUMER_HZ)) as (business, consumer):
            results.append(await _in_time(consumer_calls(stage, business, consumer), "call 1"))
        timeline.title("Call 2: the Page calls the consumer")
        async with _voices(_peer(browser, BUSINESS_HZ), AiortcPeer(tone_hz=CONSUMER_HZ)) as (business, consumer):
            results.append(await _in_time(business_calls(stage, business, consumer), "call 2"))
        return DemoResult(tuple(results))


def _peer(browser: Chromium | None, tone_hz: int) -> Peer:
    return browser.peer(tone_hz=tone_hz) if browser is not None else AiortcPeer(tone_hz=tone_hz)


async def _in_time(call: Coroutine[Any, Any, CallResult], name: str) -> CallResult:
    try:
        async with asyncio.timeout(CALL_WITHIN_S):
            return await call
    except TimeoutError as error:
        why = str(error) or f"it took longer than {CALL_WITHIN_S:.0f} s"
        raise DemoFailed(f"{name} stopped: {why}") from error


@asynccontextmanager
async def _voices(business: Peer, consumer: Peer) -> AsyncIterator[tuple[Voice, Voice]]:
    try:
        yield Voice(business, BUSINESS_HZ), Voice(consumer, CONSUMER_HZ)
    finally:
        await asyncio.gather(business.close(), consumer.close(), return_exceptions=True)


async def _browser(stack: AsyncExitStack, timeline: Timeline, use_browser: bool) -> Chromium | None:
    path = find_chromium() if use_browser else None
    if path is None:
        timeline.add(Lane.MEDIA, "no Chromium: aiortc speaks on both sides")
        return None
    browser = await stack.enter_async_context(Chromium(path))
    timeline.add(Lane.MEDIA, f"{browser.name} and {AiortcPeer(tone_hz=BUSINESS_HZ).name} are the peers")
    return browser


async def _own_server(stack: AsyncExitStack, folder: Path, webhook: str) -> DevFile:
    try:
        return (await stack.enter_async_context(serving(folder, webhook))).dev
    except NotServing as error:
        raise DemoFailed(str(error)) from error


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- what the timeline shows ------------------------------------------------------------------------------------------


async def _watch(dev: DevFile, timeline: Timeline) -> None:
    """Follow the server's journal."""
    headers = {"Authorization": f"Bearer {dev.admin_token}"}
    after = 0
    async with aiohttp.ClientSession(dev.base_url, headers=headers) as http:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get("/_pagecalls/journal", params={"after": str(after), "wait_s": "20"}) as response:
                    page = await response.json()
                for entry in page["entries"]:
                    after = entry["seq"]
                    _show_entry(timeline, entry)


def _show_entry(timeline: Timeline, entry: JournalEntry) -> None:
    facts = entry["facts"]
    side = facts.get("side")
    match entry["kind"]:
        case "call":
            reason = f" ({facts['reason']})" if facts.get("reason") else ""
            timeline.add(Lane.SERVER, f"call is {facts['state']}{reason}")
        case "ice":
            timeline.add(Lane.MEDIA, f"ICE: {side} at {facts['remote']}")
        case "dtls":
            timeline.add(Lane.MEDIA, f"DTLS: {side}, {facts['profile']}, {facts['handshake_ms']:.0f} ms")
        case "first_packet":
            timeline.add(Lane.MEDIA, f"first packet from {side}")
        case "copies":
            running = [name for name, on in (("A", facts["a"]), ("B", facts["b"])) if on]
            timeline.add(Lane.MEDIA, f"sound towards {side} goes out on {' and '.join(running)}")
        case "leg_failed":
            timeline.add(Lane.MEDIA, f"{side} failed: {facts['why']} {facts['detail']}")
        case "engine_refused":
            timeline.add(Lane.MEDIA, f"the engine refused what it was asked for: {facts['code']} {facts['why']}")
        case "no_sign_of_renegotiation":
            timeline.add(Lane.MEDIA, f"{side} gave no sign of the renegotiation offer")
        case _:
            pass


def _show_webhook(timeline: Timeline, received: Received) -> None:
    item = received.item
    detail = item.get("call_status") or item.get("status") or item.get("call_direction") or ""
    timeline.add(Lane.BUSINESS, f"webhook {received.event} {detail}".rstrip())


def _show_notification(timeline: Timeline, notification: Notification) -> None:
    detail = notification.params.get("reason", "")
    timeline.add(Lane.CONSUMER, f"{notification.method} {detail}".rstrip())
