"""The SDP of the load's peers, for servers that speak it, and what is read from theirs: one audio line, active in DTLS."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from bench.load import Leg, Load, Stream
from pagecalls.sdp.description import parse

TEXT = """\
v=0
o=- {ssrc} 1 IN IP4 {address}
s=-
t=0 0
a=group:BUNDLE 0
m=audio {port} UDP/TLS/RTP/SAVPF 111
c=IN IP4 {address}
a=candidate:1 1 udp 2122260223 {address} {port} typ host generation 0
a=end-of-candidates
a=ice-ufrag:{ufrag}
a=ice-pwd:{pwd}
a=fingerprint:sha-256 {fingerprint}
a=setup:active
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:s{ssrc} t{ssrc}
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=ssrc:{ssrc} cname:c{ssrc}
"""
LEVEL_ID = 1
FIRST_SSRC = 1000


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer of the load before it connects."""

    ssrc: int
    address: str
    port: int
    ufrag: str
    pwd: str
    fingerprint: str

    def sdp(self) -> str:
        """Its offer or answer."""
        text = TEXT.format(
            ssrc=self.ssrc,
            address=self.address,
            port=self.port,
            ufrag=self.ufrag,
            pwd=self.pwd,
            fingerprint=self.fingerprint,
        )
        return text.replace("\n", "\r\n")

    def leg(self, server_sdp: str) -> Leg:
        """What the load must know of a server that described itself so: the first candidate for IPv4 and UDP is taken."""
        section = parse(server_sdp).media[0]
        candidates = [text.split() for text in section.candidate_texts]
        places = [f"{one[4]}:{one[5]}" for one in candidates if one[2].lower() == "udp" and one[1] == "1" and ":" not in one[4]]
        if section.ufrag is None or section.pwd is None or not places:
            raise ValueError("the server's description has no credentials or no candidate")
        stream = Stream(self.ssrc, level_id=LEVEL_ID)
        return Leg(section.ufrag, section.pwd, self.ufrag, [stream], self.pwd, places[0])


def peer(number: int, load: Load, address: str | None = None) -> Peer:
    """The load's peer of this number, with credentials of its own; at its own address unless all share one."""
    hello = load.hello
    address = load.address(number) if address is None else address
    return Peer(FIRST_SSRC + number, address, hello.port, secrets.token_hex(4), secrets.token_hex(12), hello.fingerprint)
