"""One measured number with its unit and, where design.md sets one, its budget. Also: CPU time of another process."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """`what` was measured as `value` `unit`."""

    what: str
    value: float
    unit: str
    budget: str = ""
    digits: int = 0

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)


def cpu_s(pid: int) -> float:
    """User and system CPU seconds of a process so far, all threads (proc(5), stat fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
