"""Which class an error object makes; what the server of this project sends has one of its own."""

from __future__ import annotations

import pickle

import pytest

from pagecalls.client import errors as e
from pagecalls.client.codes import FAMILIES, ROWS, SHARED_ROWS, class_of
from pagecalls.errors import NoLiveButton, NotOffered, RequestClosed, SettingFault, UnusableSetting
from pagecalls.graph.envelope import find_row
from pagecalls.graph.errors_page import examples

CATALOGUE = (
    "E_NO_TOKEN", "E_BAD_TOKEN", "E_PROOF", "E_SCOPE", "E_TOKEN_KIND", "E_WRONG_PAGE", "E_NO_PAGE", "E_ALIAS", "E_VERSION",
    "E_METHOD", "E_SIZE", "E_BODY", "E_MISSING", "E_VALUE", "E_APP_RATE", "E_INTERNAL", "E_NOT_ALLOWED", "E_CALLING_OFF",
    "E_CALL_ID", "E_CONN", "E_SDP", "E_NOT_IN_CALL", "E_NOT_OWNER", "E_TAKEN", "E_NOT_ROUTED", "E_FAILED", "E_ENDED",
    "E_CONNECTED", "E_STATE", "E_NO_PERMISSION", "E_NO_USER", "E_UNAVAILABLE", "E_BUSY", "E_CALL_RATE", "E_CONFLICT",
    "E_WINDOW", "E_OPTIN_RATE", "E_OPTIN_HELD", "E_BIZ_CALL_OFF", "E_TEMPLATE", "E_SETTINGS", "E_METRICS",
)  # fmt: skip
"""messenger-calling 1.4."""


CONSUMERS_SIDE = (NoLiveButton, NotOffered, RequestClosed)
"""Errors that only a device is told."""

SENT = [error for error in examples() if not isinstance(error, CONSUMERS_SIDE)]


def facts(
    code: int | None, subcode: int | None = None, http: int = 400, kind: str = "OAuthException", text: str = ""
) -> e.ErrorFacts:
    return e.ErrorFacts(text, http, code, subcode, kind)


def subclasses(cls: type[e.GraphError]) -> set[type[e.GraphError]]:
    return {cls}.union(*(subclasses(each) for each in cls.__subclasses__()))


def test_every_case_of_the_catalogue_has_a_row() -> None:
    assert {row.name for row in (*ROWS, *SHARED_ROWS)} >= set(CATALOGUE)


@pytest.mark.parametrize("error", SENT, ids=lambda error: f"{type(error).__name__}-{error}")
def test_every_error_of_the_server_has_its_class(error: Exception) -> None:
    row = find_row(error)  # type: ignore[arg-type]
    found = class_of(facts(row.code, row.subcode, row.http, row.type.value, str(error)))
    names = {each.name for each in (*ROWS, *SHARED_ROWS) if each.error is found}
    assert names >= set(row.name.split(", "))


@pytest.mark.parametrize("error", SENT, ids=lambda error: f"{type(error).__name__}-{error}")
def test_swapped_codes_give_the_class_or_its_base(error: Exception) -> None:
    """Ruling 1's setting drops the subcode, and with it what only that tells apart."""
    plain, swapped = find_row(error), find_row(error, swap_codes=True)  # type: ignore[arg-type]
    exact = class_of(facts(plain.code, plain.subcode, plain.http, plain.type.value, str(error)))
    found = class_of(facts(swapped.code, swapped.subcode, swapped.http, swapped.type.value, str(error)))
    assert issubclass(exact, found)
    assert found not in (e.GraphError, e.RequestError, e.CallError)


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (facts(190, 460), e.InvalidatedToken),
        (facts(190, 458), e.AppNotAuthorized),
        (facts(190, 464), e.AccountBlocked),
        (facts(190, 492), e.RoleMissing),
        (facts(102), e.BadToken),
        (facts(10), e.PermissionDenied),
        (facts(230), e.PermissionDenied),
        (facts(4), e.AppRate),
        (facts(17), e.UserRate),
        (facts(32), e.PageRate),
        (facts(341), e.AppLimit),
        (facts(80006), e.BusinessUseCaseRate),
        (facts(613, 9901207), e.CallRate),
        (facts(368), e.PolicyError),
        (facts(101), e.UnknownApp),
        (facts(3), e.MissingCapability),
        (facts(1, None, 500), e.UnknownFault),
        (facts(1, 99, 500), e.UnknownFault),
        (facts(1, None, 413), e.BodyTooLarge),
        (facts(100, None, 400, "GraphMethodException"), e.WrongProof),
        (facts(2500, None, 400, text="Unknown path components: /1/calls"), e.UnknownPath),
        (facts(2500, None, 400, text="(#2500) Syntax error in fields"), e.MalformedFields),
        (facts(100, 9903001), e.SettingsError),
        (facts(100, 9904001), e.MetricsError),
        (facts(10, 9902002), e.BusinessCallsOff),
    ],
)
def test_cases_that_this_server_does_not_send_yet(seen: e.ErrorFacts, wanted: type[e.GraphError]) -> None:
    assert class_of(seen) is wanted


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (facts(190, 7777), e.BadToken),
        (facts(10, 7777), e.PermissionDenied),
        (facts(299), e.PermissionDenied),
        (facts(100, 7777), e.RequestError),
        (facts(100), e.RequestError),
        (facts(551, 7777), e.ConsumerError),
        (facts(613), e.ThrottledError),
        (facts(2018394), e.CallElsewhereError),
        (facts(2018396), e.CallEnded),
        (facts(2018391, 9901199), e.UnusableConnection),
        (facts(100, 2018394), e.CallElsewhereError),
        (facts(7777, None, 503), e.ServerFault),
        (facts(7777, None, 429), e.ThrottledError),
        (facts(7777, None, 401), e.AuthError),
        (facts(7777), e.GraphError),
        (facts(None, None, 500), e.ServerFault),
    ],
)
def test_what_nobody_knows_falls_to_the_nearest_base(seen: e.ErrorFacts, wanted: type[e.GraphError]) -> None:
    assert class_of(seen) is wanted


def test_every_class_can_be_met() -> None:
    """No class stands in the tree without a way to it."""
    met = {row.error for row in (*ROWS, *SHARED_ROWS)} | {*FAMILIES.values()} | {e.Collision, e.NotProcessed}
    bases = {base for cls in met for base in cls.__mro__}
    assert subclasses(e.GraphError) <= bases


def test_members_that_subcode_and_data_tell() -> None:
    rejected, unnamed = e.CallEnded(facts(2018396, 9901301)), e.CallEnded(facts(2018396))
    assert (rejected.how, unnamed.how) == (e.EndedHow.REJECTED, None)
    assert e.UnusableConnection(facts(2018391, 9901110)).fault is e.ConnectionFault.UNKNOWN_MSID
    assert e.UnusableConnection(facts(2018391, 1)).fault is None
    assert e.ConsumerBusy(e.ErrorFacts("", 400, 551, error_data={"call_id": "c_1"})).call_id == "c_1"
    assert e.ConsumerBusy(e.ErrorFacts("", 400, 551, error_data={"call_id": 1})).call_id is None
    assert e.MediaConflict(e.ErrorFacts("", 400, 100, error_data={"current_version": 3})).current_version == 3
    assert e.MediaConflict(e.ErrorFacts("", 400, 100, error_data={"current_version": True})).current_version is None


def test_errors_survive_a_trip_to_another_process() -> None:
    sent = e.CallEnded(e.ErrorFacts("over", 400, 2018396, 9901301))
    got = pickle.loads(pickle.dumps(sent))
    assert (type(got), got.facts, got.how) == (e.CallEnded, sent.facts, e.EndedHow.REJECTED)


def test_the_text_says_all_that_support_asks_for() -> None:
    error = e.UnknownCall(e.ErrorFacts("(#2018390) No such call on this Page.", 400, 2018390, 9901001, fbtrace_id="Aabc"))
    assert str(error) == "(#2018390) No such call on this Page. [HTTP 400, code 2018390, subcode 9901001, trace Aabc]"


def test_what_is_wrong_with_a_setting() -> None:
    """A fault for each of the server's, and none from a server that does not say."""
    assert [fault.name for fault in e.SettingFault] == [fault.name for fault in SettingFault]
    for fault in SettingFault:
        row = find_row(UnusableSetting("call_hours", fault))
        error = e.SettingsError(facts(row.code, row.subcode))
        assert class_of(error.facts) is e.SettingsError
        assert error.fault is e.SettingFault[fault.name]
    assert e.SettingsError(facts(100, 9903099)).fault is None
