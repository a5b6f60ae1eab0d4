"""The live timeline: one line for each thing that happens, as it happens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum

from rich.console import Console
from rich.text import Text


class Lane(StrEnum):
    """Whose doing a line is; the value is what people read."""

    BUSINESS = "business"
    CONSUMER = "consumer"
    SERVER = "server"
    MEDIA = "media"


COLOURS = {Lane.BUSINESS: "cyan", Lane.CONSUMER: "magenta", Lane.SERVER: "yellow", Lane.MEDIA: "green"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `at_s` counts from the start of the demo."""

    at_s: float
    lane: Lane
    text: str


@dataclass
class Timeline:
    """Prints lines, and keeps them for `--json`. `console` `None` prints nothing."""

    console: Console | None
    lines: list[Line] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def add(self, lane: Lane, text: str) -> None:
        """Something happened now."""
        line = Line(time.monotonic() - self.started, lane, text)
        self.lines.append(line)
        if self.console is not None:
            row = Text.assemble((f"{line.at_s:8.3f} s  ", "dim"), (f"{lane.value:<9}", COLOURS[lane]), " ", text)
            self.console.print(row, soft_wrap=True)

    def title(self, text: str) -> None:
        """A heading between calls."""
        if self.console is not None:
            self.console.print()
            self.console.print(Text(text, style="bold"))
