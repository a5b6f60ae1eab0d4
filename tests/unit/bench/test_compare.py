"""What the comparison says of servers that are not there or do not start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench import bench_compare
from bench.figure import Options
from bench.rig import Server


@asynccontextmanager
async def does_not_start(folder: Path) -> AsyncIterator[Server]:
    raise RuntimeError("no such interface")
    yield


@pytest.mark.parametrize(
    ("is_installed", "said"), [(False, ("not installed", "left out")), (True, ("stopped", "no such interface"))]
)
async def test_a_server_that_cannot_be_measured_gets_a_line(
    monkeypatch: pytest.MonkeyPatch, is_installed: bool, said: tuple[str, str]
) -> None:
    rivals = [replace(rival, is_installed=lambda: is_installed, start=does_not_start) for rival in bench_compare.RIVALS]
    monkeypatch.setattr(bench_compare, "RIVALS", rivals)
    rows = await bench_compare.figures(Options())
    assert [(row.metric, row.note) for row in rows] == [said, said]
