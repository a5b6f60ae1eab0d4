"""Which states are live, and which reasons are failures."""

from __future__ import annotations

from pagecalls.call.states import CallState, EndReason


def test_only_completed_and_failed_are_over() -> None:
    assert {state for state in CallState if not state.is_live} == {CallState.COMPLETED, CallState.FAILED}


def test_failures_are_technical() -> None:
    """The status column of consumer-protocol's table of reasons."""
    assert {reason for reason in EndReason if reason.is_failure} == {
        EndReason.FAILED,
        EndReason.MEDIA_TIMEOUT,
        EndReason.CONNECTION_LOST,
        EndReason.SERVER_ERROR,
    }
