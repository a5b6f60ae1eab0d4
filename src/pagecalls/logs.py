"""Logging: standard library, written from a queue so that no log line waits for a disk or a terminal.

No secret reaches a line: whatever looks like a token parameter, a bearer header or an SDP password is blotted out.
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

_SECRET = re.compile(
    r"""((?:access_token|oauth_token|appsecret_proof|verify_token|secret)["']?\s*[=:]\s*["']?|Bearer\s+|OAuth\s+|a=ice-pwd:)"""
    r"""([^\s"'&,;}]+)""",
    re.IGNORECASE,
)


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
    return _SECRET.sub(r"\1<hidden>", text)


class TextFormatter(logging.Formatter):
    """Time, level, logger, message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback where there is one."""
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (Unix seconds), `level`, `logger`, `message`, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, object] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line)


def start_logging(form: LogFormat, level: int) -> None:
    """Send every record to stderr from a thread of its own."""
    target = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter() if form is LogFormat.JSON else TextFormatter()
    formatter.converter = time.localtime
    target.setFormatter(formatter)
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(lines, target, respect_handler_level=True)
    root = logging.getLogger()
    root.handlers[:] = [_Handler(lines, listener)]
    root.setLevel(level)
    logging.getLogger("pagecalls").setLevel(level)


class _Handler(logging.handlers.QueueHandler):
    """Hands records to the listener, whose life is the process's."""

    def __init__(self, lines: queue.SimpleQueue[logging.LogRecord], listener: logging.handlers.QueueListener) -> None:
        super().__init__(lines)
        self._listener = listener
        listener.start()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Keep the record whole: formatting, with the traceback, happens in the listener's thread."""
        record.message = record.getMessage()
        record.args = None
        record.msg = record.message
        return record

    def close(self) -> None:
        """Write what is left."""
        self._listener.stop()
        super().close()
