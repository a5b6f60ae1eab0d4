"""The deadlines that a call carries: set, dropped, found. Owns the list; knows no rule about what a deadline means.

A call waits for at most one deadline of a kind, and for `DEVICE_AWAY` at most one per device.
"""

from __future__ import annotations

from dataclasses import replace

from pagecalls.call.model import Call, Deadline
from pagecalls.call.states import DeadlineKind
from pagecalls.types import DeviceId


def with_deadline(call: Call, kind: DeadlineKind, at: float, device: DeviceId | None = None) -> Call:
    """The call with this deadline at `at` (Unix seconds) instead of an earlier one of the same kind and device."""
    call = without(call, kind, device)
    return replace(call, deadlines=(*call.deadlines, Deadline(kind, at, device)))


def without(call: Call, kind: DeadlineKind, device: DeviceId | None = None) -> Call:
    """The call without the deadline of this kind and device; the same call if it had none."""
    kept = tuple(deadline for deadline in call.deadlines if (deadline.kind, deadline.device) != (kind, device))
    return call if len(kept) == len(call.deadlines) else replace(call, deadlines=kept)


def first_due(call: Call, now: float) -> Deadline | None:
    """The earliest deadline at or before `now`; of two at the same time, the one that was set first."""
    due = [deadline for deadline in call.deadlines if deadline.at <= now]
    return min(due, key=lambda deadline: deadline.at, default=None)
