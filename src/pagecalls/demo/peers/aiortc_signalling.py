"""Where aiortc's offer and answer differ from what browsers do (JSEP, RFC 8829), and how they are brought into line.

aiortc has no rollback, keeps an answered offer as if it still waited, puts a far side's new line on any own line that is not
negotiated yet, and a new own track on any line whose sender is idle. In each offer it numbers all lines anew, as if it had
offered them first, but goes on to receive only the numbers with which a line began. All of it reaches into private parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

_PRIVATE = "_RTCPeerConnection__"


def transceiver_of(connection: RTCPeerConnection, sender: RTCRtpSender) -> RTCRtpTransceiver:
    """The sender's line."""
    return next(transceiver for transceiver in connection.getTransceivers() if transceiver.sender is sender)


def add_track(connection: RTCPeerConnection, track: MediaStreamTrack, *, taken: list[RTCRtpSender]) -> RTCRtpSender:
    """As a browser's addTrack: the track goes on the first line of its kind whose sender has never sent, else on a new line.

    `taken` are the senders that had a track once.
    """
    for transceiver in connection.getTransceivers():
        sender = transceiver.sender
        if transceiver.kind == track.kind and sender.track is None and sender not in taken:
            sender.replaceTrack(track)
            transceiver.direction = "sendrecv" if transceiver.direction in ("sendrecv", "recvonly") else "sendonly"
            return sender
    return connection.addTransceiver(track, direction="sendrecv").sender


def settle(connection: RTCPeerConnection) -> None:
    """The local offer has its answer: it is the current description now."""
    private: Any = vars(connection)
    private[f"{_PRIVATE}currentLocalDescription"] = private[f"{_PRIVATE}pendingLocalDescription"]
    private[f"{_PRIVATE}pendingLocalDescription"] = None


def receive_renumbered(connection: RTCPeerConnection) -> None:
    """Let lines that were negotiated again receive under their new payload types too; of a number the newest meaning holds."""
    for transceiver in connection.getTransceivers():
        receiver: Any = transceiver.receiver
        known = receiver._RTCRtpReceiver__codecs
        new = {codec.payloadType: codec for codec in transceiver._codecs if known.get(codec.payloadType) != codec}
        if known and new:
            known.update(new)
            receiver.transport._rtp_router.register_receiver(receiver, ssrcs=[], payload_types=list(new), mid=transceiver.mid)


def roll_back(connection: RTCPeerConnection) -> None:
    """Forget the local offer that waits for its answer: lines that it would have begun have no mid again."""
    private: Any = vars(connection)
    current = private[f"{_PRIVATE}currentLocalDescription"]
    known = {media.rtp.muxId for media in current.media} if current else set()
    for transceiver in connection.getTransceivers():
        if transceiver.mid is not None and transceiver.mid not in known:
            private[f"{_PRIVATE}seenMids"].discard(transceiver.mid)
            transceiver._set_mid(None)  # type: ignore[arg-type]
            transceiver._set_mline_index(None)  # type: ignore[arg-type]
    private[f"{_PRIVATE}pendingLocalDescription"] = None
    getattr(connection, f"{_PRIVATE}setSignalingState")("stable")


@contextmanager
def own_lines_apart(connection: RTCPeerConnection) -> Iterator[None]:
    """While an offer is applied and answered: own lines that were never negotiated are not there, so that it cannot take them."""
    transceivers: list[RTCRtpTransceiver] = vars(connection)[f"{_PRIVATE}transceivers"]
    waiting = [transceiver for transceiver in transceivers if transceiver.mid is None]
    transceivers[:] = [transceiver for transceiver in transceivers if transceiver.mid is not None]
    try:
        yield
    finally:
        transceivers.extend(waiting)
