"""The demo: a business app, a consumer's device and foreign WebRTC peers that make real calls through a server."""
