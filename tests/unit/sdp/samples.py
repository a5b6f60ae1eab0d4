"""Offers and values that the SDP tests share."""

from __future__ import annotations

from pathlib import Path

from pagecalls.sdp.connection import Connection, FarTrack, HostCandidate, LineCodec, Transport
from pagecalls.sdp.description import Description, parse
from pagecalls.sdp.negotiate import answer_first, show_tracks
from pagecalls.types import TrackLabel

OFFERS = Path(__file__).parents[2] / "data" / "sdp"
NAMES = (
    "aiortc-1.16-audio",
    "aiortc-1.16-video",
    "chrome-156-audio",
    "chrome-156-screen",
    "chrome-156-video",
    "firefox-153-audio",
    "firefox-153-video",
)

FINGERPRINT = ":".join(["12", "34", "56", "78", "9A", "BC", "DE", "EF"] * 4)
TRANSPORT = Transport(
    ufrag="q7XcPn2b",
    pwd="Zk3v9TqLw8RfYb1MhXs5Ncd0",
    fingerprint=FINGERPRINT,
    candidates=(
        HostCandidate("udp", "192.0.2.10", 40012),
        HostCandidate("udp", "2001:db8::10", 40012),
        HostCandidate("tcp", "192.0.2.10", 3478),
        HostCandidate("tcp", "2001:db8::10", 3478),
    ),
)
SESSION_ID = 4611686018427387905
STREAM = "730155201:kT4vQw9LbX2mZp7R:DEFAULT"
FAR = FarTrack(TrackLabel.DEFAULT_AUDIO, STREAM, "5120734419906211387", ssrc=1001)
FAR_AGAIN = FarTrack(TrackLabel.DEFAULT_AUDIO, STREAM, "8830174420915530021", ssrc=1379106125)
SCREEN_STREAM = "730155201:kT4vQw9LbX2mZp7R:SCREEN"
FAR_SCREEN_SOUND = FarTrack(TrackLabel.SCREEN_AUDIO, SCREEN_STREAM, "77", ssrc=99)
SENT_VP8 = LineCodec("vp8/90000", 96, "", ("nack", "nack pli"), rtx_pt=97)
FAR_CAMERA = FarTrack(TrackLabel.DEFAULT_VIDEO, STREAM, "4409172216630955871", ssrc=2001, rtx_ssrc=2002, codec=SENT_VP8)
FAR_SCREEN = FarTrack(TrackLabel.SCREEN_VIDEO, SCREEN_STREAM, "1177409985231670544", ssrc=3001, rtx_ssrc=3002, codec=SENT_VP8)
ALL_FAR = (FAR_AGAIN, FAR_CAMERA, FAR_SCREEN_SOUND, FAR_SCREEN)


def text_of(name: str) -> str:
    """A real offer as it came, CRLF line ends and all."""
    return (OFFERS / f"{name}-offer.sdp").read_bytes().decode()


def offer_of(name: str) -> Description:
    """A real offer, parsed."""
    return parse(text_of(name))


def answered(offer: Description | str) -> Connection:
    """The first answer to an offer."""
    return answer_first(
        parse(offer) if isinstance(offer, str) else offer, tracks=(), transport=TRANSPORT, session_id=SESSION_ID, far=FAR
    )


def reoffered(offer: Description | str) -> Connection:
    """The first renegotiation offer after the answer."""
    return show_tracks(answered(offer), [FAR_AGAIN])


def lines(*texts: str) -> str:
    """A text of these lines."""
    return "".join(f"{text}\r\n" for text in texts)


HEAD = ("v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0")
CREDENTIALS = (
    "a=ice-ufrag:abcd",
    "a=ice-pwd:abcdefghijklmnopqrstuv",
    f"a=fingerprint:sha-256 {FINGERPRINT}",
    "a=setup:actpass",
)


def audio(mid: str, *more: str, direction: str = "sendrecv") -> tuple[str, ...]:
    """A small audio line: no candidates, port 9, no sources."""
    return (
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        *CREDENTIALS,
        f"a=mid:{mid}",
        f"a={direction}",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        *more,
    )


def video(mid: str, *more: str, direction: str = "sendrecv", codecs: str = "96 VP8") -> tuple[str, ...]:
    """A small video line. `codecs`: numbers and names in turn."""
    words = codecs.split()
    return (
        f"m=video 9 UDP/TLS/RTP/SAVPF {' '.join(words[::2])}",
        "c=IN IP4 0.0.0.0",
        *CREDENTIALS,
        f"a=mid:{mid}",
        f"a={direction}",
        "a=rtcp-mux",
        *(f"a=rtpmap:{pt} {name}/90000" for pt, name in zip(words[::2], words[1::2], strict=True)),
        *more,
    )


def small_offer(*sections: tuple[str, ...], bundle: str = "") -> str:
    """An offer of these m-lines."""
    group = (f"a=group:BUNDLE {bundle}",) if bundle else ()
    return lines(*HEAD, *group, *(line for section in sections for line in section))
