"""Finds the named SQL of `queries/*.sql`.

A file holds any number of statements, each under a line `-- name: <name>`; text before the first name is for the reader.
Names are unique over all files. This module knows no SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


class BadQueryFile(ValueError):
    """A query file that cannot be read as named statements: a fault of this package, never of its user."""


def parse(text: str) -> dict[str, str]:
    """The statements of one file by name. Raises `BadQueryFile` for a name given twice or without a statement."""
    _, *parts = _NAME.split(text)
    found: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        statement = body.strip()
        if name in found or not statement:
            raise BadQueryFile(f"query {name!r} is empty or given twice")
        found[name] = statement
    return found


def load() -> Mapping[str, str]:
    """Every named statement of the package."""
    found: dict[str, str] = {}
    folder = resources.files("pagecalls.store") / "queries"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        statements = parse(file.read_text(encoding="utf-8"))
        if twice := found.keys() & statements.keys():
            raise BadQueryFile(f"{file.name} repeats {sorted(twice)}")
        found.update(statements)
    return MappingProxyType(found)
