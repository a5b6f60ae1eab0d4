"""A sender without a network: it answers from a script and remembers what it was asked to send.

It obeys the same contract as the real one, and shares no code with it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from pagecalls.clock import Clock
from pagecalls.webhooks.base import (
    CONNECT_TIMEOUT_S,
    MAX_RESPONSE_BYTES,
    TOTAL_TIMEOUT_S,
    VERIFY_TIMEOUT_S,
    Outcome,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request. `at` is the clock's time, Unix seconds."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    at: float


Answer = Outcome | asyncio.Future[Outcome]
"""What a receiver says: at once, or when the future is set."""


class FakeSender:
    """Implements `base.Sender`. A URL without a script answers 200."""

    def __init__(self, clock: Clock) -> None:
        self.requests: list[Sent] = []
        self._clock = clock
        self._scripts: dict[str, deque[Answer]] = {}
        self._arrived = asyncio.Event()

    def script(self, url: str, *answers: Answer) -> None:
        """Answers for the next requests to `url`, in order, after those scripted before."""
        self._scripts.setdefault(url, deque()).extend(answers)

    def sent_to(self, url: str) -> list[Sent]:
        """The requests to `url`, in order."""
        return [request for request in self.requests if request.url == url]

    async def wait_for(self, count: int) -> None:
        """Return once `count` requests were made in all."""
        while len(self.requests) < count:
            self._arrived.clear()
            await self._arrived.wait()

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> Outcome:
        """See `base.Sender.post`. Time-outs are scripted as outcomes."""
        return await self._answer(Sent("POST", url, dict(headers), body, self._clock.now()))

    async def get(self, url: str, *, total_timeout_s: float = VERIFY_TIMEOUT_S) -> Outcome:
        """See `base.Sender.get`. The script is that of the URL without its query."""
        return await self._answer(Sent("GET", url, {}, b"", self._clock.now()))

    async def _answer(self, request: Sent) -> Outcome:
        self.requests.append(request)
        self._arrived.set()
        script = self._scripts.get(request.url.partition("?")[0] if request.method == "GET" else request.url)
        answer: Answer = script.popleft() if script else Outcome(200, "OK")
        outcome = answer if isinstance(answer, Outcome) else await answer
        if len(outcome.body) <= MAX_RESPONSE_BYTES:
            return outcome
        return Outcome(outcome.status, outcome.reason, outcome.body[:MAX_RESPONSE_BYTES], latency_s=outcome.latency_s)
