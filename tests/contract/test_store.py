"""The contract of the store, on every implementation: SQLite on a file and in memory, and the model that serves as oracle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagecalls.call.settings import CallSettings
from pagecalls.call.states import CallState, EndReason
from pagecalls.errors import TokenFault
from pagecalls.store.base import (
    App,
    AppSubscription,
    Attempt,
    CallButton,
    Consumer,
    ConsumerToken,
    DropReason,
    FailingReceiver,
    Hold,
    LiveCallExists,
    OutboxKey,
    Page,
    PageSubscription,
    Store,
    Token,
    TokenFilter,
    TokenKind,
    Transaction,
    User,
    WebhookKind,
    about,
)
from pagecalls.store.base.deliveries import KEPT_ATTEMPTS
from pagecalls.types import (
    AppId,
    CallHours,
    CallId,
    Day,
    DeviceId,
    Direction,
    OpenHours,
    PageId,
    Platform,
    Psid,
    RingTarget,
    UserId,
)
from tests.contract.store_samples import APP, NOW, OTHER_APP, PAGE, PSID, PSIDS, a_call, a_row, ready_rows

KINDS = (WebhookKind.CONNECT, WebhookKind.TERMINATE)
ADA = User(UserId("7"), "Ada", NOW)


class Refused(Exception):
    """What a unit of work of these tests raises."""


# --- the unit of work -------------------------------------------------------------------------------------------------


async def test_a_write_gives_back_its_result_and_is_read_afterwards(store: Store) -> None:
    def work(transaction: Transaction) -> str:
        transaction.put_user(ADA)
        return "done"

    assert await store.write(work) == "done"
    assert await store.read(lambda transaction: transaction.user(ADA.id)) == ADA


async def test_a_unit_that_raises_leaves_nothing_behind(store: Store) -> None:
    def work(transaction: Transaction) -> None:
        transaction.put_user(ADA)
        transaction.put_call(a_call("c_1"))
        raise Refused

    with pytest.raises(Refused):
        await store.write(work)
    assert await store.read(lambda transaction: (transaction.user(ADA.id), transaction.live_calls())) == (None, [])


async def test_a_unit_sees_its_own_writes(store: Store) -> None:
    def work(transaction: Transaction) -> User | None:
        transaction.put_user(ADA)
        return transaction.user(ADA.id)

    assert await store.write(work) == ADA


async def test_a_unit_goes_on_after_a_refused_second_call(store: Store) -> None:
    def work(transaction: Transaction) -> None:
        transaction.put_call(a_call("c_1"))
        with pytest.raises(LiveCallExists):
            transaction.put_call(a_call("c_2"))
        transaction.put_user(ADA)

    await store.write(work)
    assert await store.read(lambda transaction: [record.call.id for record in transaction.live_calls()]) == ["c_1"]
    assert await store.read(lambda transaction: transaction.user(ADA.id)) == ADA


async def test_closing_twice_is_closing_once(store: Store) -> None:
    await store.close()
    await store.close()


# --- apps, Pages, tokens ----------------------------------------------------------------------------------------------


async def test_apps_come_back_whole_and_in_order(store: Store) -> None:
    app = App(AppId("0999"), "Näme", "s3cret", default_version="v25.0", require_proof=True)
    await store.write(lambda transaction: transaction.put_app(app))
    assert await store.read(lambda transaction: transaction.app(app.id)) == app
    assert [each.id for each in await store.read(lambda transaction: transaction.apps("", 9))] == [app.id, APP, OTHER_APP]
    assert await store.read(lambda transaction: transaction.app(AppId("404"))) is None


async def test_an_app_with_tokens_can_be_replaced(store: Store) -> None:
    token = Token("d1", TokenKind.APP, APP, None, frozenset())
    await store.write(lambda transaction: transaction.put_token(token))
    renamed = App(APP, "renamed", "other secret")
    await store.write(lambda transaction: transaction.put_app(renamed))
    assert await store.read(lambda transaction: (transaction.app(APP), transaction.token("d1"))) == (renamed, token)


async def test_pages_come_back_whole(store: Store) -> None:
    page = Page(PAGE, "Renamed", is_calling_eligible=False)
    await store.write(lambda transaction: transaction.put_page(page))
    assert await store.read(lambda transaction: transaction.page(PAGE)) == page
    assert await store.read(lambda transaction: transaction.page(PageId("404"))) is None


@pytest.mark.parametrize("kind", list(TokenKind))
async def test_tokens_come_back_whole(store: Store, kind: TokenKind) -> None:
    page_id = PAGE if kind is TokenKind.PAGE else None
    await store.write(lambda transaction: transaction.put_user(ADA))
    scopes = frozenset({"pages_messaging", "pages_show_list"})
    token = Token("d1", kind, APP, page_id, scopes, NOW + 0.25, user_id=ADA.id, issued_at=NOW)
    await store.write(lambda transaction: transaction.put_token(token))
    assert await store.read(lambda transaction: transaction.token("d1")) == token
    revoked = replace(token, fault=TokenFault.REVOKED, expires_at=None)
    await store.write(lambda transaction: transaction.put_token(revoked))
    assert await store.read(lambda transaction: transaction.token("d1")) == revoked
    assert await store.read(lambda transaction: transaction.token("d2")) is None


async def test_lists_are_paged_in_order_of_id(store: Store) -> None:
    third = App(AppId("1003"), "third", "secret", created_at=NOW)
    page, users = Page(PageId("2002"), "B", may_call_consumers=False, created_at=NOW), [User(UserId(n), n, NOW) for n in "12"]

    def work(transaction: Transaction) -> None:
        transaction.put_app(third)
        transaction.put_page(page)
        for user in users:
            transaction.put_user(user)

    await store.write(work)
    assert [each.id for each in await store.read(lambda transaction: transaction.apps("", 2))] == [APP, OTHER_APP]
    assert await store.read(lambda transaction: transaction.apps(OTHER_APP, 2)) == [third]
    assert [each.id for each in await store.read(lambda transaction: transaction.pages("", 1))] == [PAGE]
    assert await store.read(lambda transaction: transaction.pages(PAGE, 9)) == [page]
    assert await store.read(lambda transaction: (transaction.users("", 9), transaction.users("1", 9))) == (users, users[1:])
    assert await store.read(lambda transaction: transaction.user(UserId("2"))) == users[1]


async def test_tokens_are_listed_by_what_they_are_for(store: Store) -> None:
    user = ADA
    made = [
        Token("a" * 64, TokenKind.PAGE, APP, PAGE, frozenset()),
        Token("b" * 64, TokenKind.SYSTEM_USER, APP, PAGE, frozenset(), user_id=user.id),
        Token("c" * 64, TokenKind.USER, OTHER_APP, None, frozenset(), user_id=user.id),
    ]

    def work(transaction: Transaction) -> None:
        transaction.put_user(user)
        for token in made:
            transaction.put_token(token)

    await store.write(work)

    async def listed(which: TokenFilter, after: str = "", limit: int = 9) -> list[Token]:
        return await store.read(lambda transaction: transaction.tokens(which, after, limit))

    assert await listed(TokenFilter()) == made
    assert await listed(TokenFilter(), made[0].digest, 1) == [made[1]]
    assert await listed(TokenFilter(app_id=APP)) == made[:2]
    assert await listed(TokenFilter(page_id=PAGE)) == made[:2]
    assert await listed(TokenFilter(user_id=user.id)) == made[1:]
    assert await listed(TokenFilter(kind=TokenKind.USER)) == made[2:]
    assert await listed(TokenFilter(app_id=APP, user_id=user.id)) == [made[1]]
    assert await store.read(lambda transaction: transaction.token_by_handle(made[1].handle)) == made[1]
    assert await store.read(lambda transaction: transaction.token_by_handle("d")) is None
    await store.write(lambda transaction: transaction.delete_token(made[1].digest))
    assert await listed(TokenFilter()) == [made[0], made[2]]


async def test_tokens_with_a_seed_are_found_by_user_app_and_end(store: Store) -> None:
    user = ADA
    made = Token("a" * 64, TokenKind.PAGE, APP, PAGE, frozenset(), user_id=user.id, seed="one")
    revoked = replace(made, digest="b" * 64, seed="two", fault=TokenFault.REVOKED)
    ending = replace(made, digest="c" * 64, seed="three", expires_at=NOW + 0.1)
    others = [replace(made, digest="d" * 64, seed=None), replace(made, digest="e" * 64, app_id=OTHER_APP)]

    def work(transaction: Transaction) -> None:
        transaction.put_user(user)
        for token in (made, revoked, ending, *others):
            transaction.put_token(token)

    await store.write(work)
    assert await store.read(lambda transaction: transaction.made_tokens(user.id, APP, None)) == [made, revoked]
    assert await store.read(lambda transaction: transaction.made_tokens(user.id, APP, NOW + 0.1)) == [ending]
    assert await store.read(lambda transaction: transaction.made_tokens(user.id, OTHER_APP, None)) == [others[1]]
    assert await store.read(lambda transaction: transaction.made_tokens(UserId("8"), APP, None)) == []


async def test_an_app_goes_with_all_that_hangs_on_it(store: Store) -> None:
    def work(transaction: Transaction) -> None:
        transaction.put_token(Token("d1", TokenKind.PAGE, APP, PAGE, frozenset()))
        transaction.put_token(Token("d2", TokenKind.PAGE, OTHER_APP, PAGE, frozenset()))
        transaction.put_app_subscription(subscription(APP))
        transaction.put_page_subscription(PageSubscription(APP, PAGE, ("calls",)))
        transaction.add_outbox([a_row("one"), a_row("two", app_id=OTHER_APP)])

    await store.write(work)
    assert await store.read(lambda transaction: transaction.owed_webhooks(APP)) == 1
    await store.write(lambda transaction: transaction.delete_app(APP))
    assert await store.read(lambda transaction: (transaction.app(APP), transaction.token("d1"))) == (None, None)
    assert await store.read(lambda transaction: [row.event_id for row in ready_rows(transaction)]) == ["two"]
    assert await store.read(lambda transaction: transaction.token("d2")) is not None
    assert not await store.read(lambda transaction: transaction.has_page_subscriber(PAGE, "calls"))


async def test_an_apps_webhooks_go_in_portions_and_what_is_owed_last(store: Store) -> None:
    held, taken = a_row("held", hold=Hold.HELD), [a_row(f"taken {number}") for number in range(3)]
    ids = await store.write(
        lambda transaction: transaction.add_outbox([held, *taken, a_row("fresh"), a_row("tried"), a_row("x", app_id=OTHER_APP)])
    )

    def settle(transaction: Transaction) -> None:
        for row_id in ids[1:4]:
            transaction.outbox_delivered(row_id, NOW)
        transaction.outbox_failed(ids[5], NOW + 5)

    await store.write(settle)

    async def forget(owed_too: bool, limit: int) -> int:
        return await store.write(lambda transaction: transaction.forget_app_webhooks(APP, owed_too, limit))

    assert [await forget(False, 2) for _ in range(3)] == [2, 1, 0]
    assert await store.read(lambda transaction: transaction.owed_webhooks(APP)) == 3
    assert [await forget(True, 2) for _ in range(2)] == [2, 1]
    assert await store.read(lambda transaction: transaction.owed_webhooks(APP)) == 0
    assert await store.read(lambda transaction: transaction.owed_webhooks(OTHER_APP)) == 1


async def test_a_page_and_a_user_go_with_their_tokens(store: Store) -> None:
    user, bare = ADA, Page(PageId("2002"), "Bare")

    def work(transaction: Transaction) -> None:
        transaction.put_user(user)
        transaction.put_page(bare)
        transaction.put_token(Token("d1", TokenKind.PAGE, APP, bare.id, frozenset()))
        transaction.put_token(Token("d2", TokenKind.USER, APP, None, frozenset(), user_id=user.id))
        transaction.put_page_subscription(PageSubscription(APP, bare.id, ("calls",)))
        transaction.put_call_settings(bare.id, CallSettings())

    await store.write(work)
    await store.write(lambda transaction: transaction.delete_page(bare.id))
    assert await store.read(lambda transaction: (transaction.page(bare.id), transaction.token("d1"))) == (None, None)
    assert await store.read(lambda transaction: transaction.token("d2")) is not None
    await store.write(lambda transaction: transaction.delete_user(user.id))
    assert await store.read(lambda transaction: (transaction.user(user.id), transaction.token("d2"))) == (None, None)


# --- call settings ----------------------------------------------------------------------------------------------------


async def test_call_settings_are_kept_whole(store: Store) -> None:
    """Of each Page its own; what was never set, derived or always open, stays so."""
    hours = CallHours("Australia/Lord_Howe", (OpenHours(Day.SUNDAY, "0200", "2359"), OpenHours(Day.MONDAY, "0000", "0001")))
    assert await store.read(lambda transaction: transaction.call_settings(PAGE)) is None
    for settings in (
        CallSettings(False, False, False, RingTarget.PARTNERS, hours),
        CallSettings(call_hours=CallHours("UTC", ())),
    ):
        await store.write(lambda transaction, settings=settings: transaction.put_call_settings(PAGE, settings))  # type: ignore[misc]
        assert await store.read(lambda transaction: transaction.call_settings(PAGE)) == settings
    assert await store.read(lambda transaction: transaction.call_settings(PageId("2002"))) is None


# --- subscriptions ----------------------------------------------------------------------------------------------------


def subscription(app_id: AppId = APP, object_: str = "page", *fields: str, is_active: bool = True) -> AppSubscription:
    return AppSubscription(app_id, object_, f"http://127.0.0.1/{app_id}", "verify", fields or ("calls",), is_active)


async def test_app_subscriptions_are_one_per_object(store: Store) -> None:
    first, second = subscription(), subscription(APP, "instagram", "calls", "messages")
    for each in (first, second):
        await store.write(lambda transaction, put=each: transaction.put_app_subscription(put))  # type: ignore[misc]
    assert await store.read(lambda transaction: transaction.app_subscriptions(APP)) == [second, first]
    assert await store.read(lambda transaction: transaction.app_subscription(APP, first.object)) == first
    assert await store.read(lambda transaction: transaction.app_subscription(APP, "none")) is None
    assert await store.read(lambda transaction: transaction.app_subscription(OTHER_APP, first.object)) is None
    changed = subscription(APP, "page", "messages", is_active=False)
    await store.write(lambda transaction: transaction.put_app_subscription(changed))
    await store.write(lambda transaction: transaction.delete_app_subscription(APP, "instagram"))
    await store.write(lambda transaction: transaction.delete_app_subscription(APP, "user"))
    assert await store.read(lambda transaction: transaction.app_subscriptions(APP)) == [changed]
    assert await store.read(lambda transaction: transaction.app_subscriptions(OTHER_APP)) == []


async def test_page_subscriptions_are_one_per_app_and_page(store: Store) -> None:
    await store.write(lambda transaction: transaction.put_page_subscription(PageSubscription(APP, PAGE, ("b", "a"))))
    assert await store.read(lambda transaction: transaction.page_subscription(APP, PAGE)) == PageSubscription(
        APP, PAGE, ("b", "a")
    )
    await store.write(lambda transaction: transaction.put_page_subscription(PageSubscription(APP, PAGE, ("c",))))
    assert await store.read(lambda transaction: transaction.page_subscription(APP, PAGE)) == PageSubscription(APP, PAGE, ("c",))
    await store.write(lambda transaction: transaction.delete_page_subscription(APP, PAGE))
    assert await store.read(lambda transaction: transaction.page_subscription(APP, PAGE)) is None


async def test_a_subscriber_needs_the_field_at_both_levels_and_an_active_subscription(store: Store) -> None:
    third = AppId("1003")
    fourth = AppId("1004")

    def work(transaction: Transaction) -> None:
        for app_id in (third, fourth):
            transaction.put_app(App(app_id, "more", "secret"))
        for app_id in (OTHER_APP, APP, third, fourth):
            transaction.put_page_subscription(PageSubscription(app_id, PAGE, ("messages", "calls")))
        transaction.put_app_subscription(subscription(APP, "page", "calls"))
        transaction.put_app_subscription(subscription(OTHER_APP, "page", "calls"))
        transaction.put_app_subscription(subscription(third, "page", "messages"))
        transaction.put_app_subscription(subscription(third, "instagram", "calls"))
        transaction.put_app_subscription(subscription(fourth, "page", "calls", is_active=False))

    await store.write(work)
    assert await store.read(lambda transaction: transaction.subscribers(PAGE, "page", "calls")) == [APP, OTHER_APP]
    assert await store.read(lambda transaction: transaction.subscribers(PAGE, "instagram", "calls")) == [third]
    assert await store.read(lambda transaction: transaction.subscribers(PAGE, "page", "call")) == []
    await store.write(lambda transaction: transaction.put_page_subscription(PageSubscription(APP, PAGE, ("messages",))))
    assert await store.read(lambda transaction: transaction.subscribers(PAGE, "page", "calls")) == [OTHER_APP]


async def test_a_page_subscriber_counts_whatever_stands_at_app_level(store: Store) -> None:
    assert not await store.read(lambda transaction: transaction.has_page_subscriber(PAGE, "calls"))
    await store.write(lambda transaction: transaction.put_page_subscription(PageSubscription(APP, PAGE, ("calls",))))
    assert await store.read(lambda transaction: transaction.has_page_subscriber(PAGE, "calls"))
    assert not await store.read(lambda transaction: transaction.has_page_subscriber(PAGE, "messages"))
    assert not await store.read(lambda transaction: transaction.has_page_subscriber(PageId("404"), "calls"))


# --- consumers --------------------------------------------------------------------------------------------------------


async def test_consumers_and_their_tokens_come_back_whole(store: Store) -> None:
    consumer = Consumer(PSID, PAGE, Platform.INSTAGRAM, "Ünal")
    token = ConsumerToken("d9", PSID, PAGE, DeviceId("dev"), NOW + 1)
    await store.write(lambda transaction: transaction.put_consumer(consumer))
    await store.write(lambda transaction: transaction.put_consumer_token(token))
    assert await store.read(lambda transaction: transaction.consumer(PAGE, PSID)) == consumer
    assert await store.read(lambda transaction: transaction.consumer_token("d9")) == token
    assert await store.read(lambda transaction: transaction.consumer(PAGE, Psid("404"))) is None
    assert await store.read(lambda transaction: transaction.consumer_token("404")) is None


async def test_consumers_are_listed_in_order_of_page_and_id(store: Store) -> None:
    other = Page(PageId("2002"), "Other")
    far = Consumer(PSIDS[0], other.id, Platform.INSTAGRAM, "Far", created_at=NOW)
    await store.write(lambda transaction: transaction.put_page(other))
    await store.write(lambda transaction: transaction.put_consumer(far))

    async def listed(page_id: PageId | None, after: tuple[str, str] = ("", ""), limit: int = 9) -> list[tuple[PageId, Psid]]:
        found = await store.read(lambda transaction: transaction.consumers(page_id, after, limit))
        return [(each.page_id, each.psid) for each in found]

    every = [*((PAGE, psid) for psid in PSIDS), (other.id, PSIDS[0])]
    assert await listed(None) == every
    assert await listed(None, every[1], 2) == every[2:]
    assert await listed(PAGE, every[0]) == every[1:3]
    assert await listed(other.id) == every[3:]
    assert await store.read(lambda transaction: transaction.consumer(other.id, PSIDS[0])) == far


async def test_a_persons_tokens_are_listed(store: Store) -> None:
    made = [ConsumerToken(c * 64, PSID, PAGE, DeviceId(c), NOW + 9, NOW + n, n == 0) for n, c in enumerate("ba")]
    for each in made:
        await store.write(lambda transaction, put=each: transaction.put_consumer_token(put))  # type: ignore[misc]
    assert await store.read(lambda transaction: transaction.consumer_tokens(PAGE, PSID)) == made
    assert await store.read(lambda transaction: transaction.consumer_tokens(PAGE, PSIDS[1])) == []


async def test_an_erased_person_leaves_only_the_end_of_a_call_that_is_still_owed(store: Store) -> None:
    bare = a_row("bare", call_id=None, about=about(WebhookKind.CALL_PERMISSION_REPLY, PAGE, PSID))
    others = replace(bare, event_id="other's", about=about(WebhookKind.CALL_PERMISSION_REPLY, PAGE, PSIDS[1]))

    def work(transaction: Transaction) -> None:
        for psid in PSIDS[:2]:
            transaction.put_consumer_token(ConsumerToken(f"d{psid}", psid, PAGE, DeviceId("dev"), NOW + 9))
            transaction.put_permission(PAGE, psid, NOW + 9)
            transaction.put_call(a_call(f"c_{psid}", psid, CallState.COMPLETED, None))
            transaction.add_call_button(CallButton("m", PAGE, psid, "Call", NOW + 9))
            transaction.add_outbox(a_row(f"{kind} {psid}", call_id=f"c_{psid}", kind=kind) for kind in KINDS)
        taken = transaction.add_outbox([bare, others, replace(bare, event_id="owed")])
        for row_id in taken[:2]:
            transaction.outbox_delivered(row_id, NOW)

    await store.write(work)
    await store.write(lambda transaction: transaction.erase_consumer(PAGE, PSID))

    def left(transaction: Transaction) -> list[object]:
        kept = [transaction.consumer(PAGE, PSID), transaction.consumer_token(f"d{PSID}"), transaction.permission(PAGE, PSID)]
        rows = [row.event_id for number in range(1, 10) if (row := transaction.outbox_row(number)) is not None]
        return [*kept, transaction.call(CallId(f"c_{PSID}")), transaction.has_live_button(PAGE, PSID, NOW), rows]

    other = [f"{kind} {PSIDS[1]}" for kind in KINDS]
    assert await store.read(left) == [None, None, None, None, False, [f"terminate {PSID}", *other, "other's", "owed"]]
    assert await store.read(lambda transaction: transaction.permission(PAGE, PSIDS[1])) is not None
    assert await store.read(lambda transaction: transaction.call(CallId(f"c_{PSIDS[1]}"))) is not None
    await store.write(lambda transaction: transaction.erase_consumer(PAGE, Psid("404")))


async def test_a_permission_is_replaced(store: Store) -> None:
    assert await store.read(lambda transaction: transaction.permission(PAGE, PSID)) is None
    for expires_at in (NOW + 5, NOW + 1.5):
        await store.write(lambda transaction, at=expires_at: transaction.put_permission(PAGE, PSID, at))  # type: ignore[misc]
    assert await store.read(lambda transaction: transaction.permission(PAGE, PSID)) == NOW + 1.5


# --- calls ------------------------------------------------------------------------------------------------------------


async def test_a_call_comes_back_whole_and_is_replaced(store: Store) -> None:
    record = a_call("c_1")
    await store.write(lambda transaction: transaction.put_call(record))
    assert await store.read(lambda transaction: transaction.call(CallId("c_1"))) == record
    ended = replace(
        record,
        call=replace(record.call, state=CallState.COMPLETED, deadlines=(), ended_at=NOW + 9, end_reason=EndReason.REJECTED),
        media=b"{}",
    )
    await store.write(lambda transaction: transaction.put_call(ended))
    assert await store.read(lambda transaction: transaction.call(CallId("c_1"))) == ended
    assert await store.read(lambda transaction: transaction.call(CallId("c_404"))) is None


async def test_one_live_call_per_consumer_and_page(store: Store) -> None:
    await store.write(lambda transaction: transaction.put_call(a_call("c_1")))
    with pytest.raises(LiveCallExists):
        await store.write(lambda transaction: transaction.put_call(a_call("c_2")))
    await store.write(lambda transaction: transaction.put_call(a_call("c_3", PSIDS[1])))
    ended = a_call("c_1", state=CallState.FAILED, deadline_at=None)
    await store.write(lambda transaction: transaction.put_call(ended))
    await store.write(lambda transaction: transaction.put_call(a_call("c_2")))
    live = await store.read(lambda transaction: transaction.live_call(PAGE, PSID))
    assert live is not None
    assert live.call.id == "c_2"
    with pytest.raises(LiveCallExists):
        await store.write(lambda transaction: transaction.put_call(a_call("c_1")))
    assert await store.read(lambda transaction: [r.call.id for r in transaction.live_calls()]) == ["c_3", "c_2"]


async def test_live_calls_are_counted_by_page_and_by_app(store: Store) -> None:
    def work(transaction: Transaction) -> None:
        for number, (psid, owner) in enumerate([(PSIDS[0], APP), (PSIDS[1], None)]):
            record = a_call(f"c_{number}", psid)
            transaction.put_call(replace(record, call=replace(record.call, owner=owner)))

    await store.write(work)

    def counts(transaction: Transaction) -> list[int]:
        pages = [transaction.live_calls_of_page(page_id) for page_id in (PAGE, PageId("404"))]
        return pages + [transaction.live_calls_of_app(app_id) for app_id in (APP, OTHER_APP)]

    assert await store.read(counts) == [2, 0, 1, 0]
    over = a_call("c_0", state=CallState.FAILED, deadline_at=None)
    await store.write(lambda transaction: transaction.put_call(replace(over, call=replace(over.call, owner=APP))))
    assert await store.read(counts) == [1, 0, 0, 0]


async def test_calls_begun_since(store: Store) -> None:
    """Those of one pair and direction, live or over, but none that began too early."""

    def work(transaction: Transaction) -> None:
        for number, (psid, direction, begun_at, is_live) in enumerate(
            [
                (PSID, Direction.BUSINESS_INITIATED, NOW + 5, False),
                (PSID, Direction.BUSINESS_INITIATED, NOW, False),
                (PSID, Direction.USER_INITIATED, NOW + 5, False),
                (PSIDS[1], Direction.BUSINESS_INITIATED, NOW + 5, False),
                (PSID, Direction.BUSINESS_INITIATED, NOW + 6, True),
                (PSIDS[1], Direction.USER_INITIATED, NOW + 6, True),
            ]
        ):
            state = CallState.RINGING_OUT if is_live else CallState.COMPLETED
            record = a_call(f"c_{number}", psid, state, None)
            ended_at = None if is_live else NOW + 9
            call = replace(record.call, direction=direction, created_at=begun_at, ended_at=ended_at)
            transaction.put_call(replace(record, call=call))

    await store.write(work)

    async def begun(psid: Psid, direction: Direction, since: float) -> int:
        return await store.read(lambda transaction: transaction.calls_begun(PAGE, psid, direction, since))

    assert await begun(PSID, Direction.BUSINESS_INITIATED, NOW - 1) == 3
    assert await begun(PSID, Direction.BUSINESS_INITIATED, NOW) == 2
    assert await begun(PSID, Direction.BUSINESS_INITIATED, NOW + 5) == 1
    assert await begun(PSID, Direction.BUSINESS_INITIATED, NOW + 6) == 0
    assert await begun(PSID, Direction.USER_INITIATED, NOW) == 1
    assert await begun(PSIDS[1], Direction.USER_INITIATED, NOW) == 1
    assert await begun(PSIDS[2], Direction.BUSINESS_INITIATED, NOW - 1) == 0


# --- outbox -----------------------------------------------------------------------------------------------------------


def give_up(transaction: Transaction, row_id: int) -> None:
    """An attempt failed, and there is no next one."""
    transaction.outbox_failed(row_id, None)
    transaction.drop_outbox(row_id, DropReason.SCHEDULE, NOW + 1)


async def test_rows_get_growing_ids_and_keep_their_bytes(store: Store) -> None:
    rows = [a_row("e1"), a_row("e2", call_id=None, hold=Hold.HELD)]
    rows[0] = replace(rows[0], body=bytes(range(256)))
    first = await store.write(lambda transaction: transaction.add_outbox(rows))
    second = await store.write(lambda transaction: transaction.add_outbox([a_row("e3")]))
    ids = first + second
    assert ids == sorted(set(ids))
    found = await store.read(lambda transaction: [transaction.outbox_row(row_id) for row_id in first])
    assert found == [replace(row, id=row_id) for row, row_id in zip(rows, first, strict=True)]
    assert await store.read(lambda transaction: transaction.outbox_row(404)) is None


async def test_held_rows_wait_for_their_release(store: Store) -> None:
    held = [a_row(f"e{number}", hold=Hold.HELD) for number in range(3)]
    ids = await store.write(lambda transaction: transaction.add_outbox(held))
    assert await store.read(ready_rows) == []
    await store.write(lambda transaction: transaction.release_outbox(ids[1:2], NOW + 2))
    pending = await store.read(ready_rows)
    assert pending == [replace(held[1], id=ids[1], hold=Hold.READY, next_at=NOW + 2)]
    assert await store.write(lambda transaction: transaction.release_all_outbox(NOW + 7)) == 2
    assert await store.write(lambda transaction: transaction.release_all_outbox(NOW + 8)) == 0
    pending = await store.read(ready_rows)
    assert [(row.id, row.next_at) for row in pending] == [(ids[0], NOW + 7), (ids[1], NOW + 2), (ids[2], NOW + 7)]


async def test_a_release_touches_held_rows_only(store: Store) -> None:
    ids = await store.write(lambda transaction: transaction.add_outbox([a_row("e1"), a_row("e2"), a_row("e3")]))
    await store.write(lambda transaction: transaction.outbox_delivered(ids[0], NOW))
    await store.write(lambda transaction: give_up(transaction, ids[1]))
    before = await store.read(lambda transaction: [transaction.outbox_row(row_id) for row_id in ids])
    await store.write(lambda transaction: transaction.release_outbox([*ids, 404], NOW + 5))
    assert await store.read(lambda transaction: [transaction.outbox_row(row_id) for row_id in ids]) == before


async def test_outcomes_are_noted(store: Store) -> None:
    ids = await store.write(lambda transaction: transaction.add_outbox([a_row("e1"), a_row("e2"), a_row("e3")]))
    await store.write(lambda transaction: transaction.outbox_delivered(ids[0], NOW))
    await store.write(lambda transaction: transaction.outbox_failed(ids[1], NOW + 5))
    await store.write(lambda transaction: give_up(transaction, ids[2]))
    rows = await store.read(lambda transaction: [transaction.outbox_row(row_id) for row_id in ids])
    assert [(row.hold, row.attempts) for row in rows if row] == [(Hold.DELIVERED, 1), (Hold.READY, 1), (Hold.DROPPED, 1)]
    assert [(row.settled_at, row.drop_reason) for row in rows if row] == [
        (NOW, None),
        (None, None),
        (NOW + 1, DropReason.SCHEDULE),
    ]
    pending = await store.read(ready_rows)
    assert [(row.id, row.next_at) for row in pending] == [(ids[1], NOW + 5)]


async def test_a_late_outcome_does_not_bring_a_row_back(store: Store) -> None:
    ids = await store.write(lambda transaction: transaction.add_outbox([a_row("e1"), a_row("e2"), a_row("e3")]))

    def work(transaction: Transaction) -> None:
        transaction.outbox_delivered(ids[0], NOW)
        transaction.outbox_failed(ids[0], NOW + 5)
        give_up(transaction, ids[1])
        transaction.outbox_failed(ids[1], NOW + 5)
        give_up(transaction, ids[2])
        transaction.outbox_delivered(ids[2], NOW)

    await store.write(work)
    rows = await store.read(lambda transaction: [transaction.outbox_row(row_id) for row_id in ids])
    assert [(row.hold, row.attempts) for row in rows if row] == [(Hold.DELIVERED, 1), (Hold.DROPPED, 2), (Hold.DELIVERED, 2)]
    assert await store.read(ready_rows) == []


async def test_stale_rows_are_dropped_at_the_end_of_a_call(store: Store) -> None:
    rows = [
        a_row("tried"),
        a_row("untried", kind=WebhookKind.MEDIA_UPDATE),
        a_row("terminate", kind=WebhookKind.TERMINATE),
        a_row("another call", call_id="c_2"),
        a_row("delivered"),
    ]
    ids = await store.write(lambda transaction: transaction.add_outbox(rows))

    def work(transaction: Transaction) -> None:
        for row_id in (ids[0], ids[2], ids[3]):
            transaction.outbox_failed(row_id, NOW + 5)
        transaction.outbox_delivered(ids[4], NOW)
        transaction.drop_stale_outbox(CallId("c_1"), NOW)

    await store.write(work)
    found = await store.read(lambda transaction: [transaction.outbox_row(row_id) for row_id in ids])
    holds = [row.hold for row in found if row]
    assert holds == [Hold.DROPPED, Hold.READY, Hold.READY, Hold.READY, Hold.DELIVERED]


async def test_a_settled_row_is_sent_once_more_on_demand(store: Store) -> None:
    rows = [a_row("taken"), a_row("given up"), a_row("owed"), a_row("behind"), a_row("of no call", call_id=None)]
    ids = await store.write(lambda transaction: transaction.add_outbox(rows))

    def settle(transaction: Transaction) -> None:
        transaction.outbox_delivered(ids[0], NOW)
        give_up(transaction, ids[1])
        for row_id in ids[3:]:
            transaction.outbox_delivered(row_id, NOW)

    await store.write(settle)
    asked = await store.write(lambda transaction: [transaction.replay_outbox(row_id, NOW + 9) for row_id in [*ids, 404]])
    assert asked == [True, True, False, False, True, False]
    keys = await store.read(lambda transaction: transaction.replays_outbox(10))
    assert keys == [OutboxKey(row_id, APP, rows[0].lane, 1, is_replay=True) for row_id in ids[:2]] + [
        OutboxKey(ids[4], APP, None, 1, is_replay=True)
    ]
    assert await store.read(lambda transaction: transaction.replays_outbox(1)) == keys[:1]

    def replay(transaction: Transaction) -> list[bool]:
        return [
            transaction.outbox_replayed(ids[0], False, NOW + 9, NOW + 10),
            transaction.outbox_replayed(ids[1], True, NOW + 9, NOW + 10),
            transaction.outbox_replayed(404, True, NOW + 9, NOW + 10),
        ]

    assert await store.write(replay) == [False, False, False]
    found = await store.read(lambda transaction: [transaction.outbox_row(row_id) for row_id in ids[:2]])
    assert [(row.hold, row.attempts, row.settled_at, row.drop_reason) for row in found if row] == [
        (Hold.DELIVERED, 2, NOW, None),
        (Hold.DELIVERED, 2, NOW + 10, None),
    ]
    assert [key.id for key in await store.read(lambda transaction: transaction.replays_outbox(10))] == [ids[4]]


async def test_a_row_that_is_asked_for_again_stays_wanted(store: Store) -> None:
    ids = await store.write(lambda transaction: transaction.add_outbox([a_row("sent"), a_row("not sent")]))

    def work(transaction: Transaction) -> list[bool]:
        for row_id in ids:
            transaction.outbox_delivered(row_id, NOW)
            transaction.replay_outbox(row_id, NOW + 9)
        return [transaction.outbox_replayed(ids[0], True, NOW + 8, NOW + 10), transaction.end_replay(ids[1], NOW + 8)]

    assert await store.write(work) == [True, True]
    found = await store.read(lambda transaction: [transaction.outbox_row(row_id) for row_id in ids])
    assert [(row.replay_at, row.attempts) for row in found if row] == [(NOW + 9, 2), (NOW + 9, 1)]
    assert not await store.write(lambda transaction: transaction.end_replay(ids[1], NOW + 9))
    assert [key.id for key in await store.read(lambda transaction: transaction.replays_outbox(10))] == ids[:1]


async def test_rows_are_found_by_app_and_call_newest_first(store: Store) -> None:
    rows = [a_row(f"e{number}", app_id=OTHER_APP if number % 2 else APP, call_id=f"c_{number % 3}") for number in range(6)]
    ids = await store.write(lambda transaction: transaction.add_outbox(rows))

    async def found(app_id: AppId | None, call_id: str | None, before: int = 2**60, limit: int = 9) -> list[int]:
        call = None if call_id is None else CallId(call_id)
        entries = await store.read(lambda transaction: transaction.outbox_entries(app_id, call, before, limit))
        return [ids.index(entry.id) for entry in entries]

    assert await found(None, None) == [5, 4, 3, 2, 1, 0]
    assert await found(APP, None) == [4, 2, 0]
    assert await found(None, "c_1") == [4, 1]
    assert await found(APP, "c_1") == [4]
    assert await found(None, None, ids[4], 2) == [3, 2]


async def test_attempts_are_noted_under_the_number_that_was_counted(store: Store) -> None:
    (row_id,) = await store.write(lambda transaction: transaction.add_outbox([a_row("e1")]))

    def work(transaction: Transaction) -> None:
        transaction.outbox_failed(row_id, NOW + 5)
        transaction.add_attempt(row_id, NOW, None, "timeout", "timed out", 20.0, "")
        transaction.outbox_delivered(row_id, NOW + 6)
        transaction.add_attempt(row_id, NOW + 6, 200, None, "", 0.5, "thanks")
        transaction.add_attempt(404, NOW, 200, None, "", 0.5, "")

    await store.write(work)
    assert await store.read(lambda transaction: transaction.attempts(row_id)) == [
        Attempt(1, NOW, None, "timeout", "timed out", 20.0, ""),
        Attempt(2, NOW + 6, 200, None, "", 0.5, "thanks"),
    ]
    assert await store.read(lambda transaction: transaction.attempts(404)) == []


async def test_the_newest_attempts_are_kept(store: Store) -> None:
    (row_id,) = await store.write(lambda transaction: transaction.add_outbox([a_row("e1")]))

    def work(transaction: Transaction) -> None:
        transaction.outbox_delivered(row_id, NOW)
        for number in range(KEPT_ATTEMPTS + 2):
            transaction.outbox_replayed(row_id, True, NOW, NOW)
            transaction.add_attempt(row_id, NOW + number, 200, None, "", 0.5, "")

    await store.write(work)
    kept = await store.read(lambda transaction: [each.number for each in transaction.attempts(row_id)])
    assert kept == list(range(4, KEPT_ATTEMPTS + 4))


async def test_receivers_that_fail(store: Store) -> None:
    one, two = (
        FailingReceiver(APP, "page", NOW, 1, "500"),
        FailingReceiver(OTHER_APP, "page", NOW, 2, "timed out", NOW + 1, NOW + 2),
    )

    def work(transaction: Transaction) -> None:
        for receiver in (two, one):
            transaction.put_failing_receiver(receiver)

    await store.write(work)
    assert await store.read(lambda transaction: transaction.failing_receivers()) == [one, two]
    assert await store.read(lambda transaction: transaction.failing_receiver(OTHER_APP, "page")) == two
    assert await store.read(lambda transaction: transaction.failing_receiver(APP, "instagram")) is None
    more = replace(one, failures=2)
    await store.write(lambda transaction: transaction.put_failing_receiver(more))
    await store.write(lambda transaction: transaction.forget_failures(OTHER_APP, "page"))
    assert await store.read(lambda transaction: transaction.failing_receivers()) == [more]


async def test_due_rows_are_fresh_ones_in_order_and_then_retries(store: Store) -> None:
    rows = [a_row(f"e{number}", app_id=OTHER_APP if number % 2 else APP) for number in range(6)]
    ids = await store.write(lambda transaction: transaction.add_outbox(rows))
    await store.write(lambda transaction: transaction.outbox_failed(ids[0], NOW + 5))
    due = await store.read(lambda transaction: transaction.due_outbox(NOW, 10))
    assert [key.id for key in due] == [ids[2], ids[4], ids[1], ids[3], ids[5]]
    assert due[0] == OutboxKey(ids[2], APP, "c_1", 0)
    assert await store.read(lambda transaction: transaction.next_outbox_at(NOW)) == NOW + 5
    due = await store.read(lambda transaction: transaction.due_outbox(NOW + 5, 10))
    assert [key.id for key in due] == [ids[2], ids[4], ids[0], ids[1], ids[3], ids[5]]
    assert await store.read(lambda transaction: transaction.next_outbox_at(NOW + 5)) is None
    due = await store.read(lambda transaction: transaction.due_outbox(NOW + 5, 1))
    assert [key.id for key in due] == [ids[2], ids[0], ids[1]]
    due = await store.read(lambda transaction: transaction.due_outbox(NOW - 1, 10))  # the clock was set back
    assert [key.id for key in due] == [ids[2], ids[4], ids[1], ids[3], ids[5]]


async def test_rows_of_calls_do_not_wait_behind_a_heap_of_others(store: Store) -> None:
    rows = [a_row(f"s{number}", call_id=None, about="settings 1") for number in range(3)]
    rows += [a_row(f"e{number}") for number in range(3)]
    ids = await store.write(lambda transaction: transaction.add_outbox(rows))
    due = await store.read(lambda transaction: transaction.due_outbox(NOW, 2))
    assert [key.id for key in due] == [*ids[3:5], *ids[:2]]


async def test_rows_of_no_call_wait_behind_a_held_one_about_the_same(store: Store) -> None:
    rows = [
        a_row("held", call_id=None, about="settings 1", hold=Hold.HELD),
        a_row("behind", call_id=None, about="settings 1"),
        a_row("another matter", call_id=None, about="settings 2"),
        a_row("another app", app_id=OTHER_APP, call_id=None, about="settings 1"),
    ]
    ids = await store.write(lambda transaction: transaction.add_outbox(rows))
    due = await store.read(lambda transaction: transaction.due_outbox(NOW, 10))
    assert {(key.id, key.lane) for key in due} == {(ids[2], "settings 2"), (ids[3], "settings 1")}
    await store.write(lambda transaction: transaction.release_outbox(ids[:1], NOW))
    due = await store.read(lambda transaction: transaction.due_outbox(NOW, 10))
    assert [key.id for key in due if key.app_id == APP] == ids[:3]
    found = await store.read(lambda transaction: transaction.outbox_row(ids[1]))
    assert found is not None
    assert (found.call_id, found.about, found.lane) == (None, "settings 1", "settings 1")


async def test_a_fresh_row_waits_behind_a_held_one_of_its_call(store: Store) -> None:
    rows = [
        a_row("held", hold=Hold.HELD),
        a_row("behind"),
        a_row("another call", call_id="c_2"),
        a_row("another app", app_id=OTHER_APP),
        a_row("no call", call_id=None),
    ]
    ids = await store.write(lambda transaction: transaction.add_outbox(rows))
    due = await store.read(lambda transaction: transaction.due_outbox(NOW, 10))
    assert {key.id for key in due} == {ids[2], ids[3], ids[4]}
    await store.write(lambda transaction: transaction.release_outbox(ids[:1], NOW))
    due = await store.read(lambda transaction: transaction.due_outbox(NOW, 10))
    assert [key.id for key in due if key.app_id == APP] == [ids[0], ids[1], ids[2], ids[4]]
