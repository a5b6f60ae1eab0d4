"""A business that answers every call and says back what it hears: a webhook in, `accept` out, sound both ways.

Usage: echo_business.py DEV_JSON [PORT], beside `pagecalls serve --webhook http://127.0.0.1:PORT/webhook` (see README.md).
"""

import asyncio
import json
import sys
from pathlib import Path

from aiohttp import web
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from pagecalls.client import AsyncClient, Direction, GraphError, webhooks

dev = json.loads(Path(sys.argv[1]).expanduser().read_text())
page = AsyncClient(dev["page"]["access_token"], page_id=dev["page"]["id"], base_url=dev["base_url"])
calls: dict[str, RTCPeerConnection] = {}
jobs: set[asyncio.Task[None]] = set()


async def answer(call_id: str) -> None:
    """Accept the call: our offer goes out with the request, the server's answer comes back with the response."""
    calls[call_id] = peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    mouth = peer.addTrack(AudioStreamTrack())
    peer.on("track", mouth.replaceTrack)  # the echo: say what is heard
    await peer.setLocalDescription(await peer.createOffer())
    try:
        accepted = await page.accept(call_id, peer.localDescription.sdp)
    except GraphError as error:
        print("not accepted:", error.message)
        return
    await peer.setRemoteDescription(RTCSessionDescription(sdp=accepted.answer.sdp, type="answer"))
    print("answered", call_id)


async def webhook(request: web.Request) -> web.Response:
    """Take events at once and do the work afterwards: the server waits for this response."""
    try:
        signature = request.headers.get(webhooks.SIGNATURE_HEADER)
        events = webhooks.receive(dev["app"]["secret"], await request.read(), signature)
    except webhooks.BadSignature:
        return web.Response(status=403)
    for event in events:
        match event:
            case webhooks.Connect(call_id=call_id, direction=Direction.USER_INITIATED):
                jobs.add(job := asyncio.create_task(answer(call_id)))
                job.add_done_callback(jobs.discard)
            case webhooks.Terminate(call_id=call_id) if call_id in calls:
                await calls.pop(call_id).close()
                print("ended", call_id, event.outcome.value, f"{event.duration_s or 0} s")
            case _:
                pass
    return web.Response()


async def verify(request: web.Request) -> web.Response:
    """The handshake of `POST /{app_id}/subscriptions`; `pagecalls serve --webhook` subscribes without it."""
    try:
        return web.Response(text=webhooks.challenge(request.query, dev["verify_token"]))
    except webhooks.BadSignature:
        return web.Response(status=403)


async def close(_: web.Application) -> None:
    """Leave no connection open."""
    await page.close()


if __name__ == "__main__":
    app = web.Application()
    app.add_routes([web.post("/webhook", webhook), web.get("/webhook", verify)])
    app.on_cleanup.append(close)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]) if len(sys.argv) > 2 else 9000)
