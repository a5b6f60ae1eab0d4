"""What every area of the store's port stands on: a connection, and the named statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from pagecalls.store.codec import Column


class Rows:
    """Runs named statements on the connection's own thread. It never begins, commits or rolls back."""

    def __init__(self, connection: sqlite3.Connection, queries: Mapping[str, str]) -> None:
        self._connection = connection
        self._queries = queries

    def _run(self, name: str, parameters: Sequence[Column] | Mapping[str, Column] = ()) -> sqlite3.Cursor:
        return self._connection.execute(self._queries[name], parameters)
