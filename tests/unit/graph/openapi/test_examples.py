"""The examples are of use: each would be taken by a server in development mode."""

from __future__ import annotations

from pagecalls import dev
from pagecalls.call.states import Action
from pagecalls.graph import calls
from pagecalls.graph.openapi import examples
from pagecalls.graph.params import Params
from pagecalls.sdp.description import parse
from pagecalls.sdp.profile import check_offer


def test_there_is_one_for_each_action_and_it_decodes() -> None:
    assert set(examples.REQUESTS) == set(Action)
    params = {action: Params(each.body) for action, each in examples.REQUESTS.items()}
    assert calls.connect_request(params[Action.CONNECT]).to == dev.PSID
    assert calls.accept_request(params[Action.ACCEPT]).call_id == examples.CALL_ID
    assert calls.media_update_request(params[Action.MEDIA_UPDATE]).call_id == examples.CALL_ID
    for action in (Action.REJECT, Action.TERMINATE):
        assert calls.end_request(params[action]).call_id == examples.CALL_ID


def test_the_offer_is_legal_and_has_the_track_that_is_muted() -> None:
    check_offer(parse(examples.OFFER))
    update = calls.media_update_request(Params(examples.REQUESTS[Action.MEDIA_UPDATE].body))
    assert update.tracks is not None
    assert [f"a=msid:{track.msid}" in examples.OFFER.split("\r\n") for track in update.tracks] == [True]


def test_ids_look_like_the_servers() -> None:
    assert len(examples.CALL_ID) == 45
    assert len(examples.TRACE_ID) == 23
