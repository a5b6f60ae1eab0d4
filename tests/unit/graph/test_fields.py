from __future__ import annotations

import re

from facebook_business.adobjects.page import Page

from pagecalls.graph.fields import PAGE_FIELDS


def test_the_names_are_those_of_the_platforms_sdk() -> None:
    declared = {value for name, value in vars(Page.SubscribedFields).items() if not name.startswith("_")}
    assert declared == PAGE_FIELDS
    assert all(re.fullmatch(r"[a-z_]+", name) for name in PAGE_FIELDS)
