"""A peer's later offer, and our answer to it (messenger-calling 6.1, 6.5, 6.6; rulings 15 and 21)."""

from __future__ import annotations

from collections.abc import Sequence

from pagecalls.sdp.connection import Connection, FarSide, MediaSettings, NextAnswer, Transport
from pagecalls.sdp.description import Description
from pagecalls.types import Track


def is_ice_restart(connection: Connection, offer: Description) -> bool:
    """Whether the offer brings new ICE credentials, so that our answer needs new ones of the engine."""
    raise NotImplementedError


def answer_next(
    connection: Connection,
    offer: Description,
    *,
    tracks: Sequence[Track],
    transport: Transport | None = None,
    far_side: FarSide | None = None,
    is_a_on: bool = True,
    settings: MediaSettings,
) -> NextAnswer:
    """Answer a later offer, which `profile.check_offer` has let through.

    `transport` is given for an ICE restart. `is_a_on`: the A-stream runs (or would, if the far side were there).
    """
    raise NotImplementedError
