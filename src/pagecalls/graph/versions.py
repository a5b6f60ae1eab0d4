"""The version at the front of a path (graph-platform 1, rulings 3 and 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass

OLDEST = "v20.0"
LATEST = "v26.0"
SERVED = frozenset(f"v{major}.0" for major in range(20, 27))

_EXPIRED = frozenset(
    {
        "v1.0",
        *(f"v2.{minor}" for minor in range(13)),
        *(f"v3.{minor}" for minor in range(4)),
        *(f"v{major}.0" for major in range(4, 20)),
    }
)
_SHAPE = re.compile(r"v[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Version:
    """The version that serves a request. `upgraded_from` is the expired one that was asked for."""

    served: str
    upgraded_from: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The response headers that speak of the version."""
        lines = {"facebook-api-version": self.served}
        if self.upgrade_warning is not None:
            lines["x-ad-api-version-warning"] = self.upgrade_warning
        return lines

    @property
    def upgrade_warning(self) -> str | None:
        """What a client is told that asked for an expired version."""
        if self.upgraded_from is None:
            return None
        return f"The call has been auto-upgraded to {self.served} as {self.upgraded_from} has been deprecated."


def looks_like_version(segment: str) -> bool:
    """Whether a path's first segment means to be a version, real or not."""
    return _SHAPE.fullmatch(segment) is not None


def find_version(text: str) -> Version | None:
    """The version that serves `text`; `None` for one that never existed."""
    if text in SERVED:
        return Version(text)
    return Version(OLDEST, upgraded_from=text) if text in _EXPIRED else None


def default_version(text: str) -> Version:
    """The version of a path that names none: the app's setting, the latest if that makes no sense (ruling 3)."""
    return find_version(text) or Version(LATEST)
