from __future__ import annotations

import pytest

from pagecalls import dev
from pagecalls.graph.messages import send_request
from pagecalls.graph.openapi.messages import EDGES
from pagecalls.graph.params import Params
from pagecalls.http import JsonObject


@pytest.mark.parametrize("example", EDGES[0].examples)
def test_each_example_would_be_taken(example: JsonObject) -> None:
    assert send_request(Params(example)).to == dev.PSID


def test_there_is_one_of_each_kind() -> None:
    drafts = [send_request(Params(example)).draft.template for example in EDGES[0].examples]
    assert [template.value if template else None for template in drafts] == [
        None, "calling_optin", "call_prompt", "button", "generic",
    ]  # fmt: skip
