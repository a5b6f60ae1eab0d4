"""Our own engine as a server under test: a release build, driven over its control socket with the server's commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.load import SERVER_CORE, Leg, Load, Stream, built, on_core
from bench.rig import Traffic
from pagecalls.media.process import EngineProcess, EngineSettings
from pagecalls.media.protocol import (
    CallRoute,
    Codec,
    Extensions,
    Fingerprint,
    LegApply,
    Output,
    RecvTrack,
    Remote,
    Route,
    SendTrack,
    Timers,
    TrackRef,
)

AUDIO = [Codec(key="opus/48000/2", pt=111), Codec(key="telephone-event/48000", pt=110)]
VIDEO = [Codec(key="vp8/90000", pt=96, rtx_pt=97)]
FEEDBACK = ["nack", "nack pli", "transport-cc"]
EXTENSIONS = Extensions(mid=4, level=1)
VIDEO_EXTENSIONS = Extensions(mid=4, twcc=3)
OUT_SSRC = 0x1000_0000
RTX_SSRC = 0x2000_0000


@dataclass(slots=True)
class EngineServer:
    """A running engine; `made` counts its calls."""

    engine: EngineProcess
    name: str = "engine"
    peers_at: None = None
    made: int = 0

    @property
    def pid(self) -> int:
        """Of the engine."""
        return self.engine.hello.pid

    async def add(self, count: int, load: Load, traffic: Traffic) -> list[Leg]:
        """Calls of two legs, routed both ways."""
        numbers = range(self.made, self.made + count)
        self.made += count
        return [leg for number in numbers for leg in await self._call(number, load, traffic)]

    async def _call(self, number: int, load: Load, traffic: Traffic) -> list[Leg]:
        call, names = str(number), (f"{number}-a", f"{number}-b")
        await self.engine.call_create(call)
        made = await asyncio.gather(*(self.engine.leg_create(call, name) for name in names))
        sent = [_streams(traffic, 4 * number + 1 + 2 * side) for side in (0, 1)]
        tracks = range(len(sent[0]))
        routes = [
            Route(from_=TrackRef(leg=one, track=f"in{track}"), to=TrackRef(leg=other, track=f"out{track}"))
            for one, other in (names, names[::-1])
            for track in tracks
        ]
        fingerprint = Fingerprint(alg="sha-256", value=load.hello.fingerprint)
        await asyncio.gather(
            *(self.engine.leg_apply(_desired(name, streams, fingerprint)) for name, streams in zip(names, sent, strict=True)),
            self.engine.call_route(CallRoute(call=call, rev=1, routes=routes)),
        )
        place = self.engine.hello.candidates[0][0]
        server = f"{place.ip}:{place.port}"
        return [
            Leg(leg.ufrag, leg.pwd, f"peer-{name}", streams, server=server)
            for name, streams, leg in zip(names, sent, made, strict=True)
        ]


def _streams(traffic: Traffic, ssrc: int) -> list[Stream]:
    """Sound with its level, pictures with transport-wide numbers; nobody answers for these but the engine."""
    streams = traffic.streams(ssrc, level_id=EXTENSIONS.level or 0)
    twcc = VIDEO_EXTENSIONS.twcc or 0
    return [one if one.pt == AUDIO[0].pt else msgspec.structs.replace(one, level_id=0, twcc_id=twcc) for one in streams]


def _desired(name: str, streams: list[Stream], fingerprint: Fingerprint) -> LegApply:
    """A leg whose peer sends these streams and is sent as many."""
    return LegApply(
        leg=name,
        rev=1,
        remote=Remote(ufrag=f"peer-{name}", pwd="a password that nobody asks for", fingerprints=[fingerprint]),
        timers=Timers(),
        recv=[_recv(track, stream) for track, stream in enumerate(streams)],
        send=[_send(track, stream, name) for track, stream in enumerate(streams)],
    )


def _recv(track: int, stream: Stream) -> RecvTrack:
    if stream.pt == AUDIO[0].pt:
        return RecvTrack(track=f"in{track}", mid=str(track), kind="audio", ssrcs=[stream.ssrc], codecs=AUDIO, ext=EXTENSIONS)
    return RecvTrack(
        track=f"in{track}", mid=str(track), kind="video", ssrcs=[stream.ssrc], codecs=VIDEO, ext=VIDEO_EXTENSIONS, fb=FEEDBACK
    )


def _send(track: int, stream: Stream, name: str) -> SendTrack:
    ssrc, mid = OUT_SSRC + stream.ssrc, str(track)
    if stream.pt == AUDIO[0].pt:
        outputs = [Output(ssrc=ssrc, mid=mid)]
        return SendTrack(track=f"out{track}", kind="audio", cname=name, codecs=AUDIO, ext=EXTENSIONS, outputs=outputs)
    outputs = [Output(ssrc=ssrc, mid=mid, rtx_ssrc=RTX_SSRC + stream.ssrc)]
    return SendTrack(
        track=f"out{track}", kind="video", cname=name, codecs=VIDEO, ext=VIDEO_EXTENSIONS, fb=FEEDBACK, outputs=outputs
    )


@asynccontextmanager
async def engine_server(folder: Path) -> AsyncIterator[EngineServer]:
    """A running engine on the first core; its events are read and dropped, as is its log but for errors."""
    # As many calls as it can hold: the load or a core is to be the end.
    settings = EngineSettings(data_dir=folder, log_level="error", max_calls=2000, binary=built("pagecalls-media"))
    engine = EngineProcess(settings)
    with on_core(SERVER_CORE):
        await engine.start()
    drain = asyncio.create_task(_drain(engine))
    try:
        yield EngineServer(engine)
    finally:
        await engine.stop()
        await drain


async def _drain(engine: EngineProcess) -> None:
    async for event in engine.events():
        if event is None:
            raise RuntimeError("the engine was lost")
