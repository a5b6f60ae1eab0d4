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

DAY_S: Final = 86_400
"""A day, wherever something is counted in days: requests of the last one, what a button or a stored row still has."""

REQUEST_S: Final = 7 * DAY_S
"""How long a permission request can be answered (messenger-calling 8.3)."""

WINDOW_S: Final = DAY_S
"""How long after the consumer's last contact a Page may write (messenger-calling 8.4)."""

HUMAN_WINDOW_S: Final = 7 * DAY_S
"""The same for a message that is tagged as a human agent's (messenger-calling 8.4)."""

BUTTON_DAYS: Final = 7
"""The longest that a call button works, and how long it does where nothing is said (messenger-calling 8.4)."""
