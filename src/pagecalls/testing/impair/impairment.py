"""What one direction of a bad network does, as a value.

Owns the knobs, their units and their limits, and the arithmetic of chance. Knows neither datagrams nor the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pagecalls.testing.impair.packets import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """One direction. The default does nothing. Raises `ValueError` with a sentence for what cannot be.

    `loss`: share of datagrams that vanish, 0..1. `loss_burst`: the mean number of neighbours that vanish together, from 1;
    `None` loses each by itself. Bursts follow the two-state chain of Gilbert: in the good state everything passes, in
    the bad state nothing, and the chain is so set that the share of all is still `loss`.

    `delay_ms`: what every datagram waits at least. `jitter_ms`: the mean of what each draws to wait beyond it, exponentially
    distributed: as in a queue it is never negative and sometimes long. With `jitter_reorders` that is all, datagrams overtake
    each other, and the interarrival jitter of RFC 3550 6.4.1 comes out as that very mean. Without, a datagram also waits for the
    ones before it: order is kept and delays come in runs. For a packet each 20 ms, 20 then make a mean delay of 26 ms and a
    jitter of 17 ms; 50 make 93 ms and 27 ms.

    `reorder`: share of datagrams that are held back until `reorder_depth` later ones have passed them, or 100 ms have passed.
    `duplicate`: share of datagrams that come twice.

    `rate_bps`: bits of UDP payload a second that pass, before the delay; `queue_ms`: how long a datagram may wait for that,
    else it is dropped. `mtu_bytes`: the largest UDP payload that passes; a path MTU of 1500 is 1472 on IPv4 and 1452 on IPv6.

    `impairs`: the kinds that all this concerns. Others pass at once. Leaving STUN and DTLS alone lets every set-up succeed.
    """

    loss: float = 0.0
    loss_burst: float | None = None
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    jitter_reorders: bool = False
    reorder: float = 0.0
    reorder_depth: int = 3
    duplicate: float = 0.0
    rate_bps: float | None = None
    queue_ms: float = 200.0
    mtu_bytes: int | None = None
    impairs: Kind = Kind.ANY

    def __post_init__(self) -> None:
        for name in ("loss", "reorder", "duplicate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, not {getattr(self, name):g}")
        for name in ("delay_ms", "jitter_ms", "queue_ms"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is a time from 0, not {getattr(self, name):g}")
        for name in ("rate_bps", "mtu_bytes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be above 0, not {value:g}")
        if self.reorder_depth < 1:
            raise ValueError(f"reorder_depth is a number of datagrams from 1, not {self.reorder_depth}")
        self._check_burst()

    def _check_burst(self) -> None:
        if self.loss_burst is None:
            return
        if not 1 <= self.loss_burst < math.inf:
            raise ValueError(f"loss_burst is a mean number of datagrams from 1, not {self.loss_burst:g}")
        # A datagram in the good state always lies between two bursts.
        if self.loss > self.loss_burst / (self.loss_burst + 1):
            least = self.loss / (1 - self.loss) if self.loss < 1 else math.inf
            raise ValueError(f"a loss of {self.loss:g} needs bursts of {least:g} or more datagrams, not {self.loss_burst:g}")

    def loses(self, draw: float, was_lost: bool) -> bool:
        """Whether a datagram vanishes: `draw` from 0 up to 1, `was_lost` of the one before it."""
        if self.loss_burst is None:
            return draw < self.loss
        if was_lost:
            return draw >= 1 / self.loss_burst
        return draw * self.loss_burst * (1 - self.loss) < self.loss

    def waits_s(self, draw: float) -> float:
        """Delay and jitter of one datagram in seconds."""
        jitter_ms = -self.jitter_ms * math.log1p(-draw) if self.jitter_ms else 0.0
        return (self.delay_ms + jitter_ms) / 1000


CLEAR = Impairment()
"""A direction that does nothing."""
