"""The halves of a description while its lines come in: one draft for the session level, one for each m-line.

Owns which attribute is understood at which level. Refuses to know inheritance and the finished values: `description.py` makes
those. A line that cannot be read raises `grammar.Unreadable`; an attribute that nothing here needs is kept as it came.
"""

from __future__ import annotations

from pagecalls.sdp.attributes import (
    MAX_PAYLOAD_TYPE,
    STATIC_KEYS,
    Attribute,
    Direction,
    Extmap,
    Fingerprint,
    Format,
    Group,
    Msid,
    Setup,
    SsrcAttribute,
    SsrcGroup,
    codec_key,
    read_rtpmap,
)
from pagecalls.sdp.grammar import Unreadable, decimal, token, words


class Draft:
    """What may stand at both levels. The last of two single values wins, as in browsers."""

    __slots__ = ("connection", "direction", "extmaps", "fingerprints", "number", "other_lines", "others", "pwd", "setup", "ufrag")

    def __init__(self, number: int) -> None:
        self.number = number
        self.connection: str | None = None
        self.other_lines: list[tuple[str, str]] = []
        self.ufrag: str | None = None
        self.pwd: str | None = None
        self.fingerprints: list[Fingerprint] = []
        self.setup: Setup | None = None
        self.direction: Direction | None = None
        self.extmaps: list[Extmap] = []
        self.others: list[Attribute] = []

    def add_line(self, letter: str, value: str) -> None:
        """Take a line that is neither an attribute nor an m-line."""
        if letter == "c" and self.connection is None:
            self.connection = value
        else:
            self.other_lines.append((letter, value))

    def add_attribute(self, text: str) -> None:
        """Take an `a=` line."""
        name, colon, value = text.partition(":")
        if not self.read(name, value):
            self.others.append(Attribute(name, value if colon else None))

    def read(self, name: str, value: str) -> bool:
        """Take an attribute that is understood at this level; false if it is not."""
        match name:
            case "ice-ufrag":
                self.ufrag = value
            case "ice-pwd":
                self.pwd = value
            case "fingerprint":
                self.fingerprints.append(Fingerprint.read(value))
            case "setup":
                self.setup = Setup.read(value)
            case "extmap":
                self.extmaps.append(Extmap.read(value))
            case "sendrecv" | "sendonly" | "recvonly" | "inactive":
                self.direction = Direction(name)
            case _:
                return False
        return True


class SessionDraft(Draft):
    """The session level."""

    __slots__ = ("groups", "is_ice_lite", "name", "origin", "timing")

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.origin: list[str] = []
        self.name = "-"
        self.timing = "0 0"
        self.is_ice_lite = False
        self.groups: list[Group] = []

    def add_line(self, letter: str, value: str) -> None:
        """Take a line; what stands once is held to that."""
        match letter:
            case "o":
                self.origin = words(value, 6, "o=")
            case "s":
                self.name = value or "-"
            case "t":
                self.timing = value
            case "v":
                raise Unreadable("v= stands twice")
            case _:
                super().add_line(letter, value)

    def read(self, name: str, value: str) -> bool:
        """Take what belongs to the session level alone, or to both."""
        match name:
            case "group":
                self.groups.append(Group.read(value))
            case "ice-lite":
                self.is_ice_lite = True
            case _:
                return super().read(name, value)
        return True


class MediaDraft(Draft):
    """One m-line. `flags`: its attributes without a value; `pts`: the payload types that it lists, none if it carries no RTP;
    `numbers`: the same by the text that stands for them."""

    __slots__ = (
        "candidates",
        "encodings",
        "feedback",
        "feedback_for_all",
        "flags",
        "fmtps",
        "format_tokens",
        "media",
        "mid",
        "msids",
        "numbers",
        "port",
        "port_count",
        "protocol",
        "pts",
        "rtcp",
        "ssrc_groups",
        "ssrcs",
    )

    def __init__(self, number: int, value: str) -> None:
        super().__init__(number)
        media, port, self.protocol, *tokens = words(value, 4, "m=")
        self.media = token(media, "the media")
        port, slash, count = port.partition("/")
        self.port = decimal(port, "the port", 65_535)
        self.port_count = decimal(count, "the number of ports", 65_535, 1) if slash else 1
        self.format_tokens = tuple(tokens)
        listed = tokens if "RTP/" in self.protocol else []
        self.numbers = {pt: decimal(pt, "payload type", MAX_PAYLOAD_TYPE) for pt in listed}
        self.pts = dict.fromkeys(self.numbers.values())
        self.mid: str | None = None
        self.rtcp: str | None = None
        self.candidates: list[str] = []
        self.flags: set[str] = set()
        self.msids: list[Msid] = []
        self.encodings: dict[int, str] = {}
        self.fmtps: dict[int, list[str]] = {}
        self.feedback: dict[int, list[str]] = {}
        self.feedback_for_all: list[str] = []
        self.ssrc_groups: list[SsrcGroup] = []
        self.ssrcs: list[SsrcAttribute] = []

    @property
    def formats(self) -> tuple[Format, ...]:
        """What the line says about each payload type that it lists."""
        return tuple(map(self._format, self.pts))

    def _format(self, pt: int) -> Format:
        encoding = self.encodings.get(pt, "")
        key = codec_key(encoding) if encoding else STATIC_KEYS.get(pt, "")
        return Format(pt, encoding, key, tuple(self.fmtps.get(pt, ())), tuple(self.feedback.get(pt, ())))

    def add_line(self, letter: str, value: str) -> None:
        """Take a line; those of the session level may not stand here."""
        if letter in "vost":
            raise Unreadable(f"{letter}= stands below an m-line")
        super().add_line(letter, value)

    def read(self, name: str, value: str) -> bool:
        """Take what belongs to an m-line, or to both levels. The names that come most often stand first."""
        match name:
            case "rtpmap":
                return self._read_rtpmap(value)
            case "rtcp-fb":
                return self._read_feedback(value)
            case "fmtp":
                return self._note(self.fmtps, value)
            case "extmap":
                self.extmaps.append(Extmap.read(value))
            case "candidate":
                self.candidates.append(value)
            case "ssrc":
                self.ssrcs.append(SsrcAttribute.read(value))
            case "ssrc-group":
                self.ssrc_groups.append(SsrcGroup.read(value))
            case "msid":
                self.msids.append(Msid.read(value))
            case "mid":
                self.mid = token(value, "mid")
            case "rtcp":
                self.rtcp = value
            case "rtcp-mux" | "rtcp-rsize" | "bundle-only" | "end-of-candidates":
                self.flags.add(name)
            case _:
                return super().read(name, value)
        return True

    def _read_rtpmap(self, value: str) -> bool:
        if not self.pts:
            return False
        pt, encoding = read_rtpmap(value)
        if pt not in self.pts:
            return False
        self.encodings[pt] = encoding
        return True

    def _read_feedback(self, value: str) -> bool:
        pt, _, rest = value.partition(" ") if value.startswith("*") else ("", "", "")
        if pt != "*" or not self.pts:
            return self._note(self.feedback, value)
        # Not copied to each payload type: 64 KiB of such lines would become megabytes.
        self.feedback_for_all.append(rest.strip())
        return True

    def _note(self, notes: dict[int, list[str]], value: str) -> bool:
        """Keep the rest of the value with its payload type; false if the m-line does not list that one."""
        if not self.pts:
            return False
        text, _, rest = value.partition(" ")
        pt = self.numbers.get(text)
        if pt is None:
            pt = decimal(text, "payload type", MAX_PAYLOAD_TYPE)
            if pt not in self.pts:
                return False
        if pt in notes:
            notes[pt].append(rest.strip())
        else:
            notes[pt] = [rest.strip()]
        return True
