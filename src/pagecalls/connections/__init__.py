"""What one connection may take: how long, how much, and how many of them. uvicorn's protocols with the bounds that they lack.

uvicorn waits for ever for a request's head and body, for a peer that reads nothing, and for a WebSocket that never gets past its
handshake; it takes heads of any size, any number of requests in advance, and handles a whole buffer of small frames at one go.
Here each of these has an end (decision 65). Knows no path, no token and no face; what a request means is decided behind it.
"""
