"""A peer by the book (RFC 8829), as far as descriptions go: transceivers, offers, answers. No media, no time, no chance."""

from __future__ import annotations

from dataclasses import dataclass

from pagecalls.sdp.description import Description, parse
from tests.unit.sdp.samples import audio, small_offer, video

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
TWCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
SOUND = (f"a=extmap:4 {MID}", f"a=extmap:3 {TWCC}", "a=rtcp-fb:111 transport-cc")
PICTURE = (
    *(f"a=rtcp-fb:{pt} {each}" for pt in (96, 98) for each in ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")),
    "a=fmtp:97 apt=96",
    f"a=extmap:4 {MID}",
    f"a=extmap:3 {TWCC}",
    "a=extmap:13 urn:3gpp:video-orientation",
)
VIDEO_CODECS = "96 VP8 97 rtx 98 VP9"


@dataclass(slots=True)
class Transceiver:
    """One m-line as the peer has it. `track` is the name of what it sends; `is_free`: both sides know that it is stopped."""

    mid: str
    kind: str
    track: str = ""
    receives: bool = True
    is_stopped: bool = False
    is_free: bool = False

    @property
    def direction(self) -> str:
        """What the next description says."""
        if self.is_stopped:
            return "inactive"
        return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
            (bool(self.track), self.receives), "inactive"
        )


class Peer:
    """One peer connection. Its offers are complete; `apply` takes our answer, `take` our offer."""

    def __init__(self, video_codecs: str = VIDEO_CODECS) -> None:
        self.video_codecs = video_codecs
        self.transceivers: list[Transceiver] = []
        self.used_mids: set[str] = set()
        self.ufrag = "abcd"
        self.tracks = 0

    def add(self, kind: str) -> str:
        """Send one more track, on a transceiver that sends none if there is one (RFC 8829 section 5.2.1); its name."""
        self.tracks += 1
        name = f"track{self.tracks}"
        for each in self.transceivers:
            if each.kind == kind and not each.track and not each.is_stopped:
                each.track = name
                return name
        self._place(Transceiver(self._new_mid(), kind, name))
        return name

    def remove(self, mid: str) -> None:
        """Send nothing more there."""
        self.of(mid).track = ""

    def stop(self, mid: str) -> None:
        """Give the m-line up for good."""
        self.of(mid).is_stopped = True

    def restart_ice(self, ufrag: str) -> None:
        """New credentials from the next offer on."""
        self.ufrag = ufrag

    def of(self, mid: str) -> Transceiver:
        """The transceiver with this mid."""
        return next(each for each in self.transceivers if each.mid == mid)

    def offer(self) -> Description:
        """What the peer would offer now."""
        live = " ".join(each.mid for each in self.transceivers if not each.is_stopped)
        return parse(small_offer(*self.sections(), bundle=live))

    def sections(self) -> list[tuple[str, ...]]:
        """Its m-lines, each as lines of text."""
        return [self._section(each) for each in self.transceivers]

    def apply(self, answer: Description) -> None:
        """Take our answer: a line that it refuses is stopped."""
        for each, section in zip(self.transceivers, answer.media, strict=True):
            each.is_free = each.is_stopped = each.is_stopped or not section.is_live

    def take(self, offer: Description) -> Description:
        """Take our offer, and answer it."""
        for section in offer.media[len(self.transceivers) :]:
            self.used_mids.add(section.mid)
            self.transceivers.append(Transceiver(section.mid, section.media))
        return self.offer()

    def _new_mid(self) -> str:
        mid = next(str(number) for number in range(1000) if str(number) not in self.used_mids)
        self.used_mids.add(mid)
        return mid

    def _place(self, transceiver: Transceiver) -> None:
        """At the end, or on an m-line that is free again (RFC 8829 section 5.2.2)."""
        for index, each in enumerate(self.transceivers):
            if each.is_free:
                self.transceivers[index] = transceiver
                return
        self.transceivers.append(transceiver)

    def _section(self, each: Transceiver) -> tuple[str, ...]:
        named = (f"a=msid:stream {each.track}",) if each.track else ()
        if each.kind == "audio":
            lines = audio(each.mid, *SOUND, *named, direction=each.direction)
        else:
            more = PICTURE if self.video_codecs == VIDEO_CODECS else PICTURE[-3:]
            lines = video(each.mid, *more, *named, direction=each.direction, codecs=self.video_codecs)
        head = lines[0].replace(" 9 ", " 0 ", 1) if each.is_stopped else lines[0]
        return (head, *(line.replace(":abcd", f":{self.ufrag}") if "ufrag" in line else line for line in lines[1:]))
