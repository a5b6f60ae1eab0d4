"""Puts a peer behind a relay: rewrites the candidates of a description that is given to it.

Owns the few lines of SDP that name an address. Works on text, line by line, so that everything else reaches the peer as the
server wrote it, answers and renegotiation offers alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# foundation, component, transport, priority, address, port, "typ host" and extensions (RFC 8839 section 5.1)
_CANDIDATE = re.compile(r"^a=candidate:(\S+) (\d+) (\S+) (\d+) (\S+) (\d+) typ (\S+)(.*)$", re.IGNORECASE)
_CONNECTION = re.compile(r"^c=IN IP[46] \S+", re.IGNORECASE)
_M_LINE = re.compile(r"^(m=\S+) (\d+)(?=[ /])")
_DISCARD_PORT = "9"


def redirect_candidates(sdp: str, address: tuple[str, int]) -> str:
    """The same description, with `address` as the only candidate of each section that had a UDP host candidate.

    All other candidates go: TCP, reflexive and relayed ones, further hosts. A section's own address (`c=` and the port of its
    m-line) becomes the relay's where it named one. Ends of lines stay as they are. Raises `ValueError` for a description
    without any UDP host candidate, for its peer would not go through the relay.
    """
    sections = re.split(r"(?m)^(?=m=)", sdp)
    found = [_has_udp_host(section) for section in sections]
    if not any(found):
        raise ValueError("the description has no UDP host candidate that could be redirected")
    return "".join("".join(_lines(section, address)) for section in sections)


def _has_udp_host(section: str) -> bool:
    return any(_is_udp_host(line) for line in section.splitlines())


def _is_udp_host(line: str) -> bool:
    match = _CANDIDATE.match(line)
    return match is not None and match[3].lower() == "udp" and match[7].lower() == "host"


def _lines(section: str, address: tuple[str, int]) -> Iterator[str]:
    host, port = address
    is_replaced = False
    for line in section.splitlines(keepends=True):
        text = line.rstrip("\r\n")
        end = line[len(text) :]
        if _CANDIDATE.match(text) or text.lower().startswith("a=candidate:"):
            if _is_udp_host(text) and not is_replaced:
                is_replaced = True
                yield _CANDIDATE.sub(rf"a=candidate:\1 \2 \3 \4 {host} {port} typ host", text) + end
        elif _CONNECTION.match(text) and not text.endswith((" 0.0.0.0", " ::")):
            yield f"c=IN IP{6 if ':' in host else 4} {host}{end}"
        else:
            yield _M_LINE.sub(lambda m: m[0] if m[2] in ("0", _DISCARD_PORT) else f"{m[1]} {port}", text) + end
