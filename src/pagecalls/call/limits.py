"""Every number of a call's life, in seconds or counts. Owns values alone; what follows from them is written where it happens."""

from __future__ import annotations

from typing import Final

RING_IN_S: Final = 60
"""T_ring_in: how long a consumer's call rings at the business (messenger-calling 3.1)."""

DIAL_S: Final = 15
"""T_dial: how long a business's call waits for a device to ring (messenger-calling 3.1)."""

RING_OUT_S: Final = 60
"""T_ring_out: how long a consumer's devices ring (messenger-calling 3.1)."""

AWAY_S: Final = 30
"""How long a device may be without its socket before a ringing call stops counting on it (consumer-protocol, Connection)."""

REPLAY_S: Final = 30
"""How long a repeated accept, reject or terminate is answered as before (messenger-calling 2.3 and 2.5)."""

PERMISSION_S: Final = 604_800
"""How long a call permission lasts: 7 days from its grant (messenger-calling 8.2)."""

REQUESTS_PER_DAY: Final = 2
"""Permission requests that one thread may get in any 24 hours (messenger-calling 8.3)."""
