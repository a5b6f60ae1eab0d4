"""What a log line looks like, what it never holds, and that writing it holds nobody up."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagecalls.logs import HIDDEN, JsonFormatter, LogFormat, LogLevel, QueuedHandler, TextFormatter, redact, start_logging

HASH = "0123456789abcdef0123456789abcdef"


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("pagecalls.x", logging.INFO, "x.py", 1, message, arguments, None)
    for name, value in extra.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    "text",
    [
        f"GET /me?access_token={HASH}&x=1",
        f'{{"access_token": "{HASH}"}}',
        f"{{'verify_token': '{HASH}'}}",
        f"appsecret_proof={HASH}",
        f"client_secret={HASH}",
        f"app_secret: {HASH}",
        f"Authorization: Bearer {HASH}",
        f"authorization: OAuth {HASH}",
        f"admin_token={HASH}",
        f"a=ice-pwd:{HASH}",
        f'"ice_pwd": "{HASH}"',
        f'"pwd":"{HASH}"',
        f"token EAA{HASH} was refused",
        "token was refused: EAAZ-belvbxvqbJ5qt2q1BPEpBysJX9E6uv3dKMNw13CylVv2K_oxNpAzYGNGdK4smR",
        f"314159265358979|{HASH}",
        "a=fingerprint:sha-256 " + ":".join([HASH[:2]] * 32),
        "value " + ":".join(["AB"] * 32),
    ],
)
def test_secrets_are_blotted_out(text: str) -> None:
    secret = HASH if HASH in text else text.split()[-1]
    assert secret not in redact(text)
    assert HIDDEN in redact(text)


@pytest.mark.parametrize(
    "text", ["call c_abc is up", "page 271828182845904 of app 314159265358979", "at 12:34:56", "token: none", ""]
)
def test_the_rest_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "piece", ["a", "secret", "secret ", "1", "EAA", "AB:", "Bearer ", "pwd = ", "fingerprint:sha-1 ", "app_"]
)
def test_a_long_line_takes_no_longer_than_its_length(piece: str) -> None:
    """Were the time to grow with the square, this would take minutes."""
    assert len(redact(piece * (300_000 // len(piece)))) <= 300_000 * len(HIDDEN)


def test_a_json_line() -> None:
    line = JsonFormatter().format(record("call %s\nis up", "c_1", call_id="c_1", page_id=None, trace_id="A1"))
    assert "\n" not in line
    facts = json.loads(line)
    assert list(facts) == ["ts", "level", "logger", "message", "call_id", "trace_id"]
    assert facts["message"] == "call c_1\nis up"
    assert (facts["level"], facts["logger"]) == ("info", "pagecalls.x")


def test_a_fault_keeps_its_traceback_without_secrets() -> None:
    try:
        raise ValueError(f"access_token={HASH}")
    except ValueError as error:
        made = record("broken")
        made.exc_info = (ValueError, error, error.__traceback__)
    facts = json.loads(JsonFormatter().format(made))
    assert "ValueError" in facts["exception"]
    assert HASH not in facts["exception"]


def test_a_message_from_elsewhere_forges_no_line() -> None:
    line = TextFormatter().format(record("device says %s", "hello\n12:00:00 ERROR forged\r\x1b[2J"))
    assert line.endswith("device says hello 12:00:00 ERROR forged??[2J")


@given(st.text())
def test_any_text_is_one_line_of_json(text: str) -> None:
    line = JsonFormatter().format(record("%s", text))
    assert "\n" not in line
    assert isinstance(json.loads(line)["message"], str)


class Stuck(logging.Handler):
    """Writes nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()
        self.at_work = threading.Event()
        self.taken: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.at_work.set()
        self.free.wait()
        self.taken.append(record.getMessage())


def test_a_reader_who_is_stuck_holds_nobody_up() -> None:
    target = Stuck()
    handler = QueuedHandler(target, size=3)
    handler.handle(record("first"))
    target.at_work.wait()
    for number in range(10):
        handler.handle(record("line %d", number))
    target.free.set()
    while handler._lines.qsize():
        target.free.wait()
    handler.handle(record("last"))
    handler.close()
    assert target.taken[:4] == ["first", "line 0", "line 1", "line 2"]
    assert target.taken[4:] == ["7 log lines were dropped: nobody took them in time", "last"]


@pytest.fixture
def kept() -> Iterator[None]:
    """The root logger as it was."""
    root, ours = logging.getLogger(), logging.getLogger("pagecalls")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:], _, _ = before
    root.setLevel(before[1])
    ours.setLevel(before[2])


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(("level", "ours"), [(LogLevel.DEBUG, 2), (LogLevel.INFO, 1), (LogLevel.ERROR, 0)])
def test_other_libraries_are_heard_from_warnings_on(level: LogLevel, ours: int) -> None:
    """What websockets tells at lower levels are whole requests, tokens and all."""
    written = io.StringIO()
    handler = start_logging(LogFormat.JSON, level.number, written)
    logging.getLogger("pagecalls.x").debug("ours")
    logging.getLogger("pagecalls.x").info("ours")
    logging.getLogger("websockets.server").debug("theirs")
    logging.getLogger("uvicorn.error").info("theirs")
    logging.getLogger("aiohttp").error("broken")
    handler.close()
    lines = [json.loads(line)["message"] for line in written.getvalue().splitlines()]
    assert lines == ["ours"] * ours + ["broken"]
