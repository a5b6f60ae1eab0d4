"""What a page's `stats` returns, as values: the names of `peer.js` on one side, those of `base.py` on the other."""

from __future__ import annotations

from typing import Any

from pagecalls.demo.peers.base import (
    CandidatePair,
    DtlsState,
    IceState,
    InboundStats,
    PeerStats,
    VideoCodec,
    VideoReceived,
    VideoSent,
)
from pagecalls.demo.peers.descriptions import msids_by_mid


def stats_of(entry: Any) -> PeerStats:
    """All of it."""
    pair = entry["pair"]
    msids = msids_by_mid(entry["remoteSdp"])
    return PeerStats(
        ice=IceState(entry["ice"]),
        dtls=DtlsState(entry["dtls"]),
        ice_connected_at=entry["iceConnectedAt"],
        connected_at=entry["connectedAt"],
        selected_pair=CandidatePair(local=pair["local"], remote=pair["remote"]) if pair else None,
        packets_sent=entry["sent"],
        inbound=tuple(_inbound(stream, msids) for stream in entry["inbound"]),
        video_sent=tuple(_video_sent(stream) for stream in entry["videoSent"]),
        available_bps=entry["available"],
    )


def _inbound(entry: Any, msids: dict[str, str]) -> InboundStats:
    return InboundStats(
        mid=entry["mid"],
        ssrc=entry["ssrc"],
        packets_received=entry["received"],
        packets_lost=entry["lost"],
        jitter_s=entry["jitter"],
        audio_energy=entry["energy"],
        msid=msids.get(entry["mid"]),
        video=_video_received(entry["video"]) if entry["video"] else None,
    )


def _video_received(entry: Any) -> VideoReceived:
    return VideoReceived(
        codec=_codec(entry["codec"]),
        frames_decoded=entry["decoded"],
        key_frames_decoded=entry["keyFrames"],
        freezes=entry["freezes"],
        width=entry["width"],
        height=entry["height"],
        plis=entry["plis"],
        firs=entry["firs"],
        nacks=entry["nacks"],
        repeats=entry["repeats"],
    )


def _video_sent(entry: Any) -> VideoSent:
    return VideoSent(
        mid=entry["mid"],
        ssrc=entry["ssrc"],
        codec=_codec(entry["codec"]),
        frames_encoded=entry["encoded"],
        key_frames_encoded=entry["keyFrames"],
        target_bps=entry["target"],
        limited_by=entry["limitedBy"],
        plis=entry["plis"],
        firs=entry["firs"],
        nacks=entry["nacks"],
    )


def _codec(mime_type: str | None) -> VideoCodec | None:
    return VideoCodec(mime_type.partition("/")[2].upper()) if mime_type else None
