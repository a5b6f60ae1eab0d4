"""The version protocol: which media update is applied, which is a repeat, which came too late (messenger-calling 4.1 to 4.3).

Each side's peer connection has a counter of its own, V; the rules are the same for the business's and for the consumer's device.
Owns the arithmetic of one counter. It knows neither descriptions nor tracks: a request is its two numbers and a digest of the
rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pagecalls.errors import InvalidValue, MediaConflict

ADOPTABLE = (1, 2)
"""How far ahead of ours a side may begin to count: with its first offer, or with that and the offer that came with our answer."""


@dataclass(frozen=True, slots=True)
class Advance:
    """What a request says of versions: the one its sender is at, and the one it moves to."""

    from_version: int
    to_version: int


@dataclass(frozen=True, slots=True)
class Applied:
    """An update that was applied. `digest`: SHA-256 hex of what it asked for."""

    advance: Advance
    digest: str


@dataclass(frozen=True, slots=True)
class Counter:
    """One side's counter. `current` is V, which never falls and never repeats; `last` the update of this side applied last."""

    current: int = 0
    last: Applied | None = None

    def offered(self) -> Counter:
        """One more offer of ours went out (4.1)."""
        return replace(self, current=self.current + 1)


@dataclass(frozen=True, slots=True)
class Repeated:
    """The update that was applied last, once more: its reply was lost (4.2, 4)."""


@dataclass(frozen=True, slots=True)
class Collided:
    """The sender has not seen an offer of ours yet; nothing is applied (4.3)."""


def advance_of(from_version: int | None, to_version: int | None) -> Advance | None:
    """The two members of a request, of which both are there or neither. Raises `InvalidValue` (4.2, 1)."""
    if from_version is None and to_version is None:
        return None
    if from_version is None:
        raise InvalidValue("from_version")
    if to_version is None:
        raise InvalidValue("to_version")
    return Advance(from_version, to_version)


def judge(counter: Counter, advance: Advance | None, digest: str) -> Counter | Repeated | Collided:
    """The counter after the update, or why there is none. Without numbers it goes one on. Raises `MediaConflict` (4.2)."""
    current = counter.current
    if advance is None:
        return _applied(Advance(current, current + 1), digest)
    if advance.to_version != advance.from_version + 1:
        raise MediaConflict(current)
    if advance.from_version == current:
        return _applied(advance, digest)
    if counter.last == Applied(advance, digest):
        return Repeated()
    if advance.from_version < current:
        return Collided()
    if counter.last is None and advance.from_version - current in ADOPTABLE:
        return _applied(advance, digest)
    raise MediaConflict(current)


def _applied(advance: Advance, digest: str) -> Counter:
    return Counter(advance.to_version, Applied(advance, digest))
