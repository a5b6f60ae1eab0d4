"""What an operator can turn on the Graph face, and the chance and time that it draws from."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from pagecalls.graph.limits import GraphLimits

OnRequest: TypeAlias = Callable[[str, str, int, float], None]
"""`(edge, action, status, seconds)` after each answer. `edge` and `action` come from closed sets; `""` where there is none."""


def _ignore(_edge: str, _action: str, _status: int, _seconds: float) -> None:
    return None


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """`swap_codes`: ruling 1's setting. `rev`: the build number in `x-fb-rev`. `random_bytes` draws trace ids. `limits`: none by
    default. `batch_start_s`: a request of a batch that could not begin within that time, measured by `monotonic`, is left out.
    """

    swap_codes: bool = False
    rev: int = 1
    on_request: OnRequest = _ignore
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    limits: GraphLimits = GraphLimits()
    batch_start_s: float = 30.0
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class TraceIds:
    """The two ids of one request: `fbtrace_id` (23 characters from `A`) and that of `x-fb-trace-id` (11 characters)."""

    request_id: str
    trace_id: str

    @classmethod
    def draw(cls, random_bytes: Callable[[int], bytes]) -> TraceIds:
        """New ids."""
        return cls("A" + _text(random_bytes(17), 22), _text(random_bytes(9), 11))


def _text(data: bytes, length: int) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii")[:length]
