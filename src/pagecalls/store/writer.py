"""One thread, one SQLite connection: group commit, and the way back to the event loop.

Units of work queue up while a group is being committed; the next group takes all that wait. In a group each unit is a savepoint,
so one that raises undoes only itself, and nobody hears of success before the one COMMIT has reached the disk. Finished units go
back to their loop in one call per group. The thread outlives whatever a unit does; it ends only after `close`, when its queue is
empty. A fault that may pass, such as a full disk, reaches the caller as `Unavailable`.

It knows nothing of what the units do.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import groupby
from typing import Generic, Protocol, TypeVar

from pagecalls.errors import Unavailable
from pagecalls.store.base import Transaction
from pagecalls.store.faults import Trouble, passing
from pagecalls.store.transaction import SqliteTransaction

T = TypeVar("T")

MAX_GROUP = 512
"""Units in one transaction; bounds how long the first of them waits for the last."""


class Unit(Protocol):
    """A queued unit of work, its result type forgotten."""

    is_write: bool
    loop: asyncio.AbstractEventLoop

    def run(self, transaction: Transaction) -> None:
        """Do the work. Whatever it raises comes through."""
        ...

    def fail(self, error: BaseException) -> None:
        """The work, or the group it was in, came to nothing."""
        ...

    def settle(self) -> None:
        """Tell whoever waits. On the loop's thread."""
        ...


class _Unit(Generic[T]):
    """`Unit` for one result type."""

    def __init__(self, work: Callable[[Transaction], T], is_write: bool) -> None:
        self.is_write = is_write
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None

    def run(self, transaction: Transaction) -> None:
        self._result.append(self._work(transaction))

    def fail(self, error: BaseException) -> None:
        self._error = error

    def settle(self) -> None:
        if self.future.done():
            return  # the caller was cancelled; the work stands
        if self._error is None:
            self.future.set_result(self._result[0])
        elif isinstance(self._error, StopIteration):
            # A future refuses this class, because a coroutine could not tell it from its own end.
            self.future.set_exception(RuntimeError("the unit of work raised StopIteration"))
        else:
            self.future.set_exception(self._error)


class _GroupLost(Exception):
    """The database threw away the whole transaction; `__cause__` says why."""


class ConnectionThread:
    """Runs units of work on one connection, in the order given. The connection must be in autocommit mode.

    `is_read_only`: it takes no writes, and refuses them once and for all. A connection that does both refuses them for each group
    of reads anew, and that is dear: SQLite compiles every statement again after such a change.
    """

    def __init__(
        self, connection: sqlite3.Connection, queries: Mapping[str, str], name: str, *, is_read_only: bool = False
    ) -> None:
        self._connection = connection
        self._queries = queries
        self._is_read_only = is_read_only
        if is_read_only:
            self._sql("forbid_writes")
        self._transaction = SqliteTransaction(connection, queries)
        self._inbox: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._door = threading.Lock()
        self._is_closed = False
        self._trouble = Trouble()
        # A daemon, so that a program that forgets to close still ends; what was acknowledged is on the disk.
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Transaction], T], *, is_write: bool) -> asyncio.Future[T]:
        """Queue `work`; call on the event loop that waits. Raises `Unavailable` once closed.

        Cancelling the future does not take the work back.
        """
        unit = _Unit(work, is_write)
        with self._door:
            if self._is_closed:
                raise Unavailable
            self._inbox.put(unit)
        return unit.future

    async def close(self) -> None:
        """Finish everything queued, then close the connection. May be called again."""
        with self._door:
            if not self._is_closed:
                self._is_closed = True
                self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        is_open = True
        while is_open:
            units, is_open = self._take()
            for is_write, run in groupby(units, key=lambda unit: unit.is_write):
                group = list(run)
                self._do(group, is_write)
                self._wake(group)
        self._connection.close()

    def _take(self) -> tuple[list[Unit], bool]:
        """All that waits, up to a full group, and whether more may come."""
        units: list[Unit] = []
        entry = self._inbox.get()
        while entry is not None:
            units.append(entry)
            if len(units) == MAX_GROUP:
                return units, True
            try:
                entry = self._inbox.get_nowait()
            except queue.Empty:
                return units, True
        return units, False

    def _do(self, group: list[Unit], is_write: bool) -> None:
        try:
            if is_write:
                self._write_group(group)
            else:
                self._read_group(group)
        except _GroupLost as lost:
            self._lose(group, lost.__cause__ or lost)
        except BaseException as error:  # the thread must outlive everything
            self._lose(group, error)

    def _lose(self, group: list[Unit], error: BaseException) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._sql("rollback")
        for unit in group:
            self._fail(unit, error)

    def _fail(self, unit: Unit, error: BaseException) -> bool:
        """Whether the unit may be tried again later."""
        unavailable = passing(error, is_write=unit.is_write)
        if unavailable is not None:
            self._trouble.note(unavailable)
        unit.fail(unavailable or error)
        return unavailable is not None

    def _write_group(self, group: list[Unit]) -> None:
        self._sql("begin_group")
        is_whole = True
        for unit in group:
            self._sql("begin_unit")
            try:
                unit.run(self._transaction)
            except BaseException as error:
                self._undo(error)
                is_whole = not self._fail(unit, error) and is_whole
            else:
                self._sql("end_unit")
        self._sql("commit")
        if is_whole:
            self._trouble.over()

    def _undo(self, error: BaseException) -> None:
        # A full disk, for one, makes SQLite roll back everything; then the savepoint is gone, and the group with it.
        if not self._connection.in_transaction:
            raise _GroupLost from error
        self._sql("undo_unit")
        self._sql("end_unit")

    def _read_group(self, group: list[Unit]) -> None:
        """One snapshot for all: it is not older than the moment the first of them was asked for."""
        if not self._is_read_only:
            self._sql("forbid_writes")
        self._sql("begin_reading")
        try:
            for unit in group:
                try:
                    unit.run(self._transaction)
                except BaseException as error:
                    self._fail(unit, error)
        finally:
            self._sql("rollback")
            if not self._is_read_only:
                self._sql("permit_writes")

    def _sql(self, name: str) -> None:
        self._connection.execute(self._queries[name])

    def _wake(self, group: Iterable[Unit]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[Unit]] = {}
        for unit in group:
            by_loop.setdefault(unit.loop, []).append(unit)
        for loop, units in by_loop.items():
            with suppress(RuntimeError):  # a closed loop: nobody waits any more
                loop.call_soon_threadsafe(_settle_all, units)


def _settle_all(units: list[Unit]) -> None:
    for unit in units:
        unit.settle()
