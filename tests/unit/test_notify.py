"""What a service manager is told, and that nobody is needed there."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pagecalls.notify import READY, notify


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_it_is_told(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(5)
        manager.bind(str(path) if kind == "path" else f"\0{path}")
        notify(READY, {"NOTIFY_SOCKET": str(path) if kind == "path" else f"@{path}"})
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@nobody-listens-there", "relative", "/" + "x" * 200])
def test_nobody_is_there(address: str) -> None:
    notify(READY, {"NOTIFY_SOCKET": address})
    notify(READY, {})
