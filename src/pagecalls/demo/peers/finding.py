"""Finds browsers that are installed on this machine. Starts nothing and asks no registry."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FIREFOX_NAMES = ("firefox-esr", "firefox")

Which = Callable[[str], str | None]


def find_chromium(which: Which = shutil.which) -> Path | None:
    """The first Chromium or Chrome on the search path."""
    return _first(CHROMIUM_NAMES, which)


def find_firefox(which: Which = shutil.which) -> Path | None:
    """The first Firefox on the search path, the long-term release before others."""
    return _first(FIREFOX_NAMES, which)


def _first(names: Iterable[str], which: Which) -> Path | None:
    found = (which(name) for name in names)
    return next((Path(path) for path in found if path), None)
