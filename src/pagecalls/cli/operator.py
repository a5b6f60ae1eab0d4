"""How a command of the operator reaches the stored things: one request to `/_pagecalls/`, whoever answers it.

If a server runs on the data directory, it is asked over HTTP, with what `operator.json` says. If none does, the same face answers
in this process, with the directory locked meanwhile. `--url` names a server elsewhere. Owns who is asked and what is said when
nobody answers; knows no resource.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sqlite3
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import click
from starlette.types import Message, Scope

from pagecalls import operator_file
from pagecalls.data_dir import DATABASE, DataDirInUse
from pagecalls.office import without_server
from pagecalls.operator_file import OPERATOR_FILE
from pagecalls.settings import SettingsError
from pagecalls.store.migrate import UnusableDatabase

PREFIX = "/_pagecalls"
TIMEOUT_S = 60.0
"""For one answer. Deleting a Page with many people takes its time."""
PATIENCE_S = 5.0
"""How long a directory may be in use by something that does not answer: a server that starts or ends, another command."""
PAUSE_S = 0.1


class OperatorError(click.ClickException):
    """The request was refused, or nobody could be asked. `code`: as the face has it, or `unreachable`."""

    def __init__(self, message: str, code: str = "unreachable") -> None:
        super().__init__(message)
        self.code = code


class _NobodyAnswers(Exception):
    """No server took the request, or none that changes anything was answered."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Whom to ask: the server at `url`, or whoever has `data_dir`. `admin_token` `None`: as `operator.json` says.

    `may_migrate`: whether an older database is brought to this version's schema where no server runs.
    """

    data_dir: Path
    url: str | None = None
    admin_token: str | None = field(default=None, repr=False)
    may_migrate: bool = True

    def request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """The answer's JSON. `path` is below `/_pagecalls`. Raises `OperatorError` for every kind of failure."""
        target = f"{PREFIX}{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body).encode()
        status, answer = self._ask(method, target, content)
        try:
            value = json.loads(answer)
        except ValueError:
            raise OperatorError(f"What answered is no Page Calls server (HTTP {status}).") from None
        if status >= 400 or not isinstance(value, dict):
            error = value.get("error") if isinstance(value, dict) else None
            known = error if isinstance(error, dict) else {}
            raise OperatorError(str(known.get("message", f"HTTP {status}")), str(known.get("code", "unknown")))
        return value

    def _ask(self, method: str, target: str, content: bytes | None) -> tuple[int, bytes]:
        if self.url is not None:
            if self.admin_token is None:
                raise OperatorError("A server that --url names wants --admin-token, or PAGECALLS_ADMIN_TOKEN in the environment.")
            try:
                return _over_http(self.url, self.admin_token, method, target, content, None)
            except _NobodyAnswers as error:
                raise OperatorError(f"No server answers at {self.url} ({error}).") from error
        self._check_directory()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return asyncio.run(self._in_process(method, target, content))
            except DataDirInUse:
                pass
            except (SettingsError, UnusableDatabase) as error:
                raise OperatorError(str(error)) from error
            except sqlite3.Error as error:
                raise OperatorError(f"The database cannot be used: {error}.") from error
            try:
                return self._ask_the_server(method, target, content)
            except _NobodyAnswers as error:
                if time.monotonic() > deadline:
                    raise OperatorError(f"{self.data_dir} is in use, but no server answers ({error}).") from error
            time.sleep(PAUSE_S)

    def _ask_the_server(self, method: str, target: str, content: bytes | None) -> tuple[int, bytes]:
        file = operator_file.read(self.data_dir)
        if file is None:
            raise _NobodyAnswers(f"{OPERATOR_FILE} is not there, or not yours to read")
        try:
            trust = file.trust()
        except OSError as error:
            raise OperatorError(f"The server's certificate {file.tls_cert} cannot be read ({error.strerror}).") from error
        return _over_http(file.base_url, self.admin_token or file.admin_token, method, target, content, trust)

    def _check_directory(self) -> None:
        """A new directory is made by a server alone, and another user's database would be spoilt by files of ours."""
        database = self.data_dir / DATABASE
        try:
            owner = database.stat().st_uid
        except FileNotFoundError:
            raise OperatorError(
                f"There is no server's data in {self.data_dir}. Start one with pagecalls serve, or name its --data-dir or --url."
            ) from None
        except OSError as error:
            raise OperatorError(f"{self.data_dir} cannot be used ({error.strerror}).") from error
        if owner != os.geteuid():
            raise OperatorError(f"{self.data_dir} belongs to another user; run this as the user that the server runs as.")

    async def _in_process(self, method: str, target: str, content: bytes | None) -> tuple[int, bytes]:
        token = secrets.token_hex(16)
        path, _, query = target.partition("?")
        head = {b"host": b"localhost", b"authorization": f"Bearer {token}".encode()}
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "query_string": query.encode(),
            "headers": list(head.items()),
        }
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": content or b""}

        async def send(message: Message) -> None:
            sent.append(message)

        async with without_server(self.data_dir, token, may_migrate=self.may_migrate) as face:
            await face(scope, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def _over_http(
    base_url: str, token: str, method: str, target: str, content: bytes | None, trust: ssl.SSLContext | None
) -> tuple[int, bytes]:
    """Raises `_NobodyAnswers`, and `OperatorError` for an address that is none, or not to be trusted, and for a change that a
    server took and did not answer: it may be done, and to ask again might do it twice."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if trust is not None:
        handlers.append(urllib.request.HTTPSHandler(context=trust))
    if (urlsplit(base_url).hostname or "") in ("localhost", "127.0.0.1", "::1"):
        handlers.append(urllib.request.ProxyHandler({}))  # no proxy has to do with this machine itself
    try:
        request = urllib.request.Request(base_url.rstrip("/") + target, content, headers, method=method)
        with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise OperatorError(f"{base_url} is not to be trusted: {error.reason.verify_message.rstrip('.')}.") from error
        raise _NobodyAnswers(str(getattr(error.reason, "strerror", None) or error.reason)) from error
    except (OSError, HTTPException) as error:
        why = str(getattr(error, "strerror", None) or error)
        if method == "GET":
            raise _NobodyAnswers(why) from error
        raise OperatorError(f"{base_url} took the request and gave no answer ({why}). Look whether it was done.") from error
    except ValueError as error:
        raise OperatorError(f"{base_url} is no address of a server: {error}.") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The admin token goes to the server that was named and no further."""

    def redirect_request(self, *_: object) -> None:
        """Refuse, so that the redirection itself is the answer."""
