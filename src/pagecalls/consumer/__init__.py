"""The consumer's side: JSON-RPC over a WebSocket (consumer-protocol)."""
