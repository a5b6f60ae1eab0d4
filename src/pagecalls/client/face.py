"""What both clients are made of: the same construction, and the rule about second attempts."""

from __future__ import annotations

from pagecalls.client.wire import DEFAULT_VERSION, GRAPH_HOST, Wire

TIMEOUT_S = 10.0
"""For a whole request. The contract lets the server take 8 s (messenger-calling 2)."""
CONNECT_TIMEOUT_S = 5.0
IDLE_CONNECTION_S = 15.0
"""How long an unused connection is kept. Servers keep theirs longer, so that one seldom closes just as a request leaves."""
LONGEST_REPLY_BYTES = 16 * 1024 * 1024


class Face:
    """Construction of a client.

    `token` is a Page's. `page_id` may be `me`, the token's own Page. With `app_secret`, requests carry `appsecret_proof`.
    `version` `None` leaves the version to the app's setting. `timeout_s` is for one attempt at a whole request, of which
    `connect_timeout_s` is for the connection. Raises `ValueError` for a token, version or URL that cannot be one.

    With `repeats`, a request whose answer got lost is sent once more if the contract makes that harmless (`Request.may_repeat`);
    nothing else is ever sent twice.
    """

    def __init__(
        self,
        token: str,
        *,
        page_id: str = "me",
        app_secret: str | None = None,
        version: str | None = DEFAULT_VERSION,
        base_url: str = GRAPH_HOST,
        timeout_s: float = TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        repeats: bool = True,
    ) -> None:
        self._wire = Wire(token, page_id, app_secret, version, base_url)
        self._timeout_s = timeout_s
        self._connect_timeout_s = min(connect_timeout_s, timeout_s)
        self._repeats = repeats
