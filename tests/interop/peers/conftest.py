"""The tests in this folder know no server, only peers."""

from __future__ import annotations

import pytest

from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.firefox import Firefox

BROWSERS = ("chromium", "firefox")


@pytest.fixture(params=BROWSERS)
def browser(request: pytest.FixtureRequest, chromium: Chromium, firefox: Firefox) -> Chromium | Firefox:
    return chromium if request.param == "chromium" else firefox
