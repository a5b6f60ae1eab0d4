"""For all tests: a whole run checks the coverage of the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.coverage.plugin import NAME, Watch
from tests.coverage.rows import CONTRACT

ROOT = Path(__file__).parent.parent


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Watch(ROOT, CONTRACT), NAME)
