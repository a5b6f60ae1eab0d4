"""WebRTC peers that are independent of our engine, and the measurement of the sound they hear.

A peer is an endpoint that speaks only SDP text to its driver (`base.Peer`). Three kinds: aiortc in this process,
and pages of headless Chromium and Firefox. Nothing here imports the server; the demo and the interop tests drive it.
"""
