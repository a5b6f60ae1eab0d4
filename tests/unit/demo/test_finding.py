from __future__ import annotations

from pathlib import Path

import pytest

from pagecalls.demo.peers.finding import find_chromium, find_firefox


@pytest.mark.parametrize(
    ("installed", "found"),
    [
        ({"chromium": "/usr/bin/chromium", "google-chrome": "/opt/chrome"}, Path("/usr/bin/chromium")),
        ({"chromium-browser": "/snap/bin/chromium"}, Path("/snap/bin/chromium")),
        ({"google-chrome": "/opt/chrome"}, Path("/opt/chrome")),
        ({"firefox": "/usr/bin/firefox"}, None),
    ],
)
def test_chromium_is_found_by_its_names(installed: dict[str, str], found: Path | None) -> None:
    assert find_chromium(installed.get) == found


def test_the_long_term_firefox_comes_first() -> None:
    installed = {"firefox": "/usr/bin/firefox", "firefox-esr": "/usr/bin/firefox-esr"}
    assert find_firefox(installed.get) == Path("/usr/bin/firefox-esr")
    installed.clear()
    assert find_firefox(installed.get) is None
