"""The data directory: that one program uses it at a time, and how files that are for this user alone are put in place."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from pagecalls.settings import SettingsError

DATABASE = "pagecalls.db"
LOCK = "lock"


class DataDirInUse(SettingsError):
    """A server, or a command that changes what is stored, has the directory."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"another server already uses the data directory {folder}; give this one its own --data-dir")
        self.folder = folder


@contextlib.contextmanager
def sole_user(data_dir: Path) -> Iterator[None]:
    """One server per data directory (ruling 14). Raises `DataDirInUse`, and `SettingsError` if it cannot be used at all."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (data_dir / LOCK).open("w")
    except OSError as error:
        raise SettingsError(f"the data directory {data_dir} cannot be used ({error.strerror})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirInUse(data_dir) from None
        yield


def write_private(path: Path, content: bytes) -> None:
    """A file for this user alone (0600), put in place whole: whoever reads it sees this one or the one before."""
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
