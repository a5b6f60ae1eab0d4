"""What an aiortc peer counts: aiortc's own counters where it has them, else what was seen on the wire and behind the decoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

from pagecalls.demo.peers.aiortc_wire import Stream, StreamTap
from pagecalls.demo.peers.base import InboundStats, VideoCodec, VideoReceived, VideoSent
from pagecalls.demo.peers.descriptions import msids_by_mid

_H264_IDR = 5


@dataclass(slots=True)
class Decoded:
    """What the decoder of one line has given."""

    frames: int = 0
    key_frames: int = 0
    width: int = 0
    height: int = 0


def count_key_frames(receiver: RTCRtpReceiver, decoded: Decoded) -> None:
    """From now on, as frames go to the decoder: its frames do not tell."""
    queue = vars(receiver)["_RTCRtpReceiver__decoder_queue"]
    put = queue.put

    def counted(task: Any) -> None:
        if task is not None:
            codec, encoded = task
            decoded.key_frames += is_key_frame(VideoCodec(codec.name), encoded.data)
        put(task)

    queue.put = counted


def is_key_frame(codec: VideoCodec, data: bytes) -> bool:
    """Whether a whole frame of VP8 (RFC 6386 section 9.1) or H264 (a unit of type 5 between start codes) needs no other."""
    if codec is VideoCodec.VP8:
        return bool(data) and not data[0] & 1
    return any(unit and unit[0] & 0x1F == _H264_IDR for unit in data.split(b"\0\0\1"))


def sdp_of(description: RTCSessionDescription | None) -> str:
    """Its text; aiortc has none before the first description, though its types deny that."""
    return "" if description is None else str(description.sdp)


async def packets_sent(connection: RTCPeerConnection) -> int:
    """Over all own streams."""
    reports = [await sender.getStats() for sender in connection.getSenders()]
    return sum(entry.packetsSent for report in reports for entry in report.values() if entry.type == "outbound-rtp")


def inbound(
    connection: RTCPeerConnection, tap: StreamTap, decoded: Mapping[MediaStreamTrack, Decoded]
) -> tuple[InboundStats, ...]:
    """Every stream that came, also those that aiortc did not want."""
    msids = msids_by_mid(sdp_of(connection.remoteDescription))
    lines = {transceiver.mid: transceiver for transceiver in connection.getTransceivers()}
    return tuple(
        InboundStats(
            mid=stream.mid,
            ssrc=stream.ssrc,
            packets_received=stream.received,
            packets_lost=stream.lost,
            jitter_s=None,
            audio_energy=None,
            msid=msids.get(stream.mid or ""),
            video=_video_received(stream, lines.get(stream.mid), tap, decoded),
        )
        for stream in tap.streams.values()
    )


def _video_received(
    stream: Stream, line: RTCRtpTransceiver | None, tap: StreamTap, decoded: Mapping[MediaStreamTrack, Decoded]
) -> VideoReceived | None:
    """Nothing for sound, and nothing for a stream of repeats: it shows no picture of its own."""
    if line is None or line.kind != "video":
        return None
    codecs = {codec.payloadType: codec.name for codec in line._codecs}
    names = [codecs[number] for number in stream.payload_types if codecs.get(number, "rtx") != "rtx"]
    if not names:
        return None
    shown, asked = decoded.get(line.receiver.track, Decoded()), tap.asked_by_us[stream.ssrc]
    return VideoReceived(
        codec=VideoCodec(names[-1]),
        frames_decoded=shown.frames,
        key_frames_decoded=shown.key_frames,
        freezes=None,
        width=shown.width,
        height=shown.height,
        plis=asked.plis,
        firs=asked.firs,
        nacks=asked.nacks,
        repeats=None,
    )


def video_sent(connection: RTCPeerConnection, tap: StreamTap) -> tuple[VideoSent, ...]:
    """The own video streams that have a track now."""
    return tuple(
        _video_sent(transceiver, tap)
        for transceiver in connection.getTransceivers()
        if transceiver.kind == "video" and transceiver.sender.track is not None
    )


def _video_sent(transceiver: RTCRtpTransceiver, tap: StreamTap) -> VideoSent:
    sender: Any = transceiver.sender
    encoder, asked = sender._RTCRtpSender__encoder, tap.asked_of_us[sender._ssrc]
    return VideoSent(
        mid=transceiver.mid,
        ssrc=sender._ssrc,
        codec=VideoCodec(transceiver._codecs[0].name) if transceiver._codecs else None,
        frames_encoded=tap.marked[sender._ssrc],
        key_frames_encoded=None,
        target_bps=encoder.target_bitrate if encoder else None,
        limited_by=None,
        plis=asked.plis,
        firs=asked.firs,
        nacks=asked.nacks,
    )
