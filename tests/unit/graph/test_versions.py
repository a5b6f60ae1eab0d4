from __future__ import annotations

import pytest

from pagecalls.graph.versions import LATEST, OLDEST, SERVED, Version, default_version, find_version, looks_like_version


def test_served() -> None:
    assert sorted(SERVED) == ["v20.0", "v21.0", "v22.0", "v23.0", "v24.0", "v25.0", "v26.0"]
    assert {OLDEST, LATEST} < SERVED
    assert all(find_version(text) == Version(text) for text in SERVED)


@pytest.mark.parametrize("text", ["v1.0", "v2.0", "v2.12", "v3.0", "v3.3", "v4.0", "v10.0", "v19.0"])
def test_expired(text: str) -> None:
    version = find_version(text)
    assert version == Version("v20.0", upgraded_from=text)
    assert set(version.headers) == {"facebook-api-version", "x-ad-api-version-warning"}


@pytest.mark.parametrize("text", ["v0.0", "v1.1", "v2.13", "v3.4", "v4.1", "v20.1", "v26", "v27.0", "v26.0.0", "v99.0", ""])
def test_never_existed(text: str) -> None:
    assert find_version(text) is None
    assert default_version(text) == Version(LATEST)


def test_default() -> None:
    assert default_version("v21.0") == Version("v21.0")
    assert default_version("v5.0").served == "v20.0"


@pytest.mark.parametrize(
    ("segment", "does"),
    [
        ("v26.0", True),
        ("v9", True),
        ("v1.2.3", True),
        ("v", False),
        ("vx", False),
        ("V26.0", False),
        ("v26.0b", False),
        ("1001", False),
    ],
)
def test_looks(segment: str, does: bool) -> None:
    assert looks_like_version(segment) is does
