"""A database as version 1 of the schema left it, with rows in every table, written by SQL alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

MIGRATION = Path(__file__).parents[2] / "src" / "pagecalls" / "store" / "migrations" / "0001_first.sql"
PAGE_TOKEN = "EAAold"
CONSUMER_TOKEN = "old-device"
APP, SECRET = "1001", "old-secret"
PAGE, PSID, OTHER_PSID = "2001", "3001", "3002"
TERMINATE = b'{"object":"page","entry":[{"id":"2001","time":1790000100,"calls":[{"id":"c_old","event":"terminate"}]}]}'
CONNECT = b'{"object":"page","entry":[{"id":"2001","time":1790000000,"calls":[{"id":"c_old","event":"connect"}]}]}'

CALL = (
    '{"id":"%s","page_id":"2001","psid":"%s","platform":"messenger","direction":"user_initiated","state":"%s",'
    '"created_at":1790000000.0,"is_routed":true,"owner":%s,"device":null,"ringing":[],"away":[],"up":[],"deadlines":[],'
    '"business":{"current":0,"last":null},"consumer":{"current":0,"last":null},"accepted":null,"connected_at":null,'
    '"ended_at":%s,"end_reason":%s,"ended_by":null}'
)
"""As the store of that version wrote it."""


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Old:
    """What a version 1 database holds, by table: columns and rows."""

    webhook: str

    def tables(self, now: float) -> dict[str, list[dict[str, Any]]]:
        ended = CALL % ("c_old", PSID, "COMPLETED", '"1001"', "1790000100.0", '"completed"')
        live = CALL % ("c_live", OTHER_PSID, "RINGING_IN", "null", "null", "null")
        row = {"app_id": APP, "object": "page", "call_id": "c_old", "next_at": now, "created_at": now - 60}
        return {
            "meta": [{"key": "k", "value": "v"}],
            "apps": [{"id": APP, "name": "Old app", "secret": SECRET, "default_version": "v26.0", "require_proof": 0}],
            "pages": [{"id": PAGE, "name": "Old Page", "is_calling_eligible": 1}],
            "tokens": [self._token(PAGE_TOKEN, 0), self._token("revoked", 1)],
            "app_subscriptions": [
                {
                    "app_id": APP,
                    "object": "page",
                    "callback_url": self.webhook,
                    "verify_token": "v",
                    "fields": '["calls"]',
                    "is_active": 1,
                }
            ],
            "page_subscriptions": [{"page_id": PAGE, "app_id": APP, "fields": '["calls"]'}],
            "consumers": [
                {"page_id": PAGE, "psid": psid, "platform": "messenger", "name": f"Person {psid}"} for psid in (PSID, OTHER_PSID)
            ],
            "consumer_tokens": [
                {
                    "digest": digest(CONSUMER_TOKEN),
                    "page_id": PAGE,
                    "psid": PSID,
                    "device_id": "d_old",
                    "expires_at": now + 86_400,
                }
            ],
            "permissions": [{"page_id": PAGE, "psid": PSID, "expires_at": now + 86_400}],
            "calls": [
                self._call("c_old", PSID, "COMPLETED", 0, now - 60, ended),
                self._call("c_live", OTHER_PSID, "RINGING_IN", 1, None, live),
            ],
            "outbox": [
                row | {"event_id": "e1", "kind": "connect", "body": CONNECT, "hold": "delivered", "attempts": 1}
                | {"delivered_at": now - 50},
                row | {"event_id": "e2", "kind": "terminate", "body": TERMINATE, "hold": "ready", "attempts": 0}
                | {"delivered_at": None},
            ],
        }  # fmt: skip

    def _token(self, text: str, is_revoked: int) -> dict[str, Any]:
        scopes = '["pages_manage_metadata","pages_messaging","pages_show_list"]'
        kind = {"kind": "page", "app_id": APP, "page_id": PAGE, "scopes": scopes, "expires_at": None}
        return {"digest": digest(text), "is_revoked": is_revoked} | kind

    def _call(self, call_id: str, psid: str, state: str, is_live: int, ended_at: float | None, body: str) -> dict[str, Any]:
        columns = {"page_id": PAGE, "psid": psid, "state": state, "is_live": is_live, "next_deadline": None}
        return {
            "id": call_id,
            "ended_at": ended_at,
            "body": body,
            "media": b'{"node":"n","business_stream":"a:b","consumer_stream":"c:d"}',
        } | columns

    def write(self, path: Path, now: float) -> None:
        """Make the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as database:
            database.executescript(MIGRATION.read_text() + "; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;")
            for table, rows in self.tables(now).items():
                for row in rows:
                    marks = ", ".join("?" for _ in row)
                    database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
            database.commit()
