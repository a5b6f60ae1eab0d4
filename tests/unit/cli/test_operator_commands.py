"""The operator's commands on a data directory that no server uses, as their user and as a script sees them."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pagecalls.cli import main, operator
from pagecalls.data_dir import DATABASE, LOCK
from pagecalls.store.sqlite import SqliteStore
from tests.migration.old import APP, Old

CLEAN = {"PAGECALLS_URL": None, "PAGECALLS_ADMIN_TOKEN": None, "PAGECALLS_CONFIG": None}


class Shell:
    """Commands on one data directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *line: str, stdin: str | None = None, **environ: str) -> Result:
        env = {**CLEAN, "PAGECALLS_DATA_DIR": str(self.folder), **environ}
        return CliRunner().invoke(main, line, env=env, input=stdin)

    def text(self, *line: str, stdin: str | None = None) -> str:
        """What a command that succeeds prints."""
        result = self.run(*line, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.output

    def json(self, *line: str, stdin: str | None = None) -> Any:
        return json.loads(self.text(*line, "--json", stdin=stdin))

    def failure(self, *line: str, status: int = 1, **environ: str) -> str:
        """What a command that fails says."""
        result = self.run(*line, **environ)
        assert result.exit_code == status, result.output
        return result.output


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    folder = tmp_path / "data"
    folder.mkdir()
    asyncio.run(_make(folder))
    return Shell(folder)


async def _make(folder: Path) -> None:
    await SqliteStore.open(folder / DATABASE).close()


def rows(output: str) -> list[list[str]]:
    """The words of a table's lines below its head, where columns stand apart by two blanks or more."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return [re.split(r"\s{2,}", line) for line in lines[2:]]


def test_an_older_database_is_brought_up_only_where_that_is_allowed(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "data")
    path = shell.folder / DATABASE
    Old("http://127.0.0.1:9/webhook").write(path, 1_790_000_200)
    before = path.read_bytes()
    assert "`pagecalls db upgrade` makes a copy" in shell.failure("app", "list", PAGECALLS_AUTO_MIGRATE="false")
    assert path.read_bytes() == before
    assert [app["id"] for app in shell.json("app", "list")] == [APP]


def test_the_life_of_an_app(shell: Shell) -> None:
    assert shell.text("app", "list") == "There are no apps. pagecalls app create NAME makes one.\n"
    made = shell.json("app", "create", "Front desk", "--id", "777", "--default-version", "v25.0")
    assert (made["id"], len(made["secret"]), made["page"]) == ("777", 32, None)
    assert rows(shell.text("app", "list"))[0][:4] == ["777", "Front desk", "v25.0", "optional"]
    changed = shell.json("app", "change", "777", "--require-proof", "--name", "Desk")
    assert (changed["name"], changed["require_proof"]) == ("Desk", True)
    assert shell.json("app", "change", "777", "--no-require-proof")["require_proof"] is False
    turned = shell.text("app", "rotate", "777")
    secret = re.search(r"Secret +([0-9a-f]{32})\n", turned)
    assert secret is not None
    assert secret[1] != made["secret"]
    assert "signed with it from now on" in turned
    shown = shell.text("app", "show", "777")
    assert secret[1] not in shown
    assert "Desk" in shown
    assert shell.text("app", "delete", "777", "--yes") == "App 777 is deleted.\n"
    assert shell.failure("app", "show", "777") == "Error: There is no app 777.\n"


def test_an_app_on_a_page_and_its_first_steps(shell: Shell) -> None:
    page = shell.json("page", "create", "Tea House", "--no-call-consumers")
    assert (page["is_calling_eligible"], page["may_call_consumers"]) == (True, False)
    assert f"--page {page['id']}" not in shell.text("page", "show", page["id"])
    made = shell.json("app", "create", "Desk", "--page", page["id"])
    assert made["page"]["id"] == page["id"]
    assert made["page"]["access_token"].startswith("EAA")
    assert made.keys() == shell.json("app", "create", "Desk").keys()
    again = shell.text("app", "create", "Desk", "--page", page["id"])
    assert "shown this once" in again
    assert page["id"] in again
    changed = shell.text("page", "change", page["id"], "--call-consumers", "--no-calling")
    assert re.search(r"Calling +no\n", changed)
    assert re.search(r"Calls consumers +yes\n", changed)
    assert rows(shell.text("page", "list"))[0][:4] == [page["id"], "Tea House", "no", "yes"]
    assert shell.json("page", "delete", page["id"], "--yes") == {"success": True}
    assert shell.json("page", "list") == []


def test_the_life_of_a_token(shell: Shell) -> None:
    shell.json("page", "create", "Tea House", "--id", "11")
    shell.json("app", "create", "Desk", "--id", "777")
    made = shell.json("token", "create", "--app", "777", "--page", "11", "--scope", "pages_messaging", "--expires-in", "12h")
    text, handle = made["access_token"], made["handle"]
    assert made["expires_at"] - made["issued_at"] == 12 * 3600
    shown = shell.json("token", "show", "-", stdin=f"{text}\n")
    assert (shown["handle"], shown["scopes"]) == (handle, ["pages_messaging"])
    assert text not in shell.text("token", "show", handle)
    assert rows(shell.text("token", "list"))[0][:4] == [handle, "page", "777", "11"]
    assert shell.json("token", "list", "--kind", "app") == []
    assert shell.json("token", "change", handle, "--scope", "a", "--scope", "b", "--expires-in", "1d")["scopes"] == ["a", "b"]
    turned = shell.json("token", "rotate", handle)
    assert turned["access_token"] not in (text, None)
    assert shell.json("token", "show", handle)["state"] == "revoked"
    gone = shell.text("token", "revoke", "-", "--reason", "password_changed", stdin=turned["access_token"])
    assert gone == f"Token {turned['handle']} is no longer good: password_changed.\n"
    assert {each[-1] for each in rows(shell.text("token", "list"))} == {"revoked", "password_changed"}
    assert shell.text("token", "delete", handle, "--yes") == f"Token {handle} is forgotten.\n"
    assert shell.failure("token", "show", handle) == f"Error: There is no token {handle}.\n"


def test_the_pages_of_a_user_and_a_code(shell: Shell) -> None:
    shell.json("app", "create", "Desk", "--id", "777")
    shell.json("page", "create", "Tea House", "--id", "888")
    shell.json("user", "create", "Ada", "--id", "9")
    assert "pagecalls user reach 9 PAGE" in shell.text("user", "pages", "9")
    assert "all" in shell.text("user", "reach", "9", "888")
    told = shell.json("user", "reach", "9", "888", "--task", "messaging", "--task", "MANAGE")
    assert told == {"page_id": "888", "tasks": ["MESSAGING", "MANAGE"]}
    assert rows(shell.text("user", "pages", "9")) == [["888", "MESSAGING, MANAGE"]]
    made = shell.json("user", "code", "9", "--app", "777", "--page", "888", "--scope", "pages_messaging", "--expires-in", "1h")
    assert set(made) == {"code", "expires_at"}
    text = shell.text("user", "code", "9", "--app", "777", "--redirect-uri", "https://desk.example/")
    assert "The code is shown this once." in text
    assert shell.json("user", "pages", "9") == [told]
    assert shell.text("user", "leave", "9", "888", "--yes") == "User 9 no longer reaches Page 888.\n"
    assert "888" in shell.failure("user", "leave", "9", "888", "--yes")
    assert shell.failure("user", "code", "9", "--app", "404") == "Error: There is no app 404.\n"


def test_tokens_of_the_other_kinds(shell: Shell) -> None:
    shell.json("app", "create", "Desk", "--id", "777")
    user = shell.json("user", "create", "Ada")["id"]
    of_user = shell.json("token", "create", "--kind", "user", "--app", "777", "--user", user, "--no-scopes")
    assert (of_user["user_id"], of_user["scopes"], of_user["expires_at"]) == (user, [], None)
    assert shell.json("token", "create", "--kind", "app", "--app", "777")["access_token"].startswith("777|")
    assert [each["kind"] for each in shell.json("token", "list", "--user", user)] == ["user"]
    assert shell.json("user", "change", user, "--name", "Ada L.")["name"] == "Ada L."
    assert "Ada L." in shell.text("user", "show", user)
    assert rows(shell.text("user", "list"))[0][:2] == [user, "Ada L."]
    shell.text("user", "delete", user, "--yes")
    assert [each["kind"] for each in shell.json("token", "list")] == ["app"]
    assert "needs a user" in shell.failure("token", "create", "--kind", "user", "--app", "777")


def test_the_life_of_a_consumer(shell: Shell) -> None:
    assert "There is no Page" in shell.failure("consumer", "create")
    shell.json("page", "create", "Tea House", "--id", "11")
    made = shell.text("consumer", "create", "--name", "Ada", "--psid", "55")
    assert "pagecalls consumer token 55 --page 11" in made
    token = shell.json("consumer", "token", "55", "--expires-in", "7d")
    assert len(token["access_token"]) == 43
    assert rows(shell.text("consumer", "list"))[0][:4] == ["55", "11", "messenger", "Ada"]
    shown = shell.text("consumer", "show", "55")
    assert token["handle"] in shown
    assert token["access_token"] not in shown
    assert shell.json("consumer", "show", "55")["tokens"][0]["state"] == "good"
    assert shell.text("consumer", "revoke", "55", "--token", token["handle"]) == "1 token is no longer good.\n"
    assert shell.text("consumer", "revoke", "55") == "1 token is no longer good.\n"
    assert shell.json("consumer", "show", "55")["tokens"][0]["state"] == "revoked"
    assert shell.json("consumer", "change", "55", "--name", "Ada L.")["name"] == "Ada L."
    shell.json("page", "create", "Book House")
    assert "several Pages" in shell.failure("consumer", "show", "55", status=2)
    assert shell.text("consumer", "erase", "55", "--page", "11", "--yes") == "Consumer 55 is erased.\n"
    assert shell.json("consumer", "list") == []


def test_a_long_list_is_whole(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pagecalls.cli.output.PAGE", 2)
    for number in range(5):
        shell.json("user", "create", f"User {number}", "--id", str(number))
    assert [each["id"] for each in shell.json("user", "list")] == list("01234")


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        (("app", "create", "A", "--id", "x"), 1, "The body does not fit"),
        (("app", "create", "A", "--default-version", "v1"), 1, "default_version is one of v20.0"),
        (("app", "change", "777"), 2, "Say what to change"),
        (("app", "delete", "777"), 2, "Add --yes if you are sure"),
        (("token", "show", "EAAtext"), 2, "from standard input"),
        (("token", "show", "-"), 2, "no token on standard input"),
        (("token", "create", "--app", "777", "--expires-in", "soon"), 2, "no duration such as"),
        (("token", "create", "--app", "777", "--expires-in", "0d"), 2, "no duration such as"),
        (("token", "create", "--app", "404", "--page", "11"), 1, "There is no app 404"),
        (("consumer", "list", "--page", "404"), 1, "There is no Page 404"),
    ],
)
def test_what_cannot_be_done_is_said(shell: Shell, line: tuple[str, ...], status: int, words: str) -> None:
    assert words in " ".join(shell.failure(*line, status=status).split())


def test_without_data_there_is_nothing_to_ask(tmp_path: Path) -> None:
    said = Shell(tmp_path / "nowhere").failure("app", "list")
    assert "There is no server's data in" in said
    assert not (tmp_path / "nowhere").exists()


def test_another_users_data_is_left_alone(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert "belongs to another user" in shell.failure("app", "list")


def test_a_directory_in_use_by_something_that_does_not_answer(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "PATIENCE_S", 0.0)
    with (shell.folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is in use, but no server answers (operator.json is not there" in shell.failure("app", "list")
        (shell.folder / "operator.json").write_text('{"base_url": "http://127.0.0.1:1", "admin_token": "t"}')
        assert "is in use, but no server answers (Connection refused)" in shell.failure("app", "list")


def test_a_change_that_was_not_answered_is_not_asked_for_again(shell: Shell) -> None:
    asked: list[bytes] = []

    def hang_up_on_everybody(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                with server.accept()[0] as connection:
                    asked.append(connection.recv(4096).partition(b" HTTP")[0])

    with socket.create_server(("127.0.0.1", 0)) as server, (shell.folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        (shell.folder / "operator.json").write_text(json.dumps({"base_url": address, "admin_token": "t"}))
        thread = threading.Thread(target=hang_up_on_everybody, args=(server,))
        thread.start()
        said = shell.failure("app", "create", "Desk")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert "Look whether it was done" in said
    assert asked == [b"POST /_pagecalls/apps"]


def test_a_server_elsewhere(shell: Shell) -> None:
    assert "wants --admin-token" in shell.failure("app", "list", "--url", "http://127.0.0.1:1")
    said = shell.failure("app", "list", "--url", "http://127.0.0.1:1", PAGECALLS_ADMIN_TOKEN="t")
    assert said == "Error: No server answers at http://127.0.0.1:1 (Connection refused).\n"
    assert "no address of a server" in shell.failure("app", "list", "--url", "tea", "--admin-token", "t")


def test_the_command_itself(shell: Shell) -> None:
    """As a program of its own, with a pipe for standard output."""
    shell.json("app", "create", "Desk", "--id", "777")
    environment = {**os.environ, "PAGECALLS_DATA_DIR": str(shell.folder)}

    def run(*line: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pagecalls.cli", *line]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    listed = run("app", "list", "--json")
    assert (listed.returncode, [each["id"] for each in json.loads(listed.stdout)]) == (0, ["777"])
    missing = run("app", "show", "404")
    assert (missing.returncode, missing.stdout, missing.stderr) == (1, "", "Error: There is no app 404.\n")
