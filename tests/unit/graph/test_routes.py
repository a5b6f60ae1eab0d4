from __future__ import annotations

from pagecalls.graph.routes import APP_EDGES, PAGE_EDGES, AppRoute, PageRoute


def test_edges_are_of_one_kind_each() -> None:
    assert not PAGE_EDGES.keys() & APP_EDGES.keys()
    assert all(isinstance(route, PageRoute) for verbs in PAGE_EDGES.values() for route in verbs.values())
    assert all(isinstance(route, AppRoute) for verbs in APP_EDGES.values() for route in verbs.values())


def test_only_leaving_a_page_takes_an_app_token() -> None:
    found = [
        (edge, verb)
        for edge, verbs in PAGE_EDGES.items()
        for verb, route in verbs.items()
        if isinstance(route, PageRoute) and route.admits_app
    ]
    assert found == [("subscribed_apps", "DELETE")]
