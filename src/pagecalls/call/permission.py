"""May this business call this person? The rules of messenger-calling 8.2 over one expiry time and a counter.

Owns the arithmetic of a permission. It does not know where the expiry is kept, who asked, or what the answer looks like on the
wire.
"""

from __future__ import annotations

from dataclasses import dataclass

from pagecalls.call.limits import PERMISSION_S, REQUESTS_PER_DAY


@dataclass(frozen=True, slots=True)
class PermissionView:
    """What `GET messenger_call_permissions` tells (messenger-calling 8.1).

    `expires_at`, Unix seconds, is there only while the permission holds. `requests_in_24h` counts accepted sends in the rolling
    day.
    """

    has_permission: bool
    expires_at: float | None
    can_request: bool
    requests_in_24h: int
    can_call: bool


def holds(expires_at: float | None, now: float) -> bool:
    """Whether a permission that expires at `expires_at` (`None`: never given) is good at `now`. At its expiry it is gone."""
    return expires_at is not None and now < expires_at


def granted(old: float | None, now: float, ttl_s: float = PERMISSION_S) -> float:
    """The expiry after a grant at `now`: 7 days on, and never earlier than it was (messenger-calling 8.2)."""
    new = now + ttl_s
    return new if old is None else max(old, new)


def may_start_call(expires_at: float | None, now: float, *, calling_on: bool = True, is_rate_free: bool = True) -> bool:
    """`start_call.can_perform`: permission held, calling on, call rate free (messenger-calling 8.1, ruling 19)."""
    return calling_on and is_rate_free and holds(expires_at, now)


def may_request(expires_at: float | None, now: float, *, requests_in_24h: int = 0) -> bool:
    """`send_call_permission_request.can_perform`: nothing held yet and a request left today (messenger-calling 8.1, 8.3)."""
    return not holds(expires_at, now) and requests_in_24h < REQUESTS_PER_DAY


def view(
    expires_at: float | None, now: float, *, requests_in_24h: int = 0, calling_on: bool = True, is_rate_free: bool = True
) -> PermissionView:
    """Everything that 8.1 asks for, at once."""
    has_permission = holds(expires_at, now)
    return PermissionView(
        has_permission=has_permission,
        expires_at=expires_at if has_permission else None,
        can_request=may_request(expires_at, now, requests_in_24h=requests_in_24h),
        requests_in_24h=requests_in_24h,
        can_call=may_start_call(expires_at, now, calling_on=calling_on, is_rate_free=is_rate_free),
    )
