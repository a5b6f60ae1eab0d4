"""A business that answers every call and says back what it hears: a webhook in, `accept` out, sound both ways.

Usage: echo_business.py DEV_JSON [PORT], beside `pagecalls serve --webhook http://127.0.0.1:PORT/webhook` (see README.md).
"""

import asyncio
import hashlib
import hmac
import json
import sys
from pathlib import Path

from aiohttp import ClientSession, web
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

dev = json.loads(Path(sys.argv[1]).expanduser().read_text())
calls: dict[str, RTCPeerConnection] = {}
jobs: set[asyncio.Task[None]] = set()


async def answer(call_id: str) -> None:
    """Accept the call: our offer goes out with the request, the server's answer comes back with the response."""
    calls[call_id] = peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    mouth = peer.addTrack(AudioStreamTrack())
    peer.on("track", mouth.replaceTrack)  # the echo: say what is heard
    await peer.setLocalDescription(await peer.createOffer())
    offer = {"sdp_type": "offer", "sdp": peer.localDescription.sdp}
    request = {"platform": "messenger", "action": "accept", "call_id": call_id, "session": offer}
    headers = {"Authorization": f"Bearer {dev['page']['access_token']}"}
    url = f"{dev['base_url']}/v26.0/{dev['page']['id']}/calls"
    async with ClientSession(headers=headers) as http, http.post(url, json=request) as response:
        reply = await response.json()
    if "error" in reply:
        print("not accepted:", reply["error"]["message"])
        return
    sdp = reply["session"]["sdp_response"]["sdp"]
    await peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
    print("answered", call_id)


async def webhook(request: web.Request) -> web.Response:
    """Take an event at once and do the work afterwards: the server waits for this response."""
    body = await request.read()
    signature = "sha256=" + hmac.new(dev["app"]["secret"].encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, request.headers.get("X-Hub-Signature-256", "")):
        return web.Response(status=403)
    call = json.loads(body)["entry"][0]["calls"][0]
    if call["event"] == "connect" and call["call_direction"] == "user_initiated":
        jobs.add(job := asyncio.create_task(answer(call["id"])))
        job.add_done_callback(jobs.discard)
    elif call["event"] == "terminate" and call["id"] in calls:
        await calls.pop(call["id"]).close()
        print("ended", call["id"], call["status"], f"{call.get('duration', 0)} s")
    return web.Response()


async def verify(request: web.Request) -> web.Response:
    """The handshake of `POST /{app_id}/subscriptions`; `pagecalls serve --webhook` subscribes without it."""
    is_ours = request.query.get("hub.verify_token") == dev["verify_token"]
    return web.Response(text=request.query.get("hub.challenge", "")) if is_ours else web.Response(status=403)


if __name__ == "__main__":
    app = web.Application()
    app.add_routes([web.post("/webhook", webhook), web.get("/webhook", verify)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]) if len(sys.argv) > 2 else 9000)
