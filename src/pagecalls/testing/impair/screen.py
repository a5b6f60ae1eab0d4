"""What the command shows: for people a line that renews itself and a table at the end, for programs lines of JSON.

Owns the words and the layout. Reads the relay's figures and changes nothing.
"""

from __future__ import annotations

import json
import sys
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pagecalls.testing.impair.figures import Counts, Figures
from pagecalls.testing.impair.flow import Address, host_port
from pagecalls.testing.impair.packets import Kind
from pagecalls.testing.impair.sockets import Relay

_KINDS = (Kind.STUN, Kind.DTLS, Kind.RTP, Kind.RTCP, Kind.OTHER)


class Screen(Protocol):
    """One of the two ways to show it."""

    def ready(self, link: Relay, to: Address) -> None:
        """The relay listens."""
        ...

    def progress(self, link: Relay) -> None:
        """A second has passed."""
        ...

    def rebound(self, link: Relay) -> None:
        """The sources have changed."""
        ...

    def end(self, link: Relay) -> None:
        """The relay is about to close."""
        ...


class TextScreen:
    """For people. The renewed line is there only on a terminal."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def ready(self, link: Relay, to: Address) -> None:
        """See `Screen`."""
        where = Text.assemble("Peers send to ", (host_port(link.address), "bold"), f"; it goes on to {host_port(to)}. ")
        self._console.print(where + Text("Ctrl-C stops it."), soft_wrap=True)

    def progress(self, link: Relay) -> None:
        """See `Screen`."""
        if self._console.is_terminal:
            line = f"{_count(len(link.peers), 'peer')}   up {_brief(link.up)}   down {_brief(link.down)}"
            self._console.file.write(f"\r\x1b[2K{line[: self._console.width - 1]}")
            self._console.file.flush()

    def rebound(self, link: Relay) -> None:
        """See `Screen`."""
        if link.sources:
            self._clear_line()
            self._console.print(f"New sources: {', '.join(map(host_port, link.sources))}", style="dim")

    def end(self, link: Relay) -> None:
        """See `Screen`."""
        self._clear_line()
        if not link.up.total.received:
            self._console.print("Nothing came.")
            return
        self._console.print(_table(link))
        for name, figures in (("up", link.up), ("down", link.down)):
            self._console.print(_delays(name, figures))

    def _clear_line(self) -> None:
        if self._console.is_terminal:
            self._console.file.write("\r\x1b[2K")


class JsonScreen:
    """For programs: one object a line, `event` says which."""

    def ready(self, link: Relay, to: Address) -> None:
        """See `Screen`."""
        self._line("ready", {"address": host_port(link.address), "to": host_port(to)})

    def progress(self, link: Relay) -> None:
        """See `Screen`."""
        self._line("figures", _figures(link))

    def rebound(self, link: Relay) -> None:
        """See `Screen`."""
        self._line("rebound", {"sources": list(map(host_port, link.sources))})

    def end(self, link: Relay) -> None:
        """See `Screen`."""
        self._line("end", _figures(link))

    @staticmethod
    def _line(event: str, facts: dict[str, object]) -> None:
        sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
        sys.stdout.flush()


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _brief(figures: Figures) -> str:
    total = figures.total
    return f"{total.forwarded}/{total.received}, {total.dropped} dropped, {figures.delays.mean_ms:.0f} ms"


def _table(link: Relay) -> Table:
    """Fits into 80 columns."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for column in ("Received", "Passed", "Lost", "No room", "Hole", "Doubled", "Reordered"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, figures in (("up", link.up), ("down", link.down)):
        for kind in _KINDS:
            counts = figures.of(kind)
            if counts.received:
                table.add_row(f"{name}, {str(kind.name).lower()}", *map(str, _row(counts)))
    return table


def _delays(name: str, figures: Figures) -> str:
    delays = figures.delays
    half, most = delays.quantile_ms(0.5), delays.quantile_ms(0.99)
    return f"{name}: {delays.mean_ms:.1f} ms under way in the mean, half within {half:.1f} ms, 99 % within {most:.1f} ms"


def _row(counts: Counts) -> tuple[int, ...]:
    no_room = counts.queue_dropped + counts.too_big
    return counts.received, counts.forwarded, counts.lost, no_room, counts.blackholed, counts.duplicated, counts.reordered


def _figures(link: Relay) -> dict[str, object]:
    return {"peers": len(link.peers), "up": _direction(link.up), "down": _direction(link.down)}


def _direction(figures: Figures) -> dict[str, object]:
    delays = figures.delays
    return {
        "kinds": {str(kind.name).lower(): _counts(figures.of(kind)) for kind in _KINDS if kind in figures.kinds},
        "streams": {
            str(ssrc): {**_counts(stream), "jitter_ms": round(stream.jitter_ms, 3)} for ssrc, stream in figures.streams.items()
        },
        "delay_ms": {
            "mean": round(delays.mean_ms, 3),
            "p50": round(delays.quantile_ms(0.5), 3),
            "p99": round(delays.quantile_ms(0.99), 3),
        },
    }


def _counts(counts: Counts) -> dict[str, int]:
    return {
        "received": counts.received,
        "received_bytes": counts.received_bytes,
        "forwarded": counts.forwarded,
        "forwarded_bytes": counts.forwarded_bytes,
        "lost": counts.lost,
        "blackholed": counts.blackholed,
        "queue_dropped": counts.queue_dropped,
        "too_big": counts.too_big,
        "duplicated": counts.duplicated,
        "reordered": counts.reordered,
        "waiting": counts.waiting,
    }
