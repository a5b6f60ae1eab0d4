"""A consumer who rings the Page, plays a tone and says what comes back.

Run it beside `pagecalls serve` and a business that answers, such as examples/echo_business; it reads that server's dev.json.
"""

import asyncio
import json
import math
import sys
from array import array
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack
from av import AudioFrame
from av.frame import Frame

TONE = array("h", (round(8000 * math.sin(2 * math.pi * 400 * n / 8000)) for n in range(160)))  # 20 ms of 400 Hz at 8 kHz


class Tone(AudioStreamTrack):
    """The tone, in place of the silence that its base class makes."""

    async def recv(self) -> Frame:
        """20 ms."""
        frame = await super().recv()
        if isinstance(frame, AudioFrame):
            frame.planes[0].update(TONE.tobytes())
        return frame


async def level_dbfs(track: MediaStreamTrack, seconds: float) -> float:
    """The mean level of the next seconds of a track; 0 is full scale."""
    total, count = 0.0, 0
    for _ in range(round(seconds / 0.02)):
        frame = await track.recv()
        if isinstance(frame, AudioFrame):
            samples = array("h", bytes(frame.planes[0])[: frame.samples * 4])  # stereo; a plane may be longer than its sound
            total, count = total + sum(sample * sample for sample in samples), count + len(samples)
    return 10 * math.log10(max(total / max(count, 1), 1) / 32768**2)


async def news(socket: ClientWebSocketResponse, wanted: str) -> dict[str, Any]:
    """Messages as they come, up to a notification of that name or the reply with that id."""
    while True:
        message = json.loads(await socket.receive_str())
        print(f"  {message.get('method') or 'reply to ' + str(message['id'])}")
        if "error" in message:
            sys.exit(message["error"]["data"]["message"])
        if wanted in (message.get("method"), message.get("id")):
            facts: dict[str, Any] = message.get("params") or message["result"]
            return facts
        if message.get("method") == "call.ended" and wanted == "call.connected":
            sys.exit(f"nobody answered: {message['params']['reason']}")


async def ring(dev: dict[str, Any]) -> None:
    """One call. `dev` is the server's dev.json."""
    base, page = dev["base_url"], dev["page"]["id"]
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTrack(Tone())
    await peer.setLocalDescription(await peer.createOffer())
    async with ClientSession() as http:
        async with http.post(f"{base}/consumer/v1/sessions", json={"page_id": page, "name": "Quickstart"}) as response:
            token = (await response.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with http.ws_connect(f"{base}/consumer/v1", protocols=["pagecalls.consumer.v1"], headers=headers) as socket:

            async def ask(method: str, **params: Any) -> dict[str, Any]:
                await socket.send_json({"jsonrpc": "2.0", "id": method, "method": method, "params": params})
                return await news(socket, method)

            started = await ask("call.start", page_id=page, session={"sdp_type": "offer", "sdp": peer.localDescription.sdp})
            await peer.setRemoteDescription(RTCSessionDescription(started["session"]["sdp_response"]["sdp"], "answer"))
            await news(socket, "call.connected")
            heard = peer.getReceivers()[0].track
            await level_dbfs(heard, 1)
            print(f"the answer comes back at {await level_dbfs(heard, 2):.0f} dBFS; -96 is silence")
            await ask("call.hangup", call_id=started["call_id"])
    await peer.close()


asyncio.run(ring(json.loads(Path(sys.argv[1]).expanduser().read_text())))
