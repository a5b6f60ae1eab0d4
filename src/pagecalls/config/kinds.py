"""What a key of the configuration may hold: how each kind of value is read from a file and from text, and what is said of it.

No key is known here and no file is opened; whether two settings fit together is decided in `settings.py`.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
OFF = "off"
"""How "none at all" is written where that is a choice."""

_HOST_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\Z", re.IGNORECASE)


class Unfit(Exception):
    """A value that does not fit; the text says what would."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value. `words` completes "This must be ..."; `metavar` stands in the help of a flag.

    `read` makes the setting of what a TOML file holds, `parse` makes what a TOML file would hold of text; both raise `Unfit`.
    """

    words: str
    metavar: str
    read: Callable[[object], object]
    parse: Callable[[str], object]
    is_list: bool = False
    is_switch: bool = False

    def read_text(self, text: str) -> object:
        """The setting, from a flag or a variable of the environment. Raises `Unfit`."""
        return self.read(self.parse(text))

    def no(self, value: object) -> Unfit:
        """The refusal of `value`."""
        return Unfit(f"{shortened(value)} does not fit; it must be {self.words}")


def shortened(value: object) -> str:
    """`value` as it may stand in a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def written(value: object) -> str:
    """A setting as it stands in a TOML file. `None` is written as `"off"`."""
    match value:
        case None:
            return f'"{OFF}"'
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{value:g}"
        case Enum():
            return written(value.value)
        case str() | Path():
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case frozenset():
            return written(tuple(sorted(value)))
        case tuple():
            return "[" + ", ".join(written(each) for each in value) + "]"
        case _:
            raise TypeError(value)


# --- the kinds --------------------------------------------------------------------------------------------------------------


def switch() -> Kind:
    """`true` or `false`."""

    def parse(text: str) -> object:
        if text.lower() in TRUE + FALSE:
            return text.lower() in TRUE
        raise kind.no(text)

    kind = Kind("true or false", "", lambda value: _of(bool, value, kind), parse, is_switch=True)
    return kind


def whole(lowest: int, highest: int | None = None, words: str = "", metavar: str = "N", *, may_be_off: bool = False) -> Kind:
    """A whole number; `None` for `off` where that is a choice."""
    span = f"from {lowest} to {highest}" if highest is not None else f"of {lowest} or more"
    words = (words or f"a whole number {span}") + (f', or "{OFF}"' if may_be_off else "")

    def read(value: object) -> object:
        if may_be_off and value == OFF:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest or (highest is not None and value > highest):
            raise kind.no(value)
        return value

    kind = Kind(words, metavar + (f"|{OFF}" if may_be_off else ""), read, _number_or_text)
    return kind


def seconds(lowest: float = 0) -> Kind:
    """A length of time, in parts of a second if need be."""

    def read(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < lowest:
            raise kind.no(value)
        return float(value)

    kind = Kind(f"a number of seconds, {lowest:g} or more", "SECONDS", read, _number_or_text)
    return kind


def text(words: str = "a text", metavar: str = "TEXT") -> Kind:
    """Any text that is not empty."""
    return _checked(words, metavar, lambda value: value if value.strip() else None)


def path() -> Kind:
    """A file or folder. In a configuration file it is relative to that file's folder."""
    return _checked("a path", "PATH", lambda value: Path(value).expanduser() if value and "\0" not in value else None)


def choice(options: Iterable[str]) -> Kind:
    """One of these words."""
    options = tuple(options)
    words = " or ".join(filter(None, (", ".join(f'"{each}"' for each in options[:-1]), f'"{options[-1]}"')))
    return _checked(words, "|".join(options), lambda value: value if value in options else None)


def member(enum: type[Enum]) -> Kind:
    """A member of `enum`, by its value."""
    of_words = choice(str(each.value) for each in enum)
    return Kind(of_words.words, of_words.metavar, lambda value: enum(of_words.read(value)), _as_text)


def address() -> Kind:
    """An IP address; the media engine binds addresses, not names."""

    def read(value: str) -> object:
        return "127.0.0.1" if value == "localhost" else str(ipaddress.ip_address(value))

    return _checked("an IP address", "IP", read)


def network() -> Kind:
    """A network or a single address."""

    def read(value: str) -> object:
        ipaddress.ip_network(value, strict=False)
        return value

    return _checked("a network such as 10.0.0.0/8", "NETWORK", read)


def host_name() -> Kind:
    """A name or an address, without scheme and port."""

    def read(value: str) -> object:
        if not _HOST_NAME.match(value):
            ipaddress.ip_address(value)
        return value

    return _checked("a host name such as calls.example.com, without scheme and port", "NAME", read)


def http_url() -> Kind:
    """An address that a request can be sent to."""

    def read(value: str) -> object:
        parts = urlsplit(value)
        return value if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 else None

    return _checked("a URL that begins with http:// or https://", "URL", read)


def many(one: Kind, of: Callable[[Iterable[object]], object] = tuple) -> Kind:
    """A list of the other kind; in the environment with commas."""

    def read(value: object) -> object:
        if not isinstance(value, list | tuple):
            raise kind.no(value)
        return of(one.read(each) for each in value)

    def parse(text: str) -> object:
        return [one.parse(each.strip()) for each in text.split(",") if each.strip()]

    kind = Kind(f"a list, each of it {one.words}", one.metavar, read, parse, is_list=True)
    return kind


# --- helpers ----------------------------------------------------------------------------------------------------------------


def _checked(words: str, metavar: str, check: Callable[[str], object]) -> Kind:
    """A text that `check` turns into a setting; it refuses by `None` or `ValueError`."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            raise kind.no(value)
        try:
            checked = check(value)
        except (ValueError, RuntimeError):
            # pathlib knows no home of a stranger.
            checked = None
        if checked is None:
            raise kind.no(value)
        return checked

    kind = Kind(words, metavar, read, _as_text)
    return kind


def _of(wanted: type, value: object, kind: Kind) -> object:
    if not isinstance(value, wanted):
        raise kind.no(value)
    return value


def _as_text(text: str) -> object:
    return text


def _number_or_text(text: str) -> object:
    """Whatever is no number stays text, which the reader then refuses by name."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
