"""Our own offers: the far side's tracks, each on a line of its own (messenger-calling 6.5)."""

from __future__ import annotations

from collections.abc import Sequence

from pagecalls.sdp.connection import Connection, FarSide, FarTrack


def show_tracks(connection: Connection, tracks: Sequence[FarTrack], *, far_side: FarSide | None = None) -> Connection:
    """The far side's tracks that are to be live now, all of them; `session_version` grows by one."""
    raise NotImplementedError
