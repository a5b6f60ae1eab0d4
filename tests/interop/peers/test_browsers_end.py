"""Browsers that end on their own or never begin: a clear error, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pagecalls.demo.peers.base import PeerGone
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.finding import find_chromium, find_firefox
from pagecalls.demo.peers.firefox import Firefox


@pytest.fixture(autouse=True)
def folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where browsers put their folders during the test; pytest's own path would be too long for their sockets."""
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def installed(binary: Path | None) -> Path:
    if binary is None:
        pytest.fail("these tests need Chromium and Firefox")
    return binary


@pytest.mark.parametrize("kind", [Chromium, Firefox])
async def test_a_killed_browser_is_reported_and_cleared_away(kind: type[Chromium] | type[Firefox], folders: Path) -> None:
    async with kind(installed(find_chromium() if kind is Chromium else find_firefox())) as browser:
        peer = browser.peer(tone_hz=440)
        await peer.start()
        assert left_in(folders)
        listening = asyncio.create_task(peer.hear())
        await peer.stats()
        assert browser.pid is not None
        os.kill(browser.pid, signal.SIGKILL)
        with pytest.raises(PeerGone, match=r"Chrom|Firefox"):
            await listening
        with pytest.raises(PeerGone):
            await peer.stats()
        await peer.close()
    assert left_in(folders) == []


async def test_a_crashed_page_takes_only_its_own_calls() -> None:
    async with Chromium(installed(find_chromium())) as browser:
        page = await browser.open_page()
        with pytest.raises(PeerGone, match="crashed"):
            await browser.command("Page.crash", session=page.session)
        with pytest.raises(PeerGone, match="crashed"):
            await page.call("stats")
        another = browser.peer(tone_hz=440)
        await another.start()
        assert "opus/48000" in await another.offer()


@pytest.mark.parametrize("kind", [Chromium, Firefox])
async def test_a_closed_peer_says_so(kind: type[Chromium] | type[Firefox]) -> None:
    browser = kind(Path("/nowhere/browser"))
    peer = browser.peer(tone_hz=440)
    with pytest.raises(PeerGone, match="not started"):
        await peer.offer()
    await peer.close()
    with pytest.raises(PeerGone):
        await peer.start()


@pytest.mark.parametrize("kind", [Chromium, Firefox])
@pytest.mark.parametrize("binary", ["/nowhere/browser", "/bin/true"])
async def test_what_is_no_browser_is_reported(kind: type[Chromium] | type[Firefox], binary: str, folders: Path) -> None:
    with pytest.raises(PeerGone):
        await kind(Path(binary)).start()
    assert left_in(folders) == []
