"""The closed sets of a call's life (messenger-calling 3.1, consumer-protocol)."""

from __future__ import annotations

from enum import StrEnum


class CallState(StrEnum):
    """messenger-calling 3.1."""

    RINGING_IN = "RINGING_IN"
    DIALING = "DIALING"
    RINGING_OUT = "RINGING_OUT"
    CONNECTING = "CONNECTING"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"

    @property
    def is_live(self) -> bool:
        """Not ended."""
        return self not in (CallState.COMPLETED, CallState.FAILED)


class Action(StrEnum):
    """The five call actions of the reference."""

    ACCEPT = "accept"
    CONNECT = "connect"
    MEDIA_UPDATE = "media_update"
    REJECT = "reject"
    TERMINATE = "terminate"


class DeadlineKind(StrEnum):
    """The control plane's own timers; T_conn, T_dead and T_bye are the engine's (ruling 17)."""

    RING_IN = "ring_in"
    DIAL = "dial"
    RING_OUT = "ring_out"
    DEVICE_AWAY = "device_away"
    """A device lost its socket and has 30 s to come back (consumer-protocol)."""


class EndReason(StrEnum):
    """Why a call ended, as the consumer's device is told (consumer-protocol)."""

    COMPLETED = "completed"
    DECLINED = "declined"
    REJECTED = "rejected"
    NOT_ANSWERED = "not_answered"
    NO_ANSWER = "no_answer"
    CANCELLED = "cancelled"
    BUSY = "busy"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    OUTSIDE_CALL_HOURS = "outside_call_hours"
    CALLING_DISABLED = "calling_disabled"
    FAILED = "failed"
    MEDIA_TIMEOUT = "media_timeout"
    CONNECTION_LOST = "connection_lost"
    SERVER_ERROR = "server_error"

    @property
    def is_failure(self) -> bool:
        """Whether the call's status is `Failed` instead of `Completed`."""
        return self in (EndReason.FAILED, EndReason.MEDIA_TIMEOUT, EndReason.CONNECTION_LOST, EndReason.SERVER_ERROR)
