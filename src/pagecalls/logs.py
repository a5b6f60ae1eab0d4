"""Logging: standard library, written from a queue so that no log line waits for a disk or a terminal.

No secret reaches a line: what looks like a token, a header that bears one, or what protects a call's media is blotted out. That
is the last line of defence; code does not log secrets in the first place. Other libraries are heard from warnings on: below that
they tell whole requests with their headers.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import re
import sys
import time
from enum import Enum
from typing import TextIO

HIDDEN = "<hidden>"
MAX_WAITING_LINES = 10_000
"""Lines that wait for a reader who is stuck; further ones are dropped, and counted."""

_NAMES = (
    "access_token|oauth_token|appsecret_proof|verify_token|admin_token|input_token|fb_exchange_token|consumer_key|consumer_jwt_key"
    "|[a-z_]{0,32}secret|ice[-_]?pwd|pwd|fingerprint"
)
"""Every repetition is bounded or begins at an edge: the time for a line grows with its length and no faster."""
_NAMED = re.compile(
    rf"""((?:{_NAMES})["']?\s{{0,8}}[=:]\s{{0,8}}["']?(?:sha-\d{{1,4}}\s{{1,8}})?|\b(?:Bearer|OAuth)\s+)([^\s"'&,;{{}}<]+)""",
    re.IGNORECASE,
)
_BARE = re.compile(r"\bEAA[0-9A-Za-z_-]{8,}|\b\d{5,}\|[0-9A-Za-z]{16,}|\b(?:[0-9A-F]{2}:){15,}[0-9A-F]{2}\b", re.IGNORECASE)
"""What is a secret under any name: a Page's or user's token, an app's token, a certificate's fingerprint."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class LogFormat(Enum):
    """How lines look."""

    TEXT = "text"
    JSON = "json"


class LogLevel(Enum):
    """What is logged: this and what is worse."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"

    @property
    def number(self) -> int:
        """Its number in `logging`."""
        return logging.getLevelNamesMapping()[self.name]


def redact(text: str) -> str:
    """`text` without secrets."""
    return _BARE.sub(HIDDEN, _NAMED.sub(rf"\1{HIDDEN}", text))


class TextFormatter(logging.Formatter):
    """Time, level, logger, message; a message that came from elsewhere cannot forge a line or steer a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback where there is one."""
        record.message = record.msg = record.getMessage().replace("\n", " ")
        record.args = None
        return _CONTROL.sub("?", redact(super().format(record)))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `ts` (Unix seconds), `level`, `logger`, `message`; where they are known `call_id`, `page_id`,
    `app_id`, `trace_id` (the `fbtrace_id` that the client was told) and `exception`."""

    KNOWN = ("call_id", "page_id", "app_id", "trace_id")

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, object] = {
            "ts": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        line |= {name: value for name in self.KNOWN if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line)


def start_logging(form: LogFormat, level: int, stream: TextIO | None = None) -> QueuedHandler:
    """Send every record to stderr from a thread of its own; closing what is returned writes what is left."""
    target = logging.StreamHandler(stream or sys.stderr)
    formatter = JsonFormatter() if form is LogFormat.JSON else TextFormatter()
    formatter.converter = time.localtime
    target.setFormatter(formatter)
    handler = QueuedHandler(target)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("pagecalls").setLevel(level)
    return handler


class QueuedHandler(logging.handlers.QueueHandler):
    """Hands records to a thread that writes them, and never waits for it: when too many wait, a record is dropped."""

    def __init__(self, target: logging.Handler, size: int = MAX_WAITING_LINES) -> None:
        lines: queue.Queue[logging.LogRecord] = queue.Queue(size)
        super().__init__(lines)
        self._lines = lines
        self._dropped = 0
        self._listener = logging.handlers.QueueListener(lines, target, respect_handler_level=True)
        self._listener.start()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Keep the record whole: formatting, with the traceback, happens in the listener's thread."""
        record.message = record.getMessage()
        record.args = None
        record.msg = record.message
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue it, or count it as dropped; the next one that finds room tells how many were."""
        try:
            if self._dropped:
                self._lines.put_nowait(_about_dropped(self._dropped))
                self._dropped = 0
            self._lines.put_nowait(record)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what is left."""
        self._listener.stop()
        super().close()


def _about_dropped(count: int) -> logging.LogRecord:
    text = f"{count} log lines were dropped: nobody took them in time"
    return logging.LogRecord("pagecalls.logs", logging.WARNING, __file__, 0, text, None, None)
