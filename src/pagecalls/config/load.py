"""From flags, environment and file to `Settings`: who wins, and what is wrong with what was given.

A flag beats the environment, that beats the file, and that the default. All faults are found before they are told, each with the
place that it stands in. Which keys there are says `keys.py`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pagecalls.config.keys import FILE_SUFFIX, KEYS, PREFIX, Key
from pagecalls.config.kinds import Unfit
from pagecalls.settings import Settings, SettingsError, default_data_dir, default_workers

CONFIG_VARIABLE = f"{PREFIX}CONFIG"
OTHER_VARIABLES = frozenset({CONFIG_VARIABLE, f"{PREFIX}LOAD_BIN", f"{PREFIX}URL"})
"""Variables of the environment that begin like ours and are no keys."""
MAX_SECRET_BYTES = 64 * 1024

BY_NAME: Mapping[str, Key] = {key.name: key for key in KEYS}
SECRET_FILES: Mapping[str, Key] = {key.name + FILE_SUFFIX: key for key in KEYS if key.is_secret}
"""The keys that name a file with a secret, by name."""


@dataclass(frozen=True, slots=True)
class Given:
    """A setting that somebody chose, and where: `--port`, `PAGECALLS_PORT` or the file's name."""

    value: object
    source: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings, and who chose them. `warnings`: what was given and has no effect."""

    settings: Settings
    given: Mapping[str, Given]
    file: Path | None = None
    warnings: tuple[str, ...] = ()

    def source(self, key: Key) -> str:
        """Where the key's setting comes from."""
        return self.given[key.name].source if key.name in self.given else "default"

    def value(self, key: Key) -> object:
        """The setting itself."""
        return getattr(self.settings, key.setting)


@dataclass(slots=True)
class _Reading:
    """What was read so far, and what is wrong with it."""

    faults: list[str] = field(default_factory=list)

    def take(self, key: Key, place: str, source: str, read: Callable[[], object]) -> Iterator[tuple[str, Given]]:
        try:
            yield key.name, Given(read(), source)
        except Unfit as unfit:
            self.faults.append(f"{place}: {_masked(key, unfit)}")


def load(flags: Mapping[str, object], environ: Mapping[str, str], file: Path | None = None) -> Configuration:
    """The configuration; `flags` are settings by name of their key, read already. `file`: as named by a flag, else the
    environment's. Raises `SettingsError` with all that is wrong, a line for each fault."""
    reading = _Reading()
    if file is None and environ.get(CONFIG_VARIABLE):
        file = Path(environ[CONFIG_VARIABLE])
    given: dict[str, Given] = {}
    if file is not None:
        given |= _from_file(file, reading)
    given |= _from_environment(environ, reading)
    given |= {name: Given(value, BY_NAME[name].flag) for name, value in flags.items()}
    if reading.faults:
        raise SettingsError("\n".join(reading.faults))
    settings = _settings({name: each.value for name, each in given.items()})
    settings.check()
    return Configuration(settings, given, file, tuple(_strange_variables(environ)))


def data_dir(given: Path | None, environ: Mapping[str, str], file: Path | None = None) -> Path:
    """The data directory alone, for commands that need nothing else. Raises `SettingsError`."""
    flags = {} if given is None else {"data_dir": given}
    return load(flags, environ, file).settings.data_dir


def _settings(chosen: Mapping[str, object]) -> Settings:
    """`Settings` of the chosen keys, with the defaults that depend on the machine or on each other."""
    # Every kind reads the type that its member has; a test holds the table against `Settings`.
    members: dict[str, Any] = {BY_NAME[name].setting: value for name, value in chosen.items()}
    settings = Settings(**{"workers": default_workers(), "data_dir": default_data_dir(), **members})
    if "media_tcp_port" not in chosen:
        # One number is to be opened in a firewall, and servers that share a machine keep apart by the one that they need anyway.
        settings = replace(settings, media_tcp_port=settings.udp_port)
    return replace(settings, data_dir=settings.data_dir.resolve())


# --- the file ---------------------------------------------------------------------------------------------------------------


def _from_file(file: Path, reading: _Reading) -> dict[str, Given]:
    given: dict[str, Given] = {}
    for name, value in _parsed(file).items():
        place = f"{file}: {name}"
        if (key := BY_NAME.get(name)) is not None:
            given |= reading.take(key, place, file.name, partial(_beside, file, key, value))
            if key.is_secret:
                reading.faults += _exposed(file, name)
        elif (key := SECRET_FILES.get(name)) is not None:
            given |= _secret(key, place, file.name, _absolute(file, Path(str(value))), reading, key.name in _parsed(file))
        elif isinstance(value, dict):
            reading.faults.append(f"{place} is a section; all keys stand at the top level, without one")
        else:
            reading.faults.append(f"{place} is no key{_nearest(name, [*BY_NAME, *SECRET_FILES])}")
    return given


def _parsed(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_bytes().decode())
    except OSError as error:
        raise SettingsError(f"the configuration {file} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{file} is not TOML: {error}") from error


def _beside(file: Path, key: Key, value: object) -> object:
    read = key.kind.read(value)
    return _absolute(file, read) if isinstance(read, Path) else read


def _absolute(file: Path, path: Path) -> Path:
    """A path in a file is relative to the file's folder, wherever the server is started."""
    return file.absolute().parent / path


def _exposed(file: Path, name: str) -> Iterator[str]:
    if file.stat().st_mode & 0o007:
        yield f"{file}: {name} is a secret, and others may read this file; chmod o= it, or name a file with {name}{FILE_SUFFIX}"


def _secret(key: Key, place: str, source: str, path: Path, reading: _Reading, is_double: bool) -> Iterator[tuple[str, Given]]:
    if is_double:
        reading.faults.append(f"{place} and {key.name} are both given; one of them must go")
        return
    yield from reading.take(key, place, source, lambda: key.kind.read(_content(path)))


def _content(path: Path) -> str:
    try:
        content = path.read_bytes()
        if len(content) > MAX_SECRET_BYTES:
            raise Unfit(f"{path} is too large for a secret")
        return content.decode().strip()
    except OSError as error:
        raise Unfit(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise Unfit(f"{path} is not text") from error


# --- the environment --------------------------------------------------------------------------------------------------------


def _from_environment(environ: Mapping[str, str], reading: _Reading) -> dict[str, Given]:
    given: dict[str, Given] = {}
    for key in KEYS:
        text = environ.get(key.variable, "")
        if text:
            given |= reading.take(key, key.variable, key.variable, partial(key.kind.read_text, text))
        if key.is_secret and (path := environ.get(key.variable + FILE_SUFFIX.upper(), "")):
            variable = key.variable + FILE_SUFFIX.upper()
            given |= _secret(key, variable, variable, Path(path), reading, bool(text))
    return given


def _strange_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Variables that look like ours and are not: others may own them, so they are no fault."""
    known = {key.variable for key in KEYS} | {PREFIX + name.upper() for name in SECRET_FILES} | OTHER_VARIABLES
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            yield f"{name} in the environment is no setting{_nearest(name, known)}"


# --- words ------------------------------------------------------------------------------------------------------------------


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _masked(key: Key, unfit: Unfit) -> str:
    """A refused secret is not told again."""
    return f"it must be {key.kind.words}" if key.is_secret and "does not fit" in str(unfit) else str(unfit)
