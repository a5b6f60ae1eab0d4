"""One measured number with its unit and, where design.md sets one, its budget; how much is measured; medians of several runs.
Also: CPU time of another process."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """`what` was measured as `value` `unit`. `note` says what limits it; `low` and `high` are of several runs."""

    what: str
    value: float
    unit: str
    budget: str = ""
    digits: int = 0
    note: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def subject(self) -> str:
        """Of what or whom; empty for a figure by itself."""
        return self.what.rpartition(": ")[0]

    @property
    def metric(self) -> str:
        """What of it."""
        return self.what.rpartition(": ")[2]

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured: `is_full` all, `is_long` with the waits that design.md asks for. `tell` hears what is going on."""

    is_full: bool = False
    is_long: bool = False
    tell: Callable[[str], None] = lambda _: None


def merged(runs: Sequence[Sequence[Figure]]) -> list[Figure]:
    """The medians of the figures of the same name, in the order of the first run, with the least and the most."""
    found: dict[str, list[Figure]] = {}
    for figure in (figure for run in runs for figure in run):
        found.setdefault(figure.what, []).append(figure)
    return [_median(same) if len(runs) > 1 else same[0] for same in found.values()]


def _median(same: list[Figure]) -> Figure:
    values = [figure.value for figure in same]
    notes = dict.fromkeys(figure.note for figure in same if figure.note)
    return replace(same[0], value=statistics.median(values), low=min(values), high=max(values), note="; ".join(notes))


def cpu_s(pid: int) -> float:
    """User and system CPU seconds of a process so far, all threads (proc(5), stat fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_ns(pid: int) -> int:
    """The same in nanoseconds, by the process's CPU clock (clock_getcpuclockid(3)): its id is the inverted pid and a 2."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def rss_mb(pid: int) -> float:
    """Resident memory of a process now, in MB (proc(5), /proc/PID/status)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1000
