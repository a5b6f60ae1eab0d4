"""What was measured, as a line for people and a file for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

VARIABLE = "PAGECALLS_RESILIENCE_JSON"
"""Names a file that gets the figures of a test run, a JSON object by name."""

Figure = float | int | str


@dataclass(slots=True)
class Figures:
    """Figures by the name of what was measured."""

    of: dict[str, dict[str, Figure]] = field(default_factory=dict)

    def note(self, name: str, **figures: Figure) -> None:
        """Keep them; floats are rounded for people."""
        self.of[name] = {key: round(value, 3) if isinstance(value, float) else value for key, value in figures.items()}

    def lines(self) -> list[str]:
        """One line for each name."""
        return [f"{name}: " + ", ".join(f"{key} {value}" for key, value in facts.items()) for name, facts in self.of.items()]

    def as_json(self) -> bytes:
        """For programs."""
        return msgspec.json.format(msgspec.json.encode(self.of), indent=2) + b"\n"

    def write(self, path: Path) -> None:
        """The same as a file."""
        path.write_bytes(self.as_json())


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of them lies; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
