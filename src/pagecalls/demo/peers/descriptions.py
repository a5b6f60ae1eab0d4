"""The little that a peer's driver reads in SDP text, or changes in it. No parser: the peers do the rest."""

from __future__ import annotations

import re

_EVENT_PAYLOAD_TYPES = {8000: 101, 48000: 110}


def msids_by_mid(sdp: str) -> dict[str, str]:
    """What each line of a description names as its track, `<stream> <track>`."""
    msids = {}
    for section in re.split(r"(?m)^(?=m=)", sdp)[1:]:
        mid, msid = (re.search(rf"(?m)^a={name}:(.*?)\r?$", section) for name in ("mid", "msid"))
        if mid and msid:
            msids[mid[1]] = msid[1]
    return msids


def without_candidates(sdp: str) -> str:
    """The same description as if gathering had not begun: no candidate lines."""
    lines = sdp.splitlines()
    return "".join(f"{line}\r\n" for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates")))


def with_telephone_event(sdp: str, clock_hz: int) -> str:
    """The same offer with a telephone-event payload type of this clock (8000 or 48000) on its first audio line."""
    payload_type = _EVENT_PAYLOAD_TYPES[clock_hz]
    sdp = re.sub(r"(?m)^(m=audio .*?)(\r?)$", rf"\1 {payload_type}\2", sdp, count=1)
    line = f"a=rtpmap:{payload_type} telephone-event/{clock_hz}"
    return re.sub(r"(?m)^(a=rtpmap:\d+ opus/48000/2)(\r?\n)", rf"\1\2{line}\2", sdp, count=1)
