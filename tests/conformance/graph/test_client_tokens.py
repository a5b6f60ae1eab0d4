"""The typed client's reports, features, tokens and users against the Graph face, without a socket."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagecalls.client import errors as e
from pagecalls.client.grants import Account, Accounts, IssuedToken, TokenFacts, User
from pagecalls.client.reports import FeatureRequest, MetricsRequest
from pagecalls.client.requests import AnyRequest, Request
from pagecalls.client.results import Feature, Features, Reported
from pagecalls.client.tokens import (
    AccountsRequest,
    AppProof,
    AppTokenRequest,
    CodeRequest,
    ExchangeRequest,
    InspectRequest,
    UserRequest,
)
from pagecalls.client.wire import HttpReply, Wire
from pagecalls.store.base import CallRecord, PageTask, Transaction, UserPage
from pagecalls.switchboard import oauth
from tests.conformance.graph.people import GRACE, GRACE_TOKEN, SCOPES, people
from tests.conformance.graph.test_metrics import OWNED, a_call
from tests.conformance.graph.world import APP, APP_TOKEN, EXPIRED_TOKEN, OTHER_PAGE, PAGE, PAGE_TOKEN, World

PROOF = AppProof(app_id=APP.id, app_secret=APP.secret)


@pytest.fixture(autouse=True)
async def filled(world: World) -> None:
    def work(tx: Transaction) -> None:
        people(tx)
        tx.put_call(CallRecord(a_call(OWNED, APP.id)))

    await world.store.write(work)


async def ask(world: World, request: AnyRequest, token: str = PAGE_TOKEN) -> object:
    wire = Wire(token, PAGE.id, APP.secret, "v26.0", "http://127.0.0.1:8080")
    http = wire.encode(request)
    reply = await world.ask(http.verb.value, http.target, http.headers, http.body or b"")
    core: Request[object] = request  # type: ignore[type-var]
    return wire.decode(core, HttpReply(reply.status, reply.content))  # type: ignore[type-var]


async def test_a_report(world: World) -> None:
    report = MetricsRequest(
        call_id=OWNED,
        reason="WebRTC_Error",
        ended_at=1_790_000_000.25,
        subreason="ice",
        first_audio_at=0,
        audio_stats={"jitter_sec": 0.5},
        video_stats={"frames": 3},
    )
    assert await ask(world, report) == Reported(OWNED)
    record = await world.store.read(lambda tx: tx.call_metrics(OWNED))
    assert record is not None
    assert (record.metrics.ended_at, record.metrics.end_subreason, record.metrics.first_audio_at) == (1_790_000_000.25, "ice", 0)
    with pytest.raises(e.MetricsError) as raised:
        await ask(world, report)
    assert raised.value.fault is e.MetricsFault.ALREADY_SUBMITTED
    with pytest.raises(e.UnknownCall):
        await ask(world, replace(report, call_id="c_nobody"))


async def test_features(world: World) -> None:
    found = await ask(world, FeatureRequest(names=("messenger_api_calling", "teleport")))
    assert found == Features((Feature("messenger_api_calling", True), Feature("teleport", False)))


async def test_from_a_code_to_a_page_token(world: World) -> None:
    code = (await world.services.oauth.make_code(oauth.CodeRequest(APP.id, GRACE.id, SCOPES))).code
    short = await ask(world, CodeRequest(app=PROOF, code=code))
    assert isinstance(short, IssuedToken)
    with pytest.raises(e.UnusableCode):
        await ask(world, CodeRequest(app=PROOF, code=code))
    lasting = await ask(world, ExchangeRequest(app=PROOF, token=short.access_token))
    assert isinstance(lasting, IssuedToken)
    assert (short.expires_in_s, lasting.expires_in_s) == (7200, 5_183_999)
    assert await ask(world, UserRequest(), lasting.access_token) == User(GRACE.id, "Grace")
    accounts = await ask(world, AccountsRequest(), lasting.access_token)
    assert isinstance(accounts, Accounts)
    (page,) = accounts.pages
    assert page == Account(PAGE.id, PAGE.name, page.access_token, ("MESSAGING", "MANAGE"))
    facts = await ask(world, InspectRequest(token=page.access_token), page.access_token)
    assert isinstance(facts, TokenFacts)
    assert (facts.kind, facts.page_id, facts.user_id, facts.expires_at) == ("PAGE", PAGE.id, GRACE.id, None)
    assert facts.scopes == tuple(sorted(SCOPES))


async def test_accounts_in_pages(world: World) -> None:
    await world.store.write(lambda tx: tx.put_user_page(UserPage(GRACE.id, OTHER_PAGE.id, (PageTask.MANAGE,))))
    first = await ask(world, AccountsRequest(limit=1), GRACE_TOKEN)
    assert isinstance(first, Accounts)
    assert first.after is not None
    second = await ask(world, AccountsRequest(limit=1, after=first.after), GRACE_TOKEN)
    assert isinstance(second, Accounts)
    assert [page.id for page in (*first.pages, *second.pages)] == [PAGE.id, OTHER_PAGE.id]
    assert second.after is None


async def test_an_app_and_its_tokens(world: World) -> None:
    own = await ask(world, AppTokenRequest(app=PROOF))
    assert isinstance(own, IssuedToken)
    assert own.expires_in_s is None
    facts = await ask(world, InspectRequest(token=EXPIRED_TOKEN), own.access_token)
    assert isinstance(facts, TokenFacts)
    assert (facts.is_valid, facts.kind, facts.scopes) == (False, "PAGE", ())
    assert facts.fault is not None
    assert "expired" in facts.fault
    assert await ask(world, InspectRequest(token="garbage"), APP_TOKEN) == TokenFacts(
        False, fault="Invalid OAuth access token - Cannot parse access token"
    )


@pytest.mark.parametrize(
    ("request_", "token", "error"),
    [
        (AppTokenRequest(app=AppProof(app_id="404", app_secret="x")), PAGE_TOKEN, e.UnknownApp),
        (AppTokenRequest(app=AppProof(app_id=APP.id, app_secret="x")), PAGE_TOKEN, e.WrongClientSecret),
        (CodeRequest(app=PROOF, code=""), PAGE_TOKEN, e.MissingParameter),
        (ExchangeRequest(app=PROOF, token="garbage"), PAGE_TOKEN, e.BadToken),
        (InspectRequest(token=GRACE_TOKEN), PAGE_TOKEN, e.UninspectableToken),
        (AccountsRequest(), PAGE_TOKEN, e.UnknownPath),
        (UserRequest(), APP_TOKEN, e.CurrentUserUnknown),
    ],
)
async def test_refusals(world: World, request_: AnyRequest, token: str, error: type[e.GraphError]) -> None:
    with pytest.raises(e.GraphError) as raised:
        await ask(world, request_, token)
    assert type(raised.value) is error
