"""Who may import whom: the table of docs/architecture.md, held against the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "pagecalls"

BOTTOM = {"errors", "types", "clock"}
CORE = {"sdp", "call"}
PORTS = {"store", "media", "webhooks"}
FACES = {"graph", "consumer", "control"}

ALLOWED: dict[str, set[str]] = {
    **{name: {"types"} for name in BOTTOM},
    **{name: BOTTOM | {name} for name in CORE},
    **{name: BOTTOM | CORE | {name} for name in PORTS},
    "webhooks": BOTTOM | CORE | {"webhooks", "store.base"},
    # The join sees the ports' protocols and the pure payloads and signatures, never an implementation.
    "switchboard": BOTTOM
    | CORE
    | {"switchboard", "store.base", "media.protocol", "webhooks.base", "webhooks.payloads", "webhooks.signing"},
    "http": BOTTOM,
    # Faces see the switchboard and its value types, never a port's implementation and never each other.
    **{name: BOTTOM | {"call", "switchboard", "http", "store.base", name} for name in FACES},
    # The client is for programs that have no server at hand.
    "client": {"types", "client"},
}
"""Modules without a row (server, cli, config and what stands beside them) are the root: they may import everything but the test
kit `testing`, which has no row either."""


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def own_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Names below `pagecalls` that a module imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module and node.module.split(".")[0] == "pagecalls":
            inner = node.module.removeprefix("pagecalls").removeprefix(".")
            yield from (f"{inner}.{alias.name}" if inner else alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("pagecalls.") for alias in node.names if alias.name.startswith("pagecalls."))
        elif isinstance(node, ast.ImportFrom) and node.level:
            raise AssertionError(f"{path}: relative import")


def is_allowed(name: str, allowed: set[str]) -> bool:
    return any(name == entry or name.startswith(entry + ".") for entry in allowed)


@pytest.mark.parametrize("path", modules(), ids=own_name)
def test_imports_point_down(path: Path) -> None:
    allowed = ALLOWED.get(own_name(path).split(".")[0])
    if allowed is None:
        return
    foreign = [name for name in imports(path) if not is_allowed(name, allowed)]
    assert not foreign, f"{own_name(path)} may not import {foreign}"


@pytest.mark.parametrize("path", [p for p in modules() if own_name(p).split(".")[0] != "testing"], ids=own_name)
def test_nothing_imports_the_test_kit(path: Path) -> None:
    assert not [name for name in imports(path) if is_allowed(name, {"testing"})]


@pytest.mark.parametrize("path", [p for p in modules() if own_name(p).split(".")[0] != "client"], ids=own_name)
def test_nothing_imports_the_client(path: Path) -> None:
    """The server does not speak to itself."""
    assert not [name for name in imports(path) if is_allowed(name, {"client"})]


PURE = CORE | BOTTOM
PURE_PARTS = {f"testing.impair.{name}" for name in ("packets", "impairment", "channel", "figures", "candidates")} | {
    f"client.{name}" for name in ("members", "errors", "codes", "results", "requests", "settings", "wire", "face", "webhooks")
}
"""Pure modules of layers that are not."""


@pytest.mark.parametrize(
    "path", [p for p in modules() if own_name(p).split(".")[0] in PURE or own_name(p) in PURE_PARTS], ids=own_name
)
def test_the_core_is_pure(path: Path) -> None:
    """No I/O, no clock, no chance, nothing from a third party."""
    banned = {"asyncio", "socket", "time", "random", "secrets", "os", "threading", "msgspec", "aiohttp", "starlette", "logging"}
    if own_name(path) == "clock":
        banned -= {"time"}
    roots = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else alias.name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not roots & banned


def test_only_the_clock_reads_the_time() -> None:
    """`time.time` and `datetime.now` stand in clock.py alone; `time.monotonic` measures lengths and is free."""
    offenders = [
        own_name(path)
        for path in modules()
        if own_name(path) != "clock"
        and any(word in path.read_text() for word in ("time.time()", "datetime.now(", "datetime.utcnow("))
    ]
    assert not offenders
