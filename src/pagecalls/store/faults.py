"""Which of SQLite's faults pass by themselves: a full disk, a disk that cannot be read or written now, a file that another
process holds. Whoever asked is told to ask again; anything else is a fault of ours.

It knows no statement and no unit of work.
"""

from __future__ import annotations

import logging
import sqlite3

from pagecalls.errors import Unavailable

log = logging.getLogger(__name__)

_PASSING = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


def passing(error: BaseException, *, is_write: bool) -> Unavailable | None:
    """What to tell the caller if the fault may pass; `None` if it is of another kind.

    A read that is refused because it writes is our mistake, and the same code as a file system that became read-only.
    """
    if not isinstance(error, sqlite3.Error):
        return None
    primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if primary not in _PASSING or (primary == sqlite3.SQLITE_READONLY and not is_write):
        return None
    told = Unavailable()
    told.__cause__ = error
    return told


class Trouble:
    """Says in the log once that the database cannot be used, and once that it can be used again."""

    def __init__(self) -> None:
        self._is_known = False

    def note(self, error: Unavailable) -> None:
        """A unit of work failed."""
        if not self._is_known:
            log.error("the database cannot be used now, and what is asked of it is refused: %s", error.__cause__)
        self._is_known = True

    def over(self) -> None:
        """A group was committed whole."""
        if self._is_known:
            log.warning("the database can be used again")
        self._is_known = False
