from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import pytest

from pagecalls.errors import (
    BadToken,
    CallEnded,
    ClosedHow,
    CodeFault,
    ConnectionFault,
    EndedHow,
    InternalFault,
    InvalidValue,
    MetricsFault,
    NoPermission,
    NoToken,
    PageCallsError,
    RequestClosed,
    SettingFault,
    TemplateFault,
    TokenFault,
    UnknownAlias,
    UnknownCall,
    UnknownObject,
    UnusableCode,
    UnusableConnection,
    UnusableMetrics,
    UnusableSetting,
    UnusableTemplate,
    UseCase,
    UseCaseRateReached,
)
from pagecalls.graph.envelope import ROWS, Key, error_body, error_headers, error_object, find_row, row_key
from pagecalls.graph.errors_page import examples

BY_FIELD: dict[type[PageCallsError], type[StrEnum]] = {
    BadToken: TokenFault,
    CallEnded: EndedHow,
    RequestClosed: ClosedHow,
    UnusableTemplate: TemplateFault,
    UnusableConnection: ConnectionFault,
    UnusableSetting: SettingFault,
    UnusableMetrics: MetricsFault,
    UnusableCode: CodeFault,
    UseCaseRateReached: UseCase,
}


def leaves(branch: type[PageCallsError]) -> Iterator[type[PageCallsError]]:
    below = branch.__subclasses__()
    if not below:
        yield branch
    for each in below:
        yield from leaves(each)


def expected_keys() -> set[Key]:
    keys: set[Key] = set()
    for leaf in leaves(PageCallsError):
        if not leaf.__module__.startswith("pagecalls."):
            continue
        keys |= {(leaf, member) for member in BY_FIELD[leaf]} if leaf in BY_FIELD else {leaf}
    return keys


def test_every_error_of_the_tree_has_its_row_and_no_other_row_exists() -> None:
    assert set(ROWS) == expected_keys()


def test_every_row_has_its_example() -> None:
    assert {row_key(error) for error in examples()} == set(ROWS)


def test_every_status_is_one_that_the_contract_allows() -> None:
    for row in ROWS.values():
        assert row.http in (400, 403) or (row.http, row.code) in {(404, 803), (413, 1), (500, 2), (503, 2)}


def test_members_in_order() -> None:
    members = error_object(UnknownCall(), "A" * 23)
    order = "message type code error_subcode is_transient error_data error_user_title error_user_msg fbtrace_id"
    assert " ".join(members) == order
    assert "error_subcode" not in error_object(NoToken(), "A" * 23)


def test_bodies() -> None:
    members = error_object(NoToken(), "A")
    assert error_body(members, is_page_edge=True) == {"error": members, **members}
    assert error_body(members, is_page_edge=False) == {"error": members}


def test_swapped_codes() -> None:
    assert find_row(UnknownCall(), swap_codes=True).code == 100
    assert find_row(UnknownCall(), swap_codes=True).subcode == 2018390
    assert find_row(UnknownCall(), swap_codes=True).user == find_row(UnknownCall()).user
    assert find_row(NoPermission(), swap_codes=True) == find_row(NoPermission())


@pytest.mark.parametrize(
    ("error", "value"),
    [
        (
            BadToken(TokenFault.UNPARSEABLE),
            'OAuth "Facebook Platform" "invalid_token" "Invalid OAuth access token - Cannot parse access token"',
        ),
        (
            InternalFault(),
            'OAuth "Facebook Platform" "invalid_request" "An unexpected error has occurred. Please retry your request later."',
        ),
        (
            InvalidValue("p", ("a",), 'x"y'),
            'OAuth "Facebook Platform" "invalid_request" "(#100) Param p must be one of {A} - got \\"x\\"y\\"."',
        ),
    ],
)
def test_www_authenticate(error: PageCallsError, value: str) -> None:
    assert error_headers(error) == {"www-authenticate": value}


def test_www_authenticate_is_for_oauth_exceptions_only_and_stays_short() -> None:
    assert error_headers(UnknownObject("get", "1")) == {}
    assert len(error_headers(UnknownAlias("\u2603" * 10_000))["www-authenticate"]) < 4000
