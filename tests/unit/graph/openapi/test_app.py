"""Addresses, hosts and headers of documents and pages."""

from __future__ import annotations

import json

import pytest
import yaml

from pagecalls.graph.openapi.app import Documents
from pagecalls.graph.openapi.contract import VERSIONS
from pagecalls.graph.openapi.edges import EDGES
from pagecalls.http import HostGuard
from tests.asgi_client import Reply, exchange, scope_of

HOST = {"host": "127.0.0.1:8080"}
PAGES = ["/docs/", "/docs/v20.0/", "/docs/page-calls.md", "/docs/v20.0/page-calls.md", "/docs/static/page.css"]


@pytest.fixture
def app() -> Documents:
    return Documents(HostGuard.of({"calls.example"}))


async def get(app: Documents, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> Reply:
    return await exchange(app, method, path, HOST | (headers or {}))


@pytest.mark.parametrize("prefix", ["", *(f"/{version}" for version in VERSIONS)])
async def test_a_document_for_each_version_in_both_forms(app: Documents, prefix: str) -> None:
    assert app.owns(f"{prefix}/openapi.json")
    as_json = await get(app, f"{prefix}/openapi.json")
    as_yaml = await get(app, f"{prefix}/openapi.yaml")
    assert as_json.status == as_yaml.status == 200
    assert as_json.headers["content-type"] == "application/json; charset=UTF-8"
    assert as_yaml.headers["content-type"] == "application/yaml; charset=utf-8"
    assert as_json.json == yaml.safe_load(as_yaml.content)
    version = prefix.removeprefix("/") or "v26.0"
    assert as_json.json["info"]["version"] == f"{version[1:]}.0"
    assert as_json.json["servers"][0]["url"] == f"http://127.0.0.1:8080/{version}"


async def test_a_second_document_has_every_edge(app: Documents) -> None:
    as_json, as_yaml = await get(app, "/v25.0/openapi-all.json"), await get(app, "/v25.0/openapi-all.yaml")
    assert as_json.json == yaml.safe_load(as_yaml.content)
    paths = {edge.path for edge in EDGES}
    assert set(as_json.json["paths"]) == {"/{page_id}/calls"} | paths
    assert set((await get(app, "/v25.0/openapi.json")).json["paths"]) == {"/{page_id}/calls"}


@pytest.mark.parametrize(
    "path", ["/openapi", "/openapi.json/", "/v19.0/openapi.json", "/v99.0/openapi.json", "/me/openapi.json", "/docsx"]
)
def test_paths_of_the_graph_are_left_to_it(app: Documents, path: str) -> None:
    assert not app.owns(path)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("graph.facebook.com", "http://graph.facebook.com/v26.0"),
        ("[::1]:8080", "http://[::1]:8080/v26.0"),
        ('a"><b', "/v26.0"),
        ("a/b", "/v26.0"),
        ("", "/v26.0"),
    ],
)
async def test_a_document_names_the_host_that_was_asked(app: Documents, host: str, url: str) -> None:
    reply = await get(app, "/openapi.json", {"host": host})
    assert reply.json["servers"][0]["url"] == url
    assert reply.headers["vary"] == "Host"


async def test_documents_are_for_every_web_page(app: Documents) -> None:
    reply = await get(app, "/openapi.json", {"origin": "https://editor.example"})
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}])
async def test_pages_are_refused_under_a_foreign_name(app: Documents, path: str, headers: dict[str, str]) -> None:
    reply = await get(app, path, headers)
    assert reply.status == 403
    assert b"Page Calls" not in reply.content
    assert (await get(app, path)).status == 200
    assert (await get(app, path, {"host": "calls.example"})).status == 200


@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_fenced_in(app: Documents, path: str) -> None:
    reply = await get(app, path)
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/docs/", "text/html; charset=utf-8"),
        ("/docs/page-calls.md", "text/markdown; charset=utf-8"),
        ("/docs/static/page.css", "text/css; charset=utf-8"),
        ("/docs/static/page.js", "text/javascript; charset=utf-8"),
        ("/docs/static/icon.svg", "image/svg+xml"),
    ],
)
async def test_content_types(app: Documents, path: str, content_type: str) -> None:
    assert (await get(app, path)).headers["content-type"] == content_type


@pytest.mark.parametrize(("path", "target"), [("/docs", "/docs/"), ("/docs/v21.0", "/docs/v21.0/")])
async def test_a_missing_slash_is_added(app: Documents, path: str, target: str) -> None:
    reply = await get(app, path)
    assert (reply.status, reply.headers["location"]) == (308, target)


@pytest.mark.parametrize(
    "path", ["/docs/nothing", "/docs/v99.0/", "/docs/static/page.html", "/docs/static/../app.py", "/docs//evil.example"]
)
async def test_no_other_page(app: Documents, path: str) -> None:
    assert (await get(app, path)).status == 404


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/"])
async def test_they_are_only_read(app: Documents, path: str) -> None:
    reply = await get(app, path, method="POST")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
    assert (await get(app, path, method="HEAD")).status == 200


async def test_a_token_in_the_request_is_in_no_answer(app: Documents) -> None:
    for path in ("/openapi.json", "/openapi.yaml", *PAGES):
        reply = await get(app, f"{path}?access_token=EAAsecret", {"authorization": "Bearer EAAsecret"})
        assert b"EAAsecret" not in reply.content
        assert "EAAsecret" not in json.dumps(dict(reply.headers))


def test_a_scope_has_the_path_unescaped(app: Documents) -> None:
    assert app.owns(scope_of("GET", "/docs/%76%32%31.0/")["path"])
