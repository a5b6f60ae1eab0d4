"""`pagecalls serve` with the fake engine, so that what is measured is the API process and nothing of media."""

from __future__ import annotations

from pagecalls.cli import main
from pagecalls.clock import SystemClock
from pagecalls.media.fake import FakeEngine
from pagecalls.server import assembly


def engine(_: object) -> FakeEngine:
    """In the place of the engine's process."""
    return FakeEngine(SystemClock())


if __name__ == "__main__":
    vars(assembly)["EngineProcess"] = engine
    main()
