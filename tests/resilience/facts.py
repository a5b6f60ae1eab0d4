"""Stored facts beside the calls, set again and again while a server is killed; what was acknowledged last must be stored."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from pagecalls.demo.business import BusinessApp
from pagecalls.dev import DevFile
from tests.resilience.books import ANYTHING, Books
from tests.resilience.consumers import TROUBLE
from tests.resilience.pausing import Pausable

PAUSE_S = 0.05
SUBSCRIPTION = "subscription of the third app"
PERMISSION = "permission"
SETTINGS = "video_enabled of the Page"


@dataclass(slots=True)
class Facts(Pausable):
    """Sets one fact after the other until told to pause.

    `app_id` is a third app's, `url` its callback, `graph` its client; `people` get its messages.
    """

    dev: DevFile
    app_id: str
    app_token: str
    url: str
    graph: BusinessApp
    http: aiohttp.ClientSession
    books: Books
    chance: random.Random
    people: list[str] = field(default_factory=list)
    acknowledged: int = 0

    async def run(self) -> None:
        """Until cancelled."""
        kinds: tuple[Callable[[], Awaitable[None]], ...] = (
            self._subscribe,
            self._unsubscribe,
            self._grant,
            self._open_session,
            self._change_settings,
            self._write_message,
        )
        while True:
            await self._turn()
            try:
                await self.chance.choice(kinds)()
                self.acknowledged += 1
            except TROUBLE:
                pass  # it has happened or not: the book has it among what was asked for
            await asyncio.sleep(PAUSE_S)

    async def _subscribe(self) -> None:
        callback = f"{self.url}?number={self.chance.randint(1, 1_000_000)}"
        fact = self.books.fact(SUBSCRIPTION)
        fact.asked.append(callback)
        body = {"object": "page", "callback_url": callback, "verify_token": "third", "fields": "messages"}
        await self.graph.post(f"/v26.0/{self.app_id}/subscriptions", body | {"access_token": self.app_token})
        fact.done(callback)

    async def _unsubscribe(self) -> None:
        fact = self.books.fact(SUBSCRIPTION)
        fact.asked.append(None)
        body = {"method": "delete", "object": "page", "access_token": self.app_token}
        await self.graph.post(f"/v26.0/{self.app_id}/subscriptions", body)
        fact.done(None)

    async def _change_settings(self) -> None:
        value = self.chance.random() < 0.5
        fact = self.books.fact(SETTINGS)
        fact.asked.append(value)
        await self.graph.post(f"/v26.0/{self.dev.page.id}/messenger_call_settings", {"video_enabled": value})
        fact.done(value)

    async def _write_message(self) -> None:
        """To somebody who calls now and then; who has not called yet may not be written to."""
        text = f"Hello {self.chance.randint(1, 1_000_000)}"
        body = {"recipient": {"id": self.chance.choice(self.people)}, "message": {"text": text}, "messaging_type": "RESPONSE"}
        sent = await self.graph.post(f"/v26.0/{self.dev.page.id}/messages", body)
        self.books.fact(f"message {sent['message_id']}").done(text)

    async def _grant(self) -> None:
        fact = self.books.fact(PERMISSION)
        fact.asked.append(ANYTHING)  # the server adds the time
        ttl_s = self.chance.randint(1_000, 1_000_000)
        body = {"psid": self.dev.consumer.psid, "page_id": self.dev.page.id, "ttl_s": ttl_s}
        fact.done((await self._post("/_pagecalls/permissions", body))["expires_at"])

    async def _open_session(self) -> None:
        name = f"Person {self.chance.randint(1, 1_000_000)}"
        opened = await self._post("/consumer/v1/sessions", {"page_id": self.dev.page.id, "name": name})
        self.books.fact(f"name of {opened['psid']}").done(name)

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.dev.admin_token}"} if path.startswith("/_pagecalls") else {}
        async with self.http.post(self.dev.base_url + path, json=body, headers=headers) as response:
            response.raise_for_status()
            answer: dict[str, Any] = await response.json()
            return answer

    def stored(self, path: Path) -> dict[str, Any]:
        """The same facts as the database has them."""
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA query_only = ON")
            found: dict[str, Any] = {
                f"name of {psid}": name for psid, name in database.execute("SELECT psid, name FROM consumers")
            }
            found |= {f"message {message_id}": text for message_id, text in database.execute("SELECT id, text FROM messages")}
            for (callback,) in database.execute("SELECT callback_url FROM app_subscriptions WHERE app_id = ?", (self.app_id,)):
                found[SUBSCRIPTION] = callback
            for (body,) in database.execute("SELECT body FROM call_settings WHERE page_id = ?", (self.dev.page.id,)):
                found[SETTINGS] = json.loads(body)["video_enabled"]
            mine = (self.dev.consumer.psid,)
            for (expires_at,) in database.execute("SELECT expires_at FROM permissions WHERE psid = ?", mine):
                found[PERMISSION] = int(expires_at)
        return found
