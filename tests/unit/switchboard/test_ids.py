from __future__ import annotations

import random
import re

from pagecalls.switchboard.ids import Ids


def test_shapes() -> None:
    ids = Ids(random.Random(1))
    assert re.fullmatch(r"c_[A-Za-z0-9_-]{43}", ids.call_id())
    assert re.fullmatch(r"[0-9a-f]{16}", ids.leg_id())
    assert re.fullmatch(r"[0-9a-f]{32}", ids.event_id())
    assert re.fullmatch(r"[1-9]\d{14}", ids.app_id())
    assert re.fullmatch(r"\d+:[A-Za-z0-9]{16}:DEFAULT", ids.stream_id())
    assert 0 < int(ids.track_id()) < 2**63
    assert 0 < ids.session_id() < 2**63


def test_an_ssrc_is_not_one_in_use() -> None:
    taken = frozenset({Ids(random.Random(5)).ssrc()})
    assert Ids(random.Random(5)).ssrc(taken) not in taken


def test_equal_chance_gives_equal_ids() -> None:
    assert Ids(random.Random(9)).call_id() == Ids(random.Random(9)).call_id()
    assert Ids(random.Random(9)).call_id() != Ids(random.Random(8)).call_id()
