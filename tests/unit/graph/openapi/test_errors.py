from __future__ import annotations

from pagecalls.graph.openapi.contract import ANSWERS
from pagecalls.graph.openapi.errors import error_rows


def test_only_statuses_that_the_document_lists() -> None:
    assert {row.http for row in error_rows()} == {row.status for row in ANSWERS if row.status != 200}


def test_errors_of_other_edges_are_left_out() -> None:
    names = {row.name for row in error_rows()}
    assert {"E_NO_PERMISSION", "E_CONN", "E_ALIAS", "E_SIZE"} <= names
    assert not names & {"E_APP_TOKEN", "E_CALLBACK", "E_FIELDS", "E_NOT_OFFERED"}
    codes = [row.http for row in error_rows()]
    assert codes == sorted(codes)
