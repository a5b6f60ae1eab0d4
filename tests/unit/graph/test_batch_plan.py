from __future__ import annotations

import json

import pytest

from pagecalls.errors import UnusableBatch
from pagecalls.graph.batch_plan import Member, read_members, waits
from pagecalls.graph.params import Params
from pagecalls.graph.references import Room
from pagecalls.http import Json


def members(*given: dict[str, Json]) -> tuple[Member, ...]:
    return read_members(Params({"batch": list(given)}))


def ends(call_id: str, **more: Json) -> dict[str, Json]:
    return {"method": "POST", "relative_url": "1/calls", "body": f"action=terminate&call_id={call_id}", **more}


def plan(*given: dict[str, Json]) -> list[set[int]]:
    return [set(each) for each in waits(members(*given))]


def test_a_member() -> None:
    (member,) = members(
        {"method": "post", "relative_url": "v26.0/1/calls?a=b#c", "body": {"x": 1}, "headers": [{"name": "X-Y", "value": "z"}]}
    )
    assert (member.method, member.path, member.query, member.body) == ("POST", "/v26.0/1/calls", "a=b", '{"x":1}')
    assert (member.headers, member.content_type, member.omits, member.files) == ({"x-y": "z"}, "application/json", None, ())
    (form,) = members({"relative_url": "/me", "attached_files": "a,b", "depends_on": []})
    assert (form.method, form.path, form.content_type, form.files) == (
        "GET",
        "/me",
        "application/x-www-form-urlencoded",
        ("a", "b"),
    )


def test_what_names_are_waited_for() -> None:
    _, _, member = members(
        {"relative_url": "me", "name": "a b"},
        {"relative_url": "me", "name": "c"},
        {"relative_url": "x?%7Bresult%3Da%20b%3A%24.id%7D=1", "body": json.dumps({"y": ["{result=c:$.id}"]})},
    )
    assert member.waits_for == {"a b", "c"}


def test_the_same_call_in_order_and_others_side_by_side() -> None:
    assert plan(ends("c_1"), ends("c_2"), ends("c_1"), ends("c_1"), {"relative_url": "me"}) == [set(), set(), {0}, {2}, set()]


def test_the_same_person_in_order() -> None:
    dial: dict[str, Json] = {"method": "POST", "relative_url": "1/calls/", "body": {"action": "connect", "to": 7}}
    assert plan(dial, dial, {**dial, "relative_url": "1/messages"}) == [set(), {0}, set()]


def test_the_order_of_a_call_follows_what_is_depended_on() -> None:
    assert plan(ends("c_1", depends_on="later"), ends("c_1", name="later")) == [{1}, set()]


def test_a_call_that_is_not_known_yet_has_a_turn_of_its_own() -> None:
    given: list[dict[str, Json]] = [
        ends("c_1", name="a"),
        ends("c_2"),
        ends("{result=a:$.call_id}"),
        ends("c_2"),
        ends("c_3"),
        {"relative_url": "me"},
    ]
    assert plan(*given) == [set(), set(), {0, 1}, {2}, {2}, set()]


def test_circles() -> None:
    with pytest.raises(UnusableBatch, match=r"batch\[1\]: it waits for itself"):
        plan(
            {"relative_url": "me"},
            {"relative_url": "me", "name": "a", "depends_on": "b"},
            {"relative_url": "{result=a:$.id}", "name": "b"},
        )


def test_filling_escapes_for_its_place() -> None:
    results: dict[str, Json] = {"a": "x&y=/ %é"}
    text = "{result=a:$}"
    path, form, from_json, other = members(
        {"relative_url": f"{text}/calls%2F?q={text}&r=%7Bresult%3Da%3A%24%7D", "name": "b", "body": "k=v%20w"},
        {"relative_url": "me", "body": f"k={text}&l=1"},
        {"relative_url": "me", "body": {"k": [text], "n": 1}},
        {"relative_url": "me", "body": text, "headers": [{"name": "content-type", "value": "text/plain"}], "name": "a"},
    )
    filled = path.filled(results, Room(1000))
    assert filled.path == "/x%26y%3D%2F%20%25%C3%A9/calls%2F"
    assert filled.query == "q=x%26y%3D%2F+%25%C3%A9&r=x%26y%3D%2F+%25%C3%A9"
    assert filled.body == "k=v%20w"
    assert form.filled(results, Room(1000)).body == "k=x%26y%3D%2F+%25%C3%A9&l=1"
    assert json.loads(from_json.filled(results, Room(1000)).body) == {"k": ["x&y=/ %é"], "n": 1}
    assert other.filled(results, Room(1000)).body == text


def test_what_is_no_json_stays_as_it_is_and_is_refused_in_its_turn() -> None:
    _, broken = members({"relative_url": "me", "name": "a"}, {"relative_url": "me", "body": "{{result=a:$.id}"})
    assert broken.filled({"a": {"id": "1"}}, Room(1000)).body == "{{result=a:$.id}"
