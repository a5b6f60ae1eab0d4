"""Codes and users' Pages, on SQLite and on the model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagecalls.store.base import OAuthCode, Page, PageTask, Store, Transaction, User, UserPage
from pagecalls.types import PageId, UserId
from tests.contract.store_samples import APP, NOW, OTHER_APP, PAGE

GRACE, ALAN = User(UserId("3001"), "Grace"), User(UserId("3002"), "Alan")
OTHER_PAGE = Page(PageId("2000"), "Another Page")
CODE = OAuthCode("d1", APP, GRACE.id, frozenset({"pages_show_list", "pages_messaging"}), "https://desk.example/?a=b", NOW + 600)


@pytest.fixture
async def store(store: Store) -> Store:
    await store.write(fill)
    return store


def fill(tx: Transaction) -> None:
    tx.put_page(OTHER_PAGE)
    for user in (GRACE, ALAN):
        tx.put_user(user)


async def test_codes_come_back_whole(store: Store) -> None:
    anywhere = replace(CODE, digest="d2", scopes=frozenset(), redirect_uri=None)
    for code in (CODE, anywhere):
        await store.write(lambda tx, code=code: tx.put_oauth_code(code))  # type: ignore[misc]
    assert await store.read(lambda tx: [tx.oauth_code(each) for each in ("d1", "d2", "d3")]) == [CODE, anywhere, None]
    await store.write(lambda tx: tx.put_oauth_code(replace(CODE, is_used=True)))
    assert await store.read(lambda tx: tx.oauth_code("d1")) == replace(CODE, is_used=True)


async def test_codes_are_forgotten_by_their_time(store: Store) -> None:
    def work(tx: Transaction) -> list[bool]:
        for number in range(3):
            tx.put_oauth_code(replace(CODE, digest=f"d{number}", expires_at=NOW + number))
        tx.forget_oauth_codes(NOW + 1)
        return [tx.oauth_code(f"d{number}") is None for number in range(3)]

    assert await store.write(work) == [True, False, False]


async def test_the_pages_of_a_user_in_order(store: Store) -> None:
    first = UserPage(GRACE.id, OTHER_PAGE.id, (PageTask.MANAGE,))
    second = UserPage(GRACE.id, PAGE, (PageTask.MESSAGING, PageTask.ANALYZE))

    def work(tx: Transaction) -> None:
        for each in (second, first, UserPage(ALAN.id, PAGE, tuple(PageTask)), replace(second, tasks=(PageTask.MODERATE,))):
            tx.put_user_page(each)

    await store.write(work)
    assert await store.read(lambda tx: tx.user_pages(GRACE.id)) == [first, replace(second, tasks=(PageTask.MODERATE,))]
    assert await store.read(lambda tx: tx.user_page(ALAN.id, PAGE)) == UserPage(ALAN.id, PAGE, tuple(PageTask))
    await store.write(lambda tx: tx.delete_user_page(GRACE.id, PAGE))
    await store.write(lambda tx: tx.delete_user_page(GRACE.id, PAGE))
    assert await store.read(lambda tx: tx.user_page(GRACE.id, PAGE)) is None
    assert await store.read(lambda tx: tx.user_pages(GRACE.id)) == [first]


async def test_they_go_with_what_they_are_about(store: Store) -> None:
    def work(tx: Transaction) -> None:
        tx.put_oauth_code(CODE)
        tx.put_oauth_code(replace(CODE, digest="d2", app_id=OTHER_APP))
        tx.put_oauth_code(replace(CODE, digest="d3", app_id=OTHER_APP, user_id=ALAN.id))
        for user, page in ((GRACE, OTHER_PAGE.id), (GRACE, PAGE), (ALAN, OTHER_PAGE.id)):
            tx.put_user_page(UserPage(user.id, page, (PageTask.MANAGE,)))
        tx.delete_app(APP)
        tx.delete_page(OTHER_PAGE.id)

    await store.write(work)
    assert await store.read(lambda tx: [tx.oauth_code(each) is None for each in ("d1", "d2", "d3")]) == [True, False, False]
    assert await store.read(lambda tx: [len(tx.user_pages(user.id)) for user in (GRACE, ALAN)]) == [1, 0]
    await store.write(lambda tx: tx.delete_user(GRACE.id))
    assert await store.read(lambda tx: [tx.oauth_code(each) is None for each in ("d2", "d3")]) == [True, False]
    assert await store.read(lambda tx: tx.user_pages(GRACE.id)) == []
