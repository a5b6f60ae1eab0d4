"""Any row of grants, requests, answers, calls and time: never more than two requests in any day, and a permission that only a
revocation shortens. The model beside it says what each step must give (messenger-calling 8.2 to 8.4)."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagecalls.call.messages import Draft, Template
from pagecalls.clock import SteppedClock
from pagecalls.errors import CallError, OutsideWindow, PermissionHeld, RequestClosed, RequestRateReached
from pagecalls.media.fake import FakeEngine
from pagecalls.store.base import Consumer, Page, Transaction
from pagecalls.store.sqlite import SqliteStore
from pagecalls.switchboard.base import Caller, DeviceIdentity
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.consumers import Consumers
from pagecalls.switchboard.devices import Devices
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.messages import Messages, SendRequest
from pagecalls.switchboard.permissions import Permissions
from pagecalls.types import AppId, DeviceId, PageId, Platform, Psid, SdpType, Session

DAY_S, WEEK_S = 86_400.0, 604_800.0
PAGE, PSID = PageId("1001"), Psid("2002")
CALLER = Caller(AppId("9001"), PAGE)
ADA = DeviceIdentity(DeviceId("d1"), PSID, PAGE, Platform.MESSENGER, "Ada")
OFFER = Session(SdpType.OFFER, (Path(__file__).parents[1] / "data" / "sdp" / "chrome-156-audio-offer.sdp").read_text())

STEPS = st.one_of(
    st.tuples(st.just("ask"), st.booleans()),
    st.tuples(st.just("reply"), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 3600.0, DAY_S - 1, DAY_S, WEEK_S - DAY_S, WEEK_S])),
    st.tuples(st.just("grant"), st.sampled_from([1.0, DAY_S, 30 * DAY_S])),
    st.tuples(st.just("say")),
    st.tuples(st.just("miss")),
    st.tuples(st.just("revoke")),
)


@dataclass
class Model:
    """What must be so."""

    now: float = 0.0
    contact: float | None = None
    expires_at: float | None = None
    sent: list[float] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    """Of each request, oldest first: open, answered or replaced."""

    @property
    def usage(self) -> int:
        return len([at for at in self.sent if at > self.now - DAY_S])

    @property
    def is_held(self) -> bool:
        return self.expires_at is not None and self.now < self.expires_at

    def granted(self, ttl_s: float = WEEK_S) -> None:
        self.expires_at = max(self.expires_at or 0.0, self.now + ttl_s)

    def refusal_of_asking(self, is_human: bool) -> type[CallError] | None:
        if self.contact is None or self.now >= self.contact + (WEEK_S if is_human else DAY_S):
            return OutsideWindow
        if self.is_held:
            return PermissionHeld
        return RequestRateReached if self.usage >= 2 else None


class Talk:
    """The real thing, and the model beside it."""

    def __init__(self, store: SqliteStore) -> None:
        self.clock = SteppedClock(1e9)
        self.model = Model(now=self.clock.now())
        self.calls = Calls(store, FakeEngine(self.clock), self.clock, Ids(random.Random(1)), Journal(self.clock), Devices())
        self.permissions, self.messages = Permissions(self.calls), Messages(self.calls)
        self.consumers = Consumers(self.calls, self.messages, self.permissions)
        self.requests: list[str] = []

    async def ask(self, is_human: bool) -> None:
        expected = self.model.refusal_of_asking(is_human)
        request = SendRequest(PSID, Draft(template=Template.CALLING_OPTIN), is_human_agent=is_human)
        if expected is not None:
            with pytest.raises(expected):
                await self.messages.send(CALLER, request)
            return
        request_id = await self.messages.send(CALLER, request)
        self.requests.append(request_id)
        self.model.sent.append(self.model.now)
        self.model.states = ["replaced" if state == "open" else state for state in self.model.states] + ["open"]

    async def reply(self, back: int, is_approved: bool) -> None:
        index = len(self.requests) - 1 - back
        request_id = self.requests[index] if index >= 0 else "m_unknown"
        is_open = index >= 0 and self.model.states[index] == "open" and self.model.now < self.model.sent[index] + WEEK_S
        if not is_open:
            with pytest.raises(RequestClosed):
                await self.permissions.reply(ADA, request_id, is_approved)
            return
        reply = await self.permissions.reply(ADA, request_id, is_approved)
        self.model.states[index] = "answered"
        self.model.contact = self.model.now
        if is_approved:
            self.model.granted()
        assert reply.expires_at == (self.model.expires_at if is_approved else None)

    async def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.model.now = self.clock.now()

    async def grant(self, ttl_s: float) -> None:
        self.model.granted(ttl_s)
        assert await self.permissions.grant(PAGE, PSID, ttl_s) == self.model.expires_at

    async def say(self) -> None:
        await self.messages.receive(ADA, PAGE, "Hello")
        self.model.contact = self.model.now

    async def miss(self) -> None:
        """The consumer calls and gives up."""
        started = await self.consumers.call_start(ADA, PAGE, OFFER, ())
        await self.consumers.call_hangup(ADA, started.call_id)
        started.release()
        await self.calls.settled()
        self.model.contact = self.model.now
        self.model.granted()

    async def revoke(self) -> None:
        await self.permissions.revoke_own(ADA, PAGE)
        self.model.expires_at = None

    async def check(self) -> None:
        model, facts = self.model, await self.permissions.read(PAGE, PSID)
        assert facts.requests_in_24h == model.usage <= 2
        assert (facts.has_permission, facts.expires_at) == (model.is_held, model.expires_at if model.is_held else None)
        assert facts.can_call is model.is_held
        assert facts.can_request is (not model.is_held and model.usage < 2)
        for at in model.sent:
            assert len([other for other in model.sent if at <= other < at + DAY_S]) <= 2


def fill(tx: Transaction) -> None:
    tx.put_page(Page(PAGE, "Tea House"))
    tx.put_consumer(Consumer(PSID, PAGE, Platform.MESSENGER, "Ada"))


async def play(steps: list[tuple[object, ...]]) -> None:
    store = SqliteStore.open(None)
    try:
        await store.write(fill)
        talk = Talk(store)
        for name, *arguments in steps:
            before = talk.model.expires_at
            await getattr(talk, str(name))(*arguments)
            await talk.check()
            if name != "revoke":
                assert (talk.model.expires_at or 0.0) >= (before or 0.0)
    finally:
        await store.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_any_row_of_steps(steps: list[tuple[object, ...]]) -> None:
    asyncio.run(play(steps))
