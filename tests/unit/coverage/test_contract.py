"""The rows and the code agree: each value that the code lists has a row. Which tests exist and pass is what a whole run knows."""

from __future__ import annotations

from enum import StrEnum

from pagecalls.errors import BadToken, NoToken, TokenFault
from pagecalls.graph.envelope import ROWS
from tests.coverage import derived
from tests.coverage.findings import still
from tests.coverage.rows import load


def test_every_value_in_the_code_has_its_row() -> None:
    assert still(load(), derived.names()) == [], "in tests/coverage/contract"


def test_lists_of_the_code() -> None:
    names = derived.names()
    assert {"Action.media_update", "TrackLabel.screen_video", "CallState.RINGING_IN", "Notice.call.ended"} <= names
    assert {"POST /{page_id}/calls", "GET /{page_id}", "DELETE /{app_id}/subscriptions", "version v20.0"} <= names
    assert {"NoToken", "BadToken.EXPIRED", "UnusableConnection.NO_OPUS", "state row 34", "StandardError.fbtrace_id"} <= names
    assert {"CallBody.sdp", "SessionBody.version", "PageCallsRequest.tracks.msid", "PageCallsResponse.session"} <= names
    assert len({derived.error_name(key) for key in ROWS}) == len(ROWS)
    assert (derived.error_name(NoToken), derived.error_name((BadToken, TokenFault.EXPIRED))) == ("NoToken", "BadToken.EXPIRED")


def test_a_new_value_of_an_enum_is_noticed() -> None:
    class Colour(StrEnum):
        RED = "red"

    new = derived.names() | set(derived.enum_values([Colour]))
    (said,) = still(load(), new)
    assert said.startswith("Colour.red is in the code and in no row")
