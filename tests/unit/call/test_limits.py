"""The numbers are the contract's; a change of one must be meant."""

from __future__ import annotations

from pagecalls.call import limits


def test_values_of_the_contract() -> None:
    assert (limits.RING_IN_S, limits.DIAL_S, limits.RING_OUT_S) == (60, 15, 60)  # messenger-calling 3.1
    assert limits.AWAY_S == 30  # consumer-protocol, Connection
    assert limits.REPLAY_S == 30  # messenger-calling 2.3, 2.5
    assert limits.PERMISSION_S == 7 * 24 * 60 * 60  # messenger-calling 8.2
    assert limits.REQUESTS_PER_DAY == 2  # messenger-calling 8.3
    assert limits.DAY_S == 24 * 60 * 60  # messenger-calling 8.3
    assert limits.REQUEST_S == 7 * 24 * 60 * 60  # messenger-calling 8.3
    assert (limits.WINDOW_S, limits.HUMAN_WINDOW_S) == (24 * 60 * 60, 7 * 24 * 60 * 60)  # messenger-calling 8.4
    assert limits.BUTTON_DAYS == 7  # messenger-calling 8.4
