"""For all tests: a whole run checks the coverage of the contract, and no property is held to a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.coverage.plugin import NAME, Watch
from tests.coverage.rows import CONTRACT

ROOT = Path(__file__).parent.parent

# How long an example takes says more about the machine than about the code: what is slow is seen by `bench/`.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Watch(ROOT, CONTRACT), NAME)
