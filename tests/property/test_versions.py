"""The version protocol with a client that keeps to the guide, under every order of requests, webhooks and lost replies.

The client counts as the guide says: one more for each offer of its own that was applied, and for each webhook. The server counts
by
`judge`. Messages between them are late and in any order that the moves make. What must hold: the server never applies an offer
that was made without knowing a change of the consumer, it never answers a repeat as something new, and a client that handles what
it has received and tries again always gets through.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pagecalls.call.versions import Advance, Collided, Counter, Repeated, judge
from pagecalls.errors import MediaConflict


@dataclass
class Request:
    """An offer on its way to the server. `knows`: the offers of the server that it was made upon."""

    advance: Advance
    digest: str
    knows: int


@dataclass
class Client:
    """The business: its own counter, and how many of the server's offers it has applied."""

    version: int = 0
    applied: int = 0
    pending: Request | None = None
    made: int = 0


@dataclass
class Server:
    """The counter, and what the server has done."""

    counter: Counter = field(default_factory=Counter)
    offers: int = 0
    digests: list[str] = field(default_factory=list)
    replies: dict[str, int] = field(default_factory=dict)


class Protocol(RuleBasedStateMachine):
    """One call's life of media updates."""

    def __init__(self) -> None:
        super().__init__()
        self.server, self.client = Server(), Client()
        self.webhooks: deque[int] = deque()
        self.seen = [0]

    @rule()
    def consumer_changes(self) -> None:
        """The server takes the lock for the consumer; its webhook is on the way."""
        self.server.counter = self.server.counter.offered()
        self.server.offers += 1
        self.webhooks.append(self.server.counter.current)

    @precondition(lambda self: self.webhooks)
    @rule()
    def webhook_arrives(self) -> None:
        version = self.webhooks.popleft()
        self.client.applied += 1
        self.client.version = max(self.client.version + 1, version)

    @precondition(lambda self: self.client.pending is None)
    @rule()
    def client_makes_an_offer(self) -> None:
        client = self.client
        client.made += 1
        advance = Advance(client.version, client.version + 1)
        client.pending = Request(advance, f"offer {client.made}", client.applied)

    @precondition(lambda self: self.client.pending is not None)
    @rule(is_reply_lost=st.booleans())
    def request_arrives(self, is_reply_lost: bool) -> None:
        """A lost reply leaves the request pending: the client sends it again."""
        request = self.client.pending
        assert request is not None
        server = self.server
        verdict = judge(server.counter, request.advance, request.digest)
        match verdict:
            case Counter():
                assert request.digest not in server.replies, "applied twice"
                assert request.knows == server.offers, "applied over a change that the client had not seen"
                server.counter = verdict
                server.replies[request.digest] = verdict.current
                reply = verdict.current
            case Repeated():
                reply = server.replies[request.digest]
            case Collided():
                assert request.knows < server.offers
                if not is_reply_lost:
                    self.client.pending = None
                return
        self.seen.append(server.counter.current)
        if not is_reply_lost:
            self.client.version = max(self.client.version, reply)
            self.client.pending = None

    @invariant()
    def a_client_that_is_up_to_date_gets_through(self) -> None:
        if self.webhooks or self.client.pending is not None:
            return
        assert self.client.version == self.server.counter.current
        verdict = judge(self.server.counter, Advance(self.client.version, self.client.version + 1), "the next")
        assert isinstance(verdict, Counter)

    @invariant()
    def numbers_only_grow(self) -> None:
        assert self.seen == sorted(self.seen)


TestProtocol = Protocol.TestCase

advances = st.none() | st.builds(Advance, st.integers(0, 9), st.integers(0, 9))


@given(st.lists(st.tuples(advances, st.sampled_from(["X", "Y"]), st.booleans()), max_size=12))
def test_any_requests_at_all(requests: list[tuple[Advance | None, str, bool]]) -> None:
    """Whatever comes: V never falls, and a number that was used for one thing is never used for another."""
    counter = Counter()
    used: dict[int, tuple[Advance | None, str]] = {}
    for advance, digest, is_ours in requests:
        before = counter
        if is_ours:
            counter = counter.offered()
        else:
            try:
                verdict = judge(counter, advance, digest)
            except MediaConflict:
                continue
            if isinstance(verdict, Counter):
                counter = verdict
            else:
                assert advance is not None
                continue
        assert counter.current > before.current
        assert counter.current not in used
        used[counter.current] = (advance, digest)
