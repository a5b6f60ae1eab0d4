from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from pagecalls.graph.openapi import contract, examples
from pagecalls.graph.openapi.errors import error_rows
from pagecalls.graph.openapi.reference import to_html
from tests.unit.graph.openapi.page_text import TEMPLATE

BASE = "http://127.0.0.1:8080"
VOID = {"meta", "link", "input", "br", "hr", "img"}


class Page(HTMLParser):
    """Elements with their attributes, and the text; checks that every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def page() -> Page:
    return Page(to_html(TEMPLATE, "v23.0", BASE))


def words(members: tuple[contract.Member, ...]) -> list[str]:
    return [each for member in members for each in (member.name, member.text, *words(member.members))]


def test_everything_of_the_contract_is_told(page: Page) -> None:
    for schema in contract.SCHEMAS:
        assert schema.name in page.text
        for text in words(schema.members):
            assert text.replace("`", "") in page.text, text
    for row in contract.ANSWERS:
        assert row.text.replace("`", "") in page.text
    for scheme in contract.SCHEMES:
        assert scheme.name in page.text
    for error in error_rows():
        assert error.message in page.text
    assert f"{BASE}/v23.0/{{page_id}}/calls" in page.text


def test_the_version_picker(page: Page) -> None:
    links = [
        link for link in page.all("a") if link["href"] in {f"/docs/{version}/" for version in contract.VERSIONS} | {"/docs/"}
    ]
    assert [link["href"] for link in links] == ["/docs/", *(f"/docs/{version}/" for version in reversed(contract.VERSIONS[:-1]))]
    assert [link["href"] for link in links if "aria-current" in link] == ["/docs/v23.0/"]


def test_documents_of_this_version(page: Page) -> None:
    links = {link["href"] for link in page.all("a")}
    assert {"/v23.0/openapi.json", "/v23.0/openapi.yaml", "/docs/v23.0/page-calls.md"} <= links
    latest = {link["href"] for link in Page(to_html(TEMPLATE, "v26.0", BASE)).all("a")}
    assert {"/openapi.json", "/openapi.yaml", "/docs/page-calls.md"} <= latest


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(page: Page) -> None:
    for tag, attributes in page.found:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert (attributes.get(name) or "/").startswith(("/", "#"))
    assert all("src" in script for script in page.all("script"))


def test_fields_have_labels_and_links_have_targets(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {label["for"] for label in page.all("label")}
    fields = [each for tag in ("input", "select", "textarea") for each in page.all(tag)]
    assert {each["id"] for each in fields} == labelled
    targets = {(link["href"] or "")[1:] for link in page.all("a") if (link["href"] or "").startswith("#")}
    assert targets <= set(ids)


def test_each_action_has_its_example(page: Page) -> None:
    bodies = {option["value"]: option["data-body"] for option in page.all("option") if "data-body" in option}
    assert {action: json.loads(body or "") for action, body in bodies.items()} == {
        action.value: each.body for action, each in examples.REQUESTS.items()
    }
    places = [option["value"] for option in page.all("option") if "data-place" in option]
    assert sorted(filter(None, places)) == sorted(scheme.parameter for scheme in contract.SCHEMES)


def test_a_base_url_cannot_write_into_the_page() -> None:
    page = Page(to_html(TEMPLATE, "v26.0", 'http://"><script>x</script>'))
    assert len(page.all("script")) == 1


def test_without_a_script_the_code_is_there_and_what_cannot_work_is_not(page: Page) -> None:
    panels = [each for each in page.all("div") if "data-template" in each]
    assert [each["data-language"] for each in panels] == ["curl", "javascript", "python"]
    assert not [each for each in panels if "hidden" in each]
    assert "curl --request POST" in page.text
    assert page.all("noscript")
    hidden = {attributes["id"] for _, attributes in page.found if "hidden" in attributes and "id" in attributes}
    assert hidden == {"try", "copy-markdown", "copy-code", "answer"}
