"""`pagecalls serve` that does nothing of what follows a response, so that the bench sees what a request takes by itself.

Everything up to the response is done as always: the commit, the engine's commands, the notification to the consumer's device.
After it nothing is let go: webhooks stay held, and no offer counts as handed over. It begins when the process gets SIGUSR1; calls
are made before that.
"""

from __future__ import annotations

import signal
from collections.abc import Coroutine
from typing import Any

from pagecalls.cli import main
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.handover import HandOvers
from pagecalls.types import CallId, Side


def stop_at_the_response(*_: object) -> None:
    """From now on the switchboard of this process ends with the response."""

    def handed_over(self: HandOvers, call_id: CallId, side: Side, version: int) -> None:
        pass

    def spawn(self: Calls, work: Coroutine[Any, Any, None]) -> None:
        work.close()

    HandOvers.handed_over = handed_over  # type: ignore[method-assign]
    Calls.spawn = spawn  # type: ignore[method-assign]


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, stop_at_the_response)
    main()
