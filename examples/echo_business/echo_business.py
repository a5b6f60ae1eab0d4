"""A business that answers every call and says back what it hears: webhook in, `accept` out, sound both ways.

Run it beside `pagecalls serve --webhook http://127.0.0.1:9000/webhook`; it reads that server's dev.json.
"""

import asyncio
import hashlib
import hmac
import json
import sys
from pathlib import Path

from aiohttp import ClientSession, web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack

dev = json.loads(Path(sys.argv[1]).expanduser().read_text())
calls: dict[str, RTCPeerConnection] = {}


class Echo(AudioStreamTrack):
    """Silence until there is somebody to echo."""

    source: MediaStreamTrack | None = None

    async def recv(self):
        return await (self.source.recv() if self.source else super().recv())


async def answer(call_id: str) -> None:
    calls[call_id] = peer = RTCPeerConnection()
    echo = Echo()
    peer.addTrack(echo)
    peer.on("track", lambda track: setattr(echo, "source", track))
    await peer.setLocalDescription(await peer.createOffer())
    offer = {"sdp_type": "offer", "sdp": peer.localDescription.sdp}
    body = {"action": "accept", "call_id": call_id, "platform": "messenger", "session": offer}
    url, headers = f"{dev['base_url']}/v26.0/me/calls", {"Authorization": f"Bearer {dev['page']['access_token']}"}
    async with ClientSession() as http, http.post(url, json=body, headers=headers) as response:
        reply = await response.json()
    if not reply.get("success"):
        print("not accepted:", reply["error"]["message"])
        return
    await peer.setRemoteDescription(RTCSessionDescription(reply["session"]["sdp_response"]["sdp"], "answer"))
    print("answered", call_id)


async def webhook(request: web.Request) -> web.Response:
    body = await request.read()
    expected = "sha256=" + hmac.new(dev["app"]["secret"].encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("X-Hub-Signature-256", "")):
        return web.Response(status=403)
    call = json.loads(body)["entry"][0]["calls"][0]
    if call["event"] == "connect" and call["call_direction"] == "user_initiated":
        request.app["jobs"].add(asyncio.create_task(answer(call["id"])))
    elif call["event"] == "terminate" and call["id"] in calls:
        await calls.pop(call["id"]).close()
        print("ended", call["id"], call["status"], f"{call.get('duration', 0)} s")
    return web.Response()


async def verify(request: web.Request) -> web.Response:
    is_ours = request.query.get("hub.verify_token") == dev["verify_token"]
    return web.Response(text=request.query["hub.challenge"]) if is_ours else web.Response(status=403)


app = web.Application()
app["jobs"] = set()
app.add_routes([web.post("/webhook", webhook), web.get("/webhook", verify)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]) if len(sys.argv) > 2 else 9000, print=None)
