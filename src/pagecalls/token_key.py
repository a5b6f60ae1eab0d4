"""The key that Page tokens of users are made from: one for each data directory, made at the first start.

It stands in a file of its own (0600) and not in the database, so that a copy of the database gives nobody a token. Without it,
tokens that were given out stay good, and users get new ones.
"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from pagecalls.data_dir import write_private

FILE = "token.key"
KEY_BYTES = 32


def load_or_make(data_dir: Path) -> bytes:
    """The key. A file of another length is none, and is replaced."""
    path = data_dir / FILE
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) == KEY_BYTES:
            return key
    key = secrets.token_bytes(KEY_BYTES)
    write_private(path, key)
    return key
