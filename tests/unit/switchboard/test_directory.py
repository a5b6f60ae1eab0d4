"""Who is who, as far as it is stored."""

from __future__ import annotations

import random
from pathlib import Path

from pagecalls.clock import SteppedClock
from pagecalls.office import Absent, office
from pagecalls.store.base import Page
from pagecalls.store.sqlite import SqliteStore
from pagecalls.switchboard.credentials import digest
from pagecalls.switchboard.directory import Directory
from pagecalls.switchboard.ids import Ids
from pagecalls.types import PageId, Platform


class NoReceiver:
    """Stands for callbacks that nobody registers here."""

    async def verify(self, url: str, verify_token: str) -> None:
        raise AssertionError("nobody registers a callback")


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_tokens_are_stored_as_digests(tmp_path: Path) -> None:
    """No file of the store holds a token's text (graph-platform 2.2)."""
    page = Page(PageId("1001"), "Tea House")
    store = SqliteStore.open(tmp_path / "pagecalls.db")
    await store.write(lambda tx: tx.put_page(page))
    clock, ids = SteppedClock(), Ids(random.Random(1))
    directory = Directory(store, clock, ids, NoReceiver())
    services = office(store, clock, ids, Absent(store))
    of_page = (await services.accounts.create_app_on_page("Desk", page.id)).access_token
    of_consumer = (await directory.open_session(page.id, Platform.MESSENGER, "Ada", None)).access_token
    assert (await directory.bearer(of_page)).page == page
    assert await directory.device(of_consumer) is not None
    await store.close()
    stored = all_bytes(tmp_path)
    for text in (of_page, of_consumer):
        assert text.encode() not in stored
        assert digest(text).encode() in stored
