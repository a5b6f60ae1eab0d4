"""What people read of the table of keys: docs/configuration.md and the example file.

`python -m pagecalls.config.pages docs/configuration.md` writes the page again.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pagecalls.config.keys import FILE_SUFFIX, KEYS, Key, Section
from pagecalls.config.kinds import written

WIDTH = 100

INTRODUCTION = """\
# Configuration

Written by `pagecalls.config.pages` from the table in `config/keys.py`; do not edit by hand.

`pagecalls serve` needs no configuration. Each key can be given in three ways; the first of them wins:

1. a flag: `--udp-port 40000`. A key that is a list has a flag that may be repeated; a switch has its opposite, `--no-hsts`;
2. a variable of the environment: `PAGECALLS_UDP_PORT=40000`; lists with commas. An empty one counts as not given;
3. a line of a TOML file: `udp_port = 40000`. Its name comes from `--config FILE` or `PAGECALLS_CONFIG`; by default there is none.
   Keys stand at its top level, paths in it are relative to its folder, and a key that does not exist is refused.

A **secret** has no flag, because others can read command lines. Put it in a file of its own and name that file:
`consumer_key_file` for `consumer_key`, in the environment `PAGECALLS_CONSUMER_KEY_FILE`. A configuration file that holds a secret
itself must not be readable by others.

    pagecalls config example > pagecalls.toml     # every key with its default, commented out
    pagecalls config check --config pagecalls.toml
    pagecalls config show --config pagecalls.toml # what is in force, and where each value comes from
"""


def page() -> str:
    """docs/configuration.md."""
    return "\n".join([INTRODUCTION, *_page_lines()]) + "\n"


def example() -> str:
    """A configuration file with every key in it, commented out."""
    lines = ["# Page Calls: every key with its default, or with an example where the default is none."]
    lines += ["# Take the # away from what you want to change; `pagecalls config check` tells what does not fit."]
    for section in Section:
        keys = [key for key in KEYS if key.section is section]
        lines += ["", f"# --- {section.value} ".ljust(WIDTH, "-"), *(line for key in keys for line in _example_lines(key))]
    return "\n".join(lines) + "\n"


def default_words(key: Key) -> str:
    """The default, for people."""
    if key.derived:
        return key.derived
    if key.default is None and "|off" not in key.kind.metavar:
        return "none"
    return written(key.default).strip('"') if key.default not in ((), frozenset()) else "none"


def _page_lines() -> Iterator[str]:
    for section in Section:
        yield f"\n## {section.value}\n"
        yield "| key | what | value | default |"
        yield "|---|---|---|---|"
        for key in KEYS:
            if key.section is section:
                secret = f" A secret; or `{key.name}{FILE_SUFFIX}`." if key.is_secret else ""
                cells = (f"`{key.name}`", key.text + secret, key.kind.words, default_words(key))
                yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _example_lines(key: Key) -> Iterator[str]:
    yield ""
    what = f"{key.text} Default: {default_words(key)}."
    yield from (f"# {line}" for line in textwrap.wrap(what, WIDTH - 2))
    if key.is_secret:
        yield f'# {key.name}{FILE_SUFFIX} = "{key.name}"'
    else:
        yield f"# {key.name} = {key.example or written(key.default)}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
